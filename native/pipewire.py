"""What we use of libpipewire 0.3, bound by ctypes: its functions, structures and numbers.

Names and layouts are those of `pipewire/stream.h`, `spa/buffer/buffer.h` and `spa/param/`, which have been
stable since PipeWire 0.3.40. No Python package binds them and is kept.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

LIBRARY = "libpipewire-0.3.so.0"

# enum pw_stream_state
ERROR, UNCONNECTED, CONNECTING, PAUSED, STREAMING = -1, 0, 1, 2, 3

INPUT, OUTPUT = 0, 1  # enum spa_direction
ANY = 0xFFFFFFFF  # PW_ID_ANY
AUTOCONNECT, MAP_BUFFERS, DRIVER, DONT_RECONNECT = 1, 1 << 2, 1 << 3, 1 << 7  # enum pw_stream_flags

OBJECT_FORMAT, OBJECT_BUFFERS, OBJECT_META = 0x40003, 0x40004, 0x40005
PARAM_ENUM_FORMAT, PARAM_FORMAT, PARAM_BUFFERS, PARAM_META = 3, 4, 5, 6
MEDIA_TYPE, MEDIA_SUBTYPE = 1, 2
VIDEO_FORMAT, VIDEO_SIZE, VIDEO_FRAMERATE, VIDEO_MAX_FRAMERATE = 0x20001, 0x20003, 0x20004, 0x20005
TYPE_VIDEO, SUBTYPE_RAW = 2, 1
I420, RGBX, BGRX, RGBA, BGRA = 2, 7, 8, 11, 12  # enum spa_video_format
BUFFERS, BLOCKS, SIZE, STRIDE, DATA_TYPE = 1, 2, 3, 4, 6
META_TYPE, META_SIZE = 1, 2
META_HEADER, META_CROP = 1, 2  # enum spa_meta_type
CORRUPTED = 1  # SPA_CHUNK_FLAG_CORRUPTED
HEADER_CORRUPTED = 1 << 1  # SPA_META_HEADER_FLAG_CORRUPTED
MEMORY = 1 << 1 | 1 << 2  # spa_data_type MemPtr and MemFd, as bits


class Chunk(ctypes.Structure):
    """struct spa_chunk."""

    _fields_ = (("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32))


class Data(ctypes.Structure):
    """struct spa_data."""

    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("mapoffset", c_uint32),
        ("maxsize", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(Chunk)),
    )


class Meta(ctypes.Structure):
    """struct spa_meta: what `type` says is at `data`."""

    _fields_ = (("type", c_uint32), ("size", c_uint32), ("data", c_void_p))


class Header(ctypes.Structure):
    """struct spa_meta_header; `pts` in nanoseconds of the monotonic clock, -1 if unknown."""

    _fields_ = (
        ("flags", c_uint32),
        ("offset", c_uint32),
        ("pts", c_int64),
        ("dts_offset", c_int64),
        ("seq", c_uint64),
    )


class Region(ctypes.Structure):
    """struct spa_meta_region: the part of the picture that counts; nothing of it where a side is 0."""

    _fields_ = (("x", c_int32), ("y", c_int32), ("width", c_uint32), ("height", c_uint32))


class SpaBuffer(ctypes.Structure):
    """struct spa_buffer."""

    _fields_ = (
        ("n_metas", c_uint32),
        ("n_datas", c_uint32),
        ("metas", POINTER(Meta)),
        ("datas", POINTER(Data)),
    )


class Buffer(ctypes.Structure):
    """struct pw_buffer; newer versions add fields at its end."""

    _fields_ = (("buffer", POINTER(SpaBuffer)), ("user_data", c_void_p), ("size", c_uint64))


StateChanged = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
ParamChanged = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
BufferChanged = CFUNCTYPE(None, c_void_p, POINTER(Buffer))
Process = CFUNCTYPE(None, c_void_p)


class Events(ctypes.Structure):
    """struct pw_stream_events, version 2; what is null is not called."""

    _fields_ = (
        ("version", c_uint32),
        ("destroy", c_void_p),
        ("state_changed", StateChanged),
        ("control_info", c_void_p),
        ("io_changed", c_void_p),
        ("param_changed", ParamChanged),
        ("add_buffer", c_void_p),
        ("remove_buffer", BufferChanged),
        ("process", Process),
        ("drained", c_void_p),
        ("command", c_void_p),
        ("trigger_done", c_void_p),
    )


class Hook(ctypes.Structure):
    """struct spa_hook: our place in the stream's list of listeners; never moved while the stream lives."""

    _fields_ = (
        ("link", c_void_p * 2),
        ("callbacks", c_void_p * 2),
        ("removed", c_void_p),
        ("private", c_void_p),
    )


_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pw_init": (None, (c_void_p, c_void_p)),
    "pw_properties_new_string": (c_void_p, (c_char_p,)),
    "pw_context_new": (c_void_p, (c_void_p, c_void_p, c_size_t)),
    "pw_context_connect": (c_void_p, (c_void_p, c_void_p, c_size_t)),
    "pw_context_connect_fd": (c_void_p, (c_void_p, c_int, c_void_p, c_size_t)),
    "pw_context_destroy": (None, (c_void_p,)),
    "pw_thread_loop_new": (c_void_p, (c_char_p, c_void_p)),
    "pw_thread_loop_get_loop": (c_void_p, (c_void_p,)),
    "pw_thread_loop_start": (c_int, (c_void_p,)),
    "pw_thread_loop_stop": (None, (c_void_p,)),
    "pw_thread_loop_lock": (None, (c_void_p,)),
    "pw_thread_loop_unlock": (None, (c_void_p,)),
    "pw_thread_loop_destroy": (None, (c_void_p,)),
    "pw_stream_new_simple": (c_void_p, (c_void_p, c_char_p, c_void_p, POINTER(Events), c_void_p)),
    "pw_stream_new": (c_void_p, (c_void_p, c_char_p, c_void_p)),
    "pw_stream_add_listener": (None, (c_void_p, POINTER(Hook), POINTER(Events), c_void_p)),
    "pw_stream_connect": (c_int, (c_void_p, c_int, c_uint32, c_int, POINTER(c_char_p), c_uint32)),
    "pw_stream_update_params": (c_int, (c_void_p, POINTER(c_char_p), c_uint32)),
    "pw_stream_dequeue_buffer": (POINTER(Buffer), (c_void_p,)),
    "pw_stream_queue_buffer": (c_int, (c_void_p, POINTER(Buffer))),
    "pw_stream_trigger_process": (c_int, (c_void_p,)),
    "pw_stream_destroy": (None, (c_void_p,)),
}


def load() -> ctypes.CDLL:
    """The library with the types of its functions. Raises OSError where it is not installed, AttributeError
    where it is older than 0.3.34."""
    library = ctypes.CDLL(LIBRARY)
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def params(*pods: bytes) -> Any:
    """An array of pointers to pods; they are copied by the functions that take them."""
    return (c_char_p * len(pods))(*pods)


@contextmanager
def locked(library: ctypes.CDLL | None, loop: int | None) -> Iterator[ctypes.CDLL]:
    """Holds off the loop's own thread, which no call on its objects may meet; gives the library."""
    assert library is not None, "it is called between open and close"
    library.pw_thread_loop_lock(loop)
    try:
        yield library
    finally:
        library.pw_thread_loop_unlock(loop)
