#!/usr/bin/env bash
# Packs what gpu_check.sh needs on a machine with a GPU and no network.
#
#   scripts/gpu_carry.sh FOLDER                   headers and libraries to build from: gpu_check.sh --deps FOLDER
#   scripts/gpu_carry.sh --prebuilt BUILD FOLDER  programs of a build here, to run there: gpu_check.sh --prebuilt FOLDER
#
# FOLDER is made, or made anew. The first form copies the files of this machine's Debian packages (scripts/
# install_dependencies.sh --tests --benchmarks installs them). BUILD is a build folder with BUILD_SHARED_LIBS=ON; what
# is built in it of the tests, benchmarks and programs goes along, without debugging symbols.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  printf 'error: gpu_carry: %s\n' "$1" >&2
  exit "${2:-1}"
}

# Only what a build reads: neither documentation nor what nobody includes.
packages=(libeigen3-dev nlohmann-json3-dev libcli11-dev libfmt-dev libfmt9 catch2 zlib1g-dev zlib1g
  libbenchmark-dev libbenchmark1debian libstb-dev fonts-dejavu-core)
left_out='/usr/share/(doc|man|lintian|Catch2|pkgconfig|fontconfig)|/usr/include/eigen3/unsupported|\.pc$|/catch_reporter_'
wanted_of_stb='stb_(truetype|image_write)\.h$'
wanted_fonts='DejaVuSans(-Bold)?\.ttf$'

start_folder() {  # folder
  if [[ -e $1 && ! -e $1/gpu_carry && -n $(ls -A -- "$1" 2>/dev/null) ]]; then
    fail "$1 is not a folder that gpu_carry made: choose another, or remove it."
  fi
  rm -rf -- "$1"
  mkdir -p -- "$1"
  touch -- "$1/gpu_carry"
  # Where it is unpacked there may be no git to ask.
  git -C "$root" describe --always --dirty=', with changes' --exclude='*' >"$1/COMMIT" 2>/dev/null || echo unknown >"$1/COMMIT"
}

files_of() {  # package
  dpkg-query --listfiles "$1" 2>/dev/null || fail "the package $1 is missing here: run scripts/install_dependencies.sh --tests --benchmarks."
}

pack_dependencies() {  # folder
  command -v dpkg-query >/dev/null || fail "the dependencies are taken from Debian's packages, and there is no dpkg here."
  start_folder "$1"
  local package listed path place
  for package in "${packages[@]}"; do
    listed=$(files_of "$package")
    while IFS= read -r path; do
      [[ -d $path || $path =~ $left_out ]] && continue
      [[ $package == libstb-dev && ! $path =~ $wanted_of_stb ]] && continue
      [[ $package == fonts-* && ! $path =~ $wanted_fonts ]] && continue
      [[ -e $path && $path == @(/usr|/lib)/* ]] || continue
      place=$1/${path#/usr}
      [[ $path == /lib/* ]] && place=$1$path
      mkdir -p -- "$(dirname -- "$place")"
      cp --no-dereference -- "$path" "$place"
    done <<<"$listed"
  done
  # Debian's links name places of the system.
  find "$1" -type l -lname '/*' | while IFS= read -r path; do
    ln -sf -- "$(basename -- "$(readlink -- "$path")")" "$path"
  done
}

pack_programs() {  # build folder
  local build=$1 out=$2 library name
  [[ -f $build/CMakeCache.txt ]] || fail "there is no build in $build."
  grep -q '^BUILD_SHARED_LIBS:BOOL=ON' "$build/CMakeCache.txt" || fail "$build was not configured with -DBUILD_SHARED_LIBS=ON: every program would hold the library."
  start_folder "$out"
  mkdir -p -- "$out"/{bin,tests,lib,share/uncial/models}
  find "$build/tests" -maxdepth 1 -type f -perm -u+x -name 'test_*' -exec cp -t "$out/tests" -- {} +
  find "$build/bin" -maxdepth 1 -type f -perm -u+x -exec cp -t "$out/bin" -- {} +
  cp -- "$root"/examples/models/*.json "$out/share/uncial/models/"
  for library in "$build"/libuncial.so.*; do  # by the name that programs load it by, which is a link
    if [[ -L $library ]]; then cp -L -- "$library" "$out/lib/"; fi
  done
  # The system's libraries that another system may lack; CUDA's are there, with the driver.
  find "$out/bin" "$out/tests" "$out/lib" -type f -exec ldd {} + | awk '/=> \// { print $1, $3 }' | sort -u |
    while read -r name library; do
      case $name in
        libfmt* | libpng* | libbenchmark* | libz.* | libcpp-httplib* | libbrotli* | libssl* | libcrypto*) cp -L -- "$library" "$out/lib/$name" ;;
      esac
    done
  find "$out/bin" "$out/tests" "$out/lib" -type f -exec strip --strip-unneeded -- {} +
}

case ${1:-} in
  -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" ;;
  --prebuilt)
    (($# == 3)) || fail "--prebuilt needs BUILD and FOLDER. See --help." 2
    pack_programs "$2" "$3"
    du -sh -- "$3"
    ;;
  '' | -*) fail "needs a FOLDER. See --help." 2 ;;
  *)
    (($# == 1)) || fail "takes one FOLDER. See --help." 2
    pack_dependencies "$1"
    du -sh -- "$1"
    ;;
esac
