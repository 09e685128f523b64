"""Steps on the page that its tests have in common: what is clicked and typed, and the photographs that are taught."""

import io
import re
import time
import zipfile

import numpy as np
from playwright.sync_api import expect

from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand

LETTERS = "ALVY"
SIGNERS = ("ann", "bob")
N_EACH = 5
SLOW_MS = 180_000


def go(visit, platform, screen):
    visit.page.goto(f"{platform.url}/#/{screen}")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def pack_plain_pictures(count):
    """Pack small pictures, each of a colour of its own, into an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for number in range(count):
            packed.writestr(f"ann/A/{number}.jpg", encode_jpeg(np.full((16, 16, 3), 2 * number, np.uint8)))
    return file.getvalue()


def write_photographs(folder):
    """Write five photographs of each letter by each signer into folders of theirs."""
    for signer in SIGNERS:
        for letter in LETTERS:
            place = folder / signer / letter
            place.mkdir(parents=True)
            for number in range(N_EACH):
                (place / f"{number}.jpg").write_bytes(photograph(letter, number, signer))
    return folder


def photograph(letter, number, signer):
    return encode_jpeg(render_hand(letter, seed=number, signer=ord(signer[0]), size=(256, 256)).image)


def teach(page, photographs):
    """Make a data set of a folder, of an archive, and of what the camera sees."""
    page.get_by_label("A new data set").fill("hands")
    press(page, "Make it")
    for button, files, outcome in (
        ("Choose a folder", photographs, f"{len(SIGNERS) * N_EACH * len(LETTERS)} added · 0 were there already · 0"),
        ("Choose files", _archive(photographs), "1 added · 1 were there already · 1 refused"),
    ):
        with page.expect_file_chooser() as chooser:
            press(page, button)
        chooser.value.set_files(files)
        expect(page.get_by_test_id("upload")).to_contain_text(outcome, timeout=SLOW_MS)
    page.locator("summary", has_text="What was refused").click()
    _take_some(page)
    _leave_out_eves(page)


def train(page, epochs):
    """Train on the data set that is shown."""
    page.get_by_role("link", name="Train on these").click()
    page.locator("summary", has_text="Options").click()
    for name, value in (("--epochs", epochs), ("--patience", 0)):
        page.get_by_label(name).fill(str(value))
        page.get_by_label(name).blur()
    press(page, "Train")


def cancel_and_go_on(page):
    """Cancel a training once it has a curve, and go on from its last checkpoint, which is another job."""
    expect(page.get_by_test_id("epoch")).to_be_visible(timeout=SLOW_MS)
    press(page, "Cancel")
    go_on = page.get_by_role("button", name="Go on from the last checkpoint")
    expect(go_on).to_be_visible(timeout=SLOW_MS)
    cancelled = page.url
    go_on.click()
    expect(page).not_to_have_url(cancelled)


def download(page, button):
    """Press a button that gives a file, and return how many bytes that has."""
    with page.expect_download(timeout=SLOW_MS) as given:
        page.get_by_role("button", name=re.compile(button)).click(timeout=SLOW_MS)
    return given.value.path().stat().st_size


def model(platform, number):
    with platform.client() as client:
        return client.get(f"/api/v1/models/{number}").json()


def ids_of_better(platform):
    """Return the ids of the better model, and of the training that made it."""
    better = model(platform, 2)
    return {"model": better["id"], "job": better["lineage"]["job_id"]}


def answering(platform):
    """Return the version of the model that answers."""
    with platform.client() as client:
        return client.get("/api/v1/asl/model").json()["version"]


def wait_until(holds, limit_s=120):
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _leave_out_eves(page):
    """The film shows other letters too, which the camera's photographs called A."""
    photographs = page.locator(".photos").get_by_role("button", name=re.compile("eve$"))
    expect(photographs.first).to_be_visible()
    for one in photographs.all():
        one.press("x")
        expect(one).to_have_accessible_name(re.compile("left out"))


def _archive(photographs):
    """Pack one photograph that is there already, one that is new, and a file that is none."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("ann/A/again.jpg", (photographs / "ann" / "A" / "0.jpg").read_bytes())
        packed.writestr("zoe/A/new.jpg", photograph("A", 0, "zoe"))
        packed.writestr("zoe/A/none.jpg", b"no picture")
    return {"name": "more.zip", "mimeType": "application/zip", "buffer": file.getvalue()}


def _take_some(page):
    """Hold, and then let it count and take; frames that are the same are not kept twice."""
    page.get_by_label("Who signs").fill("eve")
    press(page, "Start the camera")
    page.get_by_role("button", name=re.compile(r"^A\s*\d+ photographs$")).click()
    expect(page.get_by_text("A hand is seen. Show A")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Hold to take A").focus()
    page.keyboard.down("Space")
    expect(page.get_by_test_id("taken")).not_to_have_text("0", timeout=SLOW_MS)
    page.keyboard.up("Space")
    press(page, "3-2-1, take 20")
    expect(page.locator(".count")).to_be_visible()
    expect(page.locator(".taking")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".taking")).to_have_count(0, timeout=SLOW_MS)
    press(page, "Stop")
