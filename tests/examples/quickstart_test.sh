#!/usr/bin/env bash
# The README shows examples/quickstart.cpp to the byte, and the program reaches an accuracy:
#   tests/examples/quickstart_test.sh PROGRAM REPOSITORY PERCENT
set -euo pipefail
program=${1:?usage: quickstart_test.sh PROGRAM REPOSITORY PERCENT} repository=$2 percent=$3

shown=$(mktemp)
log=$(mktemp)
trap 'rm -f "$shown" "$log"' EXIT
awk '/^```cpp$/ && !seen { seen = inside = 1; next } /^```$/ { inside = 0 } inside' "$repository/README.md" >"$shown"
diff -u "$repository/examples/quickstart.cpp" "$shown" ||
  { echo "the README shows another program than examples/quickstart.cpp"; exit 1; }

"$program" | tee "$log"
[[ $(grep -c '^epoch [1-3]  validation accuracy [0-9.]* %$' "$log") == 3 ]] || { echo "not three epochs"; exit 1; }
"$repository/scripts/check_accuracy.sh" "$log" "$percent"
