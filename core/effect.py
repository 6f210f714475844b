"""What was done to the people in a picture."""

from enum import Flag, auto


class Effect(Flag):
    """What was done to the people in a picture: decides which badge it carries."""

    NONE = 0
    SWAPPED = auto()
    """A face shows another face."""
    ANONYMIZED = auto()
    """A face was made unrecognisable."""
    RESTORED = auto()
    """A network drew detail that the camera did not see."""
