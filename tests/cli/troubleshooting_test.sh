#!/usr/bin/env bash
# docs/troubleshooting.md shows the messages that one really gets: each is provoked here.
#   tests/cli/troubleshooting_test.sh FOLDER_OF_PROGRAMS
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd)
source "${BASH_SOURCE[0]%/*}/support.sh"
page=$(tr -s ' \n' ' ' <"$root/docs/troubleshooting.md")

# shown CODE PART COMMAND...: ends with CODE, and the page has PART of what it says; an empty PART: the whole line.
shown() {
  local code=$1 part=$2 got said
  shift 2
  timeout 900 "$@" >out 2>err
  got=$?
  [ "$got" = "$code" ] || fail "$*: exit code $got, expected $code"
  said=$(tr -s ' \n' ' ' <err | sed -E "s/pid [0-9]+/pid 4711/; s|$work/||g; s/ $//")
  [ -n "$part" ] || part=$said
  [[ $said == *"$part"* ]] || fail "$*: says '$said', not '$part'"
  [[ $page == *"$part"* ]] || fail "docs/troubleshooting.md does not show '$part'"
}

# Building.
mkdir stubs
printf '#!/bin/sh\nexit 1\n' >stubs/dpkg-query
chmod +x stubs/dpkg-query
shown 1 'error: install_dependencies: missing packages: ' env PATH="$work/stubs:$PATH" "$root/scripts/install_dependencies.sh" --no-install
if command -v cmake >/dev/null; then
  shown 1 'uncial needs g++ 12, clang 14 or newer, got GNU 9.4.0. Install one and name it: -DCMAKE_CXX_COMPILER=g++-12.' \
    cmake -DCMAKE_CXX_COMPILER_ID=GNU -DCMAKE_CXX_COMPILER_VERSION=9.4.0 -P "$root/cmake/compiler.cmake"
else
  echo "SKIPPED: compiler too old: there is no cmake here"
fi

# Starting.
shown 2 '' "${train[@]}" --lr 0,5
shown 2 'error: UNCIAL_ISA: got mmx, expected one of ' env UNCIAL_ISA=mmx mnist_prepare
# A build with CUDA names the driver or the GPU instead, and its libraries alone take more memory.
timeout 900 mnist_predict --index 0 --device cuda:200 >out 2>err
if grep -q 'has no CUDA' err; then
  shown 5 '' mnist_train --device cuda
  shown 5 'error: out of memory: asked for 47040000 bytes; use a smaller batch.' \
    bash -c "ulimit -v 60000; ${train[*]} --threads 1 --out hungry"
fi

# The page, on a port that another program has.
if mnist_train --serve nowhere 2>&1 >out | grep -q 'cpp-httplib'; then
  echo "SKIPPED: port taken: these programs have no page"
else
  start_until 'http://127.0.0.1:' "${long[@]}" --serve 127.0.0.1:0 --out served
  port=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' long.err | head -n 1 | grep -oE '[0-9]+$')
  shown 4 'Address already in use. Stop the program that has it, or take another port; 0 takes a free one.' \
    "${train[@]}" --serve "127.0.0.1:$port" --out beside
  kill -INT "$pid"
  wait "$pid"
fi

# Files and folders.
mkdir -p results/figures
echo 'my notes' >results/figures/training_history.png
shown 4 '' "${train[@]}" --out results
rm results/figures/training_history.png
start_until 'epoch  1/12' "${long[@]}" --out results
shown 4 '' "${train[@]}" --out results
kill -INT "$pid"
wait "$pid"
cp long.err stopped.err
shown 130 'error: mnist_train: stopped by SIGINT. Everything is saved; go on with: ' \
  bash -c 'cat stopped.err >&2; exit 130'
mkdir locked
chmod 555 locked
if [ "$EUID" = 0 ]; then as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups); else as_nobody=(); fi
chmod o+rx "$work"
if "${as_nobody[@]}" mnist_train --version >/dev/null 2>&1 && "${as_nobody[@]}" test -r "$root/examples/models/." &&
  ! "${as_nobody[@]}" touch locked/x 2>/dev/null; then
  shown 4 '' "${as_nobody[@]}" "${train[@]}" --out locked/results
else
  echo "SKIPPED: permission denied: cannot run the programs as somebody without rights"
fi
shown 4 'File too large. Raise the limit (ulimit -f), or choose another place.' bash -c "ulimit -f 8; ${train[*]} --out limited"
mkdir small
if mount -t tmpfs -o size=64k none small 2>/dev/null; then
  shown 4 'No space left on device. Free some space, or choose another place.' "${train[@]}" --out small
  umount small
else
  echo "SKIPPED: disk full: a small file system cannot be mounted here"
fi

# Data and models.
mkdir -p broken/mnist
for part in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  echo '<html>gone</html>' >broken/mnist/$part-ubyte.gz
done
shown 3 '' env UNCIAL_DATA=broken mnist_samples --out x
shown 4 '' mnist_predict --model lenet5 --index 1 --out results
expect 0 '' "${train[@]}" --out results
head -c 300 results/models/mnist_tiny_final.safetensors >cut.safetensors
shown 3 '' mnist_predict --model cut.safetensors --index 1
python3 - <<'END' || echo 'SKIPPED: picture of another size: there is no python3 here'
import struct, zlib
chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
rows = b"".join(b"\0" + bytes(120) for _ in range(90))
open("photo.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 120, 90, 8, 0, 0, 0, 0)) +
                              chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
END
[ ! -e photo.png ] || shown 3 '' mnist_predict --model tiny --out results photo.png

if unshare -n true 2>/dev/null; then
  shown 4 'error: download: nonet/data/kmnist/train-images-idx3-ubyte.gz: no mirror delivered it: https://codh.rois.ac.jp/kmnist/dataset/kmnist/train-images-idx3-ubyte.gz: Could not resolve host: codh.rois.ac.jp' \
    unshare -n mnist_prepare --dataset kmnist --out nonet
else
  echo "SKIPPED: no network: cannot run a program without one"
fi

# Training.
shown 3 '' "${train[@]}" --out results --resume --batch 64 --quiet
shown 6 'Lower the learning rate, limit gradients with clip_norm, or look at the data; checkpoints keep the last good state.' \
  mnist_train --model mlp --train-samples 1280 --optimizer sgd --lr 1000 --schedule constant --out wild
# shellcheck disable=SC2016  # the shell that bash -c starts expands it
only_standard='for fd in /proc/$$/fd/*; do fd=${fd##*/}; if ((fd > 2)); then eval "exec $fd>&-"; fi; done'
shown 4 'Too many open files. Raise the limit of open files (ulimit -n).' bash -c "$only_standard; ulimit -n 4; ${train[*]} --out o"

finish
