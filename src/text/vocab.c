#include "text/vocab_priv.h"

#include <assert.h>

#include "base/mem.h"
#include "text/utf8.h"

#define WORD_CHARS_MAX 100 /* unless the options say otherwise */

/* A hash that grows byte by byte, so that the prefixes of a word cost no more
 * than the word: FNV's form with a multiplier whose high bits mix well. */
#define HASH_START 0xcbf29ce484222325u
static uint64_t hash_byte(uint64_t h, char byte)
{
    return (h ^ (uint8_t)byte) * 0x9e3779b97f4a7c15u;
}

static uint64_t hash_bytes(str s)
{
    uint64_t h = HASH_START;

    for (size_t i = 0; i < s.n; i++)
        h = hash_byte(h, s.p[i]);
    return h;
}

static str token_text(const struct vocab *v, uint32_t id)
{
    return (str){v->bytes + v->starts[id], v->starts[id + 1] - v->starts[id]};
}

static bool continues(str token)
{
    return str_starts(token, STR("##")) && token.n > 2;
}

#define SLOT_ID_BITS 20u
#define SLOT_ID_MASK ((1u << SLOT_ID_BITS) - 1)
static_assert(WORDPIECE_TOKENS_MAX <= SLOT_ID_MASK, "an id and one fit");

static uint32_t slot_tag(uint64_t h)
{
    return (uint32_t)(h << SLOT_ID_BITS);
}

static uint32_t slot_id(uint32_t slot)
{
    return (slot & SLOT_ID_MASK) - 1;
}

/* The slot of prefix and s together, whose hash is h; a free one: none has
 * them. */
static uint32_t *find(const struct vocab *v, uint64_t h, str prefix, str s)
{
    size_t mask = ((size_t)1 << (64 - v->shift)) - 1, at = h >> v->shift;

    for (;; at = (at + 1) & mask) {
        uint32_t *slot = &v->slots[at];
        str token;

        if (*slot == 0)
            return slot;
        if ((*slot & ~SLOT_ID_MASK) != slot_tag(h))
            continue;
        token = token_text(v, slot_id(*slot));
        if (token.n == prefix.n + s.n && str_starts(token, prefix) &&
            memcmp(token.p + prefix.n, s.p, s.n) == 0)
            return slot;
    }
}

/* The longest token, behind prefix whose hash is h, that word starts with; its
 * length in *bytes. False: none does. */
static bool longest(const struct vocab *v, uint64_t h, str prefix, str word,
                    size_t bytes_max, size_t *bytes, uint32_t *id)
{
    uint64_t hashes[WORDPIECE_TOKEN_BYTES_MAX];
    size_t n = word.n < bytes_max ? word.n : bytes_max;

    for (size_t i = 0; i < n; i++)
        hashes[i] = h = hash_byte(h, word.p[i]);
    for (; n > 0; n--) {
        uint32_t slot;

        if (n < word.n && ((uint8_t)word.p[n] & 0xc0) == 0x80)
            continue; /* inside a character */
        slot = *find(v, hashes[n - 1], prefix, str_sub(word, 0, n));
        if (slot != 0) {
            *bytes = n;
            *id = slot_id(slot);
            return true;
        }
    }
    return false;
}

void vocab_pieces(const struct vocab *v, str word, struct ids *to)
{
    uint64_t more = hash_bytes(STR("##"));
    size_t before = to->n, at = 0;

    while (at < word.n) {
        str rest = str_sub(word, at, word.n);
        uint32_t id;
        size_t n;

        if (at == 0 ? !longest(v, HASH_START, STR(""), rest, v->first_bytes_max,
                               &n, &id)
                    : !longest(v, more, STR("##"), rest, v->more_bytes_max, &n,
                               &id)) {
            to->n = before;
            ids_put(to, v->ids.unknown);
            return;
        }
        ids_put(to, id);
        at += n;
    }
}

/* ---- opening ---- */

static rc check(const struct vocab_opts *o, size_t *bytes, struct err *e)
{
    *bytes = 0;
    if (o->tokens_n > WORDPIECE_TOKENS_MAX)
        return err_set(e, RC_LIMIT, "vocabulary has %zu tokens, limit %u",
                       o->tokens_n, (unsigned)WORDPIECE_TOKENS_MAX);
    if (o->word_chars_max > WORDPIECE_WORD_CHARS_MAX)
        return err_set(e, RC_LIMIT, "words of %u characters, limit %d",
                       (unsigned)o->word_chars_max, WORDPIECE_WORD_CHARS_MAX);
    for (size_t i = 0; i < o->tokens_n; i++) {
        str t = o->tokens[i];

        if (t.n > WORDPIECE_TOKEN_BYTES_MAX)
            return err_set(e, RC_LIMIT, "token %zu has %zu bytes, limit %d", i,
                           t.n, WORDPIECE_TOKEN_BYTES_MAX);
        if (utf8_valid_prefix(t) != t.n)
            return err_set(e, RC_FORMAT, "token %zu is not UTF-8", i);
        *bytes += t.n;
        if (*bytes > WORDPIECE_BYTES_MAX)
            return err_set(e, RC_LIMIT, "vocabulary has over %zu bytes",
                           WORDPIECE_BYTES_MAX);
    }
    return RC_OK;
}

