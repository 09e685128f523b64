"""The picture of a request, read into memory."""

from typing import Any, Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from asl.errors import ImageTooLarge, ImageTypeUnsupported, InvalidInput
from services.gateway.limits import MULTIPART_OVERHEAD_BYTES

FIELD: Final = "file"
_MAX_OTHER_FIELDS: Final = 16
_HINT: Final = 'Send it as curl does: curl -F "file=@sign.jpg" http://HOST:PORT/api/v1/asl/recognitions'

BODY_SCHEMA: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {
                        "type": "string",
                        "format": "binary",
                        "description": "A photograph of one hand: JPEG, PNG, WebP, GIF, BMP or TIFF.",
                    }
                },
            }
        }
    },
}
"""For the OpenAPI document: the form is read here and not by FastAPI, whose parser writes files above 1 MB to disk."""


async def read_picture(request: Request, max_bytes: int) -> bytes:
    """Read the form's field `file`.

    Args:
        request: A multipart form.
        max_bytes: Largest picture accepted.

    Raises:
        ImageTypeUnsupported: The request is no multipart form.
        ImageTooLarge: More bytes than allowed.
        InvalidInput: The form is malformed, or holds no such file.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type != b"multipart/form-data" or not options.get(b"boundary"):
        raise ImageTypeUnsupported("expected a form (multipart/form-data with a boundary)", hint=_HINT)
    try:
        return await _read_field(request, max_bytes)
    except MultiPartException as error:
        raise InvalidInput(
            f"expected a form with one file of the name '{FIELD}', found one that is malformed or holds more",
            hint=_HINT,
        ) from error
    except HTTPException as error:
        if error.status_code == 413:
            raise _too_large(max_bytes) from error
        raise


async def _read_field(request: Request, max_bytes: int) -> bytes:
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=_MAX_OTHER_FIELDS,
        max_part_size=MULTIPART_OVERHEAD_BYTES,
    )
    # Beyond what `limits.BodyLimit` lets through: nothing is ever spooled to disk.
    parser.spool_max_size = max_bytes + MULTIPART_OVERHEAD_BYTES
    form = await parser.parse()
    try:
        part = form.get(FIELD)
        if not isinstance(part, UploadFile):
            found = "a text of that name" if part is not None else "none"
            raise InvalidInput(f"expected a file of the name '{FIELD}' in the form, found {found}", hint=_HINT)
        if (part.size or 0) > max_bytes:
            raise _too_large(max_bytes)
        return await part.read()
    finally:
        await form.close()


def _too_large(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"expected at most {max_bytes:,} bytes, found more", hint="640 pixels on a side are plenty.")
