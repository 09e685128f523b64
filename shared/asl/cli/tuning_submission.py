"""`asl job submit tuning`: ask for a search of the best training options."""

from typing import Annotated

from cyclopts import Parameter

from asl.cli.flags import DEFAULT_TRAINING, DEFAULT_TUNING, JsonFlag, TrainingFlags, TuningFlags
from asl.cli.remote import UrlFlag, build, connect
from asl.cli.submission import DEFAULT_JOB, JobFlags, Names, WatchFlag, features, submit
from asl.contracts import Device, TuningRequest
from asl.errors import OptionsInvalid


def tuning(
    *,
    dataset: Names = None,
    from_job: Annotated[Names, Parameter(name="--job")] = None,
    train_only_dataset: Names = None,
    train_only_job: Names = None,
    options: Annotated[TrainingFlags, Parameter(name="*")] = DEFAULT_TRAINING,
    search: Annotated[TuningFlags, Parameter(name="*")] = DEFAULT_TUNING,
    device: Device | None = None,
    job: JobFlags = DEFAULT_JOB,
    watch: WatchFlag = False,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Find the learning rate, dropout and network that read signers never seen best.

    Example: `asl job submit tuning --dataset letters --epochs 30 --watch`

    The job's file best_options.json is what `asl train-model --config` and `asl job submit training --config` take.

    Args:
        dataset: NAME or NAME@VERSION with several signers; several are taken together.
        from_job: Ids of extractions whose features are taken, beside the data sets or in their place.
        train_only_dataset: Data sets that only train, and are never tested on.
        train_only_job: Extractions that only train, and are never tested on.
        options: What all trials have in common.
        search: What is tried.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        job: Of any job.
        watch: Follow the job to its end.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    data, extra = features(dataset, from_job), features(train_only_dataset, train_only_job)
    if not data:
        raise OptionsInvalid("expected --dataset or --job, found neither", hint="See --help.")
    request = build(
        TuningRequest,
        data=data,
        train_only=extra,
        options=options.model_dump(),
        tuning=search.model_dump(),
        device=device,
        **vars(job),
    )
    with connect(url) as client:
        submit(client, request, watch=watch, json=json)
