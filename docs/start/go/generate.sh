#!/usr/bin/env bash
# Makes the stubs that the worker imports, the folder actav1 beside it. The protos name no Go
# package: the options do. generate.sh [FOLDER OF THE PROTOS]
set -euo pipefail

protos=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../../../proto}")
cd "$(dirname "${BASH_SOURCE[0]}")"
module=$(go list -m)
options=()
for file in "$protos"/acta/v1/*.proto; do
  package="Macta/v1/$(basename "$file")=$module/actav1"
  options+=("--go_opt=$package" "--go-grpc_opt=$package")
done
# The plugins in the versions that go.mod pins.
plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install tool
PATH=$plugins:$PATH protoc -I "$protos" --go_out=. --go_opt=module="$module" \
  --go-grpc_out=. --go-grpc_opt=module="$module" "${options[@]}" "$protos"/acta/v1/*.proto
