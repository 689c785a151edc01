#include "text/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "text/chunk_priv.h"
#include "text/utf8.h"

static int open_arena(void **state)
{
    *state = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    arena_close(*state);
    return 0;
}

/* A document made by hand: text/ may not include extract/. A line that starts
 * with # is a heading, | a row, - an item, "    " code, all else paragraphs
 * parted by blank lines. */
static struct doc make_doc(struct arena *a, str text)
{
    struct doc d = {.text = text, .text_cp = utf8_count(text)};
    size_t cap = 0;
    uint32_t open[8], heading = HEADING_NONE;
    const char *why;

    for (size_t i = 0; i < NELEMS(open); i++)
        open[i] = HEADING_NONE;
    for (size_t at = 0; at < text.n;) {
        size_t n = str_find_char(str_sub(text, at, text.n), '\n');
        str line = str_sub(text, at, n), s = str_trim(line);
        struct block b = {.start = at + (size_t)(s.p - line.p),
                          .heading = heading};
        struct block *last = d.blocks_n == 0 ? NULL : &d.blocks[d.blocks_n - 1];

        b.end = b.start + s.n;
        at += n + 1;
        if (s.n == 0)
            continue;
        b.kind = BLOCK_PARAGRAPH;
        if (s.p[0] == '#') {
            b.kind = BLOCK_HEADING;
            while (b.level < s.n && b.level < 6 && s.p[b.level] == '#')
                b.level++;
            b.heading = HEADING_NONE;
            for (unsigned i = 1; i < b.level; i++) {
                if (open[i] != HEADING_NONE)
                    b.heading = open[i];
            }
            heading = open[b.level] = (uint32_t)d.blocks_n;
            for (size_t i = b.level + 1; i < NELEMS(open); i++)
                open[i] = HEADING_NONE;
        } else if (s.p[0] == '|') {
            b.kind = BLOCK_TABLE_ROW;
        } else if (s.p[0] == '-') {
            b.kind = BLOCK_LIST_ITEM;
            b.level = 1;
        } else if (str_starts(line, STR("    "))) {
            b.kind = BLOCK_CODE;
            b.start = (size_t)(line.p - text.p);
        }
        b.start_cp = utf8_count(str_sub(text, 0, b.start));
        b.end_cp = utf8_count(str_sub(text, 0, b.end));
        if (last != NULL && last->kind == b.kind &&
            (b.kind == BLOCK_PARAGRAPH || b.kind == BLOCK_CODE) &&
            str_find(str_sub(text, last->end, b.start - last->end),
                     STR("\n\n")) == b.start - last->end) {
            last->end = b.end;
            last->end_cp = b.end_cp;
            continue;
        }
        ARENA_PUSH(a, d.blocks, d.blocks_n, cap, b);
    }
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    return d;
}

