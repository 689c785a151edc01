#include "vec/vec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "scratch.h"
#include "vec/vec_priv.h"

static const sha256 MODEL = {{1, 2, 3}}, OTHER = {{1, 2, 4}};

/* ---- rows: clusters about random centres, of unit length ---- */

struct rows {
    uint32_t dims;
    size_t n;
    float *v; /* [n, dims] */
    struct vec_key *keys;
};

static float gauss(struct rng *r)
{
    float sum = -6;

    for (int i = 0; i < 12; i++)
        sum += (float)(rng_next(r) >> 40) / (float)(1 << 24);
    return sum;
}

static struct vec_key key_of(uint64_t i)
{
    struct rng r = rng_seeded(i + 1);
    uint64_t two[2] = {rng_next(&r), rng_next(&r)};
    struct vec_key key;

    memcpy(key.b, two, sizeof key);
    return key;
}

static void unit(float *v, uint32_t dims)
{
    double squares = 0;

    for (uint32_t i = 0; i < dims; i++)
        squares += (double)v[i] * (double)v[i];
    for (uint32_t i = 0; i < dims; i++)
        v[i] = (float)((double)v[i] / sqrt(squares));
}

/* A row is the centre of its cluster, a way along each of some directions that
 * all share, and a little noise: so neighbours differ in what they mean, as
 * those of models do, not in noise alone. */
static struct rows rows_make(size_t n, uint32_t dims, uint64_t seed)
{
    enum { CENTRES = 50, WAYS = 24 };
    struct rows x = {.dims = dims,
                     .n = n,
                     .v = mem_alloc((n + 1) * dims * sizeof(float)),
                     .keys = mem_alloc((n + 1) * sizeof *x.keys)};
    float *made = mem_alloc((size_t)(CENTRES + WAYS) * dims * sizeof *made);
    const float *ways = made + (size_t)CENTRES * dims;
    struct rng r = rng_seeded(seed);

    for (size_t i = 0; i < (size_t)(CENTRES + WAYS) * dims; i++)
        made[i] = gauss(&r) + (i < (size_t)CENTRES * dims ? 0.5F : 0);
    for (size_t i = 0; i < n; i++) {
        const float *centre = made + rng_below(&r, CENTRES) * dims;
        float *row = x.v + i * dims;

        x.keys[i] = key_of(seed << 32 | i);
        for (uint32_t k = 0; k < dims; k++)
            row[k] = centre[k] + 0.2F * gauss(&r);
        for (size_t w = 0; w < WAYS; w++) {
            float far = gauss(&r) / (float)(1 + w / 8);

            for (uint32_t k = 0; k < dims; k++)
                row[k] += far * ways[w * dims + k];
        }
        unit(row, dims);
    }
    mem_free(made);
    return x;
}

static void rows_drop(struct rows *x)
{
    mem_free(x->v);
    mem_free(x->keys);
}

static struct vec_file *write_open(const char *path, const struct rows *x)
{
    struct vec_file *f = NULL;
    struct err e;

    assert_int_equal(vec_write(path, &MODEL, x->dims, x->keys, x->v, x->n, &e),
                     RC_OK);
    assert_int_equal(vec_open(path, &MODEL, x->dims, &f, &e), RC_OK);
    return f;
}

static struct vec_file *merge_open(const char *path,
                                   struct vec_file *const *files, size_t n,
                                   vec_keep *keep, void *arg, uint32_t dims)
{
    struct vec_file *f = NULL;
    struct err e;

    assert_int_equal(
        vec_merge(path, files, n, (struct vec_merge_opts){keep, arg, NULL}, &e),
        RC_OK);
    assert_int_equal(vec_open(path, &MODEL, dims, &f, &e), RC_OK);
    return f;
}

/* Every row of one file, in its order. */
static struct vec_place *places_of(const struct vec_file *f, uint32_t file)
{
    struct vec_place *p = mem_alloc((vec_rows(f) + 1) * sizeof *p);

    for (uint32_t i = 0; i < vec_rows(f); i++)
        p[i] = (struct vec_place){file, i};
    return p;
}

static double exact(const struct rows *x, size_t row, const float *q)
{
    double sum = 0;

    for (uint32_t k = 0; k < x->dims; k++)
        sum += (double)x->v[row * x->dims + k] * (double)q[k];
    return sum;
}

/* ---- files ---- */

static void what_was_written_is_found_by_its_key(void **state)
{
    static const size_t SIZES[] = {0, 1, 2, 8, 9, 100, 3000};

    for (size_t i = 0; i < NELEMS(SIZES); i++) {
        struct rows x = rows_make(SIZES[i], 20, 7);
        struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);
        uint32_t row;
        struct vec_key none = key_of(999999999), low = {{0}}, high;
        uint64_t bytes;

        memset(&high, 0xff, sizeof high);
        assert_int_equal(vec_rows(f), x.n);
        for (uint32_t k = 0; k < x.n; k++) {
            struct vec_key key = vec_key_at(f, k);

            assert_memory_equal(&key, &x.keys[k], sizeof key);
            assert_true(vec_find(f, &x.keys[k], &row));
            assert_int_equal(row, k);
        }
        assert_false(vec_find(f, &none, &row));
        assert_false(vec_find(f, &low, &row));
        assert_false(vec_find(f, &high, &row));
        assert_int_equal(file_size(scratch_path(state, "a.vec"), &bytes, NULL),
                         RC_OK);
        assert_true(vec_bytes(f) == bytes);
        vec_close(f);
        rows_drop(&x);
    }
}

