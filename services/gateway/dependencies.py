"""What jobs need beside the gateway, looked at in the background, so that `/readyz` answers at once."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from pydantic import BaseModel, Field

from asl.contracts import Queue
from asl.errors import AslError
from asl.infra import components, schema
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage
from asl.infra.tables import Component

_EVERY_S: Final = 5.0
_SILENT_S: Final = 15.0
_FIRST_LOOK_S: Final = 2.0

_log = structlog.get_logger()


class Check(BaseModel):
    """Whether one dependency is there."""

    ok: bool
    detail: str = Field(description="Its version, or why it is not there.")


class DependencyWatch:
    """Looks at the database, with it at the processes that have signed there, and at the store, each by itself."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        storage: Storage,
        *,
        every_s: float = _EVERY_S,
        silent_s: float = _SILENT_S,
    ) -> None:
        """Prepare.

        Args:
            settings: Tell whether there is a broker.
            database: Looked at.
            storage: Looked at.
            every_s: Seconds between two looks.
            silent_s: A look that takes longer met something frozen.
        """
        self._database = database
        self._scaled_queues = settings.scaled_queues
        processes = ("dispatcher", "broker") if settings.redis_url else ()
        workers = tuple(f"worker-{queue}" for queue in Queue)
        self._looks = (
            _Look(("database", *processes, *workers), self._look_at_database, every_s, silent_s),
            _Look(("storage",), lambda: {"storage": _look_at_storage(storage)}, every_s, silent_s),
        )
        self._stopping = threading.Event()

    def start(self) -> None:
        """Make SQLite's tables, and look for the first time; what is away does not keep this waiting for long."""
        if self._database.is_sqlite:
            try:
                schema.upgrade(self._database)
            except AslError as error:
                _log.error("database not usable", why=error.message, hint=error.hint)
        for look in self._looks:
            # A daemon, so that one that hangs at something frozen does not keep the process from ending.
            threading.Thread(target=look.repeat, args=(self._stopping,), daemon=True, name="watch").start()
        deadline = time.monotonic() + _FIRST_LOOK_S
        for look in self._looks:
            look.has_looked.wait(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def checks(self) -> dict[str, Check]:
        """Return what was found last, by the names of the dependencies."""
        return {name: check for look in self._looks for name, check in look.checks().items()}

    def _look_at_database(self) -> dict[str, Check]:
        revision = schema.check_current(self._database)
        with self._database.reading() as session:
            alive = components.alive(session)
        found = _look_at_processes(alive, self._scaled_queues)
        return {"database": Check(ok=True, detail=f"schema {revision}"), **found}


@dataclass
class _Look:
    names: tuple[str, ...]
    look: Callable[[], Mapping[str, Check]]
    every_s: float
    silent_s: float
    has_looked: threading.Event = field(default_factory=threading.Event)
    _found: tuple[float, Mapping[str, Check]] | None = None

    def repeat(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            checks = self._look_once()
            if stopping.is_set():  # a look may take long: nobody asks any more
                return
            _log_changes(self._found[1] if self._found else {}, checks)
            self._found = time.monotonic(), checks
            self.has_looked.set()
            stopping.wait(self.every_s)

    def checks(self) -> Mapping[str, Check]:
        if self._found is None:
            return dict.fromkeys(self.names, Check(ok=False, detail="not looked at yet"))
        at, found = self._found
        silent_s = time.monotonic() - at
        if silent_s > self.silent_s:
            return dict.fromkeys(self.names, Check(ok=False, detail=f"no answer for {silent_s:.0f} s"))
        return found

    def _look_once(self) -> dict[str, Check]:
        try:
            found = self.look()
        # Whatever it is, the watch goes on.
        except Exception as error:  # noqa: BLE001 - see above
            first, *rest = self.names
            unknown = Check(ok=False, detail=f"not known without the {first}")
            return {first: Check(ok=False, detail=_said(error)), **dict.fromkeys(rest, unknown)}
        missing = Check(ok=False, detail="none was heard of lately")
        return {name: found.get(name, missing) for name in self.names}


def _look_at_storage(storage: Storage) -> Check:
    storage.check()
    return Check(ok=True, detail="answers")


def _look_at_processes(alive: list[Component], scaled_queues: Collection[Queue]) -> dict[str, Check]:
    found = {}
    dispatchers = [component for component in alive if component.role == "dispatcher"]
    if dispatchers:
        found["dispatcher"] = Check(ok=True, detail=f"{len(dispatchers)} at work")
        is_well = any(component.detail.get("broker_ok") for component in dispatchers)
        found["broker"] = Check(ok=is_well, detail="answers" if is_well else "does not answer: workers look themselves")
    for queue in Queue:
        n_workers = sum(queue in component.detail.get("queues", ()) for component in alive)
        if n_workers:
            found[f"worker-{queue}"] = Check(ok=True, detail=f"{n_workers} at work")
        elif queue in scaled_queues:
            found[f"worker-{queue}"] = Check(ok=True, detail="none now, started when a job waits")
    return found


def _log_changes(before: Mapping[str, Check], after: Mapping[str, Check]) -> None:
    for name, check in after.items():
        was_ok = before[name].ok if name in before else name in ("database", "storage") or check.ok
        if was_ok and not check.ok:
            _log.warning("dependency missing", name=name, why=check.detail)
        elif check.ok and not was_ok:
            _log.info("dependency back", name=name, detail=check.detail)


def _said(error: Exception) -> str:
    return f"{error.message}. {error.hint}".strip() if isinstance(error, AslError) else type(error).__name__
