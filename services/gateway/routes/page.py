"""`/`: the web page, its own files, and what it needs beside them; all served from here, nothing from elsewhere."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from asl.core import landmarker
from asl.errors import PageUnavailable
from asl.infra import page_files
from services.gateway.startup import gateway_of

router = APIRouter(include_in_schema=False)

PREFIX: Final = "/page"
_WEB: Final = Path(__file__).parents[2] / "web"
_IMPORT_MAP: Final = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_GZIP_LEVEL: Final = 6


@router.get("/")
def page() -> Response:
    """Answer with the page, or with how to get it where its third-party files were not fetched."""
    name = "index.html" if page_files.folder().is_dir() else "missing.html"
    html = (_WEB / name).read_text(encoding="utf-8")
    return HTMLResponse(html, headers=_headers(html))


@router.get(f"{PREFIX}/{landmarker.FILE_NAME}")
def landmarker_file(request: Request) -> Response:
    """Send the hand landmarker's model, the same that recognition uses."""
    path = gateway_of(request).settings.hand_landmarker_path or landmarker.default_path()
    if not path.is_file():
        raise PageUnavailable("the hand landmarker's model is not there", hint="Run `asl landmarker`.")
    return FileResponse(path, headers=_headers(""), media_type="application/octet-stream")


def install(app: FastAPI) -> None:
    """Serve the page's files; call after its router was included."""
    fetched = page_files.folder()
    vendor = fetched / page_files.VENDOR
    # Already as small as they get, or not worth the time that it takes to compress them.
    app.mount(f"{PREFIX}/wasm", _Files(vendor / "wasm"))
    app.mount(f"{PREFIX}/samples", _Files(fetched / page_files.SAMPLES))
    app.mount(f"{PREFIX}/vendor", _Files(vendor, is_packed=True))
    app.mount(PREFIX, _Files(_WEB, is_packed=True))


class _Files:
    """ASGI application: a folder that may come later, with the page's headers; a worker's script needs them too."""

    def __init__(self, folder: Path, *, is_packed: bool = False) -> None:
        self._folder = folder
        files = StaticFiles(directory=folder, check_dir=False)
        self._app = GZipMiddleware(files, compresslevel=_GZIP_LEVEL) if is_packed else files
        self._headers = _headers("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._folder.is_dir():
            raise HTTPException(404)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_guarded)


def _headers(html: str) -> dict[str, str]:
    """Return headers that keep a page to what this server sends, its camera to itself, and others from framing it."""
    policy = {
        "default-src": "'self'",
        # The landmarker is compiled WebAssembly; the import map stands in the document, and is known by its hash.
        "script-src": " ".join(["'self'", "'wasm-unsafe-eval'", *_hashes(html)]),
        "img-src": "'self' blob: data:",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",  # asked again each time, and answered with 304: an update is never half there
    }


def _hashes(html: str) -> list[str]:
    digests = (hashlib.sha256(text.encode()).digest() for text in _IMPORT_MAP.findall(html))
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
