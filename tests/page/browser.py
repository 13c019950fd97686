"""The page in a real browser: drawing on it and reading what it says."""
import shutil

from playwright.sync_api import sync_playwright

PHONE = {"viewport": {"width": 375, "height": 740}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}


def chromium():
    """Debian's, or whatever goes by that name; None: there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """with Browser() as browser: browser.open(url, **options)"""

    def __enter__(self):
        self.playwright = sync_playwright().start()
        # Without a sandbox: tests run as root in containers, where Chromium's cannot be set up; it only sees this page.
        self.browser = self.playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        return self

    def __exit__(self, *_):
        self.browser.close()
        self.playwright.stop()

    def open(self, url, **options):
        return DrawingPage(self.browser.new_context(**{**DESK, **options}), url)


class DrawingPage:
    """An open page. `complaints` collects errors on the console and requests to anybody but where it came from."""

    def __init__(self, context, url):
        self.context, self.url, self.complaints, self.requests = context, url, [], 0
        self.page = context.new_page()
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", self.saw_request)
        self.page.goto(url, wait_until="load")
        self.page.wait_for_selector("#bars li", timeout=60_000)

    def saw_request(self, request):
        self.requests += 1
        if not request.url.startswith((self.url, "data:")):
            self.complaints.append(f"request to {request.url}")

    def close(self):
        self.context.close()

    def settle(self):
        """Until all that happened so far is answered and painted."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.wait_for_function("() => document.querySelector('#bars').getAttribute('aria-busy') === 'false'")

    def answer(self):
        self.settle()
        return self.page.inner_text("#digit")

    def probabilities(self):
        self.settle()
        return [float(text.rstrip(" %")) / 100 for text in self.page.locator("#bars .value").all_inner_texts()]

    def clear(self):
        self.page.click("#clear")

    def draw(self, strokes):
        """By mouse: strokes as of strokes_of()."""
        area = self.page.locator("#area")
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        mouse = self.page.mouse
        for stroke in strokes:
            places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            mouse.move(*places[0])
            mouse.down()
            for place in places[1:]:
                mouse.move(*place)
            mouse.up()

    def touch(self, strokes):
        """By finger."""
        area = self.page.locator("#area")
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        session = self.context.new_cdp_session(self.page)
        for stroke in strokes:
            for i, (x, y) in enumerate(stroke):
                point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
                kind = "touchMove" if i else "touchStart"
                session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        session.detach()

    def stroke_times(self):
        """Milliseconds from each change of the drawing until its answer stood on the page."""
        return self.page.evaluate("() => performance.getEntriesByName('stroke to answer').map(e => e.duration)")
