"""What is known of a model of the user's: the card that lies beside its file."""

import msgspec

from .contracts import Found


class Card(msgspec.Struct, frozen=True):
    """What is known of a model on the shelf."""

    model: str
    family: str
    file: str
    """Its name before it came here."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    origin: str
    side: int = 0
    """Of the picture that goes in, pixels; 0 where it takes none, or of any size."""
    roles: tuple[str, ...] = ()
    """The roles of its inputs, without the optional ones that it has not."""
    scalars: tuple[str, ...] = ()
    """Those of them that are a bare number here, in other exports a vector of one."""
    consent: str = ""
    """For a model that is itself somebody's face: on what basis it may be worn."""
    accepted: str = ""
    """The day on which its licence was accepted, where it was asked for."""
    edges: tuple[Found, ...] = ()
    """What goes from its identity half to its image half; empty where it runs in one."""
    batch: bool = False
    """Any number of pictures may go in at once: tried when it was added, equal to single runs."""
    emap_sha256: str = ""
    serves: str = ""
    """The known model that it stands in for, as long as that one is not here."""
