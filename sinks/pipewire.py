"""A virtual camera without a kernel module: a video source of the desktop's own PipeWire."""

import ctypes
import json
import threading
from fractions import Fraction

import numpy as np
import structlog

from ..core.errors import DeviceLostError, NoDeviceError, UsageError
from ..core.frame import Frame
from ..core.pixels import bgr_to_i420
from ..core.settings import Size
from ..native import pipewire as abi
from ..native.pod import pod_flags, pod_fraction, pod_id, pod_int, pod_object, pod_range, pod_rectangle
from .sink import WhenFull

log = structlog.get_logger(__name__)

_WAIT_S = 3.0
_REMEDY = "is PipeWire running in this session? `systemctl --user status pipewire` tells"


class PipeWireSink:
    """A node of class Video/Source: browsers and portals list it as a camera. It needs no root.

    Frames are BGR of exactly `size`; readers get I420 (BT.601, limited range) at `fps`. Several may read at
    once. One thread opens, feeds and closes it; `watched` is safe in any thread.
    """

    when_full = WhenFull.NEWEST
    steady = True

    def __init__(self, size: Size, fps: float, label: str = "faceswapd") -> None:
        """`label` is what applications show. Raises UsageError for an odd size: 4:2:0 shares colours."""
        width, height = size
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise UsageError(f"output size {width}x{height}", "give an even width and an even height")
        self.name = f"pipewire:{label}"
        self._label = label
        self._size, self._fps = size, fps
        self._bytes = width * height * 3 // 2
        self._pipewire: ctypes.CDLL | None = None
        self._loop: int | None = None
        self._stream: int | None = None
        # The library calls these for as long as the stream lives: they must not be collected before.
        self._events = abi.Events(
            version=2,
            state_changed=abi.StateChanged(self._on_state),
            param_changed=abi.ParamChanged(self._on_param),
        )
        self._state = abi.UNCONNECTED
        self._error = ""
        self._told = threading.Event()

    def open(self) -> None:
        """Makes the node, which applications list from now on.

        Raises NoDeviceError where PipeWire is not installed or does not answer.
        """
        try:
            self._pipewire = abi.load()
        except (OSError, AttributeError) as error:
            raise NoDeviceError(f"{self.name} needs {abi.LIBRARY}", "install PipeWire") from error
        self._state, self._error = abi.UNCONNECTED, ""
        self._told.clear()
        self._pipewire.pw_init(None, None)
        self._loop = self._pipewire.pw_thread_loop_new(b"faceswapd", None)
        self._pipewire.pw_thread_loop_start(self._loop)
        connected = self._connect()
        if not connected or not self._told.wait(_WAIT_S) or self._state == abi.ERROR:
            error_text = self._error or "no answer"
            self.close()
            raise NoDeviceError(f"{self.name} cannot be made ({error_text})", _REMEDY)

    def put(self, frame: Frame) -> None:
        """Hands one frame to whoever reads; nobody is waited for.

        Raises DeviceLostError when PipeWire has gone.
        """
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} for an output of {self._size}")
        if self._state in (abi.ERROR, abi.UNCONNECTED):
            raise DeviceLostError(f"{self.name} went away ({self._error or 'PipeWire has stopped'})", _REMEDY)
        if self._state != abi.STREAMING:
            return
        with abi.locked(self._pipewire, self._loop) as pipewire:
            taken = pipewire.pw_stream_dequeue_buffer(self._stream)
            if not taken:  # the reader holds all of them: it is late, and gets the next frame
                return
            data = taken.contents.buffer.contents.datas[0]
            chunk = data.chunk.contents
            if data.data and data.maxsize >= self._bytes:
                self._fill(frame, data.data)
                chunk.offset, chunk.stride, chunk.size = 0, self._size[0], self._bytes
            else:
                chunk.size = 0
            pipewire.pw_stream_queue_buffer(self._stream, taken)
            pipewire.pw_stream_trigger_process(self._stream)

    def watched(self) -> bool:
        """Whether some program reads it now."""
        return self._state == abi.STREAMING

    def close(self) -> None:
        """Takes the node away."""
        pipewire, loop, stream = self._pipewire, self._loop, self._stream
        if pipewire is None or loop is None:
            return
        if stream is not None:
            with abi.locked(self._pipewire, self._loop):
                pipewire.pw_stream_destroy(stream)
        pipewire.pw_thread_loop_stop(loop)
        pipewire.pw_thread_loop_destroy(loop)
        self._loop = self._stream = None
        self._state = abi.UNCONNECTED

    def _connect(self) -> bool:
        offered = self._format(Fraction(self._fps).limit_denominator(1001))
        label = json.dumps(self._label)
        properties = f"media.class=Video/Source media.role=Camera node.name={label} node.description={label}"
        with abi.locked(self._pipewire, self._loop) as pipewire:
            self._stream = pipewire.pw_stream_new_simple(
                pipewire.pw_thread_loop_get_loop(self._loop),
                self._label.encode(),
                pipewire.pw_properties_new_string(properties.encode()),
                ctypes.byref(self._events),
                None,
            )
            flags = abi.MAP_BUFFERS | abi.DRIVER
            result: int = pipewire.pw_stream_connect(
                self._stream, abi.OUTPUT, abi.ANY, flags, abi.params(offered), 1
            )
        return result >= 0

    def _format(self, rate: Fraction) -> bytes:
        return pod_object(
            abi.OBJECT_FORMAT,
            abi.PARAM_ENUM_FORMAT,
            {
                abi.MEDIA_TYPE: pod_id(abi.TYPE_VIDEO),
                abi.MEDIA_SUBTYPE: pod_id(abi.SUBTYPE_RAW),
                abi.VIDEO_FORMAT: pod_id(abi.I420),
                abi.VIDEO_SIZE: pod_rectangle(*self._size),
                abi.VIDEO_FRAMERATE: pod_fraction(rate.numerator, rate.denominator),
            },
        )

    def _on_state(self, _data: object, _old: int, state: int, error: bytes | None) -> None:
        """On the library's thread."""
        self._state, self._error = state, (error or b"").decode(errors="replace")
        log.debug("pipewire.state", sink=self.name, state=state, error=self._error)
        if state not in (abi.UNCONNECTED, abi.CONNECTING):
            self._told.set()

    def _on_param(self, _data: object, id_: int, value: int | None) -> None:
        """On the library's thread: a reader has agreed on the format, here are its buffers."""
        if id_ != abi.PARAM_FORMAT or not value or self._pipewire is None:
            return
        buffers = pod_object(
            abi.OBJECT_BUFFERS,
            abi.PARAM_BUFFERS,
            {
                abi.BUFFERS: pod_range(pod_int(4), pod_int(2), pod_int(8)),
                abi.BLOCKS: pod_int(1),
                abi.SIZE: pod_int(self._bytes),
                abi.STRIDE: pod_int(self._size[0]),
                abi.DATA_TYPE: pod_flags(abi.MEMORY),
            },
        )
        self._pipewire.pw_stream_update_params(self._stream, abi.params(buffers), 1)

    def _fill(self, frame: Frame, address: int) -> None:
        """Converts into the reader's own memory."""
        memory = (ctypes.c_uint8 * self._bytes).from_address(address)
        planes = np.frombuffer(memoryview(memory), np.uint8).reshape(self._size[1] * 3 // 2, self._size[0])
        bgr_to_i420(frame.pixels, out=planes)
