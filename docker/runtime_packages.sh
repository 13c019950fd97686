#!/usr/bin/env bash
# Which Debian packages do the programs and libraries in a folder load? docker/runtime_packages.sh FOLDER
#
# So the image follows what the programs are linked to, under the names of its own distribution.
set -euo pipefail
folder=$(cd -- "${1:?usage: docker/runtime_packages.sh FOLDER}" && pwd -P)

fail() {
  printf 'error: runtime_packages: %s\n' "$1" >&2
  exit 1
}

loaded=$(find "$folder" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} + 2>/dev/null || true)  # scripts among them
# The driver is the host's; it comes into a container when that is started.
absent=$(awk '/not found$/ && $1 !~ /^libcuda\.so/ { print $1 }' <<<"$loaded" | sort -u)
[[ -z $absent ]] || fail "libraries are not found: ${absent//$'\n'/, }. Install what they belong to where this is built."

awk '$2 == "=>" && $3 ~ /^\// { print $3 }' <<<"$loaded" | sort -u | while IFS= read -r library; do
  path=$(readlink -f -- "$library")
  [[ $path != "$folder"/* ]] || continue
  # dpkg knows a file by the path of its package, which may be from before /lib moved below /usr. What no
  # package owns came with the base image.
  dpkg-query --search "$path" 2>/dev/null || dpkg-query --search "${path#/usr}" 2>/dev/null || true
done | cut -d : -f 1 | sort -u
