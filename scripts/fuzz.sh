#!/bin/sh
# usage: fuzz.sh SECONDS TARGET…
# Runs each libFuzzer target for so long on a copy of its corpus
# (tests/fuzz/corpus/NAME for fuzz_NAME). What makes one fail is kept in
# build/fuzz/found/ and belongs, once understood, into the corpus.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=$1
shift
found=build/fuzz/found
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$found"
passed=0 failed=0
for target in "$@"; do
    name=${target##*/fuzz_}
    copy=$work/$name
    mkdir -p "$copy"
    cp -R "tests/fuzz/corpus/$name/." "$copy/" 2>/dev/null ||
        echo "fuzz_$name: no corpus, starts from nothing"
    set -- "$copy" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$found/$name-"
    if [ -f "tests/fuzz/$name.dict" ]; then
        set -- "$@" -dict="tests/fuzz/$name.dict"
    fi
    if "$target" "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/out")
        echo "fuzz_$name: $runs runs, nothing found"
    else
        failed=$((failed + 1))
        tail -n 60 "$work/out"
        echo "fuzz_$name: FAILED, see $found/"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
