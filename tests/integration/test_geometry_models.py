"""Models of the schema `asl-geo-v1`, from training to answers, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import make_dataset

from asl.contracts import FeatureSchema, Handedness, NoLetter, TrainingOptions
from asl.core import checkpoint, cross_validation, dataset
from asl.core.classifier import Classifier
from asl.core.evaluation import evaluate
from asl.core.export import compare, to_onnx
from asl.core.hand import Hand
from asl.core.held_out import summarise
from asl.core.recognition import read
from asl.core.training import train
from asl.core.training_data import prepare
from asl.errors import DatasetInvalid, ModelInvalid

GROUPS = ("ann", "ben", "cid")
OPTIONS = TrainingOptions(
    feature_schema=FeatureSchema.ASL_GEO_V1,
    normalise_input=True,
    non_letter_share=0.2,
    hidden_sizes=(32,),
    epochs=15,
    batch_size=16,
    learning_rate=0.01,
    val_split=0,
    temperature=1.5,
    unsure_below=0.5,
    not_a_letter_below=0.25,
)


@pytest.fixture(scope="module")
def hands():
    return make_dataset(groups=GROUPS)


@pytest.fixture(scope="module")
def model(hands, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    train(prepare(hands, OPTIONS), device="cpu", output_dir=folder)
    return folder / "final_model.pt"


def as_hand(rows, index):
    side = Handedness.LEFT if rows.is_left[index] else Handedness.RIGHT
    return Hand(rows.landmarks[index], np.full((21, 3), np.nan, np.float32), side, 1.0, 0.0, (0, 0))


def test_a_model_keeps_its_schema_and_reads_hands_by_it(model):
    trained = checkpoint.load_model(model)
    assert (trained.feature_schema, trained.model.input_size, trained.temperature) == ("asl-geo-v1", 283, 1.5)
    assert trained.model.normalise_input
    other = make_dataset(groups=("dan",), seed=5)
    classifier = Classifier(trained)
    answers = classifier.classify([as_hand(other, index) for index in range(len(other))]).argmax(axis=1)
    assert np.mean(answers == other.labels) > 0.9
    # The data set's own features are of another schema; those of the model's are computed from the landmarks.
    assert evaluate(trained, other).all_rows.accuracy == pytest.approx(np.mean(answers == other.labels))


def test_features_alone_of_another_schema_are_refused(model, hands):
    alone = replace(hands, landmarks=None)
    with pytest.raises(ModelInvalid, match="asl84-v1, found one for asl-geo-v1"):
        evaluate(checkpoint.load_model(model), alone)
    with pytest.raises(DatasetInvalid, match="expected features asl-geo-v1, found asl84-v1"):
        prepare(alone, OPTIONS)


def test_a_data_set_of_either_schema_is_written_and_read(hands, tmp_path):
    path = tmp_path / "geo.npz"
    converted = dataset.with_schema(hands, "asl-geo-v1")
    dataset.save(converted, path)
    loaded = dataset.load(path)
    assert (loaded.feature_schema, loaded.features.shape[1]) == ("asl-geo-v1", 283)
    np.testing.assert_array_equal(dataset.with_schema(loaded, "asl84-v1").features, hands.features)
    with pytest.raises(DatasetInvalid, match="expected data sets of one feature schema"):
        dataset.concatenate([hands, loaded])


def test_what_a_file_says_of_its_input_must_fit(model, tmp_path):
    payload = torch.load(model, weights_only=True)
    path = tmp_path / "bad.pt"
    torch.save({**payload, "feature_schema": "asl84-v1"}, path)
    with pytest.raises(ModelInvalid, match="expected input_size 84, found 283"):
        checkpoint.load_model(path)
    torch.save({**payload, "unsure_below": 1.5}, path)
    with pytest.raises(ModelInvalid, match="confidences from 0 to 1"):
        checkpoint.load_model(path)


def test_the_onnx_model_agrees(model):
    pytest.importorskip("onnxruntime")
    trained = checkpoint.load_model(model)
    assert compare(to_onnx(trained), trained).max_difference < 1e-4


def test_an_answer_that_is_refused_still_lists_its_alternatives(model, hands):
    trained = checkpoint.load_model(model)
    hand = as_hand(hands, 0)
    kept = read(Classifier(replace(trained, unsure_below=0.0)), [hand])
    assert (kept.letter, kept.reason) == (kept.alternatives[0].letter, None)
    unsure = read(Classifier(replace(trained, unsure_below=1.0, not_a_letter_below=0.0)), [hand])
    assert (unsure.letter, unsure.confidence, unsure.reason) == (None, 0, NoLetter.UNSURE)
    assert unsure.alternatives == kept.alternatives
    assert unsure.handedness == kept.handedness
    other = read(Classifier(replace(trained, unsure_below=1.0, not_a_letter_below=1.0)), [hand])
    assert (other.letter, other.reason, other.needs_motion) == (None, NoLetter.NOT_A_LETTER, False)


def test_cross_validation_finds_thresholds_and_counts_what_they_refuse():
    hands = make_dataset(groups=GROUPS, noise=0.3)
    options = OPTIONS.model_copy(update={"epochs": 8})
    trials = cross_validation.plan(hands, options)
    report = summarise([cross_validation.run(trial, "cpu") for trial in trials], 1)
    assert 0 < report.thresholds.not_a_letter_below <= report.thresholds.unsure_below < 1
    assert [score.group for score in report.refusals] == list(GROUPS)
    assert all(score.kept > 0.5 for score in report.refusals)
    assert {"open hand", "between two letters"} < set(report.refusals[0].refused)
    plain = cross_validation.plan(hands, options.model_copy(update={"non_letter_share": 0.0}))
    assert not cross_validation.run(plain[0], "cpu").non_letters


def test_without_landmarks_no_other_hands_can_be_made(hands):
    alone = replace(dataset.with_schema(hands, "asl-geo-v1"), landmarks=None)
    prepared = prepare(alone, OPTIONS)
    assert (prepared.options.augment, prepared.options.non_letter_share) == (False, 0)
    assert "without augmentation" in prepared.notices[-1]
