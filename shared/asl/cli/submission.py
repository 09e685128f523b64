"""`asl job submit ...`: ask for a job; each kind has flags of its own."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from asl.cli import console
from asl.cli.flags import DEFAULT_PREPARATION, DEFAULT_TRAINING, JsonFlag, PreparationFlags, TrainingFlags
from asl.cli.following import follow
from asl.cli.remote import UrlFlag, build, connect, print_made
from asl.cli.training_options import merge
from asl.client import Client
from asl.contracts import (
    Alias,
    Device,
    EvaluationRequest,
    ExportRequest,
    ExtractionRequest,
    FeaturesRef,
    JobRequest,
    ModelRef,
    ProbeRequest,
    Queue,
    TrainingRequest,
)
from asl.errors import OptionsInvalid

WatchFlag = Annotated[bool, Parameter(negative=())]
Names = Annotated[list[str] | None, Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True)
class JobFlags:
    """What can be said of any job."""

    name: Annotated[str | None, Parameter(help="What people call the job.")] = None
    priority: Annotated[int, Parameter(help="-10 to 10; higher ones of a queue start first.")] = 0
    depends_on: Annotated[
        tuple[str, ...], Parameter(help="Ids of jobs that must succeed before.", negative=(), consume_multiple=True)
    ] = ()
    max_attempts: Annotated[int, Parameter(help="How often it is tried when it crashes.")] = 3
    webhook: Annotated[str | None, Parameter(help="Address that is told of the end.")] = None


DEFAULT_JOB: Final = JobFlags()


def extraction(
    *,
    dataset: str,
    options: Annotated[PreparationFlags, Parameter(name="*")] = DEFAULT_PREPARATION,
    job: JobFlags = DEFAULT_JOB,
    watch: WatchFlag = False,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Find the hands in a data set's photographs: features for trainings and evaluations.

    Example: `asl job submit extraction --dataset letters --watch`

    Args:
        dataset: NAME or NAME@VERSION; the data set as it is now without a version.
        options: How hands are looked for.
        job: Of any job.
        watch: Follow the job to its end.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    name, version = _split(dataset)
    request = build(ExtractionRequest, dataset=name, version=version, options=options.model_dump(), **vars(job))
    with connect(url) as client:
        submit(client, request, watch=watch, json=json)


def training(
    *,
    dataset: Names = None,
    from_job: Annotated[Names, Parameter(name="--job")] = None,
    train_only_dataset: Names = None,
    train_only_job: Names = None,
    options: Annotated[TrainingFlags, Parameter(name="*")] = DEFAULT_TRAINING,
    config: Path | None = None,
    device: Device | None = None,
    pretrained: str | None = None,
    resume: str | None = None,
    job: JobFlags = DEFAULT_JOB,
    watch: WatchFlag = False,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Train a classifier; a data set that was not extracted yet is extracted first.

    Example: `asl job submit training --dataset letters --epochs 50 --watch`

    Args:
        dataset: NAME or NAME@VERSION; several are taken together.
        from_job: Ids of extractions whose features train, beside the data sets or in their place.
        train_only_dataset: Data sets that only train, and never validate.
        train_only_job: Extractions that only train, and never validate.
        options: How to train.
        config: JSON file with training options by their names, such as a tuning's best_options.json; flags win over it.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        pretrained: Model to start from (id, number, production or candidate): layers that fit are taken over.
        resume: Id of a training with the same data to go on from, with more epochs.
        job: Of any job.
        watch: Follow the job to its end.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    data, extra = features(dataset, from_job), features(train_only_dataset, train_only_job)
    merged = merge(options, config)
    if not data:
        raise OptionsInvalid("expected --dataset or --job, found neither", hint="See --help.")
    with connect(url) as client:
        request = build(
            TrainingRequest,
            data=data,
            train_only=extra,
            options=merged.model_dump(),
            device=device,
            pretrained=_model(client, pretrained) if pretrained else None,
            resume=resume,
            **vars(job),
        )
        submit(client, request, watch=watch, json=json)


def evaluation(
    *,
    model: str | None = None,
    training_job: str | None = None,
    dataset: Names = None,
    from_job: Annotated[Names, Parameter(name="--job")] = None,
    batch_size: int = 32,
    device: Device | None = None,
    allow_unknown_labels: Annotated[bool, Parameter(negative=())] = False,
    job: JobFlags = DEFAULT_JOB,
    watch: WatchFlag = False,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Compare a model's answers with the letters of a data set: report and plots.

    Example: `asl job submit evaluation --model candidate --dataset held_out --watch`

    Args:
        model: Its id or number, production or candidate.
        training_job: Id of the training that makes the model, in place of --model; it may still be at work.
        dataset: NAME or NAME@VERSION; several are taken together.
        from_job: Ids of extractions whose features are judged, beside the data sets or in their place.
        batch_size: Rows at once.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        allow_unknown_labels: Count letters that the model does not know as mistakes instead of refusing them.
        job: Of any job.
        watch: Follow the job to its end.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    data = features(dataset, from_job)
    if not data:
        raise OptionsInvalid("expected --dataset or --job, found neither", hint="See --help.")
    with connect(url) as client:
        request = build(
            EvaluationRequest,
            model=_one_model(client, model, training_job),
            data=data,
            batch_size=batch_size,
            device=device,
            allow_unknown_labels=allow_unknown_labels,
            **vars(job),
        )
        submit(client, request, watch=watch, json=json)


def export(
    *,
    model: str | None = None,
    training_job: str | None = None,
    job: JobFlags = DEFAULT_JOB,
    watch: WatchFlag = False,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Turn a model into ONNX.

    Example: `asl job submit export --model production --watch`

    Args:
        model: Its id or number, production or candidate.
        training_job: Id of the training that makes the model, in place of --model; it may still be at work.
        job: Of any job.
        watch: Follow the job to its end.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    with connect(url) as client:
        request = build(ExportRequest, model=_one_model(client, model, training_job), **vars(job))
        submit(client, request, watch=watch, json=json)


def probe(
    *,
    queue: Queue = Queue.CPU,
    n_steps: int = 1,
    step_s: float = 0.0,
    job: JobFlags = DEFAULT_JOB,
    watch: WatchFlag = False,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Try the whole road from the call to the worker and the store with work that only takes time.

    Example: `asl job submit probe --n-steps 3 --step-s 1 --watch`

    Args:
        queue: Which workers take it.
        n_steps: How many steps it has.
        step_s: Seconds that each takes.
        job: Of any job.
        watch: Follow the job to its end.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    request = build(ProbeRequest, queue=queue, n_steps=n_steps, step_s=step_s, **vars(job))
    with connect(url) as client:
        submit(client, request, watch=watch, json=json)


def submit(client: Client, request: JobRequest, *, watch: bool, json: bool) -> None:
    """Send a request, and follow the job to its end where that is wanted: then this ends the command."""
    submitted = client.jobs.submit(request)
    if not watch:
        if json:
            console.print_json(submitted.model_dump(mode="json"))
        else:
            console.out.print(submitted.id)
        print_made(f"{submitted.kind} job {submitted.id}", "asl", "job", "watch", submitted.id)
        return
    console.err.print(f"{submitted.kind} job {submitted.id}")
    sys.exit(follow(client, [submitted.id], json=json))


def features(datasets: list[str] | None, job_ids: list[str] | None) -> list[FeaturesRef]:
    """Name the features of data sets, NAME or NAME@VERSION, and of extractions.

    Raises:
        OptionsInvalid: One is no name.
    """
    named = [_split(dataset) for dataset in datasets or ()]
    of_datasets = [build(FeaturesRef, dataset=name, version=version) for name, version in named]
    return [*of_datasets, *(build(FeaturesRef, job=job_id) for job_id in job_ids or ())]


def _split(dataset: str) -> tuple[str, int | None]:
    name, at, version = dataset.rpartition("@")
    return (name, int(version)) if at and version.isdecimal() else (dataset, None)


def _one_model(client: Client, model: str | None, training_job: str | None) -> ModelRef:
    if (model is None) == (training_job is None):
        raise OptionsInvalid("expected either --model or --training-job", hint="See --help.")
    return build(ModelRef, job=training_job) if model is None else _model(client, model)


def _model(client: Client, model: str) -> ModelRef:
    return ModelRef(alias=model) if model in tuple(Alias) else ModelRef(id=client.models.get(model).id)
