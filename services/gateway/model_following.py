"""Recognition follows the model in production, or a file, without a restart.

Where ASL_CLASSIFIER_PATH is set, that file answers, and is read again when it changes. Otherwise the model answers that
has the role `production`, and the packaged starter until one has. The database is asked every two seconds by a thread
of its own: a call to recognize touches neither it nor a disk. A new model is fetched, checked and tried first; one that
fails is refused, and what answered before goes on to answer. So it does while the database or the store is away.

A gateway has one recognition for all: with API keys too, whoever calls, it follows the models of one tenant, `local`.
"""

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from asl.contracts import Alias
from asl.errors import AslError, ModelInvalid, Unavailable
from asl.infra import keys, registry, tables
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage
from services.gateway.model_cache import ModelCache
from services.gateway.served_model import ServedModel, Serving, Source, load_served, load_starter

POLL_S: Final = 2.0
_END_S: Final = 2.0
"""What a thread in the midst of a look is waited for."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Wanted:
    """What should answer; `mark` changes whenever that does."""

    mark: Hashable
    name: str
    row: tables.Model | None = None
    """Of a production model."""
    path: Path | None = None
    """Of a file; the starter where there is neither."""


_STARTER: Final = _Wanted("starter", "the starter model")


class ModelFollower:
    """Looks which classifier should answer, and has it answer."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        storage: Storage,
        serving: Serving,
        *,
        tenant: str = keys.LOCAL_TENANT,
        poll_s: float = POLL_S,
    ) -> None:
        """Prepare; nothing is looked at yet.

        Args:
            settings: Which file to follow, if any, and where to keep fetched models.
            database: Names the model in production.
            storage: Holds its file.
            serving: What is changed.
            tenant: Whose model in production answers.
            poll_s: Seconds between two looks.
        """
        self._path = settings.classifier_path
        self._cache = ModelCache(settings.home / "models", storage)
        self._database = database
        self._serving = serving
        self._tenant = tenant
        self._poll_s = poll_s
        self._served: Hashable = None
        self._refused: Hashable = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look again and again, in a thread."""
        # A daemon: a database that does not answer must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="model-follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; one that waits for the database or the store ends with the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_S)

    def look(self) -> None:
        """Look once; after the first time something answers, unless a file was asked for that cannot."""
        wanted = self._wanted()
        if wanted is None and self._serving.is_empty:
            wanted = _STARTER
        if wanted is None or wanted.mark == self._refused:
            return
        if wanted.mark == self._served:
            self._refused, self._serving.refused = None, None
            return
        try:
            model = self._load(wanted)
        except (AslError, OSError) as error:
            self._refuse(wanted, error)
        else:
            self._answer_with(wanted, model)

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - nothing unforeseen may end the following; recognition goes on
                _log.exception("following the model in production failed")

    def _wanted(self) -> _Wanted | None:
        """Tell what should answer; None where that cannot be known now, so that nothing changes."""
        if self._path is not None:
            return _Wanted(_mark_of(self._path), "ASL_CLASSIFIER_PATH", path=self._path)
        try:
            with self._database.reading() as session:
                row = registry.model_in_role(session, self._tenant, Alias.PRODUCTION)
        except (AslError, SQLAlchemyError) as error:
            # Postgres alone reports missing tables in a way of its own, where the schema was not made yet.
            _log.debug("production model not known", why=str(error))
            return self._remembered()
        if row is None:
            return _STARTER
        return _production(row)

    def _remembered(self) -> _Wanted | None:
        """Return what answered before a restart, where the database is away at the start."""
        row = self._cache.last() if self._serving.is_empty else None
        return _production(row) if row else None

    def _load(self, wanted: _Wanted) -> ServedModel:
        if wanted.path is not None:
            return load_served(wanted.path, Source.PATH)
        if wanted.row is None:
            self._cache.forget()
            return load_starter()
        path = self._cache.fetch(wanted.row)
        model = load_served(path, Source.PRODUCTION, version=wanted.row.version, number=wanted.row.number)
        self._cache.remember(wanted.row)
        return model

    def _answer_with(self, wanted: _Wanted, model: ServedModel) -> None:
        self._served, self._refused = wanted.mark, None
        self._serving.exchange(model)
        _log.info("classifier answers", version=model.classifier.version, source=model.source, number=model.number)

    def _refuse(self, wanted: _Wanted, error: AslError | OSError) -> None:
        if isinstance(error, OSError):
            error = Unavailable(error.strerror or type(error).__name__)
        told = f"{wanted.name} was refused: {error.message}"
        if self._serving.refused is None or self._serving.refused.message != told:
            _log.error("classifier refused", name=wanted.name, why=error.message, hint=error.hint)
        if self._serving.is_empty and wanted.row is not None:
            self._answer_with(_STARTER, load_starter())
        # A bad file stays bad; what is only away is tried again.
        self._refused = wanted.mark if isinstance(error, ModelInvalid) else None
        self._serving.refused = type(error)(told, hint=error.hint)


def _production(row: tables.Model) -> _Wanted:
    return _Wanted(row.id, f"production model {row.number}", row=row)


def _mark_of(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError:
        return None, str(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
