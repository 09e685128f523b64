"""The words that are suggested are those that the script would write."""

import importlib.util
from importlib import resources
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "starter" / "words.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("words", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_word_is_there_that_nobody_is_to_be_suggested(script):
    words = (resources.files("asl.assets") / "words.txt").read_text(encoding="ascii").splitlines()
    kept = [word for word in words if not word.startswith("#")]
    assert len(set(kept)) == len(kept) == script._N_WORDS  # noqa: SLF001 - the file's own figure
    assert not [word for word in kept if script._is_left_out(word)]  # noqa: SLF001 - as above
