"""Data sets: labelled photographs, added in any number, and immutable versions of them."""

from asl.infra.datasets.datasets import add, delete, describe, find, page
from asl.infra.datasets.samples import change, find_sample, known_hashes, note_outcomes, page_samples, to_sample
from asl.infra.datasets.uploads import Photograph, add_archive, add_photograph
from asl.infra.datasets.versions import find_version, freeze, make_version, page_versions, to_version

__all__ = [
    "Photograph",
    "add",
    "add_archive",
    "add_photograph",
    "change",
    "delete",
    "describe",
    "find",
    "find_sample",
    "find_version",
    "freeze",
    "known_hashes",
    "make_version",
    "note_outcomes",
    "page",
    "page_samples",
    "page_versions",
    "to_sample",
    "to_version",
]