static bool white(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* Tokens as a WordPiece might count them: signs are one each, three bytes of a
 * word are one, and a word of more than 100 bytes is one. */
static uint32_t pieces(void *arg, str text)
{
    uint32_t n = 0;
    size_t word = 0;

    (void)arg;
    for (size_t i = 0; i <= text.n; i++) {
        unsigned char c = i < text.n ? (unsigned char)text.p[i] : ' ';
        bool sign = c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') &&
                    !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

        if (c > ' ' && !sign) {
            word++;
            continue;
        }
        n += (uint32_t)(word > 100 ? 1 : (word + 2) / 3) + sign;
        word = 0;
    }
    return n;
}
static const struct chunk_counter PIECES = {pieces, NULL};

static uint32_t tokens_of(const struct chunk_opts *o, str text)
{
    return o->counter == NULL ? chunk_tokens(text) : pieces(NULL, text);
}

/* Everything the header promises of any document. */
static struct chunks split(struct arena *a, const struct doc *d,
                           struct chunk_opts o)
{
    struct chunks cs;
    struct err e;
    uint64_t at = 0, tokens = 0;

    assert_int_equal(chunk_split(d, &o, a, &cs, &e), RC_OK);
    for (size_t i = 0; i < cs.n; i++) {
        const struct chunk *c = &cs.v[i];
        str text = str_sub(d->text, c->start, c->end - c->start);
        str context = chunk_context(d, c, o.title, o.counter, a);

        assert_true(c->start < c->end && c->end <= d->text.n);
        assert_int_equal(c->start_cp,
                         utf8_count(str_sub(d->text, 0, c->start)));
        assert_int_equal(c->end_cp, utf8_count(str_sub(d->text, 0, c->end)));
        assert_false(white(d->text.p[c->end - 1]));
        assert_int_equal(c->tokens, tokens_of(&o, text));
        assert_true(tokens_of(&o, context) <= CHUNK_HEADING_TOKENS_MAX);
        if (c->tokens + tokens_of(&o, context) + 2 > o.tokens_max + 1)
            fail_msg("%u tokens: " STR_FMT, c->tokens,
                     STR_ARG(str_sub(text, 0, 200)));
        assert_int_equal(utf8_valid_prefix(text), text.n);
        assert_true(c->heading == HEADING_NONE ||
                    d->blocks[c->heading].kind == BLOCK_HEADING);
        /* what was left out is white space or before the first block */
        if (o.overlap_tokens == 0)
            assert_true(c->start >= at);
        for (; at < c->start; at++)
            assert_true(white(d->text.p[at]) ||
                        (d->blocks_n > 0 && at < d->blocks[0].start));
        assert_true(c->end > at);
        at = c->end;
        tokens += c->tokens;
    }
    for (; at < d->text.n; at++)
        assert_true(white(d->text.p[at]));
    assert_int_equal(cs.tokens, tokens);
    return cs;
}

static str chunk_text(const struct doc *d, const struct chunk *c)
{
    return str_sub(d->text, c->start, c->end - c->start);
}

static void put_sentences(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_fmt(b, "%sSentence number %zu has just nine words in it.",
                i == 0 ? "" : " ", i);
}

static void tokens_follow_the_rule(void **state)
{
    static const struct {
        const char *text;
        uint32_t tokens;
    } CASES[] = {
        {"", 0},        {"   \n\t ", 0},  {"the", 2}, /* 1.03: what is begun counts */
        {"a b c d", 4}, {"It is so.", 4}, {"3.14", 3},   {"2024", 2},
        {"東京都", 3},  {"안녕", 4},      {"Москва", 6}, {"résumé", 2},
        {"x = y", 3},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++)
        assert_int_equal(chunk_tokens(str_of(CASES[i].text)), CASES[i].tokens);
}

static void a_short_document_is_one_chunk(void **state)
{
    struct arena *a = *state;
    struct doc d = make_doc(a, STR("# Title\n\nA line of text.\n"));
    struct chunks cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});

    assert_int_equal(cs.n, 1);
    assert_true(
        str_eq(chunk_text(&d, cs.v), STR("# Title\n\nA line of text.")));
    assert_int_equal(cs.v[0].heading, 0);
}

static void an_empty_document_has_no_chunks(void **state)
{
    struct doc d = make_doc(*state, STR("\n \n"));

    assert_int_equal(
        split(*state, &d, (struct chunk_opts){.tokens_max = 256}).n, 0);
}

static void sections_are_not_mixed(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    buf_put(&b, STR("# One\n\n"));
    put_sentences(&b, 8);
    buf_put(&b, STR("\n\n## Two\n\n"));
    put_sentences(&b, 8);
    buf_put(&b, STR("\n\n### Three\n\n"));
    put_sentences(&b, 2);
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});
    assert_int_equal(cs.n, 2);
    assert_true(str_starts(chunk_text(&d, &cs.v[1]), STR("## Two")));
    assert_true(str_eq(chunk_context(&d, &cs.v[1], STR("Doc"), NULL, a),
                       STR("Doc > One > Two")));
    buf_close(&b);
}

