#include <stdlib.h>

#include "embed/embed_priv.h"

/* Best first. */
static const struct embed_kernels *(*const ROWS[])(void) = {
    embed_kernels_amx,  embed_kernels_avx512, embed_kernels_avxvnni,
    embed_kernels_avx2, embed_kernels_neon,   embed_kernels_scalar};

static_assert(NELEMS(ROWS) <= EMBED_KERNELS_MAX, "callers have room for all");

size_t embed_kernels_all(const struct embed_kernels *all[EMBED_KERNELS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        const struct embed_kernels *k = ROWS[i]();

        if (k != NULL)
            all[n++] = k;
    }
    return n;
}

/* The variable is for tests and measurements: what it names must exist here,
 * else it is as if it were not set. */
const struct embed_kernels *embed_kernels_pick(void)
{
    const struct embed_kernels *all[EMBED_KERNELS_MAX];
    size_t n = embed_kernels_all(all);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment */
    str wanted = str_of(getenv("KNOWD_KERNELS"));

    for (size_t i = 0; i < n; i++)
        if (str_eq(wanted, str_of(all[i]->name)))
            return all[i];
    return all[0];
}

const char *embed_kernels(void)
{
    return embed_kernels_pick()->name;
}
