#include "text/utf8.h"

#include "text/ascii8.h"

#define REPLACEMENT 0xfffdu

/* Length of the ASCII run at the start of s. */
static size_t ascii_prefix(str s)
{
    size_t i = 0;

    while (s.n - i >= 8 && (ascii8_load(s.p + i) & ASCII8_HIGH) == 0)
        i += 8;
    while (i < s.n && (uint8_t)s.p[i] < 0x80)
        i++;
    return i;
}

/* Length of the well-formed sequence of a byte >= 0x80 at s.p[0] (Unicode 15,
 * table 3-7), or 0 and in *bad how many bytes one U+FFFD stands for (the
 * maximal subpart, section 3.9). */
static size_t sequence_length(str s, size_t *bad)
{
    uint8_t lead = (uint8_t)s.p[0], low = 0x80, high = 0xbf;
    size_t n;

    *bad = 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < n; i++) {
        uint8_t byte;

        if (i == s.n)
            return 0;
        byte = (uint8_t)s.p[i];
        if (byte < low || byte > high)
            return 0;
        low = 0x80;
        high = 0xbf;
        *bad = i + 1;
    }
    return n;
}

size_t utf8_valid_prefix(str s)
{
    size_t i = 0;

    while (i < s.n) {
        size_t n, bad;

        i += ascii_prefix(str_sub(s, i, s.n));
        if (i == s.n)
            break;
        n = sequence_length(str_sub(s, i, s.n), &bad);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

/* Bytes of the form 10xxxxxx among eight. */
static unsigned continuations8(uint64_t v)
{
    /* A bit a byte; the product's top byte is their sum. */
    return (unsigned)((((v & ASCII8_HIGH & ~(v << 1)) >> 7) * ASCII8_EACH) >>
                      56);
}

size_t utf8_count(str s)
{
    size_t i = 0, more = 0;

    for (; s.n - i >= 8; i += 8)
        more += continuations8(ascii8_load(s.p + i));
    for (; i < s.n; i++)
        more += ((uint8_t)s.p[i] & 0xc0) == 0x80;
    return s.n - more;
}

size_t utf8_advance(str s, size_t cp)
{
    size_t i = 0;

    while (s.n - i >= 8) {
        unsigned starts = 8 - continuations8(ascii8_load(s.p + i));

        if (starts > cp)
            break;
        cp -= starts;
        i += 8;
    }
    for (; i < s.n; i++) {
        if (((uint8_t)s.p[i] & 0xc0) == 0x80)
            continue;
        if (cp == 0)
            break;
        cp--;
    }
    return i;
}

uint32_t utf8_next(str s, size_t *at)
{
    const uint8_t *p = (const uint8_t *)s.p + *at;
    uint32_t cp = p[0];
    size_t n = cp < 0x80 ? 1 : cp < 0xe0 ? 2 : cp < 0xf0 ? 3 : 4;

    ASSERT(n <= s.n - *at);
    *at += n;
    if (n == 1)
        return cp;
    cp &= 0x7fu >> n;
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | (p[i] & 0x3fu);
    return cp;
}

uint32_t utf8_next_any(str s, size_t *at)
{
    str rest = str_sub(s, *at, s.n);
    size_t bad;

    ASSERT(rest.n > 0);
    if ((uint8_t)rest.p[0] >= 0x80 && sequence_length(rest, &bad) == 0) {
        *at += bad;
        return REPLACEMENT;
    }
    return utf8_next(s, at);
}

size_t utf8_encode(char to[4], uint32_t cp)
{
    if (cp < 0x80) {
        to[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        to[0] = (char)(0xc0 | cp >> 6);
        to[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        to[0] = (char)(0xe0 | cp >> 12);
        to[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        to[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | cp >> 18);
    to[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    to[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    to[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

void utf8_put(struct buf *b, uint32_t cp)
{
    char bytes[4];

    buf_put(b, (str){bytes, utf8_encode(bytes, cp)});
}

/* ---- decoding ---- */

/* What a first pass over the bytes counts. */
struct census {
    size_t nul[2];   /* zero bytes at even and odd offsets */
    size_t controls; /* bytes that text does not hold, NUL among them */
    size_t multi;    /* well-formed sequences of two bytes and more */
    size_t broken;   /* places where UTF-8 is broken */
};

/* Controls that logs and old text files hold: BEL BS TAB LF VT FF CR ESC and
 * the end-of-file mark of CP/M. */
static bool control_is_text(uint8_t byte)
{
    return (byte >= 7 && byte <= 13) || byte == 27 || byte == 26;
}

/* Of eight bytes those that need no clean-up. */
static uint64_t plain8(uint64_t v)
{
    uint64_t seven = v & ~ASCII8_HIGH;

    return (ascii8_between(seven, ' ', '~') |
            ascii8_between(seven, '\t', '\n')) &
           ~v;
}

/* Length of the run at the start of s that needs no clean-up: tab, newline,
 * 0x20 to 0x7e. */
static size_t plain_prefix(str s)
{
    size_t i = 0;

    while (s.n - i >= 8) {
        size_t run = ascii8_run(plain8(ascii8_load(s.p + i)));

        i += run;
        if (run < 8)
            return i;
    }
    for (; i < s.n; i++) {
        uint8_t byte = (uint8_t)s.p[i];

        if (byte != '\n' && byte != '\t' && (byte < 0x20 || byte > 0x7e))
            break;
    }
    return i;
}

static struct census take_census(str s)
{
    struct census c = {0};
    size_t i = 0;

    for (;;) {
        uint8_t byte;

        i += plain_prefix(str_sub(s, i, s.n)); /* nothing to count */
        if (i == s.n)
            break;
        byte = (uint8_t)s.p[i];
        if (byte >= 0x80) {
            size_t bad, n = sequence_length(str_sub(s, i, s.n), &bad);

            if (n == 0)
                c.broken++;
            else
                c.multi++;
            i += n == 0 ? bad : n;
            continue;
        }
        if (byte == 0)
            c.nul[i & 1]++;
        if (byte < 0x20 && !control_is_text(byte))
            c.controls++;
        i++;
    }
    return c;
}

/* Output with the clean-up every charset shares: \r\n and \r become \n, form
 * feed, vertical tab and NEL too (they part words), other controls go. */
struct sink {
    struct buf *to;
    bool after_cr;
    size_t n;
    char block[4096];
};

static void sink_flush(struct sink *s)
{
    buf_put(s->to, (str){s->block, s->n});
    s->n = 0;
}

static void sink_put(struct sink *s, uint32_t cp)
{
    bool after_cr = s->after_cr;

    s->after_cr = cp == '\r';
    if (cp == '\n' && after_cr)
        return;
    if (cp == '\r' || cp == '\v' || cp == '\f' || cp == 0x85)
        cp = '\n';
    if ((cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp < 0xa0))
        return;
    if (s->n + 4 > sizeof s->block)
        sink_flush(s);
    s->n += utf8_encode(s->block + s->n, cp);
}

static bool decode_utf8(str s, struct sink *to)
{
    bool replaced = false;
    size_t i = 0;

    while (i < s.n && to->to->code == RC_OK) {
        str rest = str_sub(s, i, s.n);
        size_t bad, n = to->after_cr ? 0 : plain_prefix(rest);

        if (n > 0) {
            sink_flush(to);
            buf_put(to->to, str_sub(rest, 0, n));
            i += n;
            continue;
        }
        if ((uint8_t)rest.p[0] < 0x80) {
            sink_put(to, (uint8_t)rest.p[0]);
            i++;
            continue;
        }
        n = sequence_length(rest, &bad);
        if (n == 0) {
            replaced = true;
            sink_put(to, REPLACEMENT);
            i += bad;
        } else {
            sink_put(to, utf8_next(s, &i));
        }
    }
    return replaced;
}

static uint32_t utf16_unit(str s, size_t i, bool big)
{
    uint8_t a = (uint8_t)s.p[i], b = (uint8_t)s.p[i + 1];

    return big ? (uint32_t)a << 8 | b : (uint32_t)b << 8 | a;
}

/* The next code point of UTF-16, REPLACEMENT and *bad for what is none. */
static uint32_t utf16_next(str s, size_t *at, bool big, bool *bad)
{
    uint32_t cp, low;

    *bad = false;
    if (s.n - *at < 2) {
        *at = s.n;
        *bad = true;
        return REPLACEMENT;
    }
    cp = utf16_unit(s, *at, big);
    *at += 2;
    if (cp < 0xd800 || cp > 0xdfff)
        return cp;
    if (cp < 0xdc00 && s.n - *at >= 2) {
        low = utf16_unit(s, *at, big);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *at += 2;
            return 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    *bad = true;
    return REPLACEMENT;
}

static bool decode_utf16(str s, bool big, struct sink *to)
{
    bool replaced = false, bad;
    size_t i = 0;

    while (i < s.n && to->to->code == RC_OK) {
        sink_put(to, utf16_next(s, &i, big, &bad));
        replaced = replaced || bad;
    }
    return replaced;
}

/* Windows-1252, 0x80 to 0x9f; 0: not assigned. */
static const uint16_t CP1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static bool decode_cp1252(str s, struct sink *to)
{
    bool replaced = false;

    for (size_t i = 0; i < s.n && to->to->code == RC_OK; i++) {
        uint32_t cp = (uint8_t)s.p[i];

        if (cp >= 0x80 && cp < 0xa0) {
            cp = CP1252[cp - 0x80];
            if (cp == 0) {
                cp = REPLACEMENT;
                replaced = true;
            }
        }
        sink_put(to, cp);
    }
    return replaced;
}

/* How much of s to look at where a sample is enough. */
#define SAMPLE_BYTES ((size_t)64 << 10)

/* Few units that text does not hold. */
static bool utf16_makes_sense(str s, bool big)
{
    size_t units = 0, odd = 0, i = 0;
    str head = str_sub(s, 0, SAMPLE_BYTES);
    bool bad;

    while (head.n - i >= 4) {
        uint32_t cp = utf16_next(head, &i, big, &bad);

        units++;
        odd += bad || (cp < 0x20 && !control_is_text((uint8_t)cp)) ||
               (cp >= 0xe000 && cp < 0xf900) || cp >= 0xfff0;
    }
    return odd * 50 <= units;
}

/* Without a mark, UTF-16 shows by zero bytes on one side only (the high bytes
 * of ASCII; even Chinese has spaces and newlines) and by making sense. */
static bool looks_utf16(str s, const struct census *c, bool big)
{
    size_t high = c->nul[big ? 0 : 1], low = c->nul[big ? 1 : 0];

    if (s.n % 2 != 0 || high == 0 || high < low * 20 + 1)
        return false;
    return utf16_makes_sense(s, big);
}

/* More controls than a damaged text would hold. */
static bool looks_binary(str s, const struct census *c)
{
    size_t nul = c->nul[0] + c->nul[1];

    return nul > s.n / 256 || c->controls > s.n / 64;
}

/* Windows-1252 has five holes and a row of rare signs where compressed data
 * has as many bytes as anywhere: much of that is no text. */
static bool looks_cp1252(str s)
{
    size_t odd = 0, high = 0;
    str head = str_sub(s, 0, SAMPLE_BYTES);

    for (size_t i = 0; i < head.n; i++) {
        uint8_t byte = (uint8_t)head.p[i];

        high += byte >= 0x80;
        odd += byte >= 0x80 && byte < 0xa0 && CP1252[byte - 0x80] == 0;
    }
    return odd * 50 <= high || odd <= 1;
}

static bool charset_guess(str s, enum charset *charset)
{
    struct census c = take_census(s);

    if (c.nul[0] + c.nul[1] > 0) {
        if (looks_utf16(s, &c, false)) {
            *charset = CHARSET_UTF16LE;
            return true;
        }
        if (looks_utf16(s, &c, true)) {
            *charset = CHARSET_UTF16BE;
            return true;
        }
    }
    if (looks_binary(s, &c))
        return false;
    *charset = CHARSET_UTF8;
    if (c.broken <= c.multi / 4)
        return true;
    *charset = CHARSET_CP1252;
    return looks_cp1252(s);
}

rc utf8_decode(str bytes, struct buf *to, struct decoded *how, struct err *e)
{
    struct sink sink = {.to = to};

    *how = (struct decoded){.charset = CHARSET_UTF8};
    if (str_starts(bytes, STR("\xef\xbb\xbf"))) {
        bytes = str_sub(bytes, 3, bytes.n);
    } else if (str_starts(bytes, STR("\xff\xfe"))) {
        how->charset = CHARSET_UTF16LE;
        bytes = str_sub(bytes, 2, bytes.n);
    } else if (str_starts(bytes, STR("\xfe\xff"))) {
        how->charset = CHARSET_UTF16BE;
        bytes = str_sub(bytes, 2, bytes.n);
    } else if (!charset_guess(bytes, &how->charset)) {
        return err_set(e, RC_FORMAT, "the file is binary, not text");
    }
    switch (how->charset) {
    case CHARSET_UTF8:
        how->replaced = decode_utf8(bytes, &sink);
        break;
    case CHARSET_UTF16LE:
    case CHARSET_UTF16BE:
        how->replaced =
            decode_utf16(bytes, how->charset == CHARSET_UTF16BE, &sink);
        break;
    case CHARSET_CP1252:
        how->replaced = decode_cp1252(bytes, &sink);
        break;
    }
    sink_flush(&sink);
    return buf_end(to, e);
}

rc utf16_decode(str bytes, bool big, struct buf *to, bool *replaced,
                struct err *e)
{
    struct sink sink = {.to = to};

    *replaced = false;
    if (!utf16_makes_sense(bytes, big))
        return err_set(e, RC_FORMAT, "the file is binary, not text");
    *replaced = decode_utf16(bytes, big, &sink);
    sink_flush(&sink);
    return buf_end(to, e);
}
