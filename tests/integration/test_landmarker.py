import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

_ASL = [sys.executable, "-m", "asl.cli.main"]


def _landmarker(**environment):
    return subprocess.run(
        [*_ASL, "landmarker"], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_many_processes_may_assemble_at_once(landmarker_path, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: _landmarker(XDG_CACHE_HOME=str(tmp_path)), range(3)))
    assert [process.returncode for process in done] == [0, 0, 0], done[0].stderr
    made = tmp_path / "asl-platform" / "hand_landmarker.task"
    assert {process.stdout.strip() for process in done} == {str(made)}
    assert made.read_bytes() == landmarker_path.read_bytes()
    assert list(made.parent.iterdir()) == [made]


def test_a_damaged_file_is_replaced_or_refused_offline(landmarker_path, tmp_path):
    made = tmp_path / "asl-platform" / "hand_landmarker.task"
    made.parent.mkdir()
    made.write_bytes(landmarker_path.read_bytes()[:-5000])
    done = _landmarker(XDG_CACHE_HOME=str(tmp_path), PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert done.returncode == 1
    assert "could not download mediapipe==0.10.21" in done.stderr
    assert "ASL_HAND_LANDMARKER_PATH" in done.stderr


def test_a_file_of_the_users_own_is_taken(landmarker_path, tmp_path):
    own = tmp_path / "own.task"
    own.write_bytes(landmarker_path.read_bytes())
    assert _landmarker(ASL_HAND_LANDMARKER_PATH=str(own)).stdout.strip() == str(own)


def test_a_missing_file_of_the_users_own_is_an_error(tmp_path):
    done = _landmarker(ASL_HAND_LANDMARKER_PATH=str(tmp_path / "nowhere.task"))
    assert done.returncode == 1
    assert "no hand landmarker model at" in done.stderr


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_the_landmarker_refuses_another_file(tmp_path, content, hand_jpeg):
    own = tmp_path / "own.task"
    own.write_bytes(content)
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "1.jpg").write_bytes(hand_jpeg("A"))
    done = subprocess.run(
        [*_ASL, "prepare-dataset", "--input-dir", str(tmp_path), "--output-file", str(tmp_path / "f.npz")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ASL_HAND_LANDMARKER_PATH": str(own)},
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(own) in done.stderr