static void a_listing_is_apart_from_the_text(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    for (size_t i = 0; i < 3; i++) {
        put_sentences(&b, 8);
        buf_put(&b, STR("\n\n"));
    }
    d = make_doc(a, buf_str(&b));
    assert_int_equal(d.blocks_n, 3);
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 384});
    assert_int_equal(cs.n, 1);
    d.blocks[1].kind = BLOCK_LISTING;
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 384});
    assert_int_equal(cs.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cs.v[i].start, d.blocks[i].start);
    buf_close(&b);
}

static void tiny_sections_share_a_chunk(void **state)
{
    struct arena *a = *state;
    struct doc d = make_doc(
        a, STR("# A\n\nTiny.\n\n# B\n\nTiny too.\n\n# C\n\nAnd this.\n"));
    struct chunks cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});

    assert_int_equal(cs.n, 1);
}

static void a_heading_stays_with_its_text(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    for (int i = 0; i < 40; i++) {
        buf_fmt(&b, "### Heading %d\n\n", i);
        put_sentences(&b, (size_t)(1 + i % 5));
        buf_put(&b, STR("\n\n"));
    }
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    assert_true(cs.n > 5);
    for (size_t i = 0; i < cs.n; i++) {
        str s = chunk_text(&d, &cs.v[i]);
        size_t line = s.n;

        while (line > 0 && s.p[line - 1] != '\n')
            line--;
        assert_int_not_equal(s.p[line], '#');
    }
    buf_close(&b);
}

static void remainders_are_balanced(void **state)
{
    struct arena *a = *state;

    for (size_t n = 20; n < 100; n += 7) {
        struct buf b = {0};
        struct doc d;
        struct chunks cs;
        uint32_t least = UINT32_MAX, most = 0;

        put_sentences(&b, n);
        d = make_doc(a, buf_str(&b));
        cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});
        for (size_t i = 0; i < cs.n; i++) {
            least = cs.v[i].tokens < least ? cs.v[i].tokens : least;
            most = cs.v[i].tokens > most ? cs.v[i].tokens : most;
            assert_int_equal(d.text.p[cs.v[i].end - 1], '.');
        }
        /* a sentence is about 12 tokens */
        if (most - least > 30)
            fail_msg("%zu sentences: %u to %u tokens", n, least, most);
        buf_close(&b);
    }
}

static void cuts_are_at_sentences_not_abbreviations(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    for (int i = 0; i < 60; i++)
        buf_put(&b, STR("Dr. Smith et al. met J. R. Doe, e.g. in Fig. 3 of the "
                        "U.S. report (cf. No. 5). “Was it so?” "));
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    assert_true(cs.n > 10);
    for (size_t i = 0; i < cs.n; i++) {
        str s = chunk_text(&d, &cs.v[i]);

        assert_true(str_starts(s, STR("Dr.")) || str_starts(s, STR("“Was")));
    }
    buf_close(&b);
}

/* Wherever it stands, and whatever stands beside it. */
static void a_sentence_ends_at_its_mark(void **state)
{
    static const char *const ENDS[] = {". ", "! ", "?\" ", "。", "！", "\n"};
    struct arena *a = *state;

    for (size_t i = 0; i < NELEMS(ENDS) * 40; i++) {
        str end = str_of(ENDS[i % NELEMS(ENDS)]);
        size_t first = 60 + i / NELEMS(ENDS);
        struct block block = {.kind = BLOCK_PARAGRAPH};
        struct buf b = {0};
        struct doc d = {.blocks = &block, .blocks_n = 1};
        struct atoms atoms = {.out = a, .cost_max = 100000};

        while (b.n < first)
            buf_put_char(&b, b.n % 9 == 8 && b.n + 1 < first ? ' ' : '7');
        buf_put(&b, end);
        buf_put(&b, STR("ïçãÏ: and more, 語. of it (here) 7.5 times"));
        block.end = b.n;
        d.text = buf_str(&b);
        atoms_add(&atoms, &d, 0);
        assert_true(atoms.n >= 2);
        assert_int_equal(atoms.v[0].end, first + str_trim(end).n);
        assert_int_equal(atoms.v[atoms.n - 1].end, b.n);
        buf_close(&b);
    }
}

