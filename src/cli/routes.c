/* routes: the route table, for people and for the tests' matrix. */
#include "base/json.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "serve/serve.h"

static rc show(const struct run *r, json_t *routes, struct err *e)
{
    if (option_flag(&r->o, OPT_JSON))
        return print_json(json_pack("{s:O}", "routes", routes), e);
    for (size_t i = 0; i < json_array_size(routes); i++) {
        const json_t *route = json_array_get(routes, i);

        const char *scope = json_string_value(json_object_get(route, "scope"));

        print_fmt("%-7s%-24s", js_str(route, "method").p,
                  scope != NULL ? scope : js_str(route, "access").p);
        print_str(js_str(route, "path"));
        print_fmt("\n");
    }
    return RC_OK;
}

rc cmd_routes(struct run *r, struct err *e)
{
    struct buf text = {0};
    json_t *routes = NULL;
    rc code;

    serve_routes_json(&text);
    code = buf_end(&text, e);
    if (code == RC_OK) {
        routes = json_loadb(text.p, text.n, 0, NULL);
        ASSERT(routes != NULL);
        code = show(r, routes, e);
    }
    json_decref(routes);
    buf_close(&text);
    return code;
}
