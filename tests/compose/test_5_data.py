"""Data outlive the containers: down and up again, and a copy of everything in another stack."""

import pytest
from stack import Stack, is_whole

from asl.contracts import JobState


@pytest.fixture(scope="module")
def picture(hand_jpeg):
    return hand_jpeg("L", seed=7)


def account(client, picture):
    """Tell everything that must stay as it is."""
    answer = client.recognize(picture)
    models = [(model.number, model.version, model.sha256, model.aliases) for model in client.models.list()]
    jobs = sorted((job.id, job.state, job.attempt) for job in client.jobs.list())
    files = sorted(
        (job_id, made.name, made.sha256)
        for job_id, state, _ in jobs
        if state == JobState.SUCCEEDED
        for made in client.jobs.artifacts(job_id)
    )
    datasets = sorted((found.name, found.n_samples) for found in client.datasets.list())
    return {"answer": answer.model_dump(), "models": models, "jobs": jobs, "files": files, "datasets": datasets}


def test_volumes_survive_down_and_up(stack, picture):
    with stack.client() as client:
        before = account(client, picture)
    assert before["models"], "the road has made models"

    stack.down()
    assert not stack.compose("ps", "--quiet", "--all").split()
    stack.up()

    stack.wait_until(is_whole)
    with stack.client() as client:
        assert account(client, picture) == before


def test_a_copy_of_everything_makes_the_same_platform_elsewhere(stack, picture, tmp_path):
    with stack.client() as client:
        before = account(client, picture)
    stack.run_script("backup.sh", tmp_path / "backup")
    stack.down()
    other = Stack(tmp_path)
    other.key = stack.key
    try:
        other.run_script("restore.sh", tmp_path / "backup")
        other.up()
        other.wait_until(is_whole)
        with other.client() as client:
            assert account(client, picture) == before
    finally:
        other.down("--volumes")
        stack.up()
