#include "text/chunk.h"

#include "text/chunk_priv.h"
#include "text/utf8.h"

#define SPECIAL_TOKENS 2 /* the model's marks of start and end */
/* Sections of at most this share of the budget join their neighbours. */
#define TINY_SHARE 8

/* What a cut costs against a chunk that is off the balanced size: 1 stands
 * for a chunk of nothing, or of twice the size. By trial, docs/chunking.md. */
static const double CUT_COSTS[CUT_COUNT] = {
    [CUT_SECTION] = 0, [CUT_HEADING] = 0,        [CUT_BLOCK] = 0.1,
    [CUT_ITEM] = 0.15, [CUT_NESTED_ITEM] = 0.25, [CUT_ROW] = 0.2,
    [CUT_LINE] = 0.25, [CUT_SENTENCE] = 0.3,     [CUT_WRAP] = 0.8,
    [CUT_WORD] = 2,    [CUT_INTRO] = 0.6,        [CUT_NEVER] = 8};

struct splitter {
    const struct doc *d;
    const struct chunk_opts *o;
    struct arena *out, *tmp;
    struct chunks *res;
    size_t cap;
    struct atoms atoms;
    uint64_t overlap;
    uint64_t *sums; /* [i]: cost of the atoms before i with their gaps */
    double *best;   /* [i]: least penalty of cutting before i */
    uint32_t *from; /* [i]: where the chunk that ends before i starts */
    uint32_t context_heading; /* the one whose context costs context_cost */
    uint64_t context_cost;
    bool context_known;
    uint64_t at, at_cp; /* code points are counted up to here */
};

/* ---- context ---- */

/* The start of s that costs at most cost_max. */
static str cut_to_cost(const struct chunk_counter *c, str s, uint64_t cost_max,
                       uint64_t *cost)
{
    size_t at = 0, end = 0;
    struct run r;

    *cost = text_cost(c, s, 0, cost_max);
    if (*cost <= cost_max)
        return s;
    *cost = 0;
    while (run_next(s, &at, &r)) {
        uint64_t one = c == NULL
                           ? *cost + r.gap + r.cost
                           : text_cost(c, str_sub(s, 0, r.end), 0, UINT64_MAX);

        if (one > cost_max)
            break;
        *cost = one;
        end = r.end;
    }
    return str_sub(s, 0, end);
}

#define CONTEXT_COST_MAX ((uint64_t)CHUNK_HEADING_TOKENS_MAX * COST_TOKEN)
#define CONTEXT_PARTS_MAX (HEADING_DEPTH_MAX + 1)

struct path {
    str title, headings[HEADING_DEPTH_MAX]; /* outermost first */
    size_t n;
};

static void path_of(const struct doc *d, uint32_t heading, str title,
                    struct arena *out, struct path *p)
{
    uint32_t chain[HEADING_DEPTH_MAX];
    size_t depth = 0;

    *p = (struct path){.title = title};
    for (; heading != HEADING_NONE; heading = d->blocks[heading].heading)
        chain[depth++] = heading;
    while (depth > 0)
        p->headings[p->n++] = doc_heading_text(d, chain[--depth], out);
}

/* Title and headings, outermost first, each cut so that all fit: the
 * innermost heading says most and may take half, what is left goes to the
 * title and then to the headings from the inside out. */
static size_t context_parts(const struct path *path,
                            const struct chunk_counter *c,
                            str parts[CONTEXT_PARTS_MAX], uint64_t *cost)
{
    size_t n = 0;
    str all[CONTEXT_PARTS_MAX];
    uint64_t left = CONTEXT_COST_MAX, one;

    all[n++] = str_trim(path->title);
    for (size_t i = 0; i < path->n; i++)
        if (n > 1 || !str_eq_nocase(path->headings[i], all[0]))
            all[n++] = path->headings[i];
    memset(parts, 0, CONTEXT_PARTS_MAX * sizeof *parts);
    for (size_t i = 0; i < n; i++) {
        size_t k = i == 0 ? n - 1 : i == 1 ? 0 : n - i;
        uint64_t room = i == 0 && n > 1 ? left / 2 : left;

        if (room <= COST_TOKEN)
            break;
        parts[k] = cut_to_cost(c, all[k], room - COST_TOKEN, &one);
        if (parts[k].n > 0) /* and what parts it from the next */
            left -= one + COST_TOKEN;
    }
    *cost = CONTEXT_COST_MAX - left;
    return n;
}

