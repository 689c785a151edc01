/* The vocabulary as wordpiece.c uses it: ids by bytes. */
#ifndef TEXT_VOCAB_PRIV_H
#define TEXT_VOCAB_PRIV_H

#include "text/wordpiece.h"

struct vocab {
    char *bytes;      /* of all tokens, one behind the other */
    uint32_t *starts; /* [tokens_n + 1] into them */
    uint32_t tokens_n;
    uint32_t word_chars_max;
    bool lowercase, strip_accents, ideographs_apart, clean;
    struct vocab_ids ids;
    /* Open addressing, at most half full; places by the hash's high bits. A
     * slot is some low bits of the hash and, in SLOT_ID_BITS, the id and one;
     * 0 is free. */
    uint32_t *slots;
    unsigned shift;                         /* 64 less the bits of a place */
    size_t first_bytes_max, more_bytes_max; /* of tokens that start a word and,
                                               without "##", of others */
    uint32_t ascii[128]; /* id of the word of that one sign */
};

/* Room for ids; past max they are counted only. */
struct ids {
    uint32_t *v; /* NULL: none has room */
    size_t n, max;
};
static inline void ids_put(struct ids *to, uint32_t id)
{
    if (to->v != NULL && to->n < to->max)
        to->v[to->n] = id;
    to->n++;
}

/* The pieces of a word of valid UTF-8, or the unknown token. */
void vocab_pieces(const struct vocab *v, str word, struct ids *to);

#endif
