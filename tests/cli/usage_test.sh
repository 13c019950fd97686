#!/usr/bin/env bash
# Flags out of range, unknown or twice: exit code 2 and one line; --help and --version of every program.
#   tests/cli/usage_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

refused 2 '--lr: got nan' mnist_train --lr nan
refused 2 'above 0 and up to 1000' mnist_train --lr 1e400
refused 2 '--epochs: got -1' mnist_train --epochs -1
refused 2 '--epochs: got 0, expected a whole number from 1' mnist_compare --epochs 0
refused 2 '--epochs: got 0, expected a whole number from 1' mnist_augment --epochs 0
refused 2 '--batch: got 0' mnist_train --batch 0
refused 2 '--threads: got two' mnist_train --threads two
refused 2 '--threads: got -1' mnist_prepare --threads -1
refused 2 '--threads: got 1000000000' mnist_prepare --threads 1000000000
refused 2 '--epochs: got 3.5' mnist_train --epochs 3.5
refused 2 '--lr: got 0,5' mnist_train --lr 0,5
refused 2 '--lr: given 2 times' mnist_train --lr 1 --lr 2
refused 2 '--quiet: given 2 times' mnist_report --quiet --quiet
refused 2 '--flip' mnist_train --flip
refused 2 'stray' mnist_train stray
refused 2 '--lr' mnist_train --lr
refused 2 'adam, adamw, sgd, rmsprop' mnist_train --optimizer adamax
refused 2 'expected KEY=VALUE' mnist_train --augment turn=3
refused 2 '--augment zoom: got 7' mnist_train --augment zoom=7
refused 2 '--augment: got zoom=0.1, but each training here' mnist_augment --augment zoom=0.1
refused 2 'or a file FILE.json' mnist_train --model resnet
refused 2 'float32, bf16, fp16, tf32' mnist_train --precision fp8
refused 2 'UNCIAL_NUM_THREADS: got abc' env UNCIAL_NUM_THREADS=abc mnist_prepare
refused 2 'UNCIAL_ISA: got mmx' env UNCIAL_ISA=mmx mnist_prepare
refused 2 'expected PNG files or --index' mnist_predict
refused 2 '--index: got 10000' mnist_predict --index 10000
refused 2 '--device: got tpu' mnist_train --device tpu
refused 2 '--device: got cuda:, expected' mnist_train --device cuda:
refused 2 '--device cuda:N: got x' mnist_predict --device cuda:x
# More than any machine has, in any build.
for program in mnist_train mnist_predict mnist_compare mnist_augment mnist_features; do
  refused 5 '; use --device c' $program --device cuda:200
done
for program in mnist_prepare mnist_samples mnist_train mnist_features mnist_compare mnist_predict mnist_draw mnist_augment \
               mnist_report project_validate project_status; do
  expect 0 '' $program --help
  for flag in --out --seed --threads --device --json --quiet --overwrite --version; do
    grep -q -e $flag out || fail "$program --help does not tell of $flag"
  done
  case $program in
    mnist_train | mnist_compare | mnist_augment)
      for flag in --resume --precision; do
        grep -q -e $flag out || fail "$program --help does not tell of $flag"
      done
      ;;
  esac
  expect 0 '' $program --version
  grep -q "^$program (uncial) [0-9]" out || fail "$program --version says $(cat out)"
done
left=(*)
[ "${left[*]}" = 'err out' ] || fail "refused programs left files: ${left[*]}"

finish
