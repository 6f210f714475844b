"""Fail closed: what may be shown of a frame whose faces ought to be hidden. The raw camera never leaks by accident."""

from dataclasses import dataclass
from enum import StrEnum

from ..core.settings import OnNoFace
from ..faces.face import Sighting

UNSEEN = Sighting((), detected=False)
"""Nobody has looked at the frame."""


class Showing(StrEnum):
    """What the output shows in a frame's place."""

    LIVE = "live"
    """The picture as the chain made it."""
    FREEZE = "freeze"
    """The last picture that was shown live."""
    PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What became of one frame on its way through the chain."""

    hides: bool
    """A processor that hides faces is on."""
    every_face: bool = False
    """One of them treats whoever is there, so only a frame that the detector has seen is known to be safe."""
    sighting: Sighting = UNSEEN
    treated: frozenset[int] = frozenset()
    """Ids of the faces that the chain has hidden or replaced."""
    spared: frozenset[int] = frozenset()
    """Ids of the faces that it has left as they are because the user's parameters say so."""
    failed: bool = False
    """Tracking, a processor or the disclosure raised, or a consent has expired: there is no picture to show."""
    rev: int = 0
    """The chain's revision."""

    @property
    def exposed(self) -> bool:
        """A face that ought to be hidden is not, or may not be for all that is known."""
        if not self.hides:
            return False
        ids = {face.id for face in self.sighting.faces}
        if ids - self.treated - self.spared:
            return True
        # Nobody has looked: with a face in sight others may have come in, without one anybody may.
        return not self.sighting.detected and (self.every_face or not ids)

    def sees(self, hold_ns: int) -> bool:
        """A face is there, or was until at most `hold_ns` ago, so that its mask stands for it."""
        return any(face.held_ns <= hold_ns for face in self.sighting.faces)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user has chosen for a frame that has no face."""

    on_no_face: OnNoFace = "placeholder"
    hold_ns: int = 400_000_000
    """How long the last mask, or the last good picture, stands for what is missing."""


def show(evidence: Evidence, policy: Policy, since_ns: int | None) -> Showing:
    """What a live output shows. Pure.

    since_ns: the age of the last picture that may be frozen, None if there is none.

    | hides | frame                          | shown                                                           |
    |-------|--------------------------------|-----------------------------------------------------------------|
    | any   | failed                         | the last picture while it is younger than `hold_ns`, then       |
    |       |                                | frozen if the policy is freeze, else the placeholder: never raw |
    | yes   | a face is exposed              | the same                                                        |
    | yes   | no face, or held for too long  | what `on_no_face` says: passthrough is live                     |
    | yes   | every face treated or spared   | live                                                            |
    | no    | not failed                     | live                                                            |
    """
    frozen = Showing.PLACEHOLDER if since_ns is None else Showing.FREEZE
    if evidence.failed or evidence.exposed:
        held = since_ns is not None and since_ns <= policy.hold_ns
        return frozen if held or policy.on_no_face == "freeze" else Showing.PLACEHOLDER
    if not evidence.hides or evidence.sees(policy.hold_ns):
        return Showing.LIVE
    match policy.on_no_face:
        case "passthrough":
            return Showing.LIVE
        case "freeze":
            return frozen
        case "placeholder":
            return Showing.PLACEHOLDER


def may_write(evidence: Evidence) -> bool:
    """Whether a frame of a file may be written as the chain made it; if not, the job stops. Pure.

    A frame in which the detector ran and found no face is written unchanged; one that failed, has an exposed
    face, or that no detector has looked at, is not written.
    """
    return not evidence.failed and not evidence.exposed


class Gate:
    """Judges the frames of a live run, in order, and remembers the age of the picture that may be frozen.

    Only a picture of the same revision of the chain is ever frozen: one from before a change may show what
    the change was made to hide. Called in one thread.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self._good: tuple[int, int] | None = None

    def judge(self, evidence: Evidence, at_ns: int) -> Showing:
        """What is shown for the frame captured at `at_ns`; LIVE makes its picture the one that may be frozen."""
        since_ns = None
        if self._good is not None and self._good[0] == evidence.rev:
            since_ns = at_ns - self._good[1]
        showing = show(evidence, self.policy, since_ns)
        if showing is Showing.LIVE:
            self._good = (evidence.rev, at_ns)
        return showing
