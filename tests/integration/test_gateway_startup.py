"""What the gateway makes of files that are not what their settings say."""

from pathlib import Path

import pytest

from asl.core.classifier import starter_path
from asl.errors import LandmarkerUnavailable, ModelNotLoaded
from asl.infra.settings import Settings, load_settings
from services.gateway import startup


@pytest.fixture
def model_path() -> Path:
    return load_settings().classifier_path or starter_path()


def _load(home: Path, model_path: Path, landmarker_path: Path) -> startup.Gateway:
    settings = Settings(
        _env_file=None,
        home=home,
        classifier_path=model_path,
        hand_landmarker_path=landmarker_path,
        recognition_threads=1,
    )
    gateway = startup.load(settings)
    gateway.close()
    return gateway


@pytest.mark.parametrize("content", [None, b"", b"no model", b"PK\x03\x04"], ids=["missing", "empty", "text", "zip"])
def test_a_classifier_that_is_none(tmp_path: Path, landmarker_path: Path, content: bytes | None) -> None:
    path = tmp_path / "foreign.pt"
    if content is not None:
        path.write_bytes(content)
    gateway = _load(tmp_path, path, landmarker_path)
    assert list(gateway.problems) == ["classifier"]
    assert "foreign.pt" in gateway.problems["classifier"].message
    with pytest.raises(ModelNotLoaded):
        gateway.recognizers()


@pytest.mark.parametrize("content", [None, b"", b"no model", b"PK\x03\x04"], ids=["missing", "empty", "text", "zip"])
def test_a_landmarker_that_is_none(tmp_path: Path, model_path: Path, content: bytes | None) -> None:
    path = tmp_path / "foreign.task"
    if content is not None:
        path.write_bytes(content)
    gateway = _load(tmp_path, model_path, path)
    assert list(gateway.problems) == ["landmarker"]
    assert "foreign.task" in gateway.problems["landmarker"].message
    with pytest.raises(LandmarkerUnavailable):
        gateway.recognizers()


def test_loading_leaves_nothing_on_stderr(
    tmp_path: Path, model_path: Path, landmarker_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = _load(tmp_path, model_path, landmarker_path)
    assert gateway.problems == {}
    gateway.recognizers()
    err = capfd.readouterr().err
    assert "inference_feedback_manager" not in err
    assert "W0000" not in err
