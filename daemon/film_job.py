"""One film into another: in segments, so that what was done before an interruption need not be done again."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import msgspec
import structlog
from av.video.frame import VideoFrame

from ..capture.film import Film, Shape
from ..core.errors import BadInputError, FaceswapdError, MissingInputError, UsageError
from ..core.frame import Pixels
from ..core.meter import Meter
from ..sinks.assemble import Carried, Window, assemble
from ..sinks.encoders import QUALITY, choose
from ..sinks.segments import Developer, Print, Segment, SegmentWriter, even
from ..sinks.video import CONTAINERS
from .offline import Offline, Shot
from .studio import Studio

log = structlog.get_logger(__name__)

SEGMENT_S = 20.0
"""A segment ends at the first key frame after so long, where decoding can begin again; without one, after
three times as long. Faces are looked for anew at its beginning, so that a film that was interrupted there
is the same film."""


class FilmOptions(msgspec.Struct, frozen=True):
    """How a film is to be written."""

    encoder: str = "auto"
    quality: int = QUALITY
    preset: str = ""
    """Of the encoder's own names; empty: the one of its table."""
    sound: bool = True
    start_s: float | None = None
    end_s: float | None = None
    """The part that is wanted, in seconds from the film's beginning."""
    fps: float | None = None
    """A constant rate; None: every frame at its own time."""
    segment_s: float = SEGMENT_S


@dataclass(slots=True)
class Told:
    """What a job tells of itself while it works and at its end."""

    frames_in: int = 0
    frames_out: int = 0
    faces: int = 0
    """Faces hidden or replaced, over all frames."""
    resumed: int = 0
    """Frames that were there from an interrupted run."""
    total: int | None = None
    encoder: str = ""
    audio: str = "none"
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    peak_bytes: int = 0


class _Done(msgspec.Struct, frozen=True):
    """A segment in the journal."""

    file: str
    first_pts: int
    frames: int
    frames_in: int
    faces: int
    next_pts: int | None
    """Where the next one begins; None: that was the last."""


class _Journal(msgspec.Struct):
    """What is on the disk of an unfinished job."""

    job: str
    """Hash of all that the frames depend on."""
    segments: list[_Done] = []


