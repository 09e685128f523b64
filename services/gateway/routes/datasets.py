"""`/api/v1/datasets`: data sets and their versions."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from asl.contracts import MAX_PAGE, Dataset, DatasetRequest, DatasetVersion, Name, Page, Scope
from asl.infra import datasets, idempotency
from services.gateway import errors
from services.gateway.headers import IdempotencyKey
from services.gateway.security import STATUSES, Principal, allow
from services.gateway.startup import gateway_of

PREFIX: Final = "/api/v1/datasets"
router = APIRouter(prefix=PREFIX, tags=["datasets"])

_CURSOR: Final = r"^([A-Za-eg-z0-9-][A-Za-z0-9_-]|[f_][A-Za-z0-9-])[A-Za-z0-9_-]{30}$"
"""What `asl.infra.pages` reads, for the document alone; what begins with 'f_' or '__' would hold no finite time."""

Reader = Annotated[Principal, Depends(allow(Scope.READ))]
Writer = Annotated[Principal, Depends(allow(Scope.WRITE))]
DatasetName = Annotated[Name, Path(description="The data set's id or name.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="The page before's `next_cursor`.", json_schema_extra={"pattern": _CURSOR}),
]
_Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
LOCATION: Final[dict[str, Any]] = {"Location": {"description": "Its address.", "schema": {"type": "string"}}}


@router.post(
    "",
    summary="Make a data set",
    status_code=201,
    responses={201: {"headers": LOCATION}, **errors.documented(*STATUSES, 400, 409, 413, 422, 500)},
)
def create(
    body: DatasetRequest, caller: Writer, request: Request, response: Response, idempotency_key: IdempotencyKey = None
) -> Dataset:
    """Make a data set without photographs."""
    answer, _ = idempotency.once(
        gateway_of(request).database,
        caller.tenant,
        idempotency_key,
        idempotency.fingerprint("POST", PREFIX, body.model_dump(mode="json")),
        lambda session: datasets.describe(session, [datasets.add(session, caller.tenant, body)])[0].model_dump(
            mode="json"
        ),
    )
    made = Dataset.model_validate(answer)
    response.headers["Location"] = f"{PREFIX}/{made.id}"
    return made


@router.get("", summary="List data sets", responses=errors.documented(*STATUSES, 422, 500))
def list_all(caller: Reader, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Page[Dataset]:
    """List data sets, the newest first."""
    with gateway_of(request).database.reading() as session:
        return datasets.page(session, caller.tenant, limit=limit, cursor=cursor)


@router.get("/{dataset}", summary="Show a data set", responses=errors.documented(*STATUSES, 404, 422, 500))
def show(dataset: DatasetName, caller: Reader, request: Request) -> Dataset:
    """Show a data set with its counts per class and signer."""
    with gateway_of(request).database.reading() as session:
        return datasets.describe(session, [datasets.find(session, caller.tenant, dataset)])[0]


@router.delete(
    "/{dataset}",
    summary="Delete a data set",
    description="Refused while a job works on it, and where a model was trained on it.",
    status_code=204,
    responses=errors.documented(*STATUSES, 404, 409, 422, 500),
)
def delete(dataset: DatasetName, caller: Writer, request: Request) -> None:
    """Delete a data set with its samples and versions."""
    with gateway_of(request).database.transaction() as session:
        datasets.delete(session, caller.tenant, dataset)


@router.post(
    "/{dataset}/versions",
    summary="Make a version",
    description="Keeps the samples, labels and signers as they are now; 200 with the last version where nothing has "
    "changed since.",
    status_code=201,
    responses={
        200: {"model": DatasetVersion, "description": "Nothing has changed since this version.", "headers": LOCATION},
        201: {"headers": LOCATION},
        **errors.documented(*STATUSES, 404, 422, 500),
    },
)
def make_version(dataset: DatasetName, caller: Writer, request: Request, response: Response) -> DatasetVersion:
    """Make a version, or return the last one."""
    gateway = gateway_of(request)
    row, is_new = datasets.freeze(gateway.database, gateway.storage, caller.tenant, dataset)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"{PREFIX}/{row.dataset_id}/versions/{row.number}"
    return datasets.to_version(row)


@router.get("/{dataset}/versions", summary="List versions", responses=errors.documented(*STATUSES, 404, 422, 500))
def list_versions(
    dataset: DatasetName, caller: Reader, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[DatasetVersion]:
    """List versions, the newest first."""
    with gateway_of(request).database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        return datasets.page_versions(session, dataset_id, limit=limit, cursor=cursor)


@router.get(
    "/{dataset}/versions/{number}",
    summary="Show a version",
    responses=errors.documented(*STATUSES, 404, 422, 500),
)
def show_version(dataset: DatasetName, number: _Number, caller: Reader, request: Request) -> DatasetVersion:
    """Show a version with its counts per class and signer."""
    with gateway_of(request).database.reading() as session:
        dataset_id = datasets.find(session, caller.tenant, dataset).id
        return datasets.to_version(datasets.find_version(session, dataset_id, number))
