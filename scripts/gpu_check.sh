#!/usr/bin/env bash
# Builds, tests and measures on a machine with an NVIDIA GPU and no network, and writes what came out of it.
#
#   scripts/gpu_check.sh [options]
#
#   --part P         build, test, sanitize, bench or speedrun; may be repeated (all, in this order). Each takes less
#                    than 10 minutes; a later call adds its parts to what --out has
#   --deps FOLDER    headers and libraries from scripts/gpu_carry.sh FOLDER, where the machine has none
#   --build FOLDER   where to build, or what was built there (build/gpu)
#   --prebuilt F     use the programs that scripts/gpu_carry.sh --prebuilt packed; the part build is left out
#   --only RE        only test programs whose names match, in the parts test and sanitize
#   --tools LIST     of compute-sanitizer (memcheck,racecheck,initcheck,synccheck)
#   --limit N        seconds for each test program in the part sanitize (60)
#   --peer-seconds N seconds for PyTorch and JAX in the part bench (240)
#   --peer-jobs LIST what they do in the place of the whole plan, as benchmarks/gpu/schedule.py --jobs takes it
#   --quick          part bench: bfloat16 alone, operators measured for a shorter time
#   --jobs N         test programs at once (half the cores, at most 8)
#   --out FOLDER     PART.log of each part, gpu.json and the page gpu.md (build/gpu_check)
#
# Exit code 1 when something failed. A test program that did not find the GPU has failed. A tool that the machine
# refuses is recorded as refused, one that was too slow as unfinished, and what was not run as not run: no failures.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
command_line="scripts/gpu_check.sh $*"
parts=() deps='' build=$root/build/gpu prebuilt='' only='' peer_seconds=240 peer_jobs='' quick=false tools=memcheck,racecheck,initcheck,synccheck limit=60 out=$root/build/gpu_check
jobs=$(($(nproc) / 2 > 8 ? 8 : $(nproc) / 2 > 1 ? $(nproc) / 2 : 1))

usage() {
  printf 'error: gpu_check: %s See --help.\n' "$1" >&2
  exit 2
}

