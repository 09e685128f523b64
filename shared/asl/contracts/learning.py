"""Options of extraction, preparation and training, and the terms they use."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from asl.contracts.base import Contract, Label

DEFAULT_HIDDEN_SIZES: Final = (256, 128, 64)
MAX_SEED: Final = 2**63 - 1


class ModelType(StrEnum):
    """Network architectures."""

    V1 = "v1"
    V2 = "v2"


class FeatureSchema(StrEnum):
    """What numbers of a hand a classifier reads; stored in every data set and model."""

    ASL84_V1 = "asl84-v1"
    ASL_GEO_V1 = "asl-geo-v1"


class TuningMethod(StrEnum):
    """How the settings of the next trial are chosen."""

    GRID = "grid"
    TPE = "tpe"


class TriedState(StrEnum):
    """Where a trial of a tuning stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"


class SplitBy(StrEnum):
    """What stays together when a data set is divided."""

    GROUPS = "groups"
    RANDOM = "random"


class Device(StrEnum):
    """Where tensors live."""

    CUDA = "cuda"
    CPU = "cpu"


MinDetectionConfidence = Annotated[
    float, Field(ge=0, le=1, description="Minimum confidence for hand detection; try 0.15 to 0.7.")
]
MinTrackingConfidence = Annotated[
    float, Field(ge=0, le=1, description="Minimum confidence for following a hand from frame to frame.")
]
SecondLookBelow = Annotated[
    float,
    Field(
        ge=0, le=1, description="A hand read with less confidence is looked at again, in the mirror image; 0: never."
    ),
]
MaxNumHands = Annotated[int, Field(ge=1, le=10, description="How many hands to look for in a picture.")]


class ExtractionOptions(Contract):
    """How hands are looked for in a picture."""

    min_detection_confidence: MinDetectionConfidence = 0.3
    min_tracking_confidence: MinTrackingConfidence = 0.5
    max_num_hands: MaxNumHands = 1
    second_look_below: SecondLookBelow = 0.85


class PreparationOptions(Contract):
    """How a folder of photographs becomes a data set."""

    min_detection_confidence: MinDetectionConfidence = 0.3
    augment_images: int = Field(
        0,
        ge=0,
        le=50,
        description="Add this many altered copies of each photograph: slight rotation, brightness, contrast, mirror.",
    )
    seed: int = Field(42, ge=0, le=MAX_SEED, description="Seed of the altered copies.")


class TrainingOptions(Contract):
    """How a classifier is trained."""

    val_split: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of the data (of its groups) kept for validation; with 0 all rows train in all epochs.",
    )
    split: SplitBy = Field(
        SplitBy.GROUPS,
        description="'groups' keeps each signer or source on one side; 'random' divides row by row.",
    )
    model_type: ModelType = Field(
        ModelType.V1, description="v1: feed-forward; v2: with residual connections, for larger data sets."
    )
    feature_schema: FeatureSchema = Field(
        FeatureSchema.ASL84_V1,
        description="asl84-v1: landmarks and lengths; asl-geo-v1: also joint angles, distances and the palm's own "
        "frame, which read new signers better.",
    )
    hidden_sizes: tuple[Annotated[int, Field(json_schema_extra={"minimum": 1})], ...] = Field(
        DEFAULT_HIDDEN_SIZES, min_length=1, description="Hidden layer sizes, from input to output."
    )
    normalise_input: bool = Field(
        default=False, description="Bring each feature to mean 0 and variance 1 before the first layer."
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout rate; 0.4 to 0.5 against overfitting.")
    epochs: int = Field(100, ge=1, description="Number of training epochs at most.")
    batch_size: int = Field(32, ge=2, description="Rows per step.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate at the start; it follows half a cosine to 0.")
    weight_decay: float = Field(1e-5, ge=0, description="Weight decay (AdamW).")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of each label spread over all letters.")
    use_class_weights: bool = Field(default=False, description="Weigh classes by their inverse frequency.")
    augment: bool = Field(
        default=True,
        description="Turn, stretch and jitter the landmarks anew in each epoch; features are computed after.",
    )
    non_letter_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Train also on hands that are no letters, so many for each hand, to be unsure of; made anew in "
        "each epoch.",
    )
    train_rows_per_class: int | None = Field(
        None, ge=1, description="At most so many rows of a letter and group train, drawn at random; all if not given."
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="Divide scores by this, such as what `asl cross-validate` found, instead of fitting it to the "
        "validation rows.",
    )
    unsure_below: float = Field(
        0.0, ge=0, le=1, description="The model refuses answers of less confidence, such as `asl cross-validate` found."
    )
    not_a_letter_below: float = Field(
        0.0, ge=0, le=1, description="Of answers refused, those of less confidence are taken for no letter."
    )
    patience: int = Field(
        20, ge=0, description="Stop after this many epochs without better validation; 0 never stops early."
    )
    seed: int = Field(42, ge=0, le=MAX_SEED, description="Random seed.")

    @model_validator(mode="after")
    def _sizes_are_positive(self) -> Self:
        if min(self.hidden_sizes) < 1:
            raise ValueError(f"hidden sizes must be positive, found {list(self.hidden_sizes)}")
        return self


_Values = Field(min_length=1, max_length=20)


class TuningOptions(Contract):
    """Which settings of a training are tried, and how each is judged: on groups that training never saw."""

    learning_rates: Annotated[tuple[Annotated[float, Field(ge=1e-8, le=10)], ...], _Values] = Field(
        (1e-4, 1e-3, 1e-2), description="Learning rates to try."
    )
    dropouts: Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], _Values] = Field(
        (0.2, 0.3, 0.4, 0.5), description="Dropout rates to try."
    )
    sizes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4}){0,9}$")], ...], _Values
    ] = Field(("128-64", "256-128-64", "512-256-128"), description="Hidden layer sizes to try, such as 256-128-64.")
    method: TuningMethod = Field(
        TuningMethod.GRID,
        description="grid: the combinations of these values, in random order; tpe: rates between the least and the "
        "greatest of them, chosen by what did well before (Tree-structured Parzen Estimator).",
    )
    n_trials: int = Field(36, ge=1, le=1000, description="At most so many settings are tried; a grid may have fewer.")
    prune: bool = Field(
        default=True,
        description="Give a trial up that cannot become the best any more, or whose groups are read worse than the "
        "best trial's (Wilcoxon's test, p < 0.1).",
    )
    exclude_labels: tuple[Label, ...] = Field(
        (), max_length=100, description="Letters to leave out, such as J Z, which are movements."
    )
    test_rows_per_class: int | None = Field(
        None, ge=1, description="At most so many rows of a letter and group are tested; all if not given."
    )
    n_seeds: int = Field(
        1, ge=1, le=20, description="Train each group's models so often, with other seeds, and average."
    )


class TuningTrial(Contract):
    """Settings that a tuning has tried, and how well people were read with them whom training never saw."""

    number: int = Field(ge=1)
    state: TriedState = Field(description="pruned: given up, for it cannot become the best.")
    learning_rate: float
    dropout: float
    hidden_sizes: tuple[int, ...]
    n_judged: int = Field(ge=1, description="How many trainings were judged so far, one for each group and seed.")
    mean_accuracy: float = Field(description="Over those judged so far, each counting the same.")
    worst_group: str = Field(description="The signer or source that was read worst.")
    worst_accuracy: float
