#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"

#define EXIT_STATUS_BAD_MAP 75 /* EX_TEMPFAIL: start again */
#define PATH_BYTES_MAX 4096
#define READ_BYTES ((size_t)64 << 10)
#define EINTR_MAX 1000 /* then it is a failure like any other */

static rc fail(struct err *e, const char *verb, const char *path)
{
    int sys = errno;
    rc code = sys == ENOENT || sys == ENOTDIR ? RC_NOTFOUND : RC_IO;

    return err_errno(e, code, sys, "cannot %s %s", verb, path);
}

/* The folder a path stands in: "." when it names none. */
static rc parent_of(const char *path, char to[PATH_BYTES_MAX], struct err *e)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 1 : (size_t)(slash - path);

    if (n >= PATH_BYTES_MAX)
        return err_set(e, RC_IO, "path of %zu bytes is too long", strlen(path));
    if (slash == path)
        n = 1;
    memcpy(to, slash == NULL ? "." : path, n);
    to[n] = '\0';
    return RC_OK;
}

/* Up to n bytes; fewer only at the end of the file. */
static rc pread_some(int fd, const char *path, void *to, size_t n, uint64_t at,
                     size_t *got, struct err *e)
{
    unsigned interrupted = 0;

    for (*got = 0; *got < n;) {
        ssize_t k = io_pread(fd, path, (char *)to + *got, n - *got, at + *got);

        if (k == 0)
            break;
        if (k > 0)
            *got += (size_t)k;
        else if (errno != EINTR || ++interrupted == EINTR_MAX)
            return fail(e, "read", path);
    }
    return RC_OK;
}

rc file_pread_all(int fd, const char *path, void *to, size_t n, uint64_t at,
                  struct err *e)
{
    size_t got;
    rc code = pread_some(fd, path, to, n, at, &got, e);

    if (code == RC_OK && got < n)
        return err_set(e, RC_CORRUPT,
                       "%s ends at %" PRIu64 ", wanted %zu bytes more", path,
                       at + got, n - got);
    return code;
}

rc file_pwrite_all(int fd, const char *path, str bytes, uint64_t at,
                   struct err *e)
{
    unsigned interrupted = 0;

    for (size_t done = 0; done < bytes.n;) {
        ssize_t k =
            io_pwrite(fd, path, bytes.p + done, bytes.n - done, at + done);

        if (k > 0) {
            done += (size_t)k;
            continue;
        }
        if (k == 0)
            errno = ENOSPC;
        if (errno != EINTR || ++interrupted == EINTR_MAX)
            return fail(e, "write", path);
    }
    return RC_OK;
}

/* Reads to the end of the file, whatever its size claims to be, or till the
 * buffer is full. */
static rc read_to_end(int fd, const char *path, struct buf *b, struct err *e)
{
    size_t got, want;

    do {
        size_t left = b->bytes_max - b->n;
        char *to;
        rc code;

        want = left < READ_BYTES ? left : READ_BYTES;
        to = buf_reserve(b, want);
        if (to == NULL)
            return buf_end(b, e);
        code = pread_some(fd, path, to, want, b->n, &got, e);
        if (code != RC_OK)
            return code;
        b->n += got;
    } while (got == want && want > 0);
    return RC_OK;
}

rc file_read(const char *path, size_t bytes_max, struct arena *out, str *text,
             struct err *e)
{
    struct buf b;
    int fd = io_open(path, O_RDONLY, 0);
    rc code;

    ASSERT(bytes_max < SIZE_MAX);
    if (fd < 0)
        return fail(e, "open", path);
    buf_open(&b, bytes_max + 1); /* one more shows that it is too large */
    code = read_to_end(fd, path, &b, e);
    if (code == RC_OK && b.n > bytes_max)
        code =
            err_set(e, RC_LIMIT, "%s has more than %zu bytes", path, bytes_max);
    else if (code == RC_OK)
        *text = arena_str(out, buf_str(&b));
    buf_close(&b);
    (void)io_close(fd);
    return code;
}

