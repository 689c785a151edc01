#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/print.h"

static rc put_out(struct buf *b, struct err *e)
{
    rc code = buf_end(b, e);

    if (code == RC_OK)
        print_str(buf_str(b));
    buf_close(b);
    return code;
}

rc cmd_help(struct run *r, struct err *e)
{
    struct buf text = {0};
    enum command_id id = CMD_COUNT;

    if (r->o.args_n == 0) {
        help_overview(&text);
        return put_out(&text, e);
    }
    id = command_find(r->o.args[0]);
    if (id == CMD_COUNT) {
        const char *near = command_nearest(r->o.args[0]);

        return near != NULL
                   ? err_set(e, RC_INVALID,
                             "no command %.60s, did you mean %s?", r->o.args[0],
                             near)
                   : err_set(e, RC_INVALID, "no command %.60s", r->o.args[0]);
    }
    help_command(&text, id);
    return put_out(&text, e);
}

rc cmd_man(struct run *r, struct err *e)
{
    struct buf text = {0};

    (void)r;
    help_man(&text);
    return put_out(&text, e);
}

rc cmd_completions(struct run *r, struct err *e)
{
    struct buf text = {0};
    rc code = help_completions(&text, r->o.args[0], e);

    if (code == RC_OK)
        return put_out(&text, e);
    buf_close(&text);
    return code;
}

rc cmd_version(struct run *r, struct err *e)
{
    if (option_flag(&r->o, OPT_JSON))
        return print_json(
            json_pack("{s:s, s:s}", "name", "knowd", "version", KNOWD_VERSION),
            e);
    print_fmt("knowd %s\n", KNOWD_VERSION);
    return RC_OK;
}

static int run(struct run *r, const struct command_row *row, struct err *e)
{
    struct buf text = {0};
    rc code;

    if (option_flag(&r->o, OPT_HELP)) {
        help_command(&text, r->o.command);
        code = put_out(&text, e);
    } else {
        code = row->run(r, e);
    }
    if (code == RC_OK)
        code = print_end(e);
    if (code == RC_OK)
        return (int)r->status;
    say_error("%s", e->text);
    return code == RC_INVALID ? EXIT_USAGE : (int)row->failed;
}

int cli_main(int argc, char **argv, const struct command_row rows[CMD_COUNT])
{
    struct run r = {.arena = arena_open()};
    const char *dir = options_config_dir(environ, r.arena);
    struct options_in in = {.argc = argc, .argv = argv, .env = environ};
    struct err e = {0};
    int status = EXIT_USAGE;
    rc code;

    if (dir != NULL)
        in.config = arena_cstr(r.arena, arena_fmt(r.arena, "%s/config", dir));
    code = options_parse(&in, r.arena, &r.o, &e);
    if (code == RC_OK)
        status = run(&r, &rows[r.o.command], &e);
    else
        say_error("%s", e.text);
    /* The bare word shows what there is, and still is a usage error. */
    if (argc < 2 && status == EXIT_DONE)
        status = EXIT_USAGE;
    arena_close(r.arena);
    return status;
}
