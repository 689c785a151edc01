#include <math.h>

#include "vec/vec_priv.h"

/* Of unit length a query could take all of int16 up to 516 dimensions; past
 * that it takes less, so that no sum with a row passes int32 (Cauchy and
 * Schwarz; a row's length is at most 128 sqrt(width)). */
#define DOT_MAX 2.1e9

static float values_of(const float *vector, uint32_t dims, uint32_t width,
                       int16_t *values)
{
    double squares = 0, factor, max = 0;

    for (uint32_t i = 0; i < dims; i++) {
        double x = (double)vector[i];

        if (!isfinite(x))
            return 0;
        squares += x * x;
        max = fmax(max, fabs(x));
    }
    if (max <= 0)
        return 0;
    factor = fmin(INT16_MAX / max,
                  DOT_MAX / (128 * sqrt((double)width) * sqrt(squares)));
    for (uint32_t i = 0; i < dims; i++)
        values[i] = (int16_t)lrint((double)vector[i] * factor);
    return (float)(1 / factor);
}

/* Begins at a line of the cache: what is read for each row should not lie
 * across two of them. */
static void *lines_alloc(struct arena *out, size_t bytes)
{
    uint8_t *p = ARENA_ARRAY(out, uint8_t, bytes + 63);

    return p + (-(uintptr_t)p & 63);
}

void ints_init(struct vec_ints *q, const int16_t *values, uint32_t width,
               struct arena *out)
{
    int8_t *high = lines_alloc(out, width);
    uint8_t *low = lines_alloc(out, width);

    *q = (struct vec_ints){.values = values, .high = high, .low = low};
    for (uint32_t i = 0; i < width; i++) {
        low[i] = (uint8_t)(values[i] & 255);
        high[i] = (int8_t)((values[i] - low[i]) / 256);
        q->high_sum += high[i];
        q->sum += values[i];
    }
}

/* Of numbers whose squares' sum a double holds exactly. */
static double length_of(const int16_t *values, uint32_t width)
{
    double squares = 0;

    for (uint32_t i = 0; i < width; i++)
        squares += (double)values[i] * (double)values[i];
    return sqrt(squares);
}

struct vec_query *vec_query_open(const float *vector, uint32_t dims,
                                 struct arena *out)
{
    struct vec_query *q = ARENA_NEW(out, struct vec_query);
    uint32_t width = padded(dims);
    int16_t *values = lines_alloc(out, width * sizeof *values);
    float *rotated = ARENA_ARRAY(out, float, width);
    float *tmp = ARENA_ARRAY(out, float, width);

    ASSERT(dims > 0 && dims <= VEC_DIMS_MAX);
    q->kernels = vec_kernels_pick();
    q->dims = dims;
    q->width = width;
    q->scale = values_of(vector, dims, width, values);
    q->length = (float)((double)q->scale * length_of(values, width));
    ints_init(&q->ints, values, width, out);
    if (q->scale > 0)
        memcpy(rotated, vector, dims * sizeof *rotated);
    vec_rotate(rotated, width, tmp);
    q->rotated = rotated;
    return q;
}

static uint64_t first_bits(uint32_t n)
{
    ASSERT(n > 0 && n <= 64);
    return UINT64_MAX >> (64 - n);
}

/* Bit i: row + i may be found; n at most 64, within one word of the filter. */
static uint64_t live_bits(const struct vec_rows_of *in, uint32_t row,
                          uint32_t n)
{
    uint64_t live = UINT64_MAX;

    if (in->live != NULL)
        live =
            atomic_load_explicit(&in->live[row / 64], memory_order_relaxed) >>
            row % 64;
    return live & first_bits(n);
}

/* n rows, all of which may be found: no question a row, where all are of one
 * file. */
static bool run_take(struct batch *b, const struct vec_rows_of *in,
                     uint32_t row, uint32_t n)
{
    const struct vec_place *places = in->places + row;
    uint32_t file = b->n > 0 ? b->file : places[0].file, others = 0;

    if (file == VEC_NONE || places[0].file != file ||
        places[n - 1].file != file)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        others |= places[i].file ^ file;
        b->rows[b->n + i] = places[i].row;
        b->at[b->n + i] = row + i;
    }
    if (others != 0)
        return false;
    b->file = file;
    b->n += n;
    return true;
}

