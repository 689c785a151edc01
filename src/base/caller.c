#include "base/caller.h"

#include "base/clock.h"

bool caller_gone(const struct caller *c)
{
    if (c->cancel != NULL &&
        atomic_load_explicit(c->cancel, memory_order_relaxed))
        return true;
    return c->deadline_ns != 0 && clock_mono_ns() >= c->deadline_ns;
}
