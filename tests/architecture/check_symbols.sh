#!/usr/bin/env bash
# No code compiled for one instruction set can be picked for all: check_symbols.sh ISA OBJECT...
#
# A weak symbol (inline function, template) of an AVX-512 object may be the copy that the linker keeps for
# every caller, and stops older processors with SIGILL. So each weak or unique symbol of these objects must
# carry the namespace uncial::cpu::ISA in its name, be it as the place or as a template argument.
set -euo pipefail
isa=${1:?usage: check_symbols.sh ISA OBJECT...}
shift
(($#)) || { echo "no objects"; exit 1; }

faults=$(nm --demangle --defined-only --print-file-name "$@" | grep -E ': ?[0-9a-f]+ [WVu] ' |
  grep -v "uncial::cpu::$isa::" || true)
if [[ -n $faults ]]; then
  echo "weak symbols that the linker may share with other code:"
  printf '%s\n' "$faults"
  exit 1
fi
echo "$# $isa objects define no weak symbols of others"