static void of_equal_keys_the_first_row_stays(void **state)
{
    struct rows x = rows_make(100, 16, 3);
    struct vec_file *f;
    struct arena *a = arena_open();
    const struct vec_query *q;
    uint32_t row;

    x.keys[3] = x.keys[1];
    for (size_t i = 50; i < 100; i++)
        x.keys[i] = x.keys[i - 50];
    f = write_open(scratch_path(state, "a.vec"), &x);
    assert_int_equal(vec_rows(f), 49);
    for (size_t i = 0; i < 50; i++) {
        size_t first = i == 3 ? 1 : i;

        assert_true(vec_find(f, &x.keys[i], &row));
        assert_int_equal(row, first - (first > 3));
        q = vec_query_open(x.v + first * 16, 16, a);
        assert_true(fabsf(vec_similarity(q, f, row) - 1) < 0.01F);
    }
    vec_close(f);
    arena_close(a);
    rows_drop(&x);
}

static void another_model_or_size_is_refused(void **state)
{
    struct rows x = rows_make(10, 16, 3);
    const char *path = scratch_path(state, "a.vec");
    struct vec_file *f = write_open(path, &x);
    struct err e;

    vec_close(f);
    assert_int_equal(vec_open(path, &OTHER, 16, &f, &e), RC_CORRUPT);
    assert_int_equal(vec_open(path, &MODEL, 17, &f, &e), RC_CORRUPT);
    assert_int_equal(vec_open(scratch_path(state, "none"), &MODEL, 16, &f, &e),
                     RC_NOTFOUND);
    rows_drop(&x);
}

static void what_is_no_vector_is_not_written(void **state)
{
    static const float BAD[] = {NAN, INFINITY, -INFINITY, 2};
    const char *path = scratch_path(state, "bad.vec");
    struct rows x = rows_make(10, 16, 3);
    struct err e;

    for (size_t i = 0; i < NELEMS(BAD); i++) {
        x.v[5 * 16 + 3] = BAD[i];
        assert_int_equal(vec_write(path, &MODEL, 16, x.keys, x.v, x.n, &e),
                         RC_INVALID);
        assert_string_equal(e.text, "vector 5 is not of unit length");
        assert_false(file_exists(path));
    }
    rows_drop(&x);
}

/* Each byte of a small file flipped, each length it may be cut to. */
static void damage_is_seen_at_open(void **state)
{
    struct rows x = rows_make(9, 8, 3);
    const char *path = scratch_path(state, "a.vec");
    const char *bad = scratch_path(state, "bad.vec");
    struct vec_file *f = write_open(path, &x);
    struct arena *a = arena_open();
    struct err e;
    str bytes;
    size_t harmless = 0;

    vec_close(f);
    assert_int_equal(file_read(path, 1 << 20, a, &bytes, &e), RC_OK);
    for (size_t i = 0; i < bytes.n; i++) {
        char *flipped = arena_cstr(a, bytes);
        rc code;

        memcpy(flipped, bytes.p, bytes.n);
        flipped[i] = (char)(flipped[i] ^ 0x10);
        assert_int_equal(
            file_write_atomic(bad, (str){flipped, bytes.n}, 0600, &e), RC_OK);
        code = vec_open(bad, &MODEL, 8, &f, &e);
        if (code == RC_OK) { /* a zero between two sections */
            assert_int_equal(bytes.p[i], 0);
            harmless++;
            vec_close(f);
        } else {
            assert_int_equal(code, RC_CORRUPT);
        }
    }
    assert_true(harmless < 8 * 64);
    for (size_t n = 0; n < bytes.n; n += 7) {
        assert_int_equal(file_write_atomic(bad, (str){bytes.p, n}, 0600, &e),
                         RC_OK);
        assert_int_equal(vec_open(bad, &MODEL, 8, &f, &e), RC_CORRUPT);
    }
    arena_close(a);
    rows_drop(&x);
}

static void a_disk_that_fails_leaves_nothing(void **state)
{
    struct rows x = rows_make(400, 64, 3);
    char path[512], tmp_path[520];
    struct err e;
    rc code = RC_IO;
    char plan[64];
    int k;

    (void)snprintf(path, sizeof path, "%s", scratch_path(state, "fail.vec"));
    (void)snprintf(tmp_path, sizeof tmp_path, "%s.tmp", path);
    for (k = 1; k < 200 && code != RC_OK; k++) {
        (void)snprintf(plan, sizeof plan, "fail@%d:EIO", k);
        io_plan_set(plan);
        code = vec_write(path, &MODEL, 64, x.keys, x.v, x.n, &e);
        io_plan_set(NULL);
        if (code != RC_OK)
            assert_false(file_exists(tmp_path));
    }
    assert_true(k > 8 && code == RC_OK);
    rows_drop(&x);
}

/* ---- merging ---- */

static bool keep_even(void *arg, const struct vec_key *key)
{
    (void)arg;
    return key->b[15] % 2 == 0;
}

static void a_merge_keeps_rows_to_the_byte(void **state)
{
    struct rows x = rows_make(700, 70, 4), y = rows_make(300, 70, 5);
    struct vec_file *f[2], *m;
    struct arena *a = arena_open();
    const struct vec_query *q = vec_query_open(x.v, 70, a);
    uint32_t row, n = 0;

    f[0] = write_open(scratch_path(state, "a.vec"), &x);
    f[1] = write_open(scratch_path(state, "b.vec"), &y);
    m = merge_open(scratch_path(state, "m.vec"), f, 2, keep_even, NULL, 70);
    for (size_t file = 0; file < 2; file++)
        for (uint32_t i = 0; i < vec_rows(f[file]); i++) {
            struct vec_key key = vec_key_at(f[file], i);

            assert_int_equal(vec_find(m, &key, &row), key.b[15] % 2 == 0);
            if (key.b[15] % 2 != 0)
                continue;
            assert_int_equal(row, n++);
            assert_memory_equal(m->values + row * m->width,
                                f[file]->values + i * m->width, m->width);
            assert_true(vec_similarity(q, m, row) ==
                        vec_similarity(q, f[file], i));
        }
    assert_int_equal(vec_rows(m), n);
    vec_close(f[0]);
    vec_close(f[1]);
    vec_close(m);
    arena_close(a);
    rows_drop(&x);
    rows_drop(&y);
}