static str context_join(const struct path *p, const struct chunk_counter *c,
                        struct arena *out)
{
    static const str BETWEEN = STR_INIT(" > ");
    str parts[CONTEXT_PARTS_MAX];
    uint64_t cost;
    size_t n = context_parts(p, c, parts, &cost), bytes = 0, at = 0;
    char *to;

    for (size_t i = 0; i < n; i++)
        bytes += parts[i].n + BETWEEN.n;
    to = arena_alloc(out, bytes + 1);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n == 0)
            continue;
        if (at > 0) {
            memcpy(to + at, BETWEEN.p, BETWEEN.n);
            at += BETWEEN.n;
        }
        memcpy(to + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return (str){to, at};
}

str chunk_context(const struct doc *d, const struct chunk *c, str title,
                  const struct chunk_counter *counter, struct arena *out)
{
    struct path p;

    path_of(d, c->heading, title, out, &p);
    return context_join(&p, counter, out);
}

str chunk_context_of(str title, const str *headings, size_t n,
                     const struct chunk_counter *counter, struct arena *out)
{
    struct path p = {.title = title, .n = n};

    ASSERT(n <= HEADING_DEPTH_MAX);
    for (size_t i = 0; i < n; i++)
        p.headings[i] = headings[i];
    return context_join(&p, counter, out);
}

/* The heading a chunk that starts with atom i stands under: its own, where it
 * starts with one, the innermost of several in a row. */
static uint32_t heading_of(const struct splitter *sp, size_t i)
{
    const struct doc *d = sp->d;
    uint32_t b = sp->atoms.v[i].block;

    if (d->blocks[b].kind != BLOCK_HEADING)
        return d->blocks[b].heading;
    while (b + 1 < d->blocks_n && d->blocks[b + 1].kind == BLOCK_HEADING &&
           d->blocks[b + 1].heading == b)
        b++;
    return b;
}

/* What the atoms of a chunk that starts with atom i may cost. */
static uint64_t budget(struct splitter *sp, size_t i)
{
    uint32_t heading = heading_of(sp, i);
    uint64_t all = (uint64_t)sp->o->tokens_max * COST_TOKEN,
             spent = (uint64_t)SPECIAL_TOKENS * COST_TOKEN + sp->overlap;
    str parts[CONTEXT_PARTS_MAX];
    struct path path;

    /* With an overlap the chunk starts farther up, maybe under another. */
    if (sp->overlap > 0)
        return all - spent - CONTEXT_COST_MAX;
    if (!sp->context_known || sp->context_heading != heading) {
        struct arena_mark mark = arena_mark(sp->tmp);

        path_of(sp->d, heading, sp->o->title, sp->tmp, &path);
        (void)context_parts(&path, sp->o->counter, parts, &sp->context_cost);
        arena_rewind(sp->tmp, mark);
        sp->context_heading = heading;
        sp->context_known = true;
    }
    return all - spent - sp->context_cost;
}

/* ---- making chunks ---- */

static uint64_t count_to(struct splitter *sp, uint64_t at)
{
    str text = sp->d->text;

    if (sp->d->text_cp == text.n) /* all are of one byte */
        return at;
    if (at >= sp->at)
        sp->at_cp += utf8_count(str_sub(text, sp->at, at - sp->at));
    else
        sp->at_cp -= utf8_count(str_sub(text, at, sp->at - at));
    sp->at = at;
    return sp->at_cp;
}

/* Where the text of a chunk that starts with atom i starts: code keeps the
 * indent of its first line. */
static uint64_t start_of(const struct splitter *sp, size_t i)
{
    const struct atom *a = &sp->atoms.v[i];
    const struct block *b = &sp->d->blocks[a->block];
    uint64_t at = a->start;

    while (b->kind == BLOCK_CODE && at > b->start &&
           (sp->d->text.p[at - 1] == ' ' || sp->d->text.p[at - 1] == '\t'))
        at--;
    return at > b->start && sp->d->text.p[at - 1] != '\n' ? a->start : at;
}

static void box_join(float to[4], const float box[4])
{
    bool none = !(to[2] > to[0]);

    for (size_t k = 0; k < 4 && box[2] > box[0]; k++) {
        if (none || (k < 2 ? box[k] < to[k] : box[k] > to[k]))
            to[k] = box[k];
    }
}

