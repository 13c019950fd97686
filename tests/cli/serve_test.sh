#!/usr/bin/env bash
# --serve and mnist_draw: addresses, ports, requests, signals, and that a training comes out the same.
#   tests/cli/serve_test.sh FOLDER_OF_PROGRAMS
here=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd)
source "$here/support.sh"

# start_page COMMAND...: starts it in the background, as $pid, and waits until it says where its page is: $url.
start_page() {
  rm -f long.out
  "$@" >long.out 2>long.err &
  pid=$! url=''
  for _ in $(seq 1200); do
    url=$(sed -n 's/^page: //p' long.out 2>/dev/null)
    [ -z "$url" ] || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  return 1
}

# ends_with SIGNAL CODE: sends it to the command of start_page.
ends_with() {
  local got
  kill "-$1" "$pid"
  wait "$pid"
  got=$?
  [ $got = "$2" ] || fail "SIG$1: exit code $got, expected $2: $(cat long.err)"
}

# ---- Refused before anything is done
refused 2 'which other machines may reach' mnist_train --serve 0.0.0.0:8080
refused 2 'Pass --serve-network, too' mnist_draw --serve '[::]:8080'
refused 2 'expected HOST:PORT' mnist_train --serve 127.0.0.1
refused 2 'expected an IP address or localhost' mnist_draw --serve example.org:8080
refused 2 'from 0 to 65535' mnist_draw --serve 127.0.0.1:65536
refused 2 '--serve: got nothing' mnist_draw --serve ''
left=(*)
[ "${left[*]}" = 'err out' ] || fail "refused programs left files: ${left[*]}"

# ---- A page of a model
expect 0 '' "${train[@]}" --out plain --quiet
model=plain/models/mnist_tiny_final.safetensors
if ! start_page mnist_draw --model $model --serve 127.0.0.1:0 --quiet; then
  if grep -q 'this build has no server' long.err; then
    echo 'SKIPPED: --serve: built without cpp-httplib (Debian: libcpp-httplib-dev)'
  else
    fail "mnist_draw: $(cat long.err)"
  fi
  finish
  exit
fi
case $url in
  http://127.0.0.1:*/) ;;
  *) fail "mnist_draw: page at $url" ;;
esac
[ ! -s long.err ] || fail "--quiet: something on standard error: $(cat long.err)"
python3 "$here/serve_requests.py" "$url" draw || fail 'requests to mnist_draw'
port=${url%/}
refused 4 'Address already in use' mnist_draw --model $model --serve "127.0.0.1:${port##*:}" --quiet
grep -q "port ${port##*:}" err || fail 'a port that is taken is not named'
ends_with INT 0
start_page mnist_draw --model $model --serve "${port##*:}" || fail "the port is not free again: $(cat long.err)"
ends_with TERM 0
refused 4 'Train it with' mnist_draw --out nowhere --serve 127.0.0.1:0
printf 'no model' >broken.safetensors
refused 3 'broken.safetensors' mnist_draw --model broken.safetensors --serve 127.0.0.1:0

# ---- A training that is looked at: the same weights, figures and checkpoint
start_page "${train[@]}" --out served --serve 127.0.0.1:0
python3 "$here/serve_requests.py" "$url" training || fail 'requests to mnist_train'
for _ in $(seq 1200); do
  ! grep -q 'the page stays at' long.err || break
  sleep 0.05
done
tail -n 1 long.out | grep -q '^test accuracy' || fail "the last line is $(tail -n 1 long.out)"
expect 0 '' mnist_features --out served --model served/models/mnist_tiny_final.safetensors --quiet  # the folder is free
ends_with INT 0
for file in best final; do
  same_file {plain,served}/models/mnist_tiny_$file.safetensors 'with --serve'
done

# ---- Signals while it trains: as without the page, and the run goes on without it
start_page "${long[@]}" --out cut --serve 127.0.0.1:0
for _ in $(seq 1200); do
  ! grep -q '^epoch  1/12' long.err || break
  sleep 0.05
done
stop_with INT 130
expect 0 '' "${long[@]}" --out cut --resume
expect 0 '' "${long[@]}" --out whole
same_file {cut,whole}/models/mnist_tiny_final.safetensors 'stopped with --serve, gone on without'

finish
