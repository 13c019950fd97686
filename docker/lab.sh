#!/usr/bin/env bash
# Starts JupyterLab and says where it is: lab.sh ADDRESS PORT SHOWN_PORT FOLDER [option of JupyterLab...]
#
# It listens on ADDRESS:PORT; whoever sits at the machine reaches that at 127.0.0.1:SHOWN_PORT, the port that a
# container's is published on. The token is JUPYTER_TOKEN's, or a new one at each start.
set -euo pipefail
address=${1:?usage: lab.sh ADDRESS PORT SHOWN_PORT FOLDER [option...]} port=$2 shown_port=$3 folder=$4
shift 4

JUPYTER_TOKEN=${JUPYTER_TOKEN:-$(od -A n -N 24 -t x1 /dev/urandom | tr -d ' \n')}
export JUPYTER_TOKEN  # in the environment, not in the list of arguments, which anybody may read
case $JUPYTER_TOKEN in
  *[!A-Za-z0-9._~-]*)
    printf 'error: lab: JUPYTER_TOKEN: got characters that an address has to spell differently, expected letters, digits and . _ ~ - only. Leave it empty for a random one.\n' >&2
    exit 2
    ;;
esac

page=lab
first=notebooks/cnn_mnist_from_scratch.ipynb
if [[ -e $folder/$first ]]; then page=lab/tree/$first; fi
start_folder=$folder
if [[ -d $folder/notebooks ]]; then start_folder=$folder/notebooks; fi

# Jupyter refuses root unless told otherwise, and on many a bare machine root is the only user.
if ((EUID == 0)); then set -- --allow-root "$@"; fi

is_answered() { (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

say_where() {
  while ! is_answered; do
    kill -0 $$ 2>/dev/null || return 0  # JupyterLab, which has this script's number, has ended
    sleep 0.2
  done
  printf '\nJupyterLab is ready. Open this in a browser on this machine:\n\n    http://127.0.0.1:%s/%s?token=%s\n\n' \
    "$shown_port" "$page" "$JUPYTER_TOKEN"
}
# Twice in the background, so that it is no child of JupyterLab, which would not wait for it.
(say_where &)

# Jupyter's own addresses would name ports and hosts of a container, so it writes warnings only. Requests that name
# another host than this machine are refused: no page elsewhere can reach it by a name of its own (DNS rebinding).
exec jupyter lab --no-browser "--ServerApp.ip=$address" "--ServerApp.port=$port" --ServerApp.port_retries=0 \
  "--ServerApp.root_dir=$folder" "--FileContentsManager.preferred_dir=$start_folder" --ServerApp.allow_remote_access=False \
  --Application.log_level=WARN "$@"