/* So a merge may be merged, and files compared. */
static void a_merge_is_what_writing_it_all_would_be(void **state)
{
    struct rows x = rows_make(500, 48, 4), y = x, z = x;
    struct vec_file *f[2];
    struct arena *a = arena_open();
    struct err e;
    str one, two;

    y.n = 200;
    z.n = 300;
    z.v += (size_t)200 * 48;
    z.keys += 200;
    vec_close(write_open(scratch_path(state, "all.vec"), &x));
    f[0] = write_open(scratch_path(state, "a.vec"), &y);
    f[1] = write_open(scratch_path(state, "b.vec"), &z);
    vec_close(merge_open(scratch_path(state, "m.vec"), f, 2, NULL, NULL, 48));
    assert_int_equal(
        file_read(scratch_path(state, "all.vec"), 1 << 22, a, &one, &e), RC_OK);
    assert_int_equal(
        file_read(scratch_path(state, "m.vec"), 1 << 22, a, &two, &e), RC_OK);
    assert_true(str_eq(one, two));
    vec_close(f[0]);
    vec_close(f[1]);
    arena_close(a);
    rows_drop(&x);
}

static void of_two_files_the_later_has_the_row(void **state)
{
    struct rows x = rows_make(50, 32, 4), y = rows_make(50, 32, 5);
    struct vec_file *f[3], *m;
    struct arena *a = arena_open();
    uint32_t row;

    for (size_t i = 0; i < 20; i++)
        y.keys[i] = x.keys[2 * i];
    f[0] = write_open(scratch_path(state, "a.vec"), &x);
    f[1] = write_open(scratch_path(state, "b.vec"), &y);
    f[2] = f[1];
    m = merge_open(scratch_path(state, "m.vec"), f, 3, NULL, NULL, 32);
    assert_int_equal(vec_rows(m), 80);
    for (size_t i = 0; i < 20; i++) {
        const struct vec_query *q = vec_query_open(y.v + i * 32, 32, a);

        assert_true(vec_find(m, &y.keys[i], &row));
        assert_true(fabsf(vec_similarity(q, m, row) - 1) < 0.01F);
    }
    vec_close(f[0]);
    vec_close(f[1]);
    vec_close(m);
    arena_close(a);
    rows_drop(&x);
    rows_drop(&y);
}

static bool keep_none(void *arg, const struct vec_key *key)
{
    (void)key;
    ++*(size_t *)arg;
    return false;
}

static void a_merge_of_nothing_is_an_empty_file(void **state)
{
    struct rows x = rows_make(50, 32, 4);
    struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x), *m, *m2;
    struct arena *a = arena_open();
    struct top *top = top_open(a, 3);
    struct top_hit *hits;
    size_t asked = 0;

    m = merge_open(scratch_path(state, "m.vec"), &f, 1, keep_none, &asked, 32);
    assert_int_equal(vec_rows(m), 0);
    assert_int_equal(asked, 50);
    m2 = merge_open(scratch_path(state, "n.vec"), &m, 1, NULL, NULL, 32);
    vec_search(vec_query_open(x.v, 32, a), &m2, NULL, 0, 10, top, a);
    assert_int_equal(top_take(top, &hits), 0);
    vec_close(f);
    vec_close(m);
    vec_close(m2);
    arena_close(a);
    rows_drop(&x);
}

static void a_merge_nobody_waits_for_ends(void **state)
{
    static const atomic_bool cancelled = true;
    struct rows x = rows_make(50, 32, 4);
    struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);
    struct err e;

    assert_int_equal(vec_merge(scratch_path(state, "gone.vec"), &f, 1,
                               (struct vec_merge_opts){.cancel = &cancelled},
                               &e),
                     RC_CANCELLED);
    assert_false(file_exists(scratch_path(state, "gone.vec")));
    assert_false(file_exists(scratch_path(state, "gone.vec.tmp")));
    vec_close(f);
    rows_drop(&x);
}

static void files_of_two_models_are_not_merged(void **state)
{
    struct rows x = rows_make(5, 32, 4);
    struct vec_file *f[2];
    struct err e;

    f[0] = write_open(scratch_path(state, "a.vec"), &x);
    assert_int_equal(
        vec_write(scratch_path(state, "b.vec"), &OTHER, 32, x.keys, x.v, 5, &e),
        RC_OK);
    assert_int_equal(
        vec_open(scratch_path(state, "b.vec"), &OTHER, 32, &f[1], &e), RC_OK);
    assert_int_equal(vec_merge(scratch_path(state, "m.vec"), f, 2,
                               (struct vec_merge_opts){0}, &e),
                     RC_INVALID);
    vec_close(f[0]);
    vec_close(f[1]);
    rows_drop(&x);
}

/* ---- searching ---- */

static void similarity_is_near_the_inner_product(void **state)
{
    static const uint32_t DIMS[] = {1, 3, 63, 64, 65, 384, 516, 1024, 4096};
    struct arena *a = arena_open();

    for (size_t d = 0; d < NELEMS(DIMS); d++) {
        struct rows x = rows_make(60, DIMS[d], 4);
        struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);

        for (size_t i = 0; i < 10; i++) {
            const float *v = x.v + i * DIMS[d];
            const struct vec_query *q = vec_query_open(v, DIMS[d], a);

            for (uint32_t row = 0; row < 60; row++)
                assert_true(fabs((double)vec_similarity(q, f, row) -
                                 exact(&x, row, v)) < 0.008);
        }
        vec_close(f);
        rows_drop(&x);
    }
    arena_close(a);
}

