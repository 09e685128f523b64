"""Debian's Chromium, driven by Playwright, with a film of rendered hands for a camera."""

import contextlib
import shutil

from playwright.sync_api import expect, sync_playwright

from asl.infra import page_files

STILL_LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"
S_PER_LETTER = 1.2
"""In films, where nothing else is asked for."""
FRAMES_PER_S = 30
"""At which Chromium plays a film of JPEGs."""
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]  # WebGL without a GPU
_RECORDER = """
(() => {
  const KINDS = {photos: "photograph", letters: "letter", matrix: "cell", files: "file", "sample-strip": "drawn hand",
    suggestions: "suggestion"};
  const PLACES = {".bar": "every", ".code .row": "every", ".actions": "job"};
  const kept = {};
  const read = (name) => JSON.parse(localStorage.getItem(`test-${name}`) ?? "[]");
  for (const name of ["seen", "pressed"]) kept[name] = new Set(read(name));
  const titleOf = (button) => {
    const place = Object.keys(PLACES).find((name) => button.closest(name));
    const screen = place ? PLACES[place] : button.closest("main")?.dataset.screen;
    const kind = Object.keys(KINDS).find((name) => button.closest(`.${name}`));
    const said = (button.getAttribute("aria-label") || button.textContent).trim();
    const general = said.replace(/[0-9]+([.,][0-9]+)?/g, "#").replace(/\\b[A-Z]\\b/g, "?").replace("Copied", "Copy");
    return `${screen}: ${kind ? KINDS[kind] : general}`;
  };
  const note = (name, button) => {
    const title = titleOf(button);
    if (kept[name].has(title)) return;
    kept[name].add(title);
    localStorage.setItem(`test-${name}`, JSON.stringify([...kept[name]]));
  };
  const press = ({target}) => {
    const button = target.closest?.("button, summary");
    if (button) note("pressed", button);
  };
  for (const kind of ["click", "pointerdown", "keydown"]) addEventListener(kind, press, true);
  const look = () => document.querySelectorAll("button:enabled, summary").forEach((button) => note("seen", button));
  setInterval(look, 150);
})();
"""
"""Notes in the browser's own store which buttons there were, and which were pressed: by screen and by what they say."""
PATIENCE_MS = 60_000
"""For whatever the page does by itself; when all is well nobody waits so long."""
expect.set_options(timeout=PATIENCE_MS)
_CAMERA = ["--use-fake-device-for-media-stream"]  # asks for leave, as a real one does


class BrowserMissing(Exception):
    """There is no Chromium."""


def write_film(path, letters, *, seconds=S_PER_LETTER):
    """Write a film in which a hand shows letters one after another; Chromium plays it over and over.

    These are the hands that the page itself shows: what is tested is the road from the camera to the letter. How well
    strange hands are read is measured elsewhere.
    """
    samples = page_files.folder() / page_files.SAMPLES
    with path.open("wb") as film:
        for letter in letters:
            film.write((samples / f"{letter}.jpg").read_bytes() * round(seconds * FRAMES_PER_S))
    return path


@contextlib.contextmanager
def running(film=None):
    """Lend a browser.

    Args:
        film: What its camera sees; without one it has no camera.
    """
    program = shutil.which("chromium")
    if program is None:
        raise BrowserMissing("no chromium: apt-get install chromium")
    camera = [*_CAMERA, f"--use-file-for-fake-video-capture={film}"] if film else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*_OPTIONS, *camera], timeout=3 * PATIENCE_MS
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page that is open, and all that it asked for and complained of."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(_RECORDER)
        self.page = self.context.new_page()
        self.requests, self.complaints, self.sizes = [], [], {}
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._on_console)
        self.page.on("requestfinished", self._on_finished)
        self.page.goto(url)
        self.page.wait_for_selector("h1")

    def settle(self):
        """Wait until the page has asked for nothing during a quarter of a second."""
        n_asked = -1
        while n_asked != len(self.requests):
            n_asked = len(self.requests)
            self.page.wait_for_timeout(250)

    def never_pressed(self, *screens):
        """Return the buttons of screens ('every': on all, 'job': of jobs) that were shown, and never pressed."""
        seen, pressed = (
            set(self.page.evaluate(f"JSON.parse(localStorage.getItem('test-{name}') ?? '[]')"))
            for name in ("seen", "pressed")
        )
        return {title for title in seen - pressed if title.partition(":")[0] in screens}

    @property
    def hosts(self):
        addresses = (url for url in self.requests if not url.startswith(("blob:", "data:")))
        return {url.split("/")[2] for url in addresses}

    def _on_console(self, message):
        # MediaPipe writes its log as errors; what the browser itself refuses names the policy.
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.complaints.append(message.text)

    def _on_finished(self, request):
        self.sizes[request.url] = request.sizes()["responseBodySize"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()
