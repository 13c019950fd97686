#!/usr/bin/env bash
# A locale with decimal commas, and one in which the capital of i is no I, change nothing.
#   tests/cli/locale_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

export LOCPATH=$work/locales
mkdir "$LOCPATH"
run=("${train[@]}" --out o --seed 3 --lr 0.005 --augment shift=0.05)
columns() { cut -d, -f1-6 o/models/mnist_tiny_history.csv; }  # without the times

expect 0 '' "${run[@]}"
columns >first.csv
cp out first.out
cp o/models/mnist_tiny_final.safetensors first.safetensors
for language in de_DE tr_TR; do
  name=$language.UTF-8
  localedef -i $language -f UTF-8 "$LOCPATH/$name" >/dev/null 2>&1
  if [ "$(LC_ALL=$name bash -c 'printf %.1f 1,5' 2>/dev/null)" != 1,5 ]; then
    echo "SKIPPED: $name: localedef cannot make it here (Debian: locales)"
    continue
  fi
  expect 0 '' env LC_ALL=$name "${run[@]}"
  columns | cmp -s first.csv - || fail "$name: other numbers in the history"
  same_file first.out out "$name: results"
  same_file first.safetensors o/models/mnist_tiny_final.safetensors "$name: model"
  refused 2 '--lr: got 0,5' env LC_ALL=$name mnist_train --lr 0,5
done

finish