static void a_query_of_nothing_is_equally_near_to_all(void **state)
{
    struct rows x = rows_make(60, 40, 4);
    struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);
    struct vec_place *places = places_of(f, 0);
    struct vec_rows_of in = {places, NULL, 60, 0};
    struct arena *a = arena_open();

    for (int i = 0; i < 2; i++) {
        float v[40] = {0};
        struct top *top = top_open(a, 5);
        const struct vec_query *q;
        struct top_hit *hits;

        v[7] = i == 0 ? 0 : NAN;
        q = vec_query_open(v, 40, a);
        vec_search(q, &f, &in, 1, 60, top, a);
        vec_scan(q, &f, &in, top);
        assert_int_equal(top_take(top, &hits), 5);
        for (uint32_t k = 0; k < 5; k++)
            assert_true(hits[k].score == 0 && hits[k].row == k / 2);
    }
    mem_free(places);
    vec_close(f);
    arena_close(a);
    rows_drop(&x);
}

/* The oracle of the oracle: all similarities, sorted. */
static int hit_cmp(const void *a, const void *b)
{
    const struct top_hit *x = a, *y = b;

    if (x->score < y->score || x->score > y->score)
        return x->score > y->score ? -1 : 1;
    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

static void same_hits(const struct top_hit *a, const struct top_hit *b,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(a[i].score == b[i].score);
        assert_int_equal(a[i].segment, b[i].segment);
        assert_int_equal(a[i].row, b[i].row);
    }
}

/* Two segments over three files, rows anywhere, some without a vector, some
 * dead, many twice (so that scores tie). */
static void a_scan_is_all_similarities_sorted(void **state)
{
    enum { ROWS = 1500, K = 40 };
    struct arena *a = arena_open();
    struct vec_file *f[3];
    struct rows x[3];
    struct vec_rows_of in[2];
    struct rng r = rng_seeded(8);
    struct top_hit *all = ARENA_ARRAY(a, struct top_hit, 2 * ROWS), *hits;

    for (uint32_t i = 0; i < 3; i++) {
        x[i] = rows_make(200, 100, 20 + i);
        f[i] = write_open(scratch_path(state, "a.vec"), &x[i]);
    }
    for (uint32_t s = 0; s < 2; s++) {
        struct vec_place *p = ARENA_ARRAY(a, struct vec_place, ROWS);
        _Atomic uint64_t *live =
            ARENA_ARRAY(a, _Atomic uint64_t, ROWS / 64 + 1);

        for (size_t i = 0; i < ROWS; i++) {
            p[i] = (struct vec_place){(uint32_t)rng_below(&r, 3),
                                      (uint32_t)rng_below(&r, 200)};
            if (rng_below(&r, 5) == 0)
                p[i].file = VEC_NONE;
        }
        for (size_t i = 0; i < ROWS / 64 + 1; i++)
            live[i] = i % 5 == 0 ? 0 : rng_next(&r) | rng_next(&r);
        in[s] = (struct vec_rows_of){p, s == 0 ? live : NULL, ROWS, 9 - s};
    }
    for (size_t i = 0; i < 20; i++) {
        const struct vec_query *q =
            vec_query_open(x[i % 3].v + i * 100, 100, a);
        struct top *top = top_open(a, K);
        size_t n = 0;

        for (uint32_t s = 0; s < 2; s++) {
            float *scores = ARENA_ARRAY(a, float, ROWS);

            vec_scores(q, f, in[s].places, ROWS, scores);
            for (uint32_t row = 0; row < ROWS; row++) {
                struct vec_place p = in[s].places[row];

                if (p.file == VEC_NONE) {
                    assert_true(scores[row] == 0);
                    continue;
                }
                assert_true(scores[row] == vec_similarity(q, f[p.file], p.row));
                if (in[s].live == NULL ||
                    (in[s].live[row / 64] >> row % 64 & 1) != 0)
                    all[n++] =
                        (struct top_hit){scores[row], in[s].segment, row};
            }
        }
        qsort(all, n, sizeof *all, hit_cmp);
        for (uint32_t s = 0; s < 2; s++)
            vec_scan(q, f, &in[s], top);
        assert_int_equal(top_take(top, &hits), K);
        same_hits(hits, all, K);
        /* With room for all of them the estimates decide nothing. */
        top = top_open(a, K);
        vec_search(q, f, in, 2, 2 * ROWS, top, a);
        assert_int_equal(top_take(top, &hits), K);
        same_hits(hits, all, K);
    }
    for (uint32_t i = 0; i < 3; i++) {
        vec_close(f[i]);
        rows_drop(&x[i]);
    }
    arena_close(a);
}

/* Places in runs of one file, holes in some; filters of full, empty and mixed
 * words. */
static struct vec_rows_of segment_make(struct rng *r, uint32_t rows,
                                       struct arena *a)
{
    struct vec_place *p = ARENA_ARRAY(a, struct vec_place, rows);
    _Atomic uint64_t *live = ARENA_ARRAY(a, _Atomic uint64_t, rows / 64 + 1);
    uint32_t file = 0;

    for (uint32_t i = 0; i < rows; i++) {
        if (rng_below(r, 150) == 0)
            file = (uint32_t)rng_below(r, 3);
        p[i] = (struct vec_place){rng_below(r, 100) == 0 ? VEC_NONE : file, i};
    }
    for (uint32_t i = 0; i <= rows / 64; i++)
        live[i] = rng_below(r, 3) == 0   ? UINT64_MAX
                  : rng_below(r, 3) == 0 ? 0
                                         : ~(rng_next(r) & rng_next(r));
    return (struct vec_rows_of){p, rng_below(r, 4) == 0 ? NULL : live, rows, 0};
}

