/*
 * cpuid_mask: preloaded, it makes a program see a processor of AVX2 without
 * AVX-512, VNNI and AMX, or with CPUID_MASK=amx in the environment one without
 * AMX, so that a peer that picks its kernels by CPUID can be measured there.
 * Where the processor lets CPUID fault (Intel since 2012, some hypervisors), the
 * instruction is answered by a handler, less those bits. Elsewhere so is UD0,
 * which bench/cpuid_patch.py writes in its place into copies of programs.
 */
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Leaf 7: avx512 f, dq, ifma, pf, er, cd, bw, vl | vbmi, vbmi2, vnni, bitalg,
 * vpopcntdq | 4vnniw, 4fmaps, vp2intersect, amx bf16, fp16, tile, int8. Leaf
 * 7.1: avx-vnni, bf16, amx-fp16, avx-ifma | avx-vnni-int8, avx-vnni-int16,
 * avx10. */
#define LEAF7_B                                                        \
    (1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | \
     1u << 30 | 1u << 31)
#define LEAF7_C (1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14)
#define LEAF7_D \
    (1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25)
#define LEAF71_A (1u << 4 | 1u << 5 | 1u << 21 | 1u << 23)
#define LEAF71_D (1u << 4 | 1u << 10 | 1u << 19)
#define LEAF7_D_AMX (1u << 22 | 1u << 24 | 1u << 25)
#define LEAF71_A_AMX (1u << 21)

static struct {
    unsigned b7, c7, d7, a71, d71;
} hidden = {LEAF7_B, LEAF7_C, LEAF7_D, LEAF71_A, LEAF71_D};

static void cpuid_allow(unsigned long yes)
{
    (void)syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes);
}

static bool asks(int signal_number, const uint8_t code[2])
{
    return code[0] == 0x0f &&
           code[1] == (signal_number == SIGILL ? 0xff : 0xa2);
}

static void answer(int signal_number, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint8_t code[2];
    unsigned leaf = (unsigned)r[REG_RAX], sub = (unsigned)r[REG_RCX];
    unsigned a, b, c, d;

    (void)info;
    memcpy(code, (const void *)(uintptr_t)r[REG_RIP], sizeof code);
    if (!asks(signal_number, code)) { /* a fault of its own */
        (void)signal(signal_number, SIG_DFL);
        return;
    }
    cpuid_allow(1);
    __cpuid_count(leaf, sub, a, b, c, d);
    cpuid_allow(0);
    if (leaf == 7 && sub == 0) {
        b &= ~hidden.b7;
        c &= ~hidden.c7;
        d &= ~hidden.d7;
    } else if (leaf == 7 && sub == 1) {
        a &= ~hidden.a71;
        d &= ~hidden.d71;
    }
    r[REG_RAX] = a;
    r[REG_RBX] = b;
    r[REG_RCX] = c;
    r[REG_RDX] = d;
    r[REG_RIP] += (greg_t)sizeof code;
}

__attribute__((constructor)) static void mask(void)
{
    struct sigaction s = {.sa_sigaction = answer,
                          .sa_flags = SA_SIGINFO | SA_NODEFER};
    const char *what = getenv("CPUID_MASK");

    if (what != NULL && strcmp(what, "amx") == 0) {
        hidden.b7 = hidden.c7 = hidden.d71 = 0;
        hidden.d7 = LEAF7_D_AMX;
        hidden.a71 = LEAF71_A_AMX;
    }
    if (sigaction(SIGILL, &s, NULL) == 0 && sigaction(SIGSEGV, &s, NULL) == 0)
        cpuid_allow(0);
}
