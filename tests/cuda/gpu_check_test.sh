#!/usr/bin/env bash
# scripts/gpu_check.sh and gpu_carry.sh with a GPU, programs and tools that are played by scripts: what counts as
# passed, failed, refused and not run.
#   tests/cuda/gpu_check_test.sh REPOSITORY
set -u
root=${1:?usage: tests/cuda/gpu_check_test.sh REPOSITORY}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

program() {  # path, body
  mkdir -p "$(dirname "$1")"
  printf '#!/bin/sh\n%s\n' "$2" >"$1"
  chmod +x "$1"
}

check() {  # expected exit code, gpu_check's arguments
  local code=$1 got
  shift
  PATH=$work/tools:$PATH "$root/scripts/gpu_check.sh" --prebuilt pre --out out "$@" >shown 2>&1
  got=$?
  [ "$got" = "$code" ] || fail "gpu_check.sh $*: exit code $got, expected $code: $(tail -n 3 shown)"
}

# is PART NAME STATUS NOTE: a result in gpu.json, and its row of the page.
is() {
  python3 - "$@" <<'PYTHON' || fail "$1: $2 is not '$3' with '$4'"
import json, sys
part, name, status, note = sys.argv[1:]
rows = [row for row in json.load(open("out/gpu.json"))[part]["rows"] if row["name"] == name]
page = [line for line in open("out/gpu.md") if line.startswith(f"| {name} | {status} |")]
sys.exit(not (len(rows) == 1 and rows[0]["status"] == status and note in rows[0]["note"] and len(page) >= 1))
PYTHON
}

program tools/nvidia-smi 'echo "Played GPU, 580.1, 1000 MiB, 9.0"'
# shellcheck disable=SC2016  # the script expands it
program tools/compute-sanitizer 'case "$2" in
  memcheck) for last; do :; done; "$last" ;;
  racecheck) echo "========= RACECHECK SUMMARY: 1 hazard displayed"; exit 99 ;;
  *) echo "Error: Device not supported"; exit 1 ;;
esac'
program pre/tests/test_conv 'echo "All tests passed (3 assertions in 2 test cases)"'
check 0 --part build --part test
is build build 'not run' 'built elsewhere'
is test test_conv passed '3 assertions in 2 test cases'
grep -q '^Not yet run' out/gpu.md || fail 'the page does not say what was not run'
grep -q 'Played GPU, 580.1' out/gpu.md || fail 'the page does not name the GPU'

program pre/tests/test_pool 'echo "SKIPPED: cuda: no GPU was found"; echo "All tests passed (3 assertions in 2 test cases)"'
program pre/tests/test_norm 'echo "test cases: 2 | 1 failed"; exit 1'
program pre/tests/test_loss 'kill -SEGV $$'
check 1 --part test
is test test_conv passed ''
is test test_pool failed 'did not find the GPU'
is test test_norm failed 'exit code 1; test cases: 2 | 1 failed'
is test test_loss failed 'exit code 139'
grep -q '==== test_norm: failed' out/test.log || fail 'test.log has no output of test_norm'
check 0 --part test --only conv
check 1 --part test --only nothing_of_this_name

check 1 --part sanitize --only 'conv'
is sanitize 'memcheck test_conv' passed ''
is sanitize 'racecheck test_conv' failed '1 hazard'
is sanitize 'synccheck test_conv' refused 'not supported'

program pre/tests/test_reduce 'sleep 20'
check 0 --part sanitize --only reduce --tools memcheck --limit 1
is sanitize 'memcheck test_reduce' unfinished 'not finished in 1 s'

check 0 --part speedrun
is speedrun bench_speedrun 'not run' 'not built'
# shellcheck disable=SC2016  # the script expands it
program pre/bin/bench_speedrun 'echo "{\"kind\": \"speedrun_mean\", \"framework\": \"uncial\", \"schedule\": \"of $(basename "$2")\",
  \"goal\": 99.5, \"reached\": false, \"accuracy\": 99.4321, \"accuracy_deviation\": 0.05, \"lowest_accuracy\": 99.3, \"seeds\": 20,
  \"milliseconds\": 12.345, \"milliseconds_deviation\": 0.1}" | tr -d "\n"; echo'
program tools/python3 'case "$*" in *torch*) exit 1 ;; *) exec /usr/bin/python3 "$@" ;; esac'
check 0 --part speedrun
for schedule in "$root"/benchmarks/speedrun/*.json; do
  is speedrun "bench_speedrun $(basename "$schedule" .json)" passed "see speedrun/$(basename "$schedule" .json).jsonl"
  grep -q "^| of $(basename "$schedule") | 99.5 %: missed | 99.432 % | 0.050 | 99.30 % | 20 | 12.35 | 0.10 |" out/gpu.md ||
    fail "the page lacks the time of $schedule"
done
is speedrun torch_speedrun 'not run' 'no PyTorch'
program pre/bin/bench_speedrun 'exit 6'
check 1 --part speedrun
check 2 --part nothing
check 2 --prebuilt no_such_folder
rm tools/nvidia-smi
if ! command -v nvidia-smi >/dev/null; then check 5 --part test; fi

mkdir foreign
touch foreign/thesis
if "$root/scripts/gpu_carry.sh" foreign 2>err; then fail 'gpu_carry.sh took a foreign folder'; fi
{ grep -q '^error: ' err && [ -f foreign/thesis ]; } || fail "gpu_carry.sh: $(cat err)"
if "$root/scripts/gpu_carry.sh" --prebuilt foreign packed 2>err; then fail 'gpu_carry.sh found a build in a foreign folder'; fi

((failures == 0)) || exit 1
