"""Where artifacts lie: one protocol, kept by a folder or by a bucket on an S3 server."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from asl.errors import OptionsInvalid
from asl.infra.storage.folder import FolderStorage
from asl.infra.storage.objects import Entry, Storage, Stored, check_key, check_prefix
from asl.infra.storage.s3 import DEFAULT_REGION, S3Storage

__all__ = [
    "Entry",
    "FolderStorage",
    "S3Storage",
    "Storage",
    "Stored",
    "check_key",
    "check_prefix",
    "open_storage",
]

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS: Final = {"endpoint", "region", "public_endpoint"}
_HINT: Final = "Use file:///folder, a path, or s3://bucket?endpoint=http://host:9000."


def open_storage(url: str, access_key: str | None = None, secret_key: str | None = None) -> Storage:
    """Open the store that a URL names; nothing is sent or made yet.

    - `/folder`, `folder`, `~/folder` or `file:///folder`: a folder of this machine;
    - `s3://bucket?endpoint=http://host:9000`: a bucket on an S3 server, with TLS where the endpoint is `https://`;
      `&region=eu-west-1` (us-east-1 where left out); `&public_endpoint=https://files.example.org`, the server as users
      reach it, for presigned URLs (the endpoint where left out). Values may be percent-encoded.

    Args:
        url: The store's URL.
        access_key: For S3: who asks.
        secret_key: For S3: signs the requests.

    Raises:
        OptionsInvalid: The URL is of none of these forms, or a key is missing.
    """
    # One letter before the colon is a drive of Windows.
    scheme = found[1].lower() if (found := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", url)) else ""
    if scheme == "s3":
        return _open_s3(url, access_key, secret_key)
    if scheme == "file":
        return FolderStorage(_folder_of(url))
    if scheme or not url.strip() or "\0" in url:
        raise OptionsInvalid(f"expected a store's URL or path, found {_shown(url)}", hint=_HINT)
    return FolderStorage(Path(url))


def _folder_of(url: str) -> Path:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or parts.query or parts.fragment:
        raise OptionsInvalid(f"expected file:///folder, found {_shown(url)}", hint="Write three slashes after file:.")
    if "\0" in path:
        raise OptionsInvalid(f"expected a folder, found {_shown(url)}", hint=_HINT)
    return Path(path)


def _open_s3(url: str, access_key: str | None, secret_key: str | None) -> S3Storage:
    parts = urlsplit(url)
    try:
        given = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise OptionsInvalid(
            f"expected options like region=us-east-1 in {_shown(url)} ({error})", hint=_HINT
        ) from error
    options = {name: values[-1] for name, values in given.items()}
    if not _BUCKET.fullmatch(parts.netloc) or parts.path not in ("", "/") or parts.fragment:
        raise OptionsInvalid(f"expected a bucket alone after s3://, found {_shown(url)}", hint=_HINT)
    if unknown := sorted(options.keys() - _OPTIONS):
        raise OptionsInvalid(f"expected the options {', '.join(sorted(_OPTIONS))}, found {', '.join(unknown)}")
    if not options.get("endpoint"):
        raise OptionsInvalid(f"expected an endpoint in {_shown(url)}, found none", hint=_HINT)
    if not access_key or not secret_key:
        raise OptionsInvalid(
            "expected an access key and a secret key for the S3 store, found none",
            hint="Set ASL_STORAGE_ACCESS_KEY and ASL_STORAGE_SECRET_KEY.",
        )
    return S3Storage(
        parts.netloc,
        endpoint=options["endpoint"],
        access_key=access_key,
        secret_key=secret_key,
        region=options.get("region") or DEFAULT_REGION,
        public_endpoint=options.get("public_endpoint") or None,
    )


def _shown(url: str) -> str:
    """Quote a URL without a password that someone may have put in."""
    return repr(re.sub(r"//[^/?#]*@", "//***@", url))
