#!/usr/bin/env python3
"""Is every figure there as PNG and as SVG, and do the two look alike?

    tests/cli/drawings.py FOLDER [--browser PROGRAM]

Reads each NAME.svg of FOLDER as XML and compares its size with NAME.png. With a browser (Chromium or Chrome) it
draws both at the PNG's size and compares them: pixel by pixel on the average of the whole picture, and by the mean
colour of small tiles. Edges differ a little (the browser smooths them in its own way), which a tile's mean hardly
notices; it does notice a letter that is missing or elsewhere.
"""

import argparse
import base64
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
MOST_APART = 1.5  # mean difference of channels, of 255
MOST_IN_TILE = 45  # difference of the means of the worst tile
TILE = 16  # pixels

PAGE = """<!doctype html><meta charset="utf-8"><pre id="out"></pre><script>
const figures = %s;
function load(uri) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => failed(new Error("cannot be drawn"));
    image.src = uri;
  });
}
async function pixels(uri, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d");
  context.drawImage(await load(uri), 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}
async function compare({name, png, svg, width, height}) {
  const a = await pixels(png, width, height), b = await pixels(svg, width, height);
  let sum = 0, worst = 0;
  for (let i = 0; i < a.length; ++i) sum += Math.abs(a[i] - b[i]);  // alpha is 255 in both
  const tile = %d;
  for (let y = 0; y + tile <= height; y += tile)
    for (let x = 0; x + tile <= width; x += tile)
      for (let c = 0; c < 3; ++c) {
        let difference = 0;
        for (let j = y; j < y + tile; ++j)
          for (let i = x; i < x + tile; ++i) difference += a[4 * (j * width + i) + c] - b[4 * (j * width + i) + c];
        worst = Math.max(worst, Math.abs(difference) / tile ** 2);
      }
  return {name, apart: sum / (a.length / 4 * 3), worst};
}
(async () => {
  const results = [];
  for (const figure of figures) {
    try { results.push(await compare(figure)); }
    catch (error) { results.push({name: figure.name, error: String(error)}); }
  }
  document.getElementById("out").textContent = "RESULTS" + JSON.stringify(results) + "END";
})();
</script>
"""


def png_size(path):
    head = path.read_bytes()[:24]
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("is no PNG")
    return struct.unpack(">II", head[16:24])


def faults_of(svg, png):
    """What is wrong with the SVG file, beside the PNG of the same figure."""
    if not png.exists():
        return [f"{png.name} is missing"]
    text = svg.read_text(encoding="utf-8")
    faults = []
    if not text.startswith("<!-- uncial "):
        faults.append("has no mark")
    root = ET.fromstring(text)
    size = int(root.get("width")), int(root.get("height"))
    if root.tag != SVG + "svg" or root.get("viewBox") != f"0 0 {size[0]} {size[1]}":
        faults.append("the root element is not as expected")
    if png_size(png) != (2 * size[0], 2 * size[1]):
        faults.append(f"is {size}, the PNG {png_size(png)}")
    texts = [e.text for e in root.iter(SVG + "text")]
    if not texts or not all(texts):
        faults.append("has no text, or an empty one")
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href") and not value.startswith("data:image/png;base64,"):
                faults.append(f"asks for {value[:60]}")
            if name in ("id", "class") or name.startswith("on"):
                faults.append(f"has the attribute {name}")
    return faults


def compare_in(browser, drawings):
    def uri(path, kind):
        return f"data:image/{kind};base64," + base64.b64encode(path.read_bytes()).decode()

    figures = []
    for svg in drawings:
        png = svg.with_suffix(".png")
        width, height = png_size(png)
        figures.append({"name": svg.stem, "width": width, "height": height, "png": uri(png, "png"), "svg": uri(svg, "svg+xml")})
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "compare.html"
        page.write_text(PAGE % (json.dumps(figures), TILE), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                   "--virtual-time-budget=600000", "--dump-dom", page.as_uri()]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    start, end = done.stdout.rfind("RESULTS["), done.stdout.rfind("]END")
    if start < 0 or end < 0:
        raise RuntimeError(f"the browser gave no result: {done.stderr[-500:]}")
    return json.loads(done.stdout[start + len("RESULTS"):end + 1])


def main():
    parser = argparse.ArgumentParser(description="Checks figures that are there as PNG and as SVG.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--browser", help="Chromium or Chrome, to compare how they look")
    args = parser.parse_args()
    drawings = sorted(args.folder.glob("*.svg"))
    bad = 0
    for svg in drawings:
        for fault in faults_of(svg, svg.with_suffix(".png")):
            print(f"{svg.name}: {fault}")
            bad += 1
    if args.browser and not bad:
        for result in compare_in(args.browser, drawings):
            wrong = "error" in result or result["apart"] > MOST_APART or result["worst"] > MOST_IN_TILE
            bad += wrong
            if "error" in result:
                print(f"{result['name']}: {result['error']}")
            else:
                print(f"{result['name']}: {result['apart']:.2f} of 255 apart, {result['worst']:.1f} in the worst tile"
                      f"{': TOO MUCH' if wrong else ''}")
    print(f"{len(drawings)} figures, {bad} faults")
    sys.exit(1 if bad or not drawings else 0)


if __name__ == "__main__":
    main()
