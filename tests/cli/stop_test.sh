#!/usr/bin/env bash
# Signals, and going on afterwards: the results are those of the uninterrupted run.
#   tests/cli/stop_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

declare -A code_of=([INT]=130 [TERM]=143 [HUP]=129)
expect 0 '' "${long[@]}" --out whole
for signal in INT TERM HUP; do
  start_until 'epoch  1/12' "${long[@]}" --out "cut_$signal"
  stop_with $signal "${code_of[$signal]}"
  expect 0 '' "${long[@]}" --out "cut_$signal" --resume
  for file in best final; do
    same_file {whole,"cut_$signal"}/models/mnist_tiny_$file.safetensors "SIG$signal, then --resume"
  done
done
# --resume with nothing to resume starts anew; a checkpoint of another recipe is refused.
expect 0 'epoch 3/3' "${train[@]}" --out fresh --resume
refused 3 'batch' "${train[@]}" --out fresh --resume --batch 64 --quiet
# A checkpoint that is cut off or has a flipped bit: the one before it goes on, with a warning; without one, 3.
expect 0 '' "${train[@]}" --out hurt
cp -r hurt/models whole_models
newest=hurt/models/mnist_tiny_checkpoint.safetensors previous=hurt/models/mnist_tiny_checkpoint.prev.safetensors
cut_off() { head -c 600 $newest >part && cp part $newest; }
flip_a_bit() { printf '\x55' | dd of=$newest bs=1 seek=$(($(wc -c <$newest) - 50)) conv=notrunc status=none; }
for damage in cut_off flip_a_bit; do
  cp whole_models/*checkpoint* hurt/models
  $damage
  expect 0 "warning: resuming from $previous instead" "${train[@]}" --out hurt --resume
  same_file {whole_models,hurt/models}/mnist_tiny_final.safetensors "$damage"
  cp whole_models/*checkpoint* hurt/models
  $damage
  rm $previous
  refused 3 "$newest" "${train[@]}" --out hurt --resume --quiet
done
# A reader that goes away stops nothing.
"${train[@]}" --out piped 2>&1 | head -n 1 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || fail "train | head: exit code ${PIPESTATUS[0]}"
has piped/models/mnist_tiny_final.safetensors
# Diverged.
expect 6 'became NaN' mnist_train --model mlp --train-samples 1280 --optimizer sgd --lr 1000 --schedule constant --out wild

finish