static bool may_be_found(const struct vec_rows_of *in, uint32_t row)
{
    return in->places[row].file != VEC_NONE &&
           (in->live == NULL || (in->live[row / 64] >> row % 64 & 1) != 0);
}

/* Whatever is full or mixed: each row once, in order, by files. */
static void batches_are_the_rows_one_by_one(void **state)
{
    struct rng r = rng_seeded(12);
    struct arena *a = arena_open();

    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        struct vec_rows_of in =
            segment_make(&r, (uint32_t)rng_below(&r, 1500), a);
        struct batch b;
        uint32_t at = 0, row = 0, last = VEC_NONE;
        size_t room = 0;

        while (batch_next(&in, &at, &b)) {
            assert_true(b.n > 0 && b.n <= BATCH_ROWS);
            /* The one before was full or of another file. */
            assert_true(room == 0 || b.file != last);
            for (size_t i = 0; i < b.n; i++, row++) {
                while (!may_be_found(&in, row))
                    row++;
                assert_int_equal(b.at[i], row);
                assert_int_equal(b.rows[i], in.places[row].row);
                assert_int_equal(b.file, in.places[row].file);
            }
            room = BATCH_ROWS - b.n;
            last = b.file;
        }
        for (; row < in.rows; row++)
            assert_false(may_be_found(&in, row));
    }
    arena_close(a);
}

/* The floor asked of many at a time passes none over, of equal ones either. */
static void batches_put_what_a_row_at_a_time_would(void **state)
{
    struct rng r = rng_seeded(13);
    struct arena *a = arena_open();

    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t k = 1 + (uint32_t)rng_below(&r, 30);
        struct top *top[2] = {top_open(a, k), top_open(a, k)};
        struct top_hit *hits[2];
        size_t n;

        for (uint32_t s = 0; s < 4; s++) {
            struct batch b = {.n = 1 + rng_below(&r, BATCH_ROWS)};
            float scores[BATCH_ROWS];

            for (uint32_t i = 0; i < b.n; i++) {
                b.at[i] = i;
                scores[i] = (float)rng_below(&r, 5 + 100 * (round % 3));
                top_put(top[0], (struct top_hit){scores[i], 5 - s, i});
            }
            batch_put(&b, scores, 5 - s, top[1]);
        }
        n = top_take(top[0], &hits[0]);
        assert_int_equal(top_take(top[1], &hits[1]), n);
        same_hits(hits[0], hits[1], n);
    }
    arena_close(a);
}

/* ---- halves ---- */

/* Whether a row stays among those that may reach floor. */
static bool sieved(const struct vec_query *q, const struct vec_file *f,
                   uint32_t row, float floor)
{
    struct batch b = {.n = 1, .rows = {row}, .at = {7}};

    batch_sieve(&b, q, f, floor);
    assert_true(b.n == 0 || (b.rows[0] == row && b.at[0] == 7));
    return b.n == 1;
}

/* The bound holds for any query, is no bound of everything, and is nearly
 * reached by the query that goes where the halves left the most out. */
static void no_score_passes_the_bound_of_its_halves(void **state)
{
    static const uint32_t DIMS[] = {1, 3, 63, 65, 129, 384, 1024, 4096};
    struct arena *a = arena_open();

    for (size_t d = 0; d < NELEMS(DIMS); d++) {
        uint32_t dims = DIMS[d];
        struct rows x = rows_make(60, dims, 4);
        struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);

        for (uint32_t row = 0; row < 60; row++) {
            float *v = ARENA_ARRAY(a, float, dims);
            const struct vec_query *q;
            float score;

            for (uint32_t i = 0; i < dims; i++)
                v[i] = (float)((f->values[row * f->width + i] + 128) % 16 - 8);
            q = vec_query_open(v, dims, a);
            score = vec_similarity(q, f, row);
            assert_true(sieved(q, f, row, score));
            assert_false(sieved(
                q, f, row,
                score + 1e-4F * (fabsf(score) + f->rests[row] * q->length)));
            for (uint32_t other = 0; other < 60; other += 7) {
                q = vec_query_open(x.v + (size_t)other * dims, dims, a);
                score = vec_similarity(q, f, row);
                assert_true(sieved(q, f, row, score));
                assert_false(sieved(q, f, row, score + 0.5F));
            }
        }
        vec_close(f);
        rows_drop(&x);
    }
    arena_close(a);
}

static const char *const SECTIONS[] = {"VECI", "KEYS", "ORDR", "FANO", "ROWS",
                                       "SCAL", "HALF", "REST", "MEAN", "CODE"};

/* What is another in a copy of a file. */
struct copy {
    const char *gone,
        *cut;   /* sections; "": none; of the cut one half is left */
    float rest; /* the first, where it is no 0 */
};

static void copy_make(const char *from, const char *to, struct copy c)
{
    struct arena *a = arena_open();
    struct seg *s = NULL;
    struct seg_writer *w = NULL;
    struct err e;

    assert_int_equal(seg_open(from, &s, &e), RC_OK);
    assert_int_equal(seg_writer_open(to, &w, &e), RC_OK);
    for (size_t i = 0; i < NELEMS(SECTIONS); i++) {
        str bytes = arena_str(a, seg_find(s, SECTIONS[i]));

        if (strstr(c.gone, SECTIONS[i]) != NULL)
            continue;
        if (strcmp(c.cut, SECTIONS[i]) == 0)
            bytes.n /= 2;
        if (strcmp("REST", SECTIONS[i]) == 0 && !(c.rest == 0))
            memcpy((char *)(uintptr_t)bytes.p, &c.rest, sizeof c.rest);
        assert_int_equal(seg_section(w, SECTIONS[i], &e), RC_OK);
        assert_int_equal(seg_put(w, bytes.p, bytes.n, &e), RC_OK);
    }
    assert_int_equal(seg_writer_end(w, NULL, &e), RC_OK);
    seg_writer_close(w);
    seg_close(s);
    arena_close(a);
}

