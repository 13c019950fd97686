#!/usr/bin/env bash
# Each public header compiles alone, without warnings: check_headers.sh COMPILER INCLUDE_FOLDER...
# The headers are those of the first folder.
set -euo pipefail
compiler=${1:?usage: check_headers.sh COMPILER INCLUDE_FOLDER...}
shift
flags=(-std=c++20 -Wall -Wextra -Werror -fsyntax-only)
for folder in "$@"; do flags+=(-I "$(realpath -- "$folder")"); done

cd -- "$1"
# Included, not compiled itself: a #pragma once in the main file would be a warning.
# shellcheck disable=SC2016  # expanded by the inner shell
find uncial -name '*.h' -print0 | sort -z | xargs -0 -P "$(nproc)" -I '{}' bash -c '
  header=$1; shift
  printf "#include \"%s\"\n" "$header" | "$@" -x c++ - || { echo "$header does not compile alone"; exit 1; }
' check '{}' "$compiler" "${flags[@]}"
printf '%d headers compile alone\n' "$(find uncial -name '*.h' | wc -l)"
