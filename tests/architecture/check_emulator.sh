#!/usr/bin/env bash
# The emulated processors refuse what they should: check_emulator.sh QEMU NEWER_CPU TEST_COMMAND...
#
# NEWER_CPU runs the instructions of a set; TEST_COMMAND is one of our tests that goes through all sets, and
# must say loudly which ones the processor lacks.
set -euo pipefail
(($# >= 3)) || { echo "usage: check_emulator.sh QEMU NEWER_CPU TEST_COMMAND..."; exit 2; }
if [[ $1 == *-NOTFOUND || -z $1 ]]; then
  echo "SKIPPED: qemu-x86_64 was not found when CMake ran (Debian: qemu-user)"
  exit 77
fi
kSigill=132

# runs CODE CPU ISA
runs() {
  local status=0
  "$qemu" -cpu "$2" "$newer_cpu" "$3" >/dev/null 2>&1 || status=$?
  ((status == $1)) || { echo "$3 instructions on a $2: exit code $status, expected $1"; exit 1; }
}
# says_skipped CPU ISA...: exactly these
says_skipped() {
  local said
  said=$("$qemu" -cpu "$1" "${test_command[@]}" | awk '$1 == "SKIPPED:" { sub(/:$/, "", $2); print $2 }' | sort | xargs)
  [[ $said == "${*:2}" ]] || { echo "the tests on a $1 say that they skip '$said', expected '${*:2}'"; exit 1; }
}

qemu=$1 newer_cpu=$2 test_command=("${@:3}")
ulimit -c 0
runs 0 Haswell avx2
runs $kSigill Nehalem avx2
runs $kSigill Haswell avx512
says_skipped Haswell avx512
says_skipped Nehalem avx2 avx512
echo "a Nehalem refuses AVX2, a Haswell AVX-512, and the tests say what they skip"