while (($#)); do
  case $1 in
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    --part)
      [[ ${2:-} == @(build|test|sanitize|bench|speedrun) ]] || usage "--part: '${2:-}' is no part."
      parts+=("$2")
      shift 2
      ;;
    --deps | --build | --prebuilt | --only | --tools | --limit | --peer-seconds | --peer-jobs | --jobs | --out)
      (($# > 1)) || usage "$1 needs a value."
      name=${1#--}
      declare "${name//-/_}=$2"
      shift 2
      ;;
    --quick) quick=true && shift ;;
    *) usage "unknown option $1." ;;
  esac
done
((${#parts[@]})) || parts=(build test sanitize bench speedrun)
for folder in deps prebuilt; do
  [[ -z ${!folder} ]] && continue
  [[ -d ${!folder} ]] || usage "--$folder: there is no folder '${!folder}'."
  declare "$folder=$(cd -- "${!folder}" && pwd)"
done
mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)
rows=$(mktemp)
trap 'rm -f -- "$rows"' EXIT
cd -- "$root"

# ---- What the machine has

folders_of_python() {  # folder of each of Python's nvidia packages: include, lib or bin
  python3 - "$1" <<'PYTHON' 2>/dev/null || true
import glob, sys
print("\n".join(sorted(path for entry in sys.path for path in glob.glob(f"{entry}/nvidia/*/{sys.argv[1]}"))))
PYTHON
}

find_libraries() {
  local folder
  while IFS= read -r folder; do
    [[ -d $folder ]] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
  done < <(folders_of_python lib; printf '%s\n' /usr/local/cuda/lib64 /usr/local/nvidia/lib64 "${prebuilt:+$prebuilt/lib}" "${deps:+$deps/lib/x86_64-linux-gnu}")
  export LD_LIBRARY_PATH
  command -v nvcc >/dev/null || PATH=/usr/local/cuda/bin:$PATH
}

find_libraries
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader 2>/dev/null | head -n 1 || true)
if [[ -z $gpu ]]; then
  printf 'error: gpu_check: nvidia-smi shows no GPU on this machine.\n' >&2
  exit 5
fi
if [[ -n $prebuilt ]]; then
  commit=$(cat -- "$prebuilt/COMMIT" 2>/dev/null || echo unknown)
else
  commit=$(git rev-parse --short HEAD 2>/dev/null || true)
  if [[ -n $commit && -n $(git status --porcelain --untracked-files=no 2>/dev/null) ]]; then commit+=', with changes'; fi
  [[ -n $commit ]] || commit=$(cat -- "${deps:-$root}/COMMIT" 2>/dev/null || echo unknown)
fi

# record NAME STATUS SECONDS [NOTE]: a line of the part's results. STATUS: passed, failed, unfinished, refused, "not run".
record() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}" >>"$rows"; }

# ---- Parts

part_build() {
  if [[ -n $prebuilt ]]; then
    record build 'not run' 0 'the programs were built elsewhere'
    return
  fi
  local architecture options=(-DCMAKE_BUILD_TYPE=Release -DUNCIAL_CUDA=ON -DUNCIAL_TESTS=ON -DUNCIAL_CURL=OFF -DUNCIAL_PNG=OFF)
  architecture=$(awk -F', ' '{ gsub(/\./, "", $4); print $4 }' <<<"$gpu")
  options+=("-DCMAKE_CUDA_ARCHITECTURES=$architecture-real")
  command -v ninja >/dev/null && options+=(-G Ninja)
  if [[ -n $deps ]]; then
    options+=("-DCMAKE_PREFIX_PATH=$deps" "-DUNCIAL_FONT=$deps/share/fonts/truetype/dejavu/DejaVuSans.ttf"
      "-DUNCIAL_FONT_BOLD=$deps/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
  fi
  local began=$SECONDS
  if cmake -S . -B "$build" "${options[@]}" && cmake --build "$build" --parallel "$(nproc)"; then
    record build passed $((SECONDS - began)) "sm_$architecture, $(nvcc --version | tail -n 1)"
  else
    record build failed $((SECONDS - began)) 'see build.log'
  fi
}

programs=${prebuilt:-$build}

# One test program under a tool or none: its output into LOG, its line into RESULTS. Run by xargs, several at once.
one_test() {  # program [tool...]
  local program=$1 name log began=$SECONDS status=passed note code=0
  shift
  name=$(basename -- "$program")
  log=$(mktemp)
  timeout --kill-after=5 "$SECONDS_EACH" "$@" "$program" >"$log" 2>&1 || code=$?
  note=$(grep -aE '^(All tests passed|test cases:|assertions:|=+ (ERROR|RACECHECK) SUMMARY)' "$log" | tr -s '\n ' ' ' || true)
  if grep -aqE 'Device not supported|cannot be profiled|not supported on (the )?(this|device|current)' "$log"; then
    status=refused note=$(grep -aEm1 'not supported|cannot be profiled' "$log")
  elif grep -aq '^SKIPPED: cuda' "$log"; then
    status=failed note="did not find the GPU: $(grep -am1 '^SKIPPED: cuda' "$log")"
  elif ((code == 124 || code == 137)); then
    # A sanitizer slows programs down by a factor that nobody knows before.
    status=$([[ -n $PREFIX ]] && echo unfinished || echo failed) note="not finished in $SECONDS_EACH s; $note"
  elif ((code)); then
    status=failed note="exit code $code; $note"
  fi
  {
    flock 9
    printf '\n==== %s%s: %s, %s s\n' "$PREFIX" "$name" "$status" $((SECONDS - began))
    cat -- "$log"
  } 9>>"$LOG.lock" >>"$LOG"
  printf '%s\t%s\t%s\t%s\n' "$PREFIX$name" "$status" $((SECONDS - began)) "$note" >>"$RESULTS"
  rm -f -- "$log"
  printf '%s%s: %s, %s s %s\n' "$PREFIX" "$name" "$status" $((SECONDS - began)) "$note"
}
export -f one_test

# Test programs by name; those that take longest first, so that none is left at the end.
test_programs() {  # names' regular expression
  find "$programs/tests" -maxdepth 1 -type f -perm -u+x -name 'test_*' -printf '%f\n' | sort |
    grep -E "${only:-.}" | grep -E "$1" | sed "s|^|$programs/tests/|"
}

run_tests() {  # limit in seconds, prefix, names' regular expression, tool...
  local names
  names=$(test_programs "$3") || true
  if [[ -z $names ]]; then
    record "${2}tests" failed 0 "there are no test programs in $programs/tests"
    return
  fi
  SECONDS_EACH=$1 PREFIX=$2 LOG=$out/$part.log.tests RESULTS=$rows \
    xargs -P "$jobs" -I '{}' bash -c 'one_test "$@"' one_test '{}' "${@:4}" <<<"$names"
}

part_test() { run_tests 540 '' .; }

# What holds own kernels; the rest of the library is the sanitizers' of the host.
kernel_tests='^test_(cuda|cuda_kernels|conv|dropout|elementwise|loss|matmul|norm|optim|pool|reduce|shape_ops|vision)$'

part_sanitize() {
  if ! command -v compute-sanitizer >/dev/null; then
    record compute-sanitizer 'not run' 0 'there is none on this machine'
    return
  fi
  local tool of_tool
  for tool in ${tools//,/ }; do
    of_tool=()
    # A test asks for more memory than there is, and expects an Error.
    if [[ $tool == memcheck ]]; then of_tool=(--report-api-errors no); fi
    run_tests "$limit" "$tool " "$kernel_tests" compute-sanitizer --tool "$tool" --error-exitcode 99 "${of_tool[@]}" --print-limit 5
  done
}

# What benchmarks/gpu/contest.py compares: MODEL TASK BATCH of bench_net.
bench_jobs() {
  local model
  for model in mnist_convnet keras_convnet lenet5; do
    printf '%s\n' "$model train 128" "$model train 512" "$model train 4096" "$model infer 1" "$model infer 10000" "$model latency 1"
  done
}

part_bench() {
  local began=$SECONDS model task batch precision faults=0 ours=$out/bench/ours.jsonl steps precisions=(bf16) times=()
  if $quick; then times=(--benchmark_min_time=0.02); else precisions+=(float32); fi
  mkdir -p -- "$out/bench"
  if [[ -x $programs/bin/bench_net ]]; then
    : >"$ours"
    while read -r model task batch; do
      steps=1  # a launch, as fit() has it; JAX's scan is an epoch of them, PyTorch's graphs hold up to 64
      if [[ $task == train ]]; then steps=$((batch > 1024 ? 4 : 16)); fi
      if [[ $task == infer && $batch == 1 ]]; then steps=16; fi
      for precision in "${precisions[@]}"; do
        timeout 60 "$programs/bin/bench_net" --device cuda --model "$model" --task "$task" --batch "$batch" --unroll "$steps" \
          --precision "$precision" --seconds 0.3 --patience 0 >>"$ours" || {
          printf '%s %s %s %s failed\n' "$model" "$task" "$batch" "$precision"
          faults=$((faults + 1))
        }
      done
    done < <(bench_jobs)
    cat -- "$ours"
    if ((faults)); then
      record bench_net failed $((SECONDS - began)) "$faults configurations failed, see bench.log"
    else
      record bench_net passed $((SECONDS - began)) 'see bench/ours.jsonl'
    fi
  else
    record bench_net 'not run' 0 'it was not built'
  fi
  began=$SECONDS
  local with_ours=()
  if [[ -s $ours ]]; then with_ours=(--ours "$ours"); fi
  if [[ -n $peer_jobs ]]; then with_ours+=(--jobs "$peer_jobs"); fi
  if [[ ! -x benchmarks/gpu/run.sh ]]; then
    record peers 'not run' 0 'there is no benchmarks/gpu/run.sh'
  elif benchmarks/gpu/run.sh --out "$out/bench" --seconds-total "$peer_seconds" "${with_ours[@]}"; then
    record peers passed $((SECONDS - began)) 'see bench/contest.md'
  else
    record peers failed $((SECONDS - began)) 'see bench.log'
  fi
  began=$SECONDS
  if [[ ! -x $programs/bin/bench_kernels ]]; then
    record bench_kernels 'not run' 0 'it was not built'
  elif timeout 120 "$programs/bin/bench_kernels" --device cuda "${times[@]}" --benchmark_out="$out/bench/kernels.json"; then
    record bench_kernels passed $((SECONDS - began)) 'see bench/kernels.json'
  else
    record bench_kernels failed $((SECONDS - began)) 'see bench.log'
  fi
}

# The committed schedules, all seeds; then PyTorch's time on the same GPU, which is set up in some 15 s.
part_speedrun() {
  local schedule name began folder=$out/speedrun
  mkdir -p -- "$folder"
  rm -f -- "$folder"/*.jsonl
  if [[ ! -x $programs/bin/bench_speedrun ]]; then
    record bench_speedrun 'not run' 0 'it was not built'
    return
  fi
  for schedule in benchmarks/speedrun/*.json; do
    began=$SECONDS name=$(basename -- "$schedule" .json)
    if timeout 400 "$programs/bin/bench_speedrun" --schedule "$schedule" --device cuda | tee -- "$folder/$name.jsonl"; then
      record "bench_speedrun $name" passed $((SECONDS - began)) "see speedrun/$name.jsonl"
    else
      record "bench_speedrun $name" failed $((SECONDS - began)) 'see speedrun.log'
    fi
  done
  began=$SECONDS
  if ! python3 -c 'import torch' 2>/dev/null; then
    record torch_speedrun 'not run' 0 'there is no PyTorch'
  elif timeout 100 python3 benchmarks/gpu/torch_speedrun.py --data "$UNCIAL_DATA/mnist" --seeds 30 | tee -- "$folder/torch.jsonl"; then
    record torch_speedrun passed $((SECONDS - began)) 'see speedrun/torch.jsonl'
  else
    record torch_speedrun failed $((SECONDS - began)) 'see speedrun.log'
  fi
}

# ---- All of it

export UNCIAL_DATA=${UNCIAL_DATA:-$root/data}
failed=false
for part in "${parts[@]}"; do
  : >"$rows"
  printf '%s: %s, %s\n' "$part" "$gpu" "$commit"
  began=$SECONDS
  rm -f -- "$out/$part.log" "$out/$part.log.tests"
  "part_$part" > >(tee -- "$out/$part.log") 2>&1 || record "$part" failed $((SECONDS - began)) "see $part.log"
  wait $! || true  # tee has written all of it
  if [[ -f $out/$part.log.tests ]]; then cat -- "$out/$part.log.tests" >>"$out/$part.log"; fi
  rm -f -- "$out/$part.log.tests" "$out/$part.log.tests.lock"
  grep -q $'\tfailed\t' "$rows" && failed=true
  python3 scripts/gpu_page.py --out "$out" --part "$part" --rows "$rows" --seconds $((SECONDS - began)) \
    --gpu "$gpu" --commit "$commit" --command "$command_line"
done
if $failed; then
  printf 'error: gpu_check: something failed, see %s/gpu.md and the logs beside it.\n' "$out" >&2
  exit 1
fi
