#include "doc/blocks.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/crc.h"
#include "base/rng.h"

static struct block BLOCKS[] = {
    {BLOCK_HEADING, 1, 0, 3, 0, 3, HEADING_NONE, 0, {0}},
    {BLOCK_PARAGRAPH, 0, 5, 10, 5, 9, 0, 2, {1.5f, 2, 3, 4}},
    {BLOCK_HEADING, 2, 12, 16, 11, 15, 0, 3, {0}},
    {BLOCK_LIST_ITEM, 1, 18, 24, 17, 23, 2, 3, {0}},
};

static struct doc sample(void)
{
    return (struct doc){.text = STR("# A\n\nt\xc3\xa9xt\n\n## B\n\n- item\n"),
                        .text_cp = 24,
                        .mime = STR("text/markdown"),
                        .language = STR("en"),
                        .blocks = BLOCKS,
                        .blocks_n = NELEMS(BLOCKS),
                        .extractor_version = 3};
}

static struct doc_line LINES[] = {
    {0, 3, 1, {72, 72.5f, 200.25f, 84}},
    {5, 10, 2, {72, 90, 300, 102}},
    {12, 24, 3, {-4, 0, 595, 842}},
};
static struct doc_flag FLAGS[] = {
    {FLAG_RUNNING_HEAD, true, 3, 1, STR_INIT("Page 1")},
    {FLAG_OCR, false, 1, 2, {NULL, 0}},
};

static struct doc paged(void)
{
    struct doc d = sample();

    d.pages = 3;
    d.created = STR("2019-03-01");
    d.ocr_confidence = 93;
    d.canonical = STR("https://example.org/");
    d.images = 2;
    d.lines = LINES;
    d.lines_n = NELEMS(LINES);
    d.flags = FLAGS;
    d.flags_n = NELEMS(FLAGS);
    return d;
}

static void encoded(const struct doc *d, struct buf *b)
{
    buf_open(b, 0);
    assert_int_equal(doc_encode_blocks(d, b, NULL), RC_OK);
}

static void the_same_blocks_come_back(void **state)
{
    struct arena *out = arena_open();
    struct doc d = sample(), back;
    struct buf b;

    (void)state;
    encoded(&d, &b);
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_OK);
    assert_true(str_eq(back.mime, d.mime));
    assert_true(str_eq(back.language, d.language));
    assert_int_equal(back.text_cp, d.text_cp);
    assert_int_equal(back.extractor_version, 3);
    assert_int_equal(back.blocks_n, d.blocks_n);
    assert_memory_equal(back.blocks, BLOCKS, sizeof BLOCKS);
    buf_close(&b);
    arena_close(out);
}

static void lines_and_flags_come_back(void **state)
{
    struct arena *out = arena_open();
    struct doc d = paged(), back;
    struct buf b;

    (void)state;
    encoded(&d, &b);
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_OK);
    assert_int_equal(back.pages, 3);
    assert_int_equal(back.ocr_confidence, 93);
    assert_true(str_eq(back.canonical, d.canonical));
    assert_int_equal(back.images, 2);
    assert_true(str_eq(back.created, d.created));
    assert_int_equal(back.modified.n, 0);
    assert_int_equal(back.lines_n, NELEMS(LINES));
    for (size_t i = 0; i < NELEMS(LINES); i++) {
        assert_int_equal(back.lines[i].start, LINES[i].start);
        assert_int_equal(back.lines[i].end, LINES[i].end);
        assert_int_equal(back.lines[i].page, LINES[i].page);
        assert_memory_equal(back.lines[i].box, LINES[i].box,
                            sizeof LINES[i].box);
    }
    assert_int_equal(back.flags_n, NELEMS(FLAGS));
    assert_int_equal(back.flags[0].kind, FLAG_RUNNING_HEAD);
    assert_true(back.flags[0].dropped && !back.flags[1].dropped);
    assert_true(str_eq(back.flags[0].sample, STR("Page 1")));
    buf_close(&b);
    arena_close(out);
}

