"""`asl dataset ...`: data sets on a server."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.table import Table

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.remote import UrlFlag, build, bytes_bar, connect, print_items, print_made
from asl.client import Client
from asl.contracts import Count, DatasetRequest, SampleChange, SampleState, SkippedFile, Upload
from asl.core.photographs import list_photographs
from asl.errors import NotFound, OptionsInvalid

_SKIPPED_SHOWN: Final = 5


def create(name: str, *, description: str = "", url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Make an empty data set.

    Example: `asl dataset create letters --description "Seven signers, June"`

    Args:
        name: What it is called.
        description: What it holds.
        url: Server; ASL_URL where not given.
        json: Print the data set as JSON.
    """
    request = build(DatasetRequest, name=name, description=description)
    with connect(url) as client:
        made = client.datasets.create(request.name, request.description)
    if json:
        console.print_json(made.model_dump(mode="json"))
    print_made(f"data set {made.name}", "asl", "dataset", "upload", made.name, "PATH")


def list_(*, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """List the data sets, newest first.

    Example: `asl dataset list`

    Args:
        url: Server; ASL_URL where not given.
        json: Print a JSON list.
    """
    with connect(url) as client:
        if json:
            print_items(client.datasets.list())
            return
        table = Table("name", "samples", "excluded", "classes", "signers", "version", "created")
        for found in client.datasets.list():
            letters, signers = {count.label for count in found.counts}, {count.signer for count in found.counts}
            figures = (found.n_samples, found.n_excluded, len(letters), len(signers - {""}), found.last_version or "-")
            table.add_row(found.name, *map(str, figures), f"{found.created_at:%Y-%m-%d %H:%M}")
        console.out.print(table)


def show(name: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Show how many samples of each class and signer a data set has.

    Example: `asl dataset show letters`

    Args:
        name: The data set's name or id.
        url: Server; ASL_URL where not given.
        json: Print the data set as JSON.
    """
    with connect(url) as client:
        found = client.datasets.get(name)
    if json:
        console.print_json(found.model_dump(mode="json"))
        return
    console.out.print(_table(found.counts))
    version = f"version {found.last_version}" if found.last_version else "no version yet"
    console.err.print(f"{found.n_samples:,} samples, {found.n_excluded:,} excluded; {version}")


def upload(
    name: str,
    paths: Annotated[list[Path], Parameter(negative=())],
    *,
    groups: Path | None = None,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Add photographs: those that the server has already are not sent, so it can simply be run again.

    Example: `asl dataset upload letters data/asl_alphabet/`

    Files that are no photographs are left out, and named.

    Args:
        name: The data set's name or id.
        paths: Folders with class folders (A/ B/ ...), or with one folder a signer that holds class folders; or archives
            (.zip, .tar.gz) of such folders.
        groups: CSV with the columns path (relative to the folder) and group (who signs), for a single folder.
        url: Server; ASL_URL where not given.
        json: Print what became of the files as JSON.
    """
    if groups is not None and (len(paths) != 1 or not paths[0].is_dir()):
        raise OptionsInvalid("--groups goes with one folder", hint="Upload folders one by one.")
    if missing := [path for path in paths if not path.exists()]:
        raise NotFound(f"nothing at {', '.join(map(str, missing))}", hint="Check the path.")
    with connect(url) as client:
        client.datasets.get(name)  # before any file is read
        done = _sum(
            _upload_folder(client, name, path, groups) if path.is_dir() else _upload_archive(client, name, path)
            for path in paths
        )
    if json:
        console.print_json(done.model_dump(mode="json"))
    else:
        _print_upload(done)
    print_made(f"{done.n_added:,} samples in {name}", "asl", "job", "submit", "training", "--dataset", name, "--watch")


def samples(
    name: str,
    *,
    label: str | None = None,
    signer: str | None = None,
    state: SampleState | None = None,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """List the samples of a data set, newest first.

    Example: `asl dataset samples letters --label A --state no_hand`

    Args:
        name: The data set's name or id.
        label: Only of this class.
        signer: Only of this signer.
        state: Only those of which the last extraction found this, or that are excluded.
        url: Server; ASL_URL where not given.
        json: Print a JSON list.
    """
    with connect(url) as client:
        found = client.datasets.samples(name, label=label, signer=signer, state=state)
        if json:
            print_items(found)
            return
        for sample in found:  # a line each as they come: there may be very many
            line = f"{sample.id}  {sample.label:<4} {sample.signer or '-':<12} {sample.state:<10} {sample.name}"
            console.out.print(line, markup=False)


def change(
    name: str,
    sample: str,
    *,
    label: str | None = None,
    signer: str | None = None,
    exclude: Annotated[bool | None, Parameter(negative="--include")] = None,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Correct a sample, or leave it out of versions to come.

    Example: `asl dataset change letters 0123456789abcdef0123456789abcdef --label B`

    Args:
        name: The data set's name or id.
        sample: The sample's id, as `asl dataset samples` prints it.
        label: The letter that the hand signs.
        signer: Who signs.
        exclude: Leave it out, or take it in again.
        url: Server; ASL_URL where not given.
        json: Print the sample as JSON.
    """
    if (label, signer, exclude) == (None, None, None):
        raise OptionsInvalid("expected something to change, found nothing", hint="See --help.")
    wanted = build(SampleChange, label=label, signer=signer, excluded=exclude)
    with connect(url) as client:
        changed = client.datasets.change_sample(name, sample, wanted)
    if json:
        console.print_json(changed.model_dump(mode="json"))
    else:
        line = f"{changed.id}  {changed.label} {changed.signer or '-'} {changed.state}"
        console.out.print(line, markup=False)


def version(name: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Fix a data set as it is now: jobs refer to this version, whatever changes later.

    Example: `asl dataset version letters`

    Args:
        name: The data set's name or id.
        url: Server; ASL_URL where not given.
        json: Print the version as JSON.
    """
    with connect(url) as client:
        made = client.datasets.make_version(name)
    if json:
        console.print_json(made.model_dump(mode="json"))
    else:
        console.out.print(f"{name}@{made.number}", markup=False)
    numbered = f"{name}@{made.number}"
    what = f"version {made.number} of {name}, {made.n_samples:,} samples"
    print_made(what, "asl", "job", "submit", "training", "--dataset", numbered, "--watch")


def delete(name: str, *, yes: Annotated[bool, Parameter(negative=())] = False, url: UrlFlag = None) -> None:
    """Delete a data set with its photographs.

    Example: `asl dataset delete letters --yes`

    Args:
        name: The data set's name or id.
        yes: Do not ask.
        url: Server; ASL_URL where not given.
    """
    with connect(url) as client:
        found = client.datasets.get(name)
        if not yes:
            raise OptionsInvalid(
                f"this deletes the data set {found.name} and its {found.n_samples + found.n_excluded:,} photographs",
                hint="Add --yes to do it.",
            )
        client.datasets.delete(found.id)
    console.err.print(f"deleted data set {found.name}", markup=False)


def _upload_folder(client: Client, name: str, folder: Path, groups: Path | None) -> Upload:
    listing = list_photographs(folder, groups)
    files = [(photo.path, photo.label, photo.group) for photo in listing.photographs]
    with console.progress() as progress:
        bar = progress.add_task("photographs", total=len(files), note="")
        done = client.datasets.upload_files(name, files, lambda n_done: progress.update(bar, completed=n_done))
    others = (SkippedFile(name=other, reason="no photograph in a class folder") for other in listing.others)
    skipped = (*done.skipped, *others)[:100]
    return done.model_copy(update={"n_skipped": done.n_skipped + len(listing.others), "skipped": skipped})


def _upload_archive(client: Client, name: str, archive: Path) -> Upload:
    with bytes_bar(archive.name, archive.stat().st_size) as on_bytes:
        return client.datasets.upload_archive(name, archive, on_bytes)


def _sum(uploads: Iterable[Upload]) -> Upload:
    done = list(uploads)
    return Upload(
        n_added=sum(one.n_added for one in done),
        n_already_there=sum(one.n_already_there for one in done),
        n_skipped=sum(one.n_skipped for one in done),
        skipped=tuple(skipped for one in done for skipped in one.skipped),
    )


def _print_upload(done: Upload) -> None:
    console.out.print(f"added:         {done.n_added:,}")
    console.out.print(f"already there: {done.n_already_there:,}")
    console.out.print(f"left out:      {done.n_skipped:,}")
    for skipped in done.skipped[:_SKIPPED_SHOWN]:
        console.err.print(f"left out: {skipped.name}: {skipped.reason}", markup=False)
    if done.n_skipped > _SKIPPED_SHOWN:
        console.err.print(f"left out: {done.n_skipped - _SKIPPED_SHOWN:,} more; --json names up to a hundred")


def _table(counts: Sequence[Count]) -> Table:
    signers = sorted({count.signer for count in counts})
    table = Table("class", *(signer or "unknown" for signer in signers), "all", show_footer=True)
    table.columns[0].footer = "all"
    for column, signer in zip(table.columns[1:], [*signers, None], strict=True):
        column.justify = "right"
        n_samples = sum(count.n_samples for count in counts if signer in (None, count.signer))
        column.footer = f"{n_samples:,}"
    for label, group in groupby(sorted(counts, key=lambda count: count.label), lambda count: count.label):
        of_signer = {count.signer: count.n_samples for count in group}
        figures = [*(of_signer.get(signer, 0) for signer in signers), sum(of_signer.values())]
        table.add_row(label, *(f"{figure:,}" for figure in figures))
    return table
