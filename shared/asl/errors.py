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
|   `-- OptionsInvalid           options_invalid
|-- NotFound                     not_found
|-- Conflict                     conflict
|-- OutOfMemory                  out_of_memory
`-- Unavailable                  something this needs is not there now
    |-- LandmarkerUnavailable    landmarker_unavailable
    |-- ModelNotLoaded           model_not_loaded
    `-- Busy                     busy
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


class NotFound(AslError):
    """A named thing does not exist."""

    code = "not_found"


class Conflict(AslError):
    """What was asked for contradicts what is already there."""

    code = "conflict"


class OutOfMemory(AslError):
    """The device ran out of memory."""

    code = "out_of_memory"


class Unavailable(AslError):
    """Something that is needed is not there now."""

    code = "unavailable"
    retryable = True


class LandmarkerUnavailable(Unavailable):
    """The hand landmarker's model file is not there and could not be put together."""

    code = "landmarker_unavailable"


class ModelNotLoaded(Unavailable):
    """No classifier is loaded."""

    code = "model_not_loaded"


class Busy(Unavailable):
    """Too much work is waiting already."""

    code = "busy"
