"""The demo page in a real browser, from a file: demo_test.py PAGE PROGRAMS MNIST [--digits N] [--pictures FOLDER]

The same looks as page_test.py at the page that answers by itself, and its probabilities against those of mnist_predict.
"""
import argparse
import base64
import gzip
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import page_test
from browser import Browser
from page_test import check, draw_by_keyboard, draw_digits, draw_on_phone, look_at_desk
from strokes import test_images

SHOWN = 0.0011  # probabilities stand there in tenths of a percent, and never as 100 %


def network_of(path):
    """The model file in the page."""
    demo = json.loads(re.search(r"\nconst UNCIAL_DEMO = (\{.*\});\n", path.read_text())[1])
    return gzip.decompress(base64.b64decode(demo["network"]))


def ask_program(programs, network, indices):
    """Probabilities of test images, by mnist_predict."""
    with tempfile.TemporaryDirectory() as folder:
        model, results = Path(folder) / "network.safetensors", Path(folder) / "results.json"
        model.write_bytes(network)
        flags = [flag for i in indices for flag in ("--index", str(i))]
        subprocess.run([programs / "mnist_predict", "--model", model, "--out", folder, "--json", results, "--quiet", *flags],
                       check=True, stdout=subprocess.DEVNULL)
        return [prediction["probabilities"] for prediction in json.loads(results.read_text())["predictions"]]


def compare_with_program(browser, url, path, programs, images):
    """The examples are the first test image of each digit."""
    labels = [label for label, _ in images]
    expected = ask_program(programs, network_of(path), [labels.index(digit) for digit in range(10)])
    page = browser.open(url)
    largest = 0
    for digit in range(10):
        page.page.locator("#examples button").nth(digit).click()
        largest = max(largest, *(abs(a - b) for a, b in zip(page.probabilities(), expected[digit])))
    print(f"probabilities of 10 test images, as shown, differ from mnist_predict's by {largest:.5f} at most")
    check("the program's probabilities", largest <= SHOWN, largest)
    page.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("programs", type=Path)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--digits", type=int, default=10)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    pictures = options.pictures / "demo" if options.pictures else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    images, url = test_images(options.mnist), options.page.resolve().as_uri()
    with Browser() as browser:
        compare_with_program(browser, url, options.page, options.programs, images)
        draw_digits(browser, url, images, options.digits)
        look_at_desk(browser, url, images, pictures)
        draw_by_keyboard(browser, url)
        draw_on_phone(browser, url, images, pictures)
    print(f"{page_test.done - len(page_test.faults)} of {page_test.done} checks of the demo passed")
    sys.exit(bool(page_test.faults))


if __name__ == "__main__":
    main()