@dataclass(slots=True)
class FilmJob:
    """One film. `run` is called once, in the main thread."""

    source: Path
    target: Path
    studio: Studio
    options: FilmOptions
    meter: Meter
    resume: bool = False
    told: Told = field(default_factory=Told)
    tell: Callable[[Told], None] = lambda _: None
    """Called after every frame."""
    watch: Callable[[Shot[VideoFrame], Pixels, Pixels], None] = lambda _shot, _before, _after: None

    @property
    def folder(self) -> Path:
        """Where segments wait until the film is put together."""
        return self.target.with_name(f".{self.target.name}.parts")

    def run(self) -> Told:
        """Raises what reading, processing and writing raise; the film is there as a whole or not at all.

        What is done is kept for `resume` if the run was interrupted or the disk is full.
        """
        film = Film(self.source)
        shape = film.open()
        try:
            print_ = self._print(shape)
            journal = self._journal(print_)
            try:
                self._segments(film, shape, print_, journal)
            except (BadInputError, UsageError):
                shutil.rmtree(self.folder, ignore_errors=True)
                raise
            except FaceswapdError:
                if not journal.segments:
                    shutil.rmtree(self.folder, ignore_errors=True)
                raise
            except KeyboardInterrupt:
                log.warning("film.interrupted", film=str(self.target), segments=len(journal.segments))
                raise
        finally:
            film.close()
        carried = self._assemble(shape, print_, journal)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.told.audio = carried.audio
        self.told.notes = (*self._notes(film, shape), *(f"left out: {s}" for s in carried.left_out))
        return self.told

    def _print(self, shape: Shape) -> Print:
        kind, options = CONTAINERS[self.target.suffix.lower()], self.options
        size = even(shape.size)
        fps = Fraction(options.fps).limit_denominator(1001) if options.fps else shape.fps
        encoder = choose(
            options.encoder, size, float(fps), live=False, quality=options.quality, codecs=kind.codecs
        )
        if options.preset:
            encoder = replace(encoder, options={**encoder.options, "preset": options.preset})
        self.told.encoder, self.told.size = encoder.name, size
        self.told.total = self._expected(shape, fps)
        colour = shape.colour
        rgb = colour.rgb or colour.matrix == 0
        return Print(
            encoder,
            size,
            fps,
            1 / fps if options.fps else shape.time_base,
            matrix=2 if rgb else colour.matrix,
            primaries=colour.primaries,
            transfer=colour.transfer,
        )

    def _expected(self, shape: Shape, fps: Fraction) -> int | None:
        options = self.options
        if shape.duration_s is None or not (options.start_s or options.end_s or options.fps):
            return shape.frames
        end_s = min(shape.duration_s, options.end_s or shape.duration_s)
        return max(1, round((end_s - (options.start_s or 0)) * fps))

    def _journal(self, print_: Print) -> _Journal:
        """The journal of this job: the one on the disk where it is to go on, else a new one."""
        stat = self.source.stat()
        facts = {
            "source": [str(self.source.resolve()), stat.st_size, stat.st_mtime_ns],
            "options": self.options,
            "print": [repr(print_)],
            "chain": self.studio.chain.states,
            "run": self.studio.facts,
        }
        job = hashlib.sha256(msgspec.json.encode(facts, enc_hook=str)).hexdigest()
        file = self.folder / "journal.json"
        if self.resume and file.exists():
            try:
                journal = msgspec.json.decode(file.read_bytes(), type=_Journal)
            except msgspec.DecodeError:  # the power went while it was written
                journal = _Journal("")
            if journal.job == job and all((self.folder / s.file).exists() for s in journal.segments):
                return journal
            log.warning("film.begun_anew", film=str(self.target), why="the job is not the same any more")
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir()
        except OSError as error:
            raise MissingInputError(
                f"cannot write {self.target} ({error.strerror})", "save elsewhere"
            ) from None
        return _Journal(job)

    def _segments(self, film: Film, shape: Shape, print_: Print, journal: _Journal) -> None:
        told, done = self.told, journal.segments
        told.frames_out = told.resumed = sum(s.frames for s in done)
        told.frames_in, told.faces = sum(s.frames_in for s in done), sum(s.faces for s in done)
        if done and done[-1].next_pts is None:
            return
        developer = Developer(print_)
        offline: Offline[VideoFrame] = Offline(
            self.studio.chain, self.studio.tracker, self.studio.pool, self.studio.disclosure, self.meter,
            open_=film.pixels, develop=developer.develop,
            keep=developer.copy if shape.plain else lambda _: None, watch=self.watch,
        )  # fmt: skip
        width, height = shape.size
        room, cost = self.studio.room(width * height)
        begin = done[-1].next_pts if done else None
        shots = self._shots(film, shape, begin, len(done))
        writer: SegmentWriter | None = None
        step = max(1, round(1 / print_.fps / print_.time_base))
        part, counts = -1, Told()
        try:
            with closing(offline.run(shots, room, cost)) as pictures:
                for picture in pictures:
                    if picture.shot.part != part:
                        if writer is not None:
                            self._note(journal, writer.finish(), counts, picture.shot.pts)
                        part, counts = picture.shot.part, Told()
                        writer = SegmentWriter(self.folder / f"{part:05}.mp4", print_)
                    assert writer is not None
                    began_ns = self.studio.clock.now_ns()
                    writer.put(picture.image, picture.shot.pts, picture.shot.image.duration or step)
                    self.meter.time("encode", self.studio.clock.now_ns() - began_ns)
                    room.give(picture.cost)
                    counts.frames_out += 1
                    counts.faces += picture.faces
                    told.frames_out += 1
                    told.faces += picture.faces
                    self.tell(told)
            if writer is None:
                raise BadInputError(f"{self.source}: no frame in the part that is wanted", "see --trim")
            self._note(journal, writer.finish(), counts, None)
            told.peak_bytes = room.peak
        except BaseException:
            if writer is not None:
                writer.abandon()
            raise

    def _shots(self, film: Film, shape: Shape, begin: int | None, part: int) -> Iterator[Shot[VideoFrame]]:
        """The film's frames that are wanted, from the one at `begin` on; read in the decoder's thread."""
        options, told = self.options, self.told
        base = shape.time_base
        start_s, end_s = options.start_s or 0.0, options.end_s
        if begin is not None and not options.fps:
            film.seek(begin)
        elif start_s:
            film.seek_before(shape.start_pts + round(start_s / base))
        opened_pts: int | None = begin
        n = told.resumed
        for picture in film.pictures():
            time_s = float((picture.pts - shape.start_pts) * base)
            if time_s < start_s or (begin is not None and picture.pts < begin):
                continue
            if end_s is not None and time_s >= end_s:
                return
            told.frames_in += 1
            if opened_pts is None:
                opened_pts = picture.pts
            age_s = float((picture.pts - opened_pts) * base)
            if age_s >= options.segment_s and (picture.key or age_s >= 3 * options.segment_s):
                part, opened_pts = part + 1, picture.pts
            yield Shot(n, picture.pts, time_s, part, picture.image)
            n += 1

    def _note(self, journal: _Journal, segment: Segment, counts: Told, next_pts: int | None) -> None:
        journal.segments.append(
            _Done(
                segment.path.name, segment.first_pts, segment.frames, segment.frames, counts.faces, next_pts
            )
        )
        file = self.folder / "journal.json"
        fresh = file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(journal))
        fresh.replace(file)

    def _assemble(self, shape: Shape, print_: Print, journal: _Journal) -> Carried:
        segments = [Segment(self.folder / s.file, s.first_pts, s.frames) for s in journal.segments]
        options, shift_s, start = self.options, Fraction(0), shape.start_pts * shape.time_base
        start_s = end_s = None
        if options.start_s is not None:
            shift_s = segments[0].first_pts * print_.time_base
            start_s = float(shift_s)
        if options.end_s is not None:
            end_s = float(start) + options.end_s
        return assemble(
            self.target,
            self.folder / f"film{self.target.suffix}",
            print_,
            segments,
            self.source,
            Window(start_s, end_s, shift_s),
            sound=options.sound,
            cover=not self.studio.chain.enabled,
        )

    @staticmethod
    def _notes(film: Film, shape: Shape) -> tuple[str, ...]:
        notes = []
        if film.damaged:
            notes.append(f"{film.damaged} damaged packets of the original were skipped")
        if film.mended:
            notes.append(f"{film.mended} frames of the original had no usable time")
        if shape.interlaced:
            notes.append("the original is interlaced: its two fields are processed as one picture")
        if shape.size != even(shape.size):
            notes.append("an odd width or height lost its last column or row")
        return tuple(notes)
