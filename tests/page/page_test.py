"""The page in a real browser: page_test.py PROGRAMS MNIST MODEL [--digits N] [--training] [--pictures FOLDER]

PROGRAMS is the folder of mnist_draw and mnist_train, MNIST that of the data, MODEL a trained network. --training also looks at
a training as it goes. run.sh brings what this needs and calls it.
"""
import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import PHONE, Browser
from strokes import strokes_of, test_images

RIGHT = 0.9  # of the digits drawn
faults = []
done = 0


def check(what, ok, got=""):
    global done
    done += 1
    if not ok:
        faults.append(what)
        print(f"FAILED: {what}: got {got}")


class Program:
    """A program with a page, from with to its end; `url` is where the page is."""

    def __init__(self, *command):
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        line = self.process.stdout.readline()
        if not line.startswith("page: "):
            raise SystemExit(f"{command[0]}: no page: {line!r}")
        self.url = line[len("page: "):].strip()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()


def draw_digits(browser, url, images, count):
    """Test images in their order, drawn by mouse; none is chosen."""
    page = browser.open(url)
    wrong = []
    for i, (label, pixels) in enumerate(images[:count]):
        page.clear()
        page.draw(strokes_of(pixels))
        if page.answer() != str(label):
            wrong.append(f"{i} ({label} read as {page.answer()})")
    print(f"{count - len(wrong)} of {count} drawn test images are read right; wrong: {', '.join(wrong) or 'none'}")
    check(f"at least {RIGHT:.0%} of drawn digits", len(wrong) <= (1 - RIGHT) * count, len(wrong))
    times = sorted(page.stroke_times())
    place = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    print(f"a change of the drawing until its answer stands there: median {place(0.5):.0f} ms, 95 % within "
          f"{place(0.95):.0f} ms, slowest of {len(times)} {times[-1]:.0f} ms")
    check("probabilities sum to 1", abs(sum(page.probabilities()) - 1) < 0.01, page.probabilities())
    maps = page.page.locator("#layers canvas").count()
    check("feature maps of every layer", maps >= 4, maps)
    check("no complaint of the browser", not page.complaints, page.complaints)
    page.close()


def look_at_desk(browser, url, images, pictures):
    """Buttons and examples; light and dark."""
    for scheme in ("light", "dark"):
        page = browser.open(url, color_scheme=scheme)
        page.settle()
        check(f"{scheme}: an example is shown at the start", page.page.inner_text("#digit").isdigit(), page.answer())
        page.page.locator("#examples button").nth(4).click()
        check(f"{scheme}: an example is read", page.answer() == "4", page.answer())
        label, pixels = images[0]
        page.draw(strokes_of(pixels))
        check(f"{scheme}: drawing replaces it", page.answer() == str(label), page.answer())
        page.page.wait_for_timeout(300)  # bars are on their way
        check_bars(page, scheme)
        if pictures:
            page.page.screenshot(path=pictures / f"draw_{scheme}.png", full_page=True)
        ground = page.page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        check(f"{scheme}: ground", (sum(ground) < 200) == (scheme == "dark"), ground)
        check_contrast(page, scheme)
        page.page.click("#clear")
        check(f"{scheme}: cleared", page.page.inner_text("#digit") == "?" and page.page.is_visible("#invitation"))
        check(f"{scheme}: no complaint", not page.complaints, page.complaints)
        page.close()


def check_bars(page, scheme):
    """A bar is as long as its probability says."""
    shares = page.page.evaluate("""() => [...document.querySelectorAll('#bars .track')]
        .map(t => t.firstElementChild.getBoundingClientRect().width / t.getBoundingClientRect().width)""")
    worst = max(abs(a - b) for a, b in zip(shares, page.probabilities()))
    check(f"{scheme}: lengths of the bars", len(shares) == 10 and worst < 0.01, shares)


