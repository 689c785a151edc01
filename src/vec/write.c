#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vec/vec_priv.h"

/*
 * Two ways to come by rows, one way to write them. Rows stand in the file in
 * the order they came in, so that what was embedded together is read together;
 * keys find them through an order of their own. Each section is one pass over
 * the rows, which are never held: of a row only key and place are kept.
 */
#define READ_BYTES ((size_t)16 << 20) /* read from files before pages go back */

struct int8_row {
    const int8_t *values; /* [width]; good until the next row is asked for */
    float scale;
};

struct source {
    uint32_t dims, width;
    const struct vec_key *keys; /* [n]: of the rows that may be written */
    size_t n;
    struct int8_row (*row)(struct source *s, size_t i);
    const float *floats; /* [n, dims], or */
    struct vec_file *const *files;
    const struct vec_place *places; /* [n] */
    int8_t *scratch;                /* [width] */
    const atomic_bool *cancel;      /* NULL: can't be */
};

/* ---- which rows, and their order by key ---- */

struct plan {
    uint32_t n;
    uint32_t *from;  /* [n]: of the source */
    uint32_t *order; /* [n]: rows of the file by ascending key */
};

struct by_key {
    uint64_t head;
    uint32_t i;
};

static int by_key_cmp(const void *a, const void *b, void *keys)
{
    const struct by_key *x = a, *y = b;
    const struct vec_key *k = keys;
    int side;

    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    side = memcmp(&k[x->i], &k[y->i], sizeof *k);
    return side != 0 ? side : (x->i > y->i) - (x->i < y->i);
}

/* Keeps the first of equal keys; number[i] is then the row in the file. */
static void plan_fill(struct plan *p, const struct source *s,
                      struct by_key *sorted, uint32_t *number)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++)
        sorted[i] = (struct by_key){key_head(&s->keys[i]), (uint32_t)i};
    qsort_r(sorted, s->n, sizeof *sorted, by_key_cmp, mem_unconst(s->keys));
    for (size_t i = 0; i < s->n; i++) {
        bool again =
            kept > 0 && memcmp(&s->keys[sorted[kept - 1].i],
                               &s->keys[sorted[i].i], sizeof *s->keys) == 0;

        number[sorted[i].i] = !again;
        if (!again)
            sorted[kept++] = sorted[i];
    }
    for (size_t i = 0; i < s->n; i++)
        if (number[i]) {
            number[i] = p->n;
            p->from[p->n++] = (uint32_t)i;
        }
    for (size_t i = 0; i < kept; i++)
        p->order[i] = number[sorted[i].i];
}

static void plan_close(struct plan *p)
{
    mem_free(p->from);
    mem_free(p->order);
}

static rc plan_make(struct plan *p, const struct source *s, struct err *e)
{
    struct by_key *sorted = mem_try(s->n * sizeof *sorted + 1);
    uint32_t *number = mem_try(s->n * sizeof *number + 1);
    rc code = RC_OK;

    *p = (struct plan){.from = mem_try(s->n * sizeof *p->from + 1),
                       .order = mem_try(s->n * sizeof *p->order + 1)};
    if (sorted == NULL || number == NULL || p->from == NULL || p->order == NULL)
        code = err_set(e, RC_NOMEM, "no memory for %zu keys", s->n);
    else
        plan_fill(p, s, sorted, number);
    mem_free(sorted);
    mem_free(number);
    return code;
}

/* ---- sections ---- */

static rc put_info(struct seg_writer *w, const struct source *s,
                   const struct plan *p, const sha256 *identity, struct err *e)
{
    struct vec_info info = {.version = VEC_VERSION,
                            .dims = s->dims,
                            .rows = p->n,
                            .identity = *identity};
    rc code = seg_section(w, "VECI", e);

    return code == RC_OK ? seg_put(w, &info, sizeof info, e) : code;
}

static rc put_keys(struct seg_writer *w, const struct source *s,
                   const struct plan *p, struct err *e)
{
    unsigned bits = fan_bits_of(p->n);
    uint32_t at = 0;
    rc code = seg_section(w, "KEYS", e);

    for (uint32_t i = 0; i < p->n && code == RC_OK; i++)
        code = seg_put(w, &s->keys[p->from[i]], sizeof *s->keys, e);
    if (code == RC_OK)
        code = seg_section(w, "ORDR", e);
    if (code == RC_OK)
        code = seg_put(w, p->order, p->n * sizeof *p->order, e);
    if (code == RC_OK)
        code = seg_section(w, "FANO", e);
    for (uint32_t bucket = 0; bucket <= (uint32_t)1 << bits && code == RC_OK;
         bucket++) {
        while (at < p->n &&
               fan_of(key_head(&s->keys[p->from[p->order[at]]]), bits) < bucket)
            at++;
        code = seg_put(w, &at, sizeof at, e);
    }
    return code;
}

static rc put_rows(struct seg_writer *w, struct source *s, const struct plan *p,
                   struct err *e)
{
    float *scales = mem_try(p->n * sizeof *scales + 1);
    rc code;

