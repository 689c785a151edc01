#include "base/mem.h"
#include "lex/lex_priv.h"

/* ---- dictionary ---- */

/* The entry at *p: shared bytes, own bytes, df, bytes of its list. */
static bool entry_read(struct dict_walk *d, const uint8_t *end)
{
    const uint8_t *p = d->p;
    size_t same, own;

    if (end - p < 2)
        return false;
    same = *p++;
    own = *p++;
    if (same > d->term_n || same + own > TERM_BYTES_MAX || same + own == 0 ||
        (size_t)(end - p) < own)
        return false;
    memcpy(d->term + same, p, own);
    d->term_n = same + own;
    p += own;
    if (!varint_get(&p, end, &d->list.df) ||
        !varint_get(&p, end, &d->list.bytes))
        return false;
    d->list.p = d->x->post + d->post;
    d->list.blocks_n = (d->list.df + BLOCK_ROWS - 1) / BLOCK_ROWS;
    d->post += d->list.bytes;
    d->p = p;
    return true;
}

static uint32_t dict_block_at(const struct lex *x, size_t block)
{
    return load_u32(x->dict_blocks + block * 4);
}

static void walk_block(struct dict_walk *d)
{
    d->p = d->x->dict + dict_block_at(d->x, d->block);
    d->post = load_u64(d->p);
    d->p += 8;
    d->term_n = 0;
}

bool dict_walk_next(struct dict_walk *d)
{
    size_t done = d->block * DICT_BLOCK_TERMS + d->in_block;

    if (done == d->x->terms)
        return false;
    if (d->in_block == DICT_BLOCK_TERMS) {
        d->block++;
        d->in_block = 0;
    }
    if (d->in_block == 0)
        walk_block(d);
    d->in_block++;
    return entry_read(d, d->x->dict_end);
}

static str block_first(const struct lex *x, size_t block)
{
    const uint8_t *p = x->dict + dict_block_at(x, block) + 8;

    return (str){(const char *)p + 2, p[1]};
}

