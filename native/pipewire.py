"""What we use of libpipewire 0.3, bound by ctypes: its functions, structures and numbers.

Names and layouts are those of `pipewire/stream.h`, `spa/buffer/buffer.h` and `spa/param/`, which have been
stable since PipeWire 0.3.40. No Python package binds them and is kept.
"""

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from typing import Any

LIBRARY = "libpipewire-0.3.so.0"

# enum pw_stream_state
ERROR, UNCONNECTED, CONNECTING, PAUSED, STREAMING = -1, 0, 1, 2, 3

OUTPUT = 1  # enum spa_direction
ANY = 0xFFFFFFFF  # PW_ID_ANY
MAP_BUFFERS, DRIVER = 1 << 2, 1 << 3  # enum pw_stream_flags

OBJECT_FORMAT, OBJECT_BUFFERS = 0x40003, 0x40004
PARAM_ENUM_FORMAT, PARAM_FORMAT, PARAM_BUFFERS = 3, 4, 5
MEDIA_TYPE, MEDIA_SUBTYPE, VIDEO_FORMAT, VIDEO_SIZE, VIDEO_FRAMERATE = 1, 2, 0x20001, 0x20003, 0x20004
TYPE_VIDEO, SUBTYPE_RAW, I420 = 2, 1, 2
BUFFERS, BLOCKS, SIZE, STRIDE, DATA_TYPE = 1, 2, 3, 4, 6
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


class SpaBuffer(ctypes.Structure):
    """struct spa_buffer."""

    _fields_ = (("n_metas", c_uint32), ("n_datas", c_uint32), ("metas", c_void_p), ("datas", POINTER(Data)))


class Buffer(ctypes.Structure):
    """struct pw_buffer; newer versions add fields at its end."""

    _fields_ = (("buffer", POINTER(SpaBuffer)), ("user_data", c_void_p), ("size", c_uint64))


StateChanged = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
ParamChanged = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)


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
        ("remove_buffer", c_void_p),
        ("process", c_void_p),
        ("drained", c_void_p),
        ("command", c_void_p),
        ("trigger_done", c_void_p),
    )


_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pw_init": (None, (c_void_p, c_void_p)),
    "pw_properties_new_string": (c_void_p, (c_char_p,)),
    "pw_thread_loop_new": (c_void_p, (c_char_p, c_void_p)),
    "pw_thread_loop_get_loop": (c_void_p, (c_void_p,)),
    "pw_thread_loop_start": (c_int, (c_void_p,)),
    "pw_thread_loop_stop": (None, (c_void_p,)),
    "pw_thread_loop_lock": (None, (c_void_p,)),
    "pw_thread_loop_unlock": (None, (c_void_p,)),
    "pw_thread_loop_destroy": (None, (c_void_p,)),
    "pw_stream_new_simple": (c_void_p, (c_void_p, c_char_p, c_void_p, POINTER(Events), c_void_p)),
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
