#include "base/buf.h"
#include "base/mem.h"
#include "lex/lex_priv.h"

/*
 * Terms come in ascending order; their lists go out at once, the dictionary
 * (a few hundredths of the text) waits in memory for its own section.
 */
struct lex_out {
    struct seg_writer *w;
    const uint8_t *norms;
    uint32_t rows;
    uint64_t terms;
    struct buf list, dict, blocks;
    uint8_t last[TERM_BYTES_MAX]; /* the term before */
    size_t last_n;
};

rc lex_out_open(struct seg_writer *w, const uint8_t *norms, uint32_t rows,
                struct lex_out **out, struct err *e)
{
    struct lex_out *o;
    rc code = seg_section(w, "POST", e);

    if (code != RC_OK)
        return code;
    o = mem_alloc(sizeof *o);
    o->w = w;
    o->norms = norms;
    o->rows = rows;
    /* Their offsets are 32 bits wide. */
    buf_open(&o->list, UINT32_MAX);
    buf_open(&o->dict, UINT32_MAX);
    *out = o;
    return RC_OK;
}

void lex_out_close(struct lex_out *o)
{
    if (o == NULL)
        return;
    buf_close(&o->list);
    buf_close(&o->dict);
    buf_close(&o->blocks);
    mem_free(o);
}

/* ---- lists ---- */

/* Where the writer of a list stands: postings [from, from + n), whose
 * positions begin at pos_from. */
struct piece {
    size_t from, n, pos_from, pos_n;
};

static struct piece piece_next(const struct postings *l, struct piece before)
{
    struct piece s = {.from = before.from + before.n,
                      .pos_from = before.pos_from + before.pos_n};

    while (s.n < BLOCK_ROWS && s.from + s.n < l->n) {
        size_t i = s.from + s.n++;

        s.pos_n += occurrences(l->tf[i], l->ctx[i]);
    }
    return s;
}

static uint32_t gap_before(const struct postings *l, size_t i)
{
    return i == 0 ? l->row[0] : l->row[i] - l->row[i - 1] - 1;
}

/* Varints: gap << 2 | kind, then for kind 1 tf, for kind 2 tf and ctx. */
static void put_plain_rows(struct buf *b, const struct postings *l,
                           struct piece s)
{
    uint8_t *to = (uint8_t *)buf_reserve(b, s.n * 15);
    uint8_t *at = to;

    if (to == NULL)
        return;
    for (size_t i = s.from; i < s.from + s.n; i++) {
        uint32_t tf = l->tf[i], ctx = l->ctx[i];
        uint32_t kind = ctx > 0 ? 2 : tf > 1;

        at = varint_put(at, gap_before(l, i) << 2 | kind);
        if (kind > 0)
            at = varint_put(at, tf);
        if (kind > 1)
            at = varint_put(at, ctx);
    }
    b->n += (size_t)(at - to);
}

static void put_plain_positions(struct buf *b, const struct postings *l,
                                struct piece s)
{
    uint8_t *to = (uint8_t *)buf_reserve(b, s.pos_n * 5);
    uint8_t *at = to;

    if (to == NULL)
        return;
    for (size_t i = 0; i < s.pos_n; i++)
        at = varint_put(at, l->pos[s.pos_from + i]);
    b->n += (size_t)(at - to);
}

static unsigned width(const uint32_t *v, size_t n)
{
    uint32_t all = 0;

    for (size_t i = 0; i < n; i++)
        all |= v[i];
    return bits_for(all);
}

static void put_packed(struct buf *b, const uint32_t *v, size_t n,
                       unsigned bits)
{
    uint8_t *to = (uint8_t *)buf_reserve(b, packed_bytes(n, bits));

    if (to != NULL)
        b->n += (size_t)(pack(to, v, n, bits) - to);
}

static void put_packed_positions(struct buf *b, const struct postings *l,
                                 struct piece s)
{
    const uint32_t *pos = l->pos + s.pos_from;
    unsigned bits = width(pos, s.pos_n);

    /* At least one, so that a reader's memory is bounded by the file. */
    bits = bits > 0 ? bits : 1;
    buf_put_char(b, (char)bits);
    put_packed(b, pos, s.pos_n, bits);
}

static void put_meta(uint8_t *p, const struct block_meta *m)
{
    uint32_t w[3] = {m->last | (uint32_t)m->row_bits << 24, m->data, m->posn};

    memcpy(p, w, sizeof w);
    p[12] = m->tf_bits;
    p[13] = m->ctx_bits;
    memcpy(p + 14, m->peaks, sizeof m->peaks);
}

/* What a peak is worth, near enough to choose which two to join: rows of
 * NOMINAL_LENGTH on average. */
