#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/crc.h"

/* "# A\n\ntéxt\n\n## B\n\n- item\n" */
static struct doc sample(struct block blocks[4])
{
    struct doc d = {.title = STR("A"),
                    .text = STR("# A\n\nt\xc3\xa9xt\n\n## B\n\n- item\n"),
                    .text_cp = 24,
                    .note = STR("a note"),
                    .mime = STR("text/markdown"),
                    .blocks = blocks,
                    .blocks_n = 4,
                    .extractor_version = 3};

    blocks[0] = (struct block){.kind = BLOCK_HEADING,
                               .level = 1,
                               .start = 0,
                               .end = 3,
                               .start_cp = 0,
                               .end_cp = 3,
                               .heading = HEADING_NONE};
    blocks[1] = (struct block){.kind = BLOCK_PARAGRAPH,
                               .start = 5,
                               .end = 10,
                               .start_cp = 5,
                               .end_cp = 9,
                               .heading = 0,
                               .page = 2,
                               .box = {1.5f, 2, 3, 4}};
    blocks[2] = (struct block){.kind = BLOCK_HEADING,
                               .level = 2,
                               .start = 12,
                               .end = 16,
                               .start_cp = 11,
                               .end_cp = 15,
                               .heading = 0};
    blocks[3] = (struct block){.kind = BLOCK_LIST_ITEM,
                               .level = 1,
                               .start = 18,
                               .end = 24,
                               .start_cp = 17,
                               .end_cp = 23,
                               .heading = 2};
    return d;
}

/* The same with all that formats with pages have. */
static struct doc paged(struct block blocks[4], struct doc_line lines[3],
                        struct doc_flag flags[2])
{
    struct doc d = sample(blocks);

    blocks[1].page = 1;
    d.pages = 2;
    d.created = STR("2019-03-01T10:20:30Z");
    d.modified = STR("2024-12-31");
    d.ocr_confidence = 87;
    d.canonical = STR("https://example.org/a?b=c&d=\xc3\xa9");
    d.images = 300;
    d.lines = lines;
    d.lines_n = 3;
    lines[0] = (struct doc_line){0, 3, 1, {72, 72.5f, 200.25f, 84}};
    lines[1] = (struct doc_line){5, 10, 1, {72, 90, 300, 101.96875f}};
    lines[2] = (struct doc_line){14, 24, 2, {-4, 0, 595, 842}};
    d.flags = flags;
    d.flags_n = 2;
    flags[0] =
        (struct doc_flag){FLAG_HIDDEN, true, 3, 2, STR("buy n\xc3\xb6w")};
    flags[1] = (struct doc_flag){FLAG_HIDDEN, false, 1, 0, STR_NONE};
    return d;
}

static void assert_same_extras(const struct doc *a, const struct doc *b)
{
    assert_true(str_eq(a->created, b->created));
    assert_true(str_eq(a->modified, b->modified));
    assert_int_equal(a->pages, b->pages);
    assert_int_equal(a->ocr_confidence, b->ocr_confidence);
    assert_true(str_eq(a->canonical, b->canonical));
    assert_int_equal(a->images, b->images);
    assert_int_equal(a->flags_n, b->flags_n);
    for (size_t i = 0; i < a->flags_n; i++) {
        const struct doc_flag *p = &a->flags[i], *q = &b->flags[i];

        assert_int_equal(p->kind, q->kind);
        assert_int_equal(p->dropped, q->dropped);
        assert_int_equal(p->count, q->count);
        assert_int_equal(p->page, q->page);
        assert_true(str_eq(p->sample, q->sample));
    }
    assert_int_equal(a->lines_n, b->lines_n);
    for (size_t i = 0; i < a->lines_n; i++) {
        const struct doc_line *p = &a->lines[i], *q = &b->lines[i];

        assert_int_equal(p->start, q->start);
        assert_int_equal(p->end, q->end);
        assert_int_equal(p->page, q->page);
        assert_memory_equal(p->box, q->box, sizeof p->box);
    }
}

