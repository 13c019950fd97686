#!/usr/bin/env bash
# What the tests of the programs share; each sources it, with the folder of the programs as first argument.
# They run in a new, empty folder, and end with `finish`.
set -u
set -m  # without job control, background jobs would ignore SIGINT
PATH=${1:?usage: tests/cli/GROUP_test.sh FOLDER_OF_PROGRAMS}:$PATH
unset UNCIAL_ISA UNCIAL_NUM_THREADS UNCIAL_VERBOSE UNCIAL_DATA NO_COLOR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  sed 's/^/  stderr: /' err 2>/dev/null | head -5
  failures=$((failures + 1))
}

finish() {
  ((failures == 0)) || { echo "$failures failures"; exit 1; }
}

# expect CODE PART COMMAND...: exit code, PART in standard error, and for errors exactly one line there.
expect() {
  local code=$1 part=$2 got
  shift 2
  timeout 900 "$@" >out 2>err
  got=$?
  [ $got = "$code" ] || fail "$*: exit code $got, expected $code"
  [ -z "$part" ] || grep -qF -e "$part" err || fail "$*: '$part' is not in the message"
  if [ "$code" != 0 ]; then
    [ "$(grep -c '^error: ' err)" = 1 ] || fail "$*: not exactly one line 'error: ...'"
  fi
}

# refused CODE PART COMMAND...: the same for commands that must say nothing but the error.
refused() {
  expect "$@"
  [ "$(wc -l <err)" = 1 ] || fail "${*:3}: $(wc -l <err) lines on standard error, expected 1"
  [ ! -s out ] || fail "${*:3}: wrote to standard output"
}

has() { [ -s "$1" ] || fail "$1 is missing or empty"; }

# same_file A B: WHAT must be equal in both.
same_file() { cmp -s "$1" "$2" || fail "$3: $1 and $2 differ"; }

# The last line on standard output is a model's on the whole test set.
ends_with_result() {
  tail -n 1 out | grep -Eq '^test accuracy [0-9.]+ % \(95 % interval [0-9.]+-[0-9.]+\), loss [0-9.]+, [0-9]+ errors in 10000$' ||
    fail "$1: the last line is $(tail -n 1 out)"
}

# start_until TEXT COMMAND...: starts it in the background, as $pid, and waits until it wrote TEXT to its
# standard error, long.err.
start_until() {
  local text=$1
  shift
  rm -f long.err  # or the wait below may see what an earlier run wrote
  "$@" >long.out 2>long.err &
  pid=$!
  for _ in $(seq 1200); do
    ! grep -qF -e "$text" long.err 2>/dev/null || return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  fail "$*: ended or hung before '$text'"
}

# stop_with SIGNAL CODE: ends the command of start_until, which must exit with CODE and say how to resume.
stop_with() {
  local got
  kill "-$1" "$pid"
  wait "$pid"
  got=$?
  [ $got = "$2" ] || fail "SIG$1: exit code $got, expected $2"
  grep -q -e '^error: .*--resume' long.err || fail "SIG$1: no line that says how to resume"
}

# The smallest training there is, and one that can be interrupted. Not used here:
# shellcheck disable=SC2034
{
  train=(mnist_train --model tiny --train-samples 1280 --validation 500 --epochs 3)
  long=(mnist_train --model tiny --train-samples 12800 --epochs 12 --patience 12 --validation 500)
}
