#!/usr/bin/env bash
# Looks at the page, served and as the demo's file, in a real browser, with what it needs: tests/page/run.sh [--full] [--pictures FOLDER]
#
#   --full             50 digits and a training watched; without it 10 digits
#   --pictures FOLDER  save what the browser shows
#
# Needs build/release/bin, Chromium (scripts/install_dependencies.sh --tests installs it) and Playwright for Python, which goes into
# build/page_venv from PyPI unless UNCIAL_PAGE_PYTHON names a Python that has it. What is not to be had is said in a line that begins
# with SKIPPED, and the exit code is 77. UNCIAL_PAGE_MODEL names a trained model; else a small one is trained first.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
cd -- "$root"

digits=10 options=() pictures=()
while (($#)); do
  case $1 in
    --full) digits=50 options+=(--training) ;;
    --pictures) pictures=(--pictures "${2:?--pictures needs a folder}") && shift ;;
    *) printf 'error: tests/page/run.sh: unknown option %s\n' "$1" >&2 && exit 2 ;;
  esac
  shift
done

skip() {
  printf 'SKIPPED: page: %s; the page was not looked at in a browser\n' "$1"
  exit 77
}

programs=build/release/bin
[[ -x $programs/mnist_draw ]] || { printf 'error: %s/mnist_draw is missing. Build first: scripts/build.sh release\n' $programs >&2; exit 4; }
answer=$("$programs/mnist_draw" --model nowhere.safetensors --serve 127.0.0.1:0 2>&1) || true
if [[ $answer == *'has no server'* ]]; then
  skip 'built without cpp-httplib (Debian: libcpp-httplib-dev)'
fi
command -v chromium chromium-browser google-chrome >/dev/null || skip 'there is no Chromium (Debian: chromium)'

python=${UNCIAL_PAGE_PYTHON:-build/page_venv/bin/python}
if ! "$python" -c 'import playwright' 2>/dev/null; then
  [[ -z ${UNCIAL_PAGE_PYTHON:-} ]] || { printf 'error: %s has no playwright\n' "$python" >&2; exit 4; }
  python3 -m venv build/page_venv || skip 'there is no venv module for Python (Debian: python3-venv)'
  build/page_venv/bin/pip install --quiet playwright==1.65.0 || skip 'Playwright could not be installed from PyPI'
fi

model=${UNCIAL_PAGE_MODEL:-build/page_model/models/mnist_cnn_final.safetensors}
if [[ ! -f $model ]]; then
  "$programs/mnist_train" --recipe fast --epochs 1 --train-samples 20000 --out build/page_model --quiet
fi
status=0
"$python" tests/page/page_test.py "$programs" data/mnist "$model" --digits "$digits" "${options[@]}" "${pictures[@]}" || status=$?
"$python" tests/page/demo_test.py docs/demo/index.html "$programs" data/mnist --digits "$digits" "${pictures[@]}" || status=$?
exit "$status"
