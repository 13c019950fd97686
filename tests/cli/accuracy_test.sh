#!/usr/bin/env bash
# Trainings on a few images, to an accuracy that an untrained or broken network cannot reach: without gradients
# of the filters cnn has 93.1 %, lenet5 86.3 % and tiny 91.2 %; without those of the first dense layer's output
# mlp has 50.5 %. Whole, they have 98.1 (98.0 in bfloat16), 91.6 (mlp), 91.0 (lenet5) and 94.3 %.
#   tests/cli/accuracy_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

# reaches LEAST COMMAND...: its last line must tell of an accuracy of at least so many per cent.
reaches() {
  expect 0 '' "${@:2}"
  awk -v least="$1" '{ good = $1 == "test" && $3 >= least } END { exit !good }' out ||
    fail "${*:2}: $(tail -n 1 out), expected $1 %"
}

few=(--train-samples 6000 --validation 500 --out o)
reaches 97.3 mnist_train --model cnn --epochs 2 "${few[@]}"
reaches 97.3 mnist_train --model cnn --epochs 2 --precision bf16 "${few[@]}" --json bf16.json
grep -q '"precision": "bf16"' bf16.json || fail 'bf16.json does not tell of the precision'
reaches 89.5 mnist_train --model mlp --epochs 3 "${few[@]}"
reaches 89.5 mnist_train --model lenet5 --epochs 3 "${few[@]}"
reaches 93.3 mnist_train --model tiny --epochs 4 "${few[@]}"
reaches 93.3 mnist_train --model tiny --epochs 4 --precision fp16 "${few[@]}"

reaches 93.3 mnist_compare --model tiny --against mlp --epochs 4 --seeds 1 "${few[@]}"
awk '/^test accuracy, %/ { good = $4 >= 93.3 && $7 >= 89.5 } END { exit !good }' out ||
  fail "mnist_compare: $(grep '^test accuracy, %' out), expected 93.3 and 89.5"

reaches 92.3 mnist_augment --model tiny --epochs 4 --steps 1 "${few[@]}"
awk '/^none / { good = $2 >= 91 } END { exit !good }' out || fail "mnist_augment: $(grep '^none' out), expected 91 %"

finish
