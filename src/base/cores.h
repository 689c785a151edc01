/*
 * cores: how many of the machine's this process may use. A container's quota
 * or a taskset leaves it fewer than there are, and a thread for each of the
 * others would only take memory and caches from those that run.
 *
 * Threads: any.
 */
#ifndef BASE_CORES_H
#define BASE_CORES_H

#include "base/str.h"

/* At least 1: those it may be scheduled on, and no more than its quota of CPU
 * time (cgroup v2) is worth, rounded up. */
unsigned cores_allowed(void);
/* The same of what /sys/fs/cgroup/cpu.max holds ("200000 100000", "max 100000")
 * and so many cores. */
unsigned cores_of_quota(str cpu_max, unsigned cores);

#endif
