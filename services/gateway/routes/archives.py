"""`/api/v1/datasets/{dataset}/archive`: photographs in any number, as one stream that can be sent again."""

import asyncio
import io
import warnings
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from PIL import Image
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from asl.contracts import Contract, Sha256, Upload
from asl.core.images import MAX_IMAGE_PIXELS
from asl.errors import ImageTooLarge, ImageUnreadable
from asl.infra import datasets
from asl.infra.archive_entries import ArchiveLimits
from asl.infra.archive_names import Layout
from asl.infra.archives import read_archive
from services.gateway import errors
from services.gateway.routes.datasets import PREFIX, DatasetName, Writer
from services.gateway.security import STATUSES
from services.gateway.spooling import spooled
from services.gateway.startup import Gateway, gateway_of

router = APIRouter(prefix=PREFIX, tags=["datasets"])

MAX_HASHES: Final = 1000
_MEDIA_TYPES: Final = (
    "application/zip",
    "application/gzip",
    "application/x-gzip",
    "application/x-tar",
    "application/octet-stream",
)
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What `asl.core.images.decode` reads."""
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in _MEDIA_TYPES},
}


class Hashes(Contract):
    """SHA-256 hashes of photographs."""

    sha256: tuple[Sha256, ...] = Field(max_length=MAX_HASHES)


@router.post(
    "/{dataset}/archive",
    summary="Add an archive of photographs",
    description="A zip, tar or tar.gz of `<letter>/file.jpg` or `<signer>/<letter>/file.jpg`, as the raw body: "
    "`curl -T data.zip -X POST -H 'Content-Type: application/zip' ...`. What is there already is not added again, so "
    "an upload that broke off is completed by sending it once more.",
    responses=errors.documented(*STATUSES, 404, 413, 415, 422, 500),
    openapi_extra={"requestBody": _BODY},
)
async def add_archive(
    dataset: DatasetName,
    caller: Writer,
    request: Request,
    layout: Annotated[Layout, Query(description="What the folders stand for.")] = Layout.AUTO,
) -> Upload:
    """Add the photographs of an archive."""
    gateway = gateway_of(request)
    dataset_id = await run_in_threadpool(_find, gateway, caller.tenant, dataset)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _MEDIA_TYPES:
        raise HTTPException(415)
    async with spooled(request, gateway.settings.max_archive_bytes) as path:
        # Not in the threads that answer other calls: this can take minutes.
        return await asyncio.to_thread(_read, gateway, dataset_id, path, layout)


@router.post(
    "/{dataset}/hashes",
    summary="Tell which photographs are there",
    description="Answers those of the given hashes whose photographs the data set has, so that a client sends only "
    "the others.",
    responses=errors.documented(*STATUSES, 400, 404, 413, 422, 500),
)
def known_hashes(dataset: DatasetName, body: Hashes, caller: Writer, request: Request) -> Hashes:
    """Tell which photographs are there already."""
    with gateway_of(request).database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        return Hashes(sha256=tuple(sorted(datasets.known_hashes(session, dataset_id, body.sha256))))


def _find(gateway: Gateway, tenant: str, dataset: str) -> str:
    with gateway.database.reading() as session:
        return datasets.find(session, tenant, dataset).id


def _read(gateway: Gateway, dataset_id: str, path: Path, layout: Layout) -> Upload:
    limits = ArchiveLimits(
        max_image_bytes=gateway.settings.max_image_bytes, max_total_bytes=gateway.settings.max_archive_bytes
    )
    files = read_archive(path, limits, layout=layout)
    return datasets.add_archive(gateway.database, gateway.storage, dataset_id, files, _check_header)


def _check_header(content: bytes) -> None:
    """Check what is cheap to check of a picture; its pixels are decoded by the extraction.

    Raises:
        ImageTooLarge: The header tells of too many pixels.
        ImageUnreadable: No picture of a supported type starts like this, or its checksums are wrong.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            n_pixels = image.width * image.height
            image.verify()
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(f"expected at most {MAX_IMAGE_PIXELS:,} pixels, found far more") from error
    # Pillow's decoders raise many types for damaged files, and document none of them.
    except Exception as error:
        raise ImageUnreadable(
            f"expected a JPEG, PNG, WebP, GIF, BMP or TIFF file, found none or a damaged one ({type(error).__name__})"
        ) from error
    if n_pixels > MAX_IMAGE_PIXELS:
        raise ImageTooLarge(f"expected at most {MAX_IMAGE_PIXELS:,} pixels, found {n_pixels:,}")
