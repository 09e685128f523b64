"""What tests share: the landmarker's model, the real photographs where there are any, rendered hands, servers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import road
from hypothesis import HealthCheck, settings
from server_process import Server, ServerMissing
from servers import PostgresServer, RedisServer, S3Server

from asl.core import landmarker
from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand
from asl.errors import LandmarkerUnavailable

REPOSITORY = Path(__file__).parents[1]

# How long an example takes says more of the machine than of the code.
settings.register_profile("asl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("asl")


@pytest.fixture(scope="session")
def landmarker_path() -> Path:
    try:
        return landmarker.ensure()
    except LandmarkerUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no hand landmarker model: {error.message}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real photographs beside this clone (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def hand_jpeg() -> Callable[..., bytes]:
    """Render a hand as the bytes of a JPEG file."""

    def render(letter: str, seed: int = 1) -> bytes:
        return encode_jpeg(render_hand(letter, seed=seed).image)

    return render


@pytest.fixture(scope="session")
def rendered_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of rendered hands to go the whole road with: `train` and `test`."""
    return road.render_folders(tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Share one server among all tests: who stops or kills a server starts one of their own."""
    with _started(PostgresServer) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with _started(RedisServer) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with _started(S3Server) as server:
        yield server


def _started(kind: type[Server]) -> Server:
    try:
        return kind()
    except ServerMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
