#include "base/cores.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define QUOTA_PATH "/sys/fs/cgroup/cpu.max"

unsigned cores_of_quota(const char *cpu_max, unsigned cores)
{
    unsigned long long quota, period, worth;

    if (sscanf(cpu_max, "%llu %llu", &quota, &period) != 2 || period == 0)
        return cores; /* "max": there is none */
    worth = quota / period + (quota % period > 0);
    if (worth < 1)
        worth = 1;
    return worth < cores ? (unsigned)worth : cores;
}

unsigned cores_allowed(void)
{
    char text[64] = "";
    cpu_set_t set;
    int n = 0, fd;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    if (n < 1) /* more cores than the set has room for */
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    fd = open(QUOTA_PATH, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) < 0)
            text[0] = '\0';
        (void)close(fd);
    }
    return cores_of_quota(text, n < 1 ? 1 : (unsigned)n);
}
