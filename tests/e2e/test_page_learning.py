"""The page's road in a real browser: a data set from a folder and the camera, a training, a model in production."""

import os
import re
import time

import pytest
from browsers import Visit
from platforms import OneMachine
from playwright.sync_api import expect

from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand
from asl.errors import PageUnavailable
from asl.infra import page_files

LETTERS = "ALVY"
N_PHOTOGRAPHS = 2 * 5 * len(LETTERS)
SCREENS = ("live", "practice", "teach", "teach/hands", "train", "train/{job}", "models", "models/{model}", "jobs",
           "jobs/{job}", "system")  # fmt: skip
AXE = page_files.Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    {"axe.min.js": "axe.js"},
)
CHECK = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(({violations}) => violations)"


@pytest.fixture(scope="module")
def platform(browser, tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    with OneMachine(tmp_path_factory.mktemp("page")) as platform:
        yield platform.start()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught") / "hands"
    for signer in ("ann", "bob"):
        for letter in LETTERS:
            place = folder / signer / letter
            place.mkdir(parents=True)
            for number in range(5):
                image = render_hand(letter, seed=number, signer=ord(signer[0]), size=(256, 256)).image
                (place / f"{number}.jpg").write_bytes(encode_jpeg(image))
    return folder


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axe")
    try:
        page_files.fetch([AXE], folder)
    except PageUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(error.message)
    return (folder / "axe.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def taught(browser, platform, photographs):
    """A visit that has made a data set of a folder and of the camera, and trained on it."""
    with Visit(browser, platform.url, permissions=["camera"]) as visit:
        page = visit.page
        page.goto(f"{platform.url}/#/teach")
        page.get_by_label("A new data set").fill("hands")
        page.get_by_role("button", name="Make it").click()
        page.set_input_files("input[webkitdirectory]", photographs)
        expect(page.get_by_test_id("upload")).to_contain_text(f"{N_PHOTOGRAPHS} added · 0 were there", timeout=60_000)
        _take_some(page)
        page.get_by_role("link", name="Train on these").click()
        page.locator("summary", has_text="Options").click()
        page.get_by_label("--epochs").fill("6")
        page.get_by_label("--epochs").blur()
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.locator(".banner")).to_contain_text("Made best_model", timeout=120_000)
        yield visit


def _take_some(page):
    page.get_by_label("Who signs").fill("eve")
    page.get_by_role("button", name=re.compile(r"^A\s*\d+ photographs$")).click()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_text("A hand is seen")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Hold to take A").focus()
    page.keyboard.down("Space")
    expect(page.get_by_test_id("taken")).not_to_have_text("0", timeout=30_000)
    page.keyboard.up("Space")
    page.get_by_role("button", name="Stop").click()


def _ids(platform):
    """The training that made the model, and the model."""
    with platform.client() as client:
        (job,) = client.get("/api/v1/jobs?kind=training&state=succeeded").json()["items"]
        return {"job": job["id"], "model": client.get("/api/v1/models/1").json()["id"]}


def test_the_data_set_has_the_folders_letters_and_signers_and_the_cameras(taught, platform):
    with platform.client() as client:
        counts = client.get("/api/v1/datasets/hands").json()["counts"]
        samples = client.get("/api/v1/datasets/hands/samples?signer=eve").json()["items"]
    told = {(count["label"], count["signer"]): count["n_samples"] for count in counts}
    assert {key: n for key, n in told.items() if key[1] != "eve"} == {
        (letter, signer): 5 for letter in LETTERS for signer in ("ann", "bob")
    }
    assert told["A", "eve"] == len(samples) >= 1
    assert taught.hosts == {platform.url.partition("//")[2]}
    assert not taught.complaints


def test_the_training_is_found_again_with_its_curves(taught, platform):
    page = taught.page
    page.goto(f"{platform.url}/#/train/{_ids(platform)['job']}")
    page.reload()
    expect(page.get_by_test_id("epoch")).to_contain_text("Epoch 6")
    expect(page.get_by_role("img", name=re.compile("Accuracy, epoch 6: training"))).to_be_visible()
    with platform.client() as client:
        job = client.get(f"/api/v1/jobs/{_ids(platform)['job']}").json()
    assert job["request"]["options"]["epochs"] == 6


def test_photographs_are_given_other_letters_and_left_out_by_key(taught, platform):
    page = taught.page
    page.goto(f"{platform.url}/#/teach/hands")
    first = page.locator(".photos button").first
    first.focus()
    page.keyboard.press("v")
    expect(first).to_have_accessible_name(re.compile("^V "))
    page.keyboard.press("Delete")
    expect(first).to_have_accessible_name(re.compile("left out"))
    with platform.client() as client:
        assert client.get("/api/v1/datasets/hands").json()["n_excluded"] == 1
    page.keyboard.press("Delete")
    expect(first).not_to_have_accessible_name(re.compile("left out"))


def test_the_model_is_evaluated_promoted_and_answers(taught, platform):
    page, ids = taught.page, _ids(platform)
    page.goto(f"{platform.url}/#/models/{ids['model']}")
    page.get_by_role("button", name="Evaluate").click()
    expect(page.get_by_role("cell", name="ann")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("img", name="confusion_matrix.png")).to_be_visible()
    page.goto(f"{platform.url}/#/models")
    page.get_by_role("button", name="Promote to production").click()
    expect(page.locator(".banner")).to_contain_text("Model 1 is in production")
    with platform.client() as client:
        version = client.get("/api/v1/models/1").json()["version"]
        deadline = time.monotonic() + 30
        while client.get("/api/v1/asl/model").json()["version"] != version:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_failed_job_tells_why(taught, platform):
    with platform.client() as client:
        client.post("/api/v1/datasets", json={"name": "one"})
        file = {"file": ("a.jpg", encode_jpeg(render_hand("A", seed=1, size=(256, 256)).image))}
        client.post("/api/v1/datasets/one/samples", files=file, data={"label": "A", "signer": "ann"})
        job = client.post("/api/v1/jobs", json={"kind": "training", "data": [{"dataset": "one"}]}).json()
        error = platform.wait_until_ended(job["id"])["error"]
    taught.page.goto(f"{platform.url}/#/jobs/{job['id']}")
    expect(taught.page.get_by_role("alert")).to_contain_text(error["hint"] or error["message"])
    expect(taught.page.get_by_role("button", name="Go on from the last checkpoint")).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.usefixtures("taught")
def test_nothing_on_a_screen_keeps_people_out(*, browser, platform, axe, screen, colours, tmp_path):
    with Visit(
        browser, f"{platform.url}/#/{screen.format(**_ids(platform))}", color_scheme=colours, reduced_motion="reduce"
    ) as visit:
        visit.page.wait_for_load_state("networkidle")
        for summary in visit.page.locator("summary").all():
            summary.click()
        visit.page.evaluate(axe)
        found = visit.page.evaluate(CHECK)
        visit.page.screenshot(path=tmp_path / f"{screen.partition('/')[0]}-{colours}.png", full_page=True)
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in serious]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.usefixtures("taught")
def test_a_screen_fits_a_phone(browser, platform, screen):
    with Visit(
        browser, f"{platform.url}/#/{screen.format(**_ids(platform))}", viewport={"width": 360, "height": 720}
    ) as visit:
        visit.page.wait_for_load_state("networkidle")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
