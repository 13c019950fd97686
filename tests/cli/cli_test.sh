#!/bin/bash
# One group of tests of the programs from outside: cli_test.sh GROUP FOLDER_OF_PROGRAMS
set -u
set -m  # without job control, background jobs would ignore SIGINT
group=$1
PATH=$2:$PATH
unset UNCIAL_ISA UNCIAL_NUM_THREADS UNCIAL_VERBOSE UNCIAL_DATA NO_COLOR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  sed 's/^/  stderr: /' err 2>/dev/null | head -5
  failures=$((failures + 1))
}

# expect CODE PART COMMAND...: exit code, PART in standard error, and for errors exactly one line there.
expect() {
  local code=$1 part=$2
  shift 2
  timeout 120 "$@" >out 2>err
  local got=$?
  [ $got = "$code" ] || fail "$*: exit code $got, expected $code"
  [ -z "$part" ] || grep -qF -e "$part" err || fail "$*: '$part' is not in the message"
  if [ "$code" != 0 ]; then
    [ "$(grep -c '^error: ' err)" = 1 ] || fail "$*: not exactly one line 'error: ...'"
  fi
}
# refused CODE PART COMMAND...: the same for commands that must say nothing but the error.
refused() {
  expect "$@"
  [ "$(wc -l <err)" = 1 ] || fail "${*:3}: $(wc -l <err) lines on standard error, expected 1"
  [ -s out ] && fail "${*:3}: wrote to standard output"
}
has() { [ -s "$1" ] || fail "$1 is missing or empty"; }

# The last line on standard output is a model's on the whole test set.
ends_with_result() {
  tail -n 1 out | grep -Eq '^test accuracy [0-9.]+ % \(95 % interval [0-9.]+-[0-9.]+\), loss [0-9.]+, [0-9]+ errors in 10000$' ||
    fail "$1: the last line is $(tail -n 1 out)"
}

# The smallest training there is.
train="mnist_train --model tiny --train-samples 1280 --validation 500 --epochs 3"

test_usage() {
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
  refused 2 'or a file FILE.json' mnist_train --model resnet
  refused 2 '--precision' mnist_train --precision bf16
  refused 2 'UNCIAL_NUM_THREADS: got abc' env UNCIAL_NUM_THREADS=abc mnist_prepare
  refused 2 'UNCIAL_ISA: got mmx' env UNCIAL_ISA=mmx mnist_prepare
  refused 2 'expected PNG files or --index' mnist_predict
  refused 2 '--index: got 10000' mnist_predict --index 10000
  refused 2 '--device: got tpu' mnist_train --device tpu
  refused 5 'this build has no CUDA; use --device cpu' mnist_train --device cuda
  for program in mnist_prepare mnist_samples mnist_train mnist_features mnist_compare mnist_predict mnist_augment \
                 mnist_report project_validate project_status; do
    expect 0 '' $program --help
    for flag in --out --seed --threads --device --json --quiet --overwrite --version; do
      grep -q -e $flag out || fail "$program --help does not tell of $flag"
    done
    expect 0 '' $program --version
    grep -q "^$program (uncial) [0-9]" out || fail "$program --version says $(cat out)"
  done
  [ -z "$(ls | grep -v -e '^out$' -e '^err$')" ] || fail "refused programs left files: $(ls)"
}

