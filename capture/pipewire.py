"""Reading the pictures of a PipeWire node: a screen or window that the desktop shares."""

import ctypes
import os
import threading
import time
from fractions import Fraction
from typing import Any, TypeVar

import cv2
import numpy as np
import structlog

from ..core.errors import DeviceLostError, NoDeviceError
from ..core.frame import Pixels
from ..core.settings import Size
from ..native import pipewire as abi
from ..native.pod import (
    pod_enum,
    pod_flags,
    pod_fraction,
    pod_id,
    pod_int,
    pod_object,
    pod_range,
    pod_rectangle,
    read_object,
)

T = TypeVar("T", bound=ctypes.Structure)

log = structlog.get_logger(__name__)

_WAIT_S = 5.0
_FIRST_S = 1.0
"""A producer that gives no picture for so long gives one when something changes: sway's part of the portal may."""
_REMEDY = "is PipeWire running in this session? `systemctl --user status pipewire` tells"
_TO_BGR = {
    abi.BGRX: cv2.COLOR_BGRA2BGR,
    abi.BGRA: cv2.COLOR_BGRA2BGR,
    abi.RGBX: cv2.COLOR_RGBA2BGR,
    abi.RGBA: cv2.COLOR_RGBA2BGR,
}
"""Taken formats, all of 4 bytes a pixel, best first."""


