#include "base/cores.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#define QUOTA_PATH "/sys/fs/cgroup/cpu.max"

unsigned cores_of_quota(str cpu_max, unsigned cores)
{
    uint64_t quota, period, worth;
    str first, second;

    if (!str_cut(str_trim(cpu_max), ' ', &first, &second) ||
        !str_to_u64(first, UINT64_MAX, &quota) || /* "max": there is none */
        !str_to_u64(second, UINT64_MAX, &period) || period == 0)
        return cores;
    worth = quota / period + (quota % period > 0);
    if (worth < 1)
        worth = 1;
    return worth < cores ? (unsigned)worth : cores;
}

unsigned cores_allowed(void)
{
    char text[64] = {0};
    ssize_t text_n = 0;
    cpu_set_t set;
    int n = 0, fd;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    if (n < 1) /* more cores than the set has room for */
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    fd = open(QUOTA_PATH, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        text_n = read(fd, text, sizeof text);
        (void)close(fd);
    }
    return cores_of_quota((str){text, text_n < 0 ? 0 : (size_t)text_n},
                          n < 1 ? 1 : (unsigned)n);
}
