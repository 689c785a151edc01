/* Any bytes under any setting: the ids of the plain rules, whatever was read
 * before, their number, and each first part of them. The first byte picks the
 * setting, the second how many ids are asked for. */
#include <stdint.h>

#include "../unit/wordpiece_plain.h"

#define TOKENS_MAX 512
#define TEXT_BYTES_MAX 4096

static str TOKENS[TOKENS_MAX];

/* Special tokens, some words and beginnings, each sign of ASCII and some of
 * other scripts, alone and continued. */
static size_t tokens_make(struct arena *a)
{
    static const char *const WORDS[] = {
        "[PAD]", "[UNK]",  "[CLS]", "[SEP]", "the",    "##the", "un",
        "##ab",  "##able", "café",  "cafe",  "##中文", "がぎ",  "кот"};
    static const uint32_t OTHERS[] = {
        0xdf,   0xe9,   0x130,  0x301,  0x307,  0x3c3,   0x3c2,   0x43a,
        0x5d0,  0x627,  0x915,  0x93c,  0x1100, 0x1161,  0x1b44,  0x302e,
        0x304b, 0x4e2d, 0x6587, 0xac00, 0xfffd, 0x1d165, 0x1f600, 0x2a700};
    size_t n = 0;

    for (size_t i = 0; i < NELEMS(WORDS); i++)
        TOKENS[n++] = str_of(WORDS[i]);
    for (uint32_t i = 0; i < 0x80 + NELEMS(OTHERS); i++) {
        uint32_t cp = i < 0x80 ? i : OTHERS[i - 0x80];
        char bytes[4];
        size_t k = utf8_encode(bytes, cp);

        if (cp <= ' ')
            continue;
        TOKENS[n++] = arena_str(a, (str){bytes, k});
        TOKENS[n++] = arena_fmt(a, "##%.*s", (int)k, bytes);
    }
    ASSERT(n <= TOKENS_MAX);
    return n;
}

static struct vocab_opts options(unsigned set, size_t tokens_n)
{
    return (struct vocab_opts){.tokens = TOKENS,
                               .tokens_n = tokens_n,
                               .lowercase = (set & 1) != 0,
                               .strip_accents = (set & 2) != 0,
                               .ideographs_apart = (set & 4) != 0,
                               .clean = (set & 8) != 0,
                               .word_chars_max = (set & 16) != 0 ? 6 : 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wordpiece *used[32];
    static struct arena *a;
    static struct map *tokens;
    static size_t tokens_n;
    static uint32_t ids[TEXT_BYTES_MAX * CHAR_PARTS_MAX];
    struct arena_mark start;
    struct vocab_opts o;
    struct plain_text want;
    unsigned set;
    size_t n, max;
    str text;

    if (size < 2 || size > TEXT_BYTES_MAX)
        return 0;
    if (a == NULL) {
        a = arena_open();
        tokens_n = tokens_make(a);
        o = options(0, tokens_n);
        tokens = plain_tokens(&o);
    }
    start = arena_mark(a);
    set = data[0] % NELEMS(used);
    o = options(set, tokens_n);
    if (used[set] == NULL) {
        struct vocab *v;

        ASSERT(vocab_open(&o, &v, NULL) == RC_OK);
        used[set] = wordpiece_open(v);
    }
    text = (str){(const char *)data + 2, size - 2};
    want = plain_ids(a, &o, tokens, text);
    n = wordpiece_encode(used[set], text, ids, NELEMS(ids));
    ASSERT(n == want.n);
    ASSERT(n == 0 || memcmp(ids, want.cps, n * sizeof *ids) == 0);
    ASSERT(wordpiece_count(used[set], text) == n);
    max = data[1] < n ? data[1] : n;
    ASSERT(wordpiece_encode(used[set], text, ids, max) == max);
    ASSERT(max == 0 || memcmp(ids, want.cps, max * sizeof *ids) == 0);
    arena_rewind(a, start);
    return 0;
}
