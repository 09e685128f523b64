"""Several pictures of one call: read side by side at the lowest priority, each for itself."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from asl.contracts import BatchItem, PictureProblem, RecognitionOptions
from asl.errors import AslError, Busy
from services.gateway.recognizer_pool import Priority, RecognizerPool
from services.gateway.served_model import ServingRecognizer

_AGAIN_S: Final = 0.02
"""After so long a picture that found no place asks again: about as long as one takes."""


class Batches:
    """The calls with several pictures that are at work; as many at once as there are recognizers."""

    def __init__(self) -> None:
        self._n_calls = 0

    @contextmanager
    def admitted(self, pool: RecognizerPool[ServingRecognizer]) -> Iterator[None]:
        """Hold a place, before the pictures are received.

        Raises:
            Busy: All are taken.
        """
        if self._n_calls >= pool.n_threads:
            raise Busy("too many batches are at work already", hint="Send it again as Retry-After says.")
        self._n_calls += 1
        try:
            yield
        finally:
            self._n_calls -= 1


async def recognize_all(
    pool: RecognizerPool[ServingRecognizer], pictures: Sequence[bytes], options: RecognitionOptions, timeout_s: float
) -> tuple[BatchItem, ...]:
    """Read pictures; one that cannot be read, or not in time, costs only its own answer.

    Args:
        pool: Reads them.
        pictures: Image files' bytes.
        options: What the answers are to hold.
        timeout_s: How long it may take in all.
    """
    deadline = time.monotonic() + timeout_s
    turn = asyncio.Semaphore(pool.n_threads)

    async def one(picture: bytes) -> BatchItem:
        async with turn:
            return await _item(pool, picture, options, deadline)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(picture)) for picture in pictures]
    return tuple(task.result() for task in tasks)


async def _item(
    pool: RecognizerPool[ServingRecognizer], picture: bytes, options: RecognitionOptions, deadline: float
) -> BatchItem:
    while True:
        left_s = max(0.0, deadline - time.monotonic())
        try:
            recognition = await pool.run(
                lambda recognizer: recognizer.recognize(picture, options), Priority.BATCH, timeout_s=left_s
            )
        except Busy as error:
            if not left_s:
                return _refused(error)
            await asyncio.sleep(_AGAIN_S)
        except AslError as error:
            return _refused(error)
        else:
            return BatchItem.model_construct(recognition=recognition, problem=None)


def _refused(error: AslError) -> BatchItem:
    problem = PictureProblem(code=error.code, detail=error.message, hint=error.hint)
    return BatchItem(recognition=None, problem=problem)
