#include "cli/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/lines.h"
#include "scratch.h"

static struct arena *arena;
static struct buf skipped; /* "name: reason[!]\n" */
static struct err e;

static int set_up(void **state)
{
    arena = arena_open();
    return scratch_open(state);
}

static int tear_down(void **state)
{
    arena_close(arena);
    buf_close(&skipped);
    return scratch_close(state);
}

static void on_skip(void *arg, const char *path, const char *reason,
                    bool wanted)
{
    (void)arg;
    buf_fmt(&skipped, "%s: %s%s\n", strrchr(path, '/') + 1, reason,
            wanted ? "!" : "");
}

static const char *put(void **state, const char *name, str text)
{
    const char *path = scratch_path(state, name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct walk walk(const char *path)
{
    struct walk w = {.out = arena, .skip = on_skip};

    assert_int_equal(walk_path(&w, path, &e), RC_OK);
    return w;
}

static void check_skipped(const char *want)
{
    buf_put_char(&skipped, '\0');
    assert_string_equal(skipped.p, want);
}

static void a_folder_gives_its_text_files_in_order(void **state)
{
    struct walk w;

    assert_int_equal(mkdir(scratch_path(state, "sub"), 0700), 0);
    (void)put(state, "b.md", STR("# b"));
    (void)put(state, "a.txt", STR("a"));
    (void)put(state, "sub/Makefile", STR("all:\n\ttrue\n"));
    (void)put(state, "lines.JSONL", STR("{}"));
    w = walk(*state);
    assert_int_equal(w.n, 4);
    assert_true(str_eq(w.v[0].title, STR("a.txt")));
    assert_int_equal(w.v[0].size, 1);
    assert_true(str_eq(w.v[1].title, STR("b.md")));
    assert_true(w.v[2].lines && !w.v[0].lines);
    assert_true(str_eq(w.v[3].title, STR("sub/Makefile")));
    check_skipped("");
}

static void documents_are_known_by_their_extension(void **state)
{
    static const char *const NAMES[] = {"a.PDF",  "b.docx", "c.odt",  "d.epub",
                                        "e.html", "f.htm",  "g.xhtml"};
    struct walk w;

    for (size_t i = 0; i < NELEMS(NAMES); i++)
        (void)put(state, NAMES[i], STR("\0\1 bytes \xff\xfe\x80"));
    (void)put(state, "h.doc", STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"));
    (void)put(state, "pdf", STR("\0"));
    w = walk(*state);
    assert_int_equal(w.n, NELEMS(NAMES));
    check_skipped("h.doc: neither text nor a document\n"
                  "pdf: neither text nor a document\n");
}

static void what_is_left_out_is_named(void **state)
{
    struct walk w;

    assert_int_equal(mkdir(scratch_path(state, ".git"), 0700), 0);
    (void)put(state, ".git/config", STR("x"));
    (void)put(state, "p.png", STR("\x89PNG\r\n\x1a\n\0\0"));
    assert_int_equal(symlink(".", scratch_path(state, "loop")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(state, "gone")), 0);
    assert_int_equal(mkfifo(scratch_path(state, "pipe"), 0600), 0);
    w = walk(*state);
    assert_int_equal(w.n, 0);
    check_skipped(".git: hidden\ngone: cannot be read!\n"
                  "loop: link to a folder\np.png: neither text nor a document\n"
                  "pipe: neither file nor folder\n");
}

static void what_is_named_is_taken_or_fails(void **state)
{
    struct walk w = walk(put(state, ".notes.txt", STR("hidden, but named")));

    assert_int_equal(w.n, 1);
    assert_true(str_eq(w.v[0].title, STR(".notes.txt")));
    assert_int_equal(walk(put(state, "x.bin", STR("\0\1\2"))).n, 1);
    assert_int_equal(walk(scratch_path(state, "nothing")).n, 0);
    check_skipped("nothing: no such file or folder!\n");
}

static void folders_inside_each_other_meet_a_bound(void **state)
{
    char path[1024];
    size_t n = (size_t)snprintf(path, sizeof path, "%s", (const char *)*state);

    for (int i = 0; i <= WALK_DEPTH_MAX; i++) {
        n += (size_t)snprintf(path + n, sizeof path - n, "/d");
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(walk(*state).n, 0);
    check_skipped("d: too many folders inside each other!\n");
}

static void text_is_known_by_its_bytes(void **state)
{
    (void)state;
    assert_true(walk_is_text(STR(""), true));
    assert_true(walk_is_text(STR("plain\ttext\r\n"), true));
    assert_true(walk_is_text(STR("\xff\xfeh\0i\0"), true));
    assert_true(walk_is_text(STR("gr\xc3\xbc\xc3"), false));
    assert_false(walk_is_text(STR("gr\xc3\xbc\xc3"), true));
    assert_false(walk_is_text(STR("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), true));
    assert_false(walk_is_text(STR("a\0b"), true));
}

static void check_line(struct lines *l, str want, unsigned number)
{
    bool too_long, more;
    str line;

    assert_int_equal(lines_next(l, &line, &too_long, &more, &e), RC_OK);
    assert_true(more && !too_long);
    assert_true(str_eq(line, want));
    assert_int_equal(l->number, number);
}

static void lines_end_with_a_line_feed_or_the_file(void **state)
{
    const char *path = put(state, "l", STR("one\n\nthree"));
    bool too_long, more;
    struct lines l;
    str line;

    assert_int_equal(lines_open(&l, path, 10, &e), RC_OK);
    check_line(&l, STR("one"), 1);
    check_line(&l, STR(""), 2);
    check_line(&l, STR("three"), 3);
    assert_int_equal(lines_next(&l, &line, &too_long, &more, &e), RC_OK);
    assert_false(more);
    lines_close(&l);
}

static void a_line_over_the_bound_is_skipped_and_the_next_is_read(void **state)
{
    enum { N = 300000 };
    static char text[2 * N + 4];
    bool too_long, more;
    struct lines l;
    str line;

    memset(text, 'x', sizeof text);
    text[N] = '\n';
    text[N + 1] = 'y';
    text[N + 2] = '\n';
    assert_int_equal(
        lines_open(&l, put(state, "l", (str){text, sizeof text}), 1000, &e),
        RC_OK);
    assert_int_equal(lines_next(&l, &line, &too_long, &more, &e), RC_OK);
    assert_true(more && too_long);
    assert_int_equal(l.number, 1);
    check_line(&l, STR("y"), 2);
    assert_int_equal(lines_next(&l, &line, &too_long, &more, &e), RC_OK);
    assert_true(more && too_long);
    assert_int_equal(l.number, 3);
    assert_int_equal(lines_next(&l, &line, &too_long, &more, &e), RC_OK);
    assert_false(more);
    lines_close(&l);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_folder_gives_its_text_files_in_order),
        TEST(documents_are_known_by_their_extension),
        TEST(what_is_left_out_is_named),
        TEST(what_is_named_is_taken_or_fails),
        TEST(folders_inside_each_other_meet_a_bound),
        TEST(text_is_known_by_its_bytes),
        TEST(lines_end_with_a_line_feed_or_the_file),
        TEST(a_line_over_the_bound_is_skipped_and_the_next_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
