/*
 * ahead_priv: weights on their way before they are multiplied. A short text's
 * pass reads all weights in the order they lie in, so that what lies behind the
 * panels at work is what comes next, be it of another layer; and the
 * processor's own prefetchers start late, as a panel is a line of every fourth.
 * (Over blocks of tokens a layer's later weights are read again, and what lies
 * behind the last of them is asked for in vain.) Wants TARGET and TILE_PANELS.
 *
 * Of few tokens a panel has few tiles, and the steps of the first of them ask
 * for a line or two each; of many, each tile asks for its share before it
 * begins, which costs its steps nothing. Of one tile alone nothing is asked: it
 * waits for memory anyway. The last layer asks for what lies behind the
 * weights, or for nothing mapped at all, which a prefetch may.
 */
#ifndef INLINE /* kernels_scalar has its own */
#define INLINE TARGET static inline __attribute__((always_inline))
#endif

static_assert(TILE_PANELS <= 4, "a step asks for two lines at most");

#define AHEAD_FEW 8

/* What the steps of a tile ask for: so many lines a group. An address, as it
 * may lie behind all that pointers may point to. */
struct ahead {
    uintptr_t at;
    uint32_t lines;
};

INLINE void ahead_ask(uintptr_t at)
{
    __builtin_prefetch((const void *)at, 0, 2);
}

INLINE struct ahead ahead_of_few(const struct linear *l, uint32_t panel,
                                 uint32_t tile, uint32_t tiles)
{
    uint32_t lines = (TILE_PANELS + tiles - 1) / tiles;

    if (tiles < 2 || tile * lines >= TILE_PANELS)
        lines = 0;
    return (struct ahead){panel_address(l, panel + TILE_PANELS) +
                              (size_t)tile * lines * PANEL_BYTES,
                          lines};
}

INLINE void ahead_step(struct ahead *a)
{
    if (a->lines > 0)
        ahead_ask(a->at);
    if (TILE_PANELS > 1 && a->lines > 1)
        ahead_ask(a->at + PANEL_BYTES);
    a->at += STRIP_BYTES;
}

/* A tile's share of the groups, all lines of them. */
INLINE void ahead_share(const struct linear *l, uint32_t panel, uint32_t tile,
                        uint32_t tiles)
{
    uint32_t groups = l->in / GROUP, share = (groups + tiles - 1) / tiles;
    uint32_t from = tile * share;
    uintptr_t at = panel_address(l, panel + TILE_PANELS) + from * STRIP_BYTES;

    for (; from < (tile + 1) * share && from < groups; from++) {
#pragma GCC unroll 4
        for (size_t p = 0; p < TILE_PANELS; p++)
            ahead_ask(at + p * PANEL_BYTES);
        at += STRIP_BYTES;
    }
}
