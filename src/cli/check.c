/* check: damage in a data folder, each finding a line. */
#include "app/search.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/print.h"

struct findings {
    bool json;
    json_t *lines;
};

static void on_finding(void *arg, const char *line)
{
    struct findings *f = arg;

    if (f->json)
        (void)json_array_append_new(f->lines, js_of_str(str_of(line)));
    else
        print_fmt("%s\n", line);
}

rc cmd_check(struct run *r, struct err *e)
{
    const char *dir = option_text(&r->o, OPT_DATA);
    struct findings f = {.json = option_flag(&r->o, OPT_JSON)};
    uint64_t found = 0;
    rc code;

    if (dir == NULL)
        return err_set(e, RC_INVALID, "check wants --data DIR");
    if (!file_exists(dir))
        return err_set(e, RC_INVALID, "there is no folder %.200s", dir);
    f.lines = json_array();
    code =
        app_check(dir, option_flag(&r->o, OPT_DEEP), on_finding, &f, &found, e);
    if (code == RC_OK && found > 0)
        r->status = EXIT_PARTIAL;
    if (code == RC_OK && f.json)
        code =
            print_json(json_pack("{s:s, s:b, s:I, s:O}", "data_dir", dir,
                                 "deep", option_flag(&r->o, OPT_DEEP), "found",
                                 (json_int_t)found, "findings", f.lines),
                       e);
    else if (code == RC_OK && found == 0)
        print_fmt("%s: nothing wrong\n", dir);
    else if (code == RC_OK)
        print_fmt("%s: %llu found\n", dir, (unsigned long long)found);
    json_decref(f.lines);
    return code;
}
