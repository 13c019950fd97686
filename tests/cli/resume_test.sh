#!/usr/bin/env bash
# Programs that train several networks: stopped in the middle and resumed, they keep the trainings that are
# done, and give the results of the uninterrupted run.
#   tests/cli/resume_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

few=(--train-samples 5120 --validation 500 --epochs 4 --patience 4)
seeds=(mnist_train --model tiny "${few[@]}" --seeds 3)
compare=(mnist_compare --model tiny --against mlp "${few[@]}" --seeds 2)
augment=(mnist_augment --model tiny "${few[@]}" --steps 1)

# figures_of JSON: what it tells but for times, which differ from run to run.
figures_of() {
  sed -E '/"training_seconds": \[/,/\]/d; /"(training time|latency)/,+2d; /"([a-z_]*seconds|samples_per_second|latency_ms)":/d' "$1"
}

# whole_and_cut NAME SIGNAL TEXT DONE COMMAND...: runs it to its end; a second time until TEXT, stops it there,
# and resumes. Trainings called DONE were finished and must not be repeated.
whole_and_cut() {
  local name=$1 signal=$2 text=$3 finished=$4
  shift 4
  expect 0 '' "$@" --out whole --json "whole_$name.json"
  cp out whole.out
  start_until "$text" "$@" --out cut
  if [ "$signal" = KILL ]; then
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
  else
    stop_with "$signal" 130
  fi
  grep -qF -e "$finished" long.err || fail "$name: no progress of '$finished'"
  expect 0 '' "$@" --out cut --resume --json "cut_$name.json"
  ! grep -qF -e "$finished" err || fail "$name: a finished training was repeated"
  cmp -s <(grep -vE 'time, s|latency' whole.out) <(grep -vE 'time, s|latency' out) ||
    fail "$name: resumed, it prints something else"
  figures_of "whole_$name.json" >whole.json
  figures_of "cut_$name.json" >cut.json
  has whole.json
  same_file whole.json cut.json "$name, stopped and resumed"
}

whole_and_cut seeds INT 'seed 2  epoch 1/4' 'seed 1  epoch' "${seeds[@]}"
for file in tiny tiny_seed2 tiny_seed3; do
  same_file {whole,cut}/models/mnist_${file}_final.safetensors 'mnist_train --seeds 3'
done
whole_and_cut compare INT 'tiny, seed 2  epoch 1/4' 'tiny, seed 1  epoch' "${compare[@]}"
same_file {whole,cut}/models/mnist_tiny_final.safetensors 'mnist_train beside mnist_compare'
whole_and_cut augment KILL 'zoom=0.4  epoch 1/4' 'degrees=40  epoch' "${augment[@]}"

# Finished, --resume trains nothing, and says the same again.
for command in seeds compare augment; do
  declare -n words=$command
  expect 0 '' "${words[@]}" --out whole --resume --json again.json
  ! grep -q 'epoch [0-9]' err || fail "$command: finished, and yet it trains"
  figures_of again.json | cmp -s - <(figures_of whole_$command.json) || fail "$command: finished, resumed, and other numbers"
done

# A new run without --resume does away with the checkpoints of an earlier one, once it has its own: resumed
# after its first training, it must not take the second one's from there.
start_until 'seed 1  epoch 1/4' "${seeds[@]}" --out whole --batch 64
stop_with INT 130
expect 0 '' "${seeds[@]}" --out whole --batch 64 --resume
# One that dies before that loses nothing of the earlier one.
expect 6 'Lower the learning rate' "${seeds[@]}" --out whole --optimizer sgd --lr 1000 --schedule constant
expect 0 '' "${seeds[@]}" --out whole --batch 64 --resume
! grep -q 'epoch [0-9]' err || fail 'a run that diverged at once cost an earlier one its checkpoints'

finish
