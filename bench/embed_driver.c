/*
 * embed_driver: the embedder by token ids, for bench/embed.py.
 *
 *   embed_driver FOLDER PACKED
 *
 * Packs the Hugging Face folder to PACKED where that is not there, then answers
 * each line of stdin:
 *   kernels            their name
 *   run ROUNDS FILE    seconds of CPU of embedding all texts of the file
 *   one ROUNDS FILE    the same, each text alone
 *   save FILE TO       vectors of the file's texts, fp32
 * A file is u32 texts, then u32 length and u32 ids of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "embed/embed_priv.h"
#include "embed/folder.h"

#define IDS_BYTES_MAX ((size_t)1 << 28)

struct texts {
    uint32_t n, *lengths, *ids;
};

static _Noreturn void stop(const char *what, const struct err *e)
{
    (void)fprintf(stderr, "embed_driver: %s: %s\n", what, e->text);
    exit(1);
}

static struct texts texts_read(const char *path, struct arena *a)
{
    struct texts t;
    struct err e;
    struct cur c;
    str bytes;
    size_t at = 0;

    if (file_read(path, IDS_BYTES_MAX, a, &bytes, &e) != RC_OK)
        stop(path, &e);
    c = cur_of(bytes);
    t.n = cur_u32(&c);
    t.lengths = ARENA_ARRAY(a, uint32_t, t.n);
    t.ids = ARENA_ARRAY(a, uint32_t, bytes.n / sizeof(uint32_t));
    for (uint32_t i = 0; i < t.n && !c.bad; i++) {
        t.lengths[i] = cur_u32(&c);
        for (uint32_t k = 0; k < t.lengths[i] && !c.bad; k++)
            t.ids[at++] = cur_u32(&c);
    }
    return t;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void embed(struct embedder *x, uint32_t dims, const struct texts *t,
                  bool alone, float *out)
{
    struct err e;
    size_t at = 0;

    if (!alone) {
        if (embed_ids(x, t->ids, t->lengths, t->n, out, &e) != RC_OK)
            stop("embedding", &e);
        return;
    }
    for (uint32_t i = 0; i < t->n; at += t->lengths[i++])
        if (embed_ids(x, t->ids + at, t->lengths + i, 1, out + (size_t)i * dims,
                      &e) != RC_OK)
            stop("embedding", &e);
}

static void answer(struct embedder *x, uint32_t dims, const char *line)
{
    struct arena *a = arena_open();
    char command[16], first[512], second[512];
    struct texts t;
    float *out;

    if (sscanf(line, "%15s %511s %511s", command, first, second) != 3) {
        (void)printf("%s\n", embed_kernels());
        goto done;
    }
    t = texts_read(strcmp(command, "save") == 0 ? first : second, a);
    out = ARENA_ARRAY(a, float, (size_t)t.n *dims);
    if (strcmp(command, "save") == 0) {
        struct err e;

        embed(x, dims, &t, false, out);
        if (file_write_atomic(
                second,
                (str){(const char *)out, (size_t)t.n * dims * sizeof *out},
                0600, &e) != RC_OK)
            stop(second, &e);
        (void)printf("saved\n");
    } else {
        double began = cpu_seconds();
        long rounds = strtol(first, NULL, 10);

        for (long i = 0; i < rounds; i++)
            embed(x, dims, &t, strcmp(command, "one") == 0, out);
        (void)printf("%.6f\n", cpu_seconds() - began);
    }
done:
    arena_close(a);
}

int main(int argc, char **argv)
{
    struct folder *f = NULL;
    struct model *m = NULL;
    struct embedder *x = NULL;
    char line[1200];
    struct err e;

    if (argc != 3)
        return 2;
    if (!file_exists(argv[2])) {
        if (folder_open(&(struct folder_opts){.path = argv[1]}, &f, &e) !=
                RC_OK ||
            model_pack(folder_bert(f), argv[2], &e) != RC_OK)
            stop(argv[1], &e);
        folder_close(f);
    }
    if (model_open(argv[2], &m, &e) != RC_OK ||
        embedder_open(m, &x, &e) != RC_OK)
        stop(argv[2], &e);
    while (fgets(line, sizeof line, stdin) != NULL) {
        answer(x, model_info(m)->dims, line);
        (void)fflush(stdout);
    }
    embedder_close(x);
    model_close(m);
    return 0;
}
