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

void pydantic_put(struct buf *b, const struct faults *fs);

#endif