static void rows_and_code_lines_stay_whole(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    for (int i = 0; i < 80; i++)
        buf_fmt(&b, "| row %d | some. text here | and more of it |\n", i);
    buf_put(&b, STR("\n"));
    for (int i = 0; i < 80; i++)
        buf_fmt(&b, "    if (x%d == 1) { call(a, b. c); }\n", i);
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    for (size_t i = 0; i < cs.n; i++) {
        str s = chunk_text(&d, &cs.v[i]);

        assert_true(str_starts(s, STR("| row")) ||
                    str_starts(s, STR("    if (x")));
        assert_true(s.p[s.n - 1] == '|' || s.p[s.n - 1] == '}');
    }
    buf_close(&b);
}

static void words_are_whole_in_a_text_without_sentences(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    for (int i = 0; i < 3000; i++)
        buf_fmt(&b, "word%d-and/more ", i);
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    for (size_t i = 0; i < cs.n; i++)
        assert_true(str_starts(chunk_text(&d, &cs.v[i]), STR("word")) &&
                    str_ends(chunk_text(&d, &cs.v[i]), STR("more")));
    buf_close(&b);
}

static void a_word_over_the_budget_is_cut_between_characters(void **state)
{
    static const char *const UNITS[] = {
        "x", "é",         "7",        "語",       "안", "Ж",
        "/", "e\xcc\x81", "\xcc\x81", "\xc2\xa0", "a1", "\xf0\x9f\x98\x80"};
    struct arena *a = *state;

    for (size_t u = 0; u < NELEMS(UNITS); u++) {
        struct buf b = {0};
        struct doc d;

        buf_put(&b, STR("Before it "));
        for (int i = 0; i < 20000; i++)
            buf_put(&b, str_of(UNITS[u]));
        buf_put(&b, STR(" and behind it."));
        d = make_doc(a, buf_str(&b));
        assert_true(split(a, &d, (struct chunk_opts){.tokens_max = 128}).n > 2);
        buf_close(&b);
    }
}

static void white_space_does_not_make_endless_chunks(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    for (int i = 0; i < 20; i++)
        buf_fmt(&b, "one%*s two\n%s\n", 3000, "", i % 2 ? "\n\n" : "");
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    for (size_t i = 0; i < cs.n; i++)
        assert_true(cs.v[i].end - cs.v[i].start < 4000);
    buf_close(&b);
}

static void neighbours_share_the_overlap(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunks cs;

    put_sentences(&b, 60);
    d = make_doc(a, buf_str(&b));
    cs = split(a, &d,
               (struct chunk_opts){.tokens_max = 256, .overlap_tokens = 32});
    assert_true(cs.n > 2);
    for (size_t i = 1; i < cs.n; i++) {
        const struct chunk *c = &cs.v[i], *p = c - 1;
        uint32_t shared =
            chunk_tokens(str_sub(d.text, c->start, p->end - c->start));

        assert_true(c->start < p->end && c->start > p->start);
        assert_true(shared > 0 && shared <= 33);
        assert_true(str_starts(chunk_text(&d, c), STR("Sentence")));
    }
    buf_close(&b);
}

static void context_is_cut_from_the_middle(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct doc d;
    struct chunk c = {.heading = 2};
    str s;

    buf_put(&b, STR("# Manual\n\n## "));
    for (int i = 0; i < 60; i++)
        buf_put(&b, STR("middle "));
    buf_put(&b, STR("\n\n### Innermost heading\n\ntext\n"));
    d = make_doc(a, buf_str(&b));
    s = chunk_context(&d, &c, STR("The manual of it all"), NULL, a);
    assert_true(str_starts(s, STR("The manual of it all > middle ")));
    assert_true(str_ends(s, STR("middle > Innermost heading")));
    assert_true(chunk_tokens(s) <= CHUNK_HEADING_TOKENS_MAX);
    /* the title is not said twice */
    s = chunk_context(&d, &(struct chunk){.heading = 0}, STR("manual"), NULL,
                      a);
    assert_true(str_eq(s, STR("manual")));
    s = chunk_context(&d, &(struct chunk){.heading = HEADING_NONE}, STR_NONE,
                      NULL, a);
    assert_int_equal(s.n, 0);
    buf_close(&b);
}