    if (scales == NULL)
        return err_set(e, RC_NOMEM, "no memory for %u scales", (unsigned)p->n);
    code = seg_section(w, "ROWS", e);
    for (uint32_t i = 0; i < p->n && code == RC_OK; i++) {
        struct int8_row row = s->row(s, p->from[i]);

        scales[i] = row.scale;
        code = seg_put(w, row.values, s->width, e);
    }
    if (code == RC_OK)
        code = seg_section(w, "SCAL", e);
    if (code == RC_OK)
        code = seg_put(w, scales, p->n * sizeof *scales, e);
    mem_free(scales);
    return code;
}

static rc put_halves(struct seg_writer *w, struct source *s,
                     const struct plan *p, struct err *e)
{
    float *rests = mem_try(p->n * sizeof *rests + 1);
    uint8_t *halves = mem_alloc(s->width / 2);
    rc code;

    if (rests == NULL) {
        mem_free(halves);
        return err_set(e, RC_NOMEM, "no memory for %u lengths", (unsigned)p->n);
    }
    code = seg_section(w, "HALF", e);
    for (uint32_t i = 0; i < p->n && code == RC_OK; i++) {
        struct int8_row row = s->row(s, p->from[i]);

        rests[i] =
            fabsf(row.scale) * halves_of(row.values, s->dims, s->width, halves);
        code = seg_put(w, halves, s->width / 2, e);
    }
    if (code == RC_OK)
        code = seg_section(w, "REST", e);
    if (code == RC_OK)
        code = seg_put(w, rests, p->n * sizeof *rests, e);
    mem_free(rests);
    mem_free(halves);
    return code;
}

/* Codes are made of the int8 form, so that a merge makes those anew from what
 * it has. mean, v, tmp: [width]. */
static rc put_codes(struct seg_writer *w, struct source *s,
                    const struct plan *p, float *mean, struct err *e)
{
    float *v = mem_alloc(s->width * sizeof *v);
    float *tmp = mem_alloc(s->width * sizeof *tmp);
    uint8_t *record = mem_alloc(code_bytes(s->width));
    rc code = seg_section(w, "MEAN", e);

    if (code == RC_OK)
        code = seg_put(w, mean, s->width * sizeof *mean, e);
    if (code == RC_OK)
        code = seg_section(w, "CODE", e);
    for (uint32_t i = 0; i < p->n && code == RC_OK; i++) {
        struct int8_row row = s->row(s, p->from[i]);

        for (uint32_t k = 0; k < s->width; k++)
            v[k] = row.scale * (float)row.values[k];
        vec_rotate(v, s->width, tmp);
        vec_encode(v, mean, s->width, record);
        code = seg_put(w, record, code_bytes(s->width), e);
    }
    mem_free(v);
    mem_free(tmp);
    mem_free(record);
    return code;
}

/* Rotated. */
static void mean_of(struct source *s, const struct plan *p, float *mean)
{
    double *sums = mem_alloc(s->width * sizeof *sums);
    float *tmp = mem_alloc(s->width * sizeof *tmp);

    for (uint32_t i = 0; i < p->n; i++) {
        struct int8_row row = s->row(s, p->from[i]);

        for (uint32_t k = 0; k < s->width; k++)
            sums[k] += (double)(row.scale * (float)row.values[k]);
    }
    for (uint32_t k = 0; k < s->width && p->n > 0; k++)
        mean[k] = (float)(sums[k] / p->n);
    vec_rotate(mean, s->width, tmp);
    mem_free(sums);
    mem_free(tmp);
}

static rc write_sections(struct seg_writer *w, struct source *s,
                         const struct plan *p, const sha256 *identity,
                         struct err *e)
{
    float *mean = mem_alloc(s->width * sizeof *mean);
    rc code = put_info(w, s, p, identity, e);

    if (code == RC_OK)
        code = put_keys(w, s, p, e);
    if (code == RC_OK)
        code = put_rows(w, s, p, e);
    if (code == RC_OK)
        code = put_halves(w, s, p, e);
    if (code == RC_OK) {
        mean_of(s, p, mean);
        code = put_codes(w, s, p, mean, e);
    }
    mem_free(mean);
    return code;
}

static rc write_file(const char *path, struct source *s, const sha256 *identity,
                     struct err *e)
{
    struct plan p;
    struct seg_writer *w = NULL;
    rc code = plan_make(&p, s, e);

    if (code == RC_OK)
        code = seg_writer_open(path, &w, e);
    if (code == RC_OK && s->cancel != NULL)
        seg_writer_cancel_on(w, s->cancel);
    if (code == RC_OK)
        code = write_sections(w, s, &p, identity, e);
    if (code == RC_OK)
        code = seg_writer_end(w, NULL, e);
    seg_writer_close(w);
    plan_close(&p);
    return code;
}

/* ---- of floats ---- */