/* Files of programs before there were halves have none. */
static void a_file_without_halves_is_read_all_the_same(void **state)
{
    enum { ROWS = 2000, DIMS = 70, K = 10 };
    struct rows x = rows_make(ROWS, DIMS, 4);
    char path[512], old_path[512];
    struct vec_file *f[2], *m;
    struct arena *a = arena_open();
    struct err e;
    str all, merged;

    (void)snprintf(path, sizeof path, "%s", scratch_path(state, "a.vec"));
    (void)snprintf(old_path, sizeof old_path, "%s", scratch_path(state, "o"));
    f[0] = write_open(path, &x);
    copy_make(path, old_path, (struct copy){"HALF REST", "", 0});
    assert_int_equal(vec_open(old_path, &MODEL, DIMS, &f[1], &e), RC_OK);
    for (uint32_t i = 0; i < 20; i++) {
        const struct vec_query *q = vec_query_open(x.v + i * DIMS, DIMS, a);
        struct top_hit *hits[2];

        for (uint32_t k = 0; k < 2; k++) {
            struct vec_place *places = places_of(f[k], k);
            struct vec_rows_of in = {places, NULL, ROWS, 0};
            struct top *top = top_open(a, K);

            vec_scan(q, f, &in, top);
            assert_int_equal(top_take(top, &hits[k]), K);
            mem_free(places);
        }
        same_hits(hits[0], hits[1], K);
    }
    /* And a merge gives them what it would have been written with. */
    m = merge_open(scratch_path(state, "m.vec"), &f[1], 1, NULL, NULL, DIMS);
    assert_int_equal(file_read(path, 1 << 22, a, &all, &e), RC_OK);
    assert_int_equal(
        file_read(scratch_path(state, "m.vec"), 1 << 22, a, &merged, &e),
        RC_OK);
    assert_true(str_eq(all, merged));
    vec_close(m);
    vec_close(f[0]);
    vec_close(f[1]);
    arena_close(a);
    rows_drop(&x);
}

static void a_rest_that_is_no_length_is_damage(void **state)
{
    static const struct {
        float rest;
        rc code;
    } CASES[] = {{0.1F, RC_OK},
                 {-0.1F, RC_CORRUPT},
                 {NAN, RC_CORRUPT},
                 {INFINITY, RC_CORRUPT}};
    struct rows x = rows_make(20, 70, 4);
    char path[512];
    const char *other;
    struct vec_file *f;
    struct err e;

    (void)snprintf(path, sizeof path, "%s", scratch_path(state, "a.vec"));
    other = scratch_path(state, "other.vec");
    vec_close(write_open(path, &x));
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        copy_make(path, other, (struct copy){"", "", CASES[i].rest});
        assert_int_equal(vec_open(other, &MODEL, 70, &f, &e), CASES[i].code);
        if (CASES[i].code == RC_OK)
            vec_close(f);
    }
    rows_drop(&x);
}

static void halves_of_another_size_are_damage(void **state)
{
    static const struct {
        const char *gone, *cut;
    } CASES[] = {{"HALF", ""}, {"REST", ""},     {"", "HALF"},
                 {"", "REST"}, {"REST", "HALF"}, {"HALF", "REST"}};
    struct rows x = rows_make(20, 70, 4);
    char path[512];
    const char *bad;
    struct vec_file *f;
    struct err e;

    (void)snprintf(path, sizeof path, "%s", scratch_path(state, "a.vec"));
    bad = scratch_path(state, "bad.vec");
    vec_close(write_open(path, &x));
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        copy_make(path, bad, (struct copy){CASES[i].gone, CASES[i].cut, 0});
        assert_int_equal(vec_open(bad, &MODEL, 70, &f, &e), RC_CORRUPT);
    }
    rows_drop(&x);
}

/* One file in its order, as bases mostly are: the list's floor leaves out most
 * rows by their halves, or few (k), or none (a query of nothing), and some are
 * deleted. Every set of kernels gives the same. */
static void a_scan_by_halves_is_all_similarities_sorted(void **state)
{
    enum { ROWS = 9001 };
    static const uint32_t DIMS[] = {20, 100, 384}, KS[] = {1, 10, 300, 3000};
    const struct vec_kernels *kernels[] = {
        &vec_kernels_scalar, vec_kernels_avx2(), vec_kernels_avx512()};

    for (size_t d = 0; d < NELEMS(DIMS); d++) {
        struct rows x = rows_make(ROWS, DIMS[d], 4);
        struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);
        struct vec_place *places = places_of(f, 0);
        struct arena *a = arena_open();
        struct rng r = rng_seeded(3);
        _Atomic uint64_t *live =
            ARENA_ARRAY(a, _Atomic uint64_t, ROWS / 64 + 1);
        struct top_hit *all = ARENA_ARRAY(a, struct top_hit, ROWS), *hits;
        struct vec_rows_of in = {places, live, ROWS, 3};

        for (size_t i = 0; i <= ROWS / 64; i++)
            live[i] = rng_below(&r, 2) == 0 ? UINT64_MAX : rng_next(&r);
        for (size_t i = 0; i < 3 * NELEMS(KS); i++) {
            float *v = ARENA_ARRAY(a, float, DIMS[d]);
            uint32_t k = KS[i % NELEMS(KS)];
            struct vec_query *q;
            size_t n = 0;

            if (i > 0)
                memcpy(v, x.v + i * DIMS[d], DIMS[d] * sizeof *v);
            q = vec_query_open(v, DIMS[d], a);
            for (uint32_t row = 0; row < ROWS; row++)
                if (may_be_found(&in, row))
                    all[n++] =
                        (struct top_hit){vec_similarity(q, f, row), 3, row};
            qsort(all, n, sizeof *all, hit_cmp);
            for (size_t set = 0; set < NELEMS(kernels); set++) {
                struct top *top = top_open(a, k);

                if (kernels[set] == NULL)
                    continue;
                q->kernels = kernels[set];
                vec_scan(q, &f, &in, top);
                assert_int_equal(top_take(top, &hits), k);
                same_hits(hits, all, k);
            }
        }
        vec_close(f);
        mem_free(places);
        arena_close(a);
        rows_drop(&x);
    }
}

