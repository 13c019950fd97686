#!/usr/bin/env bash
# The API reference builds without warnings: check_reference.sh REPOSITORY
set -euo pipefail
root=${1:?usage: check_reference.sh REPOSITORY}
command -v doxygen >/dev/null || { echo "SKIPPED: there is no doxygen here (Debian: doxygen)"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/scripts/build_reference.sh" "$work"
pages=$(find "$work/html" -name '*.html' | wc -l)
((pages > 100)) || { echo "only $pages pages: what is missing?"; exit 1; }
for name in conv2d cross_entropy Sequential FitOptions RandomAffine max_pool2d MaxPool2d ReLU; do
  grep -qrF -e "$name" "$work/html" || { echo "$name is not in the reference"; exit 1; }
done
printf '%d pages without warnings\n' "$pages"
