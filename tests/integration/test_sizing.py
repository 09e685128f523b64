"""The page on sizing says what README's measured rates make, and counts as it says it does."""

import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGE = (REPOSITORY / "deploy" / "sizing.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sizing():
    spec = importlib.util.spec_from_file_location("sizing", REPOSITORY / "deploy" / "sizing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_readmes_rates(sizing):
    assert sizing.renewed(PAGE, README) == PAGE, "README's rates were renewed; then: make sizing"


def test_a_rate_that_is_not_found_is_told(sizing):
    with pytest.raises(LookupError, match="landmarks over HTTP"):
        sizing.table(README.replace("| landmarks over HTTP", "| landmarks"))


def test_pods_are_counted_with_headroom_and_rounded_up(sizing):
    assert sizing.n_pods(60 * 7, 10) == 1
    assert sizing.n_pods(60 * 7 + 1, 10) == 2
    assert sizing.n_pods(1_000_000, 100) == 239  # 16,667 / 70


def test_the_headroom_is_what_the_chart_aims_at(sizing):
    values = (REPOSITORY / "deploy" / "helm" / "asl-platform" / "values.yaml").read_text(encoding="utf-8")
    assert f"targetCpuPercent: {sizing._HEADROOM * 100:.0f}" in values  # noqa: SLF001 - the page tells it too
    assert f"({sizing._HEADROOM} x rate of a pod)" in PAGE  # noqa: SLF001 - as above
