#!/bin/sh
# The corpus of the benches: documentation out of Debian packages (downloaded
# by apt-get, not installed) as text and Markdown files, and cut to chunks.
#   build/bench/corpus/files/PACKAGE/... files (*.md, *.txt)
#   build/bench/chunks.tsv               a chunk a line: file, title, text
# Does nothing when both are there. Same package versions, same output.
set -eu
cd "$(dirname "$0")/.."
packages="linux-doc-6.1 python3.11-doc postgresql-doc-15 perl-doc sqlite3-doc
git-doc python-django-doc debian-reference-en developers-reference
debian-policy nodejs-doc cmake-doc python-scipy-doc doc-debian
tcl8.6-doc haproxy-doc postfix-doc bind9-doc"
out=build/bench
[ ! -f $out/chunks.tsv ] || exit 0
mkdir -p $out/debs
for p in $packages; do
    [ -d "$out/debs/$p" ] && continue
    (cd $out/debs && apt-get download -qq -o APT::Sandbox::User=root "$p")
    dpkg-deb -x $out/debs/"$p"_*.deb "$out/debs/$p.part"
    mv "$out/debs/$p.part" "$out/debs/$p"
    rm -f $out/debs/"$p"_*.deb
done
rm -rf $out/corpus
# shellcheck disable=SC2086
python3 bench/corpus.py $out $packages