static void assert_same(const struct doc *a, const struct doc *b)
{
    assert_same_extras(a, b);
    assert_true(str_eq(a->title, b->title));
    assert_true(str_eq(a->text, b->text));
    assert_true(str_eq(a->note, b->note));
    assert_true(str_eq(a->mime, b->mime));
    assert_true(str_eq(a->language, b->language));
    assert_int_equal(a->text_cp, b->text_cp);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->extractor_version, b->extractor_version);
    assert_int_equal(a->blocks_n, b->blocks_n);
    for (size_t i = 0; i < a->blocks_n; i++) {
        const struct block *p = &a->blocks[i], *q = &b->blocks[i];

        assert_int_equal(p->kind, q->kind);
        assert_int_equal(p->level, q->level);
        assert_int_equal(p->start, q->start);
        assert_int_equal(p->end, q->end);
        assert_int_equal(p->start_cp, q->start_cp);
        assert_int_equal(p->end_cp, q->end_cp);
        assert_int_equal(p->heading, q->heading);
        assert_int_equal(p->page, q->page);
        assert_memory_equal(p->box, q->box, sizeof p->box);
    }
}

static void a_stream_gives_the_same_document(void **state)
{
    struct arena *a = arena_open();
    struct block blocks[4];
    struct doc d = sample(blocks), got;
    struct buf b = {0};
    struct err e;
    const char *why;

    (void)state;
    assert_true(doc_check(&d, &why));
    assert_int_equal(doc_encode(&d, &b, &e), RC_OK);
    assert_int_equal(doc_decode(buf_str(&b), a, &got, &e), RC_OK);
    assert_same(&d, &got);
    buf_close(&b);
    arena_close(a);
}

static void lines_flags_and_dates_come_back(void **state)
{
    struct arena *a = arena_open();
    struct doc_line lines[3];
    struct doc_flag flags[2];
    struct block blocks[4];
    struct doc d = paged(blocks, lines, flags), got;
    struct buf b = {0};
    struct err e;
    const char *why;

    (void)state;
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    assert_int_equal(doc_encode(&d, &b, &e), RC_OK);
    assert_int_equal(doc_decode(buf_str(&b), a, &got, &e), RC_OK);
    assert_same(&d, &got);
    /* A box between two steps of 1/32 point moves by no more than half. */
    lines[1].box[3] = 101.98f;
    buf_clear(&b);
    assert_int_equal(doc_encode(&d, &b, &e), RC_OK);
    assert_int_equal(doc_decode(buf_str(&b), a, &got, &e), RC_OK);
    assert_true(got.lines[1].box[3] > 101.98f - 1.0f / 64 &&
                got.lines[1].box[3] < 101.98f + 1.0f / 64);
    buf_close(&b);
    arena_close(a);
}

static void flags_of_a_kind_add_up_and_keep_their_first_sample(void **state)
{
    struct arena *a = arena_open();
    struct doc d = {0};
    struct buf b = {0};
    const char *why;

    (void)state;
    while (b.n < DOC_FLAG_SAMPLE_BYTES_MAX - 1)
        buf_put(&b, STR("x"));
    buf_put(&b, STR("\xe2\x82\xac and more")); /* is cut whole */
    doc_flag_add(&d, (struct doc_flag){FLAG_TINY, true, 2, 7, buf_str(&b)}, a);
    doc_flag_add(&d, (struct doc_flag){FLAG_TINY, true, 3, 9, STR("y")}, a);
    doc_flag_add(&d, (struct doc_flag){FLAG_TINY, false, 1, 0, STR("z")}, a);
    doc_flag_add(
        &d, (struct doc_flag){FLAG_TINY, false, UINT32_MAX, 0, STR_NONE}, a);
    assert_int_equal(d.flags_n, 2);
    assert_int_equal(d.flags[0].count, 5);
    assert_int_equal(d.flags[0].page, 7);
    assert_int_equal(d.flags[0].sample.n, DOC_FLAG_SAMPLE_BYTES_MAX - 1);
    assert_int_equal(d.flags[1].count, UINT32_MAX);
    assert_true(str_eq(d.flags[1].sample, STR("z")));
    for (unsigned k = 0; k < DOC_FLAG_COUNT; k++) {
        assert_non_null(DOC_FLAG_NAMES[k]);
        doc_flag_add(&d, (struct doc_flag){k, true, 1, 0, STR_NONE}, a);
        doc_flag_add(&d, (struct doc_flag){k, false, 1, 0, STR_NONE}, a);
    }
    assert_int_equal(d.flags_n, DOC_FLAGS_MAX);
    assert_true(doc_check(&d, &why));
    buf_close(&b);
    arena_close(a);
}

