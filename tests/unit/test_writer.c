#include "extract/writer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static void finish(struct writer *w)
{
    const char *why;

    assert_int_equal(writer_end(w, NULL), RC_OK);
    writer_close(w);
    if (!doc_check(w->d, &why))
        fail_msg("%s", why);
}

static void assert_text(const struct doc *d, str want)
{
    if (!str_eq(d->text, want))
        fail_msg("got \"" STR_FMT "\"", STR_ARG(d->text));
}

static void blocks_are_written_as_markdown(void **state)
{
    struct doc d = {0};
    struct writer w;

    (void)state;
    writer_open(&w, &d, arena);
    writer_block(&w, BLOCK_HEADING, 2);
    writer_text(&w, STR("  A\n heading "));
    writer_text(&w, STR("here"));
    writer_break_block(&w);
    writer_text(&w, STR("free text"));
    writer_block(&w, BLOCK_PARAGRAPH, 0); /* empty: leaves nothing */
    writer_block(&w, BLOCK_LIST_ITEM, 1);
    writer_text(&w, STR("one"));
    writer_block(&w, BLOCK_LIST_ITEM, 2);
    writer_text(&w, STR("two"));
    writer_block(&w, BLOCK_TABLE_ROW, 0);
    writer_text(&w, STR("a|b"));
    writer_cell(&w);
    writer_text(&w, STR("c"));
    writer_block(&w, BLOCK_TABLE_ROW, 0);
    writer_text(&w, STR("1"));
    writer_cell(&w);
    writer_block(&w, BLOCK_CODE, 0);
    writer_text(&w, STR("if x:\n    y()\n"));
    writer_block(&w, BLOCK_QUOTE, 0);
    writer_text(&w, STR("said"));
    finish(&w);
    assert_text(&d, STR("## A heading here\n\nfree text\n\n- one\n  - two\n\n"
                        "| a\\|b | c |\n| --- | --- |\n| 1 |  |\n\n"
                        "```\nif x:\n    y()\n```\n\n> said\n"));
    assert_int_equal(d.blocks_n, 8);
    assert_int_equal(d.blocks[1].heading, 0);
}

static void items_stand_below_the_text_of_the_one_above(void **state)
{
    struct doc d = {0};
    struct writer w;
    static const struct {
        unsigned level;
        uint32_t number;
    } ITEMS[] = {{1, 9},
                 {2, WRITER_BULLET},
                 {3, 1},
                 {1, 10},
                 {2, 1},
                 {3, WRITER_BULLET},
                 {1, WRITER_BULLET},
                 {2, 0}};

    (void)state;
    writer_open(&w, &d, arena);
    for (size_t i = 0; i < NELEMS(ITEMS); i++) {
        writer_item(&w, ITEMS[i].level, ITEMS[i].number);
        writer_text(&w, STR("x"));
    }
    writer_text(&w, STR(" "));
    writer_block(&w, BLOCK_PARAGRAPH, 0);
    writer_text(&w, STR("y"));
    writer_item(&w, 2, WRITER_BULLET); /* nothing known of the one above */
    writer_text(&w, STR("z"));
    finish(&w);
    assert_text(&d, STR("9. x\n   - x\n     1. x\n10. x\n    1. x\n"
                        "       - x\n- x\n  0. x\n\ny\n\n  - z\n"));
    assert_int_equal(d.blocks[2].level, 3);
}

static void rows_of_empty_cells_leave_nothing(void **state)
{
    struct doc d = {0};
    struct writer w;

    (void)state;
    writer_open(&w, &d, arena);
    for (int i = 0; i < 4; i++) {
        writer_block(&w, BLOCK_TABLE_ROW, 0);
        writer_text(&w, i % 2 == 1 ? STR("a") : STR(" "));
        writer_cell(&w);
        writer_text(&w, STR("\n"));
    }
    finish(&w);
    assert_text(&d, STR("| a |  |\n| --- | --- |\n| a |  |\n"));
}