/* The last block whose first term is not after this one. */
static size_t block_of(const struct lex *x, str term)
{
    size_t low = 0, high = x->dict_blocks_n;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (str_cmp(block_first(x, middle), term) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool dict_find(const struct lex *x, str term, struct list *l)
{
    struct dict_walk d = {.x = x};

    if (x->terms == 0 || term.n == 0)
        return false;
    d.block = block_of(x, term);
    do {
        int order;

        if (!dict_walk_next(&d))
            return false;
        order = str_cmp((str){(const char *)d.term, d.term_n}, term);
        if (order == 0) {
            *l = d.list;
            return true;
        }
        if (order > 0)
            return false;
    } while (d.in_block < DICT_BLOCK_TERMS);
    return false;
}

/* Walks all of it once, so that later walks stay inside. */
static rc dict_check(const struct lex *x, struct err *e)
{
    struct dict_walk d = {.x = x};
    uint64_t post = 0;
    uint32_t at = 0;

    for (uint64_t i = 0; i < x->terms; i++) {
        if (i % DICT_BLOCK_TERMS == 0) {
            at = dict_block_at(x, i / DICT_BLOCK_TERMS);
            if (at != (i == 0 ? 0 : (uint64_t)(d.p - x->dict)) ||
                x->dict_end - x->dict - at < 8 ||
                load_u64(x->dict + at) != post)
                return err_set(e, RC_CORRUPT, "dictionary out of place");
        }
        if (!dict_walk_next(&d))
            return err_set(e, RC_CORRUPT, "dictionary damaged");
        post = d.post;
        if (post > x->post_bytes || d.list.df == 0 || d.list.df > x->rows ||
            !list_sound(x, &d.list))
            return err_set(e, RC_CORRUPT, "list of a term damaged");
    }
    if (x->terms > 0 && d.p != x->dict_end)
        return err_set(e, RC_CORRUPT, "dictionary out of place");
    return post == x->post_bytes ? RC_OK
                                 : err_set(e, RC_CORRUPT, "lists out of place");
}

/* ---- opening ---- */

/* A section of n bytes and its slack. */
static bool section(const struct seg *s, const char id[4], uint64_t n,
                    const uint8_t **p)
{
    str bytes = seg_find(s, id);

    *p = (const uint8_t *)bytes.p;
    return bytes.n >= LEX_SLACK && bytes.n - LEX_SLACK == n;
}

static rc info_read(const struct seg *s, struct lex *x, struct err *e)
{
    const uint8_t *p;
    uint64_t dict_bytes;
    size_t post_all = seg_find(s, "POST").n;

    if (!section(s, "LEXI", INFO_BYTES, &p))
        return err_set(e, RC_CORRUPT, "no word index inside");
    if (load_u32(p) != LEX_VERSION || load_u32(p + 4) != ANALYSER_VERSION ||
        load_u32(p + 8) != LEX_CONTEXT_WEIGHT)
        return err_set(e, RC_UNSUPPORTED,
                       "word index of another version (%u.%u.%u)",
                       (unsigned)load_u32(p), (unsigned)load_u32(p + 4),
                       (unsigned)load_u32(p + 8));
    x->rows = load_u32(p + 12);
    x->terms = load_u64(p + 16);
    x->length = load_u64(p + 24);
    dict_bytes = load_u64(p + 32);
    x->post_bytes = post_all < LEX_SLACK ? 0 : post_all - LEX_SLACK;
    x->dict_blocks_n = (size_t)(x->terms / DICT_BLOCK_TERMS +
                                (x->terms % DICT_BLOCK_TERMS > 0));
    if (x->rows > LEX_ROWS_MAX || x->terms > UINT32_MAX ||
        dict_bytes > UINT32_MAX ||
        !section(s, "POST", x->post_bytes, &x->post) ||
        !section(s, "DICT", dict_bytes, &x->dict) ||
        !section(s, "DIDX", x->dict_blocks_n * 4, &x->dict_blocks) ||
        !section(s, "NORM", x->rows, &x->norms))
        return err_set(e, RC_CORRUPT, "word index out of place");
    x->dict_end = x->dict + dict_bytes;
    return RC_OK;
}

rc lex_open(const struct seg *s, struct lex **out, struct err *e)
{
    struct lex *x = mem_alloc(sizeof *x);
    rc code = info_read(s, x, e);

    x->kernels = kernels_pick();
    if (code == RC_OK)
        code = dict_check(x, e);
    seg_rest(s);
    if (code != RC_OK) {
        lex_close(x);
        return code;
    }
    *out = x;
    return RC_OK;
}

void lex_close(struct lex *x)
{
    mem_free(x);
}

uint32_t lex_rows(const struct lex *x)
{
    return x->rows;
}

uint64_t lex_terms(const struct lex *x)
{
    return x->terms;
}

/* ---- lists ---- */

bool list_sound(const struct lex *x, const struct list *l)
{
    uint64_t data = (uint64_t)l->blocks_n * META_BYTES, posn = 0;
    uint32_t least = 0; /* what the next block's last row must reach */

    if (!list_framed(l))
        return true;
    if (data > l->bytes)
        return false;
    for (size_t i = 0; i < l->blocks_n; i++) {
        struct block_meta m = block_meta(l, i);
        uint32_t n = (uint32_t)block_rows(l, i);

        if (m.data != data || m.last < least + n - 1 || m.last >= x->rows ||
            m.row_bits > LEX_BITS_MAX || m.tf_bits > LEX_BITS_MAX ||
            m.ctx_bits > LEX_BITS_MAX || m.posn < posn || m.posn > l->bytes)
            return false;
        least = m.last + 1;
        posn = m.posn;
        if (n == BLOCK_ROWS)
            data += packed_bytes(BLOCK_ROWS, m.row_bits) +
                    packed_bytes(BLOCK_ROWS, m.tf_bits) +
                    packed_bytes(BLOCK_ROWS, m.ctx_bits);
    }
    return data <= block_meta(l, 0).posn;
}

/* A block of varints: rows, weighted counts, those in the context. */
static bool plain_read(const struct lex *x, const struct list *l, size_t block,
                       uint32_t *rows, uint32_t *tf, uint32_t *ctx,
                       const uint8_t **row_end)
{
    const uint8_t *p = l->p, *end = l->p + l->bytes;
    uint32_t row = UINT32_MAX; /* the one before */
    size_t n = block_rows(l, block);

    if (list_framed(l)) {
        p = l->p + block_meta(l, block).data;
        end = l->p + block_meta(l, 0).posn;
        row = block_last(l, block - 1);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t v, count = 1, in_context = 0;

        if (!varint_get(&p, end, &v) || v >> 2 >= LEX_ROWS_MAX)
            return false;
        row += (v >> 2) + 1;
        if ((v & 3) > 0 && !varint_get(&p, end, &count))
            return false;
        if ((v & 3) > 1 && !varint_get(&p, end, &in_context))
            return false;
        if (row >= x->rows || !occurrences_sound(count, in_context))
            return false;
        rows[i] = row;
        tf[i] = count;
        ctx[i] = in_context;
    }
    *row_end = p;
    return !list_framed(l) || row == block_last(l, block);
}

bool block_rows_read(const struct lex *x, const struct list *l, size_t block,
                     uint32_t rows[BLOCK_ROWS])
{
    struct block_meta m = block_meta(l, block);

    /* Neither the gaps' sum nor the last row can pass 32 bits, since widths
     * and rows are bounded by 24: the last row right, all are. */
    x->kernels->rows(l->p + m.data, m.row_bits,
                     block == 0 ? UINT32_MAX : block_last(l, block - 1), rows);
    return rows[BLOCK_ROWS - 1] == m.last;
}

void block_tf_read(const struct lex *x, const struct list *l, size_t block,
                   uint32_t tf[BLOCK_ROWS])
{
    struct block_meta m = block_meta(l, block);

    x->kernels->counts(l->p + m.data + packed_bytes(BLOCK_ROWS, m.row_bits),
                       m.tf_bits, tf);
}

static bool packed_read(const struct lex *x, const struct list *l, size_t block,
                        uint32_t *rows, uint32_t *tf, uint32_t *ctx)
{
    struct block_meta m = block_meta(l, block);
    const uint8_t *p = l->p + m.data + packed_bytes(BLOCK_ROWS, m.row_bits) +
                       packed_bytes(BLOCK_ROWS, m.tf_bits);
    bool sound = block_rows_read(x, l, block, rows);

    block_tf_read(x, l, block, tf);
    for (size_t i = 0; i < BLOCK_ROWS; i++) {
        ctx[i] = packed_get(p, i, m.ctx_bits);
        sound = sound && occurrences_sound(tf[i], ctx[i]);
    }
    return sound;
}

bool block_read(const struct lex *x, const struct list *l, size_t block,
                struct block *b)
{
    b->n = block_rows(l, block);
    b->plain = b->n < BLOCK_ROWS;
    b->posn = b->posn_end = l->p + l->bytes;
    if (list_framed(l)) {
        b->posn = l->p + block_meta(l, block).posn;
        if (block + 1 < l->blocks_n)
            b->posn_end = l->p + block_meta(l, block + 1).posn;
    }
    if (b->plain) {
        const uint8_t *row_end;

        if (!plain_read(x, l, block, b->rows, b->tf, b->ctx, &row_end))
            return false;
        if (!list_framed(l))
            b->posn = row_end;
        return true;
    }
    return packed_read(x, l, block, b->rows, b->tf, b->ctx);
}

size_t block_occurrences(const struct block *b, size_t from, size_t to)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++)
        n += occurrences(b->tf[i], b->ctx[i]);
    return n;
}