/* As the first version wrote sample(): it is still in stores. */
static void the_first_form_is_still_read(void **state)
{
    static const char OLD[] =
        "KDB1\x03\x0dtext/markdown\x02"
        "en\x19\x18\x04"
        "\x00\x01\x00\x03\x00\x03\x00\x00"
        "\x81\x00\x02\x05\x02\x04\x01\x02"
        "\x00\x00\xc0\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40"
        "\x00\x02\x02\x04\x02\x04\x01\x03"
        "\x02\x01\x02\x06\x02\x06\x03\x03";
    struct arena *out = arena_open();
    struct doc d = sample(), back;
    struct buf b = {0};

    (void)state;
    buf_put(&b, (str){OLD, sizeof OLD - 1});
    buf_put_u32(&b, crc32c(b.p, b.n));
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_OK);
    assert_int_equal(back.blocks_n, d.blocks_n);
    assert_memory_equal(back.blocks, BLOCKS, sizeof BLOCKS);
    assert_int_equal(back.extractor_version, 3);
    assert_int_equal(back.lines_n + back.flags_n + back.pages, 0);
    /* nothing may stand behind its blocks */
    b.n -= 4;
    buf_put(&b, STR("\0\0\0\0\0\0"));
    buf_put_u32(&b, crc32c(b.p, b.n));
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_FORMAT);
    buf_close(&b);
    arena_close(out);
}

/* The second form ends behind the lines. */
static void the_second_form_is_still_read(void **state)
{
    struct arena *out = arena_open();
    struct doc d = paged(), back;
    struct buf b;

    (void)state;
    d.canonical = STR_NONE;
    d.images = 0;
    encoded(&d, &b);
    b.p[3] = '2';
    b.n -= 2 + 4; /* an empty address, no pictures; the checksum */
    buf_put_u32(&b, crc32c(b.p, b.n));
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_OK);
    assert_int_equal(back.lines_n, NELEMS(LINES));
    assert_int_equal(back.canonical.n + back.images, 0);
    /* and the third does not */
    b.p[3] = '3';
    b.n -= 4;
    buf_put_u32(&b, crc32c(b.p, b.n));
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_FORMAT);
    buf_close(&b);
    arena_close(out);
}

static void a_document_without_blocks_is_fine(void **state)
{
    struct arena *out = arena_open();
    struct doc d = {.text = STR("")}, back;
    struct buf b;

    (void)state;
    encoded(&d, &b);
    assert_int_equal(doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
                     RC_OK);
    assert_int_equal(back.blocks_n, 0);
    buf_close(&b);
    arena_close(out);
}

static void blocks_of_another_text_are_refused(void **state)
{
    struct arena *out = arena_open();
    struct doc d = sample(), back;
    struct buf b;

    (void)state;
    encoded(&d, &b);
    assert_int_equal(
        doc_decode_blocks(buf_str(&b), STR("# A\n"), out, &back, NULL),
        RC_FORMAT);
    buf_close(&b);
    arena_close(out);
}

static void every_cut_and_every_flipped_bit_is_noticed(void **state)
{
    struct arena *out = arena_open();
    struct doc d = paged(), back;
    struct buf b;

    (void)state;
    encoded(&d, &b);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(
            doc_decode_blocks((str){b.p, n}, d.text, out, &back, NULL),
            RC_FORMAT);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(
            doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL),
            RC_FORMAT);
        b.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_close(&b);
    arena_close(out);
}

/* With a checksum that fits: what the reader itself holds against nonsense. */
static void nonsense_is_never_believed(void **state)
{
    struct arena *out = arena_open();
    struct rng r = rng_seeded(7);
    struct doc d = paged(), back;
    struct buf b;
    const char *why;

    (void)state;
    encoded(&d, &b);
    for (unsigned i = 0; i < 20000; i++) {
        struct arena_mark mark = arena_mark(out);
        size_t at = 4 + (size_t)rng_below(&r, b.n - 8);
        char was = b.p[at];
        uint32_t crc;

        b.p[at] = (char)rng_next(&r);
        crc = crc32c(b.p, b.n - 4);
        memcpy(b.p + b.n - 4, &crc, sizeof crc);
        if (doc_decode_blocks(buf_str(&b), d.text, out, &back, NULL) == RC_OK)
            assert_true(doc_check(&back, &why));
        b.p[at] = was;
        arena_rewind(out, mark);
    }
    buf_close(&b);
    arena_close(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_blocks_come_back),
        cmocka_unit_test(lines_and_flags_come_back),
        cmocka_unit_test(the_first_form_is_still_read),
        cmocka_unit_test(the_second_form_is_still_read),
        cmocka_unit_test(a_document_without_blocks_is_fine),
        cmocka_unit_test(blocks_of_another_text_are_refused),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_noticed),
        cmocka_unit_test(nonsense_is_never_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
