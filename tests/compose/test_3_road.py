"""The whole road over the published port: upload, extraction, training, evaluation, promotion, recognition."""

import pytest
import road


@pytest.fixture(scope="module")
def real_folders(tmp_path_factory, real_data):
    return road.choose_photographs(tmp_path_factory.mktemp("real"), real_data)


@pytest.mark.parametrize("source", ["rendered", "real"])
def test_from_photographs_to_letters(stack, client, source, request, tmp_path):
    model = road.go(client, source, request.getfixturevalue(f"{source}_folders"), tmp_path)

    assert model.lineage.code_version == stack.revision
    assert stack.holder(model.lineage.job_id, "worker-gpu")
    took_extractions = [
        container
        for container in stack.containers("worker-cpu")
        if any("job taken" in line and '"extraction' in line for line in stack.logs_of(container).splitlines())
    ]
    assert len(took_extractions) == 2
