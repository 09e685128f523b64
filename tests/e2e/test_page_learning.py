"""The page's whole road in one browser: capture, train, evaluate, promote, and Live reads with what was learnt."""

import re

import pytest
from browsers import Visit, write_film
from page_road import (
    LETTERS,
    N_EACH,
    SIGNERS,
    SLOW_MS,
    answering,
    cancel_and_go_on,
    download,
    go,
    ids_of_better,
    model,
    photograph,
    press,
    teach,
    train,
    wait_until,
    write_photographs,
)
from platforms import OneMachine
from playwright.sync_api import expect

from asl.contracts import Change, HandPart
from asl.core.coaching_words import advise

WHOLE_PARTS = {Change.PLACE, Change.TURN}
"""Changes of the thumb and of the hand, for which what is said does not depend on them."""
SCREENS = ("live", "practice", "teach", "teach/hands", "train", "train/{job}", "evaluate", "evaluate/{evaluation}",
           "models", "models/{model}", "jobs", "jobs/{job}", "system")  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory, page_is_there):  # noqa: ARG001 - skips where it is not
    """A short film in place of the alphabet's: nothing here waits for it to come round."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mjpeg", LETTERS, seconds=1.0)


@pytest.fixture(scope="module")
def platform(browser, tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    with OneMachine(tmp_path_factory.mktemp("page"), ASL_WORKER_SLOTS="1") as platform:
        yield platform.start()


@pytest.fixture(scope="module")
def visit(browser, platform):
    permissions = ["camera", "clipboard-read", "clipboard-write"]
    with Visit(browser, platform.url, permissions=permissions, accept_downloads=True) as visit:
        yield visit


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("taught") / "hands")


@pytest.fixture(scope="module")
def taught(visit, platform, photographs):
    """A data set of a folder, an archive and the camera."""
    go(visit, platform, "teach")
    teach(visit.page, photographs)
    return visit


@pytest.fixture(scope="module")
def trained(taught, platform):
    """Two models: of one epoch, and of a training that was cancelled, went on, and was found again meanwhile."""
    page = taught.page
    train(page, epochs=1)
    expect(page.locator(".banner")).to_contain_text("Made best_model", timeout=SLOW_MS)
    go(taught, platform, "teach/hands")
    train(page, epochs=400)
    cancel_and_go_on(page)
    page.reload()
    expect(page.locator(".banner")).to_contain_text("Made best_model", timeout=SLOW_MS)
    return taught


@pytest.fixture(scope="module")
def evaluated(trained, platform):
    """Both models, judged on the same photographs; returns the evaluations' jobs, the better model's first."""
    page, jobs = trained.page, []
    for name in ("Model 2", "Model 1"):
        go(trained, platform, "evaluate")
        page.get_by_label(re.compile("^Model")).select_option(label=name)
        press(page, "Evaluate")
        expect(page.get_by_role("heading", name=f"{name} on hands")).to_be_visible(timeout=SLOW_MS)
        jobs.append(page.url.rpartition("/")[2])
    return jobs


def test_the_data_set_has_the_folders_letters_and_signers_and_the_cameras(taught, platform):
    with platform.client() as client:
        dataset = client.get("/api/v1/datasets/hands").json()
        eves = client.get("/api/v1/datasets/hands/samples?signer=eve").json()["items"]
    counts = dataset["counts"]
    told = {(count["label"], count["signer"]): count["n_samples"] for count in counts}
    assert {key: n for key, n in told.items() if key[1] in SIGNERS} == {
        (letter, signer): N_EACH for letter in LETTERS for signer in SIGNERS
    }
    assert told["A", "zoe"] == 1
    assert dataset["n_excluded"] == len(eves) >= 1
    assert taught.hosts == {platform.url.partition("//")[2]}
    assert not taught.complaints


def test_photographs_show_points_and_are_changed_by_key(taught, platform):
    page = taught.page
    go(taught, platform, "teach/hands")
    page.locator(".letters [aria-pressed=true]").click()
    page.get_by_label("By").select_option(label="ann")
    first = page.locator(".photos button").first
    expect(page.locator(".photos li")).to_have_count(N_EACH * len(LETTERS))
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    wait_until(lambda: first.locator("canvas").evaluate(drawn))
    first.focus()
    for key, name in (("v", r"^V "), ("Shift+X", r"^X "), ("l", r"^L "), ("x", "left out")):
        page.keyboard.press(key)
        expect(first).to_have_accessible_name(re.compile(name))
    first.click()
    expect(first).not_to_have_accessible_name(re.compile("left out"))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".photos button").nth(1)).to_be_focused()
    page.keyboard.press("y")
    page.keyboard.press("Shift+Y")
    page.get_by_label("Draw the hand's points").uncheck()
    expect(page.locator(".photos canvas")).to_have_count(0)
    page.get_by_label("Draw the hand's points").check()


def test_the_training_is_found_again_with_its_curves(trained, platform):
    page, ids = trained.page, ids_of_better(platform)
    go(trained, platform, f"train/{ids['job']}")
    expect(page.get_by_role("img", name=re.compile(r"Accuracy, epoch \d+: training"))).to_be_visible()
    with platform.client() as client:
        job = client.get(f"/api/v1/jobs/{ids['job']}").json()
    expect(page.get_by_test_id("epoch")).to_contain_text("Epoch 400")
    assert job["request"]["options"]["epochs"] == 400
    assert download(page, "^config.json$") > 0


def test_a_cell_of_the_confusion_matrix_shows_its_photographs(trained, evaluated, platform):
    page = trained.page
    go(trained, platform, f"evaluate/{evaluated[1]}")
    cell = page.locator(".matrix button.wrong").first
    letter, answer, count = re.match(r"(\w) read as (\w): (\d+)", cell.get_attribute("aria-label")).groups()
    cell.click()
    shown = page.get_by_role("region", name=f"{letter}, read as {answer}")
    expect(shown.locator(".photos li")).to_have_count(int(count))
    assert {name.inner_text() for name in shown.locator(".photos strong").all()} == {letter}
    shown.locator(".photos button").first.press("ArrowRight")
    press(page, "Close")
    expect(shown).to_have_count(0)
    shares = [float(share) for share in re.findall(r"([\d.]+) %", page.locator(".shares").first.inner_text())]
    assert shares == sorted(shares)
    assert len(shares) == len((*SIGNERS, "zoe"))
    expect(page.get_by_role("img", name=re.compile("Reliability diagram"))).to_be_visible()
    with platform.client() as client:
        advice = client.get(f"/api/v1/jobs/{evaluated[1]}").json()["result"]["advice"]
    expect(page.locator(".advices dd")).to_have_text([f"{one['found']}{one['remedy']}" for one in advice])
    assert "rarely_read" in {one["code"] for one in advice}


def test_two_models_stand_side_by_side(trained, evaluated, platform):
    page = trained.page
    go(trained, platform, f"evaluate/{evaluated[1]}")
    page.get_by_label("Beside it").select_option(value=evaluated[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Model 1 on hands, beside Model 2 on hands")
    with platform.client() as client:
        worse, better = (client.get(f"/api/v1/jobs/{job}").json()["result"] for job in reversed(evaluated))
    gain = f"+{100 * (better['accuracy'] - worse['accuracy']):.1f}"
    expect(page.get_by_role("row", name=re.compile("^Accuracy"))).to_contain_text(gain)
    expect(page.locator(".matrix")).to_have_count(2)


def test_the_promoted_model_answers_live_past_the_gate_and_back(trained, evaluated, platform):  # noqa: ARG001 - the gate compares
    page = trained.page
    go(trained, platform, "models")
    lines = page.locator(".list .line")
    lines.filter(has_text="Model 2").get_by_role("button", name="Promote to production").click()
    expect(page.locator(".banner")).to_contain_text("Model 2 is in production")
    promote = lines.filter(has_text="Model 1").get_by_role("button", name="Promote to production")
    promote.click()
    expect(page.get_by_role("alert")).to_contain_text("Model 1 was not promoted")
    press(page, "Close")
    promote.click()
    page.get_by_label("Why it is promoted all the same").fill("a test")
    press(page, "Promote all the same")
    expect(page.locator(".banner")).to_contain_text("Model 1 is in production")
    press(page, "Back to the model before")
    expect(page.locator(".banner")).to_contain_text("Model 2 is in production")
    expect(page.locator(".history li")).to_have_count(3)
    expect(page.locator(".history")).to_contain_text("although the gate refused")
    wait_until(lambda: answering(platform) == model(platform, 2)["version"])
    go(trained, platform, "live")
    press(page, "Start the camera")
    expect(page.locator(".letter-card")).to_contain_text(f"model {model(platform, 2)['version']}", timeout=SLOW_MS)
    for letter in LETTERS:
        expect(page.locator(".letter:not(.unsure)")).to_have_text(letter, timeout=SLOW_MS)
    press(page, "Stop")


def test_a_model_is_downloaded_exported_and_evaluated_from_its_own_screen(trained, evaluated, platform):  # noqa: ARG001 - one road
    page, ids = trained.page, ids_of_better(platform)
    go(trained, platform, f"models/{ids['model']}")
    expect(page.get_by_text("Model card")).to_be_visible()
    assert download(page, "^Download") == model(platform, 2)["size_bytes"]
    press(page, "Export to ONNX")
    assert download(page, r"\.onnx$") > 10_000
    go(trained, platform, f"models/{ids['model']}")
    press(page, "Evaluate")
    expect(page.get_by_role("heading", name="Model 2 on hands")).to_be_visible(timeout=SLOW_MS)


def test_a_word_is_practised_to_its_end(visit, platform):
    page = visit.page
    go(visit, platform, "practice")
    press(page, "Start")
    press(page, "Skip")
    press(page, "Stop")
    page.get_by_label("Word to spell").fill("al")
    press(page, "Spell it")
    said = {
        advise(letter, part, change) for letter in "AL" for part in HandPart for change in set(Change) - WHOLE_PARTS
    }
    wait_until(lambda: page.get_by_test_id("advice").inner_text() in said)
    expect(page.get_by_text("2 of 2 letters right")).to_be_visible(timeout=SLOW_MS)
    press(page, "Once more")


def test_the_best_options_are_looked_for_and_trained_with(trained, platform, axe, tmp_path):
    page = trained.page
    go(trained, platform, "train/on/hands")
    page.locator("summary", has_text="What is tried").click()
    page.get_by_label("--n-trials").fill("30")
    page.get_by_label("--n-trials").blur()
    press(page, "Tune")
    expect(page.get_by_test_id("best")).to_be_visible(timeout=SLOW_MS)
    press(page, "Cancel")  # a long one: the best so far can be trained with all the same
    expect(page.locator(".state.cancelled")).to_be_visible(timeout=SLOW_MS)
    best = page.locator(".trials tr.best td").all_inner_texts()
    judged = page.locator(".trials tr.best, .trials tr.complete").locator("td:nth-child(2)").all_inner_texts()
    assert best[0] == max(judged, key=_share)
    assert not axe.serious_in_all(trained, tmp_path)
    press(page, "Train with the best options")
    expect(page.get_by_role("heading", level=1)).to_have_text("Training · hands")
    with platform.client() as client:
        asked = client.get(f"/api/v1/jobs/{page.url.rpartition('/')[2]}").json()["request"]["options"]
        client.post(f"/api/v1/jobs/{page.url.rpartition('/')[2]}/cancel")
    assert [asked["learning_rate"], asked["dropout"]] == [float(value) for value in best[2:4]]
    assert "-".join(map(str, asked["hidden_sizes"])) == best[4]


def test_jobs_are_found_by_state_and_tell_why_they_failed(trained, platform):
    page = trained.page
    with platform.client() as client:
        client.post("/api/v1/datasets", json={"name": "one"})
        file = {"file": ("a.jpg", photograph("A", 1, "ann"))}
        client.post("/api/v1/datasets/one/samples", files=file, data={"label": "A", "signer": "ann"})
        job = client.post("/api/v1/jobs", json={"kind": "training", "data": [{"dataset": "one"}]}).json()
        error = platform.wait_until_ended(job["id"])["error"]
    go(trained, platform, "jobs")
    page.get_by_label("State").select_option("failed")
    expect(page.locator(".list .line")).to_have_count(1)
    page.locator(".list .line").click()
    expect(page.get_by_role("alert")).to_contain_text(error["hint"] or error["message"])
    page.locator("summary", has_text="What was asked for").click()
    press(page, "Go on from the last checkpoint")
    expect(page).not_to_have_url(f"{platform.url}/#/jobs/{job['id']}")
    expect(page.get_by_role("alert")).to_be_visible(timeout=SLOW_MS)


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_keeps_nobody_out_and_fits_a_phone(*, evaluated, trained, platform, axe, screen, tmp_path):
    page = trained.page
    go(trained, platform, screen.format(**ids_of_better(platform), evaluation=evaluated[1]))
    trained.settle()
    page.evaluate("document.querySelectorAll('details:not([open]) > summary').forEach((summary) => summary.click())")
    assert not axe.serious_in_all(trained, tmp_path)


def test_every_button_was_pressed(trained, request):
    """The tests above have done so, where they ran."""
    ran = {item.originalname for item in request.session.items if item.module is request.module}
    if ran != {name for name in vars(request.module) if name.startswith("test_")}:
        pytest.skip("not all tests of this file were run")
    assert not trained.never_pressed("job", "practice", "teach", "train", "evaluate", "models", "jobs")


def _share(text):
    return float(text.split()[0])
