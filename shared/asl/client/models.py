"""Trained models over the API: what there is, and which one answers recognition calls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from asl.client import download
from asl.client.download import OnBytes
from asl.client.problems import read
from asl.client.transport import API, IDEMPOTENCY_KEY, Call, Transport, new_key, pieces_of, segment
from asl.contracts import Alias, AliasState, Job, Model, Promotion, PromotionRequest, RollbackRequest
from asl.errors import NotFound

_MODELS: Final = f"{API}/models"
_ALIASES: Final = f"{_MODELS}/aliases"


class Models:
    """Models of a server; each is named by its id, its number, or an alias."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Model]:
        """List the models, newest first."""
        return self._transport.items(_MODELS, Model)

    def get(self, model: str | int) -> Model:
        """Read one model.

        Raises:
            NotFound: There is none.
        """
        return self._transport.get(self._path(model), Model)

    def card(self, model: str | int) -> str:
        """Read a model's card, in Markdown."""
        return self._transport.send(Call("GET", self._path(model, "card"))).text

    def download(self, model: str | int, path: Path, on_bytes: OnBytes | None = None) -> Path:
        """Fetch a model's file (.pt); it is checked by its hash, and goes on where it was cut off.

        Args:
            model: The model.
            path: Where to put it: a file, or a folder for `model-NUMBER.pt`.
            on_bytes: Told how many bytes are there.
        """
        found = self.get(model)
        target = path / f"model-{found.number}.pt" if path.is_dir() else path
        return download.download(
            self._transport,
            f"{_MODELS}/{found.id}/file",
            target,
            sha256=found.sha256,
            size_bytes=found.size_bytes,
            on_bytes=on_bytes,
        )

    def import_file(self, path: Path) -> Job:
        """Send a model's file (.pt).

        Returns:
            The job that checks it and makes a model of it.

        Raises:
            NotFound: There is no such file.
        """
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(path.stat().st_size) if path.is_file() else "0",
            IDEMPOTENCY_KEY: new_key(),
        }
        return read(Job, self._transport.send(Call("POST", _MODELS, body=pieces_of(path), headers=headers)))

    def aliases(self) -> Iterator[AliasState]:
        """List which models have roles."""
        return self._transport.items(_ALIASES, AliasState)

    def alias(self, alias: Alias) -> AliasState:
        """Read which model has a role.

        Raises:
            NotFound: None has.
        """
        return self._transport.get(f"{_ALIASES}/{alias}", AliasState)

    def promote(
        self,
        model: str | int,
        alias: Alias = Alias.PRODUCTION,
        *,
        force: bool = False,
        reason: str = "",
        revision: int | None = None,
    ) -> AliasState:
        """Give a model a role.

        Args:
            model: The model.
            alias: The role.
            force: Although the quality gate refuses; needs a reason.
            reason: Why, for the history.
            revision: The role's state that is to be changed, 0 where no model has it; as it is now if not given.

        Raises:
            GateRefused: The model does worse than the one that has the role, or was not compared with it.
            PreconditionFailed: Another has changed the role meanwhile.
        """
        if revision is None:
            revision = self._revision(alias)
        body = PromotionRequest(model=self.get(model).id, force=force, reason=reason)
        call = Call(
            "PUT",
            f"{_ALIASES}/{alias}",
            json=body.model_dump(mode="json"),
            headers={"If-Match": f'"{revision}"'},
            is_repeatable=False,
        )
        return read(AliasState, self._transport.send(call))

    def rollback(self, alias: Alias = Alias.PRODUCTION, reason: str = "") -> AliasState:
        """Give a role back to the model that had it before.

        Raises:
            Conflict: There is none before.
        """
        return self._transport.post(f"{_ALIASES}/{alias}/rollback", AliasState, RollbackRequest(reason=reason))

    def history(self, alias: Alias = Alias.PRODUCTION) -> Iterator[Promotion]:
        """List who had a role, newest first."""
        return self._transport.items(f"{_ALIASES}/{alias}/history", Promotion)

    def _revision(self, alias: Alias) -> int:
        try:
            return self.alias(alias).revision
        except NotFound:
            return 0

    def _path(self, model: str | int, *names: str) -> str:
        known = self.alias(Alias(model)).model_id if model in tuple(Alias) else model
        return "/".join([_MODELS, *map(segment, (known, *names))])
