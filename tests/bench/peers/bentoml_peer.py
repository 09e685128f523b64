"""Recognition behind BentoML: two worker processes, the form's file as its documentation has it."""

from pathlib import Path

import bentoml
from reading import N_WORKERS, PATH, answer, new_recognizer


@bentoml.service(workers=N_WORKERS, traffic={"timeout": 60}, metrics={"enabled": False})
class Recognition:
    """One recognizer a worker."""

    def __init__(self) -> None:
        self._recognizer = new_recognizer()

    @bentoml.api(route=PATH)
    def recognize(self, file: Path) -> dict[str, object]:
        """Read a photograph."""
        return answer(self._recognizer, file.read_bytes())