rc file_write_atomic(const char *path, str bytes, mode_t mode, struct err *e)
{
    char tmp[PATH_BYTES_MAX], dir[PATH_BYTES_MAX];
    uint64_t chance;
    int fd = -1, n;
    bool made = false;
    rc code = parent_of(path, dir, e);

    if (code != RC_OK)
        return code;
    rng_bytes(&chance, sizeof chance);
    n = snprintf(tmp, sizeof tmp, "%s.%016llx.tmp", path,
                 (unsigned long long)chance);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return err_set(e, RC_IO, "path of %zu bytes is too long", strlen(path));
    fd = io_open(tmp, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0)
        return fail(e, "create", tmp);
    made = true;
    code = file_pwrite_all(fd, tmp, bytes, 0, e);
    if (code != RC_OK)
        goto done;
    if (io_fsync(fd, tmp) != 0) {
        code = fail(e, "sync", tmp);
        goto done;
    }
    if (io_rename(tmp, path) != 0) {
        code = fail(e, "rename a file to", path);
        goto done;
    }
    made = false;
    if (io_fsync_dir(dir) != 0)
        code = fail(e, "sync", dir);
done:
    (void)io_close(fd);
    if (made)
        (void)io_unlink(tmp);
    return code;
}

rc file_move(const char *from, const char *to, struct err *e)
{
    char dir[PATH_BYTES_MAX];
    rc code = parent_of(to, dir, e);
    int fd;

    if (code != RC_OK)
        return code;
    fd = io_open(from, O_RDONLY, 0);
    if (fd < 0)
        return fail(e, "open", from);
    if (io_fsync(fd, from) != 0)
        code = fail(e, "sync", from);
    (void)io_close(fd);
    if (code == RC_OK && io_rename(from, to) != 0)
        code = fail(e, "rename a file to", to);
    if (code == RC_OK && io_fsync_dir(dir) != 0)
        code = fail(e, "sync", dir);
    return code;
}

/* Makes one folder durably; one that is there is fine. */
static rc make_dir(const char *path, mode_t mode, struct err *e)
{
    char parent[PATH_BYTES_MAX];
    struct stat st;
    rc code;

    if (io_mkdir(path, mode) != 0) {
        if (errno != EEXIST)
            return fail(e, "make the folder", path);
        if (stat(path, &st) != 0)
            return fail(e, "look at", path);
        if (!S_ISDIR(st.st_mode))
            return err_set(e, RC_IO, "%s is not a folder", path);
        return RC_OK;
    }
    code = parent_of(path, parent, e);
    if (code == RC_OK && io_fsync_dir(parent) != 0)
        code = fail(e, "sync", parent);
    return code;
}

rc file_mkdirs(const char *path, mode_t mode, struct err *e)
{
    char head[PATH_BYTES_MAX];
    size_t n = strlen(path);
    struct stat st;

    if (n == 0 || n >= sizeof head)
        return err_set(e, RC_IO, "path of %zu bytes", n);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return RC_OK;
    memcpy(head, path, n + 1);
    while (n > 1 && head[n - 1] == '/')
        head[--n] = '\0';
    for (size_t i = 1; i < n; i++) {
        rc code;

        if (head[i] != '/' || head[i - 1] == '/')
            continue;
        head[i] = '\0';
        /* Those above may be there and not ours to write in. */
        code = stat(head, &st) == 0 ? RC_OK : make_dir(head, mode, e);
        head[i] = '/';
        if (code != RC_OK)
            return code;
    }
    return make_dir(head, mode, e);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

rc file_size(const char *path, uint64_t *bytes, struct err *e)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return fail(e, "look at", path);
    *bytes = (uint64_t)st.st_size;
    return RC_OK;
}

rc file_space_free(const char *path, uint64_t *bytes, struct err *e)
{
    struct statvfs vfs;

    if (statvfs(path, &vfs) != 0)
        return fail(e, "look at", path);
    *bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return RC_OK;
}

/* What is mapped, for the handler of SIGBUS, which may only read atomics: it
 * finds the one mapping the bad address lies in, and that one can't be on its
 * way out, since somebody is reading it. */
struct mapping {
    atomic_uintptr_t at; /* 0: free */
    atomic_size_t n;
    char *_Atomic path;
};
static struct mapping mappings[FILE_MAPS_MAX];
static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t mappings_hint;            /* where to look for a free one first */
static char guard_note[PATH_BYTES_MAX]; /* set before the handler is */

static bool register_mapping(const struct file_map *m, const char *path)
{
    bool done = false;

    (void)pthread_mutex_lock(&mappings_lock);
    for (size_t i = 0; i < FILE_MAPS_MAX && !done; i++) {
        struct mapping *to = &mappings[(mappings_hint + i) % FILE_MAPS_MAX];

        if (atomic_load(&to->at) != 0)
            continue;
        atomic_store(&to->path, strdup(path));
        atomic_store(&to->n, m->n);
        atomic_store(&to->at, (uintptr_t)m->p);
        mappings_hint = (mappings_hint + i + 1) % FILE_MAPS_MAX;
        done = true;
    }
    (void)pthread_mutex_unlock(&mappings_lock);
    return done;
}

