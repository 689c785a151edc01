#!/bin/sh
# Debian packages, by what they are for; ./up and ./check read this file.
#   need_packages "$BUILD_PACKAGES $TEST_PACKAGES"
# shellcheck disable=SC2034 # used by those who read this file
BUILD_PACKAGES="gcc make pkg-config libmicrohttpd-dev libcurl4-openssl-dev
    libsqlite3-dev libjansson-dev libcmark-gfm-dev libcmark-gfm-extensions-dev
    libutf8proc-dev libstemmer-dev libsodium-dev libssl-dev libzstd-dev
    libexpat1-dev zlib1g-dev libgumbo-dev libidn2-dev poppler-utils poppler-data
    tesseract-ocr tesseract-ocr-eng python3 python3-pip"
TEST_PACKAGES="libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14
    shellcheck codespell python3-venv curl qpdf nginx-light nftables iproute2
    util-linux openssl"
FULL_PACKAGES="clang-tidy-14 cppcheck man-db zsh maven gcc-aarch64-linux-gnu
    libc6-dev-arm64-cross qemu-user-static"

# Installs those of the packages (one text) that are missing, and says so.
need_packages() {
    missing=
    if ! command -v dpkg-query >/dev/null; then
        echo "No dpkg here: install what is missing yourself: $1"
        return 0
    fi
    for package in $1; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
            grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Missing packages, and no sudo to install them. As root:"
            echo "  apt-get update &&" \
                "apt-get install -y --no-install-recommends$missing"
            return 1
        fi
        root=sudo
    fi
    echo "Installing Debian packages:$missing"
    # shellcheck disable=SC2086 # words are wanted
    $root env DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get -qq update &&
            apt-get -qq install -y --no-install-recommends "$@" >/dev/null
        ' apt $missing
}