static void page_and_box_are_those_of_the_first_page(void **state)
{
    struct arena *a = *state;
    struct doc d = make_doc(a, STR("One.\n\nTwo.\n\nThree.\n"));
    struct chunks cs;

    for (size_t i = 0; i < 3; i++) {
        d.blocks[i].page = i < 2 ? 4 : 5;
        d.blocks[i].box[0] = 10.0f - (float)i;
        d.blocks[i].box[1] = 20;
        d.blocks[i].box[2] = 100;
        d.blocks[i].box[3] = 30.0f + (float)i;
    }
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});
    assert_int_equal(cs.n, 1);
    assert_int_equal(cs.v[0].page, 4);
    assert_true(cs.v[0].box[0] > 8.9f && cs.v[0].box[0] < 9.1f);
    assert_true(cs.v[0].box[3] > 30.9f && cs.v[0].box[3] < 31.1f);
}

/* A line of the page for each line of text, `per_page` of them a page; line n
 * of a page is the box {10 + n, 20 n, 100 + 2 n, 20 n + 12}. */
static void place_lines(struct arena *a, struct doc *d, size_t per_page)
{
    size_t cap = 0, number = 0;

    for (size_t at = 0; at < d->text.n; number++) {
        size_t n = str_find_char(str_sub(d->text, at, d->text.n), '\n');
        float k = (float)(number % per_page);
        struct doc_line l = {.start = at,
                             .end = at + n,
                             .page = (uint32_t)(number / per_page) + 1,
                             .box = {10 + k, 20 * k, 100 + 2 * k, 20 * k + 12}};

        if (n > 0)
            ARENA_PUSH(a, d->lines, d->lines_n, cap, l);
        at += n + 1;
    }
}

/* The slow way: all lines that the chunk touches, on the page of the first. */
static void assert_placed(const struct doc *d, const struct chunk *c)
{
    struct chunk want = {0};
    bool none = true;

    for (size_t i = 0; i < d->lines_n; i++) {
        const struct doc_line *l = &d->lines[i];

        if (l->end <= c->start || l->start >= c->end)
            continue;
        if (want.page == 0)
            want.page = l->page;
        if (l->page != want.page)
            continue;
        for (size_t k = 0; k < 4; k++)
            if (none ||
                (k < 2 ? l->box[k] < want.box[k] : l->box[k] > want.box[k]))
                want.box[k] = l->box[k];
        none = false;
    }
    assert_int_equal(c->page, want.page);
    assert_memory_equal(c->box, want.box, sizeof want.box);
}

static void a_chunk_has_the_whole_of_the_lines_it_touches(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct chunks cs;
    struct doc d;
    bool inside = false, low = false; /* on a page */

    /* Sentences of nine words, lines of five. */
    put_sentences(&b, 60);
    for (size_t i = 0, words = 0; i < b.n; i++)
        if (b.p[i] == ' ' && ++words % 5 == 0)
            b.p[i] = '\n';
    d = make_doc(a, buf_str(&b));
    place_lines(a, &d, 13);
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    assert_true(cs.n > 2);
    for (size_t i = 0; i < cs.n; i++) {
        const struct chunk *c = &cs.v[i];

        assert_placed(&d, c);
        assert_true(c->page > 0 && c->box[2] > c->box[0]);
        inside = inside || (c->start > 0 && d.text.p[c->start - 1] != '\n');
        low = low || c->box[1] > 0;
    }
    assert_true(inside && low);
    buf_close(&b);
}

