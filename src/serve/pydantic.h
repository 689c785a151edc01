/*
 * pydantic: faults in the words of Pydantic 2 and FastAPI, which Feather and
 * Airweave answer with: {"detail":[{type, loc, msg, input, ctx}]}.
 *
 * Source: pydantic-core 2.46, error types; tests/golden/pydantic holds what
 *         the originals say.
 */
#ifndef SERVE_PYDANTIC_H
#define SERVE_PYDANTIC_H

#include "base/buf.h"
#include "base/err.h"
#include "serve/out.h"

void pydantic_put(struct buf *b, const struct faults *fs);
/* The member "loc": which part of the input a fault is about. */
void pydantic_put_loc(struct out *o, const struct fault *f);

#endif
