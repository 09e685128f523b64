"""Pages of other sites cannot use a service that asks for no key through their visitor's browser."""

import socket

import pytest
from gateways import running, settings_of
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from asl.infra import schema
from asl.infra.database import Database

DATASETS = "/api/v1/datasets"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    settings = settings_of(tmp_path_factory.mktemp("own"), allowed_hosts=("asl.example",))
    database = Database(settings.database)
    schema.upgrade(database)
    database.close()
    with running(settings) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:99", "[::1]:8000", "asl.example:80"]
)
def test_a_name_of_the_service_is_answered(gateway, host):
    assert gateway.get(DATASETS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:8000", "10.1.2.3", "[::2]", ""]
)
@pytest.mark.parametrize("path", [DATASETS, "/healthz", "/"])
def test_a_foreign_name_that_resolves_to_this_machine_is_refused(gateway, host, path):
    answer = gateway.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_site")
    assert "ASL_ALLOWED_HOSTS" in answer.json()["hint"]
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_a_stream_under_a_foreign_name_does_not_begin(gateway):
    resolved = socket.create_connection(("127.0.0.1", gateway.base_url.port))
    with pytest.raises(InvalidStatus) as refused, connect("ws://evil.example/api/v1/asl/live", sock=resolved):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil"])
def test_a_foreign_page_makes_nothing(gateway, origin):
    name = {"name": "x"}
    refused = gateway.post(DATASETS, json=name, headers={"Origin": origin})
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_site")
    assert gateway.get(DATASETS, headers={"Origin": origin}).json()["items"] == []


def test_the_services_own_page_makes_something(gateway):
    origin = {"Origin": f"http://127.0.0.1:{gateway.base_url.port}"}
    assert gateway.post(DATASETS, json={"name": "mine"}, headers=origin).status_code == 201
    assert gateway.delete(f"{DATASETS}/mine", headers=origin).status_code < 300


def test_where_keys_are_asked_for_any_name_will_do(tmp_path):
    with running(settings_of(tmp_path, require_key=True)) as client:
        assert client.get("/healthz", headers={"Host": "asl.example"}).status_code == 200
        assert client.get(DATASETS, headers={"Host": "asl.example"}).status_code == 401