/* False: it is of another file. */
static bool row_take(struct batch *b, const struct vec_rows_of *in,
                     uint32_t row)
{
    struct vec_place place = in->places[row];

    if (place.file == VEC_NONE)
        return true;
    if (b->n > 0 && place.file != b->file)
        return false;
    b->file = place.file;
    b->rows[b->n] = place.row;
    b->at[b->n++] = row;
    return true;
}

/* From *at to the end of the filter's word, or until the batch is full. False:
 * the row at *at is of another file. */
static bool word_take(struct batch *b, const struct vec_rows_of *in,
                      uint32_t *at)
{
    uint32_t row = *at, n = 64 - row % 64;
    uint64_t live;

    n = n < in->rows - row ? n : in->rows - row;
    n = n < BATCH_ROWS - b->n ? n : (uint32_t)(BATCH_ROWS - b->n);
    live = live_bits(in, row, n);
    if (live != first_bits(n) || !run_take(b, in, row, n))
        for (; live != 0; live &= live - 1) {
            *at = row + (uint32_t)__builtin_ctzll(live);
            if (!row_take(b, in, *at))
                return false;
        }
    *at = row + n;
    return true;
}

bool batch_next(const struct vec_rows_of *in, uint32_t *at, struct batch *b)
{
    b->n = 0;
    while (*at < in->rows && b->n < BATCH_ROWS && word_take(b, in, at))
        ;
    return b->n > 0;
}

void batch_scores(const struct vec_query *q, const struct vec_file *f,
                  const uint32_t *rows, size_t n, float *out)
{
    int32_t dots[BATCH_ROWS];

    ASSERT(q->dims == f->dims && n <= BATCH_ROWS && rows_within(f, rows, n));
    q->kernels->dots(f->values, f->width, rows, n, &q->ints, dots);
    for (size_t i = 0; i < n; i++)
        out[i] = int8_score(q, f->scales[rows[i]], dots[i]);
}

float vec_similarity(const struct vec_query *q, const struct vec_file *f,
                     uint32_t row)
{
    float score;

    batch_scores(q, f, &row, 1, &score);
    return score;
}

void vec_scores(const struct vec_query *q, struct vec_file *const *files,
                const struct vec_place *places, size_t n, float *out)
{
    uint32_t rows[BATCH_ROWS];
    size_t from = 0, to;

    for (; from < n; from = to) {
        uint32_t file = places[from].file;

        for (to = from;
             to < n && places[to].file == file && to - from < BATCH_ROWS; to++)
            rows[to - from] = places[to].row;
        if (file == VEC_NONE)
            memset(out + from, 0, (to - from) * sizeof *out);
        else
            batch_scores(q, files[file], rows, to - from, out + from);
    }
}

void batch_put(const struct batch *b, const float *scores, uint32_t segment,
               struct top *top)
{
    float floor = top_floor(top, -INFINITY);

    for (size_t i = 0; i < b->n; i++) {
        i = first_reaching(scores, i, b->n, floor);
        if (i < b->n) {
            top_put(top, (struct top_hit){scores[i], segment, b->at[i]});
            floor = top_floor(top, -INFINITY);
        }
    }
}

/* Batches to go without halves after one of which they left more than an
 * eighth: rows as near to each other as these are read twice for little. */
#define SIEVE_PAUSE 16

void vec_scan(const struct vec_query *q, struct vec_file *const *files,
              const struct vec_rows_of *in, struct top *top)
{
    struct batch b;
    float scores[BATCH_ROWS] = {0};
    unsigned pause = 0;

    for (uint32_t at = 0; batch_next(in, &at, &b);) {
        const struct vec_file *f = files[b.file];
        float floor = top_floor(top, -INFINITY);

        if (pause > 0) {
            pause--;
        } else if (f->halves != NULL && floor > -INFINITY) {
            size_t n = b.n;

            batch_sieve(&b, q, f, floor);
            pause = b.n > n / 8 ? SIEVE_PAUSE : 0;
        }
        batch_scores(q, f, b.rows, b.n, scores);
        batch_put(&b, scores, in->segment, top);
    }
}
