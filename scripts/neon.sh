#!/bin/sh
# The kernels of embed/ as an emulated ARM runs them against those of this
# machine: all sets of kernels on both must give the same numbers to the bit.
# Wants gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static.
set -u
cd "$(dirname "$0")/.." || exit 1
for program in aarch64-linux-gnu-gcc qemu-aarch64-static; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: kernels of NEON, $program is not installed"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
done
out=build/neon
mkdir -p $out
sources="tests/neon/digest.c src/embed/dispatch.c src/embed/kernels_*.c"
flags="-std=c17 -D_GNU_SOURCE -Isrc -O3 -Wall -Wextra -Werror
    -ffp-contract=off -fno-strict-aliasing"
# shellcheck disable=SC2086 # lists of words
gcc $flags -o $out/here $sources -lm &&
    aarch64-linux-gnu-gcc $flags -static -o $out/arm $sources -lm &&
    $out/here >$out/digests &&
    timeout 120 qemu-aarch64-static $out/arm >>$out/digests
status=$?
cat $out/digests
if [ $status -eq 0 ] && grep -q '^neon ' $out/digests &&
    [ "$(cut -d' ' -f2 $out/digests | sort -u | wc -l)" -eq 1 ]; then
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "FAILED: kernels differ"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
