#!/usr/bin/env bash
# Figures as PNG and as SVG: both there, alike, and looked after.
#   tests/cli/drawings_test.sh FOLDER_OF_PROGRAMS
here=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd)
source "${BASH_SOURCE[0]%/*}/support.sh"

expect 0 '' "${train[@]}" --out o --json train.json
expect 0 '' mnist_samples --out o --count 1 --json samples.json
expect 0 '' mnist_features --model tiny --out o --json features.json
expect 0 '' mnist_compare --model tiny --against tiny --train-samples 1280 --epochs 1 --validation 500 --seeds 2 --out o
for pair in train:training_history train:confusion_matrix train:prediction_samples samples:mnist_samples \
            samples:augmentation_samples features:feature_maps features:filters; do
  for ending in png svg; do
    grep -qF "\"figures/${pair#*:}.$ending\"" "${pair%:*}.json" || fail "--json does not list ${pair#*:}.$ending"
  done
done

options=() compared=0
if browser=$(command -v chromium || command -v google-chrome); then
  options=(--browser "$browser") compared=8
else
  echo 'SKIPPED: drawings: no chromium was found: SVG was read, but its looks were not compared with the PNG'
fi
python3 "$here/drawings.py" o/figures "${options[@]}" >comparison || fail "drawings.py: $(cat comparison)"
grep -q '^8 figures, 0 faults' comparison || fail "not eight figures: $(cat comparison)"
[ "$(grep -c ' apart' comparison)" = $compared ] || fail "not $compared figures were compared: $(cat comparison)"

# shellcheck disable=SC2016  # backticks as the page has them
for svg in o/figures/*.svg; do
  name=$(basename "$svg" .svg)
  grep -qF '| `'"$name"'`' "$here/../../figures/README.md" || fail "figures/README.md does not know $name"
done

# The same again gives the same bytes.
cp -r o/figures before
expect 0 '' mnist_samples --out o --count 1
expect 0 '' mnist_features --model tiny --out o
for name in mnist_samples augmentation_samples feature_maps filters; do
  same_file "before/$name.svg" "o/figures/$name.svg" 'SVG of two runs'
done

# The report takes the drawings in, and lets nothing from outside in with them.
expect 0 '' mnist_report --out o
[ "$(grep -c '^<svg ' o/figures/report.html)" = 8 ] || fail 'report.html: not eight drawings'
! grep -q 'uncial [0-9.]* -->' o/figures/report.html || fail 'report.html: a mark of a drawing is in it'
grep -qF "default-src 'none'" o/figures/report.html || fail 'report.html has no policy'
echo '<svg onload="alert(1)"/>' >o/figures/filters.svg  # not ours: the PNG is shown
expect 0 '' mnist_report --out o
! grep -q alert o/figures/report.html || fail 'report.html: a foreign drawing is in it'
[ "$(grep -c '<img ' o/figures/report.html)" = 1 ] || fail 'report.html: not the PNG instead'
rm o/figures/filters.svg

# project_validate knows them.
refused_check() {  # PART: project_validate fails with PART in its list
  expect 3 'of' project_validate --out o
  grep -qF -e "$1" out || fail "project_validate does not say '$1'"
}
expect 4 'checks failed' project_validate --out o
grep -q 'FAILED figure filters .*filters.svg: is missing beside filters.png. Run mnist_features again' out || fail 'a missing drawing'
cp before/filters.svg o/figures/
expect 0 '' project_validate --out o
grep -q '^ok .*figure filters .*PNG and SVG' out || fail 'project_validate does not list filters'
grep -q 'figure augmentation_experiment *not made yet: mnist_augment draws it' out || fail 'project_validate: what was not made'
head -c 2000 before/filters.svg >o/figures/filters.svg
refused_check 'filters.svg: ends early'
cp before/feature_maps.svg o/figures/filters.svg
refused_check 'half of what filters.png has'
echo '<svg/>' >o/figures/filters.svg
refused_check 'filters.svg: got a file that these programs did not make'
cp before/filters.svg o/figures/
head -c 2000 before/filters.png >o/figures/filters.png
refused_check 'filters.png'

finish
