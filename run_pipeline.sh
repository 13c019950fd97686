#!/usr/bin/env bash
# Trains a convolutional network on MNIST, from nothing to pictures.
#
#   ./run_pipeline.sh [options]
#
#   --fast             the short recipe: about a minute, at least 98.5 %
#   --compare          also compare the CNN with an MLP
#   --epochs N         epochs of training           (default: the recipe's)
#   --train-samples N  training images, to try out  (default: all but the 5000 of validation)
#   --seed N           seed of everything random    (default: the programs')
#   --threads N        threads                      (default: all cores)
#   --device D         cpu                          (default: cpu)
#   --out DIR          write data, models and figures below DIR (default: this repository; installed: here)
#   --no-install       install no packages: say which are missing and stop
#   --help             this text
#
# In a clone of the repository it installs the packages that are missing, builds what is new and runs the
# programs in build/release/bin. Installed beside the programs, it runs those, builds nothing and needs no
# root. It stops at the first step that fails, with that step's exit code; Ctrl-C saves and ends with 130.
set -euo pipefail

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)

usage_error() {
  printf 'error: run_pipeline: %s See ./run_pipeline.sh --help.\n' "$1" >&2
  exit 2
}

# ---- Steps ------------------------------------------------------------------------------------------------

child='' signal=''

exit_by_signal() { exit $((128 + $(kill -l "$1"))); }

# Every child runs in a process group of its own (set -m), so Ctrl-C reaches this script alone, which hands
# it on once: a program takes a second Ctrl-C for "stop at once".
forward() {
  signal=$1
  [[ -n $child ]] || exit_by_signal "$signal"
  kill "-$signal" -- "-$child" 2>/dev/null || true
}
trap 'forward INT' INT
trap 'forward TERM' TERM
trap 'forward HUP' HUP

run() {  # command...: runs it to its end; unless it ends well, ends this script with its exit code
  local status received=''
  set -m
  "$@" &
  child=$!
  set +m
  while
    wait "$child" && status=0 || status=$?
    [[ -n $signal ]]  # wait was cut short by a signal; the child may still be saving
  do
    received=$signal signal=''
  done
  child=''
  ((status == 0)) || exit "$status"
  [[ -z $received ]] || exit_by_signal "$received"
}

step_number=0

heading() {  # title
  step_number=$((step_number + 1))
  printf '\n== %d/%d %s (%d:%02d)\n' "$step_number" "$step_count" "$1" $((SECONDS / 60)) $((SECONDS % 60))
}

step() {  # title command...
  heading "$1"
  run "${@:2}"
}

# ---- Options ----------------------------------------------------------------------------------------------

install_options=() common=() train=() compare=false
while (($#)); do
  case $1 in
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
  esac
  case $1 in
    --fast) train+=(--recipe fast) ;;
    --compare) compare=true ;;
    --no-install) install_options=(--no-install) ;;
    --epochs | --train-samples | --seed | --threads | --device | --out)
      (($# >= 2)) || usage_error "$1 needs a value."
      case $1 in
        --epochs) [[ $2 =~ ^[0-9]{1,6}$ && $2 != 0* ]] || usage_error "--epochs: got '$2', expected a positive number." ;;
        --train-samples) [[ $2 =~ ^[0-9]{1,6}$ && $2 != 0* ]] || usage_error "--train-samples: got '$2', expected a positive number." ;;
        --seed) [[ $2 =~ ^[0-9]{1,19}$ ]] || usage_error "--seed: got '$2', expected a number." ;;
        --threads) [[ $2 =~ ^[0-9]{1,4}$ ]] || usage_error "--threads: got '$2', expected a number." ;;
        --out) [[ -n $2 ]] || usage_error "--out: got nothing, expected a folder." ;;
      esac
      case $1 in
        --epochs | --train-samples) train+=("$1" "$2") ;;
        *) common+=("$1" "$2") ;;
      esac
      shift
      ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    *) usage_error "unknown option $1." ;;
  esac
  shift
done

# ---- Programs ---------------------------------------------------------------------------------------------

if [[ -f $here/CMakeLists.txt ]]; then
  bin=$here/build/release/bin
  "$here/scripts/install_dependencies.sh" "${install_options[@]}"  # in the foreground: sudo may want a password
  printf '== build\n'
  configure=()
  [[ -f $here/build/release/build.ninja ]] || configure=(-- -DUNCIAL_TESTS=OFF)
  run "$here/scripts/build.sh" release examples/all "${configure[@]}"
else
  bin=$here
  [[ -x $bin/mnist_train ]] || usage_error "no CMakeLists.txt and no program mnist_train beside $0: run it in a clone or from an installation."
fi

step_count=5
if $compare; then step_count=6; fi
step 'prepare the data' "$bin/mnist_prepare" "${common[@]}"
step 'picture samples' "$bin/mnist_samples" "${common[@]}"
heading 'train the CNN'
result=$(mktemp)
trap 'rm -f "$result"' EXIT
run "$bin/mnist_train" --model cnn "${train[@]}" "${common[@]}" >"$result"  # progress is on standard error
cat "$result"
step 'picture feature maps' "$bin/mnist_features" "${common[@]}"
if $compare; then
  step 'compare CNN and MLP' "$bin/mnist_compare" "${train[@]}" "${common[@]}"
fi
step 'write the report' "$bin/mnist_report" "${common[@]}"
printf '\ndone in %d:%02d\n' $((SECONDS / 60)) $((SECONDS % 60))
tail -n 1 "$result"