def check_contrast(page, scheme):
    """Text against what it stands on: 4.5 to 1. Source: WCAG 2.2, 1.4.3."""
    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    value = lambda name: page.page.evaluate(f"() => getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
    for text, ground in (("text", "card"), ("soft", "card"), ("soft", "back"), ("soft", "ground"), ("wrong", "card"), ("ink", "paper"),
                         ("training", "card"), ("validation", "card"), ("text", "accent-soft")):
        a, b = sorted((luminance(value(text)), luminance(value(ground))), reverse=True)
        ratio = (a + 0.05) / (b + 0.05)
        check(f"{scheme}: contrast of {text} on {ground}", ratio >= 4.5, f"{ratio:.2f}")


def draw_by_keyboard(browser, url):
    page = browser.open(url, reduced_motion="reduce")
    keys = page.page.keyboard
    keys.press("Tab")
    check("the first stop skips to the drawing area", page.page.evaluate("() => document.activeElement.className") == "skip")
    keys.press("Enter")
    keys.press("Tab")
    check("then comes the area", page.page.evaluate("() => document.activeElement.id") == "area",
          page.page.evaluate("() => document.activeElement.id"))
    outline = page.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    check("focus is seen", outline == "solid", outline)

    def press(key, times):
        for _ in range(times):
            keys.press(key)

    def one():
        press("ArrowUp", 16)
        keys.press("Space")
        press("ArrowDown", 32)
        keys.press("Space")
    one()
    check("a 1 by keyboard", page.answer() == "1", page.answer())
    check("the pen says what it does", "up" in page.page.inner_text("#pen").lower(), page.page.inner_text("#pen"))
    page.page.wait_for_function("() => document.querySelector('#spoken').textContent.includes('reads 1')")
    press("ArrowUp", 32)
    press("ArrowLeft", 18)
    keys.press("Space")
    press("ArrowRight", 18)
    keys.press("Space")
    check("with a bar a 7", page.answer() == "7", page.answer())
    keys.press("u")
    check("taken back", page.answer() == "1", page.answer())
    keys.press("Control+z")
    check("all taken back", page.page.inner_text("#digit") == "?")
    motion = page.page.evaluate("() => getComputedStyle(document.querySelector('.bar')).transitionDuration")
    check("nothing moves by itself", motion in ("0s", "1e-05s"), motion)
    check("no complaint by keyboard", not page.complaints, page.complaints)
    page.close()


def draw_on_phone(browser, url, images, pictures):
    page = browser.open(url, **PHONE)
    label, pixels = images[0]
    page.touch(strokes_of(pixels))
    check("a digit by finger", page.answer() == str(label), page.answer())
    width = page.page.evaluate("() => document.documentElement.scrollWidth")
    check("no scrolling sideways", width <= 375, width)
    small = page.page.evaluate("""() => [...document.querySelectorAll('button')].filter(b => b.offsetParent)
        .filter(b => b.getBoundingClientRect().height < 36).length""")
    check("buttons are large enough for a finger", small == 0, small)
    if pictures:
        page.page.wait_for_timeout(300)
        page.page.screenshot(path=pictures / "draw_phone.png", full_page=True)
    check("no complaint on a phone", not page.complaints, page.complaints)
    page.close()


def watch_training(browser, programs, images, pictures, arguments):
    with tempfile.TemporaryDirectory() as folder, \
            Program(programs / "mnist_train", "--out", folder, "--serve", "127.0.0.1:0", *arguments) as program:
        page = browser.open(program.url)
        text = page.page.inner_text
        page.page.wait_for_function("() => document.querySelector('#status').textContent === 'training'", timeout=120_000)
        page.page.wait_for_function("() => document.querySelectorAll('#loss-chart path').length >= 2", timeout=600_000)
        page.page.wait_for_selector("#samples .sample", timeout=600_000)
        check("validation images while it trains", "validation images" in text("#errors-note"), text("#errors-note"))
        weights = page.stroke_times()
        page.draw(strokes_of(images[0][1]))
        page.settle()
        check("answers while it trains", len(page.stroke_times()) > len(weights))
        if pictures:
            page.page.screenshot(path=pictures / "training_under_way.png", full_page=True)
        late = browser.open(program.url, **PHONE)  # who comes later sees all that was before
        late.page.wait_for_function("() => document.querySelectorAll('#loss-chart path').length >= 2", timeout=600_000)
        width = late.page.evaluate("() => document.documentElement.scrollWidth")
        check("training on a phone: no scrolling sideways", width <= 375, width)
        if pictures:
            late.page.screenshot(path=pictures / "training_phone.png", full_page=True)
        page.page.wait_for_function("() => document.querySelector('#status').textContent.startsWith('trained')", timeout=1_800_000)
        check("the result", "% on the test set" in text("#status"), text("#status"))
        page.page.wait_for_function("() => document.querySelector('#errors-note').textContent.includes('test images')")
        total = page.page.evaluate("""() => [...document.querySelectorAll('#confusion td')].map(td => Number(td.textContent) || 0)
            .reduce((a, b) => a + b)""")
        check("the confusion matrix counts all test images", total == 10_000, total)
        check("augmentation is shown", page.page.locator("#augmented canvas").count() == 50, page.page.locator("#augmented canvas").count())
        late.page.wait_for_function("() => document.querySelector('#status').textContent.startsWith('trained')")
        check("no complaint while training", not page.complaints + late.complaints, page.complaints + late.complaints)
        if pictures:
            page.page.screenshot(path=pictures / "training_done.png", full_page=True)
        code = program.stop()
        check("Ctrl-C after the training is no error", code == 0, code)
        page.page.wait_for_function("() => document.querySelector('#status').textContent.includes('has gone')")
        late.close()
        page.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=Path)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--digits", type=int, default=10)
    parser.add_argument("--training", action="store_true")
    parser.add_argument("--train-flags", default="--recipe fast --epochs 6 --train-samples 20000")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    images = test_images(options.mnist)
    with Browser() as browser:
        with Program(options.programs / "mnist_draw", "--model", str(options.model), "--serve", "127.0.0.1:0") as program:
            draw_digits(browser, program.url, images, options.digits)
            look_at_desk(browser, program.url, images, options.pictures)
            draw_by_keyboard(browser, program.url)
            draw_on_phone(browser, program.url, images, options.pictures)
        if options.training:
            watch_training(browser, options.programs, images, options.pictures, options.train_flags.split())
    print(f"{done - len(faults)} of {done} checks passed")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
