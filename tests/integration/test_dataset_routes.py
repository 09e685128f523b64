"""Data sets over HTTP, as a server with keys answers: SQLite and a folder, Postgres and an S3 store."""

import hashlib
import io
import os
import socket
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest
from databases import fresh
from fastapi import FastAPI
from gateways import serving
from PIL import Image

from asl.contracts import Scope
from asl.infra import keys
from asl.infra.settings import Settings
from asl.infra.storage import open_storage
from services.gateway import errors
from services.gateway.routes import archives, datasets, samples
from services.gateway.startup import Gateway

MIB = 2**20
MAX_ARCHIVE_BYTES = 300 * MIB
ZIP = {"Content-Type": "application/zip"}


class Service(NamedTuple):
    client_of: Callable[..., httpx.Client]
    """Makes a client with a new key of a tenant."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with fresh(request.param, request, folder) as database:
        if request.param == "sqlite":
            storage = open_storage(str(folder / "store"))
        else:
            server = request.getfixturevalue("s3_server")
            url = server.storage_url(server.create_bucket())
            storage = open_storage(url, server.access_key, server.secret_key)
        settings = Settings(require_key=True, max_archive_bytes=MAX_ARCHIVE_BYTES, max_image_bytes=3 * MIB)
        app = FastAPI()
        for routes in (datasets, samples, archives):
            app.include_router(routes.router)
        errors.install(app)
        app.state.gateway = Gateway(settings, database, storage)

        def client_of(tenant: str, *scopes: Scope) -> httpx.Client:
            name = f"key {os.urandom(8).hex()}"
            secret, _ = keys.create(database, name=name, tenant=tenant, scopes=scopes or tuple(Scope))
            return httpx.Client(
                base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {secret}"}, timeout=120
            )

        with serving(app, ws="none", lifespan="off") as address:
            yield Service(client_of)


@pytest.fixture
def client(service):
    with service.client_of("ours") as client:
        yield client


@pytest.fixture
def dataset(client):
    return client.post("/datasets", json={"name": f"letters {os.urandom(4).hex()}"}).json()["id"]


def picture(number: int, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    colour = (number // 256, number % 256, 120)
    Image.new("RGB", (8, 8), colour).save(file, kind, comment=str(number).encode())
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def send(client: httpx.Client, dataset: str, content: bytes, *, name: str = "x.jpg", **form: Any) -> httpx.Response:
    return client.post(f"/datasets/{dataset}/samples", files={"file": (name, content)}, data={"label": "A", **form})


def is_problem(response: httpx.Response, status: int, code: str) -> bool:
    is_typed = response.headers["Content-Type"] == errors.MEDIA_TYPE
    return is_typed and (response.status_code, response.json()["code"]) == (status, code)


def test_a_data_set_is_made_shown_by_id_and_name_listed_and_deleted(client):
    name = f"hands of {os.urandom(4).hex()} at 50"
    made = client.post("/datasets", json={"name": name, "description": "photographs"})
    assert made.status_code == 201
    shown = client.get(f"/datasets/{made.json()['id']}")
    assert made.headers["Location"] == shown.request.url.path
    assert shown.json() == made.json() == client.get(f"/datasets/{name}").json()
    assert shown.json()["counts"] == []
    assert is_problem(client.post("/datasets", json={"name": name}), 409, "conflict")
    listed = client.get("/datasets", params={"limit": 1}).json()
    assert [item["id"] for item in listed["items"]] == [made.json()["id"]]
    assert client.delete(f"/datasets/{name}").status_code == 204
    assert is_problem(client.get(made.headers["Location"].removeprefix("/api/v1")), 404, "not_found")


def test_the_same_call_with_the_same_key_makes_one_data_set(client):
    body, headers = {"name": f"once {os.urandom(4).hex()}"}, {"Idempotency-Key": os.urandom(8).hex()}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/datasets", json=body, headers=headers), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == len({answer.headers["Location"] for answer in answers}) == 1
    other = client.post("/datasets", json={"name": "another"}, headers=headers)
    assert is_problem(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "name", ["../x", "..", "%2e%2e", "a/b", "a\\b", "a\x00", "a\nb", "\u2028", "x" * 4096, "", "a" * 32]
)
def test_bad_names_are_refused(client, dataset, name):
    assert client.post("/datasets", json={"name": name}).status_code == 422
    if name not in {"", "a" * 32}:
        sample = send(client, dataset, picture(1)).json()["id"]
        for field in ("label", "signer"):
            assert send(client, dataset, picture(2), **{field: name}).status_code == 422
            change = client.patch(f"/datasets/{dataset}/samples/{sample}", json={field: name})
            assert change.status_code == 422


@pytest.mark.parametrize("path", ["/%2e%2e", "/%252e%252e", "/a%00", "/a%0a", "/%5c", f"/{'x' * 4096}"])
def test_bad_names_in_an_address_are_refused(client, path):
    for address in (path, f"{path}/samples", f"{path}/versions"):
        answer = client.send(client.build_request("GET", f"{client.base_url}datasets{address}"))
        assert is_problem(answer, 422, "invalid_input") or is_problem(answer, 422, "dataset_invalid")


def test_a_photograph_is_added_shown_downloaded_and_corrected(client, dataset):
    content = picture(1, "PNG")
    added = send(client, dataset, content, name="a sign é.png", label="b", signer="ann")
    assert added.status_code == 201
    sample = added.json()
    assert (sample["label"], sample["signer"], sample["state"], sample["size_bytes"]) == (
        "B",
        "ann",
        "new",
        len(content),
    )
    assert sample["sha256"] == hashlib.sha256(content).hexdigest()
    assert client.get(f"/datasets/{dataset}/samples/{sample['id']}").json() == sample

    image = client.get(f"/datasets/{dataset}/samples/{sample['id']}/image")
    assert image.content == content
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert image.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%20sign%20%C3%A9.png"
    etag = image.headers["ETag"]
    again = client.get(f"/datasets/{dataset}/samples/{sample['id']}/image", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")

    address = f"/datasets/{dataset}/samples/{sample['id']}"
    changed = client.patch(address, json={"label": "C", "excluded": True}).json()
    assert (changed["label"], changed["signer"], changed["state"]) == ("C", "ann", "excluded")
    assert client.patch(address, json={"excluded": False}).json()["state"] == "new"
    for wrong in ({"label": "../x"}, {"label": ""}, {"signer": "x" * 101}, {"state": "found"}):
        assert is_problem(client.patch(address, json=wrong), 422, "invalid_input")


def test_the_same_photograph_again_is_no_other_sample(client, dataset):
    first = send(client, dataset, picture(1), signer="ann")
    again = send(client, dataset, picture(1), signer="ann")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    for other in ({"label": "B", "signer": "ann"}, {"signer": "bob"}):
        answer = send(client, dataset, picture(1), **other)
        assert is_problem(answer, 409, "conflict")
        assert first.json()["id"] in answer.json()["detail"]


def test_what_is_no_photograph_is_refused(client, dataset):
    assert is_problem(send(client, dataset, b""), 422, "image_empty")
    assert is_problem(send(client, dataset, b"text"), 415, "image_type_unsupported")
    assert is_problem(send(client, dataset, picture(1)[:200]), 422, "image_unreadable")
    assert is_problem(send(client, dataset, picture(1) + bytes(3 * MIB)), 413, "image_too_large")
    assert is_problem(send(client, dataset, picture(1), name="../x.jpg"), 422, "dataset_invalid")
    assert is_problem(client.post(f"/datasets/{dataset}/samples", data={"label": "A"}), 422, "invalid_input")
    assert client.get(f"/datasets/{dataset}").json()["n_samples"] == 0


def test_an_archive_is_added_and_what_is_no_photograph_is_told(client, dataset):
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    files = {
        f"{signer}/{label}/{i}.jpg": picture(i * 10 + j)
        for i, signer in enumerate(("ann", "bob"))
        for j, label in enumerate("ABC")
    }
    skipped = {
        "ann/A/damaged.jpg": b"\xff\xd8\xff",
        "bob/B/empty.png": b"",
        "bob/C/bomb.png": bomb.getvalue(),
        "readme.txt": b"mine",
    }
    first = client.post(f"/datasets/{dataset}/archive", content=zipped(files | skipped), headers=ZIP)
    assert first.status_code == 200
    assert (first.json()["n_added"], first.json()["n_skipped"]) == (6, 4)
    reasons = {file["name"]: file["reason"] for file in first.json()["skipped"]}
    assert reasons.keys() == skipped.keys()
    assert "pixels" in reasons["bob/C/bomb.png"]
    again = client.post(f"/datasets/{dataset}/archive", content=zipped(files), headers=ZIP).json()
    assert again == {"n_added": 0, "n_already_there": 6, "n_skipped": 0, "skipped": []}

    hashes = [hashlib.sha256(content).hexdigest() for content in files.values()]
    known = client.post(f"/datasets/{dataset}/hashes", json={"sha256": [*hashes, "0" * 64]}).json()
    assert known == {"sha256": sorted(hashes)}
    assert is_problem(
        client.post(f"/datasets/{dataset}/hashes", json={"sha256": ["0" * 64] * 1001}), 422, "invalid_input"
    )

    listed = client.get(f"/datasets/{dataset}/samples", params={"label": "a", "signer": "bob"}).json()
    assert [item["name"] for item in listed["items"]] == ["bob/A/1.jpg"]
    wanted = {"sha256": [hashes[2], "0" * 64]}
    listed = client.get(f"/datasets/{dataset}/samples", params=wanted).json()
    assert [item["sha256"] for item in listed["items"]] == [hashes[2]]
    counts = client.get(f"/datasets/{dataset}").json()["counts"]
    assert counts[0] == {"label": "A", "signer": "ann", "n_samples": 1}
    assert len(counts) == 6


def test_archives_beyond_a_rule_are_refused(client, dataset):
    address = f"/datasets/{dataset}/archive"
    assert is_problem(client.post(address, content=zipped({"../A/1.jpg": b"x"}), headers=ZIP), 422, "dataset_invalid")
    assert is_problem(client.post(address, content=b"none", headers=ZIP), 422, "dataset_invalid")
    assert is_problem(client.post(address, content=b"", headers=ZIP), 422, "dataset_invalid")
    assert is_problem(client.post(address, json={}), 415, "unsupported_media_type")
    endless = (bytes(MIB) for _ in range(MAX_ARCHIVE_BYTES // MIB + 1))
    assert is_problem(client.post(address, content=endless, headers=ZIP), 413, "content_too_large")
    assert client.get(f"/datasets/{dataset}").json()["n_samples"] == 0


def test_an_archive_that_says_it_is_too_large_is_refused_unread(client, dataset):
    address = client.base_url
    head = [f"POST /api/v1/datasets/{dataset}/archive HTTP/1.1", f"Host: {address.host}", "Expect: 100-continue"]
    head += [f"Authorization: {client.headers['Authorization']}", "Content-Type: application/zip"]
    head += [f"Content-Length: {MAX_ARCHIVE_BYTES + 1}", "", ""]
    with socket.create_connection((address.host, address.port), timeout=60) as connection:
        connection.sendall("\r\n".join(head).encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_connection_that_breaks_leaves_nothing_and_the_archive_can_be_sent_again(client, dataset):
    content = zipped({f"A/{number}.jpg": picture(number) for number in range(50)})

    def broken():
        yield content[: len(content) // 2]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        client.post(f"/datasets/{dataset}/archive", content=broken(), headers=ZIP)
    assert client.get(f"/datasets/{dataset}").json()["n_samples"] == 0
    assert client.post(f"/datasets/{dataset}/archive", content=content, headers=ZIP).json()["n_added"] == 50


def test_memory_stays_flat_while_200_megabytes_come(client, dataset, tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100):
            bitmap = bytearray(picture(number, "BMP"))
            archive.writestr(f"A/{number}.bmp", bytes(bitmap) + os.urandom(2 * MIB))
    assert path.stat().st_size > 200 * MIB
    # Both the server and this client are in this process.
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            upload = client.post(f"/datasets/{dataset}/archive", content=iter(lambda: file.read(MIB), b""), headers=ZIP)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert upload.json()["n_added"] == 100
    assert peak_bytes < 50 * MIB


def test_versions_are_made_where_something_has_changed(client, dataset):
    address = f"/datasets/{dataset}/versions"
    assert is_problem(client.post(address), 422, "dataset_invalid")
    sample = send(client, dataset, picture(1)).json()
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: client.post(address), range(6)))
    assert sorted(answer.status_code for answer in made) == [200] * 5 + [201]
    first = made[0].json()
    assert all(answer.json() == first for answer in made)
    assert (first["number"], first["n_samples"]) == (1, 1)
    assert made[0].headers["Location"].endswith(f"/datasets/{dataset}/versions/1")
    client.patch(f"/datasets/{dataset}/samples/{sample['id']}", json={"label": "B"})
    second = client.post(address)
    assert (second.status_code, second.json()["number"]) == (201, 2)
    assert second.json()["digest"] != first["digest"]
    assert client.get(f"{address}/1").json() == first
    assert [item["number"] for item in client.get(address).json()["items"]] == [2, 1]
    assert is_problem(client.get(f"{address}/3"), 404, "not_found")
    assert is_problem(client.get(f"{address}/{10**30}"), 422, "invalid_input")


def test_pages_lead_through_the_whole_list(client, dataset):
    for number in range(5):
        send(client, dataset, picture(number))
    found, params = [], {"limit": 2}
    while True:
        page = client.get(f"/datasets/{dataset}/samples", params=params).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(found) == len(set(found)) == 5
    for wrong in ({"cursor": "x"}, {"limit": 0}, {"limit": 501}, {"state": "gone"}, {"label": "\x00"}, {"sha256": "x"}):
        assert is_problem(client.get(f"/datasets/{dataset}/samples", params=wrong), 422, "invalid_input")


def test_others_see_nothing_and_readers_change_nothing(service, client, dataset):
    sample = send(client, dataset, picture(1)).json()["id"]
    client.post(f"/datasets/{dataset}/versions")
    name = client.get(f"/datasets/{dataset}").json()["name"]
    with service.client_of("theirs") as other:
        for ref in (dataset, name):
            calls = [
                ("GET", ""),
                ("GET", "/samples"),
                ("GET", f"/samples/{sample}"),
                ("GET", f"/samples/{sample}/image"),
            ]
            calls += [("GET", "/versions"), ("GET", "/versions/1"), ("POST", "/versions"), ("DELETE", "")]
            for method, path in calls:
                assert is_problem(other.request(method, f"/datasets/{ref}{path}"), 404, "not_found"), (method, path)
            assert is_problem(other.patch(f"/datasets/{ref}/samples/{sample}", json={"label": "B"}), 404, "not_found")
            assert is_problem(other.post(f"/datasets/{ref}/hashes", json={"sha256": []}), 404, "not_found")
            assert is_problem(other.post(f"/datasets/{ref}/archive", content=b"PK", headers=ZIP), 404, "not_found")
            assert is_problem(send(other, ref, picture(2)), 404, "not_found")
        own = other.post("/datasets", json={"name": f"theirs {os.urandom(4).hex()}"}).json()["id"]
        assert is_problem(other.get(f"/datasets/{own}/samples/{sample}"), 404, "not_found")
        assert dataset not in other.get("/datasets").text
    with service.client_of("ours", Scope.READ) as reader:
        assert reader.get(f"/datasets/{dataset}").status_code == 200
        assert is_problem(reader.delete(f"/datasets/{dataset}"), 403, "forbidden")
        assert is_problem(send(reader, dataset, picture(2)), 403, "forbidden")
    client.headers.pop("Authorization")
    assert is_problem(client.get(f"/datasets/{dataset}"), 401, "unauthenticated")
