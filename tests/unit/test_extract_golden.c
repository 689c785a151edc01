/* Each file of tests/golden/extract against its listing NAME.expected; with
 * GOLDEN=write in the environment (make golden) the listings are made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "extract/extract.h"

#define DIR_PATH "tests/golden/extract"

static const char *const KINDS[BLOCK_KIND_COUNT] = {
    [BLOCK_HEADING] = "heading",     [BLOCK_PARAGRAPH] = "paragraph",
    [BLOCK_LIST_ITEM] = "list item", [BLOCK_TABLE_ROW] = "table row",
    [BLOCK_CODE] = "code",           [BLOCK_QUOTE] = "quote"};

static void list_block(const struct doc *d, uint32_t i, struct arena *tmp,
                       struct buf *to)
{
    const struct block *b = &d->blocks[i];
    str *path, rest = str_sub(d->text, b->start, b->end - b->start), line;
    size_t n = doc_heading_path(d, i, tmp, &path);

    buf_fmt(to, "\n%s", KINDS[b->kind]);
    if (b->level > 0)
        buf_fmt(to, " %u", b->level);
    buf_fmt(to, " at %zu+%zu (%zu+%zu)", (size_t)b->start,
            (size_t)(b->end - b->start), (size_t)b->start_cp,
            (size_t)(b->end_cp - b->start_cp));
    for (size_t k = 0; k < n; k++)
        buf_fmt(to, "%s" STR_FMT, k == 0 ? " under " : " > ", STR_ARG(path[k]));
    buf_put_char(to, '\n');
    for (bool more = true; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        buf_fmt(to, "  |" STR_FMT "\n", STR_ARG(line));
    }
}

static void list_doc(const struct doc *d, struct arena *tmp, struct buf *to)
{
    buf_fmt(to, "%s, " STR_FMT ", %zu bytes, %zu code points\n",
            EXTRACT_OUTCOME_NAMES[d->outcome], STR_ARG(d->mime), d->text.n,
            (size_t)d->text_cp);
    buf_fmt(to, "title: " STR_FMT "\nnote: " STR_FMT "\n", STR_ARG(d->title),
            STR_ARG(d->note));
    if (d->language.n + d->created.n + d->modified.n > 0)
        buf_fmt(to, "language: %s, created: %s, modified: %s\n",
                arena_cstr(tmp, d->language), arena_cstr(tmp, d->created),
                arena_cstr(tmp, d->modified));
    for (size_t i = 0; i < d->flags_n; i++)
        buf_fmt(to, "%s: %u %s, first: " STR_FMT "\n",
                DOC_FLAG_NAMES[d->flags[i].kind], d->flags[i].count,
                d->flags[i].dropped ? "dropped" : "kept",
                STR_ARG(d->flags[i].sample));
    for (uint32_t i = 0; i < d->blocks_n; i++)
        list_block(d, i, tmp, to);
}

static void compare_one(str name, bool write)
{
    struct arena *a = arena_open();
    struct err e;
    struct doc d;
    struct buf got = {0};
    str input, want, path = arena_fmt(a, DIR_PATH "/" STR_FMT, STR_ARG(name));
    str expected = arena_fmt(a, STR_FMT ".expected", STR_ARG(path));
    const char *why;

    assert_int_equal(file_read(path.p, MIB, a, &input, &e), RC_OK);
    assert_int_equal(
        extract_bytes(input, (struct said){.filename = name}, a, &d, &e),
        RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s: %s", path.p, why);
    list_doc(&d, a, &got);
    if (write) {
        assert_int_equal(file_write_atomic(expected.p, buf_str(&got), 0644, &e),
                         RC_OK);
    } else {
        assert_int_equal(file_read(expected.p, MIB, a, &want, &e), RC_OK);
        if (!str_eq(want, buf_str(&got)))
            fail_msg("%s differs; got:\n" STR_FMT, expected.p,
                     STR_ARG(buf_str(&got)));
    }
    buf_close(&got);
    arena_close(a);
}

static void listings_are_as_expected(void **state)
{
    struct arena *a = arena_open();
    const char *golden = getenv("GOLDEN");
    bool write = golden != NULL && str_eq(str_of(golden), STR("write"));
    struct err e;
    str *names;
    size_t n;

    (void)state;
    assert_int_equal(file_list(DIR_PATH, 1000, a, &names, &n, &e), RC_OK);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        if (!str_ends(names[i], STR(".expected")))
            compare_one(names[i], write);
    }
    arena_close(a);
}

/* What a reader needs it may do in its sandbox: each file read by a child, of
 * its own and in a session, is what it is in process. */
static void assert_same(const struct doc *here, const struct doc *there)
{
    struct buf x = {0}, y = {0};

    assert_int_equal(doc_encode(here, &x, NULL), RC_OK);
    assert_int_equal(doc_encode(there, &y, NULL), RC_OK);
    assert_true(str_eq(buf_str(&x), buf_str(&y)));
    buf_close(&x);
    buf_close(&y);
}

static void a_child_reads_the_same(void **state)
{
    struct arena *a = arena_open();
    struct extract_session *session;
    struct extractor *x;
    str *names, input;
    size_t n;

    (void)state;
    assert_int_equal(extract_start(&x, NULL), RC_OK);
    session = extract_session_open(x);
    assert_int_equal(file_list(DIR_PATH, 1000, a, &names, &n, NULL), RC_OK);
    for (size_t i = 0; i < n; i++) {
        str path = arena_fmt(a, DIR_PATH "/" STR_FMT, STR_ARG(names[i]));
        struct extract_in in = {.fd = -1, .said = {.filename = names[i]}};
        struct doc here, there;

        if (str_ends(names[i], STR(".expected")))
            continue;
        assert_int_equal(file_read(path.p, MIB, a, &input, NULL), RC_OK);
        in.bytes = input;
        assert_int_equal(extract_bytes(input,
                                       (struct said){.filename = names[i]}, a,
                                       &here, NULL),
                         RC_OK);
        assert_int_equal(extract_run(x, &in, a, &there, NULL), RC_OK);
        if (there.outcome != here.outcome)
            fail_msg("%s: %s", path.p, EXTRACT_OUTCOME_NAMES[there.outcome]);
        assert_same(&here, &there);
        assert_int_equal(extract_session_run(session, &in, a, &there, NULL),
                         RC_OK);
        assert_same(&here, &there);
    }
    extract_session_close(session);
    extract_stop(x);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listings_are_as_expected),
        cmocka_unit_test(a_child_reads_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
