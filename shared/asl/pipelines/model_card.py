"""A page about a model for people: what it is, what it was made of, how it did, and what that does not tell.

After Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from asl.contracts import Lineage, TrainingOptions

FILE: Final = "model_card.md"


def write(
    folder: Path,
    *,
    version: str,
    label_names: Sequence[str],
    options: TrainingOptions,
    metrics: Mapping[str, Any],
    lineage: Lineage,
    groups: Sequence[str],
) -> None:
    """Write the card of a trained model.

    Args:
        folder: Where to.
        version: As answers name the model.
        label_names: The letters that it knows.
        options: How it was trained.
        metrics: The figures of the training and of its best epoch.
        lineage: What it was made of.
        groups: The signers or sources that it was trained on.
    """
    sections = {
        f"Model {version}": _about(label_names, options),
        "Data": _data(metrics, lineage, groups),
        "How it did": _figures(metrics),
        "Settings": (f"- {name}: {_shown(value)}" for name, value in options.model_dump(mode="json").items()),
        "Limits": _limits(metrics),
    }
    lines = []
    for depth, (title, body) in enumerate(sections.items()):
        lines += [f"{'#' if depth == 0 else '##'} {_plain(title)}", "", *body, ""]
    (folder / FILE).write_text("\n".join(lines), encoding="utf-8")


def _about(label_names: Sequence[str], options: TrainingOptions) -> Iterator[str]:
    sizes = ", ".join(map(str, options.hidden_sizes))
    yield "Reads the letter that a hand signs (American Sign Language's manual alphabet) from 21 landmarks of the hand."
    yield ""
    yield f"- letters: {', '.join(map(_plain, label_names))}"
    yield f"- network: {options.model_type} with hidden sizes {sizes}"


def _data(metrics: Mapping[str, Any], lineage: Lineage, groups: Sequence[str]) -> Iterator[str]:
    yield f"- rows that trained: {metrics['n_train']:,}"
    yield f"- rows that validated: {metrics['n_val']:,}"
    yield f"- signers or sources that trained: {', '.join(map(_plain, groups)) or 'unknown'}"
    validated = ", ".join(map(_plain, metrics["val_groups"]))
    yield f"- divided by: {metrics['split_by']}" + (f"; {validated} validated" if validated else "")
    yield from (f"- data set version: {digest}" for digest in lineage.dataset_versions)
    yield from (f"- features: {sha256}" for sha256 in lineage.features)
    yield f"- job: {lineage.job_id}"
    yield f"- code: {_plain(lineage.code_version)}"


def _figures(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield f"- best epoch: {metrics['best_epoch']} of {metrics['epochs_done']}"
    for name in ("val_accuracy", "val_loss", "train_accuracy", "train_loss"):
        if metrics.get(name) is not None:
            yield f"- {name.replace('val', 'validation').replace('_', ' ')}: {metrics[name]:.4f}"
    yield f"- temperature: {metrics['temperature']:.3f}"


def _limits(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "- Accuracy on signers never seen must be measured with an evaluation on other signers."
    if not metrics["n_val"]:
        yield "- Nothing validated: there is no accuracy at all yet."
    elif metrics["split_by"] != "groups":
        yield "- Validation has rows of the same signers as training: its accuracy is not one on new signers."
    yield "- J and Z are movements; a photograph shows only how they start."
    yield from (f"- {_plain(notice)}" for notice in metrics["notices"])


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(text: str) -> str:
    """Escape what Markdown would take for more than text: names come from users."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|!" else character for character in text)
