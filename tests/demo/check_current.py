"""The committed demo holds the page's sources as they are now: check_current.py PAGE SOURCES

docs/demo/index.html is made of src/cli/page by scripts/build_demo.sh; a change there that is not in it is found here.
"""
import pathlib
import sys

page = set(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
sources = pathlib.Path(sys.argv[2])
files = [f for f in sorted((*sources.glob("*.js"), *sources.glob("*.css"))) if f.name != "backend_server.js"]
faults = []
for file in files:
    lines = file.read_text(encoding="utf-8").splitlines()
    # Imports and the word export are left out when the modules become one script.
    missing = [line for line in lines if not line.startswith("import ") and not {line, line.removeprefix("export ")} & page]
    if missing:
        faults.append(f"{sys.argv[1]} lacks {len(missing)} lines of {file.name}, as {missing[0]!r}. Make it anew: scripts/build_demo.sh")
if len(files) < 5:
    faults.append(f"only {len(files)} sources were found in {sources}")
sys.exit("\n".join(faults) or 0)
