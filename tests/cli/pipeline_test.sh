#!/usr/bin/env bash
# Every program in turn, on a few images.
#   tests/cli/pipeline_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

short=(--train-samples 2560 --epochs 2 --validation 500)
expect 0 '' mnist_prepare --out o --json prepare.json
has o/data/mnist_split.json
expect 0 '' mnist_samples --out o
expect 0 '' mnist_train --model tiny "${short[@]}" --seeds 2 --out o --json train.json
grep -q '^mean accuracy of 2 seeds' out || fail '--seeds 2: no mean'
ends_with_result 'mnist_train --seeds 2'
has o/models/mnist_tiny_seed2_final.safetensors
expect 0 '' mnist_train --model tiny --epochs 0 --out o
grep -q '^test accuracy' out || fail '--epochs 0 did not evaluate'
expect 0 '' mnist_features --model tiny --out o --index 3
expect 0 '' mnist_compare --model tiny --against mlp "${short[@]}" --seeds 1 --out o
ends_with_result mnist_compare
expect 0 '' mnist_augment --model tiny --train-samples 512 --validation 500 --epochs 1 --steps 1 --out o
ends_with_result mnist_augment
expect 0 '' mnist_report --out o
for figure in mnist_samples augmentation_samples training_history confusion_matrix prediction_samples feature_maps \
              filters model_comparison augmentation_experiment; do
  has "o/figures/$figure.png"
  grep -aq 'uncial' "o/figures/$figure.png" || fail "$figure.png has no mark"
  has "o/figures/$figure.svg"
  head -n 1 "o/figures/$figure.svg" | grep -q '^<!-- uncial ' || fail "$figure.svg has no mark"
done
[ "$(grep -c '^<svg ' o/figures/report.html)" = 9 ] || fail 'report.html: not nine pictures'
! grep -qE '(src|href)="?http' o/figures/report.html || fail 'report.html asks for outside resources'
grep -q '"accuracy"' train.json || fail 'train.json has no accuracy'
expect 0 '' project_validate --out o
! grep -q FAILED out || fail 'project_validate: a check failed'
mkdir clone && touch clone/CMakeLists.txt
expect 4 '1 of' project_validate --out clone
grep -q 'FAILED *repository .*Dockerfile' out || fail 'project_validate: does not miss the Dockerfile of a clone'
expect 0 '' project_status --out o
grep -q 'tiny ' out || fail 'project_status does not list the network'
head -c 200 o/models/mnist_tiny_final.safetensors >half && mv half o/models/mnist_tiny_final.safetensors
expect 3 '1 of' project_validate --out o

finish
