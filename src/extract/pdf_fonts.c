#include "extract/pdf_fonts.h"

#include <zlib.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"

#define OBJECTS_MAX ((size_t)1 << 20)
#define FONTS_MAX 4096
#define DICTIONARY_BYTES_MAX 1024
#define HEAD_BYTES_MAX ((size_t)64 * KIB)
#define UPDATE_BYTES_MAX ((size_t)8 * MIB)
#define END_BYTES_MAX 1024 /* from startxref to the end */
#define TRAILER_BYTES_MAX 4096

/* "12 0 obj" */
struct object {
    uint32_t number, generation;
};

struct font {
    struct object object;
    uint64_t at; /* of its replacement */
};

struct fonts {
    str file;
    struct buf *to;
    struct map *objects; /* how often a number is one of the plain bytes */
    struct font *v;
    size_t n;
};

/* ---- words of the file ---- */

static bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' ||
           c == '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static str skip_white(str s)
{
    size_t n = 0;

    while (n < s.n && is_white(s.p[n]))
        n++;
    return str_sub(s, n, s.n);
}

/* The number at the start of *s, which is taken off. */
static bool take_number(str *s, uint64_t max, uint64_t *v)
{
    size_t n = 0;

    while (n < s->n && is_digit(s->p[n]))
        n++;
    if (!str_to_u64(str_sub(*s, 0, n), max, v))
        return false;
    *s = str_sub(*s, n, s->n);
    return true;
}

/* What stands behind a name in a dictionary; empty: it isn't there. A name is
 * no part of a longer one. */
static str value_of(str dictionary, str name)
{
    for (;;) {
        size_t at = str_find(dictionary, name);
        str rest = str_sub(dictionary, at + name.n, dictionary.n);

        if (rest.n == 0)
            return STR_NONE;
        if (is_white(rest.p[0]) || str_find_char(STR("/[(<"), rest.p[0]) < 4)
            return skip_white(rest);
        dictionary = rest;
    }
}

static bool has(str s, str word)
{
    return str_find(s, word) < s.n;
}

/* A number that is no reference to one: "1500", not "15 0 R". */
static bool direct_number(str value, uint64_t max, uint64_t *v)
{
    uint64_t generation;
    str rest = value;

    if (!take_number(&rest, max, v))
        return false;
    rest = skip_white(rest);
    return !take_number(&rest, UINT32_MAX, &generation) ||
           !str_starts(skip_white(rest), STR("R"));
}

/* "/FlateDecode" or "[/FlateDecode]" and no other. */
static bool only_deflated(str dictionary)
{
    str s = value_of(dictionary, STR("/Filter"));
    bool list = str_starts(s, STR("["));

    s = skip_white(str_sub(s, list, s.n));
    if (!str_starts(s, STR("/FlateDecode")) ||
        has(dictionary, STR("/DecodeParms")))
        return false;
    s = skip_white(str_sub(s, STR("/FlateDecode").n, s.n));
    return !list || str_starts(s, STR("]"));
}

/* ---- objects ---- */

static size_t digits_before(str s, size_t end)
{
    size_t n = 0;

    while (n < end && n < 10 && is_digit(s.p[end - n - 1]))
        n++;
    return n;
}

/* The object whose "obj" stands at `at`. */
static bool object_of(str s, size_t at, struct object *o)
{
    uint64_t number, generation;
    size_t n;

    if (at < 4 || !is_white(s.p[at - 1]) || (n = digits_before(s, --at)) == 0 ||
        !str_to_u64(str_sub(s, at - n, n), 65535, &generation))
        return false;
    at -= n;
    if (at < 2 || !is_white(s.p[at - 1]) || (n = digits_before(s, --at)) == 0 ||
        !str_to_u64(str_sub(s, at - n, n), 99999999, &number))
        return false;
    *o = (struct object){(uint32_t)number, (uint32_t)generation};
    return true;
}

/* The next object from *at on, which moves to what it holds. */
static bool object_next(str s, size_t *at, struct object *o)
{
    static const str WORD = STR_INIT("obj");

    for (;;) {
        size_t found = *at + str_find(str_sub(s, *at, s.n), WORD);

        if (found >= s.n)
            return false;
        *at = found + WORD.n;
        if (object_of(s, found, o))
            return true;
    }
}

static str key_of(const struct object *o)
{
    return (str){(const char *)&o->number, sizeof o->number};
}

/* ---- heads ---- */

/* The first bytes of what was packed; false: there are not so many. */
static bool unpack(str packed, unsigned char *to, size_t n)
{
    z_stream z = {0};
    int status = Z_OK;

    if (inflateInit(&z) != Z_OK)
        return false;
    z.next_in = (unsigned char *)(uintptr_t)packed.p; /* zlib has no const */
    z.avail_in = packed.n > UINT32_MAX ? UINT32_MAX : (unsigned)packed.n;
    z.next_out = to;
    z.avail_out = (unsigned)n;
    while (status == Z_OK && z.avail_out > 0)
        status = inflate(&z, Z_SYNC_FLUSH);
    n = z.avail_out;
    (void)inflateEnd(&z);
    return n == 0;
}

/* The bytes of a stream from their begin on, whose dictionary stands at the
 * start of s; false: it is no packed Type 1 font with a head. */
