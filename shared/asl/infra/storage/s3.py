"""A store in a bucket of any server that speaks S3, through the `minio` client."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote
from xml.etree.ElementTree import ParseError

from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from asl.errors import AslError, InvalidInput, NotFound, Unavailable
from asl.infra.storage.objects import Entry, Stored, check_key, check_prefix, check_range, is_key
from asl.infra.storage.s3_client import make_client
from asl.infra.storage.transfer import (
    CHUNK_BYTES,
    Digest,
    Source,
    compare,
    digest_of,
    fetch,
    primed,
    source_of_bytes,
    source_of_file,
)

DEFAULT_REGION: Final = "us-east-1"
MAX_URL_AGE_S: Final = 7 * 24 * 3600
"""The longest life that S3 gives a presigned URL."""

PAUSES_S: Final = (0.2, 0.5, 1.0)  # between attempts; longer troubles are for the job's own retry
_PARTIAL_CONTENT: Final = 206
_MISSING: Final = ("NoSuchKey", "NoSuchBucket")
_REFUSED: Final = (401, 403)
_CONNECT_TIMEOUT_S: Final = 2.0
_CHECK_TIMEOUT_S: Final = 0.9  # for connecting and for the answer, so that a check ends within 2 s
_YOUNG: Final = timedelta(hours=12)
_PART_BYTES: Final = 16 * 1024 * 1024

# A damaged answer makes the client's parsing fail with any of the last four.
_FOREIGN: Final = (MinioException, HTTPError, OSError, ParseError, ValueError, LookupError, TypeError)

_T = TypeVar("_T")


class S3Storage:
    """Keeps each object under its key in one bucket, which is made with the first object."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str = DEFAULT_REGION,
        public_endpoint: str | None = None,
        read_timeout_s: float = 30.0,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        """Take a bucket; nothing is sent.

        Args:
            bucket: Its name.
            endpoint: The server's URL, `http://host:port` or `https://host:port`.
            access_key: Who asks.
            secret_key: Signs the requests.
            region: The region for which requests are signed.
            public_endpoint: The server's URL as users reach it, for presigned URLs; the endpoint where None.
            read_timeout_s: The longest wait for the server's next bytes.
            pauses_s: How long to wait between attempts; there is one attempt more than there are pauses.

        Raises:
            OptionsInvalid: An endpoint or the region is not of its form.
        """
        client_of = partial(make_client, access_key=access_key, secret_key=secret_key, region=region)
        patient = partial(client_of, connect_timeout_s=_CONNECT_TIMEOUT_S, read_timeout_s=read_timeout_s)
        self._bucket, self._pauses_s = bucket, pauses_s
        self._client, self._signing_client = patient(endpoint), patient(public_endpoint or endpoint)
        self._checking_client = client_of(endpoint, connect_timeout_s=_CHECK_TIMEOUT_S, read_timeout_s=_CHECK_TIMEOUT_S)

    def put(self, key: str, path: Path, *, sha256: str | None = None) -> Stored:
        """Upload a file; see `Storage.put`."""
        check_key(key)
        return self._put(key, source_of_file(path, sha256))

    def put_bytes(self, key: str, data: bytes) -> Stored:
        """Upload bytes; see `Storage.put`."""
        check_key(key)
        return self._put(key, source_of_bytes(data))

    def get(self, key: str, path: Path, *, sha256: str) -> None:
        """Download an object; see `Storage.get`."""
        check_key(key)
        self._attempt(f"get {key}", lambda: fetch(key, self._read(key, 0, None), path, sha256))

    def open(self, key: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Read a range of bytes; see `Storage.open`."""
        check_range(start, end)
        if start == end:
            self.size(key)
            return iter(())
        return primed(self._read_on(check_key(key), start, end))

    def size(self, key: str) -> int:
        """Return an object's size; see `Storage.size`."""
        check_key(key)
        return self._attempt(f"look up {key}", lambda: self._size(key))

    def list(self, prefix: str) -> Iterator[Entry]:
        """List objects by prefix; see `Storage.list`."""
        return self._list(check_prefix(prefix))

    def delete(self, key: str) -> None:
        """Delete an object; see `Storage.delete`."""
        check_key(key)
        try:
            self._attempt(f"delete {key}", lambda: self._client.remove_object(self._bucket, key))
        except NotFound:  # S3 has no such answer for an object, but for a bucket
            return

    def presigned_url(self, key: str, *, file_name: str, expires_s: int) -> str | None:
        """Sign a URL for a download; nothing is sent. See `Storage.presigned_url`."""
        if not 1 <= expires_s <= MAX_URL_AGE_S:
            raise InvalidInput(f"expected a URL's age of 1 to {MAX_URL_AGE_S:,} s, found {expires_s:,}")
        return self._signing_client.presigned_get_object(
            self._bucket,
            check_key(key),
            expires=timedelta(seconds=expires_s),
            response_headers={
                "response-content-disposition": f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
            },
        )

    def check(self) -> None:
        """Ask the server once for the bucket, which may not be there yet; see `Storage.check`."""
        try:
            self._checking_client.bucket_exists(self._bucket)
        except _FOREIGN as error:
            raise _translated(error, f"reach the bucket {self._bucket}") from error

    def ensure_bucket(self) -> None:
        """Make the bucket if it is missing.

        Raises:
            Unavailable: The store cannot be reached, or does not let us make one.
        """
        self._attempt(f"make the bucket {self._bucket}", self._make_bucket)

    def _put(self, key: str, source: Source) -> Stored:
        is_damaged = False

        def attempt() -> None:
            nonlocal is_damaged
            if is_damaged or not self._has(key, source.digest.size_bytes):
                self._upload(key, source)
            found = self._read_back(key)
            is_damaged = found != source.digest
            compare(key, source.digest, found)

        self._attempt(f"put {key}", attempt)
        return Stored(key, *source.digest)

    def _has(self, key: str, size_bytes: int) -> bool:
        """Tell whether an object need not be sent; an old one is, since those who remove what is old go by its age."""
        try:
            found = self._client.stat_object(self._bucket, key)
        except S3Error as error:
            if error.code in _MISSING:
                return False
            raise
        is_young = found.last_modified is not None and datetime.now(UTC) - found.last_modified < _YOUNG
        return found.size == size_bytes and is_young

    def _read_back(self, key: str) -> Digest:
        try:
            return digest_of(self._read(key, 0, None))
        except S3Error as error:
            if error.code not in _MISSING:
                raise
            # The upload's answer came from some other server, or the object was deleted: not a caller's NotFound.
            return Digest("none", 0)

    def _upload(self, key: str, source: Source) -> None:
        try:
            self._upload_once(key, source)
        except S3Error as error:
            if error.code != "NoSuchBucket":
                raise
            self._make_bucket()
            self._upload_once(key, source)

    def _upload_once(self, key: str, source: Source) -> None:
        with source.opened() as content:
            self._client.put_object(
                self._bucket,
                key,
                content,
                source.digest.size_bytes,
                part_size=_PART_BYTES,
                num_parallel_uploads=1,  # more would need more memory, and threads that outlive an error
            )

    def _make_bucket(self) -> None:
        if not self._client.bucket_exists(self._bucket):
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):  # made by another meanwhile
                    raise

    def _size(self, key: str) -> int:
        size_bytes = self._client.stat_object(self._bucket, key).size
        if size_bytes is None:
            raise ValueError(f"the answer does not tell the size of {key}")
        return size_bytes

    def _read(self, key: str, start: int, end: int | None) -> Iterator[bytes]:
        """Read a range in one request."""
        length = 0 if end is None else end - start  # 0 is the client's word for "to the end"
        response = self._client.get_object(self._bucket, key, offset=start, length=length)
        try:
            if (start or length) and response.status != _PARTIAL_CONTENT:
                raise Unavailable(
                    f"{key}: expected a part of the object, found an answer {response.status}",
                    hint="Check that nothing before the object store drops the Range header.",
                )
            yield from response.stream(CHUNK_BYTES, decode_content=False)
        finally:
            response.close()
            response.release_conn()

    def _read_on(self, key: str, start: int, end: int | None) -> Iterator[bytes]:
        """Read a range; where a connection ends too early, another goes on from there."""
        position, failures = start, 0
        while True:
            try:
                for piece in self._read(key, position, end):
                    position, failures = position + len(piece), 0
                    yield piece
            except (*_FOREIGN, Unavailable) as error:
                if isinstance(error, S3Error) and error.code == "InvalidRange":  # it begins where the object ends
                    return
                self._pause(error, f"read {key}", failures)
                failures += 1
            else:
                return

    def _list(self, prefix: str) -> Iterator[Entry]:
        last, failures = None, 0
        while True:
            try:
                for found in self._client.list_objects(self._bucket, prefix, recursive=True, start_after=last):
                    last, failures = found.object_name, 0
                    if last and is_key(last) and found.last_modified:
                        yield Entry(last, found.size or 0, found.last_modified)
            except _FOREIGN as error:
                if isinstance(error, S3Error) and error.code == "NoSuchBucket":
                    return
                self._pause(error, f"list {prefix}", failures)
                failures += 1
            else:
                return

    def _attempt(self, what: str, action: Callable[[], _T]) -> _T:
        failures = 0
        while True:
            try:
                return action()
            except (*_FOREIGN, Unavailable) as error:
                self._pause(error, what, failures)
                failures += 1

    def _pause(self, error: Exception, what: str, failures: int) -> None:
        """Wait before another attempt, or give up with an error of ours."""
        translated = _translated(error, what)
        is_refused = isinstance(error, S3Error) and error.response.status in _REFUSED
        if not translated.retryable or is_refused or failures >= len(self._pauses_s):
            raise translated from error
        time.sleep(self._pauses_s[failures])


def _translated(error: Exception, what: str) -> AslError:
    if isinstance(error, AslError):
        return error
    if isinstance(error, S3Error):
        if error.code in _MISSING:
            return NotFound(f"could not {what}: no such object in the store")
        if error.response.status in _REFUSED:
            return Unavailable(
                f"could not {what}: the object store refuses ({error.code})",
                hint="Check the storage's access key, secret key and region, and this machine's clock.",
            )
    return Unavailable(
        f"could not {what}: {type(error).__name__}: {str(error)[:300]}",
        hint="Try again; check that the object store runs and can be reached.",
    )
