#!/usr/bin/env bash
# Builds the Python package as a wheel and installs it into a virtual environment.
#
#   scripts/build_wheel.sh VENV WHEELS [PIP_OPTION...]
#
# With ccache the library's objects come from what `scripts/build.sh release` compiled: the flags are the same.
set -euo pipefail

venv=$(realpath -- "${1:?usage: build_wheel.sh VENV WHEELS [PIP_OPTION...]}")
mkdir -p "${2:?usage: build_wheel.sh VENV WHEELS [PIP_OPTION...]}"
wheels=$(realpath -- "$2")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
root=$PWD

options=(--config-settings=cmake.define.UNCIAL_WERROR=ON)
if command -v ccache >/dev/null; then
  options+=(--config-settings=cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
# The compiler by the name that CMake gives it, not Python's, and a folder as deep as the presets': or ccache finds nothing.
export CXX=${CXX:-c++} CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-$(nproc)}
export CCACHE_DIR=${CCACHE_DIR:-$root/build/ccache} CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

rm -f "$wheels"/uncial-*.whl
"$venv/bin/python" -m pip wheel --disable-pip-version-check --no-deps --wheel-dir "$wheels" "${options[@]}" "${@:3}" .
"$venv/bin/python" -m pip install --disable-pip-version-check --force-reinstall --no-deps "$wheels"/uncial-*.whl
