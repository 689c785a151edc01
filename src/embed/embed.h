/*
 * embed: a packed model, and texts to vectors by it.
 *
 * A packed model is one file (a base/seg container, drawn in docs/formats.md):
 * weights of 7 bits a channel with the smoothing folded in, the vocabulary, and
 * what the model says of itself. It is made once (model_pack), mapped, and
 * shared. Activations are unsigned 7 bits a token. Integer sums are equal to
 * the bit on every processor; which kernels run is picked at start.
 *
 * Owns:    a model owns its mapping, an embedder its scratch.
 * Shapes:  vectors [n, dims] row-major, of unit length.
 * Units:   tokens by the model's own WordPiece.
 * Errors:  RC_CORRUPT      checksum or bounds: the file is damaged
 *          RC_UNSUPPORTED  written by a newer format
 *          RC_NOMEM        scratch
 * Threads: a model is shared by any; an embedder belongs to one. An embedder
 *          starts no thread and waits for nobody.
 * Source:  docs/embedding.md; Devlin et al. 2018; Xiao et al. 2022 for the
 *          smoothing.
 */
#ifndef EMBED_EMBED_H
#define EMBED_EMBED_H

#include "base/crypto.h"
#include "embed/bert.h"
#include "text/chunk.h"

struct model;
struct model_info {
    str name; /* "all-MiniLM-L6-v2" */
    str license;
    str query_prefix, passage_prefix;
    uint32_t dims, tokens_max, layers;
    uint64_t bytes;  /* of the file */
    sha256 identity; /* of weights, vocabulary and integer form: within one
                          version of knowd, two models with one identity give
                          the same vectors (docs/decisions/011) */
};

/* Writes the packed form of b to path (durable when it returns). */
rc model_pack(const struct bert *b, const char *path, struct err *e) MUST_CHECK;
/* Told after each of `all` steps of about the same length. */
struct pack_progress {
    void (*step)(void *arg, unsigned done, unsigned all);
    void *arg;
};
/* The same into an empty file that the caller has open and keeps: not fsynced;
 * it may have no name, `path` is for messages. progress NULL: none. */
rc model_pack_on(const struct bert *b, int fd, const char *path,
                 const struct pack_progress *progress,
                 struct err *e) MUST_CHECK;
rc model_open(const char *path, struct model **m, struct err *e) MUST_CHECK;
void model_close(struct model *m); /* NULL is fine */
const struct model_info *model_info(const struct model *m);

enum embed_role { EMBED_PASSAGE, EMBED_QUERY }; /* which prefix */

struct embedder;
rc embedder_open(const struct model *m, struct embedder **x,
                 struct err *e) MUST_CHECK;
void embedder_close(struct embedder *x); /* NULL is fine */
/* Texts over tokens_max are cut there. Any number of texts of any lengths:
 * tokens are packed without padding into as many passes as the scratch's bound
 * asks for. */
rc embed_texts(struct embedder *x, enum embed_role role, const str *texts,
               size_t n, float *out, struct err *e) MUST_CHECK;
/* Tokens of a text, special ones and prefix not counted. */
uint32_t embedder_tokens(struct embedder *x, str text);
/* That as what chunks are cut with; x must outlive it. */
struct chunk_counter embedder_counter(struct embedder *x);

/* The kernels in use: "amx", "avx512vnni", "avxvnni", "avx2", "scalar",
 * "neon". */
const char *embed_kernels(void);

#endif