static void only_dates_are_dates(void **state)
{
    static const char *const YES[] = {
        "2024-02-29", "0001-01-01", "2024-01-05T00:00:00Z",
        "2024-01-05T23:59:60+14:00", "2024-01-05T10:00:00.125-03:30"};
    static const char *const NO[] = {"",
                                     "2024",
                                     "2024-1-5",
                                     "2024-13-01",
                                     "2024-00-01",
                                     "2024-01-32",
                                     "0000-01-01",
                                     "D:20240105",
                                     "2024-01-05 10:00:00Z",
                                     "2024-01-05T10:00Z",
                                     "2024-01-05T24:00:00Z",
                                     "2024-01-05T10:00:00",
                                     "2024-01-05T10:00:00.Z",
                                     "2024-01-05T10:00:00+25:00",
                                     "2024-01-05T10:00:00ZZ",
                                     "2024-01-05x"};
    struct arena *a = arena_open();
    struct buf b = {0};
    struct doc got;

    (void)state;
    for (size_t i = 0; i < NELEMS(YES); i++)
        if (!doc_date_valid(str_of(YES[i])))
            fail_msg("%s is a date", YES[i]);
    for (size_t i = 0; i < NELEMS(NO); i++) {
        struct doc d = {.language = STR("no language"),
                        .created = str_of(NO[i]),
                        .modified = str_of(YES[0])};

        if (doc_date_valid(str_of(NO[i])))
            fail_msg("%s is no date", NO[i]);
        /* and a document that says it has no date, which is no fault */
        buf_clear(&b);
        assert_int_equal(doc_encode(&d, &b, NULL), RC_OK);
        assert_int_equal(doc_decode(buf_str(&b), a, &got, NULL), RC_OK);
        assert_int_equal(got.created.n + got.language.n, 0);
        assert_true(str_eq(got.modified, str_of(YES[0])));
    }
    buf_close(&b);
    arena_close(a);
}

static void only_addresses_of_the_web_are_addresses(void **state)
{
    static const char *const YES[] = {"http://a", "https://example.org/x?y#z",
                                      "HTTPS://EXAMPLE.ORG/",
                                      "https://example.org/\xc3\xa9"};
    static const char *const NO[] = {"",
                                     "http://",
                                     "https://",
                                     "/relative",
                                     "//example.org/",
                                     "ftp://example.org/",
                                     "javascript:alert(1)",
                                     " http://a",
                                     "http://a\nb",
                                     "http://a b",
                                     "http://a\x7f",
                                     "http://a\xc2\x85",
                                     "http://a\xff"};
    struct arena *a = arena_open();
    struct buf b = {0};
    struct doc got;

    (void)state;
    for (size_t i = 0; i < NELEMS(YES); i++)
        if (!doc_url_valid(str_of(YES[i])))
            fail_msg("%s is an address", YES[i]);
    for (size_t i = 0; i < NELEMS(NO); i++) {
        struct doc d = {.canonical = str_of(NO[i]), .images = 7};

        if (doc_url_valid(str_of(NO[i])))
            fail_msg("%s is no address", NO[i]);
        /* and a document that says it has none, which is no fault */
        buf_clear(&b);
        assert_int_equal(doc_encode(&d, &b, NULL), RC_OK);
        assert_int_equal(doc_decode(buf_str(&b), a, &got, NULL), RC_OK);
        assert_int_equal(got.canonical.n, 0);
        assert_int_equal(got.images, 7);
    }
    buf_clear(&b);
    buf_put(&b, STR("http://"));
    while (b.n < DOC_URL_BYTES_MAX)
        buf_put_char(&b, 'a');
    assert_true(doc_url_valid(buf_str(&b)));
    buf_put_char(&b, 'a');
    assert_false(doc_url_valid(buf_str(&b)));
    buf_close(&b);
    arena_close(a);
}

