#!/usr/bin/env bash
# Measures PyTorch and JAX on the GPU of this machine within a time budget, and prints a table.
#
#   benchmarks/gpu/run.sh --out DIR [options]
#
#   --out DIR          results go to DIR/peers.jsonl as they come; messages to DIR/peers.log
#   --seconds-total N  the whole takes no longer (240); what no longer fits is skipped, and said to be
#   --quick            shorter repeats, fewer variants
#   --data FOLDER      MNIST's IDX files (data/mnist)
#   --python PATH      the Python that holds torch and jax (python3)
#   --ours FILE        lines of bench_net --device cuda, to print the ratios, too
#   --device cpu       tests these programs where there is no GPU
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=python3 out='' ours='' passed=() data=$here/../../data/mnist

usage() {
  printf 'error: run: %s See benchmarks/gpu/run.sh --help.\n' "$1" >&2
  exit 2
}

while (($#)); do
  case $1 in
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    --quick) passed+=("$1") && shift ;;
    --out | --data | --python | --ours | --seconds-total | --device | --jobs)
      (($# > 1)) || usage "$1 needs a value."
      case $1 in
        --seconds-total | --device | --jobs) passed+=("$1" "$2") ;;
        *) declare "${1#--}=$2" ;;
      esac
      shift 2
      ;;
    *) usage "unknown option $1." ;;
  esac
done
[[ -n $out ]] || usage "--out is missing."
[[ ! -d $data ]] || passed+=(--data "$(cd -- "$data" && pwd)")

"$python" "$here/schedule.py" --out "$out" "${passed[@]}"
"$python" "$here/contest.py" --peers "$out/peers.jsonl" ${ours:+--ours "$ours"} --markdown "$out/contest.md"
cat -- "$out/contest.md"
