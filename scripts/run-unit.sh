#!/bin/sh
# Runs unit test programs one after the other, says what failed, ends with
# 'N passed, N failed, N skipped' over all of them.
set -u
passed=0 failed=0 skipped=0
for t in "$@"; do
    out=$("$t" 2>&1) || status=$?
    status=${status:-0}
    p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
    f=$(printf '%s\n' "$out" | grep -c '^\[  FAILED  \] [^0-9]*[a-z_0-9]*$' || true)
    s=$(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \] [a-z]' || true)
    if [ "$status" -ne 0 ]; then
        [ "$f" -gt 0 ] || f=1
        printf '%s\n' "--- $t (exit $status)" "$out" | tail -n 60
    elif [ "$p" -eq 0 ] && [ "$s" -eq 0 ]; then
        f=1
        echo "--- $t ran no test"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    unset status
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