static size_t shared(const struct top_hit *a, size_t a_n,
                     const struct top_hit *b, size_t b_n)
{
    size_t n = 0;

    for (size_t i = 0; i < a_n; i++)
        for (size_t k = 0; k < b_n; k++)
            n += a[i].segment == b[k].segment && a[i].row == b[k].row;
    return n;
}

/* 5,000 rows in one file, 100 queries near rows. */
static void recall_holds_its_floors(void **state)
{
    enum { ROWS = 5000, DIMS = 384, QUERIES = 100, K = 10 };
    struct rows x = rows_make(ROWS, DIMS, 4);
    struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);
    struct vec_place *places = places_of(f, 0);
    struct vec_rows_of in = {places, NULL, ROWS, 0};
    struct arena *a = arena_open();
    struct rng r = rng_seeded(77);
    struct top_hit *all = ARENA_ARRAY(a, struct top_hit, ROWS);
    size_t by_int8 = 0, by_codes = 0;

    for (size_t i = 0; i < QUERIES; i++) {
        float v[DIMS];
        const float *near = x.v + rng_below(&r, ROWS) * DIMS;
        struct top *top = top_open(a, K);
        struct top_hit *int8, *codes;
        const struct vec_query *q;
        size_t n;

        for (uint32_t k = 0; k < DIMS; k++)
            v[k] = near[k] + gauss(&r) * 0.04F;
        unit(v, DIMS);
        for (uint32_t row = 0; row < ROWS; row++)
            all[row] = (struct top_hit){(float)exact(&x, row, v), 0, row};
        qsort(all, ROWS, sizeof *all, hit_cmp);
        q = vec_query_open(v, DIMS, a);
        vec_scan(q, &f, &in, top);
        n = top_take(top, &int8);
        by_int8 += shared(all, K, int8, n);
        top = top_open(a, K);
        vec_search(q, &f, &in, 1, 300, top, a);
        n = top_take(top, &codes);
        by_codes += shared(int8, K, codes, n);
    }
    print_message("of %d: int8 %zu, codes %zu\n", QUERIES * K, by_int8,
                  by_codes);
    assert_true(by_int8 >= 990 * QUERIES * K / 1000);
    assert_true(by_codes >= 990 * QUERIES * K / 1000);
    vec_close(f);
    mem_free(places);
    arena_close(a);
    rows_drop(&x);
}

/* ---- what codes and kernels rest on ---- */

static void the_rotation_keeps_lengths_and_angles(void **state)
{
    static const uint32_t WIDTHS[] = {64, 128, 192, 384, 768, 4096};

    (void)state;
    for (size_t i = 0; i < NELEMS(WIDTHS); i++) {
        uint32_t width = WIDTHS[i];
        struct rows x = rows_make(3, width, 6);
        float *tmp = mem_alloc(width * sizeof *tmp);
        double before = exact(&x, 1, x.v), after;

        for (size_t k = 0; k < 3; k++)
            vec_rotate(x.v + k * width, width, tmp);
        after = exact(&x, 1, x.v);
        assert_true(fabs(before - after) < 1e-5);
        assert_true(fabs(exact(&x, 2, x.v + (size_t)2 * width) - 1) < 1e-5);
        mem_free(tmp);
        rows_drop(&x);
    }
}

/* One coordinate alone is spread over all of them. */
static void the_rotation_spreads(void **state)
{
    float v[384], tmp[384], most = 0;

    (void)state;
    for (size_t i = 0; i < 384; i++) {
        memset(v, 0, sizeof v);
        v[i] = 1;
        vec_rotate(v, 384, tmp);
        for (size_t k = 0; k < 384; k++)
            most = fmaxf(most, fabsf(v[k]));
    }
    assert_true(most < 0.3F); /* of 384 equal ones: 0.05 */
}

/* The mean error of many estimates is near 0, their spread what the paper's
 * bound lets expect: about sqrt((pi/2 - 1) / width) of |r| |q - c|. */
static void estimates_are_not_biased(void **state)
{
    enum { ROWS = 3000, DIMS = 384 };
    struct rows x = rows_make(ROWS, DIMS, 4);
    struct vec_file *f = write_open(scratch_path(state, "a.vec"), &x);
    struct arena *a = arena_open();
    double sum = 0, squares = 0, n = 0;

    for (size_t i = 0; i < 30; i++) {
        const struct vec_query *q = vec_query_open(x.v + i * DIMS, DIMS, a);
        struct code_query c;

        code_query_init(&c, q, f, a);
        for (uint32_t row = 100; row < ROWS; row++) {
            const uint8_t *code = f->codes + row * code_bytes(f->width);
            struct code_terms t;
            uint32_t bits;
            double off;

            memcpy(&t, code + f->width / 8, sizeof t);
            q->kernels->sums(f->codes, f->width, &row, 1, c.planes, &bits);
            off = (double)code_estimate(&c, &t, bits) -
                  (double)vec_similarity(q, f, row);
            sum += off;
            squares += off * off;
            n++;
        }
    }
    print_message("mean error %.5f, spread %.5f\n", sum / n, sqrt(squares / n));
    assert_true(fabs(sum / n) < 0.003);
    assert_true(sqrt(squares / n) < 0.04);
    vec_close(f);
    arena_close(a);
    rows_drop(&x);
}

