#!/usr/bin/env bash
# Every shell script passes shellcheck: check_shell.sh REPOSITORY
set -euo pipefail
cd -- "${1:?usage: check_shell.sh REPOSITORY}"
command -v shellcheck >/dev/null || { echo "SKIPPED: there is no shellcheck here (Debian: shellcheck)"; exit 77; }

# By their first line, so that one without an ending counts, too. What is built or fetched is not ours.
mapfile -t scripts < <(find . -regex '\./\(build\|\.git\|\.cache\|\.venv\)' -prune -o -type f -size -64k \
  -exec awk 'FNR == 1 && /^#!.*[\/ ](ba|da)?sh$/ { print FILENAME } { nextfile }' {} +)
((${#scripts[@]} > 10)) || { echo "only ${#scripts[@]} shell scripts found: wrong folder?"; exit 1; }
shellcheck -- "${scripts[@]}"
printf '%d shell scripts pass\n' "${#scripts[@]}"
