"""Recognition follows the model in production, or a file, and nothing bad takes its place."""

import asyncio
import hashlib
import os
import threading
import time
from dataclasses import replace
from typing import NamedTuple

import httpx
import pytest
import torch
from databases import fresh
from fastapi import FastAPI
from gateways import running, settings_of
from registered import TENANT, add_model
from servers import PostgresServer

from asl.contracts import Alias
from asl.core import checkpoint
from asl.core.classifier import load_classifier
from asl.core.features import N_FEATURES
from asl.core.model import build_model
from asl.errors import Busy, LandmarkerUnavailable, ModelInvalid, ModelNotLoaded, NotFound, Unavailable
from asl.infra import registry, schema
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import open_storage
from services.gateway import errors, startup
from services.gateway.model_cache import N_KEPT
from services.gateway.model_following import ModelFollower
from services.gateway.routes import classifier, health
from services.gateway.served_model import Serving, Source

_N_CALLS = 200
_N_AT_ONCE = 8
_PATIENCE_S = 180
STARTER = load_classifier().version


def _write_model(path, letters="AB", *, seed=0, spoil=lambda _: None):
    torch.manual_seed(seed)
    model = build_model(
        {"model_type": "v1", "input_size": N_FEATURES, "hidden_sizes": [8], "num_classes": len(letters)}
    )
    state = model.state_dict()
    spoil(state)
    checkpoint.save(
        checkpoint.Checkpoint(
            epoch=1,
            model_state_dict=state,
            model_config=model.config,
            label_names=tuple(letters),
            val_accuracy=0.5,
        ),
        path,
    )
    return path


async def _read(pool, picture):
    return await pool.run(lambda recognizer: recognizer.recognize(picture))


def _with_nan(state):
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.fill_(float("nan"))


class World:
    """A registry with its store, and a gateway's following of it."""

    def __init__(self, folder, database, **settings):
        self.folder, self.database = folder, database
        self.storage = open_storage(str(folder / "store"))
        self.settings = Settings(_env_file=None, home=folder, recognition_threads=2, **settings)
        self.serving = Serving()
        self.follower = self.new_follower(self.serving)

    def new_follower(self, serving, **changes):
        return ModelFollower(self.settings, self.database, self.storage, serving, **changes)

    def look(self):
        self.follower.look()
        return self.serving.current.classifier.version

    def add(self, content=None, *, letters="AB", seed=0, spoil=lambda _: None, version=None):
        """Add a model and return its version."""
        path = self.folder / "new.pt"
        if content is None:
            _write_model(path, letters, seed=seed, spoil=spoil)
        else:
            path.write_bytes(content)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        stored = self.storage.put(f"jobs/{os.urandom(8).hex()}/best_model.pt", path)
        with self.database.transaction() as session:
            return add_model(session, stored=stored, version=version or f"best_model-{sha256[:8]}")

    def promote(self, model):
        with self.database.transaction() as session:
            row = registry.model_in_role(session, TENANT, Alias.PRODUCTION)
            registry.promote(
                session,
                tenant=TENANT,
                alias=Alias.PRODUCTION,
                model_id=model.id,
                expected_revision=registry.state(session, TENANT, Alias.PRODUCTION).revision if row else None,
                force=True,
                reason="a test",
                by="test",
                margin=0,
            )

    def rollback(self):
        with self.database.transaction() as session:
            registry.rollback(
                session, tenant=TENANT, alias=Alias.PRODUCTION, expected_revision=None, reason="", by="test"
            )


@pytest.fixture
def database(request, tmp_path):
    with fresh("sqlite", request, tmp_path) as found:
        yield found


@pytest.fixture
def world(tmp_path, database):
    return World(tmp_path, database)


def test_the_starter_answers_until_a_model_is_promoted_and_rollbacks_are_followed(world):
    assert world.look() == STARTER
    assert world.serving.current.source == Source.STARTER
    first, second = world.add(seed=1), world.add(seed=2, letters="XYZ")
    assert world.look() == STARTER  # being the candidate is not enough
    world.promote(first)
    assert world.look() == first.version
    world.promote(second)
    assert world.look() == second.version
    served = world.serving.current
    assert (served.source, served.number, served.sha256) == (Source.PRODUCTION, 2, second.sha256)
    assert served.classifier.label_names == ("X", "Y", "Z")
    world.rollback()
    assert world.look() == first.version


def test_only_the_model_of_its_tenant_is_followed(world):
    world.promote(world.add())
    world.follower = world.new_follower(world.serving, tenant="other")
    assert world.look() == STARTER


def test_what_has_not_changed_is_not_loaded_again(world):
    world.promote(world.add())
    world.look()
    before = world.serving.current
    world.look()
    assert world.serving.current is before


