#!/bin/sh
# usage: install.sh KNOWD
# Installs the program, its man page and completions under $DESTDIR$PREFIX.
set -eu
knowd=$1
root=${DESTDIR:-}${PREFIX:-/usr/local}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install -D -m 755 "$knowd" "$root/bin/knowd"
"$knowd" man >"$work/knowd.1"
install -D -m 644 "$work/knowd.1" "$root/share/man/man1/knowd.1"
while read -r shell to; do
    "$knowd" completions "$shell" >"$work/completions"
    install -D -m 644 "$work/completions" "$root/share/$to"
done <<'SHELLS'
bash bash-completion/completions/knowd
zsh zsh/site-functions/_knowd
fish fish/vendor_completions.d/knowd.fish
SHELLS
echo "installed under $root"
