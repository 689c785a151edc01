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
/* From now on nobody new comes in: a first packet is dropped, so that the
 * peer asks again and finds the port closed. A connection the kernel has begun
 * is still made; close the listener once those were accepted, for the kernel
 * resets the ones it still holds. */
void listener_turn_away(struct listener *l);
void listener_close(struct listener *l);

#endif
