/*
 * wordpiece: text to the token ids of a BERT model, and their number.
 *
 * The ids are those of Hugging Face's BertNormalizer, BertPreTokenizer and
 * WordPiece, to the last one: control characters dropped, white space joined,
 * ideographs set apart, lower case and accents stripped where the model says
 * so, greedy longest match, words over word_chars_max one [UNK]. What spells a
 * special token in a text is text. Any bytes are a text: ill-formed UTF-8 is
 * U+FFFD, as a lenient decoder would have it.
 *
 * Owns:    a vocabulary owns copies of all it was given.
 * Units:   tokens; special tokens are the caller's to add and to count.
 * Errors:  RC_FORMAT  the vocabulary lacks a special token, holds a token
 *                     twice, or isn't UTF-8
 *          RC_LIMIT   more tokens than WORDPIECE_TOKENS_MAX, a token over
 *                     WORDPIECE_TOKEN_BYTES_MAX, all of them together over
 *                     WORDPIECE_BYTES_MAX, or word_chars_max over
 *                     WORDPIECE_WORD_CHARS_MAX
 *          RC_NOMEM   no room for the copies
 * Threads: a vocabulary is shared by any; a wordpiece (scratch and a memory of
 *          words) belongs to one.
 * Cost:    English about 60 ns a token, other scripts to 150; a wordpiece
 *          has 512 KiB, a vocabulary of 30,000 tokens 0.6 MB.
 * Source:  Schuster and Nakajima 2012; the reference implementation's rules as
 *          its documentation states them (docs/embedding.md).
 */
#ifndef TEXT_WORDPIECE_H
#define TEXT_WORDPIECE_H

#include "base/buf.h"
#include "base/err.h"

#define WORDPIECE_TOKENS_MAX ((uint32_t)1 << 19)
#define WORDPIECE_TOKEN_BYTES_MAX 512
#define WORDPIECE_BYTES_MAX ((size_t)16 << 20)
#define WORDPIECE_WORD_CHARS_MAX 1000

struct vocab_opts {
    const str *tokens; /* [tokens_n]: the id is the place; "##" continues; an
                          empty one is of no text */
    size_t tokens_n;
    bool lowercase, strip_accents, ideographs_apart, clean;
    uint32_t word_chars_max;      /* 0: 100 */
    str unknown, begin, end, pad; /* empty: [UNK] [CLS] [SEP] [PAD] */
};
struct vocab;
rc vocab_open(const struct vocab_opts *o, struct vocab **v,
              struct err *e) MUST_CHECK;
void vocab_close(struct vocab *v); /* NULL is fine */
struct vocab_ids {
    uint32_t unknown, begin, end, pad;
};
struct vocab_ids vocab_ids(const struct vocab *v);
uint32_t vocab_tokens(const struct vocab *v);

struct wordpiece;
struct wordpiece *wordpiece_open(const struct vocab *v);
void wordpiece_close(struct wordpiece *w); /* NULL is fine */
/* The first ids_max ids of a text; how many they are. Room behind them, within
 * ids_max, may be written too. */
size_t wordpiece_encode(struct wordpiece *w, str text, uint32_t *ids,
                        size_t ids_max);
/* How many ids the whole text has. */
size_t wordpiece_count(struct wordpiece *w, str text);

#endif
