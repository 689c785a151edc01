#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define EXIT_STATUS_KILLED 137 /* what a shell reports for kill -9 */
#define SHORT_COUNT (-1)       /* stands for an errno: do half of it */

static const char *const KIND_NAMES[IO_KIND_COUNT] = {
    [IO_OPEN] = "open",           [IO_PREAD] = "pread",
    [IO_PWRITE] = "pwrite",       [IO_FSYNC] = "fsync",
    [IO_FTRUNCATE] = "ftruncate", [IO_RENAME] = "rename",
    [IO_UNLINK] = "unlink",       [IO_MKDIR] = "mkdir",
    [IO_LINK] = "link",           [IO_MMAP] = "mmap",
    [IO_ALLOC] = "alloc",
};

#define KIND_BIT(kind) (1u << (kind))
#define KINDS_ALL (KIND_BIT(IO_KIND_COUNT) - 1)
#define KINDS_WRITE                                                      \
    (KIND_BIT(IO_PWRITE) | KIND_BIT(IO_FSYNC) | KIND_BIT(IO_FTRUNCATE) | \
     KIND_BIT(IO_RENAME) | KIND_BIT(IO_UNLINK) | KIND_BIT(IO_MKDIR) |    \
     KIND_BIT(IO_LINK))
#define KINDS_READ (KIND_BIT(IO_OPEN) | KIND_BIT(IO_PREAD) | KIND_BIT(IO_MMAP))

struct plan {
    uint64_t at;    /* 0: never */
    int sys;        /* 0: exit */
    uint64_t times; /* how many calls from `at` on */
    unsigned kinds;
    char path[256]; /* part of a path; empty: any */
    char count_path[1024];
    int record_fd; /* -1: none; guarded by record_lock */
    pid_t owner;   /* children don't write its count */
    atomic_uint_least64_t counted;
    struct plan *before; /* a thread may still look at it */
};

static struct plan *_Atomic plan_now; /* NULL: none */
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;

static _Noreturn void refuse(str item)
{
    (void)fprintf(stderr, "knowd: KNOWD_FAULT: cannot read \"" STR_FMT "\"\n",
                  STR_ARG(item));
    exit(2); /* NOLINT(concurrency-mt-unsafe): before the first thread */
}

static void copy_text(char *to, size_t room, str s)
{
    if (s.n >= room)
        refuse(s);
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
}

static int errno_named(str name)
{
    if (str_eq(name, STR("SHORT")))
        return SHORT_COUNT;
    for (int sys = 1; sys < 256; sys++) {
        const char *text = strerrorname_np(sys);

        if (text != NULL && str_eq(name, str_of(text)))
            return sys;
    }
    return 0;
}

static unsigned kind_named(str name)
{
    if (str_eq(name, STR("write")))
        return KINDS_WRITE;
    if (str_eq(name, STR("read")))
        return KINDS_READ;
    for (unsigned kind = 0; kind < IO_KIND_COUNT; kind++) {
        if (str_eq(name, str_of(KIND_NAMES[kind])))
            return KIND_BIT(kind);
    }
    refuse(name);
}

/* One part between colons, after the first. */
static void read_part(struct plan *p, str part)
{
    str name;

    if (str_starts(part, STR("path="))) {
        copy_text(p->path, sizeof p->path, str_sub(part, 5, part.n));
        return;
    }
    if (str_eq(part, STR("sticky"))) {
        p->times = UINT64_MAX;
        return;
    }
    if (str_starts(part, STR("times="))) {
        if (!str_to_u64(str_sub(part, 6, part.n), UINT64_MAX, &p->times))
            refuse(part);
        return;
    }
    p->kinds = 0;
    while (str_cut(part, ',', &name, &part))
        p->kinds |= kind_named(name);
    p->kinds |= kind_named(name);
}

