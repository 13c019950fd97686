#!/usr/bin/env bash
# start.sh with stand-ins for Docker, nvidia-smi and what --local calls: tests/docker/start_test.sh REPOSITORY
repository=${1:?usage: tests/docker/start_test.sh REPOSITORY}
source "${BASH_SOURCE[0]%/*}/support.sh"

clone=$work/clone
mkdir -p "$clone"/{docker,scripts,notebooks,data,models,figures}
cp "$repository"/start.sh "$repository"/docker-compose*.yml "$clone"
touch calls environment
chmod 666 calls environment
chmod 755 "$work"

# Nothing but this is on the PATH: whether this machine has Docker or a GPU makes no difference.
mkdir tools
for tool in bash cat cp dirname env find head id ln mkdir rm sed sort touch grep; do
  ln -s "$(command -v $tool)" tools/$tool
done

stub docker <<STUB
echo "docker \$*" >>$work/calls
env | grep -E '^(UNCIAL_|[A-Z]*_VOLUME)' | sort >$work/environment
case "\$*" in
  version*)
    [[ \${ENGINE:-} != down ]] || { echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1; }
    [[ \${ENGINE:-} != denied ]] || { echo 'dial unix /var/run/docker.sock: connect: permission denied' >&2; exit 1; }
    ;;
  info*)
    [[ \$* != *Runtimes* ]] || { echo "{runc \${RUNTIMES:-}}"; exit; }
    echo "[name=seccomp \${SECURITY:-}]"
    ;;
  'compose version') [[ \${COMPOSE:-} == v2 ]] ;;
  ps*) echo "\${RUNNING:-}" ;;
  *build*) exit "\${BUILD:-0}" ;;
esac
STUB
stub docker-compose <<STUB
echo "docker-compose \$*" >>$work/calls
env | grep -E '^(UNCIAL_|[A-Z]*_VOLUME)' | sort >$work/environment
STUB
printf '#!/bin/bash\n: >%q/calls\nexec env -i HOME=/nonexistent PATH=%q:%q/tools "$@"\n' "$work" "$stubs" "$work" >start
chmod 755 start
run=$clone/start.sh

# ---- Usage
expect 0 '' ./start "$run" --help
says out './start.sh [options] --pipeline'
refused 2 '--bogus' ./start "$run" --bogus
for bad in x 80 65536 -1 ''; do
  refused 2 "--port: got '$bad'" ./start "$run" --port "$bad"
done
refused 2 '--port needs a value' ./start "$run" --port
refused 2 '--gpu is for the image' ./start "$run" --gpu --local

# ---- The engine
mv "$stubs/docker" docker_kept
refused 4 'Docker is not installed' ./start "$run"
says err './start.sh --local'
mv docker_kept "$stubs/docker"
refused 4 'Docker does not answer: Cannot connect' ./start ENGINE=down "$run"
refused 4 'may not use Docker' ./start ENGINE=denied "$run"
mv "$stubs/docker-compose" compose_kept
refused 4 'Docker has no compose' ./start "$run"
expect 0 '' ./start COMPOSE=v2 "$run"
says calls 'docker compose -f docker-compose.yml up --no-build lab'
mv compose_kept "$stubs/docker-compose"
expect 4 'the image was not built' ./start COMPOSE=v2 BUILD=1 "$run"
says_not calls ' up '
expect 4 'JupyterLab of this folder is running' ./start RUNNING=0123abcd "$run"

# ---- Port: a taken one is passed over, one that was asked for is not.
listen 0 || fail 'no server of the test'
free=$port  # when the server has ended
expect 4 "port $port is taken by another program; " ./start "$run" --port "$port"
says_not calls ' up '
end_listener
expect 0 '' ./start "$run" --port "$port"
says environment "UNCIAL_PORT=$port"
says calls 'docker-compose -f docker-compose.yml build lab'
says calls 'docker-compose -f docker-compose.yml up --no-build lab'
listen 8888 || true  # else another program has it, which is as good
expect 0 '' ./start "$run"
says out 'port 8888 is taken by another program, so JupyterLab gets '
chosen=$(sed -n 's/^UNCIAL_PORT=//p' environment)
((chosen > 8888)) || fail "8888 is taken, and the port is '$chosen'"
says out "gets $chosen"
end_listener

