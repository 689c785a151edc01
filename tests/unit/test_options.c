#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static struct options o;
static struct err e;

static rc parse_with(const char *config, char *const *env, int argc,
                     const char *const *argv)
{
    struct options_in in = {.argc = argc,
                            .argv = (char *const *)(uintptr_t)argv,
                            .env = env,
                            .config = config};

    return options_parse(&in, arena, &o, &e);
}

#define PARSE_ENV(env, ...)                                           \
    parse_with(NULL, env,                                             \
               (int)NELEMS(((const char *[]){"knowd", __VA_ARGS__})), \
               (const char *[]){"knowd", __VA_ARGS__})
#define PARSE(...) PARSE_ENV(NULL, __VA_ARGS__)

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static const char *config_of(const char *text)
{
    static char path[] = "/tmp/knowd-test-options-XXXXXX";
    FILE *f;
    int fd;

    (void)snprintf(path, sizeof path, "/tmp/knowd-test-options-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    f = fdopen(fd, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void a_flag_beats_the_environment_beats_the_file_beats_the_default(
    void **state)
{
    char *const env[] = {(char[]){"KNOWD_LIMIT=7"}, NULL};
    const char *path = config_of("# mine\nlimit = 5\n\n");
    const char *const plain[] = {"knowd", "search", "q"};
    const char *const flag[] = {"knowd", "search", "q", "--limit", "9"};

    (void)state;
    assert_int_equal(parse_with(NULL, NULL, 3, plain), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 10);
    assert_int_equal(o.v[OPT_LIMIT].from, FROM_DEFAULT);
    assert_int_equal(parse_with(path, NULL, 3, plain), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 5);
    assert_int_equal(parse_with(path, env, 3, plain), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 7);
    assert_int_equal(parse_with(path, env, 5, flag), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 9);
    assert_int_equal(unlink(path), 0);
}

static void every_way_of_writing_a_flag_is_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE("search", "-n", "3", "q"), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 3);
    assert_int_equal(PARSE("search", "-n3", "q"), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 3);
    assert_int_equal(PARSE("search", "q", "--limit=3"), RC_OK);
    assert_int_equal(option_count(&o, OPT_LIMIT), 3);
    assert_int_equal(PARSE("search", "-xjn4", "q"), RC_OK);
    assert_true(option_flag(&o, OPT_EXPLAIN) && option_flag(&o, OPT_JSON));
    assert_int_equal(option_count(&o, OPT_LIMIT), 4);
    assert_int_equal(PARSE("search", "--", "--limit"), RC_OK);
    assert_string_equal(o.args[0], "--limit");
}

static void repeatable_options_keep_their_order(void **state)
{
    char *const env[] = {(char[]){"KNOWD_BASE=c, d"}, NULL};

    (void)state;
    assert_int_equal(PARSE_ENV(env, "search", "q", "-b", "b", "--base", "a"),
                     RC_OK);
    assert_int_equal(o.v[OPT_BASE].n, 2);
    assert_string_equal(o.v[OPT_BASE].texts[0], "b");
    assert_string_equal(o.v[OPT_BASE].texts[1], "a");
    assert_int_equal(PARSE_ENV(env, "search", "q"), RC_OK);
    assert_int_equal(o.v[OPT_BASE].n, 2);
    assert_string_equal(o.v[OPT_BASE].texts[1], "d");
}

static void an_unknown_name_gets_the_nearest_as_a_hint(void **state)
{
    (void)state;
    assert_int_equal(PARSE("serach", "q"), RC_INVALID);
    assert_non_null(strstr(e.text, "did you mean search?"));
    assert_int_equal(PARSE("search", "q", "--limt", "3"), RC_INVALID);
    assert_non_null(strstr(e.text, "did you mean --limit?"));
    assert_int_equal(PARSE("search", "q", "--zzzzzz"), RC_INVALID);
    assert_null(strstr(e.text, "did you mean"));
    /* An option of another command is not one of this. */
    assert_int_equal(PARSE("search", "q", "--listen", "x:1"), RC_INVALID);
}