static void a_chunk_over_two_pages_stands_on_its_first(void **state)
{
    struct arena *a = *state;
    struct doc d = make_doc(a, STR("One.\ntwo.\nthree.\nfour.\n"));
    struct chunks cs;

    place_lines(a, &d, 2);
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});
    assert_int_equal(cs.n, 1);
    assert_int_equal(cs.v[0].page, 1);
    assert_true(cs.v[0].box[3] > 31.9f && cs.v[0].box[3] < 32.1f);
    assert_placed(&d, &cs.v[0]);
}

/* The heading is context, not part of the passage: its page is not its. */
static void a_heading_above_on_another_page_moves_nothing(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct chunks cs;
    struct doc d;

    buf_put(&b, STR("# Heading\n\n"));
    put_sentences(&b, 40);
    d = make_doc(a, buf_str(&b));
    place_lines(a, &d, 1); /* every line a page of its own */
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 128});
    assert_true(cs.n > 1);
    assert_int_equal(cs.v[0].page, 1);
    for (size_t i = 1; i < cs.n; i++) {
        assert_int_equal(cs.v[i].heading, 0);
        assert_true(cs.v[i].page > 1);
        assert_placed(&d, &cs.v[i]);
    }
    buf_close(&b);
}

static void an_overlap_begins_where_its_first_line_stands(void **state)
{
    struct arena *a = *state;
    struct buf b = {0};
    struct chunks cs;
    struct doc d;
    bool shared = false;

    put_sentences(&b, 60);
    for (size_t i = 0; i < b.n; i++) /* a sentence a line */
        if (b.p[i] == ' ' && b.p[i - 1] == '.')
            b.p[i] = '\n';
    d = make_doc(a, buf_str(&b));
    place_lines(a, &d, 3);
    cs = split(a, &d,
               (struct chunk_opts){.tokens_max = 128, .overlap_tokens = 32});
    assert_true(cs.n > 2);
    for (size_t i = 0; i < cs.n; i++) {
        assert_placed(&d, &cs.v[i]);
        shared = shared || (i > 0 && cs.v[i].start < cs.v[i - 1].end);
    }
    assert_true(shared);
    buf_close(&b);
}

/* Marks of Markdown and what was put in stand nowhere on the page. */
static void text_that_stands_nowhere_has_no_place(void **state)
{
    struct arena *a = *state;
    struct doc d = make_doc(a, STR("One.\n\nTwo.\n"));
    struct chunks cs;

    place_lines(a, &d, 1);
    d.lines++; /* the first line is unknown */
    d.lines_n--;
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});
    assert_int_equal(cs.n, 1);
    assert_int_equal(cs.v[0].page, 3);
    assert_placed(&d, &cs.v[0]);
    d.lines_n = 1; /* lines, but none of this document's text */
    d.lines[0].start = d.lines[0].end = d.text.n;
    cs = split(a, &d, (struct chunk_opts){.tokens_max = 256});
    assert_int_equal(cs.v[0].page, 0);
    assert_true(cs.v[0].box[2] == 0);
}

static uint64_t next_random(uint64_t *x)
{
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return *x >> 33;
}

/* Any document, any size: what split() checks holds. */
static void promises_hold_for_random_documents(void **state)
{
    static const char *const BITS[] = {"word ",
                                       "another ",
                                       "Sentence ends. ",
                                       "why? ",
                                       "\n",
                                       "\n\n",
                                       "# H\n\n",
                                       "## Two words\n\n",
                                       "### Three\n",
                                       "- item ",
                                       "\n- item\n",
                                       "| a | b |\n",
                                       "    code(line);\n",
                                       "日本語。",
                                       "漢字",
                                       "한국어 ",
                                       "e\xcc\x81",
                                       "12345 ",
                                       "supercalifragilisticexpialidocious",
                                       "https://x.example/a/b?c=d ",
                                       "            ",
                                       "\xc2\xa0",
                                       "\xe2\x80\x8d",
                                       "مرحبا ",
                                       "😀",
                                       ":\n\n",
                                       "Dr. ",
                                       "\t",
                                       "#### \n",
                                       "*** "};
    static const uint32_t SIZES[] = {128, 256, 384};
    struct arena *a = *state;
    uint64_t x = 42;

    for (int round = 0; round < 600; round++) {
        struct arena_mark mark = arena_mark(a);
        struct buf b = {0};
        size_t n = next_random(&x) % 1500, kinds = 1 + next_random(&x) % 30;
        struct chunks cs;
        struct doc d;

        for (size_t i = 0; i < n; i++)
            buf_put(&b, str_of(BITS[next_random(&x) % kinds]));
        d = make_doc(a, buf_str(&b));
        if (round % 2 == 0)
            place_lines(a, &d, 1 + next_random(&x) % 20);
        cs = split(
            a, &d,
            (struct chunk_opts){.tokens_max = SIZES[round % 3],
                                .overlap_tokens = round % 4 == 0 ? 32 : 0,
                                .title = STR("A title"),
                                .counter = round % 5 < 2 ? &PIECES : NULL});
        for (size_t i = 0; i < cs.n && d.lines_n > 0; i++)
            assert_placed(&d, &cs.v[i]);
        buf_close(&b);
        arena_rewind(a, mark);
    }
}

