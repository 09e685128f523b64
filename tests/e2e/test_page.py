"""The page in a real browser: served from here alone, small, and of use without a camera."""

import gzip
import re
import time

import httpx
import pytest
from browsers import Visit
from playwright.sync_api import expect

FIRST_LOAD_LIMIT_BYTES = 250_000


@pytest.fixture
def visit(browser, service):
    with Visit(browser, service.url, permissions=["camera"]) as made:
        yield made


def test_the_first_load_is_small_and_from_here_alone(visit, service):
    visit.page.wait_for_load_state("networkidle")
    assert visit.hosts == {f"127.0.0.1:{service.port}"}
    assert not visit.complaints
    assert [url for url in visit.sizes if "/page/samples/small/" in url]
    assert sum(visit.sizes.values()) <= FIRST_LOAD_LIMIT_BYTES
    assert not [url for url in visit.requests if "vision" in url or "landmarker" in url]


def test_the_modules_of_the_first_screen_are_asked_for_at_once(visit, service):
    visit.page.wait_for_load_state("networkidle")
    with service.client() as client:
        named = set(re.findall(r'(?:modulepreload" href|module" src)="([^"]+)"', client.get("/").text))
    asked = {url.removeprefix(service.url) for url in visit.requests}
    assert {path for path in asked if path.endswith((".js", ".mjs"))} - {"/page/theme.js"} == named


def test_texts_are_compressed_on_their_way(service):
    with service.client() as client:
        plain = client.get("/page/vendor/vision.mjs", headers={"Accept-Encoding": "identity"})
        packed = client.get("/page/vendor/vision.mjs", headers={"Accept-Encoding": "gzip"})
    assert packed.content == plain.content
    assert packed.headers["content-encoding"] == "gzip"
    assert len(gzip.compress(plain.content, 6)) < 0.4 * len(plain.content)


@pytest.mark.parametrize(
    "path", ["/", "/page/app.js", "/page/live/worker.js", "/page/vendor/vision.mjs", "/page/hand_landmarker.task"]
)
def test_every_file_comes_with_the_policy(service, path):
    answer = httpx.get(service.url + path, trust_env=False, timeout=60)
    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert not re.search(
        r"unsafe-(inline|eval)'|https?:|\*", answer.headers["content-security-policy"].replace("wasm-unsafe-eval", "")
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_the_policy_forbids_is_refused(visit):
    visit.page.evaluate("fetch('http://example.invalid/').catch(() => {})")
    deadline = time.monotonic() + 60
    while not any("Content Security Policy" in complaint for complaint in visit.complaints):
        assert time.monotonic() < deadline, visit.complaints
        visit.page.wait_for_timeout(50)  # in which the browser's messages come in


def test_no_file_outside_the_pages_folders_is_served(service):
    for path in (
        "../gateway/app.py",
        "%2e%2e/gateway/app.py",
        "..%2f..%2fpyproject.toml",
        "vendor/../../gateway/app.py",
    ):
        answer = service.talk([f"GET /page/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()])
        assert answer.startswith(b"HTTP/1.1 404"), path


def test_without_leave_for_the_camera_the_page_says_what_to_do(browser, service):
    with Visit(browser, service.url) as visit:
        visit.page.get_by_role("button", name="Start the camera").click()
        problem = visit.page.get_by_role("alert")
        problem.wait_for()
        assert "may not be used" in problem.inner_text()
        assert visit.page.get_by_role("button", name="Read a photograph").is_visible()


def test_a_screen_that_did_not_come_is_looked_for_again(visit, service):
    page = visit.page
    page.route("**/page/teach/screen.js", lambda route: route.abort())
    page.goto(f"{service.url}/#/teach")
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
    expect(page.get_by_role("button", name="Load the page again")).to_be_visible()
    page.unroute("**/page/teach/screen.js")
    expect(page.get_by_role("heading", name="Teach")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("file", ["parts.js", "texts/en/teach.js"])
def test_a_page_that_did_not_come_whole_says_so_and_is_loaded_again(visit, service, file):
    page = visit.page
    page.route(f"**/page/{file}", lambda route: route.abort())
    page.goto(f"{service.url}/?again")
    expect(page.get_by_role("alert")).to_contain_text("Load it again")
    page.unroute(f"**/page/{file}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('reloads')") is None
