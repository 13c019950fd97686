#!/usr/bin/env bash
# Builds the API reference from the comments of the public headers. A warning is an error.
#
#   scripts/build_reference.sh [FOLDER]      (default: build/reference); open FOLDER/html/index.html
set -euo pipefail

case ${1:-} in
  -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
esac
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(realpath -m -- "${1:-$root/build/reference}")
cd -- "$root"

command -v doxygen >/dev/null || {
  printf 'error: build_reference: doxygen: not found. Install it: sudo apt-get install doxygen\n' >&2
  exit 1
}
mkdir -p -- "$folder"
{
  cat docs/Doxyfile
  printf 'OUTPUT_DIRECTORY = "%s"\n' "$folder"
} | doxygen -
printf '%s\n' "$folder/html/index.html"
