#!/usr/bin/env bash
# Builds the image and tries it as its users do: tests/docker/check_image.sh
#
# Needs a Docker engine (DOCKER_HOST or the usual one); BASE_IMAGE names another base than debian:bookworm-slim. A part
# of ./run_tests.sh --release. What it makes is removed, but for what the engine caches of the build.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
base=${BASE_IMAGE:-debian:bookworm-slim}
name=uncial-check-$$
most_bytes=120000000  # of the programs' image, over its base

for tool in docker python3; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: image: there is no $tool here"; exit 77; }
done
docker info >/dev/null 2>&1 || { echo 'SKIPPED: image: no Docker engine answers'; exit 77; }

work=$(mktemp -d)
clean_up() {
  docker ps --all --quiet --filter "name=^$name" | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
  docker volume rm --force "$name" >/dev/null 2>&1 || true
  docker rmi --force "$name:runtime" "$name:lab" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean_up EXIT

failures=0
pass() { printf 'PASS %s\n' "$*"; }
fail() {
  printf 'FAIL %s\n' "$*"
  failures=$((failures + 1))
}
check() {  # text command...: passes if the command does
  if "${@:2}" >"$work/out" 2>&1; then pass "$1"; else fail "$1" && tail -n 5 "$work/out"; fi
}

build() {  # stage
  local started=$SECONDS
  docker build --build-arg "BASE_IMAGE=$base" --target "$1" -t "$name:$1" "$root" >"$work/build.log" 2>&1 || {
    fail "build of $1" && tail -n 20 "$work/build.log"
    exit 1
  }
  pass "build of $1 ($((SECONDS - started)) s)"
}

size() { docker image inspect --format '{{.Size}}' "$1"; }

wait_for() {  # container text
  until docker logs "$1" 2>&1 | grep -qF -e "$2"; do
    [[ $(docker inspect --format '{{.State.Running}}' "$1") == true ]] || { fail "$1 ended before '$2'" && docker logs "$1" && return 1; }
    sleep 0.2
  done
}

# status URL [header]: the HTTP status, after redirections; Host stands for another name of this machine.
status() {
  python3 - "$@" <<'PYTHON'
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers=dict(h.split("=", 1) for h in sys.argv[2:]))
try:
    print(urllib.request.urlopen(request, timeout=20).status)
except urllib.error.HTTPError as error:
    print(error.code)
PYTHON
}

# ---- The programs
build runtime
more=$(($(size "$name:runtime") - $(size "$base")))
if ((more <= most_bytes)); then pass "size: $((more / 1000000)) MB over the base"; else fail "size: $more bytes over the base, at most $most_bytes"; fi
check 'the user is 1000' test "$(docker run --rm "$name:runtime" id -u)" = 1000
check 'pipeline, options alone' docker run --rm "$name:runtime" --fast --epochs 1 --train-samples 1280
check 'everything is in place' docker run --rm "$name:runtime" project_validate
check 'a user that the image does not know' docker run --rm --user 4321:4321 --workdir /tmp "$name:runtime" --fast --epochs 1 --train-samples 1280
check 'without a network' docker run --rm --network none "$name:runtime" mnist_prepare

# docker stop: a checkpoint is there, from which training goes on, and nobody had to be killed (137).
stopped_in_time() {  # title network command...
  docker run --detach --name "$name-train" --volume "$name:/workspace/models" "$name:runtime" "${@:3}" >/dev/null
  wait_for "$name-train" 'epoch  1/' || return 0
  local started=$SECONDS code
  docker stop "$name-train" >/dev/null  # kills after 10 s
  code=$(docker inspect --format '{{.State.ExitCode}}' "$name-train")
  if [[ $code == 143 ]]; then pass "docker stop, $1: exit code 143 after $((SECONDS - started)) s"; else fail "docker stop, $1: exit code $code, expected 143"; fi
  docker rm "$name-train" >/dev/null
  check "docker stop, $1: the checkpoint is there" \
    docker run --rm --volume "$name:/workspace/models" "$name:runtime" test -s "models/mnist_$2_checkpoint.safetensors"
}
long=(mnist_train --model tiny --train-samples 12800 --epochs 12 --patience 12 --validation 500)
stopped_in_time 'a program' tiny "${long[@]}"
check 'docker stop, a program: --resume goes on from it' docker run --rm --volume "$name:/workspace/models" "$name:runtime" "${long[@]}" --resume
stopped_in_time 'the pipeline' cnn pipeline --epochs 12 --train-samples 12800

# ---- JupyterLab
build lab
start_lab() {  # option...: sets port, address
  docker rm --force "$name-lab" >/dev/null 2>&1 || true
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  docker run --detach --name "$name-lab" --publish "127.0.0.1:$port:8888" --env "UNCIAL_PORT=$port" "$@" "$name:lab" >/dev/null
  wait_for "$name-lab" '?token='
  address=$(docker logs "$name-lab" 2>&1 | grep -o 'http://[^ ]*')
}
start_lab
first=$address
check "the address that it prints answers" test "$(status "$address")" = 200
check 'refused without the token' test "$(status "http://127.0.0.1:$port/api/contents")" = 403
check 'refused under the name of another host' test "$(status "http://127.0.0.1:$port/api/status?token=${address##*=}" Host=elsewhere.example)" = 403
until [[ $(docker inspect --format '{{.State.Health.Status}}' "$name-lab") != starting ]]; do sleep 1; done
check 'healthy' test "$(docker inspect --format '{{.State.Health.Status}}' "$name-lab")" = healthy
while IFS= read -r notebook; do
  check "notebook $notebook, in short" docker exec --env UNCIAL_NOTEBOOK_FAST=1 "$name-lab" jupyter execute "notebooks/$notebook"
done < <(docker exec "$name-lab" bash -c 'cd notebooks && ls *.ipynb')
check 'no orphan is left unburied' test "$(docker exec "$name-lab" bash -c 'grep -l "^State:.Z" /proc/[0-9]*/status | wc -l')" = 0
started=$SECONDS
docker stop "$name-lab" >/dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$name-lab")
check "docker stop: exit code $code after $((SECONDS - started)) s" test "$code" != 137
start_lab
check 'another token at the next start' test "${address##*=}" != "${first##*=}"
start_lab --env JUPYTER_TOKEN=mine --user 4321:4321
check 'JUPYTER_TOKEN, and a user that the image does not know' test "$(status "http://127.0.0.1:$port/api/contents?token=mine")" = 200

((failures == 0)) || { echo "$failures failures"; exit 1; }
