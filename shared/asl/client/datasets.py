"""Data sets over the API."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
from pydantic import BaseModel

from asl.client import uploading
from asl.client.folders import LabelledFile, list_files
from asl.client.problems import read
from asl.client.transport import API, Call, Transport, pieces_of, segment
from asl.client.uploading import OnFile
from asl.contracts import (
    Dataset,
    DatasetRequest,
    DatasetVersion,
    Sample,
    SampleChange,
    SampleState,
    Upload,
)

OnBytes = Callable[[int], None]
"""Told how many bytes are sent."""

_DATASETS: Final = f"{API}/datasets"
_ARCHIVE_TIMEOUT_S: Final = 3600.0
_ARCHIVE_TYPES: Final = {".zip": "application/zip", ".tar": "application/x-tar", ".gz": "application/gzip"}


class Datasets:
    """Data sets of a server; each is named by its id or its name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, description: str = "") -> Dataset:
        """Make an empty data set.

        Raises:
            Conflict: There is one of that name.
        """
        return self._transport.post(_DATASETS, Dataset, DatasetRequest(name=name, description=description))

    def list(self) -> Iterator[Dataset]:
        """List the data sets, newest first."""
        return self._transport.items(_DATASETS, Dataset)

    def get(self, dataset: str) -> Dataset:
        """Read one data set.

        Raises:
            NotFound: There is none.
        """
        return self._transport.get(_path(dataset), Dataset)

    def delete(self, dataset: str) -> None:
        """Delete a data set with its photographs."""
        self._transport.send(Call("DELETE", _path(dataset), is_repeatable=False))

    def add_image(self, dataset: str, image: Path | bytes, label: str, signer: str = "", name: str = "") -> Sample:
        """Add a photograph, unless one with the same content is there.

        Args:
            dataset: The data set.
            image: A file, or its bytes.
            label: The letter that the hand signs.
            signer: Who signs, or where the pictures come from; '' if unknown.
            name: The file's name; that of the file if not given.

        Raises:
            InvalidInput: It is no photograph, or the label or signer is not allowed.
            Conflict: It is there with another label or signer.
        """
        return read(Sample, self._send_image(dataset, image, label, signer, name))

    def upload_folder(self, dataset: str, folder: Path, on_file: OnFile | None = None) -> Upload:
        """Add the photographs of a folder with class folders, or with one folder a signer that holds class folders.

        Args:
            dataset: The data set.
            folder: It holds `A/1.jpg`, or `anna/A/1.jpg`.
            on_file: Told of the progress.

        Raises:
            NotFound: There is no such folder or data set.
        """
        return self.upload_files(dataset, list_files(folder), on_file)

    def upload_files(self, dataset: str, files: Iterable[LabelledFile], on_file: OnFile | None = None) -> Upload:
        """Add photographs; those that are there already, by their content, are not sent.

        Args:
            dataset: The data set.
            files: Path, label and signer of each; read as they are needed.
            on_file: Told of the progress.

        Returns:
            What became of them; files that are no photographs are skipped with a reason.
        """

        def find(hashes: Sequence[str]) -> set[str]:
            call = Call("POST", _path(dataset, "hashes"), json={"sha256": [*hashes]})
            return set(read(_Hashes, self._transport.send(call)).sha256)

        def add(file: LabelledFile) -> bool:
            return self._send_image(dataset, *file).status_code == HTTPStatus.CREATED

        return uploading.upload_files(files, find=find, add=add, on_file=on_file)

    def upload_archive(self, dataset: str, archive: Path, on_bytes: OnBytes | None = None) -> Upload:
        """Add the photographs of a .zip or .tar.gz with class folders; it is streamed from the disk.

        Args:
            dataset: The data set.
            archive: The file.
            on_bytes: Told how much of it is sent.

        Raises:
            NotFound: There is no such file or data set.
            InvalidInput: It is no archive, or breaks a rule for archives.
        """
        body = pieces_of(archive, on_bytes)
        media_type = _ARCHIVE_TYPES.get(archive.suffix.lower(), "application/octet-stream")
        headers = {"Content-Type": media_type, "Content-Length": str(archive.stat().st_size)}
        call = Call("POST", _path(dataset, "archive"), body=body, headers=headers, timeout_s=_ARCHIVE_TIMEOUT_S)
        return read(Upload, self._transport.send(call))

    def samples(
        self, dataset: str, *, label: str | None = None, signer: str | None = None, state: SampleState | None = None
    ) -> Iterator[Sample]:
        """List photographs, newest first: all, or those of a class, a signer and a state."""
        return self._transport.items(_path(dataset, "samples"), Sample, label=label, signer=signer, state=state)

    def change_sample(self, dataset: str, sample_id: str, change: SampleChange) -> Sample:
        """Correct the label or signer of a photograph, or leave it out of versions to come."""
        body = change.model_dump(mode="json", exclude_none=True)
        return read(Sample, self._transport.send(Call("PATCH", _path(dataset, "samples", sample_id), json=body)))

    def make_version(self, dataset: str) -> DatasetVersion:
        """Fix the data set as it is now; the last version again where nothing has changed."""
        return self._transport.post(_path(dataset, "versions"), DatasetVersion)

    def versions(self, dataset: str) -> Iterator[DatasetVersion]:
        """List the versions, newest first."""
        return self._transport.items(_path(dataset, "versions"), DatasetVersion)

    def _send_image(self, dataset: str, image: Path | bytes, label: str, signer: str, name: str = "") -> httpx.Response:
        data = image if isinstance(image, bytes) else image.read_bytes()
        file_name = name or (image.name if isinstance(image, Path) else "image")
        form, files = {"label": label, "signer": signer}, {"file": (file_name, data)}
        return self._transport.send(Call("POST", _path(dataset, "samples"), files=files, form=form))


class _Hashes(BaseModel):
    sha256: tuple[str, ...]


def _path(*names: str) -> str:
    return "/".join([_DATASETS, *map(segment, names)])
