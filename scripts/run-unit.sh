#!/bin/sh
# Runs cmocka programs one after the other, says what failed or was skipped,
# ends with 'N passed, N failed, N skipped' over all of them. A test that
# began and did not end (a crash) has failed; so has a program that ran none,
# or exited badly though its tests were fine.
set -u
seconds=${UNIT_SECONDS:-240} # of one program
runner=${UNIT_RUNNER:-}      # put before it: valgrind and its options
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# cmocka names a test at its start, at its end, and once more in a list of all
# that failed: only the line that ends the running test counts.
cat >"$work/count.awk" <<'AWK'
/^\[ RUN      \] / { if (now != "") failed++; now = $4; ran++; next }
now != "" && $0 == "[       OK ] " now { passed++; now = "" }
now != "" && $0 == "[  FAILED  ] " now { failed++; now = "" }
now != "" && $0 == "[  SKIPPED ] " now {
    skipped++; now = ""
    print "skipped: " program " " $4 >"/dev/stderr"
}
END {
    if (now != "") failed++
    if (failed == 0 && (status != 0 || ran == 0)) failed++
    print passed + 0, failed + 0, skipped + 0
}
AWK

passed=0 failed=0 skipped=0
for t in "$@"; do
    # shellcheck disable=SC2086 # a program and its options
    timeout "$seconds" $runner "$t" >"$work/out" 2>&1
    status=$?
    read -r p f s <<COUNTS
$(awk -v status="$status" -v program="${t##*/}" -f "$work/count.awk" "$work/out")
COUNTS
    if [ "$f" -gt 0 ]; then
        echo "--- $t (exit $status)"
        tail -n 60 "$work/out"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
