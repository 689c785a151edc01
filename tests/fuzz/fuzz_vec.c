/*
 * Vector files as an attacker with the disk would write them: checksums are
 * ignored, so that what lies behind them is reached. Whatever opens is looked
 * up, scanned, searched by its codes and merged with itself; nothing may leave
 * the file's bytes. Answers of a damaged file mean nothing and aren't looked
 * at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vec/vec_priv.h"

#define K 5

static void look_up(const struct vec_file *f)
{
    uint32_t at;

    for (uint32_t row = 0; row < vec_rows(f); row++) {
        struct vec_key key = vec_key_at(f, row);

        ASSERT(vec_find(f, &key, &at) && at == row);
        key.b[15] ^= 1;
        (void)vec_find(f, &key, &at);
    }
}

static void ask(struct vec_file *f, struct arena *a)
{
    struct vec_place *places = ARENA_ARRAY(a, struct vec_place, f->rows);
    float *vector = ARENA_ARRAY(a, float, f->dims);
    struct vec_rows_of in = {places, NULL, f->rows, 0};
    struct vec_query *q;
    struct top_hit *hits;

    for (uint32_t i = 0; i < f->rows; i++)
        places[i] = (struct vec_place){i % 7 == 3 ? VEC_NONE : 0, i};
    for (uint32_t i = 0; i < f->dims; i++)
        vector[i] = i % 3 == 0 ? 0.1F : -0.05F;
    q = vec_query_open(vector, f->dims, a);
    for (uint32_t rescored = 1; rescored <= 64; rescored *= 8) {
        struct top *top = top_open(a, K);

        vec_scan(q, &f, &in, top);
        vec_scan(q, &f, &in, top); /* with a floor: by halves */
        vec_search(q, &f, &in, 1, rescored, top, a);
        ASSERT(top_take(top, &hits) <= K);
    }
}

static void merge(struct vec_file *f)
{
    struct vec_file *twice[2] = {f, f};
    struct err e;
    char path[64];

    (void)snprintf(path, sizeof path, "/tmp/knowd-fuzz-%d.vec", (int)getpid());
    if (vec_merge(path, twice, 2, (struct vec_merge_opts){0}, &e) == RC_OK)
        (void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct arena *a;
    struct arena_mark mark;
    struct seg *s = NULL;
    struct vec_file *f = NULL;
    struct err e;
    uint8_t *bytes = aligned_alloc(64, (n | 63) + 1); /* as a mapping is */

    if (bytes == NULL)
        return 0;
    memcpy(bytes, data, n);
    if (a == NULL)
        a = arena_open();
    mark = arena_mark(a);
    if (seg_open_bytes((str){(const char *)bytes, n}, true, &s, &e) == RC_OK &&
        vec_open_seg(s, NULL, 0, &f, &e) == RC_OK) {
        look_up(f);
        ask(f, a);
        if (n % 4 == 0)
            merge(f);
        vec_close(f);
    }
    arena_rewind(a, mark);
    free(bytes);
    return 0;
}
