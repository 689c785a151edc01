#!/bin/sh
# usage: fuzz-replay.sh PROGRAM…
# Feeds each fuzz target, linked with replay_main.c, the files of its corpus.
# One target is one test.
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0
for program in "$@"; do
    name=${program##*/fuzz_}
    if timeout 300 "$program" "tests/fuzz/corpus/$name" >"$out" 2>&1; then
        passed=$((passed + 1))
        echo "fuzz_$name: $(tail -n 1 "$out")"
    else
        failed=$((failed + 1))
        tail -n 60 "$out"
        echo "fuzz_$name: FAILED"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
