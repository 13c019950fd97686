#!/usr/bin/env bash
# Hot loops keep their accumulators in registers: check_spills.sh [--with INSTRUCTION] OBJECT...
#
# Finds the innermost loops (a backward jump whose range holds no other one) of every function that use vector
# registers, and fails when one stores a vector register to the stack. --with: only loops that hold INSTRUCTION.
set -euo pipefail
with=
if [[ ${1-} == --with ]]; then with=${2-} && shift 2; fi
(($#)) || { echo "usage: check_spills.sh [--with INSTRUCTION] OBJECT..."; exit 2; }

objdump --disassemble --no-show-raw-insn --demangle "$@" | awk -v with="$with" '
  function number(hex,   i, value) {
    for (i = 1; i <= length(hex); i++) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return value
  }
  function end_of_function(   j, k, inner, i) {
    for (j = 0; j < jumps; j++) {
      inner = 1
      for (k = 0; k < jumps; k++)
        if (k != j && to[k] >= to[j] && from[k] <= from[j] && (to[k] != to[j] || from[k] != from[j])) inner = 0
      if (inner && with != "") {
        inner = 0
        for (i = 0; i < lines; i++)
          if (address[i] >= to[j] && address[i] <= from[j] && index(text[i], with)) inner = 1
      }
      if (!inner) continue
      loops++
      for (i = 0; i < lines; i++)
        if (address[i] >= to[j] && address[i] <= from[j] && text[i] ~ spill) {
          printf "%s %s: spills in a loop: %s\n", object, name, text[i]
          faults++
        }
    }
    lines = jumps = 0
  }
  # rbp is a general register too: only below it lies the stack.
  BEGIN { spill = "v?mov[a-z0-9]*[ \t]+%[xyz]mm[0-9]+,([-0-9a-fx]*\\(%rsp|-0x[0-9a-f]+\\(%rbp)" }
  / file format / { end_of_function(); object = $0; sub(/:? +file format.*/, "", object); sub(/.*\//, "", object) }
  /^[0-9a-f]+ <.*>:$/ { end_of_function(); name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name) }
  /^ *[0-9a-f]+:\t/ {
    here = $1; sub(/:$/, "", here); here = number(here)
    address[lines] = here; text[lines] = $0; sub(/^[^\t]*\t/, "", text[lines]); lines++
    if ($2 ~ /^j/ && $3 ~ /^[0-9a-f]+$/ && number($3) <= here) { from[jumps] = here; to[jumps] = number($3); jumps++ }
  }
  END {
    end_of_function()
    if (!loops) { print "no loops found: wrong objects?"; exit 1 }
    printf "%d inner loops, %d spills\n", loops, faults
    exit faults > 0
  }'
