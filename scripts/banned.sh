#!/bin/sh
# Functions that are not used here (each has a safer one), and libraries used
# outside the one place that wraps them.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
words='strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atof|rand|srand|localtime|gmtime|assert'
# Calls only: text in comments may name them without the parenthesis.
if grep -nHE "(^|[^A-Za-z0-9_])($words)\(" src/*.c src/*/*.[ch]; then
    echo "banned: the calls above"
    bad=1
fi
# header | the files that may include it
while IFS='|' read -r header where; do
    case $header in '' | '#'*) continue ;; esac
    # shellcheck disable=SC2013 # names without white space
    for file in $(grep -lE "#include <$header" src/*.c src/*/*.[ch]); do
        may=no
        for pattern in $where; do
            # shellcheck disable=SC2254 # a pattern is meant
            case $file in $pattern) may=yes ;; esac
        done
        if [ "$may" = no ]; then
            echo "banned: $file includes <$header, which only $where may"
            bad=1
        fi
    done
done <<'EDGES'
curl/|src/net/fetch*
idn2|src/net/url*
microhttpd|src/serve/http*
sqlite3|src/store/*
libpq|src/store/* src/engine/*postgres*
sodium|src/base/crypto* src/net/*
openssl/|src/base/crypto* src/net/*
expat|src/extract/* src/source/xml*
zlib|src/extract/package* src/extract/pdf_fonts* src/net/unpack*
archive|src/extract/* src/app/archive*
gumbo|src/extract/*
cmark|src/extract/*
utf8proc|src/text/*
libstemmer|src/text/*
EDGES
exit $bad
