"""The list of a data set version's photographs: its lines, and their files fetched a little ahead of the work."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from asl.contracts import SHARD_SIZE
from asl.core.photographs import Photograph
from asl.errors import NotFound
from asl.pipelines.context import Context
from asl.pipelines.sources import find_version

_FETCHERS: Final = 4
_AHEAD: Final = 32
"""Photographs fetched before they are asked for; with those at work, at most twice as many lie in the folder."""


class Line(NamedTuple):
    """One photograph of the list."""

    id: str
    key: str
    label: str
    name: str
    sha256: str
    signer: str
    size_bytes: int

    def to_photograph(self, path: Path) -> Photograph:
        """Describe the photograph as the core knows it; its content tells it from others, since names repeat."""
        return Photograph(path, self.name, self.label, self.signer, self.sha256)


def read_lines(context: Context) -> list[Line]:
    """Fetch the list that the request names, and read it, or a part's share of it.

    Raises:
        NotFound: The data set or its version is there no more.
        Unavailable: The store cannot be reached, or gives other bytes.
    """
    request = context.claim.request
    with context.database.reading() as session:
        version = find_version(session, context.claim.tenant, request)
    if version is None:
        raise NotFound(
            f"expected version {request['version']} of data set {request['dataset']}, found none",
            hint="It was deleted; submit the job with another one.",
        )
    path = context.folder / "manifest.jsonl"
    context.storage.get(version.manifest_key, path, sha256=version.digest)
    size, shard = request.get("shard_size") or SHARD_SIZE, context.claim.shard
    first, last = (0, None) if shard is None else (size * shard, size * (shard + 1))
    with path.open(encoding="utf-8") as file:
        return [Line(**json.loads(text)) for text in islice(file, first, last)]


@contextmanager
def fetched(context: Context, lines: Sequence[Line]) -> Iterator[Iterator[Photograph]]:
    """Fetch photographs in the background, in their order; who has used one removes it."""
    pool = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="fetch")
    try:
        yield _in_order(context, pool, lines)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(context: Context, pool: ThreadPoolExecutor, lines: Sequence[Line]) -> Iterator[Photograph]:
    def fetch(line: Line) -> Photograph:
        path = context.folder / "photographs" / line.id
        context.storage.get(line.key, path, sha256=line.sha256)
        return line.to_photograph(path)

    begun: deque[Future[Photograph]] = deque()
    for line in lines:
        begun.append(pool.submit(fetch, line))
        if len(begun) > _AHEAD:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
