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

static void assert_same(const struct doc *a, const struct doc *b)
{
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
    struct block blocks[4];
    struct doc d = sample(blocks), got;
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
        }
    }
    buf_close(&b);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_gives_the_same_document),
        cmocka_unit_test(an_empty_document_passes),
        cmocka_unit_test(heading_paths_run_from_the_top),
        cmocka_unit_test(heading_marks_are_left_out),
        cmocka_unit_test(what_is_not_so_is_found),
        cmocka_unit_test(no_damaged_byte_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
