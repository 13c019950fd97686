#!/usr/bin/env bash
# What including the library costs a user's file: check_compile_cost.sh COMPILER INCLUDE_FOLDER...
#
# Counted in preprocessed lines, which no other load on the machine changes. The budget: the whole library
# may bring at most kOwn lines of its own, and at most kFactor/10 times the lines of the standard headers that
# a small program with containers, strings, streams and threads includes anyway.
set -euo pipefail
compiler=${1:?usage: check_compile_cost.sh COMPILER INCLUDE_FOLDER...}
shift
flags=(-std=c++20)
for folder in "$@"; do flags+=(-I "$folder"); done
kOwn=5000
kFactor=13

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#include "uncial/uncial.h"\nint main() {}\n' >"$work/hello.cpp"
printf '#include <%s>\n' algorithm filesystem functional memory optional span sstream stop_token string thread vector \
  >"$work/standard.cpp"

# Non-blank lines, by where they come from: total, and those of uncial's headers.
count_lines() {
  "$compiler" "${flags[@]}" -E "$1" | awk '
    /^# [0-9]+ "/ { own = /uncial\//; next }
    NF { total++; if (own) mine++ }
    END { print total, mine + 0 }'
}
read -r total own < <(count_lines "$work/hello.cpp")
read -r standard _ < <(count_lines "$work/standard.cpp")

printf 'uncial/uncial.h: %d lines, %d of them its own; the standard headers alone: %d\n' "$total" "$own" "$standard"
if ((own > kOwn)); then
  echo "more than $kOwn lines of its own: move code from headers to src/"
  exit 1
fi
if ((total * 10 > standard * kFactor)); then
  echo "more than $kFactor/10 of the standard headers: a header includes something heavy"
  exit 1
fi
