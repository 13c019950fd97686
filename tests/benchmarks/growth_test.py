"""growth.py: a page with a table, a picture and raw data of one axis."""
import json
import os
import subprocess
import sys
import tempfile

GROWTH, BIN = sys.argv[1:3]
faults = []

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.executable, GROWTH, BIN, out, "--axes", "channels", "--rounds", "1", "--seconds", "0.001",
                    "--patience", "0", "--commit", "abc"], check=True)
    with open(f"{out}/growth.md", encoding="utf-8") as f:
        page = f.read()
    for part in ("![Time against channels](growth_channels.png)", "\n| 96 | ", "commit abc: `benchmarks/growth.py"):
        if part not in page:
            faults.append(f"'{part}' is not in the page:\n{page}")
    with open(f"{out}/growth.json", encoding="utf-8") as f:
        points = {(p["value"], p["task"]): p for p in json.load(f)["points"]}
    if not all(points[c, task]["microseconds"][0] > 0 for c in (2, 96) for task in ("train", "infer")):
        faults.append(f"a time is not above 0: {points}")
    # A place for each value grows with the number of channels whatever the plan does.
    small, large = points[4, "train"]["unplanned_kib"][0], points[96, "train"]["unplanned_kib"][0]
    if not 20 * small < large < 30 * small:
        faults.append(f"96 channels take {large} KiB without sharing, 4 take {small}")
    if not os.path.getsize(f"{out}/growth_channels.png") > 1000:
        faults.append("the picture is empty")
refused = subprocess.run([sys.executable, GROWTH, BIN, "x", "--axes", "colour", "--commit", "abc"], stderr=subprocess.PIPE,
                         text=True)
if refused.returncode != 2 or "colour" not in refused.stderr:
    faults.append(f"an unknown axis: exit code {refused.returncode}, {refused.stderr}")
sys.exit("\n".join(faults) or 0)
