#!/usr/bin/env bash
# Configures a preset where that was not done yet and builds what is new.
#
#   scripts/build.sh PRESET [TARGET...] [-- CMAKE_OPTION...]
#
# CMAKE_OPTIONs (-DNAME=VALUE) are applied whenever they are given; without them a configured folder stays as
# it is. JOBS=N sets how many compilers run at once (default: one a core, at least 1.5 GiB of memory each).
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root"

preset=${1:?usage: scripts/build.sh PRESET [TARGET...] [-- CMAKE_OPTION...]}
shift
targets=()
while (($#)) && [[ $1 != -- ]]; do
  targets+=("$1")
  shift
done
options=("${@:2}")

jobs_for_this_machine() {
  local cores memory_kib by_memory
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || true)
  by_memory=$((${memory_kib:-100000000} / 1572864))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

first_configure=()
if [[ ! -f build/$preset/build.ninja ]]; then
  first_configure=(--preset "$preset")
  if command -v ccache >/dev/null; then
    first_configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    case $preset in cuda | cuda-compile) first_configure+=(-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache) ;; esac
  fi
fi
# Paths relative to the repository and not hashed: every folder below build/ can use what another compiled.
export CCACHE_DIR=${CCACHE_DIR:-$root/build/ccache} CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

if [[ $preset == wasm ]]; then  # Debian's emscripten wants Debian's acorn, which a Node.js from elsewhere does not look for there
  export NODE_PATH=${NODE_PATH:+$NODE_PATH:}/usr/share/nodejs
fi

if ((${#first_configure[@]} + ${#options[@]})); then
  cmake "${first_configure[@]}" "${options[@]}" -B "build/$preset"
fi
cmake --build "build/$preset" --parallel "${JOBS:-$(jobs_for_this_machine)}" --target "${targets[@]:-all}"
