"""How the gateway starts: with settings of `.env`, without its models, with names it does not know."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Start = Callable[..., Any]


def _readiness(service: Any) -> dict[str, Any]:
    with service.client() as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    return dict(answer.json())


def _refused_as(service: Any) -> str:
    answer = service.recognize(b"anything")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    return str(answer.json()["code"])


def test_a_missing_model_is_told_once_and_at_readyz(start_service: Start, tmp_path: Path) -> None:
    service = start_service(ASL_CLASSIFIER_PATH=str(tmp_path / "gone.pt"))
    readiness = _readiness(service)
    assert readiness["checks"]["landmarker"]["ok"]
    assert not readiness["checks"]["classifier"]["ok"]
    assert "gone.pt" in readiness["checks"]["classifier"]["detail"]
    assert "classifier" in readiness["detail"]
    assert _refused_as(service) == "model_not_loaded"
    assert len([line for line in service.log.splitlines() if "gone.pt" in line]) == 1
    assert "Traceback" not in service.log
    with service.client() as client:
        assert client.get("/healthz").status_code == 200


def test_foreign_files_are_told_each_with_one_line(start_service: Start, tmp_path: Path) -> None:
    (tmp_path / "foreign.pt").write_bytes(b"something else")
    service = start_service(ASL_CLASSIFIER_PATH="foreign.pt", ASL_HAND_LANDMARKER_PATH="gone.task", folder=tmp_path)
    checks = _readiness(service)["checks"]
    assert "foreign.pt" in checks["classifier"]["detail"]
    assert "gone.task" in checks["landmarker"]["detail"]
    assert _refused_as(service) == "model_not_loaded"
    assert len([line for line in service.log.splitlines() if "[error]" in line]) == 2
    service.end()


def test_settings_come_from_a_file_in_the_working_folder(
    start_service: Start, tmp_path: Path, hand_jpeg: Callable[..., bytes]
) -> None:
    (tmp_path / ".env").write_text("ASL_MAX_IMAGE_BYTES=200000\nASL_MAX_NUM_HAND=2\nASL_LOG_JSON=true\n")
    service = start_service(folder=tmp_path)
    assert service.recognize(bytes(200_001)).json()["code"] == "image_too_large"
    assert service.recognize(hand_jpeg("L"), headers={"X-Request-ID": "as-json"}).status_code == 200
    service.wait_for_log("as-json")
    service.end()

    # All of it is JSON, uvicorn's lines too, and MediaPipe's native ones do not come between.
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    request = next(line for line in lines if line.get("request_id") == "as-json")
    assert (request["method"], request["status"]) == ("POST", 200)
    warning = next(line for line in lines if line.get("name") == "ASL_MAX_NUM_HAND")
    assert (warning["level"], warning["did_you_mean"]) == ("warning", "ASL_MAX_NUM_HANDS")


def test_a_setting_that_does_not_fit_ends_the_start_with_one_line(tmp_path: Path, free_port: Callable[[], int]) -> None:
    (tmp_path / ".env").write_text("ASL_MAX_NUM_HANDS=many\n")
    command = [sys.executable, "-m", "services.gateway"]
    done = subprocess.run(
        [*command, "--port", str(free_port())], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 1
    assert "ASL_MAX_NUM_HANDS" in done.stderr
    assert "Traceback" not in done.stderr