static void kernels_equal_their_reference(void **state)
{
    static const uint32_t WIDTHS[] = {64, 128, 192, 384, 512, 576, 768, 4096};
    const struct vec_kernels *fast[] = {vec_kernels_avx2(),
                                        vec_kernels_avx512()};
    struct rng r = rng_seeded(5);
    struct arena *a = arena_open();
    size_t pinned = 0;

    (void)state;
    for (size_t i = 0; i < NELEMS(WIDTHS); i++) {
        enum { ROWS = 50 };
        uint32_t width = WIDTHS[i], rows[ROWS], sums[2][ROWS];
        int32_t dots[2][ROWS], halved[2][ROWS];
        size_t planes_n = (size_t)PLANES * width / 64;
        int8_t *values = mem_alloc((size_t)ROWS * width);
        uint8_t *halves = mem_alloc((size_t)ROWS * width / 2);
        uint8_t *codes = mem_alloc((size_t)ROWS * code_bytes(width));
        int16_t *q = mem_alloc(width * sizeof *q);
        uint64_t *planes = mem_alloc(planes_n * sizeof *planes);
        struct vec_ints ints;
        int most = width <= 512 ? INT16_MAX : INT16_MAX * 512 / (int)width;

        for (size_t k = 0; k < (size_t)ROWS * width; k++)
            values[k] = k < width ? (k % 2 == 0 ? 127 : -127)
                                  : (int8_t)(rng_below(&r, 255) - 127);
        for (size_t k = 0; k < (size_t)ROWS * code_bytes(width); k++)
            codes[k] = (uint8_t)(k < width ? 255 : rng_next(&r));
        for (size_t k = 0; k < (size_t)ROWS * width / 2; k++)
            halves[k] = (uint8_t)(k < width ? 255 : rng_next(&r));
        for (size_t k = 0; k < width; k++)
            q[k] = (int16_t)(k % 2 == 0 ? most : -most);
        for (size_t k = 0; k < planes_n; k++)
            planes[k] = i % 2 == 0 ? UINT64_MAX : rng_next(&r);
        /* Some follow each other, some lie anywhere. */
        for (size_t k = 0; k < ROWS; k++)
            rows[k] = k < 17 ? (uint32_t)k : (uint32_t)rng_below(&r, ROWS);
        ints_init(&ints, q, width, a);
        for (size_t n = 1; n <= ROWS; n += n < 10 ? 1 : 8) {
            vec_kernels_scalar.dots(values, width, rows, n, &ints, dots[0]);
            vec_kernels_scalar.halves(halves, width, rows, n, &ints, halved[0]);
            vec_kernels_scalar.sums(codes, width, rows, n, planes, sums[0]);
            for (size_t k = 0; k < NELEMS(fast); k++) {
                if (fast[k] == NULL)
                    continue;
                memset(dots[1], 0xaa, sizeof dots[1]);
                memset(halved[1], 0xaa, sizeof halved[1]);
                memset(sums[1], 0xaa, sizeof sums[1]);
                fast[k]->dots(values, width, rows, n, &ints, dots[1]);
                fast[k]->halves(halves, width, rows, n, &ints, halved[1]);
                fast[k]->sums(codes, width, rows, n, planes, sums[1]);
                assert_memory_equal(dots[0], dots[1], n * sizeof *dots[0]);
                assert_memory_equal(halved[0], halved[1],
                                    n * sizeof *halved[0]);
                assert_memory_equal(sums[0], sums[1], n * sizeof *sums[0]);
                assert_true(n == ROWS || (halved[1][n] == (int32_t)0xaaaaaaaa &&
                                          dots[1][n] == (int32_t)0xaaaaaaaa &&
                                          sums[1][n] == 0xaaaaaaaa));
                pinned++;
            }
        }
        mem_free(values);
        mem_free(halves);
        mem_free(codes);
        mem_free(q);
        mem_free(planes);
    }
    arena_close(a);
    if (pinned == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_found_by_its_key),
        cmocka_unit_test(of_equal_keys_the_first_row_stays),
        cmocka_unit_test(another_model_or_size_is_refused),
        cmocka_unit_test(what_is_no_vector_is_not_written),
        cmocka_unit_test(damage_is_seen_at_open),
        cmocka_unit_test(a_disk_that_fails_leaves_nothing),
        cmocka_unit_test(a_merge_keeps_rows_to_the_byte),
        cmocka_unit_test(a_merge_is_what_writing_it_all_would_be),
        cmocka_unit_test(of_two_files_the_later_has_the_row),
        cmocka_unit_test(a_merge_of_nothing_is_an_empty_file),
        cmocka_unit_test(a_merge_nobody_waits_for_ends),
        cmocka_unit_test(files_of_two_models_are_not_merged),
        cmocka_unit_test(similarity_is_near_the_inner_product),
        cmocka_unit_test(a_query_of_nothing_is_equally_near_to_all),
        cmocka_unit_test(a_scan_is_all_similarities_sorted),
        cmocka_unit_test(batches_are_the_rows_one_by_one),
        cmocka_unit_test(batches_put_what_a_row_at_a_time_would),
        cmocka_unit_test(no_score_passes_the_bound_of_its_halves),
        cmocka_unit_test(a_file_without_halves_is_read_all_the_same),
        cmocka_unit_test(halves_of_another_size_are_damage),
        cmocka_unit_test(a_rest_that_is_no_length_is_damage),
        cmocka_unit_test(a_scan_by_halves_is_all_similarities_sorted),
        cmocka_unit_test(recall_holds_its_floors),
        cmocka_unit_test(the_rotation_keeps_lengths_and_angles),
        cmocka_unit_test(the_rotation_spreads),
        cmocka_unit_test(estimates_are_not_biased),
        cmocka_unit_test(kernels_equal_their_reference),
    };

    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