/* What a child says of lines and flags that can't be so. */
static void lies_about_lines_and_flags_are_refused(void **state)
{
    struct arena *a = arena_open();
    struct buf b = {0};

    (void)state;
    for (unsigned lie = 0;; lie++) {
        struct doc_line lines[3];
        struct doc_flag flags[2];
        struct block blocks[4];
        struct doc d = paged(blocks, lines, flags), got;

        switch (lie) {
        case 0:
            lines[1].end = 25; /* into the next */
            break;
        case 1:
            lines[2].end = d.text.n + 1;
            break;
        case 2:
            lines[0].end = 0;
            break;
        case 3:
            lines[0].page = 0;
            break;
        case 4:
            lines[2].page = 3; /* of 2 */
            break;
        case 5:
            lines[2].box[0] = 1.5e6f; /* off any page */
            break;
        case 6:
            flags[0].kind = DOC_FLAG_COUNT;
            break;
        case 7:
            flags[1].dropped = true; /* the first once more */
            break;
        case 8:
            flags[0].sample = STR("\xff");
            break;
        case 9:
            flags[0].page = 3;
            break;
        case 10:
            d.ocr_confidence = 101;
            break;
        case 11:
            blocks[1].page = 3;
            break;
        case 12:
            d.mime = STR("text/html\nSet-Cookie: a=b");
            break;
        case 13:
            d.mime = STR("text/html; charset=utf-7");
            break;
        default:
            buf_close(&b);
            arena_close(a);
            return;
        }
        buf_clear(&b);
        assert_int_equal(doc_encode(&d, &b, NULL), RC_OK);
        if (doc_decode(buf_str(&b), a, &got, NULL) != RC_FORMAT)
            fail_msg("lie %u was believed", lie);
    }
}

/* Counts that don't fit what follows are refused before memory is taken. */
static void claims_of_many_take_no_memory(void **state)
{
    struct arena *a = arena_open();
    struct doc_line lines[3];
    struct doc_flag flags[2];
    struct block blocks[4];
    struct doc d = paged(blocks, lines, flags), got;
    struct buf b = {0}, lie = {0};
    size_t tail, before;

    (void)state;
    /* The stream with the number of lines, and the lines, cut off … */
    assert_int_equal(doc_encode(&d, &b, NULL), RC_OK);
    d.lines_n = 0;
    d.canonical = STR_NONE;
    d.images = 0;
    assert_int_equal(doc_encode(&d, &lie, NULL), RC_OK);
    tail = lie.n - 7; /* counts and an empty text, four of checksum */
    assert_memory_equal(b.p, lie.p, tail);
    for (unsigned shift = 5; shift < 64; shift += 3) {
        buf_clear(&lie);
        buf_put(&lie, (str){b.p, tail});
        buf_put_varint(&lie, (uint64_t)1 << shift);
        /* … and bytes enough for none of them, or for many */
        for (unsigned i = 0; i < 7u * 64; i++)
            buf_put_char(&lie, 1);
        buf_put_u32(&lie, crc32c(lie.p, lie.n));
        before = arena_bytes(a);
        assert_int_equal(doc_decode(buf_str(&lie), a, &got, NULL), RC_FORMAT);
        assert_true(arena_bytes(a) - before < 64 * KIB);
    }
    buf_close(&b);
    buf_close(&lie);
    arena_close(a);
}

static void an_empty_document_passes(void **state)
{
    struct arena *a = arena_open();
    struct doc d = {.outcome = EXTRACT_MALFORMED,
                    .note = STR("The file is empty")};
    struct doc got;
    struct buf b = {0};
    struct err e;

    (void)state;
    assert_int_equal(doc_encode(&d, &b, &e), RC_OK);
    assert_int_equal(doc_decode(buf_str(&b), a, &got, &e), RC_OK);
    assert_same(&d, &got);
    buf_close(&b);
    arena_close(a);
}

static void heading_paths_run_from_the_top(void **state)
{
    struct arena *a = arena_open();
    struct block blocks[4];
    struct doc d = sample(blocks);
    str *path;

    (void)state;
    assert_int_equal(doc_heading_path(&d, 0, a, &path), 0);
    assert_int_equal(doc_heading_path(&d, 3, a, &path), 2);
    assert_true(str_eq(path[0], STR("A")));
    assert_true(str_eq(path[1], STR("B")));
    arena_close(a);
}

