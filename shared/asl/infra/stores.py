"""Where data lives, as the settings say."""

from pydantic import SecretStr

from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage, open_storage


def database_of(settings: Settings) -> Database:
    """Return the database; no connection is opened yet.

    Raises:
        OptionsInvalid: The URL is not usable.
    """
    return Database(settings.database)


def storage_of(settings: Settings) -> Storage:
    """Return the store; nothing is sent yet.

    Raises:
        OptionsInvalid: The URL is not usable, or a key is missing.
    """
    access, secret = _reveal(settings.storage_access_key), _reveal(settings.storage_secret_key)
    return open_storage(settings.storage, access, secret)


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
