"""Data sets of labelled photographs, their samples and their immutable versions."""

from enum import StrEnum

from pydantic import Field

from asl.contracts.base import Contract, Id, Label, Name, Sha256, Signer, Time


class DatasetRequest(Contract):
    """A data set to be made."""

    name: Name
    description: str = Field("", max_length=2000)


class SampleState(StrEnum):
    """What is known of a photograph; all but `excluded` come of the last extraction."""

    NEW = "new"
    FOUND = "found"
    NO_HAND = "no_hand"
    UNREADABLE = "unreadable"
    EXCLUDED = "excluded"


class Count(Contract):
    """How many samples of a class and a signer there are, excluded ones left out."""

    label: str
    signer: str
    n_samples: int


class Dataset(Contract):
    """A data set as it stands."""

    id: Id
    name: str
    description: str
    n_samples: int = Field(description="Without excluded ones.")
    n_excluded: int
    counts: tuple[Count, ...]
    last_version: int | None
    created_at: Time


class Sample(Contract):
    """A labelled photograph."""

    id: Id
    name: str = Field(description="The file's name when it was added.")
    label: str
    signer: str
    sha256: Sha256
    size_bytes: int
    state: SampleState
    created_at: Time


class SampleChange(Contract):
    """What is to be corrected of a sample; what is not given stays."""

    label: Label | None = None
    signer: Signer | None = None
    excluded: bool | None = None


class SkippedFile(Contract):
    """A file of an upload that was not added."""

    name: str
    reason: str


class Upload(Contract):
    """What became of the files of an upload."""

    n_added: int
    n_already_there: int
    n_skipped: int
    skipped: tuple[SkippedFile, ...] = Field(description="The first hundred.")


class DatasetVersion(Contract):
    """An immutable state of a data set, to which jobs refer."""

    id: Id
    dataset_id: Id
    number: int
    digest: Sha256 = Field(description="Of the list of its samples, their labels and signers.")
    n_samples: int
    counts: tuple[Count, ...]
    created_at: Time
