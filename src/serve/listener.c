#include "serve/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
/* RFC 9293, section 3.1: the byte of a TCP header that holds its flags. */
#define TCP_FLAGS_AT 13
#define TCP_FLAG_SYN 0x02

static rc bind_to(const struct addrinfo *to, const char *address,
                  const char *port, int *fd, struct err *e)
{
    int on = 1;
    rc code;

    *fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return err_errno(e, RC_IO, errno, "cannot open a socket");
    (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(*fd, to->ai_addr, to->ai_addrlen) == 0 &&
        listen(*fd, BACKLOG) == 0)
        return RC_OK;
    code = err_errno(e, errno == EADDRINUSE ? RC_BUSY : RC_IO, errno,
                     "cannot listen on %s port %s", address, port);
    (void)close(*fd);
    *fd = -1;
    return code;
}

static void name_it(struct listener *l, struct arena *out)
{
    char name[INET6_ADDRSTRLEN] = {0};
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } a = {0};
    socklen_t n = sizeof a;

    (void)getsockname(l->fd, &a.any, &n);
    if (a.any.sa_family == AF_INET6) {
        l->loopback = IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
        (void)inet_ntop(AF_INET6, &a.v6.sin6_addr, name, sizeof name);
        l->url = arena_fmt(out, "http://[%s]:%u", name, ntohs(a.v6.sin6_port));
    } else {
        l->loopback = ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
        (void)inet_ntop(AF_INET, &a.v4.sin_addr, name, sizeof name);
        l->url = arena_fmt(out, "http://%s:%u", name, ntohs(a.v4.sin_port));
    }
}

rc listener_open(str address, uint16_t port, struct arena *out,
                 struct listener *l, struct err *e)
{
    struct addrinfo hints = {.ai_flags =
                                 AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM},
                    *found = NULL;
    const char *host = arena_cstr(out, address);
    char service[8];
    rc code;

    *l = (struct listener){.fd = -1};
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return err_set(e, RC_INVALID, "%s is no numeric address", host);
    code = bind_to(found, host, service, &l->fd, e);
    if (code == RC_OK)
        name_it(l, out);
    freeaddrinfo(found);
    return code;
}

void listener_turn_away(struct listener *l)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog drops_first = {.len = sizeof code / sizeof *code,
                                     .filter = code};

    /* Without it some peers are reset that could have been refused. */
    (void)setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &drops_first,
                     sizeof drops_first);
}

void listener_close(struct listener *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}