/* The first line that ends behind `at`, or how many there are. */
static size_t line_behind(const struct doc *d, uint64_t at)
{
    size_t low = 0, high = d->lines_n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (d->lines[mid].end > at)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Where the chunk begins: its lines on its first page; of a document without
 * lines its blocks there. */
static void chunk_place(const struct splitter *sp, struct chunk *c,
                        uint32_t first, uint32_t last)
{
    const struct doc *d = sp->d;

    for (size_t i = line_behind(d, c->start);
         i < d->lines_n && d->lines[i].start < c->end; i++) {
        if (c->page == 0)
            c->page = d->lines[i].page;
        if (d->lines[i].page == c->page)
            box_join(c->box, d->lines[i].box);
    }
    if (d->lines_n > 0)
        return;
    c->page = d->blocks[first].page;
    for (uint32_t i = first; i <= last && c->page != 0; i++) {
        if (d->blocks[i].page == c->page)
            box_join(c->box, d->blocks[i].box);
    }
}

/* Cost of all atoms before i, and of the gap before it. */
static uint64_t cost_before(const struct splitter *sp, size_t i)
{
    const struct atom *v = sp->atoms.v;
    uint64_t gap = i == 0 ? 0 : gap_cost(v[i].start - v[i - 1].end);

    return sp->sums[i] + gap;
}

/* Cost of the atoms from i up to end. */
static uint64_t cost_of(const struct splitter *sp, size_t i, size_t end)
{
    return sp->sums[end] - cost_before(sp, i);
}

/* How far a chunk that starts with atom i reaches back for its overlap, not
 * before atom `first`: to the start of a sentence, else of a word. */
static size_t overlap_start(const struct splitter *sp, size_t i, size_t first)
{
    size_t sentence = i, word = i;

    /* The gap before atom i is in the chunk too. */
    while (word > first &&
           cost_of(sp, word - 1, i + 1) <= sp->overlap + sp->atoms.v[i].cost) {
        word--;
        if (sp->atoms.v[word].cut <= CUT_SENTENCE)
            sentence = word;
    }
    return sentence < i ? sentence : word;
}

/* Tokens of the text of atoms [i, end), which begins at `start`: their costs
 * add up to what chunk_tokens counts, but where one is rough. */
static uint32_t tokens_of(const struct splitter *sp, size_t i, size_t end,
                          uint64_t start)
{
    const struct atom *v = sp->atoms.v;
    const struct chunk_counter *c = sp->o->counter;
    str text = str_sub(sp->d->text, start, v[end - 1].end - start);
    bool rough = false;

    if (c != NULL)
        return c->tokens(c->arg, text);
    for (size_t k = i; k < end && !rough; k++)
        rough = v[k].rough;
    if (rough)
        return chunk_tokens(text);
    return (uint32_t)((cost_of(sp, i, end) + COST_TOKEN - 1) / COST_TOKEN);
}

static rc emit(struct splitter *sp, size_t i, size_t end, struct err *e)
{
    const struct atom *v = sp->atoms.v;
    struct chunk c = {.start = start_of(sp, i),
                      .end = v[end - 1].end,
                      .heading = heading_of(sp, i)};

    if (sp->res->n == CHUNKS_MAX)
        return err_set(e, RC_LIMIT, "the document has more than %zu chunks",
                       CHUNKS_MAX);
    c.start_cp = count_to(sp, c.start);
    c.end_cp = count_to(sp, c.end);
    c.tokens = tokens_of(sp, i, end, c.start);
    ASSERT_SLOW(sp->o->counter != NULL ||
                c.tokens == chunk_tokens(str_sub(sp->d->text, c.start,
                                                 c.end - c.start)));
    chunk_place(sp, &c, v[i].block, v[end - 1].block);
    sp->res->tokens += c.tokens;
    ARENA_PUSH(sp->out, sp->res->v, sp->res->n, sp->cap, c);
    return RC_OK;
}

/* ---- choosing the cuts ---- */

/* The cuts of atoms [first, end) with the least penalty, by dynamic
 * programming: sizes near their mean, good places. from[] gets the chain. */
static void choose_cuts(struct splitter *sp, size_t first, size_t end)
{
    uint64_t total = cost_of(sp, first, end), room = budget(sp, first);
    uint64_t n = (total + room - 1) / room;
    double mean = (double)total / (double)n;

    sp->best[first] = 0;
    for (size_t j = first + 1; j <= end; j++)
        sp->best[j] = -1; /* not reached */
    for (size_t i = first; i < end; i++) {
        uint64_t before = cost_before(sp, i);

        room = budget(sp, i);
        for (size_t j = i + 1; j <= end; j++) {
            uint64_t cost = sp->sums[j] - before;
            double off = ((double)cost - mean) / mean, p;

            if (cost > room)
                break;
            p = sp->best[i] + off * off +
                (j < end ? CUT_COSTS[sp->atoms.v[j].cut] : 0);
            if (sp->best[j] < 0 || p < sp->best[j]) {
                sp->best[j] = p;
                sp->from[j] = (uint32_t)i;
            }
        }
    }
}

static rc split_section(struct splitter *sp, size_t first, size_t end,
                        struct err *e)
{
    rc code = RC_OK;
    size_t to = end;

    if (cost_of(sp, first, end) <= budget(sp, first))
        return emit(sp, first, end, e);
    choose_cuts(sp, first, end);
    /* The chain runs backwards: turn it round. */
    for (size_t at = end, next = end; at > first; at = to) {
        to = sp->from[at];
        sp->from[at] = (uint32_t)next;
        next = at;
        if (to == first)
            sp->from[first] = (uint32_t)next;
    }
    for (size_t at = first; at < end && code == RC_OK; at = to) {
        to = sp->from[at];
        code = emit(sp, at == first ? at : overlap_start(sp, at, first), to, e);
    }
    return code;
}

/* Where the section that starts with atom i ends. */
static size_t section_end(const struct splitter *sp, size_t i)
{
    do
        i++;
    while (i < sp->atoms.n && sp->atoms.v[i].cut != CUT_SECTION);
    return i;
}

static rc split_all(struct splitter *sp, struct err *e)
{
    uint64_t tiny = (uint64_t)sp->o->tokens_max * COST_TOKEN / TINY_SHARE;
    rc code = RC_OK;

    for (size_t i = 0, end; i < sp->atoms.n && code == RC_OK; i = end) {
        end = section_end(sp, i);
        while (end < sp->atoms.n && cost_of(sp, i, end) <= tiny) {
            size_t next = section_end(sp, end);

            if (cost_of(sp, end, next) > tiny)
                break;
            end = next;
        }
        code = split_section(sp, i, end, e);
    }
    return code;
}

static void add_atoms(struct splitter *sp)
{
    const struct atom *v;
    size_t n;

    for (size_t i = 0; i < sp->d->blocks_n; i++)
        atoms_add(&sp->atoms, sp->d, (uint32_t)i);
    n = sp->atoms.n;
    v = sp->atoms.v;
    sp->sums = ARENA_ARRAY(sp->tmp, uint64_t, n + 1);
    sp->best = ARENA_ARRAY(sp->tmp, double, n + 1);
    sp->from = ARENA_ARRAY(sp->tmp, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++)
        sp->sums[i + 1] = sp->sums[i] + v[i].cost +
                          (i == 0 ? 0 : gap_cost(v[i].start - v[i - 1].end));
}

rc chunk_split(const struct doc *d, const struct chunk_opts *o,
               struct arena *out, struct chunks *res, struct err *e)
{
    struct splitter sp = {.d = d, .o = o, .out = out, .res = res};
    uint32_t overlap = o->overlap_tokens;
    uint64_t least; /* what any chunk may hold */
    rc code;

    ASSERT(o->tokens_max >= CHUNK_TOKENS_MIN && d->text.n <= TEXT_BYTES_MAX);
    *res = (struct chunks){0};
    if (overlap > o->tokens_max / 4)
        overlap = o->tokens_max / 4;
    sp.overlap = (uint64_t)overlap * COST_TOKEN;
    least = (uint64_t)(o->tokens_max - SPECIAL_TOKENS -
                       CHUNK_HEADING_TOKENS_MAX - overlap) *
            COST_TOKEN;
    sp.tmp = arena_open();
    sp.atoms = (struct atoms){.out = sp.tmp,
                              .counter = o->counter,
                              .cost_max = least,
                              .cost_small = least / 16};
    add_atoms(&sp);
    code = split_all(&sp, e);
    arena_close(sp.tmp);
    return code;
}