static void values_out_of_bounds_are_named_with_the_bounds(void **state)
{
    (void)state;
    assert_int_equal(PARSE("search", "q", "--limit", "0"), RC_INVALID);
    assert_string_equal(e.text, "--limit must be from 1 to 100");
    assert_int_equal(PARSE("search", "q", "--limit", "x"), RC_INVALID);
    assert_int_equal(PARSE("search", "q", "--alpha", "1.1"), RC_INVALID);
    assert_int_equal(PARSE("search", "q", "--alpha", "nan"), RC_INVALID);
    assert_int_equal(PARSE("search", "q", "--limit"), RC_INVALID);
    assert_int_equal(PARSE("add", "p", "--wait", "forever"), RC_INVALID);
    assert_int_equal(PARSE("add", "p", "--url", "ftp://x"), RC_INVALID);
    assert_int_equal(PARSE("serve", "--listen", "nothing"), RC_INVALID);
    assert_int_equal(PARSE("serve", "--listen", "1.2.3.4:65536"), RC_INVALID);
    assert_int_equal(PARSE("serve", "--allow-net", "10.0.0.0/33"), RC_INVALID);
    assert_string_equal(
        e.text, "--allow-net: 10.0.0.0/33 is not a network such as 10.0.0.0/8");
    assert_int_equal(PARSE("serve", "--allow-net", "10.1.2.3/8"), RC_INVALID);
    assert_int_equal(PARSE("serve", "--allow-net", "intranet"), RC_INVALID);
    assert_int_equal(PARSE("serve", "--allow-net", "fd00::/8", "--allow-net",
                           "127.0.0.1/32"),
                     RC_OK);
    assert_int_equal(o.v[OPT_ALLOW_NET].n, 2);
    assert_int_equal(PARSE("serve", "--exec-ids", "long"), RC_INVALID);
}

static void sizes_take_units(void **state)
{
    (void)state;
    assert_int_equal(PARSE("serve", "--upload-bytes-max", "2M"), RC_OK);
    assert_int_equal(option_count(&o, OPT_UPLOAD_BYTES_MAX), 2 << 20);
    assert_int_equal(PARSE("serve", "--upload-bytes-max", "3KiB"), RC_OK);
    assert_int_equal(option_count(&o, OPT_UPLOAD_BYTES_MAX), 3 << 10);
    assert_int_equal(PARSE("serve", "--upload-bytes-max", "4096"), RC_OK);
    assert_int_equal(option_count(&o, OPT_UPLOAD_BYTES_MAX), 4096);
    assert_int_equal(PARSE("serve", "--upload-bytes-max", "M"), RC_INVALID);
    assert_int_equal(PARSE("serve", "--upload-bytes-max", "99999999999999T"),
                     RC_INVALID);
    assert_int_equal(PARSE("serve", "--upload-bytes-max", ""), RC_INVALID);
}

static void the_wrong_number_of_arguments_shows_the_usage(void **state)
{
    (void)state;
    assert_int_equal(PARSE("search"), RC_INVALID);
    assert_string_equal(e.text, "usage: knowd search QUERY");
    assert_int_equal(PARSE("search", "two", "words"), RC_INVALID);
    assert_int_equal(PARSE("jobs", "undo"), RC_INVALID);
    assert_int_equal(PARSE("jobs"), RC_OK);
}

static void help_is_asked_for_in_many_ways(void **state)
{
    const char *const none[] = {"knowd"};

    (void)state;
    assert_int_equal(parse_with(NULL, NULL, 1, none), RC_OK);
    assert_int_equal(o.command, CMD_HELP);
    assert_int_equal(PARSE("--help"), RC_OK);
    assert_int_equal(o.command, CMD_HELP);
    assert_int_equal(PARSE("--version"), RC_OK);
    assert_int_equal(o.command, CMD_VERSION);
    /* Even where arguments are missing. */
    assert_int_equal(PARSE("search", "-h"), RC_OK);
    assert_true(option_flag(&o, OPT_HELP));
}

static void the_data_folder_follows_the_environment(void **state)
{
    char *const xdg[] = {(char[]){"HOME=/h"}, (char[]){"XDG_DATA_HOME=/x"},
                         NULL};
    char *const home[] = {(char[]){"HOME=/h"}, NULL};

    (void)state;
    assert_int_equal(PARSE_ENV(xdg, "serve"), RC_OK);
    assert_string_equal(option_text(&o, OPT_DATA), "/x/knowd");
    assert_int_equal(PARSE_ENV(home, "serve"), RC_OK);
    assert_string_equal(option_text(&o, OPT_DATA), "/h/.local/share/knowd");
    assert_int_equal(PARSE("serve"), RC_OK);
    assert_null(option_text(&o, OPT_DATA));
    assert_string_equal(options_config_dir(home, arena), "/h/.config/knowd");
}

