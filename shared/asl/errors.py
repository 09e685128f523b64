"""The tree of errors that users meet; each has a stable code and says whether trying again can help.

AslError
|-- InvalidInput                 what was given cannot be used
|   |-- ImageEmpty               image_empty
|   |-- ImageTooLarge            image_too_large
|   |-- ImageTypeUnsupported     image_type_unsupported
|   |-- ImageUnreadable          image_unreadable
|   |-- LandmarksInvalid         landmarks_invalid
|   |-- DatasetInvalid           dataset_invalid
|   |-- ModelInvalid             model_invalid
|   |-- OptionsInvalid           options_invalid
|   `-- IdempotencyKeyReused     idempotency_key_reused
|-- Unauthenticated              unauthenticated
|-- Forbidden                    forbidden
|   `-- ForeignSite              foreign_site
|-- NotFound                     not_found
|-- Conflict                     conflict
|   |-- GateRefused              gate_refused
|   `-- PreconditionFailed       precondition_failed
|-- PreconditionRequired         precondition_required
|-- QuotaExceeded                quota_exceeded
|-- OutOfMemory                  out_of_memory
|-- Stopped                      stopped
|-- WorkLost                     a job did not come to its end
|   |-- Crashed                  crashed
|   |-- Stalled                  stalled
|   |-- WorkerLost               worker_lost
|   `-- DependencyFailed         dependency_failed
`-- Unavailable                  something this needs is not there now
    |-- LandmarkerUnavailable    landmarker_unavailable
    |-- PageUnavailable          page_unavailable
    |-- ModelNotLoaded           model_not_loaded
    |-- Busy                     busy
    `-- DeadlineExceeded         deadline_exceeded
"""

from typing import ClassVar


class AslError(Exception):
    """An error whose message tells what was expected and what was found; `hint` tells what to do."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(AslError):
    """What was given cannot be used."""

    code = "invalid_input"


class ImageEmpty(InvalidInput):
    """The image has no bytes."""

    code = "image_empty"


class ImageTooLarge(InvalidInput):
    """The image has more bytes or pixels than allowed."""

    code = "image_too_large"


class ImageTypeUnsupported(InvalidInput):
    """The bytes are of no supported image type."""

    code = "image_type_unsupported"


class ImageUnreadable(InvalidInput):
    """The bytes start like an image but cannot be decoded."""

    code = "image_unreadable"


class LandmarksInvalid(InvalidInput):
    """Landmarks of a wrong shape, not finite, or of a hand without size."""

    code = "landmarks_invalid"


class DatasetInvalid(InvalidInput):
    """A folder or file is no data set that this can use."""

    code = "dataset_invalid"


class ModelInvalid(InvalidInput):
    """A file is no model of ours, or does not fit what it is used for."""

    code = "model_invalid"


class OptionsInvalid(InvalidInput):
    """Options contradict each other or the data."""

    code = "options_invalid"


class IdempotencyKeyReused(InvalidInput):
    """An Idempotency-Key came again with another request."""

    code = "idempotency_key_reused"


class Unauthenticated(AslError):
    """No API key was given, or one that is not known."""

    code = "unauthenticated"


class Forbidden(AslError):
    """The API key does not allow this."""

    code = "forbidden"


class ForeignSite(Forbidden):
    """Another site's page asked for this through its visitor's browser."""

    code = "foreign_site"


class NotFound(AslError):
    """A named thing does not exist."""

    code = "not_found"


class Conflict(AslError):
    """What was asked for contradicts what is already there."""

    code = "conflict"


class GateRefused(Conflict):
    """A model does too badly, or was not compared, to have a role."""

    code = "gate_refused"


class PreconditionFailed(Conflict):
    """What was to be changed has been changed by another."""

    code = "precondition_failed"


class PreconditionRequired(AslError):
    """A change must say which state it means to change."""

    code = "precondition_required"


class QuotaExceeded(AslError):
    """The API key has used up what it may."""

    code = "quota_exceeded"
    retryable = True


class OutOfMemory(AslError):
    """The device ran out of memory."""

    code = "out_of_memory"


class Stopped(AslError):
    """Work was told to stop, and has."""

    code = "stopped"


class WorkLost(AslError):
    """A job did not come to its end."""

    code = "work_lost"
    retryable = True


class Crashed(WorkLost):
    """The process of a job ended by a signal or without a word."""

    code = "crashed"


class Stalled(WorkLost):
    """The process of a job lived, but got no further."""

    code = "stalled"


class WorkerLost(WorkLost):
    """The workers of a job vanished, again and again."""

    code = "worker_lost"


class DependencyFailed(WorkLost):
    """A job that had to succeed before did not."""

    code = "dependency_failed"
    retryable = False


class Unavailable(AslError):
    """Something that is needed is not there now."""

    code = "unavailable"
    retryable = True


class LandmarkerUnavailable(Unavailable):
    """The hand landmarker's model file is not there and could not be put together."""

    code = "landmarker_unavailable"


class PageUnavailable(Unavailable):
    """The page's third-party files are not there and could not be fetched."""

    code = "page_unavailable"


class ModelNotLoaded(Unavailable):
    """No classifier is loaded."""

    code = "model_not_loaded"


class Busy(Unavailable):
    """Too much work is waiting already."""

    code = "busy"


class DeadlineExceeded(Unavailable):
    """The work was not done in the time that the caller allowed."""

    code = "deadline_exceeded"
