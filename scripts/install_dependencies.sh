#!/usr/bin/env bash
# Installs the Debian packages that uncial is built with, those that are missing and no others. Never asks.
#
#   scripts/install_dependencies.sh [--tests] [--benchmarks] [--python] [--wasm] [--no-install]
#
#   --tests       also what the tests need
#   --benchmarks  also what the benchmarks need, and the libraries that they compare with
#   --python      also what the Python package and JupyterLab need
#   --wasm        also what compiles for browsers (emscripten: 1 GB)
#   --no-install  install nothing: list what is missing and fail (exit code 1)
#
# Run as root, or as a user who may use sudo. With nothing missing it needs neither, and no network.
# Made for Debian 12; Ubuntu 24.04 has the same package names but is untried.
set -euo pipefail

# package[:command]: a command that is on the PATH already counts, wherever it came from.
build_packages=(
  g++:g++ cmake:cmake ninja-build:ninja pkgconf:pkg-config
  zlib1g-dev libeigen3-dev nlohmann-json3-dev libpng-dev libcurl4-openssl-dev ca-certificates
  libcli11-dev libfmt-dev libstb-dev fonts-dejavu-core libcpp-httplib-dev
)
test_packages=(
  catch2 python3:python3 ccache:ccache clang:clang++ binutils:objdump qemu-user:qemu-x86_64
  shellcheck:shellcheck locales doxygen:doxygen chromium:chromium nodejs:node python3-venv
)
benchmark_packages=(libbenchmark-dev libdnnl-dev python3:python3)
python_packages=(python3:python3 python3-dev python3-venv)
wasm_packages=(emscripten:em++ nodejs:node python3:python3)

say() { printf '%s\n' "install_dependencies: $*"; }
fail() {
  printf '%s\n' "error: install_dependencies: $1" >&2
  exit "${2:-1}"
}

is_installed() {  # package[:command]
  local package=${1%%:*} command=${1#*:}
  if [[ $1 == *:* ]] && command -v "$command" >/dev/null; then return 0; fi
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]]
}

list_missing() {
  local entry
  for entry in "$@"; do
    is_installed "$entry" || printf '%s\n' "${entry%%:*}"
  done
}

# Sets `as_root` to the command prefix that makes a command run as root.
find_root() {
  as_root=()
  [[ $EUID -eq 0 ]] && return
  command -v sudo >/dev/null ||
    fail "missing packages: ${missing[*]}. Neither root nor sudo: ask an administrator to run: apt-get install ${missing[*]}"
  as_root=(sudo)
  if [[ ! -t 0 ]]; then  # nobody there who could type a password
    as_root=(sudo -n)
    sudo -n true 2>/dev/null ||
      fail "missing packages: ${missing[*]}. sudo wants a password and there is no terminal to ask on. Run: sudo apt-get install ${missing[*]}"
  fi
}

apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 "$@" </dev/null; }

main() {
  local wanted=("${build_packages[@]}") may_install=true
  while (($#)); do
    case $1 in
      --tests) wanted+=("${test_packages[@]}") ;;
      --benchmarks) wanted+=("${benchmark_packages[@]}") ;;
      --python) wanted+=("${python_packages[@]}") ;;
      --wasm) wanted+=("${wasm_packages[@]}") ;;
      --no-install) may_install=false ;;
      -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
      *) fail "unknown option $1. See --help." 2 ;;
    esac
    shift
  done

  mapfile -t missing < <(list_missing "${wanted[@]}" | sort -u)
  ((${#missing[@]})) || exit 0
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here. The build will need what these Debian packages hold: ${missing[*]}"
    exit 0
  fi
  if ! $may_install; then
    fail "missing packages: ${missing[*]}. Run: sudo apt-get install ${missing[*]}"
  fi
  find_root
  say "installing ${missing[*]}"
  apt_get update || fail "apt-get update failed. Is there a network?" 4
  apt_get install --no-install-recommends "${missing[@]}" || fail "apt-get install failed; its messages are above." 4
}

main "$@"
