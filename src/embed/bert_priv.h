/*
 * bert_priv: the tensors of a struct bert, one table for those who fill it,
 * check it or walk over it. Names are Hugging Face's BertModel's; those of
 * DistilBertModel stand beside them.
 */
#ifndef EMBED_BERT_PRIV_H
#define EMBED_BERT_PRIV_H

#include "embed/bert.h"

#define BERT_TENSOR_NAME_BYTES 96

enum bert_names { NAMES_BERT, NAMES_DISTILBERT };

struct bert_tensor {
    char name[BERT_TENSOR_NAME_BYTES]; /* empty: this kind has none */
    size_t offset;                     /* of its pointer in struct bert */
    size_t rows, cols;                 /* cols 0: a vector of rows */
};

/* The tensor number `at` (from 0) of a model of this shape, the last layer of
 * shape.dims not among them; false: there are no more. */
bool bert_tensor_at(const struct bert_shape *s, enum bert_names names,
                    size_t at, struct bert_tensor *t);
/* What bert_check asks of the numbers of a shape, before there are tensors. */
rc bert_check_shape(const struct bert_shape *s, struct err *e) MUST_CHECK;

#endif
