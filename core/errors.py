"""The errors that a user can meet, each with its exit code.

    FaceswapdError              1   never raised itself
    ├── UsageError             64   the command, an option, a parameter is wrong
    ├── BadInputError          65   a film, picture or message is there but unusable
    ├── MissingInputError      66   a file, address or picture cannot be read at all
    ├── NoDeviceError          69   a camera or virtual camera does not exist or cannot do what was asked
    │   └── DeviceLostError    69   it existed, then went away (the supervisor reopens it)
    ├── BusyError              75   somebody else has it; try again later
    ├── ConfigError            78   the configuration file or the installation is wrong
    │   └── ModelError         78   a model file is missing, broken or does not fit its contract
    │       └── InferenceError 78   a model failed while running
    └── DisclosureError        70   a frame could not be marked: it must not be shown

The codes are those of sysexits.h. Everything else that is raised is a bug of ours and keeps its traceback.
"""

from typing import ClassVar


class FaceswapdError(Exception):
    """An error with one line for the user: what (the thing, named), then the remedy."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


class UsageError(FaceswapdError):
    """The command, an option or a parameter is wrong."""

    exit_code = 64
    code = "usage"


class BadInputError(FaceswapdError):
    """Input that is there but unusable: an unreadable film, a photo without a face."""

    exit_code = 65
    code = "bad_input"


class MissingInputError(FaceswapdError):
    """Input that cannot be read at all."""

    exit_code = 66
    code = "missing_input"


class NoDeviceError(FaceswapdError):
    """A camera or virtual camera that does not exist, or cannot do what was asked."""

    exit_code = 69
    code = "no_device"


class DeviceLostError(NoDeviceError):
    """A device that was open and went away."""

    code = "device_lost"


class BusyError(FaceswapdError):
    """Somebody else holds the device, the port or the lock."""

    exit_code = 75
    code = "busy"


class ConfigError(FaceswapdError):
    """The configuration file or the installation is wrong."""

    exit_code = 78
    code = "config"


class ModelError(ConfigError):
    """A model file is missing, has a wrong hash or does not fit its contract."""

    code = "model"


class InferenceError(ModelError):
    """A loaded model failed while running."""

    code = "inference"


class DisclosureError(FaceswapdError):
    """A frame could not be marked as changed; it must not be shown."""

    exit_code = 70
    code = "disclosure"