static bool font_at(str s, str *packed, uint64_t *head_n)
{
    str dictionary = str_sub(s, 0, DICTIONARY_BYTES_MAX);
    size_t n = str_find(dictionary, STR("stream"));

    if (n == dictionary.n)
        return false;
    dictionary = skip_white(str_sub(dictionary, 0, n));
    if (!str_starts(dictionary, STR("<<")) || has(dictionary, STR("endobj")) ||
        !only_deflated(dictionary) ||
        !direct_number(value_of(dictionary, STR("/Length1")), HEAD_BYTES_MAX,
                       head_n) ||
        *head_n == 0)
        return false;
    s = str_sub(s, n + STR("stream").n, s.n);
    s = str_sub(s, str_starts(s, STR("\r")), s.n);
    if (!str_starts(s, STR("\n")))
        return false;
    *packed = str_sub(s, 1, s.n);
    return true;
}

/* Puts the head in the font's place. */
static void font_put(struct fonts *f, const struct object *o, str head)
{
    f->v[f->n++] = (struct font){*o, f->file.n + f->to->n};
    buf_fmt(f->to,
            "%u %u obj\n<</Length %zu/Length1 %zu/Length2 0/Length3 0>>\n"
            "stream\n" STR_FMT "\nendstream\nendobj\n",
            o->number, o->generation, head.n, head.n, STR_ARG(head));
}

/* Notes all objects of the plain bytes; false: there are too many. */
static bool objects_note(struct fonts *f)
{
    struct object o;
    size_t at = 0;

    while (object_next(f->file, &at, &o)) {
        ++*map_slot(f->objects, key_of(&o), NULL);
        if (map_count(f->objects) > OBJECTS_MAX)
            return false;
    }
    return true;
}

static void fonts_put(struct fonts *f)
{
    unsigned char *head = mem_alloc(HEAD_BYTES_MAX);
    struct object o;
    size_t at = 0;

    while (f->n < FONTS_MAX && f->to->n < UPDATE_BYTES_MAX &&
           object_next(f->file, &at, &o)) {
        uint64_t n;
        str packed, s;

        if (*map_find(f->objects, key_of(&o)) != 1 ||
            !font_at(str_sub(f->file, at, f->file.n), &packed, &n) ||
            !unpack(packed, head, (size_t)n))
            continue;
        s = (str){(const char *)head, (size_t)n};
        if (str_starts(s, STR("%!")) && has(s, STR("/Encoding")))
            font_put(f, &o, s);
    }
    mem_free(head);
}

/* ---- the update ---- */

/* Where the file's last table of objects is; false: it is not of one piece. */
static bool table_of(str file, uint64_t *at)
{
    static const str START = STR_INIT("startxref");
    size_t n = 0, last = 0;
    str s;

    for (size_t i = 0;; i += START.n, n++) {
        i += str_find(str_sub(file, i, file.n), START);
        if (i >= file.n)
            break;
        last = i;
    }
    s = skip_white(str_sub(file, last + START.n, file.n));
    /* One laid out for the web has two. */
    return (n == 1 || (n == 2 && has(str_sub(file, 0, DICTIONARY_BYTES_MAX),
                                     STR("/Linearized")))) &&
           file.n - last <= END_BYTES_MAX && take_number(&s, file.n - 1, at);
}

/* The trailer of the table there: "trailer << … >>", or the dictionary of a
 * stream; empty: no table begins there. */
static str trailer_of(str file, uint64_t table)
{
    str s = str_sub(file, (size_t)table, file.n), rest = s;
    uint64_t number, generation;

    if (str_starts(s, STR("xref"))) {
        s = str_sub(s, str_find(s, STR("trailer")), s.n);
    } else {
        if (!take_number(&rest, UINT32_MAX, &number))
            return STR_NONE;
        rest = skip_white(rest);
        if (!take_number(&rest, 65535, &generation) ||
            !str_starts(skip_white(rest), STR("obj")))
            return STR_NONE;
    }
    return str_sub(s, 0, TRAILER_BYTES_MAX);
}

/* "/Root 12 0 R" */
static bool root_of(str trailer, struct object *root)
{
    str s = value_of(trailer, STR("/Root"));
    uint64_t number, generation;

    if (!take_number(&s, UINT32_MAX, &number))
        return false;
    s = skip_white(s);
    if (!take_number(&s, 65535, &generation) ||
        !str_starts(skip_white(s), STR("R")))
        return false;
    *root = (struct object){(uint32_t)number, (uint32_t)generation};
    return true;
}

static void table_put(struct fonts *f, const struct object *root, uint64_t size,
                      uint64_t before)
{
    uint64_t at = f->file.n + f->to->n;

    buf_put(f->to, STR("xref\n"));
    for (size_t i = 0; i < f->n; i++)
        buf_fmt(f->to, "%u 1\n%010llu %05u n \n", f->v[i].object.number,
                (unsigned long long)f->v[i].at, f->v[i].object.generation);
    buf_fmt(f->to,
            "trailer\n<</Size %llu/Root %u %u R/Prev %llu>>\nstartxref\n%llu\n"
            "%%%%EOF\n",
            (unsigned long long)size, root->number, root->generation,
            (unsigned long long)before, (unsigned long long)at);
}

rc pdf_fonts_update(str file, struct buf *to, struct err *e)
{
    struct fonts f = {.file = file, .to = to};
    struct object root;
    uint64_t table, size;
    str trailer;

    if (has(file, STR("/Encrypt")) || !table_of(file, &table))
        return RC_OK;
    trailer = trailer_of(file, table);
    if (!root_of(trailer, &root) ||
        !direct_number(value_of(trailer, STR("/Size")), UINT32_MAX, &size))
        return RC_OK;
    f.objects = map_open();
    f.v = mem_alloc(FONTS_MAX * sizeof *f.v);
    buf_put_char(to, '\n');
    if (objects_note(&f))
        fonts_put(&f);
    if (f.n > 0)
        table_put(&f, &root, size, table);
    else
        buf_clear(to);
    mem_free(f.v);
    map_close(f.objects);
    return buf_end(to, e);
}
