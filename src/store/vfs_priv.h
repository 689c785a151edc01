/*
 * vfs: SQLite's files, time and chance on the seam of base/io.h. Each method
 * passes io_gate and io_record and is then handed on to the system's own VFS.
 *
 * VFS_NAME is the one for all work. VFS_PEEK_NAME opens everything read-only,
 * takes no locks and has no shared memory: with locking_mode exclusive it
 * shows a database with its WAL and changes not one byte.
 *
 * Threads: any, after vfs_register.
 */
#ifndef STORE_VFS_PRIV_H
#define STORE_VFS_PRIV_H

#include "base/err.h"

#define VFS_NAME "knowd"
#define VFS_PEEK_NAME "knowd-peek"

rc vfs_register(struct err *e) MUST_CHECK; /* any number of times */

#endif
