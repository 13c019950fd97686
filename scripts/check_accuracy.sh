#!/usr/bin/env bash
# Fails unless the mean of the "test accuracy NN.NN %" lines of a log reaches a threshold:
#   scripts/check_accuracy.sh LOG PERCENT
set -euo pipefail
log=${1:?usage: scripts/check_accuracy.sh LOG PERCENT} threshold=${2:?usage: scripts/check_accuracy.sh LOG PERCENT}

LC_ALL=C awk -v threshold="$threshold" '
  match($0, /test accuracy [0-9.]+ %/) { split(substr($0, RSTART, RLENGTH), word, " "); sum += word[3]; runs++ }
  END {
    if (!runs) { print "no \"test accuracy\" line"; exit 1 }
    printf "mean of %d: %.3f %%, expected at least %s %%\n", runs, sum / runs, threshold
    exit sum / runs < threshold
  }' "$log"
