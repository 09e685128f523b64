"""Makes the bucket of artifacts and, on our own MinIO, a key that opens nothing else; it may run at every start."""

import os
from urllib.parse import parse_qs, urlsplit

from minio import MinioAdmin
from minio.credentials import StaticProvider

from asl.infra.settings import load_settings
from asl.infra.storage import S3Storage
from asl.infra.stores import storage_of

_OWN_HOST = "minio"
"""The service of docker-compose.yml; any other store has keys of its own."""


def main() -> None:
    """Prepare the store that the settings name."""
    settings = load_settings()
    parts = urlsplit(settings.storage)
    endpoint = urlsplit(parse_qs(parts.query)["endpoint"][0])
    if endpoint.hostname == _OWN_HOST:
        admin = MinioAdmin(
            endpoint=endpoint.netloc,
            credentials=StaticProvider(os.environ["MINIO_ROOT_USER"], os.environ["MINIO_ROOT_PASSWORD"]),
            secure=endpoint.scheme == "https",
        )
        _make_key(admin, parts.netloc, os.environ["ASL_STORAGE_ACCESS_KEY"], os.environ["ASL_STORAGE_SECRET_KEY"])
    storage = storage_of(settings)
    if isinstance(storage, S3Storage):
        storage.ensure_bucket()


def _make_key(admin: MinioAdmin, bucket: str, access_key: str, secret_key: str) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:*"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
    admin.user_add(access_key=access_key, secret_key=secret_key)
    admin.policy_add(policy_name=bucket, policy=policy)
    admin.policy_set(policy_name=bucket, user=access_key)


main()
