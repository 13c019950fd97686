#!/usr/bin/env bash
# Runs a program on an emulated older processor: run_emulated.sh QEMU CPU PROGRAM ARGUMENT...
set -euo pipefail
(($# >= 3)) || { echo "usage: run_emulated.sh QEMU CPU PROGRAM ARGUMENT..."; exit 2; }
if [[ $1 == *-NOTFOUND || -z $1 ]]; then
  echo "SKIPPED: qemu-x86_64 was not found when CMake ran (Debian: qemu-user)"
  exit 77
fi
exec "$1" -cpu "$2" "${@:3}"
