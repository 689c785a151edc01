/* Feeds a fuzz target each file of the folders named, once and in order; says
 * before each which it is, so that a crash has a name. No file is an error: a
 * corpus that went missing must not pass. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/file.h"

#define INPUT_BYTES_MAX ((size_t)64 << 20)
#define INPUTS_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rc feed(str dir, str name, struct err *e)
{
    struct arena *a = arena_open();
    str path = arena_fmt(a, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name));
    str text;
    rc code;

    (void)printf("%s\n", path.p);
    (void)fflush(stdout);
    code = file_read(path.p, INPUT_BYTES_MAX, a, &text, e);
    if (code == RC_OK) {
        /* A copy of just its size, so that a read past its end is seen. */
        uint8_t *just = malloc(text.n);

        if (text.n > 0 && just != NULL)
            memcpy(just, text.p, text.n);
        (void)LLVMFuzzerTestOneInput(just, text.n);
        free(just);
    }
    arena_close(a);
    return code;
}

int main(int argc, char **argv)
{
    struct arena *a = arena_open();
    struct err e;
    size_t inputs = 0;
    rc code = RC_OK;

    for (int i = 1; i < argc && code == RC_OK; i++) {
        str *names;
        size_t n;

        code = file_list(argv[i], INPUTS_MAX, a, &names, &n, &e);
        for (size_t k = 0; k < n && code == RC_OK; k++, inputs++)
            code = feed(str_of(argv[i]), names[k], &e);
    }
    arena_close(a);
    if (code == RC_OK && inputs == 0)
        code = err_set(&e, RC_NOTFOUND, "no input in the corpus");
    if (code != RC_OK) {
        (void)printf("%s\n", e.text);
        return 1;
    }
    (void)printf("%zu inputs\n", inputs);
    return 0;
}
