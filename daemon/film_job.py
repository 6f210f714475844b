"""One film into another: in segments, so that what was done before an interruption need not be done again."""

import os
import shutil
import threading
from collections.abc import Callable, Set
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import structlog
from av.video.frame import VideoFrame

from ..capture.animation import Animation
from ..capture.breaks import Unbroken
from ..capture.film import Film, Reader, Shape
from ..capture.hwaccel import Devices, FFmpegDevices
from ..capture.picture import animated
from ..capture.tonemap import LIGHT_BYTES, restored, tone_mapped
from ..core.errors import BadInputError, DeviceLostError, UsageError
from ..core.frame import Pixels
from ..core.meter import Meter
from ..core.settings import Size
from ..inference.picture_model import check_model
from ..inference.providers import cores
from ..sinks import sound
from ..sinks.assemble import Window, assemble, rehearse
from ..sinks.companions import Carried
from ..sinks.develop import Developer, Grade
from ..sinks.encoders import Encoder, EncoderLostError, choose, probe
from ..sinks.mastering import mastered
from ..sinks.segments import Print, SegmentWriter, even, usual_rate
from ..sinks.video import CONTAINERS
from .film_finish import Finish
from .film_frames import FilmOptions, Told, frames
from .interruption import Interruption
from .journal import Journal, parts_of
from .line import Shot
from .offline import Offline
from .studio import Studio
from .threads import one_thread_each
from .thrift import at_once, held, thrifty

log = structlog.get_logger(__name__)

