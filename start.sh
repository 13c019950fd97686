#!/usr/bin/env bash
# Starts uncial for learning and looking: JupyterLab with the notebooks, in Docker or without it.
#
#   ./start.sh [options]
#   ./start.sh [options] --pipeline [options of run_pipeline.sh]
#
#   --pipeline  trains a network and draws the pictures instead; all that follows goes to run_pipeline.sh
#               (--fast, --compare, ...)
#   --local     without Docker: installs what is missing, builds here, runs in a virtual environment (.venv)
#   --gpu       in Docker, with NVIDIA GPUs: an image made from CUDA's, some 6 GB to download
#   --port N    JupyterLab's port on this machine    (default: 8888, or the next one that is free)
#   --help      this text
#
# The first start makes the image, which compiles the library: minutes. Data, models, figures and notebooks are in
# the folders of this clone where a container can write them, else in Docker's volumes. Ctrl-C stops and saves.
# Exit codes: 2 usage, 4 no engine, no port or no network, 5 no GPU, or those of what runs.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$root"

say() { printf '%s\n' "== $*"; }
fail() {  # text exit-code
  printf 'error: start: %s\n' "$1" >&2
  exit "$2"
}

# ---- Options ----------------------------------------------------------------------------------------------

what=lab where=docker gpu=false port='' pipeline=()
while (($#)); do
  case $1 in
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
  esac
  case $1 in
    --pipeline)
      what=pipeline pipeline=("${@:2}")
      break
      ;;
    --local) where=local ;;
    --gpu) gpu=true ;;
    --port)
      (($# >= 2)) || fail '--port needs a value. See ./start.sh --help.' 2
      [[ $2 =~ ^[1-9][0-9]{3,4}$ && $2 -ge 1024 && $2 -le 65535 ]] ||
        fail "--port: got '$2', expected a number from 1024 to 65535." 2
      port=$2
      shift
      ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    *) fail "unknown option $1. See ./start.sh --help." 2 ;;
  esac
  shift
done
if $gpu && [[ $where == local ]]; then
  fail '--gpu is for the image, and --local uses none. docs/gpu.md says how to build for a GPU here.' 2
fi

# ---- Port and GPU -----------------------------------------------------------------------------------------

is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_port() {  # sets port
  local wanted=${port:-8888} next
  next=$wanted
  while is_taken "$next"; do
    next=$((next + 1))
    ((next <= wanted + 50 && next <= 65535)) || fail "ports $wanted to $((next - 1)) are all taken. Choose one with --port N." 4
  done
  if [[ $next != "$wanted" ]]; then
    [[ -z $port ]] || fail "port $port is taken by another program; $next is free. Run: ./start.sh --port $next" 4
    say "port $wanted is taken by another program, so JupyterLab gets $next"
  fi
  port=$next
}

# Sets gpu_name, or gpu_absent to the reason why there is none to use.
find_gpu() {
  gpu_name='' gpu_absent=''
  local answer
  if ! command -v nvidia-smi >/dev/null; then
    gpu_absent='there is no NVIDIA driver here (no nvidia-smi)'
  elif ! answer=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>&1) || [[ -z $answer ]]; then
    gpu_absent="nvidia-smi sees none (${answer%%$'\n'*})"
  elif [[ $where == docker && $(docker info --format '{{json .Runtimes}}' 2>/dev/null) != *nvidia* ]]; then
    gpu_absent="Docker cannot pass on the ${answer%%$'\n'*}: install the NVIDIA container toolkit, then restart Docker"
  else
    gpu_name=${answer%%$'\n'*}
  fi
}

say_gpu() {
  find_gpu
  if $gpu; then
    [[ -n $gpu_name ]] || fail "--gpu: no GPU can be used: $gpu_absent. Leave --gpu out to compute on the CPU." 5
    say "GPU: $gpu_name"
  elif [[ -z $gpu_name ]]; then
    say "GPU: none is used: $gpu_absent"
  elif [[ $where == docker ]]; then
    say "GPU: $gpu_name is there; this computes on the CPU, ./start.sh --gpu on the GPU"
  else
    say "GPU: $gpu_name is there; this computes on the CPU (docs/gpu.md says how to build for it)"
  fi
}

# ---- With Docker ------------------------------------------------------------------------------------------

