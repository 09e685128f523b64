import hashlib
import io
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from asl.core import checkpoint as checkpoints
from asl.core.checkpoint import SEED_KEYS, Checkpoint, load, load_model, save
from asl.core.model import ASLClassifier, ASLClassifierV2
from asl.errors import ModelInvalid, NotFound

NAMES = ("A", "B", "C")


def make_checkpoint(kind=ASLClassifier, **changes):
    torch.manual_seed(0)
    model = kind(hidden_sizes=(8, 4), num_classes=3)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.randn(6, 84)).sum().backward()
    optimizer.step()
    return Checkpoint(
        **{
            "epoch": 7,
            "model_state_dict": model.state_dict(),
            "model_config": model.config,
            "label_names": NAMES,
            "val_accuracy": 0.5,
            "optimizer_state_dict": optimizer.state_dict(),
            "temperature": 1.5,
            "train_row_hashes": torch.tensor([5, -3]),
            "val_row_hashes": torch.tensor([9, 7]),
            "rng_states": {"cpu": torch.get_rng_state()},
            **changes,
        }
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "good.pt"
    save(make_checkpoint(), path)
    return path


def altered(path, **changes):
    payload = torch.load(path, weights_only=True)
    torch.save({**payload, **changes}, path)
    return path


@pytest.mark.parametrize("kind", [ASLClassifier, ASLClassifierV2])
def test_a_saved_model_answers_as_before(kind, tmp_path):
    path, features = tmp_path / "my_model.pt", torch.randn(4, 84)
    checkpoint = make_checkpoint(kind)
    save(checkpoint, path)
    trained = load_model(path)
    assert torch.equal(trained.model(features), checkpoints.restore_model(checkpoint)(features))
    assert not trained.model.training
    assert trained.label_names == NAMES
    assert (trained.epoch, trained.val_accuracy, trained.temperature) == (7, 0.5, 1.5)
    assert trained.train_row_hashes.tolist() == [-3, 5]
    assert trained.val_row_hashes.tolist() == [7, 9]
    assert trained.name == "my_model"
    assert trained.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_file_holds_the_guides_keys(path):
    payload = torch.load(path, weights_only=True)
    assert set(SEED_KEYS) <= set(payload)
    assert payload["label_mapping"] == {0: "A", 1: "B", 2: "C"}
    assert payload["model_config"] == {
        "model_type": "v1",
        "input_size": 84,
        "num_classes": 3,
        "hidden_sizes": [8, 4],
        "dropout_rate": 0.3,
    }
    assert next(iter(payload["model_state_dict"])) == "network.0.weight"


def test_equal_checkpoints_make_equal_files_of_any_name(path, tmp_path):
    save(load(path), tmp_path / "again.pt")
    assert (tmp_path / "again.pt").read_bytes() == path.read_bytes()


def test_a_model_without_training_state_is_smaller_and_answers_the_same(path, tmp_path):
    small, features = tmp_path / "small.pt", torch.randn(3, 84)
    save(checkpoints.without_training_state(load(path)), small)
    assert small.stat().st_size < 0.6 * path.stat().st_size
    assert set(SEED_KEYS) <= set(torch.load(small, weights_only=True))
    assert torch.equal(load_model(small).model(features), load_model(path).model(features))
    assert load_model(small).train_row_hashes.tolist() == [-3, 5]


@pytest.mark.parametrize("kind", [ASLClassifier, ASLClassifierV2])
def test_the_guides_keys_alone_are_enough(kind, tmp_path):
    path = tmp_path / "seed.pt"
    checkpoint = make_checkpoint(kind)
    payload = checkpoints.to_payload(checkpoint)
    payload = {key: payload[key] for key in SEED_KEYS}
    payload["model_config"] = {key: payload["model_config"][key] for key in ("model_type", "input_size", "num_classes")}
    torch.save(payload, path)
    trained = load_model(path)
    assert trained.model.hidden_sizes == (8, 4)
    assert trained.temperature == 1
    assert trained.train_row_hashes.size == trained.val_row_hashes.size == 0


def test_the_saved_tensors_do_not_follow_the_living_ones():
    model = ASLClassifier(hidden_sizes=(4,))
    payload = checkpoints.to_payload(make_checkpoint(model_state_dict=model.state_dict()))
    before = payload["model_state_dict"]["network.0.bias"].clone()
    with torch.no_grad():
        model.network[0].bias.add_(1)
    assert torch.equal(payload["model_state_dict"]["network.0.bias"], before)


def test_a_failed_write_leaves_the_old_file_and_no_other(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save(make_checkpoint(epoch=8), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_files_are_not_found(tmp_path):
    with pytest.raises(NotFound, match=r"nothing\.pt"):
        load_model(tmp_path / "nothing.pt")


@pytest.mark.parametrize("data", [b"", b"hello", pickle.dumps({"epoch": 1}), b"PK\x03\x04 and no more"])
def test_foreign_files_are_refused(data, tmp_path):
    path = tmp_path / "foreign.pt"
    path.write_bytes(data)
    with pytest.raises(ModelInvalid, match="expected a PyTorch checkpoint, found another file"):
        load_model(path)


def test_a_file_with_code_is_refused_without_running_it(path, tmp_path):
    class Evil:
        def __reduce__(self):
            return (eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"epoch": Evil()}, path)
    with pytest.raises(ModelInvalid, match="holds code"):
        load_model(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_cut_off_files_are_refused(share, path):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelInvalid):
        load_model(path)


def test_files_damaged_in_any_place_are_refused_or_read(path):
    data, generator = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 20):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            load_model(path)
        except ModelInvalid:
            continue


def test_a_file_that_expands_hugely_is_refused_before_it_does(path, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(2_000_000))
    path.write_bytes(buffer.getvalue())
    monkeypatch.setattr("asl.core.weights.MAX_FILE_BYTES", 1_000_000)
    with pytest.raises(ModelInvalid, match="found 2,000,000 after decompression"):
        load_model(path)


@pytest.mark.parametrize("key", SEED_KEYS)
def test_missing_keys_are_named(key, path):
    payload = torch.load(path, weights_only=True)
    del payload[key]
    torch.save(payload, path)
    with pytest.raises(ModelInvalid, match=f"found no {key}"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_config": "v1"}, "expected a dict as model_config"),
        ({"model_state_dict": {"network.0.weight": 1}}, "dense tensors"),
        ({"model_state_dict": {}}, "hidden sizes|weights of the network"),
        ({"label_mapping": {0: "A", 1: "B"}}, "expected 3 labels in label_mapping, found 2"),
        ({"label_mapping": {0: "A", 1: "B", 2: "B"}}, "label_mapping"),
        ({"label_mapping": {1: "A", 2: "B", 3: "C"}}, "label_mapping"),
        ({"feature_schema": "asl99-v7"}, "expected a model for features asl84-v1 or asl-geo-v1, found asl99-v7"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"epoch": "seven"}, "epoch"),
        ({"val_loss": None}, "val_loss"),
        ({"rng_states": 5}, "expected a dict as rng_states, found int"),
        ({"sampler": [1]}, "expected a dict as sampler"),
        ({"optimizer_state_dict": "Adam"}, "expected a dict as optimizer_state_dict"),
        ({"training_options": 1}, "expected a dict as training_options"),
        ({"best": 1}, "expected a dict as best"),
        ({"train_row_hashes": [1, 2]}, "train_row_hashes"),
        ({"val_row_hashes": torch.zeros(2)}, "val_row_hashes"),
        ({"train_row_hashes": torch.zeros(1, dtype=torch.int64).expand(10**12)}, "train_row_hashes"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message, path):
    with pytest.raises(ModelInvalid, match=message) as caught:
        load_model(altered(path, **changes))
    assert str(path) in caught.value.message


def test_shapes_other_than_the_configs_are_told(path):
    config = {**torch.load(path, weights_only=True)["model_config"], "hidden_sizes": [8, 5]}
    with pytest.raises(ModelInvalid, match=r"network\.4\.bias: expected \(5,\), found \(4,\)"):
        load_model(altered(path, model_config=config))


def test_a_config_that_asks_for_far_more_than_its_weights_allocates_nothing(path):
    config = {**torch.load(path, weights_only=True)["model_config"], "hidden_sizes": [15_000, 15_000]}
    with pytest.raises(ModelInvalid, match="weights of the network"):
        load_model(altered(path, model_config=config))


def test_a_tensor_that_claims_any_size_is_refused(path):
    state = {"network.0.weight": torch.zeros(1).expand(10**6, 10**6)}
    with pytest.raises(ModelInvalid, match="found more"):
        load_model(altered(path, model_state_dict=state))


def test_weights_that_are_not_finite_are_refused(path):
    checkpoint = load(path)
    state = {name: tensor.clone() for name, tensor in checkpoint.model_state_dict.items()}
    state["network.0.bias"][0] = torch.nan
    save(replace(checkpoint, model_state_dict=state), path)
    with pytest.raises(ModelInvalid, match=r"NaN or infinity in network\.0\.bias"):
        load_model(path)
