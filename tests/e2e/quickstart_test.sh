#!/usr/bin/env bash
# Goal: the README's first command works as it stands. Method: the script itself with the programs
# that are built (ACTA_BIN), in a folder of its own, then --clean.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$root/tools/dev" quickstart --dir "$folder/walk"
test -d "$folder/walk/broker"
"$root/tools/dev" quickstart --clean --dir "$folder/walk"
test ! -e "$folder/walk"

mkdir "$folder/precious"
if "$root/tools/dev" quickstart --clean --dir "$folder/precious"; then
  echo "a folder that is not of a quickstart must not be removed" >&2
  exit 1
fi
test -d "$folder/precious"
