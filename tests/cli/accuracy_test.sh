#!/usr/bin/env bash
# Trainings on a few images, to an accuracy that an untrained or broken network cannot reach.
#   tests/cli/accuracy_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

# reaches LEAST COMMAND...: a training whose last line must tell of at least so many per cent.
reaches() {
  expect 0 '' "${@:2}"
  awk -v least="$1" '{ last = $1 == "test" && $3 >= least } END { exit !last }' out ||
    fail "${*:2}: $(tail -n 1 out), expected $1 %"
}

# On a tenth of the images; an untrained network has about 10 %.
reaches 95 mnist_train --model cnn --train-samples 6000 --epochs 2 --validation 500 --out o
reaches 88 mnist_train --model mlp --train-samples 6000 --epochs 3 --validation 500 --out o

finish
