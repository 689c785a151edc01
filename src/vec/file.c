#include <math.h>

#include "base/mem.h"
#include "vec/vec_priv.h"

static rc damaged(const char *what, struct err *e)
{
    return err_set(e, RC_CORRUPT, "vectors: %s", what);
}

/* The array of a section; NULL: not of that size. */
static const void *section(const struct seg *s, const char id[4], size_t count,
                           size_t size)
{
    str bytes = seg_find(s, id);

    return bytes.p != NULL && bytes.n == count * size ? bytes.p : NULL;
}

static rc info_read(struct vec_file *f, const sha256 *identity, uint32_t dims,
                    struct err *e)
{
    const struct vec_info *info = section(f->seg, "VECI", 1, sizeof *info);

    if (info == NULL)
        return damaged("no section VECI", e);
    if (info->version > VEC_VERSION)
        return err_set(e, RC_UNSUPPORTED, "vectors: format %u is newer than %d",
                       (unsigned)info->version, VEC_VERSION);
    if (info->version == 0 || info->dims == 0 || info->dims > VEC_DIMS_MAX ||
        info->rows > VEC_ROWS_MAX)
        return damaged("section VECI", e);
    if (dims != 0 && info->dims != dims)
        return err_set(e, RC_CORRUPT, "vectors: %u dimensions instead of %u",
                       (unsigned)info->dims, (unsigned)dims);
    if (identity != NULL && memcmp(identity, &info->identity, 32) != 0)
        return damaged("of another model", e);
    f->dims = info->dims;
    f->rows = info->rows;
    f->width = padded(f->dims);
    f->identity = &info->identity;
    return RC_OK;
}

/* Files of programs before them have neither. */
static bool halves_find(struct vec_file *f)
{
    f->halves = section(f->seg, "HALF", f->rows, f->width / 2);
    f->rests = section(f->seg, "REST", f->rows, sizeof *f->rests);
    return (f->halves != NULL && f->rests != NULL) ||
           (seg_find(f->seg, "HALF").p == NULL &&
            seg_find(f->seg, "REST").p == NULL);
}

static rc sections_find(struct vec_file *f, struct err *e)
{
    const struct seg *s = f->seg;

    f->fan_bits = fan_bits_of(f->rows);
    f->keys = section(s, "KEYS", f->rows, sizeof *f->keys);
    f->order = section(s, "ORDR", f->rows, sizeof *f->order);
    f->fan = section(s, "FANO", ((size_t)1 << f->fan_bits) + 1, sizeof *f->fan);
    f->values = section(s, "ROWS", f->rows, f->width);
    f->scales = section(s, "SCAL", f->rows, sizeof *f->scales);
    f->mean = section(s, "MEAN", f->width, sizeof *f->mean);
    f->codes = section(s, "CODE", f->rows, code_bytes(f->width));
    return f->keys != NULL && f->order != NULL && f->fan != NULL &&
                   f->values != NULL && f->scales != NULL && f->mean != NULL &&
                   f->codes != NULL && halves_find(f)
               ? RC_OK
               : damaged("a section is missing or of another size", e);
}

/* Keys ascend strictly along the order, so that it names each row once, and
 * the fan's buckets are those of the keys. */
static bool order_sound(const struct vec_file *f)
{
    uint32_t bucket = 0, buckets = (uint32_t)1 << f->fan_bits;

    for (uint32_t i = 0; i < f->rows; i++) {
        const struct vec_key *key;

        if (f->order[i] >= f->rows)
            return false;
        key = &f->keys[f->order[i]];
        if (i > 0 && memcmp(&f->keys[f->order[i - 1]], key, sizeof *key) >= 0)
            return false;
        for (; bucket <= fan_of(key_head(key), f->fan_bits); bucket++)
            if (f->fan[bucket] != i)
                return false;
    }
    for (; bucket <= buckets; bucket++)
        if (f->fan[bucket] != f->rows)
            return false;
    return true;
}

static bool numbers_sound(const struct vec_file *f)
{
    size_t bytes = code_bytes(f->width);

    for (uint32_t i = 0; i < f->width; i++)
        if (!isfinite(f->mean[i]))
            return false;
    for (uint32_t row = 0; row < f->rows; row++) {
        struct code_terms t;

        memcpy(&t, f->codes + row * bytes + f->width / 8, sizeof t);
        if (!isfinite(f->scales[row]) ||
            (f->rests != NULL &&
             !(isfinite(f->rests[row]) && f->rests[row] >= 0)) ||
            !isfinite(t.along) || !isfinite(t.step) || !isfinite(t.lean))
            return false;
    }
    return true;
}

rc vec_open_seg(struct seg *s, const sha256 *identity, uint32_t dims,
                struct vec_file **out, struct err *e)
{
    struct vec_file *f = mem_alloc(sizeof *f);
    rc code;

    f->seg = s;
    code = info_read(f, identity, dims, e);
    if (code == RC_OK)
        code = sections_find(f, e);
    if (code == RC_OK && !order_sound(f))
        code = damaged("keys out of order", e);
    if (code == RC_OK && !numbers_sound(f))
        code = damaged("a number that is none", e);
    if (code != RC_OK) {
        vec_close(f);
        return code;
    }
    seg_rest(s);
    *out = f;
    return RC_OK;
}

rc vec_open(const char *path, const sha256 *identity, uint32_t dims,
            struct vec_file **f, struct err *e)
{
    struct seg *s = NULL;
    rc code = seg_open(path, &s, e);

    if (code != RC_OK)
        return code;
    code = vec_open_seg(s, identity, dims, f, e);
    return code == RC_OK ? RC_OK : err_wrap(e, "%s", path);
}

void vec_close(struct vec_file *f)
{
    if (f == NULL)
        return;
    seg_close(f->seg);
    mem_free(f);
}

uint32_t vec_rows(const struct vec_file *f)
{
    return f->rows;
}

uint64_t vec_bytes(const struct vec_file *f)
{
    return seg_bytes(f->seg);
}

const struct seg *vec_seg(const struct vec_file *f)
{
    return f->seg;
}

struct vec_key vec_key_at(const struct vec_file *f, uint32_t row)
{
    ASSERT(row < f->rows);
    return f->keys[row];
}

bool vec_find(const struct vec_file *f, const struct vec_key *key,
              uint32_t *row)
{
    uint32_t bucket = fan_of(key_head(key), f->fan_bits);
    uint32_t from = f->fan[bucket], to = f->fan[bucket + 1];

    while (from < to) {
        uint32_t middle = from + (to - from) / 2, at = f->order[middle];
        int side = memcmp(key, &f->keys[at], sizeof *key);

        if (side == 0) {
            *row = at;
            return true;
        }
        if (side < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return false;
}
