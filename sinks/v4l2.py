"""A virtual camera on Linux: frames written to a v4l2loopback device.

v4l2loopback comes in two manners. With `exclusive_caps=1` (which browsers need) an idle device announces
OUTPUT only, and CAPTURE only from the writer's first frame until the writer closes; without it, always both.
"""

import ctypes
import errno
from fractions import Fraction

import numpy as np
import structlog

from ..core.errors import BusyError, DeviceLostError, FaceswapdError, NoDeviceError, UsageError
from ..core.frame import Frame
from ..core.pixels import bgr_to_i420
from ..core.settings import Size
from ..native import v4l2 as abi
from .sink import WhenFull

log = structlog.get_logger(__name__)

LOOPBACK = "v4l2 loopback"
LOAD = "load one: sudo modprobe v4l2loopback exclusive_caps=1 card_label=faceswapd"
FREE = "stop the program that writes to it; if there is none, those that read it, or reload v4l2loopback"


class V4l2Sink:
    """A v4l2loopback device, by path. Frames are BGR of exactly `size`; the device gets I420 (BT.601, limited).

    One thread opens, feeds, asks (`watched`) and closes it. From `open` on the device shows a picture and
    keeps its size: a program that opens it late, or before a restarted writer, finds the same camera.
    """

    when_full = WhenFull.NEWEST
    steady = True

    def __init__(self, path: str, size: Size, fps: float, kernel: abi.Kernel | None = None) -> None:
        """`size` is (width, height), both even, since 4:2:0 shares colour among 2x2 pixels.

        Raises UsageError for an odd or empty size.
        """
        width, height = size
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise UsageError(f"output size {width}x{height}", "give an even width and an even height")
        self.name = path
        self._size = size
        self._fps = fps
        self._kernel = abi.Kernel() if kernel is None else kernel
        self._planes = np.empty((height * 3 // 2, width), np.uint8)
        self._fd: int | None = None
        self._streaming = False
        self._events: int | None = None
        self._watched: bool | None = None

    def open(self) -> None:
        """Takes the device for this process, fixes its format, and makes it a camera with one black frame.

        Raises NoDeviceError (missing, not permitted, no output, another size answered) or BusyError.
        """
        try:
            self._unstick()
            self._acquire()
            self._subscribe()
            self._planes[: self._size[1]] = 16  # black in limited range
            self._planes[self._size[1] :] = 128
            self._write()
            self._stream(abi.STREAMON)
        except OSError as error:
            self.close()
            raise self._refused(error) from error
        except FaceswapdError:
            self.close()
            raise

    def put(self, frame: Frame) -> None:
        """Writes one frame; a loopback takes it without waiting for its readers.

        Raises DeviceLostError when the device does not take it any more.
        """
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} for an output of {self._size}")
        bgr_to_i420(frame.pixels, out=self._planes)
        try:
            self._write()
        except OSError as error:
            raise DeviceLostError(f"{self.name} went away ({error.strerror})", LOAD) from error

    def watched(self) -> bool | None:
        """Whether some program reads the device now; None where the driver does not tell (before 0.13)."""
        if self._events is None:
            return None
        event = abi.Event()
        while self._kernel.event_waits(self._events):
            self._kernel.ioctl(self._events, abi.DQEVENT, event)
            self._watched = event.count > 0
        return self._watched

    def close(self) -> None:
        """Stops the stream and gives the device back, so that the next writer finds it as this one did."""
        events, self._events = self._events, None
        if events is not None:
            self._kernel.close(events)
        if self._fd is None:
            return
        if self._streaming:  # before, it may be another writer's stream
            self._stream(abi.STREAMOFF)
        fd, self._fd = self._fd, None
        self._kernel.close(fd)

    def _stream(self, request: int) -> None:
        """Says in so many words what the driver could tell from writing and closing, too.

        v4l2loopback 0.12 notices the end of a writer, however it ends, only if it has said STREAMON.
        """
        self._streaming = request == abi.STREAMON
        assert self._fd is not None
        try:
            self._kernel.ioctl(self._fd, request, ctypes.c_int(abi.TYPE_OUTPUT))
        except OSError as error:
            log.debug("sink.stream", sink=self.name, request=hex(request), error=error.strerror)

    def _acquire(self) -> None:
        self._fd = fd = self._kernel.open(self.name)
        self._kernel.lock(fd)
        driver, can = self._capabilities(fd)
        if not can & abi.CAP_OUTPUT:
            if driver != LOOPBACK:
                raise NoDeviceError(f"{self.name} is no virtual camera but a device of {driver}", LOAD)
            raise BusyError(f"{self.name} is busy or stuck", FREE)
        self._fix_format(fd)
        self._tell_rate(fd)

    def _capabilities(self, fd: int) -> tuple[str, int]:
        answer = abi.Capability()
        self._kernel.ioctl(fd, abi.QUERYCAP, answer)
        own = answer.capabilities & abi.CAP_DEVICE_CAPS
        return answer.driver.decode(), answer.device_caps if own else answer.capabilities

    def _unstick(self) -> None:
        """Opens the device to writers again, where v4l2loopback 0.12 has forgotten to.

        A writer that only ever called write() leaves it with neither capability once nobody holds it. A
        descriptor that asks to stream is taken for the writer, and its close is noticed.
        """
        fd = self._kernel.open(self.name)
        try:
            driver, can = self._capabilities(fd)
            if driver == LOOPBACK and not can & (abi.CAP_CAPTURE | abi.CAP_OUTPUT):
                log.info("sink.unstick", sink=self.name)
                self._kernel.lock(fd)
                self._kernel.ioctl(fd, abi.STREAMON, ctypes.c_int(abi.TYPE_OUTPUT))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EAGAIN):  # the answer there; somebody else's by now
                raise
        finally:
            self._kernel.close(fd)

    def _fix_format(self, fd: int) -> None:
        """Sets the format and reads it back: a device with a reader keeps its own, without an error."""
        width, height = self._size
        pix = abi.PixFormat(
            width=width,
            height=height,
            pixelformat=abi.I420,
            field=abi.FIELD_NONE,
            bytesperline=width,
            sizeimage=self._planes.nbytes,
        )
        self._kernel.ioctl(fd, abi.S_FMT, abi.Format(type=abi.TYPE_OUTPUT, pix=pix))
        answer = abi.Format(type=abi.TYPE_OUTPUT)
        self._kernel.ioctl(fd, abi.G_FMT, answer)
        got = answer.pix
        if (got.width, got.height, got.pixelformat) != (width, height, abi.I420):
            name = (
                "I420"
                if got.pixelformat == abi.I420
                else got.pixelformat.to_bytes(4, "little").decode("ascii", "replace")
            )
            raise NoDeviceError(
                f"{self.name} answers {name} {got.width}x{got.height} when asked for I420 {width}x{height}",
                "close the programs that hold it open, or choose that size",
            )

    def _tell_rate(self, fd: int) -> None:
        period = 1 / Fraction(self._fps).limit_denominator(1001)
        parm = abi.StreamParm(
            type=abi.TYPE_OUTPUT,
            output=abi.OutputParm(numerator=period.numerator, denominator=period.denominator),
        )
        try:
            self._kernel.ioctl(fd, abi.S_PARM, parm)
        except OSError as error:  # readers see the driver's default rate, and the frames at ours
            log.warning("sink.rate", sink=self.name, fps=self._fps, error=error.strerror)

    def _subscribe(self) -> None:
        """Listens for readers on a descriptor of its own: on the writer's, v4l2loopback's poll has other work."""
        self._watched = None
        self._events = self._kernel.open(self.name)
        try:
            subscription = abi.EventSubscription(type=abi.EVENT_CLIENT_USAGE, flags=abi.EVENT_SEND_INITIAL)
            self._kernel.ioctl(self._events, abi.SUBSCRIBE_EVENT, subscription)
        except OSError as error:
            log.info("sink.unwatchable", sink=self.name, error=error.strerror)
            events, self._events = self._events, None
            self._kernel.close(events)
        else:
            self._watched = False

    def _write(self) -> None:
        assert self._fd is not None
        taken = self._kernel.write(self._fd, self._planes.data)
        if taken != self._planes.nbytes:
            raise OSError(errno.EMSGSIZE, f"took {taken} of {self._planes.nbytes} bytes")

    def _refused(self, error: OSError) -> FaceswapdError:
        """The same news for a user."""
        match error.errno:
            case errno.ENOENT | errno.ENODEV | errno.ENXIO:
                return NoDeviceError(f"{self.name} does not exist", LOAD)
            case errno.EACCES | errno.EPERM:
                return NoDeviceError(
                    f"{self.name} may not be written by this user",
                    "join its group and log in again: sudo usermod -aG video $USER",
                )
            case errno.EAGAIN:
                return BusyError(
                    f"{self.name} is busy", "another faceswapd writes to it: stop that one first"
                )
            case errno.EBUSY:
                return BusyError(f"{self.name} is busy or stuck", FREE)
            case errno.ENOTTY:
                return NoDeviceError(f"{self.name} is no video device", LOAD)
            case errno.EINVAL:
                return NoDeviceError(f"{self.name} takes no I420 pictures", "choose a v4l2loopback device")
        return NoDeviceError(f"{self.name} cannot be used ({error.strerror})", LOAD)
