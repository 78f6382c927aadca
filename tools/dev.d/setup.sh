# Packages: what is missing is installed, and only that.

BUILD_PACKAGES=(
  cmake ninja-build g++ ccache mold pkg-config python3-venv valgrind iproute2
  librocksdb-dev libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc
  libprotobuf-dev libabsl-dev libasio-dev libboost-dev prometheus-cpp-dev libcli11-dev
  nlohmann-json3-dev libtomlplusplus-dev libisal-dev zlib1g-dev catch2
  zsh fish
)
CHECK_PACKAGES=(clang clang-format libclang-rt-14-dev)
TIDY_PACKAGES=(clang-tidy)

# Names of the packages among the arguments that are not installed, one a line.
missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      echo "$package"
  done
}

# As root, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root: $*"
  fi
}

run_apt() {
  echo "+ apt-get $*" >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 "$@"
}

dev_setup() {
  local packages=("${BUILD_PACKAGES[@]}")
  case ${1:-} in
    check) packages+=("${CHECK_PACKAGES[@]}") ;;
    tidy) packages+=("${CHECK_PACKAGES[@]}" "${TIDY_PACKAGES[@]}") ;;
  esac
  command -v dpkg-query >/dev/null ||
    fail "packages are installed on Debian 12 and its like; elsewhere install: ${packages[*]}"
  local missing
  mapfile -t missing < <(missing_packages "${packages[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  local line=(install -y -q --no-install-recommends "${missing[@]}")
  # A machine whose lists are older than its mirror, or empty, answers only after an update.
  if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
    run_apt update -q
    run_apt "${line[@]}"
  elif ! run_apt "${line[@]}"; then
    run_apt update -q
    run_apt "${line[@]}"
  fi
}

# Prometheus and promtool for the tests of deploy, from their package and unpacked only: installed,
# it would start a service.
prepare_prometheus() {
  local folder=$ROOT/build/prometheus
  [ -x "$folder/usr/bin/promtool" ] && return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  echo "+ apt-get download prometheus" >&2
  (
    cd "$folder"
    apt-get download -q prometheus >/dev/null 2>&1 || {
      run_apt update -q
      apt-get download -q prometheus
    }
    dpkg -x prometheus_*.deb .
    rm prometheus_*.deb
  )
}
