#!/usr/bin/env bash
# Runs the programs of the tutorial and puts what they print and draw into its pages.
#
#   scripts/update_tutorial.sh [CHAPTER...]      such as 03-dense; without any: all
#
# Read the pages afterwards: their sentences name figures, too.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root"

chapters=("$@")
if ((${#chapters[@]} == 0)); then
  for page in docs/tutorial/[0-9]*.md; do
    page=${page##*/}
    chapters+=("${page%.md}")
  done
fi
scripts/build.sh release "${chapters[@]/#/tutorial_}"
for chapter in "${chapters[@]}"; do
  python3 tests/tutorial/chapter.py update "docs/tutorial/$chapter.md" "build/release/tests/tutorial_$chapter" \
    "build/release/tests/tutorial/$chapter"
done
