#!/usr/bin/env bash
# The scripts inside the image, outside of it: tests/docker/scripts_test.sh REPOSITORY
repository=${1:?usage: tests/docker/scripts_test.sh REPOSITORY}
source "${BASH_SOURCE[0]%/*}/support.sh"
PATH=$stubs:$PATH
docker=$repository/docker
export TMPDIR=$work

# ---- entrypoint.sh: who runs what
stub run_pipeline.sh <<<'echo "pipeline: $*"'
# shellcheck disable=SC2016  # a command's own variable
stub show_home <<<'touch "$HOME/file" && echo "$HOME"'
expect 0 '' "$docker/entrypoint.sh"
says out 'pipeline: '
expect 0 '' "$docker/entrypoint.sh" pipeline --fast
says out 'pipeline: --fast'
expect 0 '' "$docker/entrypoint.sh" --compare --seed 3
says out 'pipeline: --compare --seed 3'
expect 0 '' "$docker/entrypoint.sh" echo 'one  word' --option
says out 'one  word --option'
refused 2 "there is no command 'nonsense' here" "$docker/entrypoint.sh" nonsense
refused 2 'no JupyterLab in this image' "$docker/entrypoint.sh" lab
expect 0 '' env HOME=/nonexistent "$docker/entrypoint.sh" show_home
says out "$work/home."
expect 0 '' env HOME="$work" "$docker/entrypoint.sh" show_home
grep -qxF "$work" out || fail 'a home that can be written is not kept'
stub uncial-lab <<<'echo "lab: $*"'
stub uncial-update-notebooks <<<'echo "update: $*"'
expect 0 'warning: entrypoint: /workspace/models cannot be written' env UNCIAL_PORT=8890 "$docker/entrypoint.sh" lab --debug
says out 'lab: 0.0.0.0 8888 8890 /workspace --debug'
says out 'update: /opt/uncial/share/uncial/notebooks /workspace/notebooks'
says uncial-lab 8888

# ---- healthcheck.sh: asks where the marker says, and nothing without one
rm uncial-lab
expect 0 '' "$docker/healthcheck.sh"
listen 0 || fail 'no server of the test'
echo "$port" >uncial-lab
expect 0 '' "$docker/healthcheck.sh"
end_listener
! "$docker/healthcheck.sh" 2>/dev/null || fail 'healthcheck.sh: nobody answers, and it is content'
rm uncial-lab

# ---- lab.sh: the address, once it answers, and the token
mkdir -p folder/notebooks
listen 0 && end_listener  # a port that is free
stub jupyter <<STUB
printf '%s\n' "\$@" >$work/arguments
echo "\$JUPYTER_TOKEN" >$work/token
exec python3 -m http.server --bind 127.0.0.1 $port 2>/dev/null
STUB
lab() {  # runs lab.sh until it says where it is, in the file said
  rm -f said
  "$docker/lab.sh" 127.0.0.1 "$port" 8899 "$work/folder" "$@" >said 2>&1 &
  listener=$!
  until grep -qs token= said; do
    kill -0 "$listener" 2>/dev/null || { fail "lab.sh ended: $(cat said)" && return; }
    sleep 0.05
  done
  end_listener
}
unset JUPYTER_TOKEN
lab --debug
first=$(<token)
[[ $first =~ ^[0-9a-f]{48}$ ]] || fail "no random token, but '$first'"
says said "http://127.0.0.1:8899/lab?token=$first"
says arguments --debug
says arguments "--ServerApp.port=$port"
says arguments '--ServerApp.allow_remote_access=False'
if ((EUID == 0)); then says arguments --allow-root; else says_not arguments --allow-root; fi
says_not arguments "$first"  # other users see arguments
touch folder/notebooks/cnn_mnist_from_scratch.ipynb
JUPYTER_TOKEN='' lab
[[ $(<token) != "$first" && $(<token) =~ ^[0-9a-f]{48}$ ]] || fail 'an empty JUPYTER_TOKEN gives no new token'
says said "http://127.0.0.1:8899/lab/tree/notebooks/cnn_mnist_from_scratch.ipynb?token=$(<token)"
JUPYTER_TOKEN=mine-1.0_~ lab
says said '?token=mine-1.0_~'
[[ $(<token) == mine-1.0_~ ]] || fail "JUPYTER_TOKEN became '$(<token)'"
stub jupyter <<<'exit 0'
refused 2 'error: lab: JUPYTER_TOKEN' env 'JUPYTER_TOKEN=two words' "$docker/lab.sh" 127.0.0.1 "$port" 8899 "$work/folder"
says_not err 'two words'

# ---- update_notebooks.sh
ship() {  # folder: writes its list
  (cd "$1" && find . -type f ! -name .shipped | sort | xargs sha256sum >../list && mv ../list .shipped)
}
mkdir -p old/deep new/deep
for file in same changed_by_us changed_by_user deep/changed_by_us removed_by_user; do echo "old $file" >"old/$file"; done
ship old
cp -a old/. volume
rm volume/removed_by_user
echo mine >volume/changed_by_user
echo mine >volume/of_the_user
cp old/same new/same
for file in changed_by_us changed_by_user deep/changed_by_us removed_by_user added; do echo "new $file" >"new/$file"; done
ship new
expect 0 '' "$docker/update_notebooks.sh" new volume
for file in changed_by_us deep/changed_by_us removed_by_user added; do
  [[ $(<"volume/$file") == "new $file" ]] || fail "update_notebooks.sh: $file is '$(<"volume/$file")'"
done
[[ $(<volume/same) == 'old same' && $(<volume/of_the_user) == mine ]] || fail 'update_notebooks.sh: changed other files'
[[ $(<volume/changed_by_user) == mine ]] || fail "update_notebooks.sh: the user's changes are lost"
says out 'note: changed_by_user has a newer version'
[[ $(wc -l <out) == 1 ]] || fail "update_notebooks.sh: $(wc -l <out) lines, expected 1"
rm volume/same
expect 0 '' "$docker/update_notebooks.sh" new volume
[[ ! -s out && ! -e volume/same ]] || fail 'update_notebooks.sh: not quiet when nothing is new'
mkdir clone empty
echo theirs >clone/same
expect 0 '' "$docker/update_notebooks.sh" new clone
[[ $(ls -A clone) == same && $(<clone/same) == theirs ]] || fail 'update_notebooks.sh: touched a folder of its own'
expect 0 '' "$docker/update_notebooks.sh" new empty
[[ $(<empty/added) == 'new added' && -f empty/.shipped ]] || fail 'update_notebooks.sh: did not fill an empty folder'

# ---- runtime_packages.sh
mkdir -p tree/lib
cp "$(command -v bash)" tree/program
touch tree/lib/libown.so.1
stub ldd <<STUB
echo "tree/program:"
echo "	linux-vdso.so.1 (0x0)"
echo "	libown.so.1 => $work/tree/lib/libown.so.1 (0x0)"
echo "	libcuda.so.1 => not found"
/usr/bin/ldd $work/tree/program
[[ -z \${ABSENT:-} ]] || echo "	\$ABSENT => not found"
exit 1  # what it says of scripts
STUB
if command -v dpkg-query >/dev/null; then
  expect 0 '' "$docker/runtime_packages.sh" tree
  grep -qx 'libc6' out || fail "runtime_packages.sh: no libc6 in $(tr '\n' ' ' <out)"
  says_not out '/'
  refused 1 'libraries are not found: libfmt.so.9' env ABSENT=libfmt.so.9 "$docker/runtime_packages.sh" tree
else
  echo 'SKIPPED: runtime_packages.sh: no dpkg here'
fi

finish
