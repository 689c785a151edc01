/* listener: the socket that connections come in by. It is ours and not the
 * library's, so that port 0 and the address are known. */
#ifndef SERVE_LISTENER_H
#define SERVE_LISTENER_H

#include "serve/serve.h"

struct listener {
    int fd;
    bool loopback;
    str url; /* "http://ADDR:PORT" */
};

/* RC_BUSY: the port is taken. RC_INVALID: no numeric address. */
rc listener_open(str address, uint16_t port, struct arena *out,
                 struct listener *l, struct err *e) MUST_CHECK;

#endif