check_engine() {  # sets compose, security
  local without_it='or run ./start.sh --local, which needs no Docker'
  command -v docker >/dev/null || fail "Docker is not installed. Install it (Debian: docker.io and docker-compose), $without_it." 4
  local answer
  if ! answer=$(docker version --format '{{.Server.Version}}' 2>&1); then  # info --format exits with 0 before Docker 23
    case $answer in
      *'permission denied'*) fail "$(id -un) may not use Docker. Add the user to its group (sudo usermod -aG docker $(id -un), then log in anew), $without_it." 4 ;;
      *) fail "Docker does not answer: ${answer##*$'\n'} Start it (sudo systemctl start docker, or Docker Desktop), $without_it." 4 ;;
    esac
  fi
  security=$(docker info --format '{{.SecurityOptions}}' 2>/dev/null || true)
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    fail "Docker has no compose. Install docker-compose-plugin or docker-compose (1.29 or newer), $without_it." 4
  fi
  compose+=(-f docker-compose.yml)
  if $gpu; then compose+=(-f docker-compose.gpu.yml); fi
}

# Folders of this clone, written as this user; or Docker's volumes, where that user has another number in the container
# (rootless engines, remapped users) or is root, which nothing in the container should be.
choose_folders() {
  if [[ $security != *rootless* && $security != *userns* ]] && ((EUID != 0)); then
    mkdir -p data models figures notebooks 2>/dev/null || true
    if [[ -w data && -w models && -w figures && -w notebooks ]]; then
      UNCIAL_USER=$(id -u):$(id -g)
      export UNCIAL_USER DATA_VOLUME=./data MODELS_VOLUME=./models FIGURES_VOLUME=./figures NOTEBOOKS_VOLUME=./notebooks
      say 'data, models, figures and notebooks are those of this folder'
      return
    fi
  fi
  say "data, models, figures and notebooks are in Docker's volumes (docs/docker.md says how to copy from them)"
}

refuse_a_second_lab() {
  local running
  running=$(docker ps --quiet --filter "label=com.docker.compose.project.working_dir=$root" --filter label=com.docker.compose.service=lab)
  [[ -z $running ]] ||
    fail "JupyterLab of this folder is running. \"${compose[*]} logs lab\" shows its address, \"${compose[*]} down\" stops it." 4
}

run_in_docker() {
  check_engine
  say_gpu
  choose_folders
  if [[ $what == pipeline ]]; then
    "${compose[@]}" build pipeline || fail 'the image was not built; the lines above say why. docs/docker.md has the common cases.' 4
    if $gpu; then pipeline=(--device cuda "${pipeline[@]+"${pipeline[@]}"}"); fi
    exec "${compose[@]}" run --rm pipeline "${pipeline[@]+"${pipeline[@]}"}"
  fi
  refuse_a_second_lab
  "${compose[@]}" build lab || fail 'the image was not built; the lines above say why. docs/docker.md has the common cases.' 4
  choose_port
  UNCIAL_PORT=$port exec "${compose[@]}" up --no-build lab
}

# ---- Without Docker ---------------------------------------------------------------------------------------

# The Python package and JupyterLab in .venv, made anew where sources are newer.
prepare_environment() {
  local python=.venv/bin/python
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || fail 'Python 3.11 or newer is needed (python3 on the PATH).' 4
  if [[ ! -x $python ]] && ! python3 -m venv .venv; then
    rm -rf .venv
    fail 'the virtual environment .venv was not made; the lines above say why. On Debian it needs python3-venv.' 4
  fi
  local stamp=.venv/uncial_installed
  if [[ -e $stamp && -z $(find CMakeLists.txt cmake include kernels src python pyproject.toml notebooks/requirements.txt -type f -newer "$stamp" -print -quit) ]]; then
    return
  fi
  say 'Python packages (the first time this compiles the library: minutes)'
  $python -m pip install --quiet --disable-pip-version-check -r notebooks/requirements.txt . ||
    fail 'pip could not install; its messages are above. Is there a network?' 4
  mkdir -p .venv/share/jupyter/lab/settings
  cp docker/overrides.json .venv/share/jupyter/lab/settings/
  touch "$stamp"
}

run_here() {
  say_gpu
  if [[ $what == pipeline ]]; then exec ./run_pipeline.sh "${pipeline[@]+"${pipeline[@]}"}"; fi
  scripts/install_dependencies.sh --python
  prepare_environment
  choose_port
  PATH=$root/.venv/bin:$PATH exec docker/lab.sh 127.0.0.1 "$port" "$port" "$root"
}

if [[ $where == local ]]; then run_here; else run_in_docker; fi
