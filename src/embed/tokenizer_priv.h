/*
 * tokenizer: vocabulary and normalisation of a model, out of its
 * tokenizer.json, or of vocab.txt and tokenizer_config.json.
 *
 * Only what text/wordpiece does is read: WordPiece with "##", words of 100
 * characters, BertNormalizer, BertPreTokenizer, [CLS] text [SEP]. Anything
 * else is refused by the name of the field, since ids would differ.
 *
 * Owns:    tokens live in `out`.
 * Errors:  RC_FORMAT       not such a file, an id or a token twice, a special
 *                          token is missing
 *          RC_LIMIT        more than WORDPIECE_TOKENS_MAX tokens, or one over
 *                          WORDPIECE_TOKEN_BYTES_MAX
 *          RC_UNSUPPORTED  another kind of tokenizer
 * Threads: pure.
 */
#ifndef EMBED_TOKENIZER_PRIV_H
#define EMBED_TOKENIZER_PRIV_H

#include "base/arena.h"

#define TOKENIZER_BYTES_MAX ((size_t)64 << 20)

struct tokenizer {
    str *tokens; /* [tokens_n] by id; an empty one has no text */
    size_t tokens_n;
    bool lowercase, strip_accents, ideographs_apart;
    uint32_t length_max; /* of a text in tokens; 0: not said */
};

rc tokenizer_read(str json, struct arena *out, struct tokenizer *t,
                  struct err *e) MUST_CHECK;
rc tokenizer_read_vocab(str txt, struct arena *out, struct tokenizer *t,
                        struct err *e) MUST_CHECK;
/* What tokenizer_config.json says (as the reference does it, over what
 * tokenizer.json says); json STR_NONE: BERT's own defaults. */
rc tokenizer_read_config(str json, struct tokenizer *t,
                         struct err *e) MUST_CHECK;

#endif