static void a_secret_has_no_flag(void **state)
{
    char *const env[] = {(char[]){"KNOWD_ADMIN_KEY=abc"}, NULL};

    (void)state;
    assert_int_equal(PARSE("serve", "--admin-key", "abc"), RC_INVALID);
    assert_int_equal(PARSE_ENV(env, "serve"), RC_OK);
    assert_string_equal(option_text(&o, OPT_ADMIN_KEY), "abc");
}

static void faults_in_the_file_are_told_with_the_line(void **state)
{
    const char *const argv[] = {"knowd", "search", "q"};
    const char *path = config_of("limit = 5\nlimt = 6\n");

    (void)state;
    assert_int_equal(parse_with(path, NULL, 3, argv), RC_INVALID);
    assert_non_null(strstr(e.text, ":2: no option limt, did you mean limit?"));
    assert_int_equal(unlink(path), 0);
    path = config_of("limit\n");
    assert_int_equal(parse_with(path, NULL, 3, argv), RC_INVALID);
    assert_non_null(strstr(e.text, ":1: not of the form"));
    assert_int_equal(unlink(path), 0);
    /* What belongs to another command is fine. */
    path = config_of("listen = \"127.0.0.1:1\"\n");
    assert_int_equal(parse_with(path, NULL, 3, argv), RC_OK);
    assert_int_equal(unlink(path), 0);
}

static void the_tables_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < CMD_COUNT; i++)
        assert_non_null(COMMANDS[i].name);
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const struct option *opt = &OPTIONS[i];

        assert_non_null(opt->name);
        assert_true(opt->commands != 0);
        assert_true((opt->value == NULL) == (opt->type == OPTION_FLAG));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(opt->name, OPTIONS[j].name);
            assert_true(opt->letter == 0 || opt->letter != OPTIONS[j].letter ||
                        (opt->commands & OPTIONS[j].commands) == 0);
        }
    }
}

static void help_names_every_option(void **state)
{
    struct buf text = {0};

    (void)state;
    for (size_t c = 0; c < CMD_COUNT; c++) {
        buf_clear(&text);
        help_command(&text, (enum command_id)c);
        buf_put_char(&text, '\0');
        for (size_t i = 0; i < OPT_COUNT; i++) {
            if ((OPTIONS[i].commands & 1u << c) != 0 && !OPTIONS[i].secret)
                assert_non_null(strstr(text.p, OPTIONS[i].name));
        }
    }
    buf_clear(&text);
    help_man(&text);
    buf_put_char(&text, '\0');
    assert_non_null(strstr(text.p, "KNOWD_ADMIN_KEY"));
    for (size_t c = 0; c < CMD_COUNT; c++)
        assert_non_null(strstr(text.p, COMMANDS[c].name));
    buf_close(&text);
}

static void completions_are_for_three_shells(void **state)
{
    struct buf text = {0};

    (void)state;
    assert_int_equal(help_completions(&text, "bash", &e), RC_OK);
    assert_int_equal(help_completions(&text, "zsh", &e), RC_OK);
    assert_int_equal(help_completions(&text, "fish", &e), RC_OK);
    assert_int_equal(help_completions(&text, "cmd", &e), RC_INVALID);
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_flag_beats_the_environment_beats_the_file_beats_the_default),
        cmocka_unit_test(every_way_of_writing_a_flag_is_read),
        cmocka_unit_test(repeatable_options_keep_their_order),
        cmocka_unit_test(an_unknown_name_gets_the_nearest_as_a_hint),
        cmocka_unit_test(values_out_of_bounds_are_named_with_the_bounds),
        cmocka_unit_test(sizes_take_units),
        cmocka_unit_test(the_wrong_number_of_arguments_shows_the_usage),
        cmocka_unit_test(help_is_asked_for_in_many_ways),
        cmocka_unit_test(the_data_folder_follows_the_environment),
        cmocka_unit_test(a_secret_has_no_flag),
        cmocka_unit_test(faults_in_the_file_are_told_with_the_line),
        cmocka_unit_test(the_tables_are_whole),
        cmocka_unit_test(help_names_every_option),
        cmocka_unit_test(completions_are_for_three_shells),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
