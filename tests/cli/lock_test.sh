#!/usr/bin/env bash
# Two programs in one folder; the lock of one that was killed.
#   tests/cli/lock_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

start_until 'epoch  1/12' "${long[@]}" --out o
refused 4 "in use by pid $pid" "${train[@]}" --out o
kill -KILL "$pid"
wait "$pid" 2>/dev/null
# The lock of a dead process is free at once, and its checkpoint whole.
expect 0 'epoch 12/12' "${long[@]}" --out o --resume

finish
