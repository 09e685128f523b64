"""A short card for a model that came as a file, of which only the file is known."""

import json
from typing import Final

from asl.contracts import Model, ModelSource

_ORIGIN: Final = {
    ModelSource.IMPORT: "It was imported: what it was trained on is not known here.",
    ModelSource.TRAINING: "It was trained here; its training left no card.",
}


def write(model: Model) -> str:
    """Return a card in Markdown; texts of the file stand in code blocks, where Markdown does not read them."""
    facts = {"version": model.version, "letters": model.label_names, "sha256": model.sha256, "figures": model.metrics}
    lines = [f"# Model {model.number}", "", _ORIGIN[model.source], ""]
    lines += [f"    {name}: {json.dumps(value)}" for name, value in facts.items()]
    lines += ["", "## Evaluations", ""]
    lines += [
        f"- job {found.job_id}: accuracy {found.accuracy:.4f} on {found.n_rows:,} rows of data {found.data_digest[:12]}"
        for found in model.evaluations
    ] or ["None yet: how it reads other signers' hands is not known."]
    return "\n".join((*lines, ""))