static void read_item(struct plan *p, str item)
{
    str head, rest, part;
    char path[1024];

    if (str_starts(item, STR("count="))) {
        copy_text(p->count_path, sizeof p->count_path,
                  str_sub(item, 6, item.n));
        return;
    }
    if (str_starts(item, STR("record="))) {
        copy_text(path, sizeof path, str_sub(item, 7, item.n));
        p->record_fd =
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (p->record_fd < 0)
            refuse(item);
        return;
    }
    (void)str_cut(item, ':', &head, &rest);
    if ((!str_starts(head, STR("exit@")) && !str_starts(head, STR("fail@"))) ||
        !str_to_u64(str_sub(head, 5, head.n), UINT64_MAX, &p->at))
        refuse(item);
    if (str_starts(head, STR("fail@"))) {
        (void)str_cut(rest, ':', &part, &rest);
        p->sys = errno_named(part);
        if (p->sys == 0)
            refuse(item);
    }
    while (rest.n > 0) {
        /* A path may hold colons and so comes last. */
        if (str_starts(rest, STR("path="))) {
            read_part(p, rest);
            break;
        }
        (void)str_cut(rest, ':', &part, &rest);
        read_part(p, part);
    }
}

static void write_count(void)
{
    const struct plan *p = atomic_load(&plan_now);
    FILE *f;

    if (p == NULL || p->count_path[0] == '\0' || p->owner != getpid())
        return;
    f = fopen(p->count_path, "we");
    if (f == NULL)
        return;
    (void)fprintf(f, "%llu\n", (unsigned long long)io_plan_count());
    (void)fclose(f);
}

static struct plan *plan_read(const char *text)
{
    struct plan *p = mem_alloc(sizeof *p);
    str item, rest = str_of(text);

    *p = (struct plan){
        .kinds = KINDS_ALL, .times = 1, .record_fd = -1, .owner = getpid()};
    while (rest.n > 0) {
        (void)str_cut(rest, ';', &item, &rest);
        read_item(p, item);
    }
    return p;
}

static void record_end(struct plan *p)
{
    (void)pthread_mutex_lock(&record_lock);
    if (p->record_fd >= 0)
        (void)close(p->record_fd);
    p->record_fd = -1;
    (void)pthread_mutex_unlock(&record_lock);
}

void io_plan_set(const char *text)
{
    static bool at_exit;
    static struct plan *last;
    struct plan *p = text == NULL ? NULL : plan_read(text);

    atomic_store(&plan_now, p);
    if (last != NULL)
        record_end(last);
    if (p == NULL)
        return;
    p->before = last;
    last = p;
    if (!at_exit && p->count_path[0] != '\0')
        at_exit = atexit(write_count) == 0;
}

void io_plan_from_env(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before the first thread */
    const char *text = getenv("KNOWD_FAULT");

    if (text != NULL)
        io_plan_set(text);
}

uint64_t io_plan_count(void)
{
    struct plan *p = atomic_load(&plan_now);

    return p == NULL ? 0 : atomic_load(&p->counted);
}

/* What the plan wants of this call: 0, an errno or SHORT_COUNT. */
static int plan_asks(enum io_kind kind, const char *path)
{
    struct plan *p = atomic_load_explicit(&plan_now, memory_order_acquire);
    uint64_t k;

    if (p == NULL || (p->kinds & KIND_BIT(kind)) == 0)
        return 0;
    if (p->path[0] != '\0' && (path == NULL || strstr(path, p->path) == NULL))
        return 0;
    k = atomic_fetch_add(&p->counted, 1) + 1;
    if (p->at == 0 || k < p->at || k - p->at >= p->times)
        return 0;
    if (p->sys == 0)
        _exit(EXIT_STATUS_KILLED);
    return p->sys;
}

int io_gate(enum io_kind kind, const char *path)
{
    int sys = plan_asks(kind, path);

    return sys == SHORT_COUNT ? EIO : sys;
}

