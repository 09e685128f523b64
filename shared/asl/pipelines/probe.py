"""Work that only takes time, to try the whole road from the call to the worker and the store."""

import json
import time
from typing import Final

from asl.contracts import ProbeRequest, Progress
from asl.errors import Stopped
from asl.pipelines.context import Context, Outcome
from asl.pipelines.requests import parse

FILE: Final = "probe.json"

_LOOK_EVERY_S: Final = 0.1


def run(context: Context) -> Outcome:
    """Sleep step by step, and write a small file that tells which attempt came through.

    Raises:
        Stopped: It was told to.
    """
    request = parse(context, ProbeRequest)
    for step in range(request.n_steps):
        _sleep(context, request.step_s)
        context.tell_progress(Progress(done=step + 1, total=request.n_steps, unit="steps"))
    found = {"attempt": context.claim.attempt, "n_steps": request.n_steps}
    path = context.folder / FILE
    path.write_text(json.dumps({"job": context.claim.job_id, **found}) + "\n", encoding="utf-8")
    return Outcome(found, {FILE: path})


def _sleep(context: Context, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        if context.is_stopping():
            raise Stopped("the probe was told to stop")
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _LOOK_EVERY_S))
