/*
 * folder: a published model as a struct bert: a Hugging Face folder
 * (config.json, model.safetensors, tokenizer.json or vocab.txt, modules.json
 * and what it names), or an ONNX file with its tokenizer.json beside it.
 *
 * What can't be computed with is refused, and the text names the file and the
 * field or tensor. What a folder leaves open (an ONNX file alone says nothing
 * of pooling and prefixes) comes from a small table of well-known names.
 *
 * Owns:    the mapped files and all that its struct bert points to.
 * Errors:  RC_NOTFOUND     no such folder or file
 *          RC_FORMAT       damaged, or files that contradict each other
 *          RC_LIMIT        over a bound of embed/bert.h or text/wordpiece.h
 *          RC_UNSUPPORTED  another architecture, pooling, tokenizer, …
 *          RC_INVALID      the name is none
 *          RC_NOMEM        no memory for weights that have to be converted
 * Threads: one at a time; the struct bert is read by any.
 * Cost:    fp32 safetensors are used in place; else memory of fp32 weights.
 * Source:  docs/embedding.md, "Model files".
 */
#ifndef EMBED_FOLDER_H
#define EMBED_FOLDER_H

#include "base/limits.h"
#include "embed/bert.h"

struct folder_opts {
    const char *path; /* of the folder, or of the .onnx file */
    str name;         /* empty: the last part of the path */
};
struct folder;
rc folder_open(const struct folder_opts *o, struct folder **f,
               struct err *e) MUST_CHECK;
void folder_close(struct folder *f); /* NULL is fine */
const struct bert *folder_bert(const struct folder *f);

/* Letters, digits, '.', '_' and '-', no '.' at the front. */
bool model_name_valid(str name);

#endif