void io_record(enum io_kind kind, const char *path, uint64_t offset,
               const void *bytes, size_t n)
{
    struct {
        uint32_t kind, path_n;
        uint64_t offset, n;
    } head;
    const struct plan *p =
        atomic_load_explicit(&plan_now, memory_order_acquire);
    struct iovec parts[3];
    ssize_t want;

    if (p == NULL || path == NULL)
        return;
    head.kind = kind;
    head.path_n = (uint32_t)strlen(path);
    head.offset = offset;
    head.n = n;
    parts[0] = (struct iovec){&head, sizeof head};
    parts[1] = (struct iovec){mem_unconst(path), head.path_n};
    parts[2] = (struct iovec){mem_unconst(bytes), n};
    want = (ssize_t)(sizeof head + head.path_n + n);
    (void)pthread_mutex_lock(&record_lock);
    if (p->record_fd >= 0)
        ASSERT(writev(p->record_fd, parts, 3) == want);
    (void)pthread_mutex_unlock(&record_lock);
}

/* 0: go on; -1: errno is set as the plan wants. */
static int pass(enum io_kind kind, const char *path)
{
    int sys = io_gate(kind, path);

    if (sys == 0)
        return 0;
    errno = sys;
    return -1;
}

/* The same for counts: *n is halved where the plan asks for it. */
static int pass_count(enum io_kind kind, const char *path, size_t *n)
{
    int sys = plan_asks(kind, path);

    if (sys == SHORT_COUNT) {
        *n = *n > 1 ? *n / 2 : *n;
        return 0;
    }
    if (sys == 0)
        return 0;
    errno = sys;
    return -1;
}

int io_open(const char *path, int flags, mode_t mode)
{
    if (pass(IO_OPEN, path) != 0)
        return -1;
    if ((flags & (O_CREAT | O_TRUNC)) != 0)
        io_record(IO_OPEN, path, (uint64_t)(unsigned)flags, NULL, 0);
    return open(path, flags | O_CLOEXEC, mode);
}

int io_close(int fd)
{
    return close(fd);
}

ssize_t io_pread(int fd, const char *path, void *to, size_t n, uint64_t at)
{
    if (pass_count(IO_PREAD, path, &n) != 0)
        return -1;
    return pread(fd, to, n, (off_t)at);
}

ssize_t io_pwrite(int fd, const char *path, const void *from, size_t n,
                  uint64_t at)
{
    if (pass_count(IO_PWRITE, path, &n) != 0)
        return -1;
    io_record(IO_PWRITE, path, at, from, n);
    return pwrite(fd, from, n, (off_t)at);
}

int io_fsync(int fd, const char *path)
{
    if (pass(IO_FSYNC, path) != 0)
        return -1;
    io_record(IO_FSYNC, path, 0, NULL, 0);
    return fdatasync(fd);
}

int io_fsync_dir(const char *dir)
{
    int fd, code, sys;

    if (pass(IO_FSYNC, dir) != 0)
        return -1;
    io_record(IO_FSYNC, dir, 0, NULL, 0);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    code = fsync(fd);
    sys = errno;
    (void)close(fd);
    errno = sys;
    return code;
}

int io_ftruncate(int fd, const char *path, uint64_t size)
{
    if (pass(IO_FTRUNCATE, path) != 0)
        return -1;
    io_record(IO_FTRUNCATE, path, size, NULL, 0);
    return ftruncate(fd, (off_t)size);
}

int io_rename(const char *from, const char *to)
{
    if (pass(IO_RENAME, from) != 0)
        return -1;
    io_record(IO_RENAME, from, 0, to, strlen(to));
    return rename(from, to);
}

int io_link(const char *from, const char *to)
{
    if (pass(IO_LINK, from) != 0)
        return -1;
    io_record(IO_LINK, from, 0, to, strlen(to));
    return link(from, to);
}

int io_unlink(const char *path)
{
    if (pass(IO_UNLINK, path) != 0)
        return -1;
    io_record(IO_UNLINK, path, 0, NULL, 0);
    return unlink(path);
}

int io_mkdir(const char *path, mode_t mode)
{
    if (pass(IO_MKDIR, path) != 0)
        return -1;
    io_record(IO_MKDIR, path, 0, NULL, 0);
    return mkdir(path, mode);
}

void *io_mmap(int fd, const char *path, size_t n)
{
    if (pass(IO_MMAP, path) != 0)
        return MAP_FAILED;
    return mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
}
