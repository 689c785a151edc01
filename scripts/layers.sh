#!/bin/sh
# Checks src/LAYERS: a folder includes only from itself and the folders its
# line names, and a line names only folders listed before it.
set -eu
cd "$(dirname "$0")/.."
awk '
/^#/ || NF == 0 { next }
FILENAME ~ /LAYERS$/ {
    dir = $1; sub(/:$/, "", dir); may[dir, dir] = 1; seen[dir] = 1
    for (i = 2; i <= NF; i++) {
        if (!($i in seen)) { print "LAYERS: " dir " names " $i " before it stands"; bad = 1 }
        may[dir, $i] = 1
    }
    next
}
{ split(FILENAME, part, "/"); dir = part[2] }
match($0, /^#include "[a-z]+\//) {
    to = substr($0, RSTART + 10, RLENGTH - 11)
    if (!((dir, to) in may)) { print FILENAME ": " dir " may not include " to; bad = 1 }
}
END { exit bad }
' src/LAYERS src/main.c src/*/*.[ch]
