#!/bin/sh
# The checks that take seconds: format, layers, banned, shellcheck, codespell.
# One check is one test; one whose tool is not installed is skipped.
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0 skipped=0

check() { # NAME PROGRAM ARGUMENT…
    name=$1
    shift
    if ! command -v "$1" >/dev/null 2>&1; then
        skipped=$((skipped + 1))
        echo "skipped: $name, $1 is not installed"
    elif "$@" >"$out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        head -n 40 "$out"
        echo "FAILED: $name"
    fi
}

sources=$(find src tests -name '*.[ch]' | sort)
scripts=$(grep -lE '^#!(/bin/sh|/usr/bin/env bash|/bin/bash)' scripts/* .ci/* up check tests/*/* 2>/dev/null)
# shellcheck disable=SC2086 # lists of names without white space
{
    check format clang-format-14 --dry-run -Werror $sources
    check layers scripts/layers.sh
    check banned scripts/banned.sh
    check shellcheck shellcheck $scripts
    check spelling codespell -q 3 -I scripts/spelling-words \
        -S '*/corpus/*,*/golden/*,*.json,*.csv,*.svg,*.ipynb,*/node_modules/*,*.lock' \
        src scripts tests docs specs ui ./*.md
}
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