/* By its own largest. The same each time it is asked for. */
static struct int8_row row_of_floats(struct source *s, size_t i)
{
    /* Added and taken away it rounds to the nearest, without a call. */
    const float rounds = 0x1.8p23F;
    const float *x = s->floats + i * s->dims;
    float max = 0, factor;

    for (uint32_t k = 0; k < s->dims; k++)
        max = fabsf(x[k]) > max ? fabsf(x[k]) : max;
    factor = max > 0 ? 127 / max : 0;
    for (uint32_t k = 0; k < s->dims; k++)
        s->scratch[k] = (int8_t)(x[k] * factor + rounds - rounds);
    return (struct int8_row){s->scratch, max / 127};
}

static rc floats_check(const float *rows, size_t n, uint32_t dims,
                       struct err *e)
{
    if (n > VEC_ROWS_MAX)
        return err_set(e, RC_LIMIT, "%zu vectors, limit %u", n,
                       (unsigned)VEC_ROWS_MAX);
    for (size_t i = 0; i < n * dims; i++)
        if (!(fabsf(rows[i]) <= VEC_VALUE_MAX))
            return err_set(e, RC_INVALID, "vector %zu is not of unit length",
                           i / dims);
    return RC_OK;
}

rc vec_write(const char *path, const sha256 *identity, uint32_t dims,
             const struct vec_key *keys, const float *rows, size_t n,
             struct err *e)
{
    struct source s = {.dims = dims,
                       .width = padded(dims),
                       .keys = keys,
                       .n = n,
                       .row = row_of_floats,
                       .floats = rows};
    rc code;

    ASSERT(dims > 0 && dims <= VEC_DIMS_MAX);
    code = floats_check(rows, n, dims, e);
    if (code != RC_OK)
        return code;
    s.scratch = mem_alloc(s.width);
    code = write_file(path, &s, identity, e);
    mem_free(s.scratch);
    return code;
}

/* ---- of files ---- */

static struct int8_row row_of_files(struct source *s, size_t i)
{
    struct vec_place at = s->places[i];
    const struct vec_file *f = s->files[at.file];

    if (i % (READ_BYTES / s->width) == 0)
        seg_rest(f->seg);
    return (struct int8_row){f->values + (size_t)at.row * f->width,
                             f->scales[at.row]};
}

struct chosen {
    struct vec_key *keys;
    struct vec_place *places;
    size_t n;
};

/* A later file that has the key too has the row. */
static bool superseded(struct vec_file *const *files, size_t n, size_t file,
                       const struct vec_key *key)
{
    uint32_t row;

    for (size_t i = file + 1; i < n; i++)
        if (vec_find(files[i], key, &row))
            return true;
    return false;
}

static void choose(struct chosen *c, struct vec_file *const *files, size_t n,
                   vec_keep *keep, void *arg)
{
    for (size_t file = 0; file < n; file++)
        for (uint32_t row = 0; row < files[file]->rows; row++) {
            const struct vec_key *key = &files[file]->keys[row];

            if ((keep != NULL && !keep(arg, key)) ||
                superseded(files, n, file, key))
                continue;
            c->keys[c->n] = *key;
            c->places[c->n++] = (struct vec_place){(uint32_t)file, row};
        }
}

static rc files_check(struct vec_file *const *files, size_t n, size_t *rows,
                      struct err *e)
{
    *rows = 0;
    for (size_t i = 0; i < n; i++) {
        *rows += files[i]->rows;
        if (files[i]->dims != files[0]->dims ||
            memcmp(files[i]->identity, files[0]->identity, 32) != 0)
            return err_set(e, RC_INVALID, "vectors of two models");
    }
    return RC_OK;
}

rc vec_merge(const char *path, struct vec_file *const *files, size_t n,
             struct vec_merge_opts o, struct err *e)
{
    struct chosen c = {0};
    struct source s;
    size_t rows;
    rc code;

    ASSERT(n > 0);
    code = files_check(files, n, &rows, e);
    if (code != RC_OK)
        return code;
    c.keys = mem_try(rows * sizeof *c.keys + 1);
    c.places = mem_try(rows * sizeof *c.places + 1);
    if (c.keys == NULL || c.places == NULL) {
        code = err_set(e, RC_NOMEM, "no memory for %zu keys", rows);
        goto done;
    }
    choose(&c, files, n, o.keep, o.arg);
    if (c.n > VEC_ROWS_MAX) {
        code = err_set(e, RC_LIMIT, "%zu vectors, limit %u", c.n,
                       (unsigned)VEC_ROWS_MAX);
        goto done;
    }
    s = (struct source){.dims = files[0]->dims,
                        .width = files[0]->width,
                        .keys = c.keys,
                        .n = c.n,
                        .row = row_of_files,
                        .files = files,
                        .places = c.places,
                        .cancel = o.cancel};
    code = write_file(path, &s, files[0]->identity, e);
done:
    mem_free(c.keys);
    mem_free(c.places);
    return code;
}