class PipeWireReader:
    """A stream that keeps the newest picture of a node until it is asked for.

    Only shared memory is taken: no modifier is offered, so a producer hands out no DMA-BUF. One thread opens,
    reads and closes it; the library calls back on its own.
    """

    def __init__(self, name: str, node: int = abi.ANY, label: str = "") -> None:
        """Reads the node with this number, or the one that is called `label`; `name` is for messages."""
        self.name = name
        self._node, self._label = node, label
        self._pipewire: ctypes.CDLL | None = None
        self._loop: int | None = None
        self._context: int | None = None
        self._stream: int | None = None
        # The library calls these for as long as the stream lives: they must not be collected before.
        self._events = abi.Events(
            version=2,
            state_changed=abi.StateChanged(self._on_state),
            param_changed=abi.ParamChanged(self._on_param),
            remove_buffer=abi.BufferChanged(self._on_remove),
            process=abi.Process(self._on_process),
        )
        self._hook = abi.Hook()
        self._state, self._error = abi.UNCONNECTED, ""
        self._format, self._size = 0, (0, 0)
        self._held: Any = None
        self._news = threading.Event()

    def open(self, fps: float, remote: int | None = None) -> None:
        """Connects to the daemon, through the descriptor `remote` (which is then the stream's) if it is given.

        Pictures come at most `fps` times a second, from now on. Raises NoDeviceError where PipeWire is not
        installed, does not answer or has no such node.
        """
        try:
            self._pipewire = load(self.name)
        except NoDeviceError:
            if remote is not None:
                os.close(remote)
            raise
        self._state, self._error, self._size = abi.UNCONNECTED, "", (0, 0)
        self._format = 0
        self._news.clear()
        self._pipewire.pw_init(None, None)
        self._loop = self._pipewire.pw_thread_loop_new(b"faceswapd", None)
        self._pipewire.pw_thread_loop_start(self._loop)
        if not self._connect(fps, remote) or not self._awaited():
            error_text = self._error or "no answer"
            self.close()
            raise NoDeviceError(f"source {self.name} cannot be read ({error_text})", _REMEDY)

    @property
    def size(self) -> Size:
        """(width, height) that the producer and we have agreed on."""
        return self._size

    def wait(self, seconds: float) -> bool:
        """Whether a picture that was not read yet is there, within this time. Raises DeviceLostError."""
        there = self._news.wait(max(0.0, seconds))
        if self._state in (abi.ERROR, abi.UNCONNECTED):
            raise DeviceLostError(f"{self.name} went away ({self._error or 'no longer shared'})", _REMEDY)
        return there

    def newest(self) -> Pixels | None:
        """The newest picture, BGR, a copy; None if it was read before, or there is none yet."""
        with abi.locked(self._pipewire, self._loop) as pipewire:
            self._news.clear()
            held, self._held = self._held, None
            if not held:
                return None
            try:
                return self._copied(held.contents.buffer.contents)
            finally:
                pipewire.pw_stream_queue_buffer(self._stream, held)

    def close(self) -> None:
        """Ends the stream; safe when it is not open."""
        pipewire, loop = self._pipewire, self._loop
        if pipewire is None or loop is None:
            return
        with abi.locked(self._pipewire, self._loop):
            if self._stream is not None:
                pipewire.pw_stream_destroy(self._stream)
            if self._context is not None:
                pipewire.pw_context_destroy(self._context)  # and its connection
        pipewire.pw_thread_loop_stop(loop)
        pipewire.pw_thread_loop_destroy(loop)
        self._loop = self._context = self._stream = self._held = None
        self._state = abi.UNCONNECTED

    def _connect(self, fps: float, remote: int | None) -> bool:
        words = "media.type=Video media.category=Capture media.role=Screen"
        if self._label:
            words += f' target.object="{self._label}"'
        with abi.locked(self._pipewire, self._loop) as pipewire:
            self._context = pipewire.pw_context_new(pipewire.pw_thread_loop_get_loop(self._loop), None, 0)
            core = (
                pipewire.pw_context_connect(self._context, None, 0)
                if remote is None
                else pipewire.pw_context_connect_fd(self._context, remote, None, 0)
            )
            if not core:
                return False
            properties = pipewire.pw_properties_new_string(words.encode())
            self._stream = pipewire.pw_stream_new(core, b"faceswapd", properties)
            pipewire.pw_stream_add_listener(
                self._stream, ctypes.byref(self._hook), ctypes.byref(self._events), None
            )
            flags = abi.AUTOCONNECT | abi.MAP_BUFFERS | abi.DONT_RECONNECT
            wanted = abi.params(_wanted(fps))
            result: int = pipewire.pw_stream_connect(self._stream, abi.INPUT, self._node, flags, wanted, 1)
        return result >= 0

    def _awaited(self) -> bool:
        """The first picture is there, or the producer is at work and has none yet."""
        end_s = time.monotonic() + _WAIT_S
        while self._state != abi.ERROR and (left_s := end_s - time.monotonic()) > 0:
            if self._news.wait(min(left_s, _FIRST_S)) and self._held:
                return True
            if self._state == abi.STREAMING and self._format:
                return True
        return False

    def _on_state(self, _data: object, _old: int, state: int, error: bytes | None) -> None:
        """On the library's thread."""
        self._state, self._error = state, (error or b"").decode(errors="replace")
        log.debug("pipewire.state", source=self.name, state=state, error=self._error)
        if state in (abi.ERROR, abi.UNCONNECTED):
            self._news.set()

    def _on_param(self, _data: object, id_: int, value: int | None) -> None:
        """On the library's thread: the format is agreed on, also anew when the shared screen changes its size."""
        if id_ != abi.PARAM_FORMAT or not value or self._pipewire is None:
            return
        size = ctypes.c_uint32.from_address(value).value
        agreed = read_object(ctypes.string_at(value, 8 + size))
        format_, picture = agreed.get(abi.VIDEO_FORMAT), agreed.get(abi.VIDEO_SIZE)
        assert isinstance(format_, int)
        assert isinstance(picture, tuple)
        self._format, self._size = format_, picture
        held, self._held = self._held, None
        if held:  # of the format before: nobody can read it any more
            self._pipewire.pw_stream_queue_buffer(self._stream, held)
        log.debug("pipewire.format", source=self.name, format=format_, size=picture)
        self._pipewire.pw_stream_update_params(self._stream, abi.params(*_ACCEPTED), len(_ACCEPTED))

    def _on_process(self, _data: object) -> None:
        """On the library's thread: keeps the newest buffer, gives the others back."""
        pipewire, stream = self._pipewire, self._stream
        if pipewire is None or stream is None:
            return
        while taken := pipewire.pw_stream_dequeue_buffer(stream):
            if not _is_whole(taken.contents.buffer.contents):
                pipewire.pw_stream_queue_buffer(stream, taken)
                continue
            if self._held:
                pipewire.pw_stream_queue_buffer(stream, self._held)
            self._held = taken
            self._news.set()

    def _on_remove(self, _data: object, buffer: Any) -> None:
        """On the library's thread: this memory is about to go."""
        held = self._held
        if held and ctypes.addressof(held.contents) == ctypes.addressof(buffer.contents):
            self._held = None

    def _copied(self, buffer: abi.SpaBuffer) -> Pixels | None:
        """BGR of a buffer's picture, or of the part of it that counts; None for less than it promised."""
        (width, height), data = self._size, buffer.datas[0]
        chunk = data.chunk.contents
        stride = max(chunk.stride, 4 * width)  # some producers leave it at 0
        offset = chunk.offset % data.maxsize if data.maxsize else 0
        if not data.data or offset + stride * (height - 1) + 4 * width > data.maxsize:
            return None
        memory = (ctypes.c_uint8 * (stride * (height - 1) + 4 * width)).from_address(data.data + offset)
        rows: Pixels = np.lib.stride_tricks.as_strided(
            np.frombuffer(memoryview(memory), np.uint8), (height, width, 4), (stride, 4, 1), writeable=False
        )
        region = _meta(buffer, abi.META_CROP, abi.Region)
        if region is not None and region.width and region.height:
            left, top = max(0, region.x), max(0, region.y)
            cropped = rows[top : region.y + region.height, left : region.x + region.width]
            rows = cropped if cropped.size else rows
        return np.asarray(cv2.cvtColor(rows, _TO_BGR[self._format]), np.uint8)