static rc take_memory(struct vocab *v, size_t bytes, struct err *e)
{
    size_t slots = 16;

    v->shift = 60;
    for (; slots < (size_t)2 * v->tokens_n; slots *= 2)
        v->shift--;
    v->bytes = mem_try(bytes + 1);
    v->starts = mem_try(((size_t)v->tokens_n + 1) * sizeof *v->starts);
    v->slots = mem_try(slots * sizeof *v->slots);
    if (v->bytes == NULL || v->starts == NULL || v->slots == NULL)
        return err_set(e, RC_NOMEM, "no memory for the vocabulary");
    return RC_OK;
}

static rc take_token(struct vocab *v, uint32_t id, str t, struct err *e)
{
    uint64_t h = hash_bytes(t);
    uint32_t *slot = find(v, h, STR(""), t);
    size_t *bytes_max = continues(t) ? &v->more_bytes_max : &v->first_bytes_max;
    size_t bytes = continues(t) ? t.n - 2 : t.n;

    if (*slot != 0)
        return err_set(e, RC_FORMAT, "tokens %u and %u are the same",
                       (unsigned)slot_id(*slot), (unsigned)id);
    *slot = slot_tag(h) | (id + 1);
    if (*bytes_max < bytes)
        *bytes_max = bytes;
    return RC_OK;
}

static rc take_tokens(struct vocab *v, const str *tokens, struct err *e)
{
    uint32_t at = 0;

    for (uint32_t id = 0; id < v->tokens_n; id++) {
        str t = tokens[id];

        v->starts[id] = at;
        if (t.n > 0) {
            rc code;

            memcpy(v->bytes + at, t.p, t.n);
            at += (uint32_t)t.n;
            v->starts[id + 1] = at;
            code = take_token(v, id, t, e);
            if (code != RC_OK)
                return code;
        }
    }
    v->starts[v->tokens_n] = at;
    return RC_OK;
}

static rc special(const struct vocab *v, str name, str usual, uint32_t *id,
                  struct err *e)
{
    uint32_t slot;

    if (name.n == 0)
        name = usual;
    slot = *find(v, hash_bytes(name), STR(""), name);
    if (slot == 0)
        return err_set(e, RC_FORMAT, "vocabulary has no token " STR_FMT,
                       STR_ARG(name));
    *id = slot_id(slot);
    return RC_OK;
}

static rc take_specials(struct vocab *v, const struct vocab_opts *o,
                        struct err *e)
{
    struct vocab_ids *ids = &v->ids;
    rc code = special(v, o->unknown, STR("[UNK]"), &ids->unknown, e);

    if (code == RC_OK)
        code = special(v, o->begin, STR("[CLS]"), &ids->begin, e);
    if (code == RC_OK)
        code = special(v, o->end, STR("[SEP]"), &ids->end, e);
    if (code == RC_OK)
        code = special(v, o->pad, STR("[PAD]"), &ids->pad, e);
    return code;
}

rc vocab_open(const struct vocab_opts *o, struct vocab **v, struct err *e)
{
    struct vocab *made = mem_alloc(sizeof *made);
    size_t bytes;
    rc code;

    *v = NULL;
    made->lowercase = o->lowercase;
    made->strip_accents = o->strip_accents;
    made->ideographs_apart = o->ideographs_apart;
    made->clean = o->clean;
    made->word_chars_max =
        o->word_chars_max == 0 ? WORD_CHARS_MAX : o->word_chars_max;
    code = check(o, &bytes, e);
    if (code == RC_OK) {
        made->tokens_n = (uint32_t)o->tokens_n;
        code = take_memory(made, bytes, e);
    }
    if (code == RC_OK)
        code = take_tokens(made, o->tokens, e);
    if (code == RC_OK)
        code = take_specials(made, o, e);
    if (code != RC_OK) {
        vocab_close(made);
        return code;
    }
    for (size_t c = 0; c < NELEMS(made->ascii); c++) {
        struct ids one = {.v = &made->ascii[c], .max = 1};
        char sign = (char)c;

        vocab_pieces(made, (str){&sign, 1}, &one);
    }
    *v = made;
    return RC_OK;
}

void vocab_close(struct vocab *v)
{
    if (v == NULL)
        return;
    mem_free(v->bytes);
    mem_free(v->starts);
    mem_free(v->slots);
    mem_free(v);
}

struct vocab_ids vocab_ids(const struct vocab *v)
{
    return v->ids;
}

uint32_t vocab_tokens(const struct vocab *v)
{
    return v->tokens_n;
}