static void tricks_are_dropped_and_flagged(void **state)
{
    struct doc d = {0};
    struct writer w;

    (void)state;
    writer_open(&w, &d, arena);
    writer_text(&w, STR("pay\xe2\x80\x8bpal \xe2\x80\xae"
                        "evil\x01\xc2\xad!"));
    finish(&w);
    assert_text(&d, STR("paypal evil!\n"));
    assert_int_equal(d.flags_n, 2);
    assert_int_equal(d.flags[0].kind, FLAG_ZERO_WIDTH);
    assert_true(d.flags[0].dropped);
    assert_int_equal(d.flags[1].kind, FLAG_BIDI);
}

static void a_block_stands_where_its_lines_stand(void **state)
{
    struct doc d = {0}, back;
    struct writer w;
    struct buf stream = {0};

    (void)state;
    writer_open(&w, &d, arena);
    writer_place(&w, 3, (const float[4]){10, 20, 110, 30});
    writer_text(&w, STR("first line "));
    writer_place(&w, 3, (const float[4]){8, 30, 100, 40});
    writer_text(&w, STR("second line "));
    writer_place(&w, 4, (const float[4]){10, 20, 50, 30});
    writer_text(&w, STR("over the page"));
    finish(&w);
    assert_text(&d, STR("first line second line over the page\n"));
    assert_int_equal(d.lines_n, 3);
    assert_int_equal(d.lines[1].start, 11);
    assert_int_equal(d.lines[1].end, 22);
    assert_int_equal(d.blocks[0].page, 3);
    assert_memory_equal(d.blocks[0].box, ((const float[4]){8, 20, 110, 40}),
                        sizeof d.blocks[0].box);
    assert_int_equal(doc_encode(&d, &stream, NULL), RC_OK);
    assert_int_equal(doc_decode(buf_str(&stream), arena, &back, NULL), RC_OK);
    assert_int_equal(back.lines_n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(back.lines[i].start, d.lines[i].start);
        assert_int_equal(back.lines[i].end, d.lines[i].end);
        assert_int_equal(back.lines[i].page, d.lines[i].page);
        assert_memory_equal(back.lines[i].box, d.lines[i].box,
                            sizeof d.lines[i].box);
    }
    buf_close(&stream);
}

static void too_much_is_partial(void **state)
{
    struct doc d = {0};
    struct writer w;
    char *p = arena_alloc(arena, MIB);

    (void)state;
    memset(p, 'x', MIB);
    writer_open(&w, &d, arena);
    for (size_t i = 0; i < TEXT_BYTES_MAX / MIB + 2; i++) {
        writer_block(&w, BLOCK_PARAGRAPH, 0);
        writer_text(&w, (str){p, MIB});
    }
    assert_true(writer_full(&w));
    finish(&w);
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(d.text.n <= TEXT_BYTES_MAX);
}

static void a_number_that_has_no_room_is_left_out(void **state)
{
    (void)state;
    for (size_t left = 1; left < 12; left += 5) {
        struct doc d = {0};
        struct writer w;
        char *p = arena_alloc(arena, TEXT_BYTES_MAX);

        memset(p, 'x', TEXT_BYTES_MAX);
        writer_open(&w, &d, arena);
        writer_text(&w, (str){p, TEXT_BYTES_MAX - left});
        writer_item(&w, 1, 1234567890);
        writer_text(&w, STR("y"));
        finish(&w);
        assert_int_equal(d.outcome, EXTRACT_PARTIAL);
        assert_int_equal(d.blocks_n, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_are_written_as_markdown, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            items_stand_below_the_text_of_the_one_above, begin, end),
        cmocka_unit_test_setup_teardown(rows_of_empty_cells_leave_nothing,
                                        begin, end),
        cmocka_unit_test_setup_teardown(tricks_are_dropped_and_flagged, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_block_stands_where_its_lines_stand,
                                        begin, end),
        cmocka_unit_test_setup_teardown(too_much_is_partial, begin, end),
        cmocka_unit_test_setup_teardown(a_number_that_has_no_room_is_left_out,
                                        begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
