/*
 * hub: models that are known by name, and how they come from a hub: a folder
 * of files over HTTPS.
 *
 * Errors:  RC_INVALID  not one of the names (the text lists them)
 *          else download.h's
 * Threads: one.
 */
#ifndef CLI_HUB_H
#define CLI_HUB_H

#include "base/arena.h"

/* Brings the model's files into dir/NAME; *folder is that. Draws its progress.
 * url: of the hub. */
rc hub_pull(const char *url, const char *name, const char *dir,
            struct arena *out, const char **folder, struct err *e) MUST_CHECK;

#endif
