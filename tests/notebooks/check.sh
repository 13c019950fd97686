#!/usr/bin/env bash
# The notebooks of the repository, read but not run: check.sh REPOSITORY
set -euo pipefail
cd -- "${1:?usage: check.sh REPOSITORY}"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  { echo 'SKIPPED: the notebooks were not read: there is no Python >= 3.11 here (Debian: python3)'; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
python3 tests/notebooks/check_notebooks_test.py --quiet
python3 tests/notebooks/check_notebooks.py notebooks
