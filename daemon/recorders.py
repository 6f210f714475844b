"""Recorders as the settings of a run want them; all of them hear one microphone."""

from collections.abc import Callable
from pathlib import Path

from ..capture.microphone import Microphone
from ..core.clock import Clock
from ..core.settings import Settings
from ..core.sound import Ear
from ..sinks.orphans import Journal
from ..sinks.recorder import Limits, Recorder
from ..sinks.replay import ReplayBuffer


class Recorders:
    """Makes what records: films that are told to begin, films of a whole run, and the last moments."""

    def __init__(self, settings: Settings, clock: Clock, journal: Journal) -> None:
        """`journal` notes each film, so that one that is cut off is finished at the next start."""
        self._settings, self._clock = settings, clock
        self.journal = journal
        record = settings.record
        self._microphone = Microphone(clock, record.microphone, record.av_delay_ms / 1000)

    def film(
        self, path: Path, *, overwrite: bool = False, on_notice: Callable[[str], None] = lambda _: None
    ) -> Recorder:
        """A film, not open yet. `on_notice` is told in the recorder's thread. Raises as `Recorder`."""
        settings, record = self._settings, self._settings.record
        return Recorder(
            path, settings.size, settings.fps, self._clock,
            encoder=record.encoder, quality=record.quality, constant=record.constant_rate,
            limits=Limits(record.segment_s, record.max_bytes, record.keep_free),
            ear=self._ear(), journal=self.journal, on_notice=on_notice, overwrite=overwrite,
        )  # fmt: skip

    def replay(self) -> ReplayBuffer | None:
        """The last moments, where they are to be kept. Raises as `ReplayBuffer`."""
        settings, record = self._settings, self._settings.record
        if record.save_last_s is None:
            return None
        return ReplayBuffer(
            record.save_last_s, settings.size, settings.fps,
            encoder=record.encoder, quality=record.quality, ear=self._ear(),
        )  # fmt: skip

    def _ear(self) -> Ear | None:
        return self._microphone.ear() if self._settings.record.sound else None
