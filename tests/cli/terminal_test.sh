#!/usr/bin/env bash
# Pipes, terminals, closed streams, limits.
#   tests/cli/terminal_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

"${train[@]}" --out o >out 2>err
! grep -q $'\x1b' out err || fail 'escape bytes in a pipe'
! grep -q $'\r' out err || fail 'carriage returns in a pipe'
[ "$(grep -c '^epoch' err)" = 3 ] || fail 'not one line an epoch'
ends_with_result "${train[*]}"
"${train[@]}" --out o --quiet >out 2>err
! [ -s err ] || fail '--quiet: something on standard error'
# Closed streams, a full disk behind standard output.
"${train[@]}" --out o >&- 2>&- || fail 'closed streams'
expect 4 'standard output' bash -c "${train[*]} --out o --quiet >/dev/full"
# A file size limit is an error of output, not a signal.
expect 4 'File too large' bash -c "ulimit -f 8; ${train[*]} --out limited"
# A narrow terminal.
if command -v script >/dev/null; then
  script -qec "stty cols 20; ${train[*]} --out o" /dev/null >typescript </dev/null || fail 'on a terminal'
  ! tr '\r' '\n' <typescript | sed 's/\x1b\[[0-9;]*[mK]//g' | grep -e '^epoch' | grep -qE '.{21}' ||
    fail 'a progress line is wider than the terminal of 20 columns'
  NO_COLOR=1 script -qec "${train[*]} --out o" /dev/null >typescript </dev/null
  ! grep -q $'\x1b\[[0-9;]*m' typescript || fail 'NO_COLOR: colours'
else
  echo 'SKIPPED: on a terminal: there is no script(1) here (Debian: bsdutils)'
fi

finish