_FASTER = Fraction(101, 100)
"""Containers tell rates that are a little off."""
SDR = (1, 1, 1)
"""Matrix, primaries and transfer of BT.709."""


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
    devices: Devices = field(default_factory=FFmpegDevices)
    """What may decode the film."""

    @property
    def folder(self) -> Path:
        """Where segments wait until the film is put together."""
        return parts_of(self.target)

    def run(self) -> Told:
        """Raises what reading, processing and writing raise; the film is there as a whole or not at all.

        What is done is kept for `resume` if the run was interrupted or the disk is full.
        """
        with one_thread_each():
            return self._run()

    def _run(self) -> Told:
        sound.check(self.options.sound_codec)
        film = self._reader()
        try:
            shape, print_, journal = self._encoded(film)
            try:
                carried = self._assemble(shape, print_, journal)
                shutil.rmtree(self.folder, ignore_errors=True)
            finally:
                journal.close()
        finally:
            film.close()
        self.told.audio, self.told.decoder = carried.audio, film.decoder
        self._note(*_remarks(film, shape), *_carrying(carried))
        return self.told

    def _encoded(self, film: Reader) -> tuple[Shape, Print, Journal]:
        """All segments, by the first encoder that does not fail."""
        lost: set[str] = set()
        while True:
            with Interruption():  # FFmpeg's calls of ours may swallow a KeyboardInterrupt
                shape = film.open()
                print_ = self._print(shape, lost)
                self._rehearse()
            journal = self._journal(print_)
            try:
                self._segments(film, shape, print_, journal)
                return shape, print_, journal
            except EncoderLostError as error:
                # Packets of two encoders do not go together: the film is begun anew with the next one.
                log.warning("encoder.lost", film=str(self.target), error=str(error))
                lost.add(print_.encoder.name)
                self._note(f"{error.what}; the film was begun anew with another encoder")
                film.close()
                journal.close()
                shutil.rmtree(self.folder, ignore_errors=True)
            except BaseException as error:
                # A full disk may have room again, whoever interrupts may go on; a film that is at fault stays so.
                kept = isinstance(error, KeyboardInterrupt | DeviceLostError) and journal.entries
                journal.close()
                if not kept:
                    shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def look(self) -> tuple[Shape, Print]:
        """What would be written; nothing is."""
        film = self._reader()
        try:
            shape = film.open()
            print_, carried = self._print(shape, set()), self._rehearse()
            self.told.decoder, self.told.audio = film.decoder, carried.audio
            self._note(*_remarks(film, shape), *_carrying(carried))
            return shape, print_
        finally:
            film.close()

    def _reader(self) -> Reader:
        if animated(self.source):
            return Animation(self.source)
        return Film(self.source, self._decoders(), self.options.hwaccel, self.devices)

    def _decoders(self) -> int:
        """Threads of the decoder. It is the quickest stage; each thread holds a frame, which a limit on memory may
        not have room for."""
        half = max(1, cores() // 2)
        return min(4, half) if self.studio.max_bytes else half

    def _note(self, *notes: str) -> None:
        self.told.notes = (*self.told.notes, *notes)

    def _print(self, shape: Shape, lost: Set[str]) -> Print:
        kind, options, colour = CONTAINERS[self.target.suffix.lower()], self.options, shape.colour
        size = even(shape.size)
        even_fps = options.even_fps
        fps = even_fps or shape.fps
        if options.interpolate and shape.fps > options.interpolate * _FASTER:
            raise UsageError(
                f"--interpolate {options.interpolate}: {self.source} has {float(shape.fps):.5g} frames a second",
                "frames are drawn between others, not taken out: that is --fps",
            )
        encoder = choose(
            options.encoder,
            size,
            usual_rate(fps),
            live=False,
            quality=options.quality,
            preset=options.preset,
            codecs=kind.codecs,
            without=lost,
        )
        if self.studio.max_bytes:
            encoder = thrifty(encoder, size, self.studio.max_bytes)
        if colour.bits > 8:
            encoder = _deep(encoder, size, usual_rate(fps))
        if colour.hdr and not _mapped(shape, encoder):
            encoder = mastered(encoder, colour.display, colour.light)
        self.told.encoder, self.told.size = encoder.name, size
        self.told.total, self.told.total_in = self._expected(shape, fps), self._expected(shape, shape.fps)
        mapped = _mapped(shape, encoder)
        tags = (colour.matrix, colour.primaries, colour.transfer)
        if colour.rgb or colour.matrix == 0:
            tags = (2, *tags[1:])
        return Print(encoder, size, fps, 1 / fps if even_fps else shape.time_base, *(SDR if mapped else tags))

    def _expected(self, shape: Shape, fps: Fraction) -> int | None:
        options = self.options
        if shape.duration_s is None or not (options.start_s or options.end_s or fps != shape.fps):
            return shape.frames
        end_s = min(shape.duration_s, options.end_s or shape.duration_s)
        return max(1, round((end_s - (options.start_s or 0)) * fps))

    def _journal(self, print_: Print) -> Journal:
        stat = self.source.stat()
        facts = {
            "source": [os.fsencode(self.source.resolve()), stat.st_size, stat.st_mtime_ns],
            "options": self.options,
            "print": repr(print_),
            "chain": self.studio.chain.states,
            "run": self.studio.facts,
            "interpolator": self._interpolator(),
        }
        return Journal.opened(self.folder, facts, resume=self.resume)

    def _interpolator(self) -> str:
        """The SHA-256 of the model that draws frames. Raises ModelError for one that is not here."""
        name, models = self.options.interpolate_model, self.studio.models
        if not name or models is None:
            return ""
        check_model(models.shelf, name, "interpolator")
        return models.shelf.card(name).sha256

    def _segments(self, film: Reader, shape: Shape, print_: Print, journal: Journal) -> None:
        told, done = self.told, journal.entries
        told.frames_out = told.resumed = sum(s.frames for s in done)
        told.frames_in, told.faces = sum(s.frames_in for s in done), sum(s.faces for s in done)
        told.interpolated = sum(s.interpolated for s in done)
        if journal.complete:
            return
        transfer, mapped = shape.colour.transfer, _mapped(shape, print_.encoder)
        plain = shape.plain and shape.size == print_.size and not mapped and not self.options.fps
        # A frame that is shown twice must not be converted by two threads at once: swscale notes its tags in it.
        alone = threading.Lock() if self.options.fps else nullcontext()

        def raw(image: VideoFrame) -> Pixels:
            with alone:
                return film.pixels(image)

        def pixels(image: VideoFrame) -> Pixels:
            return tone_mapped(raw(image), transfer) if mapped or graded else raw(image)

        # Processors see ordinary pictures, also where the film keeps its high dynamic range.
        graded = shape.colour.hdr and not mapped and bool(self.studio.chain.enabled)
        grade = Grade(raw, lambda drawn: restored(drawn, transfer)) if graded else None
        developer = Developer(print_, plain=plain, grade=grade)
        if mapped:
            self._note("high dynamic range was pressed into 8 bits; --video-encoder hevc keeps it")

        finish = Finish(self.options, shape, print_, self.studio, self.meter)

        def watch(shot: Shot[VideoFrame], before: Pixels, after: Pixels) -> None:
            finish.watch(shot, before, after)
            self.watch(shot, before, after)

        width, height = shape.size
        room, cost = self.studio.room(width * height, held(print_.encoder, print_.size) + finish.reserve)
        cost += width * height * (finish.per_pixel + (LIGHT_BYTES if mapped or graded else 0))
        workers = self.studio.pool.workers
        if room.limit_bytes is not None:
            work = width * height * finish.at_work
            workers = at_once(workers, room.limit_bytes, cost, work)
            room.reserve(workers * work)
        known = done[-1].batch if done else 0
        batch = self.studio.batch(told.total_in, room, cost, self.options.batch, known)
        offline: Offline[VideoFrame] = Offline(
            self.studio.chain, self.studio.tracker, workers, self.studio.disclosure, self.meter,
            open_=pixels, develop=developer.develop,
            watch=watch, batch=batch,
        )  # fmt: skip
        begin = done[-1].next_pts if done else None
        shots = frames(film, shape, self.options, told, begin, len(done))
        writer: SegmentWriter | None = None
        tally, part, drawn, faces = finish.tally, -1, 0, told.faces
        try:
            with (
                Interruption() as interruption,
                closing(offline.run(shots, room, cost)) as pictures,
                closing(finish.frames(pictures, room)) as film_frames,
            ):
                for shown in film_frames:
                    interruption.obey()
                    if shown.part != part:
                        if writer is not None:
                            ended = writer.finish()
                            journal.enter(
                                ended,
                                tally.faces[part],
                                shown.begin,
                                tally.frames[part],
                                drawn,
                                batch.settled,
                            )
                        part, drawn = shown.part, 0
                        writer = SegmentWriter(self.folder / f"{part:05}.mp4", print_)
                    assert writer is not None
                    began_ns = self.studio.clock.now_ns()
                    writer.put(shown.image, shown.pts, shown.duration)
                    self.meter.time("encode", self.studio.clock.now_ns() - began_ns)
                    drawn += shown.interpolated
                    told.frames_out += 1
                    told.interpolated += shown.interpolated
                    told.faces = faces + tally.faces.total()
                    self.tell(told)
            if writer is None:
                raise BadInputError(f"{self.source}: no frame in the part that is wanted", "see --trim")
            journal.enter(writer.finish(), tally.faces[part], None, tally.frames[part], drawn)
            told.peak_bytes, told.batch = room.peak, batch.settled or 1
        except BaseException:
            if writer is not None:
                writer.abandon()
            raise

    @property
    def _original(self) -> Path | None:
        """What everything but the pictures comes from."""
        return None if animated(self.source) else self.source

    def _rehearse(self) -> Carried:
        """What will come along. A codec that the new film cannot have is said now, not after all is encoded."""
        options = self.options
        return rehearse(
            self.target, self._original,
            sound=options.sound, cover=not self.studio.chain.enabled, codec=options.sound_codec,
        )  # fmt: skip

    def _assemble(self, shape: Shape, print_: Print, journal: Journal) -> Carried:
        segments = journal.segments()
        options, start = self.options, shape.start_pts * shape.time_base
        shift_s = round(shape.origin_s / print_.time_base) * print_.time_base
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
            self._original,
            Window(
                start_s,
                end_s,
                shift_s,
                segments[0].first_pts * print_.time_base - start,
                lambda base: Unbroken(shape.breaks, base).at,
            ),
            sound=options.sound,
            codec=options.sound_codec,
            cover=not self.studio.chain.enabled,
        )


