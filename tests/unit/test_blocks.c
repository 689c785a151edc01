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
    struct doc d = sample(), back;
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
    struct doc d = sample(), back;
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
        cmocka_unit_test(a_document_without_blocks_is_fine),
        cmocka_unit_test(blocks_of_another_text_are_refused),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_noticed),
        cmocka_unit_test(nonsense_is_never_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
