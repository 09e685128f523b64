"""Clients for S3 with short, bounded waits; each request is sent once, and who asks decides about another try."""

from typing import Final
from urllib.parse import urlsplit

from minio import Minio
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from asl.errors import OptionsInvalid

_MAX_IDLE_CONNECTIONS: Final = 16


def make_client(
    endpoint: str,
    *,
    access_key: str,
    secret_key: str,
    region: str,
    connect_timeout_s: float,
    read_timeout_s: float,
) -> Minio:
    """Make a client; nothing is sent.

    Args:
        endpoint: The server's URL, `http://host:port` or `https://host:port`.
        access_key: Who asks.
        secret_key: Signs the requests; it is not sent.
        region: The region for which requests are signed.
        connect_timeout_s: The longest wait for a connection.
        read_timeout_s: The longest wait for the next bytes, and for one part of an upload to be taken.

    Raises:
        OptionsInvalid: The endpoint is no such URL, or the region is none.
    """
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise OptionsInvalid(
            f"expected an endpoint like http://host:9000 or https://host, found {endpoint!r}",
            hint="Name the S3 server's scheme, host and port.",
        )
    pools = PoolManager(
        timeout=Timeout(connect=connect_timeout_s, read=read_timeout_s),
        maxsize=_MAX_IDLE_CONNECTIONS,
        retries=False,
    )
    pools.pool_classes_by_scheme = _patient_pools(read_timeout_s)
    try:
        return Minio(
            endpoint.removeprefix(f"{url.scheme}://").removesuffix("/"),
            access_key=access_key,
            secret_key=secret_key,
            secure=url.scheme == "https",
            region=region,
            http_client=pools,
        )
    except ValueError as error:
        raise OptionsInvalid(
            f"expected an S3 server and its region, found {endpoint!r} and {region!r} ({error})",
            hint="Use an endpoint without a path, and a region like us-east-1.",
        ) from error


def _patient_pools(send_timeout_s: float) -> dict[str, type[HTTPConnectionPool]]:
    """Give sending the time that reading has: urllib3 has one part's upload end within the time for connecting."""

    class PlainConnection(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(send_timeout_s)

    class TlsConnection(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(send_timeout_s)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}
