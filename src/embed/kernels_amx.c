#include <pthread.h>

#include "embed/embed_priv.h"

/*
 * AMX: a tile register holds 16 rows of 64 bytes, and one instruction
 * multiplies the activations of 16 tokens by the weights of a panel, 64 input
 * channels at a time; both lie in memory as tiles take them. Sums go through
 * memory to AVX-512's lanes, and all but linear layers is AVX-512's.
 *
 * What a tile load waits for, everything waits for: so each step asks for the
 * lines that the next will load.
 */
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TARGET                                                             \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni," \
                          "avx2,fma,amx-tile,amx-int8")))

#include "embed/lanes512_priv.h"
#include "embed/output_priv.h"

#define TILE_TOKENS 16
#define TILE_IN 64 /* input channels */
#define STEP_WEIGHTS (TILE_IN / GROUP * STRIP_BYTES)

static_assert(ROW_STEP % TILE_IN == 0, "no edges but that of tokens");

/* ---- tiles ---- */

/* As the instruction reads it. */
struct tile_shapes {
    uint8_t palette, start, none[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static_assert(sizeof(struct tile_shapes) == 64, "as the processor has it");

/* Tiles 0 to 3 are sums, 4 and 5 activations of tokens, 6 and 7 weights. Of
 * more than 16 tokens 0 and 1 are the sums of the first 16, 2 and 3 of the
 * others; else all four are of the same. */
TARGET static void tiles_shape(uint32_t tokens)
{
    uint8_t first = (uint8_t)(tokens < TILE_TOKENS ? tokens : TILE_TOKENS);
    uint8_t other = (uint8_t)(tokens > TILE_TOKENS ? tokens - first : tokens);
    struct tile_shapes shapes = {
        .palette = 1,
        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {first, first, other, other, first, other, 16, 16}};

    /* gcc 12 believes that the instruction reads 8 bytes. */
    __asm__ volatile("" : : "m"(shapes) : "memory");
    _tile_loadconfig(&shapes);
}

TARGET static void sums_clear(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

/* Asks for 16 lines. An address, as it may lie behind all that pointers may
 * point to. */
INLINE void ahead(uintptr_t at, size_t stride)
{
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
        __builtin_prefetch((const void *)(at + i * stride), 0, 3);
}

/* Of up to 16 tokens and a strip: sums[16][64]. Weights are read once and in
 * order, so that the next lie behind; the few activations stay near. */
TARGET static void sums_of_strip(const uint8_t *q, const int8_t *w, uint32_t in,
                                 int32_t *sums)
{
    const size_t lanes = LANES, stride = STRIP * sizeof *sums;

    sums_clear();
    for (const uint8_t *end = q + in; q < end; q += TILE_IN) {
        uintptr_t next = (uintptr_t)w + STEP_WEIGHTS;

        _tile_loadd(4, q, in);
        _tile_loadd(6, w, STRIP_BYTES);
        _tile_dpbusd(0, 4, 6);
        ahead(next, STRIP_BYTES);
        _tile_loadd(7, w + PANEL_BYTES, STRIP_BYTES);
        _tile_dpbusd(1, 4, 7);
        ahead(next + PANEL_BYTES, STRIP_BYTES);
        _tile_loadd(6, w + 2 * PANEL_BYTES, STRIP_BYTES);
        _tile_dpbusd(2, 4, 6);
        ahead(next + 2 * PANEL_BYTES, STRIP_BYTES);
        _tile_loadd(7, w + 3 * PANEL_BYTES, STRIP_BYTES);
        _tile_dpbusd(3, 4, 7);
        ahead(next + 3 * PANEL_BYTES, STRIP_BYTES);
        w += STEP_WEIGHTS;
    }
    _tile_stored(0, sums, stride);
    _tile_stored(1, sums + lanes, stride);
    _tile_stored(2, sums + 2 * lanes, stride);
    _tile_stored(3, sums + 3 * lanes, stride);
}

/* What is multiplied behind the last step. */
struct next {
    uintptr_t q, w;
};

/* Of 17 to 32 tokens and two panels: sums[32][32]. */
TARGET static void sums_of_pair(const uint8_t *q, const int8_t *w, uint32_t in,
                                struct next behind, int32_t *sums)
{
    const size_t others = (size_t)TILE_TOKENS * in;
    const size_t row = (size_t)2 * LANES, stride = row * sizeof *sums;

    sums_clear();
    for (const uint8_t *end = q + in; q < end; q += TILE_IN) {
        struct next next = {(uintptr_t)q + TILE_IN,
                            (uintptr_t)w + STEP_WEIGHTS};

        if (q + TILE_IN == end)
            next = behind;
        _tile_loadd(4, q, in);
        _tile_loadd(6, w, STRIP_BYTES);
        _tile_dpbusd(0, 4, 6);
        ahead(next.q, in);
        _tile_loadd(7, w + PANEL_BYTES, STRIP_BYTES);
        _tile_dpbusd(1, 4, 7);
        ahead(next.q + others, in);
        _tile_loadd(5, q + others, in);
        _tile_dpbusd(2, 5, 6);
        ahead(next.w, STRIP_BYTES);
        _tile_dpbusd(3, 5, 7);
        ahead(next.w + PANEL_BYTES, STRIP_BYTES);
        w += STEP_WEIGHTS;
    }
    _tile_stored(0, sums, stride);
    _tile_stored(1, sums + LANES, stride);
    _tile_stored(2, sums + TILE_TOKENS * row, stride);
    _tile_stored(3, sums + TILE_TOKENS * row + LANES, stride);
}

/* ---- linear layers ---- */

#define PUT_ROWS 4 /* side by side, as each is a long chain of steps */

/* A panel's sums, from row to row `stride` apart, to where they belong. end is
 * a constant where this is inlined. */
INLINE void panel_put(const struct linear_job *job, uint32_t row, uint32_t rows,
                      uint32_t panel, const int32_t *sums, size_t stride,
                      enum linear_end end)
{
    struct outputs to = outputs_of(job, end, panel);
    size_t out_stride = job->row_stride;
    float *out = linear_out(job, panel) + row * out_stride;
    uint32_t r = 0;

    for (; r + PUT_ROWS <= rows; r += PUT_ROWS)
#pragma GCC unroll 4
        for (size_t i = 0; i < PUT_ROWS; i++)
            linear_put(&to, row + r + (uint32_t)i,
                       _mm512_load_si512(sums + (r + i) * stride),
                       out + (r + i) * out_stride);
    for (; r < rows; r++)
        linear_put(&to, row + r, _mm512_load_si512(sums + r * stride),
                   out + r * out_stride);
}

TARGET static void sums_put(const struct linear_job *job, uint32_t row,
                            uint32_t rows, uint32_t panel, uint32_t panels,
                            const int32_t *sums)
{
    size_t stride = (size_t)panels * LANES;

    for (uint32_t last = panel + panels; panel < last; panel++, sums += LANES)
        switch (job->end) {
        case LINEAR_STORE:
            panel_put(job, row, rows, panel, sums, stride, LINEAR_STORE);
            break;
        case LINEAR_ACTIVATE:
            panel_put(job, row, rows, panel, sums, stride, LINEAR_ACTIVATE);
            break;
        case LINEAR_ADD:
            panel_put(job, row, rows, panel, sums, stride, LINEAR_ADD);
            break;
        }
}

/* Of 17 to 32 tokens a block, `blocks` of them. */
TARGET static void pairs_run(const struct linear_job *job, uint32_t row,
                             uint32_t rows, uint32_t blocks)
{
    const struct linear *l = job->linear;
    const uint8_t *first = job->in.q + (size_t)row * l->in;
    int32_t sums[2 * TILE_TOKENS * 2 * LANES]
        __attribute__((aligned(ALIGN_BYTES)));

    tiles_shape(rows);
    for (uint32_t p = 0; p < l->out / LANES; p += 2) {
        const int8_t *w = panel_weight(l, p);

        for (uint32_t b = 0; b < blocks; b++) {
            const uint8_t *q = first + (size_t)b * rows * l->in;
            struct next next = {(uintptr_t)q + (size_t)rows * l->in,
                                (uintptr_t)w};

            if (b + 1 == blocks)
                next = (struct next){(uintptr_t)first, panel_address(l, p + 2)};
            sums_of_pair(q, w, l->in, next, sums);
            sums_put(job, row + b * rows, rows, p, 2, sums);
        }
    }
}

/* Of up to 16 tokens. */
TARGET static void strips_run(const struct linear_job *job, uint32_t row,
                              uint32_t rows)
{
    const struct linear *l = job->linear;
    int32_t sums[TILE_TOKENS * STRIP] __attribute__((aligned(ALIGN_BYTES)));

    tiles_shape(rows);
    for (uint32_t p = 0; p < l->out / LANES; p += STRIP_PANELS) {
        sums_of_strip(job->in.q + (size_t)row * l->in, panel_weight(l, p),
                      l->in, sums);
        sums_put(job, row, rows, p, STRIP_PANELS, sums);
    }
}

TARGET static void linear_by_tiles(const struct linear_job *job)
{
    const uint32_t block = 2 * TILE_TOKENS;
    uint32_t rest = job->rows % block, whole = job->rows - rest;

    if (whole > 0)
        pairs_run(job, 0, block, whole / block);
    if (rest > TILE_TOKENS)
        pairs_run(job, whole, rest, 1);
    else if (rest > 0)
        strips_run(job, whole, rest);
    _tile_release(); /* nothing to be saved when threads change */
}

/* ---- whether they are here ---- */

static struct embed_kernels amx;
static bool amx_here;

/* Linux keeps tiles only for processes that asked for it, which costs nothing
 * until they are used. */
static bool tiles_allowed(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };

    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static void amx_find(void)
{
    enum { TILES = 1u << 24, BYTES = 1u << 25, BOTH = TILES | BYTES };
    const struct embed_kernels *others = embed_kernels_avx512();
    unsigned a, b, c, d = 0;

    if (others == NULL || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 ||
        (d & BOTH) != BOTH || !tiles_allowed())
        return;
    amx = *others;
    amx.name = "amx";
    amx.linear = linear_by_tiles;
    amx_here = true;
}

const struct embed_kernels *embed_kernels_amx(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, amx_find);
    return amx_here ? &amx : NULL;
}
#else
const struct embed_kernels *embed_kernels_amx(void)
{
    return NULL;
}
#endif