# ---- GPU
expect 0 '' ./start "$run" --port "$free"
says out 'GPU: none is used: there is no NVIDIA driver here'
refused_before_build() {
  expect 5 "$1" ./start "${@:2}"
  says_not calls 'build'
}
refused_before_build 'no GPU can be used: there is no NVIDIA driver' "$run" --gpu
# shellcheck disable=SC2016  # the stand-in's own variable
stub nvidia-smi <<<'echo "${GPU:-NVIDIA-SMI has failed}"; [[ -n ${GPU:-} ]]'
refused_before_build 'nvidia-smi sees none (NVIDIA-SMI has failed)' "$run" --gpu
refused_before_build 'install the NVIDIA container toolkit' GPU='NVIDIA H100' "$run" --gpu
expect 0 '' ./start GPU='NVIDIA H100' RUNTIMES=nvidia "$run" --port "$free"
says out 'GPU: NVIDIA H100 is there; this computes on the CPU'
expect 0 '' ./start GPU='NVIDIA H100' RUNTIMES=nvidia "$run" --gpu --port "$free"
says calls 'docker-compose -f docker-compose.yml -f docker-compose.gpu.yml up'
expect 0 '' ./start GPU='NVIDIA H100' RUNTIMES=nvidia "$run" --gpu --pipeline --fast
says calls 'run --rm pipeline --device cuda --fast'
rm "$stubs/nvidia-smi"

# ---- Pipeline: what follows is its own.
expect 0 '' ./start "$run" --pipeline
says calls 'docker-compose -f docker-compose.yml run --rm pipeline'
expect 0 '' ./start "$run" --pipeline --compare --seed 7 --port 1
says calls 'run --rm pipeline --compare --seed 7 --port 1'

# ---- Folders: those of the clone for a user who can write them, volumes for everybody else.
as_user=()
if ((EUID == 0)); then
  expect 0 '' ./start "$run" --pipeline
  says out "are in Docker's volumes"
  says_not environment VOLUME
  chown -R 65534:65534 "$clone"
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  ln -s "$(command -v setpriv)" tools/setpriv
fi
expect 0 '' ./start "${as_user[@]}" "$run" --pipeline
says out 'are those of this folder'
says environment 'MODELS_VOLUME=./models'
says environment "UNCIAL_USER=$("${as_user[@]}" id -u):"
expect 0 '' ./start SECURITY=name=rootless "${as_user[@]}" "$run" --pipeline
says_not environment VOLUME
chmod 555 "$clone/figures"
expect 0 '' ./start "${as_user[@]}" "$run" --pipeline
says_not environment VOLUME
if ((EUID == 0)); then chown -R 0:0 "$clone"; fi
chmod 755 "$clone/figures"

# ---- Without Docker
mkdir -p "$clone"/{cmake,include,kernels,src,python}
touch "$clone"/{CMakeLists.txt,pyproject.toml,notebooks/requirements.txt,docker/overrides.json}
for script in run_pipeline.sh scripts/install_dependencies.sh docker/lab.sh; do
  printf '#!/bin/bash\necho "%s $*" >>%s/calls\n' "$script" "$work" >"$clone/$script"
  chmod 755 "$clone/$script"
done
stub python3 <<STUB
[[ \$1 != -c ]] || exit "\${OLD_PYTHON:-0}"
echo "python3 \$*" >>$work/calls
mkdir -p .venv/bin && ln -sf $stubs/python3 .venv/bin/python
[[ \$* != *venv* ]] || exit "\${VENV:-0}"
[[ \$* != *pip* ]] || exit "\${PIP:-0}"
STUB
expect 0 '' ./start "$run" --local --pipeline --fast
says calls 'run_pipeline.sh --fast'
refused_late() {
  expect 4 "$1" ./start "${@:2}"
  says_not calls 'docker/lab.sh'
}
refused_late 'Python 3.11 or newer' OLD_PYTHON=1 "$run" --local
refused_late 'the virtual environment .venv was not made' VENV=1 "$run" --local
[[ ! -e $clone/.venv ]] || fail 'half an environment is left'
refused_late 'pip could not install' PIP=1 "$run" --local
expect 0 '' ./start "$run" --local --port "$free"
says calls 'scripts/install_dependencies.sh --python'
says calls '-m pip install'
says calls "docker/lab.sh 127.0.0.1 $free $free $clone"
expect 0 '' ./start "$run" --local --port "$free"
says_not calls 'pip'  # nothing is new
sleep 0.01
touch "$clone/src/changed.cpp"
expect 0 '' ./start "$run" --local --port "$free"
says calls '-m pip install'

finish
