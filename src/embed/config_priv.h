/*
 * config: what the small files of a Hugging Face folder say of a model. Each
 * function reads the text of one file; what can't be computed with is refused
 * by the name of its field.
 *
 * Owns:    texts live in `out`.
 * Errors:  settings_priv.h's
 * Threads: pure.
 */
#ifndef EMBED_CONFIG_PRIV_H
#define EMBED_CONFIG_PRIV_H

#include "base/arena.h"
#include "embed/bert_priv.h"

#define CONFIG_BYTES_MAX ((size_t)1 << 20)

/* config.json: all of a shape but tokens_max, dims and pooling. */
rc config_read(str json, struct bert_shape *s, enum bert_names *names,
               struct err *e) MUST_CHECK;

/* modules.json: where the steps of the pipeline stand, beside each other. */
struct modules {
    str transformer; /* empty: the folder itself */
    str pooling;     /* empty: none is named */
    str dense;       /* empty: none */
};
rc modules_read(str json, struct arena *out, struct modules *m,
                struct err *e) MUST_CHECK;

/* 1_Pooling/config.json. file: for messages, as in the next. */
rc pooling_read(const char *file, str json, enum bert_pooling *pooling,
                struct err *e) MUST_CHECK;

/* 2_Dense/config.json. */
struct dense_config {
    uint32_t in, out;
    bool bias, tanh;
};
rc dense_read(const char *file, str json, struct dense_config *d,
              struct err *e) MUST_CHECK;

/* sentence_bert_config.json. */
struct sentence_config {
    uint32_t tokens_max; /* 0: not said */
    bool lowercase;      /* before the tokenizer */
};
rc sentence_read(str json, struct sentence_config *s, struct err *e) MUST_CHECK;

/* config_sentence_transformers.json: what is put before texts; empty: not
 * said. */
struct prefixes {
    str query, passage;
};
rc prefixes_read(str json, struct arena *out, struct prefixes *p,
                 struct err *e) MUST_CHECK;

/* The license of a model card (README.md with a head of YAML); empty: none. */
str license_of_card(str readme);

/* What is known of the well-known models by their names, for where a folder
 * doesn't say; NULL: nothing. */
struct family {
    const char *part; /* a word of the name begins so; lower case */
    enum bert_pooling pooling;
    const char *query, *passage;
};
const struct family *family_find(str name);

#endif