static void heading_marks_are_left_out(void **state)
{
    static const struct {
        const char *source, *text;
    } CASES[] = {
        {"## Plain ##", "Plain"},
        {"# C#", "C#"},
        {"# ", ""},
        {"#", ""},
        {"### ###", ""},
        {"Under\nlined\n=====", "Under lined"},
        {"Under\n---", "Under"},
        {"# *a* **b** ***c*** _d_", "a b c d"},
        {"# snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"},
        {"# C* algebra", "C* algebra"},
        {"# `code` and [link](http://x) and ![pic](y.png)",
         "code and link and pic"},
        {"# [not a link] \\*stars\\*", "[not a link] *stars*"},
        {"# [open](never closed", "open](never closed"},
        {"# 東京 *都*", "東京 都"},
    };
    struct arena *a = arena_open();

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct block b = {
            .kind = BLOCK_HEADING, .level = 1, .end = strlen(CASES[i].source)};
        struct doc d = {
            .text = str_of(CASES[i].source), .blocks = &b, .blocks_n = 1};
        str got = doc_heading_text(&d, 0, a);

        if (!str_eq(got, str_of(CASES[i].text)))
            fail_msg("%s gives " STR_FMT, CASES[i].source, STR_ARG(got));
    }
    arena_close(a);
}

static void what_is_not_so_is_found(void **state)
{
    struct block blocks[4];
    struct doc d = sample(blocks);
    const char *why;

    (void)state;
    blocks[1].end_cp++;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[1].end = 7; /* within a code point */
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[1].start = 2;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[1].end = 9; /* leaves a letter out */
    blocks[1].end_cp = 8;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[3].heading = 1;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[2].level = 1;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[0].heading = 0;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    blocks[3].end = 26;
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    d.text = STR("# A\n\nt\xc3\xa9xt\n\n## B\n\n- i\0em\n");
    assert_false(doc_check(&d, &why));
    d = sample(blocks);
    d.title = STR("\xff");
    assert_false(doc_check(&d, &why));
}

static void no_damaged_byte_passes(void **state)
{
    struct arena *a = arena_open();
    struct arena_mark mark = arena_mark(a);
    struct doc_line lines[3];
    struct doc_flag flags[2];
    struct block blocks[4];
    struct doc d = paged(blocks, lines, flags), got;
    struct buf b = {0};
    const char *why;

    (void)state;
    assert_int_equal(doc_encode(&d, &b, NULL), RC_OK);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(doc_decode((str){b.p, i}, a, &got, NULL), RC_FORMAT);
        b.p[i] ^= 1;
        assert_int_equal(doc_decode(buf_str(&b), a, &got, NULL), RC_FORMAT);
        b.p[i] ^= 1;
    }
    /* and with a checksum that fits: never more than doc_check allows */
    for (size_t i = 0; i + 4 < b.n; i++) {
        for (int v = 0; v < 256; v++) {
            char was = b.p[i];
            uint32_t crc;

            b.p[i] = (char)v;
            crc = crc32c(b.p, b.n - 4);
            for (int k = 0; k < 4; k++)
                b.p[b.n - 4 + (size_t)k] = (char)(crc >> (8 * k));
            if (doc_decode(buf_str(&b), a, &got, NULL) == RC_OK)
                assert_true(doc_check(&got, &why));
            b.p[i] = was;
            arena_rewind(a, mark);
        }
    }
    buf_close(&b);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_gives_the_same_document),
        cmocka_unit_test(lines_flags_and_dates_come_back),
        cmocka_unit_test(flags_of_a_kind_add_up_and_keep_their_first_sample),
        cmocka_unit_test(only_dates_are_dates),
        cmocka_unit_test(only_addresses_of_the_web_are_addresses),
        cmocka_unit_test(lies_about_lines_and_flags_are_refused),
        cmocka_unit_test(claims_of_many_take_no_memory),
        cmocka_unit_test(an_empty_document_passes),
        cmocka_unit_test(heading_paths_run_from_the_top),
        cmocka_unit_test(heading_marks_are_left_out),
        cmocka_unit_test(what_is_not_so_is_found),
        cmocka_unit_test(no_damaged_byte_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
