# Building, running and what is made of the sources.

PRESETS="release dev asan tsan clang"

is_preset() {
  [[ " $PRESETS " == *" $1 "* ]]
}

# configure PRESET DIR
configure() {
  local log=$ROOT/build/configure-$(basename "$2").log
  mkdir -p "$ROOT/build"
  cmake --preset "$1" -B "$2" >"$log" 2>&1 || {
    cat "$log" >&2
    fail "configuring $1 failed"
  }
}

# Configures PRESET and builds the targets (all when none is named).
build_targets() {
  local preset=$1
  shift
  cd "$ROOT"
  local configured=build/$preset/build.ninja
  if [ ! -f "$configured" ] || [ CMakePresets.json -nt "$configured" ]; then
    configure "$preset" "$ROOT/build/$preset"
  fi
  cmake --build --preset "$preset" ${1:+--target "$@"}
}

# Debian packages, build/release/package/NAME_VERSION_ARCH.deb: acta, acta-client-dev.
dev_package() {
  dev_setup
  build_targets release actad acta acta-inspect acta_client_shared
  rm -rf "$ROOT/build/release/package"
  (cd "$ROOT/build/release" && cpack -G DEB) >"$ROOT/build/package.log" 2>&1 || {
    cat "$ROOT/build/package.log" >&2
    fail "the packages were not made"
  }
  ls "$ROOT"/build/release/package/*.deb
}

dev_build() {
  local preset=release
  if is_preset "${1:-}"; then
    preset=$1
    shift
  fi
  dev_setup $([ "$preset" = clang ] && echo check)
  mkdir -p "$ROOT/build"
  build_targets "$preset" "$@"
}

dev_run() {
  dev_build release actad
  cd "$ROOT"
  exec build/release/bin/actad --data ./acta-data "$@"
}

dev_bench() {
  dev_build release actad acta-bench
  cd "$ROOT"
  build/release/bin/acta-bench "$@"
}

# Every source file of ours.
source_files() {
  cd "$ROOT"
  find proto/support storage server client tools tests -name '*.h' -o -name '*.cc' | sort
}

dev_fmt() {
  command -v clang-format >/dev/null || dev_setup check
  source_files | xargs clang-format -i
}

# dev_fuzz [SECONDS] [NAME]: of all targets or the one named. A find ends it: its input is a file
# beside what was collected.
dev_fuzz() {
  local seconds=${1:-60} only=${2:-}
  dev_setup check
  if [ -n "$only" ]; then
    dev_build clang "${only}_fuzzer"
  else
    dev_build clang fuzzers
  fi
  cd "$ROOT"
  local fuzzer name
  for fuzzer in build/clang/tests/${only:-*}_fuzzer; do
    [ -x "$fuzzer" ] || fail "no fuzz target was built"
    name=$(basename "$fuzzer" _fuzzer)
    mkdir -p "build/corpus/$name"
    echo "== $name, $seconds s"
    "$fuzzer" -max_total_time="$seconds" -print_final_stats=1 \
      -artifact_prefix="build/corpus/$name-" "build/corpus/$name" "tests/fuzz/corpus/$name"
  done
}

dev_report() {
  dev_setup
  cd "$ROOT"
  local dir=$ROOT/build/report
  rm -rf "$dir"
  configure release "$dir"
  report_time "clean build of everything with the preset release on $(nproc) cores" "$dir"
  touch "$TOUCHED"
  report_time "$TOUCHED touched, everything that depends on it rebuilt and linked" "$dir"
  ls -l --block-size=K "$dir/bin" | awk 'NR > 1 {print $NF ": " $5}'
  rm -rf "$dir"
}

# A file of the broker's hot path that many programs link.
TOUCHED=server/core/publish/publish_session.cc

# report_time WHAT DIR: how long building the folder takes without ccache.
report_time() {
  local started log=$ROOT/build/report.log
  started=$(date +%s)
  CCACHE_DISABLE=1 cmake --build "$2" >"$log" 2>&1 || {
    tail -20 "$log" >&2
    fail "building for the report failed; the log is $log"
  }
  echo "$1: $(($(date +%s) - started)) s"
}
