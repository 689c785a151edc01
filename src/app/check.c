#include "app/app_priv.h"

rc app_check(const char *dir, bool deep, app_check_report *report, void *arg,
             uint64_t *found, struct err *e)
{
    struct store_opts o = {.dir = dir, .read_only = true};
    struct store *s = NULL;
    uint64_t rows = 0, index = 0;
    rc code;

    *found = 0;
    if ((code = crypto_start(e)) != RC_OK ||
        (code = store_open(&o, &s, e)) != RC_OK)
        return code;
    if ((code = store_check(s, deep, report, arg, &rows, e)) == RC_OK)
        code = engine_check(s, deep, report, arg, &index, e);
    *found = rows + index;
    store_close(s);
    return code;
}
