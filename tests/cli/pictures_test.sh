#!/usr/bin/env bash
# Reading digits from pictures.
#   tests/cli/pictures_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

expect 0 '' mnist_train --model tiny --train-samples 10000 --epochs 2 --out o
expect 0 '' mnist_samples --out o --count 1
digits=(o/data/mnist_samples/*.png)
[ ${#digits[@]} = 10 ] || fail "${#digits[@]} sample pictures, expected 10"
expect 0 '' mnist_predict --model tiny --out o "${digits[@]}" --json answers.json
[ "$(grep -c 'dark background' out)" = 10 ] || fail 'dark background not seen'
has answers.json
# Most of ten test images are right even for the tiny network.
right=0
for file in "${digits[@]}"; do
  name=${file##*/}
  ! grep -q "$name: ${name%%_*} " out || right=$((right + 1))
done
[ $right -ge 7 ] || fail "$right of 10 sample pictures read right"
expect 0 '' mnist_predict --model tiny --out o --index 0 --index 1
[ "$(grep -c 'test image' out)" = 2 ] || fail 'two indices, not two answers'
# A large picture needs --resize; its light background is seen.
large=o/figures/confusion_matrix.png
refused 3 'expected 28x28. Pass --resize' mnist_predict --model tiny --out o "$large"
expect 0 '' mnist_predict --model tiny --out o --resize "$large"
grep -q 'light background, resized from' out || fail 'resizing not said'
expect 0 '' mnist_predict --model tiny --out o --resize --invert "$large"
grep -q 'dark background (inverted)' out || fail '--invert not said'
printf '\xff\xd8\xff\xe0 JFIF' >photo.png
refused 3 'photo.png' mnist_predict --model tiny --out o photo.png
head -c 100 "${digits[0]}" >short.png
refused 3 'short.png' mnist_predict --model tiny --out o short.png
refused 4 'absent.png' mnist_predict --model tiny --out o absent.png

finish
