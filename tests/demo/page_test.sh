#!/usr/bin/env bash
# Runs page_test.mjs where there is a Node.js that knows what browsers know: page_test.sh REPOSITORY MNIST_PREDICT [PAGE]
set -euo pipefail
repository=${1:?usage: page_test.sh REPOSITORY MNIST_PREDICT [PAGE]} predict=${2:?usage: page_test.sh REPOSITORY MNIST_PREDICT [PAGE]}
page=${3:-$repository/docs/demo/index.html}

if ! node -e 'process.exit(typeof DecompressionStream === "function" ? 0 : 1)' 2>/dev/null; then
  echo "SKIPPED: demo: there is no Node.js 18 or newer here (Debian: nodejs); the committed page was not run"
  exit 77
fi
exec node "$repository/tests/demo/page_test.mjs" "$page" "$repository/data/mnist" "$predict"