#define NOMINAL_LENGTH 200
static double peak_worth(unsigned tf, unsigned norm)
{
    return tf / (tf + LEX_K1 * (1 - LEX_B +
                                LEX_B * norm_length((uint8_t)norm) /
                                    NOMINAL_LENGTH));
}

/* Joins the two neighbours that lose least by it. Peaks ascend in both. */
static size_t peaks_join(struct peak *v, size_t n)
{
    double least = 2;
    size_t at = 0;

    for (size_t i = 0; i + 1 < n; i++) {
        double loss = peak_worth(v[i + 1].tf, v[i].norm) -
                      peak_worth(v[i + 1].tf, v[i + 1].norm);

        if (loss < least) {
            least = loss;
            at = i;
        }
    }
    v[at].tf = v[at + 1].tf;
    memmove(v + at + 1, v + at + 2, (n - at - 2) * sizeof *v);
    return n - 1;
}

/* The peaks of a piece: its postings that no other is above, thinned out. */
static void peaks_of(const struct lex_out *o, const struct postings *l,
                     struct piece s, struct peak peaks[PEAKS])
{
    uint8_t highest[256] = {0}; /* tf by norm */
    struct peak v[256];
    size_t n = 0;
    unsigned from = 255, to = 0;

    for (size_t i = s.from; i < s.from + s.n; i++) {
        uint8_t norm = o->norms[l->row[i]];
        uint8_t tf = l->tf[i] < 255 ? (uint8_t)l->tf[i] : 255;

        highest[norm] = tf > highest[norm] ? tf : highest[norm];
        from = norm < from ? norm : from;
        to = norm > to ? norm : to;
    }
    for (unsigned norm = from; norm <= to; norm++)
        if (highest[norm] > (n == 0 ? 0 : v[n - 1].tf))
            v[n++] = (struct peak){highest[norm], (uint8_t)norm};
    while (n > PEAKS)
        n = peaks_join(v, n);
    memcpy(peaks, v, n * sizeof *v);
}

static void put_block_rows(struct lex_out *o, const struct postings *l,
                           struct piece s, struct block_meta *m)
{
    uint32_t v[BLOCK_ROWS];
    struct buf *b = &o->list;

    m->data = (uint32_t)b->n;
    m->last = l->row[s.from + s.n - 1];
    peaks_of(o, l, s, m->peaks);
    if (s.n < BLOCK_ROWS) {
        put_plain_rows(b, l, s);
        return;
    }
    for (size_t i = 0; i < s.n; i++)
        v[i] = gap_before(l, s.from + i);
    m->row_bits = (uint8_t)width(v, s.n);
    put_packed(b, v, s.n, m->row_bits);
    for (size_t i = 0; i < s.n; i++)
        v[i] = l->tf[s.from + i] - 1;
    m->tf_bits = (uint8_t)width(v, s.n);
    put_packed(b, v, s.n, m->tf_bits);
    m->ctx_bits = (uint8_t)width(l->ctx + s.from, s.n);
    put_packed(b, l->ctx + s.from, s.n, m->ctx_bits);
}

