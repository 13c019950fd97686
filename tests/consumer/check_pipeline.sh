#!/usr/bin/env bash
# The pipeline as it is installed: tests/consumer/check_pipeline.sh BUILD_FOLDER
#
# Installs, and runs run_pipeline.sh in an empty folder: it must run the installed programs, build nothing, need
# no root and no network, and write nowhere else. As root, it runs as nobody.
set -euo pipefail
build=$(cd -- "${1:?usage: tests/consumer/check_pipeline.sh BUILD_FOLDER}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

fail() {
  printf '%s\n' "$1"
  exit 1
}

prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >/dev/null
mkdir "$work/empty" "$work/tools"
# Whatever would build, install or become root is a program that leaves a trace.
for tool in cmake ninja make c++ g++ clang++ apt-get dpkg sudo; do
  printf '#!/bin/sh\necho "%s $*" >>"%s/empty/TRACE"\nexit 1\n' $tool "$work" >"$work/tools/$tool"
  chmod 755 "$work/tools/$tool"
done
as_user=()
if ((EUID == 0)); then
  chown 65534:65534 "$work/empty"
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs)
fi
before=$(cd "$prefix" && find . -printf '%p %s %T@\n' | sort)
run() { (cd "$work/empty" && "${as_user[@]}" env -i PATH="$work/tools:/usr/bin:/bin" HOME=/nonexistent "$@"); }

run "$prefix/bin/run_pipeline.sh" --fast --compare --epochs 1 --train-samples 1280 | tee "$work/log"
[[ ! -e $work/empty/TRACE ]] || fail "it called: $(cat "$work/empty/TRACE")"
tail -n 1 "$work/log" | grep -q '^test accuracy [0-9.]* %' || fail "the last line is no result"
for file in data/mnist_split.json models/mnist_cnn_final.safetensors figures/training_history.png \
            figures/feature_maps.svg figures/model_comparison.png figures/report.html; do
  [[ -s $work/empty/$file ]] || fail "$file is missing"
done
[[ $before == "$(cd "$prefix" && find . -printf '%p %s %T@\n' | sort)" ]] || fail "it changed the installation"

# It is the installed data that was read: damaged, it is noticed.
labels=$(find "$prefix" -name 'train-labels-idx1-ubyte.gz')
head -c 1000 "$labels" >"$labels.part"
mv -f "$labels.part" "$labels"
chmod 644 "$labels"
status=0
run "$prefix/bin/mnist_samples" --out again || status=$?
((status == 3)) || fail "damaged data in the installation: exit code $status, expected 3"

# A folder that is not the user's: one line, exit code 4, before any work.
if ((EUID == 0)); then
  status=0
  (cd "$prefix" && "${as_user[@]}" "$prefix/bin/run_pipeline.sh") || status=$?
  ((status == 4)) || fail "in a folder that cannot be written: exit code $status, expected 4"
fi
