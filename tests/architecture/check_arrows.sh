#!/usr/bin/env bash
# Which room may include which: check_arrows.sh REPOSITORY
#
# core <- kernels (declarations) <- autograd <- ops <- program <- nn <- optim <- train <- examples;
# io knows core, data knows core and io, vision knows core, kernels and io. A public header includes no
# other library, and a program only the public headers and the shared program code; the Python binding likewise.
set -euo pipefail
cd -- "${1:?usage: check_arrows.sh REPOSITORY}"

declare -A allowed=(
  [core]=''
  [kernels]='core'
  [autograd]='core kernels'
  [ops]='core kernels autograd'
  [program]='core kernels autograd ops'
  [nn]='core kernels autograd ops program'
  [optim]='core kernels autograd ops program nn'
  [io]='core'
  [data]='core io'
  [vision]='core kernels io'
  [train]='core kernels autograd ops program nn optim io data vision'
  [cli]='core kernels autograd ops program nn optim io data vision train'
  [demo]='core kernels autograd ops program nn io train cli'
)
foreign='^(Eigen|unsupported/Eigen|png\.h|zlib\.h|curl/|nlohmann/|fmt/|CLI/|stb_|cuda|cublas|cudnn|hwy/|tbb/)'

faults=0
fault() {
  printf '%s\n' "$1"
  faults=$((faults + 1))
}

# Prints "file included-path" for each #include in the files below the given folders.
includes() {
  grep -rHoE --include='*.h' --include='*.cpp' --include='*.cu' '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]+' "$@" |
    sed -E 's/:[[:space:]]*#[[:space:]]*include[[:space:]]*["<]/ /'
}

check_room() {  # room folder...
  local room=$1 file path target
  while read -r file path; do
    target=${path#uncial/}  # public headers are uncial/ROOM/..., internal ones ROOM/...
    [[ $target == */* ]] || continue
    target=${target%%/*}
    [[ -n ${allowed[$target]+known} && $target != "$room" ]] || continue
    [[ " ${allowed[$room]} " == *" $target "* ]] ||
      fault "$file includes $path: $room may include only: ${allowed[$room]:-nothing}"
  done < <(includes "${@:2}")
}

for room in "${!allowed[@]}"; do
  folders=()
  for folder in "include/uncial/$room" "src/$room"; do
    [[ ! -d $folder ]] || folders+=("$folder")
  done
  ((${#folders[@]})) || fault "there is no room $room"
  check_room "$room" "${folders[@]}"
done
check_room kernels kernels/cpu
check_room kernels kernels/cuda

while read -r file path; do
  [[ ! $path =~ $foreign ]] || fault "$file includes $path: users must not need that library"
  [[ $path != ../* ]] || fault "$file includes $path: spell it uncial/..."
done < <(includes include)

# Eigen's names would be the user's own in any other file, and an instruction set's in kernels/cpu/simd.
while read -r file path; do
  [[ ! $path =~ ^(unsupported/)?Eigen || $file == src/core/eigen.h ]] || fault "$file includes $path: use core/eigen.h"
  [[ $path != core/eigen.h || $file != kernels/cpu/simd/* ]] || fault "$file includes $path: compiled for one instruction set"
done < <(includes src kernels)

while read -r file path; do
  [[ $path != */* || $path == uncial/* || $path == cli/* || ! -d src/${path%%/*} ]] ||
    fault "$file includes $path: programs use the public headers and src/cli"
done < <(includes examples || true)

while read -r file path; do
  [[ $path != */* || $path == uncial/* || $path == nanobind/* || $path == cli/figures.h ]] ||
    fault "$file includes $path: the binding uses the public headers and the programs' pictures"
done < <(includes python/src)

((faults == 0)) || exit 1
echo "the arrows hold"