test_files() {
  # Damaged data.
  mkdir -p broken/mnist
  for part in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
    echo '<html>gone</html>' >broken/mnist/$part-ubyte.gz
  done
  refused 3 'broken/mnist' env UNCIAL_DATA=broken mnist_samples --out x
  # Data that mnist_prepare put below --out comes before all other; damaged data there is not passed over.
  mkdir -p loaded/data
  cp -r broken/mnist loaded/data
  for program in mnist_samples 'mnist_predict --index 0' "$train"; do
    refused 3 'loaded/data/mnist' $program --out loaded
  done
  expect 3 'checks failed' project_validate --out loaded
  # An output folder that cannot be made, found before training.
  : >file
  refused 4 'file' $train --out file/below
  # Foreign things in the way are found before training, and stay.
  mkdir -p o/figures o/models
  echo 'my notes' >o/figures/training_history.png
  refused 4 'training_history.png: a file that these programs did not make' $train --out o
  [ "$(cat o/figures/training_history.png)" = 'my notes' ] || fail 'the foreign file was changed'
  rm o/figures/training_history.png
  mkdir -p o/models/mnist_tiny_final.safetensors/full
  refused 4 'a folder is in the way' $train --out o
  refused 4 'a folder is in the way' $train --out o --overwrite
  rm -r o/models/mnist_tiny_final.safetensors
  ln -s "$work/elsewhere" o/models/mnist_tiny_best.safetensors
  refused 4 'a symbolic link is in the way' $train --out o
  [ -e elsewhere ] && fail 'the link was followed'
  # --overwrite replaces a file and a link; our own files need no flag.
  echo 'my notes' >o/figures/confusion_matrix.png
  expect 0 'epoch 3/3' $train --out o --overwrite
  expect 0 'epoch 3/3' $train --out o
  [ -L o/models/mnist_tiny_best.safetensors ] && fail 'the link is still there'
  [ -e elsewhere ] && fail 'the link was followed'
  # --json: same rule.
  # Only the exact mark at its place makes a file ours: neither the word nor emptiness does.
  echo 'uncial: "generator": "uncial 1", <meta name="generator" content="uncial 1">' >notes.md
  echo '{"note": "made with", "generator": "uncial 1"}' >other.json
  printf '<!doctype html>\n<p>&lt;meta name="generator" content="uncial 1"&gt;' >page.html
  { head -c 33 o/figures/confusion_matrix.png; printf '\0\0\0\20tEXtComment\0uncial 1'; } >other.png
  { head -c 8 o/models/mnist_tiny_final.safetensors; printf '{"uncial-model": 1}'; } >other.safetensors
  echo 'epoch,loss' >other.csv
  : >empty.json
  for foreign in notes.md other.json page.html other.png other.safetensors other.csv empty.json; do
    cp $foreign before
    refused 4 "$foreign: a file that these programs did not make" project_status --out o --json $foreign
    cmp -s before $foreign || fail "$foreign was changed"
  done
  expect 0 '' mnist_report --out o
  for own in figures/confusion_matrix.png figures/report.html models/mnist_tiny_{history.csv,results.json} \
             models/mnist_tiny_{best,final,checkpoint}.safetensors; do
    cp o/$own own
    expect 0 '' project_status --out o --json own
  done
  # Wrong network descriptions and models.
  echo '{"kind": "sequential", "layers": [{"kind": "flatten"}, {"kind": "dense", "in": 784, "out": 7}]}' >seven.json
  refused 3 'expected (1, 10)' mnist_train --model seven.json --out o
  echo '{"kind": "sequen' >half.json
  refused 3 'network half' mnist_train --model half.json --out o
  refused 4 'absent.json' mnist_train --model absent.json --out o
  head -c 300 o/models/mnist_tiny_final.safetensors >cut.safetensors
  refused 3 'cut.safetensors' mnist_predict --model cut.safetensors --index 1
  refused 4 'Train it with' mnist_predict --model lenet5 --index 1 --out o
  refused 4 'Run mnist_train first' mnist_report --out nothing
  # No temporary file may be left anywhere.
  [ -z "$(find . -name '.uncial-*.tmp')" ] || fail "temporary files: $(find . -name '.uncial-*.tmp')"
}

long='mnist_train --model tiny --train-samples 12800 --epochs 12 --patience 12 --validation 500'
# Starts a training in the background, and waits until it has taken its first steps.
start_long_training() {
  rm -f long.err  # or the wait below may see what an earlier run wrote
  $long "$@" >long.out 2>long.err &
  pid=$!
  for _ in $(seq 600); do
    grep -q 'epoch  1/12' long.err && return
    sleep 0.1
  done
  fail 'the long training did not start'
}

