#include "extract/pdf_listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGES 200

static void entries_are_known_by_their_ends(void **state)
{
    static const struct {
        const char *line;
        bool entry;
    } V[] = {
        {"2.1 Data frames . . . . . . . . 17", true},
        {"Foreword ........ iv", true},
        {"Types of connections . . . . . .",
         true}, /* its number stands apart */
        {"ImageMagick. . . . . 5, 96, 169", true},
        {"Hershey, 52, 56, 161", true},
        {"hclust, 49, 91,", true},
        {"1, 84, 92", true}, /* goes on */
        {"hexmode, 58", true},
        {"x1, . . . , xn", false},
        {"and so on...", false},
        {"and so on... 3", false},
        {"in the year 150", false},
        {"in May, 1995", false}, /* no such page */
        {"49, 12, 13", false},
        {"it has 13, 12", false},
        {"17", false},
        {"word", false},
        {"", false},
        {", , ,", false},
        {". . . . . .", true},
        {"f(x, 99999999999999999999)", false},
        {"a, 99999999999999999999", false},
        {"a, 0", false},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(V); i++)
        if (listing_entry(str_of(V[i].line), PAGES) != V[i].entry)
            fail_msg("\"%s\"", V[i].line);
}

/* A document of one page: blocks of one line each. */
struct page {
    struct doc d;
    struct doc_line lines[16];
    struct block blocks[16];
};

static void page_make(struct page *p, const char *const *lines, size_t n,
                      struct arena *a)
{
    struct buf b = {0};

    *p = (struct page){.d = {.pages = PAGES}};
    for (size_t i = 0; i < n; i++) {
        uint64_t start = b.n;

        buf_put(&b, str_of(lines[i]));
        p->lines[i] = (struct doc_line){.start = start, .end = b.n, .page = 3};
        p->blocks[i] = (struct block){.kind = i == 0       ? BLOCK_HEADING
                                              : i % 2 == 0 ? BLOCK_LIST_ITEM
                                                           : BLOCK_PARAGRAPH,
                                      .level = i % 2 == 0,
                                      .start = start,
                                      .end = b.n,
                                      .page = 3};
        buf_put_char(&b, '\n');
    }
    p->d.text = arena_str(a, buf_str(&b));
    p->d.blocks = p->blocks;
    p->d.lines = p->lines;
    p->d.blocks_n = p->d.lines_n = n;
    buf_close(&b);
}

static void a_page_of_entries_is_a_listing(void **state)
{
    static const char *const LINES[] = {
        "Index", "apes, 3", "bats, 4, 19", "C",          "cats, 7, 8,",
        "9, 12", "dogs, 6", "eels, 150",   "see snakes",
    };
    struct arena *a = arena_open();
    struct page p;

    (void)state;
    page_make(&p, LINES, NELEMS(LINES), a);
    find_listings(&p.d, a);
    assert_int_equal(p.blocks[0].kind, BLOCK_HEADING);
    for (size_t i = 1; i < p.d.blocks_n; i++) {
        assert_int_equal(p.blocks[i].kind, BLOCK_LISTING);
        assert_int_equal(p.blocks[i].level, 0);
    }
    assert_int_equal(p.d.flags_n, 1);
    assert_int_equal(p.d.flags[0].kind, FLAG_LISTING);
    assert_false(p.d.flags[0].dropped);
    assert_int_equal(p.d.flags[0].count, 1);
    assert_int_equal(p.d.flags[0].page, 3);
    arena_close(a);
}

static void a_page_of_text_with_some_entries_is_none(void **state)
{
    static const char *const MUCH[] = {
        "Results",
        "mean, 3",
        "median, 4",
        "mode, 7",
        "range, 9",
        "sum, 12",
        "The figures above are those of the first month, and nothing else.",
    };
    static const char *const FEW[] = {"Results", "a, 3", "b, 4", "c, 7",
                                      "d, 9"};
    struct arena *a = arena_open();
    struct page p;

    (void)state;
    page_make(&p, MUCH, NELEMS(MUCH), a);
    find_listings(&p.d, a);
    assert_int_equal(p.blocks[1].kind, BLOCK_PARAGRAPH);
    assert_int_equal(p.d.flags_n, 0);
    page_make(&p, FEW, NELEMS(FEW), a);
    find_listings(&p.d, a);
    assert_int_equal(p.blocks[1].kind, BLOCK_PARAGRAPH);
    assert_int_equal(p.d.flags_n, 0);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_known_by_their_ends),
        cmocka_unit_test(a_page_of_entries_is_a_listing),
        cmocka_unit_test(a_page_of_text_with_some_entries_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