static void put_framed(struct lex_out *o, const struct postings *l)
{
    size_t blocks_n = (l->n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    struct buf *b = &o->list;
    struct piece s = {0};
    struct block_meta m;

    if (buf_reserve(b, blocks_n * META_BYTES) == NULL)
        return;
    b->n += blocks_n * META_BYTES;
    for (size_t i = 0; i < blocks_n && b->code == RC_OK; i++) {
        m = (struct block_meta){0};
        s = piece_next(l, s);
        put_block_rows(o, l, s, &m);
        put_meta((uint8_t *)b->p + i * META_BYTES, &m);
    }
    s = (struct piece){0};
    for (size_t i = 0; i < blocks_n && b->code == RC_OK; i++) {
        uint32_t posn = (uint32_t)b->n;

        s = piece_next(l, s);
        memcpy(b->p + i * META_BYTES + 8, &posn, sizeof posn);
        if (s.n < BLOCK_ROWS)
            put_plain_positions(b, l, s);
        else
            put_packed_positions(b, l, s);
    }
}

/* ---- dictionary ---- */

static void put_entry(struct lex_out *o, str term, uint32_t df, uint32_t bytes)
{
    size_t same = 0;
    uint8_t head[2];

    if (o->terms % DICT_BLOCK_TERMS == 0) {
        buf_put_u32(&o->blocks, (uint32_t)o->dict.n);
        buf_put_u64(&o->dict, seg_section_bytes(o->w));
    } else {
        while (same < term.n && same < o->last_n &&
               o->last[same] == (uint8_t)term.p[same])
            same++;
    }
    head[0] = (uint8_t)same;
    head[1] = (uint8_t)(term.n - same);
    buf_put(&o->dict, (str){(const char *)head, 2});
    buf_put(&o->dict, (str){term.p + same, term.n - same});
    buf_put_varint(&o->dict, df);
    buf_put_varint(&o->dict, bytes);
}

static rc put_term(struct lex_out *o, str term, size_t df, str list,
                   struct err *e)
{
    ASSERT(term.n <= TERM_BYTES_MAX && df > 0);
    ASSERT(o->terms == 0 ||
           str_cmp((str){(const char *)o->last, o->last_n}, term) < 0);
    put_entry(o, term, (uint32_t)df, (uint32_t)list.n);
    memcpy(o->last, term.p, term.n);
    o->last_n = term.n;
    o->terms++;
    return seg_put(o->w, list.p, list.n, e);
}

rc lex_out_record(struct lex_out *o, str term, str record, struct err *e)
{
    return put_term(o, term, 1, record, e);
}

rc lex_out_term(struct lex_out *o, str term, const struct postings *l,
                struct err *e)
{
    rc code;

    buf_clear(&o->list);
    if (l->n < BLOCK_ROWS) {
        struct piece all = piece_next(l, (struct piece){0});

        put_plain_rows(&o->list, l, all);
        put_plain_positions(&o->list, l, all);
    } else {
        put_framed(o, l);
    }
    code = buf_end(&o->list, e);
    if (code != RC_OK)
        return err_wrap(e, "postings of one term");
    return put_term(o, term, l->n, buf_str(&o->list), e);
}

static rc put_section(struct lex_out *o, const char id[4], str bytes,
                      struct err *e)
{
    static const uint8_t slack[LEX_SLACK];
    rc code = seg_section(o->w, id, e);

    if (code == RC_OK)
        code = seg_put(o->w, bytes.p, bytes.n, e);
    return code == RC_OK ? seg_put(o->w, slack, sizeof slack, e) : code;
}

rc lex_out_end(struct lex_out *o, struct err *e)
{
    static const uint8_t slack[LEX_SLACK];
    struct buf info = {0};
    uint64_t length = 0;
    rc code = seg_put(o->w, slack, sizeof slack, e); /* of the lists */

    for (uint32_t i = 0; i < o->rows; i++)
        length += norm_length(o->norms[i]);
    buf_put_u32(&info, LEX_VERSION);
    buf_put_u32(&info, ANALYSER_VERSION);
    buf_put_u32(&info, LEX_CONTEXT_WEIGHT);
    buf_put_u32(&info, o->rows);
    buf_put_u64(&info, o->terms);
    buf_put_u64(&info, length);
    buf_put_u64(&info, o->dict.n);
    if (code == RC_OK)
        code = buf_end(&o->dict, e);
    if (code == RC_OK)
        code = buf_end(&o->blocks, e);
    if (code == RC_OK)
        code = buf_end(&info, e);
    if (code == RC_OK)
        code = put_section(o, "DICT", buf_str(&o->dict), e);
    if (code == RC_OK)
        code = put_section(o, "DIDX", buf_str(&o->blocks), e);
    if (code == RC_OK)
        code =
            put_section(o, "NORM", (str){(const char *)o->norms, o->rows}, e);
    if (code == RC_OK)
        code = put_section(o, "LEXI", buf_str(&info), e);
    buf_close(&info);
    return code;
}

/* ---- postings in memory ---- */

static rc room(uint32_t **v, size_t cap, struct err *e)
{
    uint32_t *p = mem_try_resize(*v, cap * sizeof **v);

    if (p == NULL)
        return err_set(e, RC_NOMEM, "no memory for a list of %zu postings",
                       cap);
    *v = p;
    return RC_OK;
}

rc postings_room(struct postings *l, size_t n, size_t pos_n, struct err *e)
{
    rc code = RC_OK;

    if (l->n + n > l->cap) {
        size_t cap = (l->n + n) * 3 / 2 + 64;

        code = room(&l->row, cap, e);
        if (code == RC_OK)
            code = room(&l->tf, cap, e);
        if (code == RC_OK)
            code = room(&l->ctx, cap, e);
        if (code != RC_OK)
            return code;
        l->cap = cap;
    }
    if (l->pos_n + pos_n > l->pos_cap) {
        size_t cap = (l->pos_n + pos_n) * 3 / 2 + 256;

        code = room(&l->pos, cap, e);
        if (code == RC_OK)
            l->pos_cap = cap;
    }
    return code;
}

void postings_close(struct postings *l)
{
    mem_free(l->row);
    mem_free(l->tf);
    mem_free(l->ctx);
    mem_free(l->pos);
    *l = (struct postings){0};
}