@pytest.mark.parametrize(
    "bad",
    [{"spoil": _with_nan}, {"content": b"no model"}, {"content": b""}, {"content": b"PK\x03\x04" + bytes(1000)}],
    ids=["nan", "text", "empty", "zip"],
)
def test_a_bad_model_is_refused_and_the_one_before_stays(world, bad):
    good, bad = world.add(seed=1), world.add(**bad)
    world.promote(good)
    world.look()
    world.promote(bad)
    assert [world.look() for _ in range(2)] == [good.version] * 2
    assert isinstance(world.serving.refused, ModelInvalid)
    assert world.serving.refused.message.startswith("production model 2 was refused: ")
    world.rollback()
    assert world.look() == good.version
    assert world.serving.refused is None


def test_a_bad_model_at_the_start_leaves_the_starter(world):
    bad = world.add(content=b"no model")
    world.promote(bad)
    assert [world.look() for _ in range(2)] == [STARTER] * 2
    assert isinstance(world.serving.refused, ModelInvalid)
    good = world.add()
    world.promote(good)
    assert world.look() == good.version
    assert world.serving.refused is None


def test_a_file_that_the_store_does_not_give_now_is_fetched_later(world):
    model = world.add()
    world.look()
    content = b"".join(world.storage.open(model.key))
    world.storage.delete(model.key)
    world.promote(model)
    assert world.look() == STARTER
    assert isinstance(world.serving.refused, NotFound)
    world.storage.put_bytes(model.key, b"x" * len(content))
    assert world.look() == STARTER
    assert isinstance(world.serving.refused, Unavailable)
    world.storage.delete(model.key)
    world.storage.put_bytes(model.key, content)
    assert world.look() == model.version
    assert world.serving.refused is None


def test_a_damaged_file_of_the_cache_is_fetched_again(world):
    model = world.add()
    (world.folder / "models").mkdir()
    (world.folder / "models" / f"{model.sha256}.pt").write_bytes(b"damaged")
    world.promote(model)
    assert world.look() == model.version


def test_the_cache_keeps_a_few_files_and_the_oldest_can_still_be_had(world):
    models = [world.add(seed=seed) for seed in range(N_KEPT + 2)]
    for number, model in enumerate(models):
        world.promote(model)
        world.look()
        path = world.folder / "models" / f"{model.sha256}.pt"
        os.utime(path, (number, number))
    kept = {path.stem for path in (world.folder / "models").glob("*.pt")}
    assert kept == {model.sha256 for model in models[-N_KEPT:]}
    world.promote(models[0])
    assert world.look() == models[0].version


def test_a_database_that_is_away_changes_nothing_and_neither_does_a_restart_meanwhile(tmp_path, postgres_server):
    del postgres_server  # tells whether there can be one; this one is stopped
    with PostgresServer() as server:
        database = Database(server.create_database())
        world = World(tmp_path, database)
        assert world.look() == STARTER  # no tables yet
        schema.upgrade(database)
        first, second = world.add(seed=1), world.add(seed=2)
        world.promote(first)
        assert world.look() == first.version
        server.stop()
        assert world.look() == first.version
        assert world.serving.refused is None
        restarted = Serving()
        follower = world.new_follower(restarted)
        follower.look()
        assert restarted.current.classifier.version == first.version
        server.start()
        world.promote(second)
        assert world.look() == second.version
        follower.look()
        assert restarted.current.classifier.version == second.version
        database.close()


def test_a_remembered_model_without_its_file_leaves_the_starter(world, tmp_path):
    model = world.add()
    world.promote(model)
    world.look()
    (world.folder / "models" / f"{model.sha256}.pt").unlink()
    world.storage.delete(model.key)
    (tmp_path / "empty").mkdir()
    world.database = Database(f"sqlite:///{tmp_path}/empty/none.db")
    world.serving = Serving()
    world.follower = world.new_follower(world.serving)
    assert world.look() == STARTER
    assert isinstance(world.serving.refused, NotFound)
    world.database.close()


def test_a_file_is_followed_and_wins_over_production(tmp_path, database):
    path = _write_model(tmp_path / "mine.pt", seed=1)
    world = World(tmp_path, database, classifier_path=path)
    world.promote(world.add(seed=5))
    first = world.look()
    assert first.startswith("mine-")
    assert world.serving.current.source == Source.PATH
    whole = _write_model(tmp_path / "next.pt", seed=2).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert world.look() == first
    assert isinstance(world.serving.refused, ModelInvalid)
    path.write_bytes(whole)
    second = world.look()
    assert second != first
    assert world.serving.refused is None
    path.unlink()
    assert world.look() == second
    assert isinstance(world.serving.refused, NotFound)
    path.write_bytes(whole)
    assert world.look() == second
    assert world.serving.refused is None


