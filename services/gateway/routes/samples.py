"""`/api/v1/datasets/{dataset}/samples`: photographs, one by one."""

from itertools import chain
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Header, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from asl.contracts import Id, Label, Page, Sample, SampleChange, SampleState, Sha256, Signer
from asl.core import images
from asl.infra import datasets
from services.gateway import errors
from services.gateway.routes.datasets import LOCATION, PREFIX, Cursor, DatasetName, Limit, Reader, Writer
from services.gateway.security import STATUSES
from services.gateway.startup import gateway_of

router = APIRouter(prefix=PREFIX, tags=["datasets"])

_MEDIA_TYPES: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II": "image/tiff",
    b"MM": "image/tiff",
}
"""First bytes of what `asl.core.images` reads -> media type."""
_MAX_HASHES: Final = 60
"""In one call: the address stays below 8 kB, which every server between takes."""
_UNKNOWN: Final = "application/octet-stream"
_IMAGE: Final[dict[str, Any]] = {
    "description": "The file as it was added.",
    "content": {
        media_type: {"schema": {"type": "string", "format": "binary"}}
        for media_type in sorted({*_MEDIA_TYPES.values(), _UNKNOWN})
    },
}


@router.post(
    "/{dataset}/samples",
    summary="Add a photograph",
    description="200 with the sample where the same photograph is there with the same label; 409 where it is there "
    "with another label or signer.",
    status_code=201,
    responses={
        200: {"model": Sample, "description": "It is there already.", "headers": LOCATION},
        201: {"headers": LOCATION},
        **errors.documented(*STATUSES, 400, 404, 409, 413, 415, 422, 500),
    },
)
def add(
    *,
    dataset: DatasetName,
    file: UploadFile,
    label: Annotated[Label, Form()],
    caller: Writer,
    request: Request,
    response: Response,
    signer: Annotated[Signer, Form()] = "",
) -> Sample:
    """Add one photograph."""
    gateway = gateway_of(request)
    with gateway.database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
    max_bytes = gateway.settings.max_image_bytes
    content = file.file.read(max_bytes + 1)
    images.decode(content, max_bytes=max_bytes)
    photograph = datasets.Photograph(file.filename or "", label, signer, content)
    row, is_new = datasets.add_photograph(gateway.database, gateway.storage, dataset_id, photograph)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"{PREFIX}/{dataset_id}/samples/{row.id}"
    return datasets.to_sample(row)


@router.get("/{dataset}/samples", summary="List samples", responses=errors.documented(*STATUSES, 404, 422, 500))
def list_all(
    *,
    dataset: DatasetName,
    caller: Reader,
    request: Request,
    label: Annotated[Label | None, Query()] = None,
    signer: Annotated[Signer | None, Query()] = None,
    state: SampleState | None = None,
    sha256: Annotated[
        tuple[Sha256, ...], Query(max_length=_MAX_HASHES, description="Only these photographs, by their files' hashes.")
    ] = (),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Sample]:
    """List samples, the newest first."""
    with gateway_of(request).database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        return datasets.page_samples(
            session, dataset_id, label=label, signer=signer, state=state, sha256=sha256, limit=limit, cursor=cursor
        )


@router.get(
    "/{dataset}/samples/{sample}", summary="Show a sample", responses=errors.documented(*STATUSES, 404, 422, 500)
)
def show(dataset: DatasetName, sample: Id, caller: Reader, request: Request) -> Sample:
    """Show what is known of a sample."""
    with gateway_of(request).database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        return datasets.to_sample(datasets.find_sample(session, dataset_id, sample))


@router.get(
    "/{dataset}/samples/{sample}/image",
    summary="Download a photograph",
    response_class=StreamingResponse,
    responses={
        200: _IMAGE,
        304: {"description": "It is the one that If-None-Match names."},
        **errors.documented(*STATUSES, 404, 422, 500),
    },
)
def image(
    dataset: DatasetName,
    sample: Id,
    caller: Reader,
    request: Request,
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
) -> Response:
    """Send the file of a sample."""
    gateway = gateway_of(request)
    with gateway.database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        row = datasets.find_sample(session, dataset_id, sample)
    etag = f'"{row.sha256}"'
    if etag in if_none_match:
        return Response(status_code=304, headers={"ETag": etag})
    content = gateway.storage.open(row.key)
    start = next(content, b"")
    return StreamingResponse(
        chain([start], content),
        media_type=_media_type(start),
        headers={
            "ETag": etag,
            "Content-Length": str(row.size_bytes),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name.rpartition('/')[2], safe='')}",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.patch(
    "/{dataset}/samples/{sample}",
    summary="Correct a sample",
    description="Changes its label or signer, leaves it out, or takes it in again; versions keep what they had.",
    responses=errors.documented(*STATUSES, 400, 404, 413, 422, 500),
)
def change(dataset: DatasetName, sample: Id, body: SampleChange, caller: Writer, request: Request) -> Sample:
    """Correct a sample."""
    with gateway_of(request).database.transaction() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        return datasets.to_sample(datasets.change(session, dataset_id, sample, body))


def _media_type(start: bytes) -> str:
    return next((media_type for magic, media_type in _MEDIA_TYPES.items() if start.startswith(magic)), _UNKNOWN)
