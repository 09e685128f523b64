"""The states of jobs, and the only writes that change them.

    waiting --(all it needs succeeded)--> queued --claim--> running --succeed--> succeeded
       |                                    ^  |               |----fail-------> failed
       |                                    |  |               |
       |                                    `--|-- release, retry after a crash, lease expired
       |                                       |               |
       `--------------cancel-------------------+--> cancelled <--- cancelling <--cancel-- running

Whatever ends a job stays: the three states at the right are never left. A claim counts `attempt` up; every later write
of the worker carries it as a fencing token and finds no row once another has claimed the job, or it has ended. All
times are the database's. Where a job's end touches others (those that wait for it), it happens in the same
transaction.
"""

from asl.infra.jobs.endings import MAX_LOST, cancel, cancel_orphaned_shards, confirm_cancelled, fail, succeed
from asl.infra.jobs.holding import (
    Expired,
    claim,
    has_ended,
    record,
    release,
    save_checkpoint,
    take_back_expired,
)
from asl.infra.jobs.queueing import NOTIFY_CHANNEL, add, n_due, starts_before
from asl.infra.jobs.rows import Claim, Event, NewArtifact

__all__ = [
    "MAX_LOST",
    "NOTIFY_CHANNEL",
    "Claim",
    "Event",
    "Expired",
    "NewArtifact",
    "add",
    "cancel",
    "cancel_orphaned_shards",
    "claim",
    "confirm_cancelled",
    "fail",
    "has_ended",
    "n_due",
    "record",
    "release",
    "save_checkpoint",
    "starts_before",
    "succeed",
    "take_back_expired",
]