/* Position gaps number [from, from + n) of the block. */
static bool gaps_read(const struct block *b, size_t from, size_t n,
                      uint32_t *gaps)
{
    const uint8_t *p = b->posn;
    unsigned bits;

    if (b->plain) {
        uint32_t v;

        for (size_t i = 0; i < from; i++)
            if (!varint_get(&p, b->posn_end, &v))
                return false;
        for (size_t i = 0; i < n; i++)
            if (!varint_get(&p, b->posn_end, &gaps[i]))
                return false;
        return true;
    }
    if (p == b->posn_end)
        return false;
    bits = *p++;
    if (bits == 0 || bits > LEX_BITS_MAX ||
        packed_bytes(from + n, bits) > (size_t)(b->posn_end - p))
        return false;
    for (size_t i = 0; i < n; i++)
        gaps[i] = packed_get(p, from + i, bits);
    return true;
}

size_t block_positions(const struct block *b, size_t i, uint32_t *positions,
                       size_t max)
{
    size_t n = occurrences(b->tf[i], b->ctx[i]);
    uint32_t at = UINT32_MAX;

    n = n < max ? n : max;
    if (!gaps_read(b, block_occurrences(b, 0, i), n, positions))
        return 0;
    for (size_t k = 0; k < n; k++)
        positions[k] = at += positions[k] + 1;
    return n;
}

rc list_read(const struct lex *x, const struct list *l, struct postings *to,
             struct err *e)
{
    struct block b;

    for (size_t i = 0; i < l->blocks_n; i++) {
        size_t pos_n;
        rc code;

        if (!block_read(x, l, i, &b))
            return err_set(e, RC_CORRUPT, "postings damaged");
        pos_n = block_occurrences(&b, 0, b.n);
        /* Each takes a bit at least: memory stays in proportion. */
        if (pos_n / 8 > (size_t)(b.posn_end - b.posn))
            return err_set(e, RC_CORRUPT, "postings damaged");
        code = postings_room(to, b.n, pos_n, e);
        if (code != RC_OK)
            return code;
        if (!gaps_read(&b, 0, pos_n, to->pos + to->pos_n))
            return err_set(e, RC_CORRUPT, "positions damaged");
        memcpy(to->row + to->n, b.rows, b.n * sizeof *b.rows);
        memcpy(to->tf + to->n, b.tf, b.n * sizeof *b.tf);
        memcpy(to->ctx + to->n, b.ctx, b.n * sizeof *b.ctx);
        to->n += b.n;
        to->pos_n += pos_n;
    }
    return RC_OK;
}
