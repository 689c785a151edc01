#!/usr/bin/env bash
# usage: scripts/url-cases.sh
# Gets the Web Platform's cases for URL parsers, as the sources of a published
# parser carry them, into build/urls/urltestdata.json, and does nothing where
# they are there already. Takes cargo; nothing of the package is built.
set -euo pipefail
cd "$(dirname "$0")/.."

to=build/urls/urltestdata.json
version=2.5.8
sum=58d67bea710d5f46324fe6841df5fd82090fe4ec2d882bc0fc7c1784d4771884

said() { echo "$1 passed, 0 failed, $2 skipped"; }
if [ -e $to ]; then
    said 1 0
    exit
fi
if ! command -v cargo >/dev/null; then
    echo "SKIPPED: the Web Platform's URL cases take cargo, which is not here"
    said 0 1
    exit
fi
mkdir -p build/urls
work=$(mktemp -d build/urls/.get-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
printf '[package]\nname = "cases"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nurl = "=%s"\n' \
    $version >"$work/Cargo.toml"
touch "$work/src/lib.rs"
work=$(cd "$work" && pwd)
(cd "$work" && CARGO_HOME=$work/home cargo fetch -q)
file=$(find "$work/home/registry/src" -path "*/url-$version/tests/urltestdata.json")
[ "$(sha256sum "$file" | cut -d' ' -f1)" = $sum ] || {
    echo "url-cases: other cases than expected: not used" >&2
    exit 1
}
mv "$file" $to
echo "The cases are in $to"
said 1 0
