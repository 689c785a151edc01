/*
 * compare: whether two ways of ranking differ by more than chance, told by the
 * same queries asked both ways.
 *
 * The paired randomisation test: were the two alike, each query's difference
 * could as well have the other sign. p is the share of sign patterns whose mean
 * is at least as far from 0 as the one seen: of all patterns where there are no
 * more than PAIRED_ROUNDS of them, else of that many drawn at random (fixed
 * seed), the one seen counted in.
 *
 * Threads: pure.
 * Source:  Smucker, Allan and Carterette 2007, section 3.2.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "base/str.h"

#define PAIRED_ROUNDS 10000

struct paired {
    double mean;          /* of the differences; 0 of none */
    size_t better, worse; /* above and below 0 */
    double p;             /* two-sided */
};
struct paired paired_test(const double *differences, size_t n);

#endif
