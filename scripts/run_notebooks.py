#!/usr/bin/env python3
"""Runs the notebooks with `jupyter execute`, in a copy in build/notebooks: the files in notebooks/ stay as they are, unless
--update is given.

Needs what notebooks/requirements.txt lists and the module uncial, in the Python that runs this script.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "notebooks"))
sys.dont_write_bytecode = True
import check_notebooks  # noqa: E402  (found by the line above)


def execute(path, fast):
    """Runs one notebook in place; gives what `jupyter execute` said of the failure, or nothing."""
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    environment["PATH"] = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.pop("UNCIAL_NOTEBOOK_FAST", None)
    if fast:
        environment["UNCIAL_NOTEBOOK_FAST"] = "1"
    command = ["jupyter", "execute", "--inplace", path.name]
    result = subprocess.run(command, cwd=path.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode == 0:
        return ""
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    return text[max(text.rfind("An error occurred while executing"), 0):].strip() or f"exit code {result.returncode}"


def clean(path):
    """Removes what belongs to the run and not to the notebook: times, versions, metadata of cells."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                            "language_info": {"name": "python"}}
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks, without .ipynb; default: all")
    parser.add_argument("--full", action="store_true", help="all images and epochs (minutes); default: a short run of the same cells")
    parser.add_argument("--update", action="store_true", help="run in full and put the outputs into notebooks/")
    return parser, parser.parse_args()


def main():
    parser, options = parse()
    source = ROOT / "notebooks"
    known = sorted(path.stem for path in source.glob("*.ipynb"))
    for name in options.names:
        if name not in known:
            parser.error(f"no notebook {name}; there are {', '.join(known)}")
    copy = ROOT / "build" / "notebooks" / "notebooks"  # models are written beside it, not into the repository
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))

    failed = 0
    for name in options.names or known:
        started = time.monotonic()
        path = copy / f"{name}.ipynb"
        trouble = execute(path, fast=not (options.full or options.update))
        faults = [] if trouble else list(check_notebooks.faults(path, executed_only=True))
        good = not trouble and not faults
        print(f"{'PASS' if good else 'FAIL'} {name} ({time.monotonic() - started:.0f} s)", flush=True)
        for line in trouble.splitlines() + faults:
            print(f"    {line}")
        failed += not good
        if good and options.update:
            clean(path)
            shutil.copyfile(path, source / path.name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
