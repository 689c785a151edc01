/*
 * vec_driver: knowd's side of bench/vectors.py, which asks it line by line.
 *
 *   vec_driver ROWS.f32 QUERIES.f32 DIMS FOLDER
 *
 *   rows N FLOATS      N rows drawn between pairs of the given ones (0: those)
 *                      into one file, by a merge past 100,000; the rows as
 *                      floats into FLOATS ("-": nowhere)
 *   order file|any     how the caller's rows lie in the file
 *   kernels NAME       from now on; answers which
 *   scan K FROM N      N queries from FROM on; answers the microseconds each
 *   search K RESCORED FROM N
 *                      took, and a line of the rows of each
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "vec/vec_priv.h"

#define PART_ROWS 100000
#define PARTS_MAX 64

struct driver {
    uint32_t dims;
    const float *rows, *queries;
    size_t rows_n, queries_n;
    const char *folder;
    const struct vec_kernels *kernels;
    struct vec_file *file;
    struct vec_place *places;
    struct arena *scratch;
};

static const sha256 MODEL = {{1}};

static void must(rc code, const struct err *e)
{
    if (code == RC_OK)
        return;
    fprintf(stderr, "vec_driver: %s\n", e->text);
    exit(1);
}

static double seconds_since(int64_t from)
{
    return (double)(clock_mono_ns() - from) / 1e9;
}

static const float *floats_map(const char *path, uint32_t dims, size_t *n)
{
    struct file_map m;
    struct err e;

    must(file_map(path, &m, &e), &e);
    *n = m.n / sizeof(float) / dims;
    return (const void *)m.p;
}

/* Nearer to one of the two. */
static void between(const struct driver *d, struct rng *r, float *to)
{
    const float *x = d->rows + rng_below(r, d->rows_n) * d->dims;
    const float *y = d->rows + rng_below(r, d->rows_n) * d->dims;
    float part = 0.5F * (float)rng_below(r, 1000) / 1000;
    double squares = 0;

    for (uint32_t i = 0; i < d->dims; i++) {
        to[i] = (1 - part) * x[i] + part * y[i];
        squares += (double)to[i] * (double)to[i];
    }
    for (uint32_t i = 0; i < d->dims; i++)
        to[i] = (float)((double)to[i] / sqrt(squares));
}

struct made {
    char paths[PARTS_MAX][256];
    struct vec_file *files[PARTS_MAX];
    size_t n;
    double write_s;
};

static void part_make(const struct driver *d, size_t rows, struct rng *r,
                      FILE *floats, struct made *made)
{
    float *v = mem_alloc((rows == 0 ? 1 : rows) * d->dims * sizeof *v);
    size_t n = rows == 0 ? d->rows_n : rows;
    struct vec_key *keys = mem_alloc(n * sizeof *keys);
    char *path = made->paths[made->n];
    struct err e;
    int64_t start;

    for (size_t i = 0; i < rows; i++)
        between(d, r, v + i * d->dims);
    for (size_t i = 0; i < n; i++) {
        uint64_t key[2] = {rng_next(r), rng_next(r)};

        memcpy(keys[i].b, key, sizeof key);
    }
    if (floats != NULL)
        (void)!fwrite(rows == 0 ? d->rows : v, sizeof *v, n * d->dims, floats);
    (void)snprintf(path, sizeof made->paths[0], "%s/%zu.vec", d->folder,
                   made->n);
    start = clock_mono_ns();
    must(vec_write(path, &MODEL, d->dims, keys, rows == 0 ? d->rows : v, n, &e),
         &e);
    made->write_s += seconds_since(start);
    must(vec_open(path, &MODEL, d->dims, &made->files[made->n], &e), &e);
    made->n++;
    mem_free(v);
    mem_free(keys);
}

static void rows_make(struct driver *d, size_t rows, const char *floats_path)
{
    struct rng r = rng_seeded(1);
    struct made *made = mem_alloc(sizeof *made);
    FILE *floats =
        strcmp(floats_path, "-") == 0 ? NULL : fopen(floats_path, "wb");
    char merged[256];
    const char *path = made->paths[0];
    struct err e;
    int64_t start;
    double merge_s;

    vec_close(d->file);
    for (size_t at = 0; at < rows || made->n == 0; at += PART_ROWS)
        part_make(d, rows - at < PART_ROWS ? rows - at : PART_ROWS, &r, floats,
                  made);
    if (floats != NULL)
        (void)fclose(floats);
    start = clock_mono_ns();
    if (made->n > 1) {
        (void)snprintf(merged, sizeof merged, "%s/merged.vec", d->folder);
        must(vec_merge(merged, made->files, made->n, (struct vec_merge_opts){0},
                       &e),
             &e);
        path = merged;
    }
    merge_s = seconds_since(start);
    for (size_t i = 0; i < made->n; i++)
        vec_close(made->files[i]);
    start = clock_mono_ns();
    must(vec_open(path, &MODEL, d->dims, &d->file, &e), &e);
    (void)printf("%u %.3f %.3f %.4f %llu\n", (unsigned)vec_rows(d->file),
                 made->write_s, merge_s, seconds_since(start),
                 (unsigned long long)vec_bytes(d->file));
    mem_free(made);
}

