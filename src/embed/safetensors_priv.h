/*
 * safetensors: the tensors of a .safetensors file.
 *
 *   u64  bytes of the header, little endian
 *   header: JSON, {"name": {"dtype", "shape", "data_offsets": [from, end]}, …,
 *           "__metadata__": {…}}; white space may follow
 *   the tensors' bytes, which offsets count from; no gap, no overlap
 *
 * Owns:    names live in the tensors' arena; bytes borrow `file`.
 * Errors:  RC_FORMAT  not such a file, cut, or its tensors overlap
 *          RC_LIMIT   a header over SAFETENSORS_HEADER_BYTES_MAX, or more
 *                     tensors than TENSORS_MAX
 * Threads: pure.
 */
#ifndef EMBED_SAFETENSORS_PRIV_H
#define EMBED_SAFETENSORS_PRIV_H

#include "embed/tensor_priv.h"

#define SAFETENSORS_HEADER_BYTES_MAX ((size_t)4 << 20)

rc safetensors_read(str file, struct tensors *ts, struct err *e) MUST_CHECK;

#endif