def test_a_file_that_is_none_at_the_start_answers_once_it_is_there(tmp_path, landmarker_path, hand_jpeg):
    path = tmp_path / "mine.pt"
    settings = Settings(
        _env_file=None,
        home=tmp_path,
        classifier_path=path,
        hand_landmarker_path=landmarker_path,
        recognition_threads=1,
    )
    gateway = startup.load(settings)
    with pytest.raises(ModelNotLoaded):
        gateway.recognizers()
    assert gateway.model_version is None
    _write_model(path)
    gateway.follower.look()
    assert gateway.problems == {}
    answer = asyncio.run(_read(gateway.recognizers(), hand_jpeg("A")))
    assert answer.model_version == gateway.model_version
    assert answer.model_version.startswith("mine-")
    gateway.close()
    gateway.database.close()


class Call(NamedTuple):
    began: float
    ended: float
    version: str
    letter: str | None


async def _keep_calling(pool, picture, old, after_some, n_calls):
    """Call until enough of the answers are of another model than the old one."""
    calls: list[Call] = []
    is_told = False
    give_up_at = time.monotonic() + _PATIENCE_S

    def is_enough():
        n_new = sum(call.version != old for call in calls)
        return (len(calls) >= n_calls and n_new >= n_calls // 4) or time.monotonic() > give_up_at

    async def caller():
        nonlocal is_told
        while not is_enough():
            began = time.monotonic()
            try:
                answer = await _read(pool, picture)
            except Busy:  # a slow machine lets fewer wait; to be told so is no failure
                await asyncio.sleep(0.05)
                continue
            calls.append(Call(began, time.monotonic(), answer.model_version, answer.letter))
            if len(calls) > n_calls // 4 and not is_told:
                is_told = True
                await asyncio.to_thread(after_some)

    await asyncio.gather(*(caller() for _ in range(_N_AT_ONCE)))
    return calls


def test_while_recognitions_run_the_version_changes_once_and_none_fails(tmp_path, database, landmarker_path, hand_jpeg):
    stores = {"database_url": str(database.engine.url), "storage_url": str(tmp_path / "store")}
    world = World(tmp_path, database, hand_landmarker_path=landmarker_path, **stores)
    first, second = world.add(letters="AB", seed=1), world.add(letters="XY", seed=2)
    world.promote(first)
    gateway = startup.load(world.settings)
    assert gateway.model_version == first.version
    gateway = replace(gateway, follower=world.new_follower(gateway.serving, poll_s=0.05))
    gateway.follow()
    picture = hand_jpeg("A")
    pool = gateway.recognizers()
    calls = asyncio.run(_keep_calling(pool, picture, first.version, lambda: world.promote(second), _N_CALLS))
    assert len(calls) >= _N_CALLS
    assert {call.version for call in calls} == {first.version, second.version}
    assert all(call.letter in ("AB" if call.version == first.version else "XY") for call in calls)
    first_new = min(call.ended for call in calls if call.version == second.version)
    assert not [call for call in calls if call.version == first.version and call.began > first_new]
    back = asyncio.run(_keep_calling(pool, picture, second.version, world.rollback, _N_CALLS // 4))
    assert {call.version for call in back} == {first.version, second.version}
    gateway.close()
    assert "model-follower" not in {thread.name for thread in threading.enumerate()}
    gateway.database.close()


def test_what_answers_and_what_was_refused_is_told(world):
    world.promote(world.add(seed=1))
    version = world.look()
    world.promote(world.add(content=b"no model"))
    world.look()
    gateway = startup.Gateway(world.settings, world.database, world.storage, serving=world.serving)
    app = FastAPI()
    app.include_router(health.router)
    app.include_router(classifier.router)
    errors.install(app)
    app.state.gateway = gateway

    async def ask(path):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    ready = asyncio.run(ask("/readyz"))
    assert ready.status_code == 200
    assert ready.json()["checks"]["classifier"]["ok"] is True
    detail = ready.json()["checks"]["classifier"]["detail"]
    assert detail.startswith(f"{version}; production model 2 was refused: ")
    model = asyncio.run(ask("/api/v1/asl/model")).json()
    assert (model["version"], model["source"], model["number"]) == (version, "production", 1)
    assert (model["label_names"], model["sha256"]) == (["A", "B"], world.serving.current.sha256)
    with pytest.raises(LandmarkerUnavailable):
        gateway.recognizers()


def test_a_promotion_over_http_is_followed_by_the_running_gateway(world):
    model = world.add()
    url = str(world.database.engine.url)
    settings = settings_of(
        world.folder, classifier_path=None, database_url=url, storage_url=str(world.folder / "store")
    )
    with running(settings) as client:
        assert client.get("/api/v1/asl/model").json()["version"] == STARTER
        given = client.put("/api/v1/models/aliases/production", json={"model": model.id})
        assert given.status_code == 200
        give_up_at = time.monotonic() + _PATIENCE_S
        while (found := client.get("/api/v1/asl/model").json())["version"] == STARTER:
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
        assert (found["version"], found["sha256"]) == (model.version, model.sha256)
