"""The pictures of a request, read into memory."""

from collections.abc import Sequence
from typing import Any, Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from asl.contracts import MAX_BATCH
from asl.errors import ImageTooLarge, ImageTypeUnsupported, InvalidInput
from services.gateway.limits import BATCH_IMAGES, MULTIPART_OVERHEAD_BYTES

FIELD: Final = "file"
_MAX_OTHER_FIELDS: Final = 16
_HINT: Final = 'Send it as curl does: curl -F "file=@sign.jpg" http://HOST:PORT/api/v1/asl/recognitions'
_BATCH_HINT: Final = 'Send them as curl does: curl -F "file=@1.jpg" -F "file=@2.jpg" ...'
_FORM: Final = b"multipart/form-data"
_RAW: Final = "application/octet-stream"
_RAW_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff", _RAW)
_SMALLER_HINT: Final = "640 pixels on a side are plenty."

_BINARY: Final = {"type": "string", "format": "binary"}
_PHOTOGRAPH: Final = {**_BINARY, "description": "A photograph of a hand: JPEG, PNG, WebP, GIF, BMP or TIFF."}


def _form_schema(field: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "object", "required": [FIELD], "properties": {FIELD: field}}}


BODY_SCHEMA: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": _form_schema(_PHOTOGRAPH),
        **{media_type: {"schema": _BINARY} for media_type in _RAW_TYPES},
    },
}
"""For the OpenAPI document: the form is read here and not by FastAPI, whose parser writes files above 1 MB to disk."""

BATCH_SCHEMA: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": _form_schema(
            {"type": "array", "items": _PHOTOGRAPH, "minItems": 1, "maxItems": MAX_BATCH}
        )
    },
}


async def read_picture(request: Request, max_bytes: int) -> bytes:
    """Read the form's field `file`, or the whole body where that is the picture.

    Args:
        request: A multipart form, or an image file as it is.
        max_bytes: Largest picture accepted.

    Raises:
        ImageTypeUnsupported: The request is neither.
        ImageTooLarge: More bytes than allowed.
        InvalidInput: The form is malformed, or holds no such file.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    try:
        if content_type.startswith(b"image/") or content_type == _RAW.encode():
            return _checked(await request.body(), max_bytes)
        if content_type != _FORM or not options.get(b"boundary"):
            raise ImageTypeUnsupported(
                "expected a form (multipart/form-data with a boundary) or an image (image/jpeg, ...)", hint=_HINT
            )
        (picture,) = await _read_files(request, max_bytes, max_bytes, max_files=1, hint=_HINT)
    except HTTPException as error:
        if error.status_code == 413:
            raise _too_large(max_bytes) from error
        raise
    return _checked(picture, max_bytes)


async def read_pictures(request: Request, max_bytes: int) -> Sequence[bytes]:
    """Read all files of the name `file` from a form, in their order; one may be too large, as `decode` will tell.

    Args:
        request: A multipart form.
        max_bytes: Largest picture accepted.

    Raises:
        ImageTypeUnsupported: The request is no form.
        ImageTooLarge: Together they have more bytes than allowed.
        InvalidInput: The form is malformed, or holds no such file, or too many.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type != _FORM or not options.get(b"boundary"):
        raise ImageTypeUnsupported("expected a form (multipart/form-data with a boundary)", hint=_BATCH_HINT)
    total = BATCH_IMAGES * max_bytes
    try:
        return await _read_files(request, max_bytes, total, max_files=MAX_BATCH, hint=_BATCH_HINT)
    except HTTPException as error:
        if error.status_code == 413:
            raise _too_large(total) from error
        raise


async def _read_files(
    request: Request, max_bytes: int, total_bytes: int, *, max_files: int, hint: str
) -> Sequence[bytes]:
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=max_files,
        max_fields=_MAX_OTHER_FIELDS,
        max_part_size=MULTIPART_OVERHEAD_BYTES,
    )
    # Beyond what `limits.BodyLimit` lets through: nothing is ever spooled to disk.
    parser.spool_max_size = total_bytes + MULTIPART_OVERHEAD_BYTES
    try:
        form = await parser.parse()
    except MultiPartException as error:
        files = "one file" if max_files == 1 else f"up to {max_files} files"
        raise InvalidInput(
            f"expected a form with {files} of the name '{FIELD}', found one that is malformed or holds more", hint=hint
        ) from error
    try:
        # One byte too many is enough to tell that a picture is too large.
        return [await part.read(max_bytes + 1) for part in _files_of(form, hint)]
    finally:
        await form.close()


def _files_of(form: FormData, hint: str) -> Sequence[UploadFile]:
    parts = form.getlist(FIELD)
    files = [part for part in parts if isinstance(part, UploadFile)]
    if not files or len(files) < len(parts):
        found = "a text of that name" if parts else "none"
        raise InvalidInput(f"expected a file of the name '{FIELD}' in the form, found {found}", hint=hint)
    return files


def _checked(picture: bytes, max_bytes: int) -> bytes:
    if len(picture) > max_bytes:
        raise _too_large(max_bytes)
    return picture


def _too_large(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"expected at most {max_bytes:,} bytes, found more", hint=_SMALLER_HINT)