def _remarks(film: Reader, shape: Shape) -> list[str]:
    remarks = []
    if film.damaged:
        remarks.append(f"{film.damaged} damaged packets of the original were skipped")
    if film.mended:
        remarks.append(f"{film.mended} frames of the original had no usable time")
    if shape.breaks:
        remarks.append(
            f"the clock of the original jumps ({len(shape.breaks)}): the film goes on without a gap"
        )
    if shape.interlaced:
        remarks.append("the original is interlaced: its two fields are processed as one picture")
    if shape.transparent:
        remarks.append("the original is transparent in places: the film is not")
    if shape.size != even(shape.size):
        remarks.append("an odd width or height lost its last column or row")
    return remarks


def _carrying(carried: Carried) -> list[str]:
    return [*(f"left out: {s}" for s in carried.left_out), *carried.converted]


def _mapped(shape: Shape, encoder: Encoder) -> bool:
    """High dynamic range needs ten bits; with eight it is made ordinary."""
    return shape.colour.hdr and "10" not in encoder.pix_fmt


def _deep(encoder: Encoder, size: Size, fps: float) -> Encoder:
    """The encoder with ten bits where its codec has them everywhere (HEVC, AV1) and it can do them here."""
    if encoder.codec not in ("hevc", "av1"):
        return encoder
    ten: Any = "p010le" if encoder.pix_fmt == "nv12" else "yuv420p10le"
    deep = replace(encoder, pix_fmt=ten)
    return encoder if probe(deep, size, fps) else deep
