"""What is long: lists of more than the page shows at once, and files that take their time."""

import base64

import pytest
from browsers import Visit
from page_road import go, pack_plain_pictures, press
from playwright.sync_api import expect

AT_ONCE = {"photographs": 60, "jobs": 30}


@pytest.fixture(scope="module")
def visit(browser, service):
    with Visit(browser, service.url) as visit:
        yield visit


def test_a_long_list_of_photographs_goes_on(visit, service):
    page, n_shown = visit.page, AT_ONCE["photographs"]
    with service.client() as client:
        client.post("/api/v1/datasets", json={"name": "many"})
        headers = {"Content-Type": "application/zip"}
        client.post("/api/v1/datasets/many/archive", content=pack_plain_pictures(n_shown + 1), headers=headers)
    page.evaluate("localStorage.setItem('points', 'no')")  # there are no hands in these
    page.reload()
    go(visit, service, "teach/many")
    expect(page.locator(".photos li")).to_have_count(n_shown)
    press(page, "More")
    expect(page.locator(".photos li")).to_have_count(n_shown + 1)


def test_a_long_list_of_jobs_goes_on(visit, service):
    page, n_shown = visit.page, AT_ONCE["jobs"]
    with service.client() as client:
        for _ in range(n_shown + 1):
            job = client.post("/api/v1/jobs", json={"kind": "probe"}).json()
            client.post(f"/api/v1/jobs/{job['id']}/cancel")
    go(visit, service, "jobs")
    expect(page.locator(".list .line")).to_have_count(n_shown)
    press(page, "More")
    expect(page.locator(".list .line").nth(n_shown)).to_be_visible()


def test_an_archive_tells_how_much_of_it_was_sent(visit, service):
    with service.client() as client:
        client.post("/api/v1/datasets", json={"name": "sent"})
    packed = base64.b64encode(pack_plain_pictures(2)).decode()
    told = visit.page.evaluate(f"""async () => {{
        const {{ addFiles }} = await import("/page/teach/adding.js");
        const bytes = Uint8Array.from(atob("{packed}"), (letter) => letter.charCodeAt(0));
        const told = [];
        const file = (content, path) => ({{ file: new File([content], path), path }});
        const files = [file(bytes, "a.zip"), file("x", "b.zip")];
        await addFiles("sent", files, {{ label: null, signer: "" }}, (state) => told.push(state));
        return told;
    }}""")
    assert max(state["underWay"] for state in told) > 0
    last = told[-1]
    assert (last["done"], last["underWay"], last["total"], last["nAdded"]) == (2, 0, 2, 2)
    assert [refused["name"] for refused in last["refused"]] == ["b.zip"]
