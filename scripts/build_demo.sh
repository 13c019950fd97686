#!/usr/bin/env bash
# Makes the demo: the page of src/cli/page in one HTML file, with the library, compiled to WebAssembly, and a trained
# network in it. docs/demo/README.md says more.
#
#   scripts/build_demo.sh [MODEL] [--output FILE]
#
#   MODEL          a model file (default: models/mnist_cnn_final.safetensors, which ./run_pipeline.sh makes)
#   --output FILE  default: docs/demo/index.html
#
# Needs emscripten (scripts/install_dependencies.sh --wasm). Reads the test set for the accuracy that the page tells.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  printf 'error: build_demo: %s\n' "$1" >&2
  exit "$2"
}

model='' output=$root/docs/demo/index.html
while (($#)); do
  case $1 in
    --output) output=${2:?usage: scripts/build_demo.sh [MODEL] [--output FILE]} && shift ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    -*) fail "unknown option $1. See --help." 2 ;;
    *) model=$1 ;;
  esac
  shift
done
[[ $output == /* ]] || output=$PWD/$output
model=$(realpath -m -- "${model:-$root/models/mnist_cnn_final.safetensors}")
[[ -f $model ]] || fail "there is no model $model. Train one: ./run_pipeline.sh, or build/release/bin/mnist_train." 4
for command in em++ node python3; do
  command -v "$command" >/dev/null || fail "$command was not found. scripts/install_dependencies.sh --wasm installs it." 1
done
cd -- "$root"

scripts/build.sh wasm uncial_demo

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
make_page() {  # FILE [option of demo_prelude.py...]
  scripts/demo_prelude.py --module build/wasm/bin/uncial_demo.js --model "$model" --data data/mnist --output "$folder/prelude.js" "${@:2}"
  cmake -DBACKEND=wasm -DPRELUDE="$folder/prelude.js" -DOUTPUT="$1" -P src/cli/page/inline_page.cmake
}
make_page "$folder/index.html"
accuracy=$(node scripts/demo_page.mjs accuracy "$folder/index.html" data/mnist)
make_page "$output" --accuracy "$accuracy"
printf '%s: %d bytes, test accuracy %s\n' "$output" "$(stat -c %s -- "$output")" "$accuracy"
