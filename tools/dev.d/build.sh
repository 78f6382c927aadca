# Building, running and what is made of the sources.

PRESETS="release dev asan tsan clang"

is_preset() {
  [[ " $PRESETS " == *" $1 "* ]]
}

# Configures PRESET and builds the targets (all when none is named).
build_targets() {
  local preset=$1
  shift
  cd "$ROOT"
  local configured=build/$preset/build.ninja
  if [ ! -f "$configured" ] || [ CMakePresets.json -nt "$configured" ]; then
    cmake --preset "$preset" >"$ROOT/build/configure-$preset.log" 2>&1 || {
      cat "$ROOT/build/configure-$preset.log" >&2
      fail "configuring $preset failed"
    }
  fi
  cmake --build --preset "$preset" ${1:+--target "$@"}
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

dev_fuzz() {
  local seconds=${1:-60}
  dev_setup check
  dev_build clang event_fuzzer publish_frame_fuzzer
  cd "$ROOT"
  local fuzzer name
  for fuzzer in build/clang/tests/*_fuzzer; do
    [ -x "$fuzzer" ] || fail "no fuzz target was built"
    name=$(basename "$fuzzer" _fuzzer)
    mkdir -p "build/corpus/$name"
    echo "== $name, $seconds s"
    "$fuzzer" -max_total_time="$seconds" -print_final_stats=1 "build/corpus/$name" \
      "tests/fuzz/corpus/$name"
  done
}

dev_report() {
  dev_setup
  cd "$ROOT"
  local dir=$ROOT/build/report started
  rm -rf "$dir"
  CCACHE_DISABLE=1 cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
  started=$(date +%s)
  CCACHE_DISABLE=1 cmake --build "$dir" >/dev/null
  echo "clean build of everything, no ccache: $(($(date +%s) - started)) s on $(nproc) cores"
  touch "$ROOT/tools/acta/exit_status.cc"
  started=$(date +%s)
  CCACHE_DISABLE=1 cmake --build "$dir" --target acta >/dev/null
  echo "one touched file of acta, rebuilt and linked: $(($(date +%s) - started)) s"
  ls -l --block-size=K "$dir/bin" | awk 'NR > 1 {print $NF ": " $5}'
  rm -rf "$dir"
}
