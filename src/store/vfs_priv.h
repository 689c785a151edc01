/*
 * vfs: SQLite's files, time and chance on the seam of base/io.h. Each method
 * passes io_gate and io_record and is then handed on to the system's own VFS.
 *
 * VFS_NAME is the one for all work but the writer's. VFS_WRITER_NAME hands a
 * WAL's writes on in pieces of up to 64 KiB instead of a page, at the latest
 * when the file is synced, read or cut: only for a connection with
 * synchronous=FULL, which syncs the WAL before it shows a commit to others.
 * VFS_PEEK_NAME opens everything read-only,
 * takes no locks and has no shared memory: with locking_mode exclusive it
 * shows a database with its WAL and changes not one byte.
 *
 * Threads: any, after vfs_register.
 */
#ifndef STORE_VFS_PRIV_H
#define STORE_VFS_PRIV_H

#include "base/err.h"

#define VFS_NAME "knowd"
#define VFS_WRITER_NAME "knowd-writer"
#define VFS_PEEK_NAME "knowd-peek"

rc vfs_register(struct err *e) MUST_CHECK; /* any number of times */

#endif
