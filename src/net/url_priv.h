/*
 * url_priv: what url.c and url_host.c share.
 */
#ifndef NET_URL_PRIV_H
#define NET_URL_PRIV_H

#include "base/buf.h"
#include "net/url.h"

/* A beginning of s for an error's text: one line of ASCII, whatever s holds. */
#define URL_SHOWN 128
const char *url_shown(str s, char to[URL_SHOWN]);
/* A host as it stands in a URL: its kind, its canonical text, its address.
 * RC_INVALID: none that may stand there. */
rc url_host_parse(str text, struct arena *out, struct url *u,
                  struct err *e) MUST_CHECK;

#endif
