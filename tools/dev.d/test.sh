# The default run, and the slow checks.

PYTHON_PACKAGES="grpcio==1.62.3 grpcio-tools==1.62.3"

# A Python environment with grpcio for the tests that use generated stubs. Made once: downloading
# is no part of a test's time.
prepare_python() {
  local venv=$ROOT/build/venv
  [ -f "$venv/ready" ] && [ "$(cat "$venv/ready")" = "$PYTHON_PACKAGES" ] && return 0
  rm -rf "$venv"
  echo "+ python3 -m venv build/venv; pip install $PYTHON_PACKAGES" >&2
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check $PYTHON_PACKAGES
  echo "$PYTHON_PACKAGES" >"$venv/ready"
}

fast_checks() {
  cd "$ROOT"
  python3 tools/checks/layers.py
  python3 tools/checks/sizes.py
  python3 tools/checks/stale_docs.py --actad build/release/bin/actad
}

dev_test() {
  local filter=${1:-}
  dev_build release
  if [ -z "$filter" ]; then
    fast_checks
  fi
  prepare_python
  cd "$ROOT/build/release"
  ctest -j2 --output-on-failure --no-tests=error ${filter:+-R "$filter"}
}

dev_check() {
  dev_setup check
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
  echo "== asan and ubsan, default run"
  build_targets asan
  prepare_python
  (cd "$ROOT/build/asan" && ctest -j2 --output-on-failure)
}
