#!/usr/bin/env bash
# --profile: a table by layer, a trace, and what is in the way of it.
#   tests/cli/profile_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

echo '{"note": "mine"}' >trace.json
refused 4 'trace.json: a file that these programs did not make' "${train[@]}" --out o --profile trace.json
rm trace.json

expect 0 '% peak' "${train[@]}" --out o --profile trace.json
for part in 'conv2d' 'forward' 'backward' 'optimizer'; do
  grep -qF -e "$part" err || fail "'$part' is not in the table"
done
grep -q '"traceEvents"' trace.json || fail 'trace.json holds no trace'
# An earlier profile may be replaced.
expect 0 'forward' mnist_predict --model tiny --out o --index 0 --profile trace.json
! grep -q 'backward' err || fail 'a prediction has a backward pass'

finish