test_lock() {
  start_long_training --out o
  refused 4 "in use by pid $pid" $train --out o
  kill -KILL $pid
  wait $pid 2>/dev/null
  # The lock of a dead process is free at once, and its checkpoint whole.
  expect 0 'epoch 12/12' $long --out o --resume
}

test_stop() {
  expect 0 '' $long --out whole
  for signal in INT TERM HUP; do
    start_long_training --out cut_$signal
    kill -$signal $pid
    wait $pid
    got=$?
    case $signal in INT) want=130 ;; TERM) want=143 ;; HUP) want=129 ;; esac
    [ $got = $want ] || fail "SIG$signal: exit code $got, expected $want"
    grep -q -e "^error: .*--resume" long.err || fail "SIG$signal: no line that says how to resume"
    expect 0 '' $long --out cut_$signal --resume
    for file in best final; do
      cmp -s whole/models/mnist_tiny_$file.safetensors cut_$signal/models/mnist_tiny_$file.safetensors ||
        fail "SIG$signal: mnist_tiny_$file differs from the uninterrupted run's"
    done
  done
  # --resume with nothing to resume starts anew; a checkpoint of another recipe is refused.
  expect 0 'epoch 3/3' $train --out fresh --resume
  refused 3 'batch' $train --out fresh --resume --batch 64 --quiet
  # A reader that goes away stops nothing.
  $train --out piped 2>&1 | head -n 1 >/dev/null
  [ "${PIPESTATUS[0]}" = 0 ] || fail "train | head: exit code ${PIPESTATUS[0]}"
  has piped/models/mnist_tiny_final.safetensors
  # Diverged.
  expect 6 'became NaN' mnist_train --model mlp --train-samples 1280 --optimizer sgd --lr 1000 --schedule constant --out wild
}

test_terminal() {
  $train --out o >out 2>err
  grep -q $'\x1b' out err && fail 'escape bytes in a pipe'
  grep -q $'\r' out err && fail 'carriage returns in a pipe'
  [ "$(grep -c '^epoch' err)" = 3 ] || fail 'not one line an epoch'
  ends_with_result "$train"
  $train --out o --quiet >out 2>err
  [ -s err ] && fail '--quiet: something on standard error'
  # Closed streams, a full disk behind standard output.
  $train --out o >&- 2>&- || fail 'closed streams'
  expect 4 'standard output' bash -c "$train --out o --quiet >/dev/full"
  # Another locale changes nothing.
  $train --out german --seed 3 >/dev/null 2>&1
  cp german/models/mnist_tiny_history.csv first.csv
  for locale in de_DE.UTF-8 tr_TR.UTF-8; do
    LC_ALL=$locale $train --out german --seed 3 >/dev/null 2>&1
    cmp -s <(cut -d, -f1-6 first.csv) <(cut -d, -f1-6 german/models/mnist_tiny_history.csv) || fail "$locale: other numbers"
  done
  # A file size limit is an error of output, not a signal.
  (failures=0; ulimit -f 8; expect 4 'File too large' $train --out limited; [ $failures = 0 ]) || fail 'ulimit -f'
  # A narrow terminal with script(1), where there is one.
  if command -v script >/dev/null; then
    script -qec "stty cols 20; $train --out o" /dev/null >typescript </dev/null || fail 'on a terminal'
    tr '\r' '\n' <typescript | sed 's/\x1b\[[0-9;]*[mK]//g' | grep -e '^epoch' | grep -qE '.{21}' &&
      fail 'a progress line is wider than the terminal of 20 columns'
    NO_COLOR=1 script -qec "$train --out o" /dev/null >typescript </dev/null
    grep -q $'\x1b\[[0-9;]*m' typescript && fail 'NO_COLOR: colours'
  fi
}