static void order_make(struct driver *d, bool any)
{
    uint32_t n = vec_rows(d->file);
    struct rng r = rng_seeded(2);

    mem_free(d->places);
    d->places = mem_alloc(n * sizeof *d->places);
    for (uint32_t i = 0; i < n; i++)
        d->places[i] = (struct vec_place){0, i};
    for (uint32_t i = n; any && i > 1; i--) {
        size_t k = (size_t)rng_below(&r, i);
        struct vec_place p = d->places[k];

        d->places[k] = d->places[i - 1];
        d->places[i - 1] = p;
    }
    (void)printf("ok\n");
}

static void ask(struct driver *d, uint32_t k, uint32_t rescored, size_t from,
                size_t n)
{
    struct arena_mark mark = arena_mark(d->scratch);
    struct vec_rows_of in = {d->places, NULL, vec_rows(d->file), 0};
    uint32_t *found = ARENA_ARRAY(d->scratch, uint32_t, n * k);
    size_t *found_n = ARENA_ARRAY(d->scratch, size_t, n);
    int64_t start = clock_mono_ns();
    double us;

    for (size_t i = 0; i < n; i++) {
        struct arena_mark one = arena_mark(d->scratch);
        const float *v = d->queries + (from + i) % d->queries_n * d->dims;
        struct vec_query *q = vec_query_open(v, d->dims, d->scratch);
        struct top *top = top_open(d->scratch, k);
        struct top_hit *hits;

        q->kernels = d->kernels;
        if (rescored == 0)
            vec_scan(q, &d->file, &in, top);
        else
            vec_search(q, &d->file, &in, 1, rescored, top, d->scratch);
        found_n[i] = top_take(top, &hits);
        for (size_t h = 0; h < found_n[i]; h++)
            found[i * k + h] = d->places[hits[h].row].row;
        arena_rewind(d->scratch, one);
    }
    us = seconds_since(start) * 1e6 / (double)n;
    (void)printf("%.2f\n", us);
    for (size_t i = 0; i < n; i++) {
        for (size_t h = 0; h < found_n[i]; h++)
            (void)printf("%u ", (unsigned)found[i * k + h]);
        (void)printf("\n");
    }
    arena_rewind(d->scratch, mark);
}

static void kernels_set(struct driver *d, const char *name)
{
    const struct vec_kernels *all[] = {&vec_kernels_scalar, vec_kernels_avx2(),
                                       vec_kernels_avx512()};

    for (size_t i = 0; i < NELEMS(all); i++)
        if (all[i] != NULL && strcmp(all[i]->name, name) == 0) {
            d->kernels = all[i];
            (void)printf("%s\n", name);
            return;
        }
    (void)printf("%s\n", d->kernels->name);
}

static void command(struct driver *d, const char *line)
{
    char name[512];
    size_t a, b, c, k;

    if (sscanf(line, "rows %zu %511s", &a, name) == 2)
        rows_make(d, a, name);
    else if (sscanf(line, "order %511s", name) == 1)
        order_make(d, strcmp(name, "any") == 0);
    else if (sscanf(line, "kernels %511s", name) == 1)
        kernels_set(d, name);
    else if (sscanf(line, "scan %zu %zu %zu", &k, &a, &b) == 3)
        ask(d, (uint32_t)k, 0, a, b);
    else if (sscanf(line, "search %zu %zu %zu %zu", &k, &c, &a, &b) == 4)
        ask(d, (uint32_t)k, (uint32_t)c, a, b);
    else
        (void)printf("what?\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct driver d = {.kernels = vec_kernels_pick(), .scratch = arena_open()};
    char line[1024];

    if (argc != 5)
        return 2;
    d.dims = (uint32_t)strtoul(argv[3], NULL, 10);
    d.rows = floats_map(argv[1], d.dims, &d.rows_n);
    d.queries = floats_map(argv[2], d.dims, &d.queries_n);
    d.folder = argv[4];
    while (fgets(line, sizeof line, stdin) != NULL)
        command(&d, line);
    return 0;
}