def load(name: str) -> ctypes.CDLL:
    """PipeWire's library, for the source of this name. Raises NoDeviceError where it is not installed."""
    try:
        return abi.load()
    except (OSError, AttributeError) as error:
        raise NoDeviceError(f"source {name} needs {abi.LIBRARY}", "install PipeWire") from error


def _wanted(fps: float) -> bytes:
    """Any size, and any rate up to `fps`: 0/1 is a producer that sends a picture when something has changed."""
    rate = Fraction(fps).limit_denominator(1001)
    most = pod_fraction(rate.numerator, rate.denominator)
    return pod_object(
        abi.OBJECT_FORMAT,
        abi.PARAM_ENUM_FORMAT,
        {
            abi.MEDIA_TYPE: pod_id(abi.TYPE_VIDEO),
            abi.MEDIA_SUBTYPE: pod_id(abi.SUBTYPE_RAW),
            abi.VIDEO_FORMAT: pod_enum(*map(pod_id, _TO_BGR)),
            abi.VIDEO_SIZE: pod_range(
                pod_rectangle(1920, 1080), pod_rectangle(1, 1), pod_rectangle(16384, 16384)
            ),
            abi.VIDEO_FRAMERATE: pod_range(pod_fraction(0, 1), pod_fraction(0, 1), pod_fraction(1000, 1)),
            abi.VIDEO_MAX_FRAMERATE: pod_range(most, pod_fraction(1, 1), most),
        },
    )


def _meta_param(kind: int, size: int) -> bytes:
    return pod_object(
        abi.OBJECT_META, abi.PARAM_META, {abi.META_TYPE: pod_id(kind), abi.META_SIZE: pod_int(size)}
    )


_ACCEPTED = (
    pod_object(
        abi.OBJECT_BUFFERS,
        abi.PARAM_BUFFERS,
        {
            abi.BUFFERS: pod_range(pod_int(4), pod_int(2), pod_int(8)),
            abi.BLOCKS: pod_int(1),
            abi.DATA_TYPE: pod_flags(abi.MEMORY),
        },
    ),
    _meta_param(abi.META_HEADER, ctypes.sizeof(abi.Header)),
    _meta_param(abi.META_CROP, ctypes.sizeof(abi.Region)),
)


def _meta(buffer: abi.SpaBuffer, kind: int, layout: type[T]) -> T | None:
    for index in range(buffer.n_metas):
        meta = buffer.metas[index]
        if meta.type == kind and meta.data and meta.size >= ctypes.sizeof(layout):
            return layout.from_address(meta.data)
    return None


def _is_whole(buffer: abi.SpaBuffer) -> bool:
    """It holds a picture: not one that tells of the pointer only, or that went wrong on its way."""
    if not buffer.n_datas:
        return False
    chunk = buffer.datas[0].chunk.contents
    header = _meta(buffer, abi.META_HEADER, abi.Header)
    broken = header is not None and header.flags & abi.HEADER_CORRUPTED
    return bool(chunk.size) and not chunk.flags & abi.CORRUPTED and not broken