test_pictures() {
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
    grep -q "$name: ${name%%_*} " out && right=$((right + 1))
  done
  [ $right -ge 7 ] || fail "$right of 10 sample pictures read right"
  expect 0 '' mnist_predict --model tiny --out o --index 0 --index 1
  [ "$(grep -c 'test image' out)" = 2 ] || fail 'two indices, not two answers'
  # A large picture needs --resize; its light background is seen.
  large=o/figures/confusion_matrix.png
  refused 3 'expected 28x28. Pass --resize' mnist_predict --model tiny --out o $large
  expect 0 '' mnist_predict --model tiny --out o --resize $large
  grep -q 'light background, resized from' out || fail 'resizing not said'
  expect 0 '' mnist_predict --model tiny --out o --resize --invert $large
  grep -q 'dark background (inverted)' out || fail '--invert not said'
  printf '\xff\xd8\xff\xe0 JFIF' >photo.png
  refused 3 'photo.png' mnist_predict --model tiny --out o photo.png
  head -c 100 "${digits[0]}" >short.png
  refused 3 'short.png' mnist_predict --model tiny --out o short.png
  refused 4 'absent.png' mnist_predict --model tiny --out o absent.png
}

test_pipeline() {
  local short='--train-samples 2560 --epochs 2 --validation 500'
  expect 0 '' mnist_prepare --out o --json prepare.json
  has o/data/mnist_split.json
  expect 0 '' mnist_samples --out o
  expect 0 '' mnist_train --model tiny $short --seeds 2 --out o --json train.json
  grep -q '^mean accuracy of 2 seeds' out || fail '--seeds 2: no mean'
  ends_with_result 'mnist_train --seeds 2'
  has o/models/mnist_tiny_seed2_final.safetensors
  expect 0 '' mnist_train --model tiny --epochs 0 --out o
  grep -q '^test accuracy' out || fail '--epochs 0 did not evaluate'
  expect 0 '' mnist_features --model tiny --out o --index 3
  expect 0 '' mnist_compare --model tiny --against mlp $short --seeds 1 --out o
  ends_with_result mnist_compare
  expect 0 '' mnist_augment --model tiny --train-samples 512 --validation 500 --epochs 1 --steps 1 --out o
  ends_with_result mnist_augment
  expect 0 '' mnist_report --out o
  for figure in mnist_samples augmentation_samples training_history confusion_matrix prediction_samples feature_maps \
                filters model_comparison augmentation_experiment; do
    has o/figures/$figure.png
    grep -aq 'uncial' o/figures/$figure.png || fail "$figure.png has no mark"
  done
  [ "$(grep -o 'data:image/png' o/figures/report.html | wc -l)" = 9 ] || fail 'report.html: not nine pictures'
  grep -qE '(src|href)="?http' o/figures/report.html && fail 'report.html asks for outside resources'
  grep -q '"accuracy"' train.json || fail 'train.json has no accuracy'
  expect 0 '' project_validate --out o
  grep -q FAILED out && fail 'project_validate: a check failed'
  expect 0 '' project_status --out o
  grep -q 'tiny ' out || fail 'project_status does not list the network'
  head -c 200 o/models/mnist_tiny_final.safetensors >cut && mv cut o/models/mnist_tiny_final.safetensors
  expect 3 '1 of' project_validate --out o
}

# reaches LEAST COMMAND...: a training whose accuracy must be at least so many per cent.
reaches() {
  expect 0 '' "${@:2}"
  awk -v least="$1" 'END { exit !($1 == "test" && $3 >= least) }' out || fail "${*:2}: $(tail -n 1 out), expected $1 %"
}

# Short trainings on a tenth of the images; an untrained network has about 10 %.
test_accuracy() {
  reaches 95 mnist_train --model cnn --train-samples 6000 --epochs 2 --validation 500 --out o
  reaches 88 mnist_train --model mlp --train-samples 6000 --epochs 3 --validation 500 --out o
}

test_$group
[ $failures = 0 ] || { echo "$failures failures"; exit 1; }
