"""Answers with a file's bytes: whole or a range of them, or only that nothing has changed (RFC 9110, 13 and 14)."""

import base64
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from asl.infra.storage import Storage
from asl.infra.tables import Artifact

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def respond(artifact: Artifact, storage: Storage, asked: Headers) -> Response:
    """Answer with an artifact's bytes, straight from the store.

    Args:
        artifact: Its row.
        storage: Where the bytes are.
        asked: The request's headers: `Range`, `If-Range` and `If-None-Match` are followed.

    Raises:
        HTTPException: The range lies beyond the end: 416.
        NotFound, Unavailable: The store does not give the bytes.
    """
    headers = describe(artifact)
    if is_unchanged(artifact, asked):
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    size = artifact.size_bytes
    part = _part(asked, headers["ETag"], size)
    start, end = part or (0, size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(
        storage.open(artifact.key, start=start, end=end),
        status_code=200 if part is None else 206,
        headers=headers,
        media_type=artifact.media_type,
    )


def describe(artifact: Artifact) -> dict[str, str]:
    """Return the headers that tell about an artifact."""
    digest = base64.b64encode(bytes.fromhex(artifact.sha256)).decode()
    return {
        "ETag": f'"{artifact.sha256}"',
        "X-Content-SHA256": artifact.sha256,
        "Repr-Digest": f"sha-256=:{digest}:",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Length": str(artifact.size_bytes),
        "Content-Disposition": _disposition(artifact.name),
        "X-Content-Type-Options": "nosniff",
    }


def is_unchanged(artifact: Artifact, asked: Headers) -> bool:
    """Tell whether the client has the artifact's bytes already."""
    tags = [tag.strip().removeprefix("W/") for tag in asked.get("If-None-Match", "").split(",")]
    return f'"{artifact.sha256}"' in tags or tags == ["*"]


def _part(asked: Headers, etag: str, size_bytes: int) -> tuple[int, int] | None:
    """Return what the client asked for as `[start, end)`; None for all, also where it asked in a form not read here."""
    found = _RANGE.fullmatch(asked.get("Range", "").replace(" ", ""))
    if found is None or asked.get("If-Range", etag) != etag or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(first) > int(last):
        return None
    start = int(first) if first else max(size_bytes - int(last), 0)
    end = min(int(last) + 1, size_bytes) if first and last else size_bytes
    if start >= end:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{size_bytes}"})
    return start, end


def _disposition(name: str) -> str:
    return (
        f'attachment; filename="{name}"'
        if _PLAIN_NAME.fullmatch(name)
        else f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    )


BYTES: Final[Mapping[int | str, dict[str, object]]] = {
    200: {
        "description": "The bytes.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "The bytes asked for by `Range`.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client has these bytes already."},
    307: {"description": "Where the store gives them, for a few minutes."},
}
"""Answers with bytes, for the OpenAPI document."""
