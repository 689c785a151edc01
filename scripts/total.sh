#!/bin/sh
# Makes each target, whose last line tells 'N passed, N failed, N skipped';
# ends with their sum. A target that fails without such a line is one failure.
set -u
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0 skipped=0
for target in "$@"; do
    echo "== $target"
    { ${MAKE:-make} --no-print-directory "$target" 2>&1 || echo failed; } | tee "$out"
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$out" | tail -n 1)
    read -r p f s <<COUNTS
${counts:-0 0 0}
COUNTS
    if [ "$(tail -n 1 "$out")" = failed ] && [ "$f" -eq 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