static void forget_mapping(const struct file_map *m)
{
    (void)pthread_mutex_lock(&mappings_lock);
    for (size_t i = 0; i < FILE_MAPS_MAX; i++) {
        struct mapping *is = &mappings[i];

        if (atomic_load(&is->at) != (uintptr_t)m->p)
            continue;
        atomic_store(&is->at, 0);
        free(atomic_exchange(&is->path, NULL));
        mappings_hint = i;
        break;
    }
    (void)pthread_mutex_unlock(&mappings_lock);
}

rc file_map(const char *path, struct file_map *m, struct err *e)
{
    struct stat st;
    void *p;
    int fd = io_open(path, O_RDONLY, 0);
    rc code = RC_OK;

    *m = (struct file_map){0};
    if (fd < 0)
        return fail(e, "open", path);
    if (fstat(fd, &st) != 0) {
        code = fail(e, "look at", path);
        goto done;
    }
    if (st.st_size == 0)
        goto done;
    p = io_mmap(fd, path, (size_t)st.st_size);
    if (p == MAP_FAILED) {
        code = fail(e, "map", path);
        goto done;
    }
    *m = (struct file_map){p, (size_t)st.st_size};
    if (!register_mapping(m, path)) {
        (void)munmap(p, m->n);
        *m = (struct file_map){0};
        code = err_set(e, RC_LIMIT, "more than %d mapped files", FILE_MAPS_MAX);
    }
done:
    (void)io_close(fd);
    return code;
}

void file_unmap(struct file_map *m)
{
    if (m->p != NULL) {
        forget_mapping(m);
        ASSERT(munmap(mem_unconst(m->p), m->n) == 0);
    }
    *m = (struct file_map){0};
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    const char *path = NULL;
    int fd;

    (void)context;
    for (size_t i = 0; i < FILE_MAPS_MAX && path == NULL; i++) {
        uintptr_t from = atomic_load(&mappings[i].at);

        if (from != 0 && at >= from && at - from < atomic_load(&mappings[i].n))
            path = atomic_load(&mappings[i].path);
    }
    if (path == NULL) {
        /* Not ours: the default action at the second try. */
        (void)signal(sig, SIG_DFL);
        return;
    }
    fd = open(guard_note, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, path, strlen(path)) > 0)
        (void)fsync(fd);
    _exit(EXIT_STATUS_BAD_MAP);
}

rc file_map_guard(const char *note_path, struct err *e)
{
    struct sigaction act = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

    if (strlen(note_path) >= sizeof guard_note)
        return err_set(e, RC_IO, "path of %zu bytes is too long",
                       strlen(note_path));
    memcpy(guard_note, note_path, strlen(note_path) + 1);
    (void)sigemptyset(&act.sa_mask);
    if (sigaction(SIGBUS, &act, NULL) != 0)
        return fail(e, "watch the mappings for", note_path);
    return RC_OK;
}

static int cmp_names(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

rc file_list(const char *dir, size_t names_max, struct arena *out, str **names,
             size_t *n, struct err *e)
{
    struct dirent *entry;
    size_t cap = 0;
    DIR *d;
    rc code = RC_OK;
    int sys = io_gate(IO_OPEN, dir);

    *names = NULL;
    *n = 0;
    errno = sys;
    d = sys == 0 ? opendir(dir) : NULL;
    if (d == NULL)
        return fail(e, "list", dir);
    for (;;) {
        str name;

        errno = 0;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of its own */
        entry = readdir(d);
        if (entry == NULL)
            break;
        name = str_of(entry->d_name);
        if (str_eq(name, STR(".")) || str_eq(name, STR("..")))
            continue;
        if (*n == names_max) {
            code = err_set(e, RC_LIMIT, "%s holds more than %zu names", dir,
                           names_max);
            goto done;
        }
        ARENA_PUSH(out, *names, *n, cap, arena_str(out, name));
    }
    if (errno != 0)
        code = fail(e, "list", dir);
    else if (*n > 0)
        qsort(*names, *n, sizeof **names, cmp_names);
done:
    (void)closedir(d);
    return code;
}

rc file_lock(const char *path, int *fd, struct err *e)
{
    rc code;

    *fd = io_open(path, O_RDWR | O_CREAT, 0600);
    if (*fd < 0)
        return fail(e, "open", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return RC_OK;
    code = errno == EWOULDBLOCK
               ? err_set(e, RC_BUSY, "%s is locked by another process", path)
               : fail(e, "lock", path);
    (void)io_close(*fd);
    *fd = -1;
    return code;
}
