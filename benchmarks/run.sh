#!/usr/bin/env bash
# Measures this build against other frameworks and writes docs/results/cpu.md with its raw data and charts.
#
#   benchmarks/run.sh --peers FOLDER [options]
#
#   --peers FOLDER  the peer harness (versus.py and its peers, installed as its README says; PEERS_VENVS is
#                   passed on)
#   --rounds N      turns of each contestant (7)
#   --seconds S     length of a turn's timed run (2)
#   --threads LIST  thread counts, comma between them (2,1)
#   --models LIST   networks (mnist_convnet,keras_convnet,lenet5,mlp)
#   --kernels RE    kernels of the table, a regular expression (conv2d|dense)
#   --keep FOLDER   keep raw output there, and go on from what is there already
#   --out FOLDER    where the page goes (docs/results)
#
# A full run takes about two hours. Leave the machine alone meanwhile.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
shown=()  # this command line, without this machine's folders
peers='' rounds=7 seconds=2 threads=2,1 models=mnist_convnet,keras_convnet,lenet5,mlp
kernels='conv2d|dense' keep='' out=$root/docs/results

usage() {
  printf 'error: run: %s See benchmarks/run.sh --help.\n' "$1" >&2
  exit 2
}

while (($#)); do
  case $1 in
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    --peers | --rounds | --seconds | --threads | --models | --kernels | --keep | --out)
      (($# > 1)) || usage "$1 needs a value."
      declare "${1#--}=$2"
      case $1 in
        --peers) shown+=(--peers FOLDER) ;;
        --keep | --out) ;;
        *) shown+=("$1" "$2") ;;
      esac
      shift 2
      ;;
    *) usage "unknown option $1." ;;
  esac
done
[[ -f $peers/versus.py ]] || usage "--peers: there is no versus.py in '$peers'."
peers=$(cd -- "$peers" && pwd)

work=${keep:-$(mktemp -d)}
mkdir -p "$work" "$out"
work=$(cd -- "$work" && pwd)
bin=$root/build/release/bin

# Who is worth a turn at a task: the best configurations that the harness's own survey found.
peers_of() {  # task model
  case $1 in
    train) if [[ $2 == mlp ]]; then echo tf:function+malloc,jax:nhwc; else echo tf:function+malloc,torch:cl+fused+malloc; fi ;;
    infer) if [[ $2 == mlp ]]; then echo ort,torch:eager+malloc; else echo ort,tf:function+malloc; fi ;;
    latency) echo ort ;;
  esac
}

versus() {  # task model batch threads
  local result=$work/versus_$1_$2_$3_$4.jsonl
  [[ ! -s $result ]] || return 0
  printf '%s %s, batch %s, %s threads\n' "$2" "$1" "$3" "$4"
  (cd -- "$peers" && python3 versus.py --ours "uncial=$bin/bench_net" --peers "$(peers_of "$1" "$2")" --model "$2" \
    --task "$1" --batch "$3" --threads "$4" --seconds "$seconds" --rounds "$rounds" --out "$result.part")
  mv -- "$result.part" "$result"
}

"$root/scripts/build.sh" release bench_net bench_kernels bench_roofline bench_charts

for count in ${threads//,/ }; do
  "$bin/bench_roofline" --threads "$count" --seconds 1 >"$work/roofline_$count.json"
  for model in ${models//,/ }; do
    for batch in 128 512; do versus train "$model" "$batch" "$count"; done
    for batch in 256 1024; do versus infer "$model" "$batch" "$count"; done
    versus latency "$model" 1 "$count"
  done
done
if [[ ! -s $work/kernels.json ]]; then
  "$bin/bench_kernels" --threads "${threads%%,*}" --benchmark_filter="$kernels" --benchmark_out="$work/kernels.json" \
    --benchmark_out_format=json
fi

if [[ ! -s $work/processes.json ]]; then
  python3 "$root/benchmarks/processes.py" "$bin/bench_net" "$work/processes.json" --threads "${threads%%,*}"
fi

commit=$(git -C "$root" describe --always --dirty --abbrev=7)
python3 "$root/benchmarks/results.py" "$work" "$out" --commit "$commit" --command "benchmarks/run.sh ${shown[*]}"
"$bin/bench_charts" --charts "$work/charts.json" --out "$out"
printf 'written: %s\n' "$out/cpu.md"
