# The default run, and the slow checks.

PYTHON_PACKAGES="grpcio==1.62.3 grpcio-tools==1.62.3 opentelemetry-proto==1.27.0"

# prepare_venv NAME PACKAGES: a Python environment build/NAME. Made once.
prepare_venv() {
  local venv=$ROOT/build/$1
  [ -f "$venv/ready" ] && [ "$(cat "$venv/ready")" = "$2" ] && return 0
  rm -rf "$venv"
  echo "+ python3 -m venv build/$1; pip install $2" >&2
  python3 -m venv "$venv" &&
    "$venv/bin/pip" install -q --disable-pip-version-check $2 &&
    echo "$2" >"$venv/ready"
}

# With grpcio for the tests that use generated stubs: downloading is no part of a test's time.
prepare_python() {
  prepare_venv venv "$PYTHON_PACKAGES"
}

# The programs of docs/start in Go, Node and Java, for their tests: where a toolchain is missing, it
# says so and the tests skip themselves.
prepare_languages() {
  PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/e2e/language_builds.py"
}

fast_checks() {
  cd "$ROOT"
  python3 tools/checks/layers.py
  python3 tools/checks/sizes.py
  python3 tools/checks/clocks.py
  python3 tools/checks/links.py
  python3 tools/checks/stale_docs.py --actad build/release/bin/actad --acta build/release/bin/acta
}

dev_test() {
  local filter=${1:-}
  dev_build release
  if [ -z "$filter" ]; then
    fast_checks
  fi
  prepare_python
  prepare_prometheus
  prepare_languages
  cd "$ROOT/build/release"
  if [ -z "$filter" ] || [ -n "$(ctest -N -R "$filter" | grep 'Test *#')" ]; then
    # Half of them wait most of the time; those that do not count for two (PROCESSORS).
    ctest -j6 --output-on-failure --no-tests=error ${filter:+-R "$filter"}
  else
    run_test_cases "$filter"
  fi
}

# Runs the test cases whose name holds the text, whatever the case of its letters, in the programs
# that have such.
run_test_cases() {
  local text=$1 program found=
  # What Catch2 would read as syntax.
  local spec
  spec=$(sed 's/[][,"\\]/\\&/g' <<<"$text")
  for program in tests/*_test; do
    # It exits with the number of its tests.
    { "$program" --list-test-names-only || true; } | grep -qiF -- "$text" || continue
    found=1
    echo "== $(basename "$program")"
    "$program" "*$spec*"
  done
  [ -n "$found" ] || fail "no test program and no test case has '$text' in its name"
}

# Frames of libraries that are compiled without it are named in tests/tsan.supp; none of ours is.
# history_size: whoever wrote long ago is still known, so that such a frame is found.
dev_tsan() {
  dev_setup
  mkdir -p "$ROOT/build"
  build_targets tsan
  prepare_python
  cd "$ROOT/build/tsan"
  TSAN_OPTIONS="suppressions=$ROOT/tests/tsan.supp history_size=7" ctest -j2 --output-on-failure \
    --no-tests=error -L '^(unit|storage|client|cli|short)$' ${1:+-R "$1"}
}

# What the compiler reads of all sources but tests, joined as in the preset release.
joined_sources() {
  cmake --preset clang -B build/tidy -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=4 \
    >build/configure-tidy.log 2>&1 || {
    cat build/configure-tidy.log >&2
    fail "configuring for clang-tidy failed"
  }
  python3 - <<'PYTHON'
import json
for unit in json.load(open('build/tidy/compile_commands.json')):
    if not any(part in unit['file'] for part in ('/gen/', '/acta_grpc.dir/', '/tests/')):
        print(unit['file'])
PYTHON
}

# clang-tidy on these sources, or all. It reads the headers of gRPC, Protocol Buffers and RocksDB
# each time, up to half a minute, so all are read joined; with the headers that the preset clang
# generated.
tidy() {
  echo "== clang-tidy"
  cd "$ROOT"
  local commands=build/clang sources
  if [ $# -eq 0 ]; then
    commands=build/tidy
    sources=$(joined_sources)
    set -- $sources
  fi
  printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 \
    clang-tidy -p "$commands" --quiet --extra-arg="-isystem$ROOT/build/clang/gen"
}

dev_check() {
  local tools=check
  if [ "${1:-}" = --full ]; then
    tools=tidy
    shift
  fi
  dev_setup "$tools"
  mkdir -p "$ROOT/build"
  fast_checks
  echo "== clang-format"
  source_files | xargs clang-format --dry-run -Werror
  if command -v buf >/dev/null; then
    echo "== buf"
    buf lint proto
  fi
  echo "== clang, thread-safety analysis"
  build_targets clang
  if [ "$tools" = tidy ]; then
    tidy "$@"
  fi
  echo "== asan and ubsan, default run"
  build_targets asan
  prepare_python
  prepare_languages
  prepare_prometheus
  (cd "$ROOT/build/asan" &&
    LSAN_OPTIONS="suppressions=$ROOT/tests/lsan.supp" ctest -j2 --output-on-failure)
}
