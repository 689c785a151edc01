#include "cli/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"

#define HEAD_BYTES 8192
#define NAMES_MAX 1000000 /* in one folder */

/* A folder still to be listed. */
struct folder {
    const char *path;
    str title; /* path inside the folder that was named; empty for that one */
    unsigned depth;
};
struct folders {
    struct folder *v;
    size_t n, cap;
};

/* ---- is it a document? ---- */

/* Whatever their bytes: what the server reads, and texts in any charset. */
static bool has_extension(const char *path)
{
    static const char *const TAKEN[] = {".txt",  ".md",  ".markdown", ".jsonl",
                                        ".html", ".htm", ".xhtml",    ".pdf",
                                        ".docx", ".odt", ".epub"};
    str name = str_of(path);

    for (size_t i = 0; i < NELEMS(TAKEN); i++) {
        str end = str_of(TAKEN[i]);

        if (name.n > end.n &&
            str_eq_nocase(str_sub(name, name.n - end.n, end.n), end))
            return true;
    }
    return false;
}

static bool is_lines(const char *path)
{
    str name = str_of(path);

    return name.n > 6 &&
           str_eq_nocase(str_sub(name, name.n - 6, 6), STR(".jsonl"));
}

/* How many bytes the character that begins with `lead` has; 0: none does. */
static size_t utf8_bytes(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

bool walk_is_text(str head, bool whole)
{
    const unsigned char *p = (const unsigned char *)head.p;

    if (head.n >= 2 &&
        ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return true; /* UTF-16 says so itself */
    for (size_t i = 0; i < head.n;) {
        size_t n = utf8_bytes(p[i]);

        if (n == 0 || p[i] < '\b' || (p[i] > '\r' && p[i] < 0x1b))
            return false;
        for (size_t k = 1; k < n; k++) {
            if (i + k == head.n)
                return !whole; /* cut in a character */
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
        }
        i += n;
    }
    return true;
}

enum look { LOOK_DOCUMENT, LOOK_OTHER, LOOK_UNREADABLE };

static enum look file_look(const char *path, uint64_t size)
{
    char head[HEAD_BYTES];
    ssize_t n;
    int fd;

    if (has_extension(path))
        return access(path, R_OK) == 0 ? LOOK_DOCUMENT : LOOK_UNREADABLE;
    fd = io_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return LOOK_UNREADABLE;
    n = io_pread(fd, path, head, sizeof head, 0);
    (void)io_close(fd);
    if (n < 0)
        return LOOK_UNREADABLE;
    if (str_starts((str){head, (size_t)n}, STR("%PDF-")) ||
        walk_is_text((str){head, (size_t)n}, (uint64_t)n == size))
        return LOOK_DOCUMENT;
    return LOOK_OTHER;
}

/* ---- the walk ---- */

static void skip(struct walk *w, const char *path, const char *reason,
                 bool wanted)
{
    w->skip(w->arg, path, reason, wanted);
}

static rc take_file(struct walk *w, const char *path, str title, uint64_t size,
                    bool named, struct err *e)
{
    struct walk_file f = {.path = path, .title = title, .size = size};
    enum look look = file_look(path, size);

    if (look == LOOK_UNREADABLE) {
        skip(w, path, "cannot be read", true);
        return RC_OK;
    }
    if (look == LOOK_OTHER && !named) {
        skip(w, path, "neither text nor a document", false);
        return RC_OK;
    }
    if (w->n == WALK_FILES_MAX)
        return err_set(e, RC_LIMIT, "more than %d files", WALK_FILES_MAX);
    f.lines = is_lines(path);
    ARENA_PUSH(w->out, w->v, w->n, w->cap, f);
    return RC_OK;
}

/* One name found in a folder. */
static rc take_name(struct walk *w, struct folders *todo,
                    const struct folder *in, str name, struct err *e)
{
    const char *path = arena_cstr(
        w->out, arena_fmt(w->out, "%s%s" STR_FMT, in->path,
                          str_ends(str_of(in->path), STR("/")) ? "" : "/",
                          STR_ARG(name)));
    str title = in->title.n == 0 ? name
                                 : arena_fmt(w->out, STR_FMT "/" STR_FMT,
                                             STR_ARG(in->title), STR_ARG(name));
    struct stat link, target, *st = &link;

    if (str_starts(name, STR("."))) {
        skip(w, path, "hidden", false);
    } else if (lstat(path, &link) != 0 ||
               (S_ISLNK(link.st_mode) && stat(path, st = &target) != 0)) {
        skip(w, path, "cannot be read", true);
    } else if (S_ISREG(st->st_mode)) {
        return take_file(w, path, title, (uint64_t)st->st_size, false, e);
    } else if (!S_ISDIR(st->st_mode)) {
        skip(w, path, "neither file nor folder", false);
    } else if (S_ISLNK(link.st_mode)) {
        skip(w, path, "link to a folder", false);
    } else if (in->depth + 1 > WALK_DEPTH_MAX) {
        skip(w, path, "too many folders inside each other", true);
    } else {
        ARENA_PUSH(w->out, todo->v, todo->n, todo->cap,
                   ((struct folder){path, title, in->depth + 1}));
    }
    return RC_OK;
}

static rc walk_folder(struct walk *w, const char *path, struct err *e)
{
    struct folders todo = {0};
    struct folder now;
    rc code = RC_OK;

    ARENA_PUSH(w->out, todo.v, todo.n, todo.cap,
               ((struct folder){.path = path}));
    while (todo.n > 0 && code == RC_OK) {
        str *names;
        size_t n;

        now = todo.v[--todo.n];
        code = file_list(now.path, NAMES_MAX, w->out, &names, &n, e);
        if (code != RC_OK && code != RC_LIMIT) {
            skip(w, now.path, "cannot be read", true);
            code = RC_OK;
            continue;
        }
        for (size_t i = 0; i < n && code == RC_OK; i++)
            code = take_name(w, &todo, &now, names[i], e);
    }
    return code;
}

rc walk_path(struct walk *w, const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    const char *reason;
    struct stat st;

    if (stat(path, &st) != 0) {
        reason = errno == ENOENT ? "no such file or folder" : "cannot be read";
        skip(w, path, reason, true);
        return RC_OK;
    }
    if (S_ISDIR(st.st_mode))
        return walk_folder(w, path, e);
    if (S_ISREG(st.st_mode))
        return take_file(w, path, str_of(slash == NULL ? path : slash + 1),
                         (uint64_t)st.st_size, true, e);
    skip(w, path, "neither file nor folder", true);
    return RC_OK;
}
