#!/usr/bin/env bash
# Damaged data, foreign files in the way, wrong networks and models.
#   tests/cli/files_test.sh FOLDER_OF_PROGRAMS
source "${BASH_SOURCE[0]%/*}/support.sh"

# Damaged data.
mkdir -p broken/mnist
for part in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  echo '<html>gone</html>' >broken/mnist/$part-ubyte.gz
done
refused 3 'broken/mnist' env UNCIAL_DATA=broken mnist_samples --out x
# Data that mnist_prepare put below --out comes before all other; damaged data there is not passed over.
mkdir -p loaded/data
cp -r broken/mnist loaded/data
refused 3 'loaded/data/mnist' mnist_samples --out loaded
refused 3 'loaded/data/mnist' mnist_predict --index 0 --out loaded
refused 3 'loaded/data/mnist' "${train[@]}" --out loaded
expect 3 'checks failed' project_validate --out loaded
# An output folder that cannot be made, found before training.
: >file
refused 4 'file' "${train[@]}" --out file/below
# Foreign things in the way are found before training, and stay.
mkdir -p o/figures o/models
echo 'my notes' >o/figures/training_history.png
refused 4 'training_history.png: a file that these programs did not make' "${train[@]}" --out o
[ "$(cat o/figures/training_history.png)" = 'my notes' ] || fail 'the foreign file was changed'
rm o/figures/training_history.png
echo '<svg xmlns="http://www.w3.org/2000/svg"><!-- uncial 1 --></svg>' >o/figures/training_history.svg
refused 4 'training_history.svg: a file that these programs did not make' "${train[@]}" --out o
rm o/figures/training_history.svg
mkdir -p o/models/mnist_tiny_final.safetensors/full
refused 4 'a folder is in the way' "${train[@]}" --out o
refused 4 'a folder is in the way' "${train[@]}" --out o --overwrite
rm -r o/models/mnist_tiny_final.safetensors
ln -s "$work/elsewhere" o/models/mnist_tiny_best.safetensors
refused 4 'a symbolic link is in the way' "${train[@]}" --out o
[ ! -e elsewhere ] || fail 'the link was followed'
mkdir -p o/models/mnist_compare o/models/mnist_augment
echo 'my notes' >o/models/mnist_compare/2_mlp_seed1_checkpoint.safetensors
refused 4 'a file that these programs did not make' mnist_compare --out o --seeds 1
echo 'my notes' >o/models/mnist_augment/cnn_zoom=0.4_checkpoint.safetensors
refused 4 'a file that these programs did not make' mnist_augment --out o
# --overwrite replaces a file and a link; our own files need no flag.
echo 'my notes' >o/figures/confusion_matrix.png
expect 0 'epoch 3/3' "${train[@]}" --out o --overwrite
expect 0 'epoch 3/3' "${train[@]}" --out o
[ ! -L o/models/mnist_tiny_best.safetensors ] || fail 'the link is still there'
[ ! -e elsewhere ] || fail 'the link was followed'
# --json: same rule.
# Only the exact mark at its place makes a file ours: neither the word nor emptiness does.
echo 'uncial: "generator": "uncial 1", <meta name="generator" content="uncial 1">' >notes.md
echo '{"note": "made with", "generator": "uncial 1"}' >other.json
printf '<!doctype html>\n<p>&lt;meta name="generator" content="uncial 1"&gt;' >page.html
{ head -c 33 o/figures/confusion_matrix.png; printf '\0\0\0\20tEXtComment\0uncial 1'; } >other.png
{ head -c 8 o/models/mnist_tiny_final.safetensors; printf '{"uncial-model": 1}'; } >other.safetensors
printf '<!-- uncial 1 -- see below -->\n<svg xmlns="http://www.w3.org/2000/svg"/>' >other.svg
echo 'epoch,loss' >other.csv
: >empty.json
for foreign in notes.md other.json page.html other.png other.svg other.safetensors other.csv empty.json; do
  cp $foreign before
  refused 4 "$foreign: a file that these programs did not make" project_status --out o --json $foreign
  cmp -s before $foreign || fail "$foreign was changed"
done
expect 0 '' mnist_report --out o
for own in figures/confusion_matrix.{png,svg} figures/report.html models/mnist_tiny_{history.csv,results.json} \
           models/mnist_tiny_{best,final,checkpoint}.safetensors; do
  cp "o/$own" own
  expect 0 '' project_status --out o --json own
done
# One of ours that cannot be read is not called foreign.
cp -r o unread
chmod 000 unread/figures/confusion_matrix.png
if [ ! -r unread/figures/confusion_matrix.png ]; then  # root reads everything
  refused 4 'confusion_matrix.png: cannot be read: Permission denied' "${train[@]}" --out unread
fi
# Descriptors that whoever runs the tests left open would use up the few that there are.
# shellcheck disable=SC2016  # the shell that bash -c starts expands it
only_standard='for fd in /proc/$$/fd/*; do fd=${fd##*/}; if ((fd > 2)); then eval "exec $fd>&-"; fi; done'
expect 4 'Too many open files' bash -c "$only_standard; ulimit -n 4; ${train[*]} --out o"
expect 4 'Train it first' mnist_train --model tiny --epochs 0 --out never
# Wrong network descriptions and models.
echo '{"kind": "sequential", "layers": [{"kind": "flatten"}, {"kind": "dense", "in": 784, "out": 7}]}' >seven.json
refused 3 'expected (1, 10)' mnist_train --model seven.json --out o
echo '{"kind": "sequen' >half.json
refused 3 'network half' mnist_train --model half.json --out o
refused 4 'absent.json' mnist_train --model absent.json --out o
head -c 300 o/models/mnist_tiny_final.safetensors >cut.safetensors
refused 3 'cut.safetensors' mnist_predict --model cut.safetensors --index 1
head -c -8 o/models/mnist_tiny_final.safetensors >nan.safetensors
printf '\0\0\300\177\0\0\300\177' >>nan.safetensors  # the last two weights of the file: NaN
refused 3 'got nan (2 such values in all), expected finite weights' mnist_predict --model nan.safetensors --index 1
refused 4 'Train it with' mnist_predict --model lenet5 --index 1 --out o
refused 4 'Run mnist_train first' mnist_report --out nothing
# A name with a line feed and bytes that are no text: it works, and is printed escaped.
name=$'a\nb \xff'
expect 0 '' "${train[@]}" --out "$name"
[ -s "$name/models/mnist_tiny_final.safetensors" ] || fail 'a strange name: no model'
! grep -q '^b' err || fail 'a strange name was printed raw'
# Results that are JSON, but not what was expected.
cp o/models/mnist_tiny_results.json kept.json
echo '{"generator": "uncial 0", "networks": 1}' >o/figures/model_comparison.json
refused 3 'another content' mnist_report --out o
rm o/figures/model_comparison.json
sed 's/"mean_accuracy": [0-9.]*/"mean_accuracy": "high"/' kept.json >o/models/mnist_tiny_results.json
expect 3 'another content' project_status --out o
echo '[' >o/models/mnist_tiny_results.json
refused 3 'mnist_tiny_results.json@byte' mnist_report --out o
cp kept.json o/models/mnist_tiny_results.json
# No temporary file may be left anywhere.
left=$(find . -name '.uncial-*.tmp')
[ -z "$left" ] || fail "temporary files: $left"

finish
