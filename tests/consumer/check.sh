#!/usr/bin/env bash
# Builds and runs the outside program of this folder against uncial: tests/consumer/check.sh CASE [CMAKE_OPTION...]
#
#   static      the installed static library, found by CMake
#   shared      the installed shared library, found by CMake; what it exports
#   moved       the same after its folder was renamed; it reads its own copy of MNIST
#   pkg-config  both, with pkg-config and a plain compiler, no CMake
#   tutorial    the project of docs/tutorial/07-shipping.md, with the installed static library
#   subproject  add_subdirectory; with clang++ if there is one, so that this also checks uncial with clang
#
# static needs a finished build/release; moved, pkg-config and tutorial need what static and shared left in
# build/consumer.
set -euo pipefail

case=${1:?usage: tests/consumer/check.sh static|shared|moved|pkg-config|tutorial|subproject [CMAKE_OPTION...]}
shift
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
cd -- "$root"
work=$root/build/consumer
source=$root/tests/consumer
jobs=${JOBS:-$(nproc)}
mkdir -p "$work"

export CCACHE_DIR=${CCACHE_DIR:-$root/build/ccache} CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi

fail() {
  printf '%s\n' "$1"
  exit 1
}

build_consumer() {  # folder cmake-option...
  local folder=$work/build-$1
  rm -rf "$folder"
  cmake -S "$source" -B "$folder" -G Ninja "${@:2}"
  cmake --build "$folder" --parallel "$jobs"
}

case $case in
  static)
    rm -rf "$work/static"
    cmake --install build/release --prefix "$work/static" >/dev/null
    [[ -f $(find "$work/static" -name libuncial.a) ]] || fail "no libuncial.a was installed"
    build_consumer static -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/static"
    "$work/build-static/consumer"
    "$work/static/bin/run_pipeline.sh" --help >/dev/null
    ;;

  shared)
    rm -rf "$work/shared" "$work/moved prefix"
    # One folder below build/ and the flags of build/release: the compiler cache then has all objects.
    cmake -S . -B build/shared -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DUNCIAL_TESTS=OFF \
      -DUNCIAL_PROGRAMS=OFF -DUNCIAL_WERROR=ON
    cmake --build build/shared --parallel "$jobs"
    cmake --install build/shared --prefix "$work/shared" >/dev/null
    library=$(find "$work/shared" -name libuncial.so)
    [[ -f $library ]] || fail "no libuncial.so was installed"
    others=$(nm --dynamic --defined-only --demangle "$library" |
      grep -vE ' [A-Za-z] (typeinfo (name )?for |vtable for |VTT for |guard variable for )?uncial::' || true)
    [[ -z $others ]] || fail "libuncial.so exports what is not its own: $others"
    build_consumer shared -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/shared"
    "$work/build-shared/consumer"
    ;;

  moved)
    prefix="$work/moved prefix"
    rm -rf "$prefix"
    cp -r "$work/shared" "$prefix"
    build_consumer moved -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix"
    "$work/build-moved/consumer"
    labels=$(find "$prefix" -name 'train-labels-idx1-ubyte.gz')
    head -c 1000 "$labels" >"$labels.part"
    mv -f "$labels.part" "$labels"
    status=0
    "$work/build-moved/consumer" || status=$?
    ((status == 3)) || fail "damaged data in the moved folder went unnoticed: it read another copy"
    ;;

  pkg-config)
    for kind in static shared; do
      folder=$(dirname "$(find "$work/$kind" -name uncial.pc)")
      mapfile -t flags < <(PKG_CONFIG_PATH=$folder pkg-config --cflags --libs uncial | xargs -n 1)
      "${CXX:-g++}" -std=c++20 -O1 "$source/main.cpp" -o "$work/plain-$kind" "${flags[@]}" -Wl,-rpath,"${folder%/pkgconfig}"
      "$work/plain-$kind"
    done
    ;;

  tutorial)
    folder=$work/tutorial
    rm -rf "$folder"
    python3 tests/tutorial/chapter.py files docs/tutorial/07-shipping.md "$folder"
    cmake -S "$folder" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/static"
    cmake --build "$folder/build" --parallel "$jobs"
    cd -- "$folder"
    "$root/build/release/tests/tutorial_07-shipping" >/dev/null  # writes the model and the picture
    answer=$(build/digit digits.safetensors digit.png)
    [[ $answer =~ ^7,\ with\ (100|9[0-9])\ %$ ]] || fail "the program says '$answer', not a 7"
    status=0
    build/digit digit.png digit.png || status=$?
    ((status == 1)) || fail "a picture for a model: exit code $status"
    ;;

  subproject)
    compiler=$(command -v clang++ || command -v g++)
    build_consumer subproject -DUNCIAL_SOURCE="$root" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DUNCIAL_WERROR=ON "$@"
    "$work/build-subproject/consumer"
    ;;

  *) fail "no case $case" ;;
esac