/* The walk over plain ASCII says what a step for each run says. */
static void costs_are_alike_with_and_without_steps(void **state)
{
    static const char *const PARTS[] = {"the ",
                                        "internationalisation ",
                                        "x",
                                        "42",
                                        "1234567890123",
                                        " \n\n",
                                        "snake_case_name",
                                        "-",
                                        "é",
                                        "naïve",
                                        "漢字",
                                        "...",
                                        "a1",
                                        "한글 ",
                                        "e\xcc\x81"};
    uint64_t x = 42;

    (void)state;
    for (int round = 0; round < 300; round++) {
        char text[1024];
        size_t n = 0, at = 0, parts = 1 + (size_t)round % 30;
        uint64_t cost = 0;
        struct run r;

        for (size_t i = 0; i < parts; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            n += (size_t)snprintf(text + n, sizeof text - n, "%s",
                                  PARTS[(x >> 33) % NELEMS(PARTS)]);
        }
        while (run_next((str){text, n}, &at, &r))
            cost += r.cost + r.gap;
        assert_int_equal(runs_cost((str){text, n}, 0, UINT64_MAX), cost);
        if (cost > 0)
            assert_true(runs_cost((str){text, n}, 0, cost - 1) >= cost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_follow_the_rule),
        cmocka_unit_test(a_short_document_is_one_chunk),
        cmocka_unit_test(an_empty_document_has_no_chunks),
        cmocka_unit_test(sections_are_not_mixed),
        cmocka_unit_test(a_listing_is_apart_from_the_text),
        cmocka_unit_test(tiny_sections_share_a_chunk),
        cmocka_unit_test(a_heading_stays_with_its_text),
        cmocka_unit_test(remainders_are_balanced),
        cmocka_unit_test(cuts_are_at_sentences_not_abbreviations),
        cmocka_unit_test(a_sentence_ends_at_its_mark),
        cmocka_unit_test(rows_and_code_lines_stay_whole),
        cmocka_unit_test(words_are_whole_in_a_text_without_sentences),
        cmocka_unit_test(a_word_over_the_budget_is_cut_between_characters),
        cmocka_unit_test(white_space_does_not_make_endless_chunks),
        cmocka_unit_test(neighbours_share_the_overlap),
        cmocka_unit_test(context_is_cut_from_the_middle),
        cmocka_unit_test(page_and_box_are_those_of_the_first_page),
        cmocka_unit_test(a_chunk_has_the_whole_of_the_lines_it_touches),
        cmocka_unit_test(a_chunk_over_two_pages_stands_on_its_first),
        cmocka_unit_test(a_heading_above_on_another_page_moves_nothing),
        cmocka_unit_test(an_overlap_begins_where_its_first_line_stands),
        cmocka_unit_test(text_that_stands_nowhere_has_no_place),
        cmocka_unit_test(promises_hold_for_random_documents),
        cmocka_unit_test(costs_are_alike_with_and_without_steps),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
