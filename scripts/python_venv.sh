#!/usr/bin/env bash
# Makes a virtual environment with what the tests of the Python package need, where there is none yet.
#
#   scripts/python_venv.sh FOLDER
#
# The last line says what is in the way, if something is: no network, or Debian's python3-venv is missing.
set -euo pipefail

folder=${1:?usage: python_venv.sh FOLDER}
if [[ ! -x $folder/bin/python ]]; then
  if ! python3 -m venv "$folder"; then
    rm -rf "$folder"
    echo "no virtual environment could be made; install python3-venv (scripts/install_dependencies.sh --python)"
    exit 1
  fi
fi
packages=(numpy scipy pytest)
"$folder/bin/python" -c 'import numpy, scipy, pytest' 2>/dev/null && exit
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" || {
  echo "pip could not install ${packages[*]}; is the package index reachable?"
  exit 1
}
