#!/usr/bin/env bash
# What a container of uncial runs: uncial-entrypoint [lab | pipeline | COMMAND] [argument...]
#
#   lab [option...]       JupyterLab; the options are JupyterLab's
#   pipeline [option...]  run_pipeline.sh, whose results go to /workspace; options alone mean this, too
#   COMMAND...            any other command, as it is
set -euo pipefail

fail() {  # text exit-code
  printf 'error: entrypoint: %s\n' "$1" >&2
  exit "$2"
}

# A user that the image does not know (docker run --user) has no home here, and Jupyter and matplotlib need one.
if [[ ! -w ${HOME:-/} ]]; then
  HOME=$(mktemp -d "${TMPDIR:-/tmp}/home.XXXXXX")
  export HOME
fi

warn_of_unwritable_folders() {
  local folder
  for folder in /workspace/{data,models,figures,notebooks}; do
    [[ -w $folder ]] ||
      printf 'warning: entrypoint: %s cannot be written by user %s. Mount a folder of that user, or a volume of Docker.\n' "$folder" "$(id -u)" >&2
  done
}

case ${1:-pipeline} in
  lab)
    command -v uncial-lab >/dev/null || fail 'there is no JupyterLab in this image. Build the stage lab: docker build --target lab .' 2
    warn_of_unwritable_folders
    uncial-update-notebooks /opt/uncial/share/uncial/notebooks /workspace/notebooks
    echo 8888 >"${TMPDIR:-/tmp}/uncial-lab"  # tells the health check where to ask
    exec uncial-lab 0.0.0.0 8888 "${UNCIAL_PORT:-8888}" /workspace "${@:2}"
    ;;
  pipeline) exec run_pipeline.sh "${@:2}" ;;
  -*) exec run_pipeline.sh "$@" ;;
  *)
    command -v -- "$1" >/dev/null || fail "there is no command '$1' here, expected lab, pipeline or a program, as in: mnist_train --help" 2
    exec "$@"
    ;;
esac
