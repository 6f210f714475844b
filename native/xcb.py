"""What we use of an X11 server, through libxcb and its parts for Composite and shared memory.

Layouts are those of `xcb/xproto.h`, `xcb/composite.h` and `xcb/shm.h`. Unlike Xlib, errors are answers here, not a
handler of the whole process.
"""

import ctypes
import mmap
import os
from ctypes import POINTER, Structure, c_char_p, c_int, c_int16, c_uint8, c_uint16, c_uint32, c_void_p
from typing import Any, NamedTuple, TypeVar

ANY_TYPE, ATOM_STRING = 0, 31
ALL_PLANES, Z_PIXMAP = 0xFFFF_FFFF, 2
VIEWABLE = 2  # xcb_map_state_t
AUTOMATIC = 0  # xcb_composite_redirect_t
_LONGEST = 1 << 16


class XError(OSError):
    """The server has refused, or is not there."""


class Cookie(Structure):
    """xcb_void_cookie_t and all the others: the number of a request."""

    _fields_ = (("sequence", c_uint32),)


class GenericError(Structure):
    """The beginning of xcb_generic_error_t."""

    _fields_ = (("response_type", c_uint8), ("error_code", c_uint8), ("sequence", c_uint16))


class Screens(Structure):
    """xcb_screen_iterator_t; `data` begins with the root window."""

    _fields_ = (("data", POINTER(c_uint32)), ("rem", c_int), ("index", c_int))


class ExtensionData(Structure):
    """The beginning of xcb_query_extension_reply_t."""

    _fields_ = (
        ("response_type", c_uint8),
        ("pad", c_uint8),
        ("sequence", c_uint16),
        ("length", c_uint32),
        ("present", c_uint8),
    )


class Reply(Structure):
    """What every answer begins with; `value` is the meaning of the answer's second byte."""

    _fields_ = (
        ("response_type", c_uint8),
        ("value", c_uint8),
        ("sequence", c_uint16),
        ("length", c_uint32),
    )


class AtomReply(Structure):
    """xcb_intern_atom_reply_t."""

    _fields_ = (("head", Reply), ("atom", c_uint32))


class PropertyReply(Structure):
    """xcb_get_property_reply_t; `head.value` is the number of bits of an item."""

    _fields_ = (
        ("head", Reply),
        ("type", c_uint32),
        ("bytes_after", c_uint32),
        ("value_len", c_uint32),
        ("pad", c_uint8 * 12),
    )


class GeometryReply(Structure):
    """xcb_get_geometry_reply_t; `head.value` is the depth."""

    _fields_ = (
        ("head", Reply),
        ("root", c_uint32),
        ("x", c_int16),
        ("y", c_int16),
        ("width", c_uint16),
        ("height", c_uint16),
    )


class AttributesReply(Structure):
    """xcb_get_window_attributes_reply_t up to the state of the map."""

    _fields_ = (
        ("head", Reply),
        ("visual", c_uint32),
        ("kind", c_uint16),
        ("bit_gravity", c_uint8),
        ("win_gravity", c_uint8),
        ("backing_planes", c_uint32),
        ("backing_pixel", c_uint32),
        ("save_under", c_uint8),
        ("map_is_installed", c_uint8),
        ("map_state", c_uint8),
    )


class TreeReply(Structure):
    """xcb_query_tree_reply_t."""

    _fields_ = (
        ("head", Reply),
        ("root", c_uint32),
        ("parent", c_uint32),
        ("children_len", c_uint16),
        ("pad", c_uint8 * 14),
    )


class ImageReply(Structure):
    """xcb_get_image_reply_t; the bytes follow after 32."""

    _fields_ = (("head", Reply), ("visual", c_uint32), ("pad", c_uint8 * 20))


R = TypeVar("R", bound=Structure)
_REPLIES: dict[str, tuple[type[Structure], tuple[Any, ...]]] = {
    "xcb_intern_atom": (AtomReply, (c_uint8, c_uint16, c_char_p)),
    "xcb_get_property": (PropertyReply, (c_uint8, c_uint32, c_uint32, c_uint32, c_uint32, c_uint32)),
    "xcb_get_geometry": (GeometryReply, (c_uint32,)),
    "xcb_get_window_attributes": (AttributesReply, (c_uint32,)),
    "xcb_query_tree": (TreeReply, (c_uint32,)),
    "xcb_get_image": (ImageReply, (c_uint8, c_uint32, c_int16, c_int16, c_uint16, c_uint16, c_uint32)),
    "xcb_composite_query_version": (Reply, (c_uint32, c_uint32)),
    "xcb_shm_get_image": (
        Reply,
        (c_uint32, c_int16, c_int16, c_uint16, c_uint16, c_uint32, c_uint8, c_uint32, c_uint32),
    ),
}
_REQUESTS: dict[str, tuple[Any, ...]] = {
    "xcb_free_pixmap_checked": (c_uint32,),
    "xcb_composite_redirect_window_checked": (c_uint32, c_uint8),
    "xcb_composite_name_window_pixmap_checked": (c_uint32, c_uint32),
    "xcb_shm_attach_fd_checked": (c_uint32, c_int, c_uint8),
    "xcb_shm_detach_checked": (c_uint32,),
}


class Geometry(NamedTuple):
    """Of a window or pixmap, in pixels."""

    width: int
    height: int
    depth: int


class Server:
    """A connection to the display server. One thread. Every method raises XError for what the server refuses,
    also when it is gone."""

    def __init__(self, display: str | None = None) -> None:
        """Connects to `display`, or to the session's own."""
        self._library = _Library()
        number = c_int()
        self._connection = self._library.core.xcb_connect(
            display.encode() if display else None, ctypes.byref(number)
        )
        if self._library.core.xcb_connection_has_error(self._connection):
            self._library.core.xcb_disconnect(self._connection)
            raise XError("no X11 display answers")
        screens = self._library.core.xcb_setup_roots_iterator(
            self._library.core.xcb_get_setup(self._connection)
        )
        while number.value and screens.rem > 1:
            self._library.core.xcb_screen_next(ctypes.byref(screens))
            number.value -= 1
        self.root: int = screens.data[0]
        self._atoms: dict[str, int] = {}

    def close(self) -> None:
        """Disconnects; what was made for this connection is gone with it."""
        self._library.core.xcb_disconnect(self._connection)

    def atom(self, name: str) -> int:
        """The number of a name."""
        if name not in self._atoms:
            raw = name.encode()
            self._atoms[name] = self._ask("xcb_intern_atom", AtomReply, 0, len(raw), raw)[0].atom
        return self._atoms[name]

    def property(self, window: int, name: str) -> bytes:
        """A window's property as it stands; empty if it has none."""
        words = (0, window, self.atom(name), ANY_TYPE, 0, _LONGEST)
        reply, raw = self._ask("xcb_get_property", PropertyReply, *words)
        size = ctypes.sizeof(PropertyReply)
        return raw[size : size + reply.value_len * reply.head.value // 8]

    def geometry(self, drawable: int) -> Geometry:
        """Its size now."""
        reply, _ = self._ask("xcb_get_geometry", GeometryReply, drawable)
        return Geometry(reply.width, reply.height, reply.head.value)

    def is_viewable(self, window: int) -> bool:
        """It and all windows around it are shown: not iconified, not on another desktop."""
        return bool(self._ask("xcb_get_window_attributes", AttributesReply, window)[0].map_state == VIEWABLE)

    def children(self, window: int) -> tuple[int, ...]:
        """Windows inside it, the lowest first."""
        reply, raw = self._ask("xcb_query_tree", TreeReply, window)
        size = ctypes.sizeof(TreeReply)
        return tuple(memoryview(raw[size : size + 4 * reply.children_len]).cast("I"))

    def has_composite(self) -> bool:
        """The server can keep the picture of a window that is covered."""
        if not self._has(self._library.composite, "xcb_composite_id"):
            return False
        self._ask("xcb_composite_query_version", Reply, 0, 4)
        return True

    def redirect(self, window: int) -> None:
        """Has the server keep the window's picture whole, also where others cover it."""
        self._do("xcb_composite_redirect_window_checked", window, AUTOMATIC)

    def pixmap(self, window: int) -> int:
        """The picture of a redirected window; it stays the old one when the window changes its size."""
        number: int = self._library.core.xcb_generate_id(self._connection)
        self._do("xcb_composite_name_window_pixmap_checked", window, number)
        return number

    def free(self, pixmap: int) -> None:
        """Lets go of it."""
        self._do("xcb_free_pixmap_checked", pixmap)

    def image(self, drawable: int, width: int, height: int) -> bytes:
        """Its pixels through the connection: lines of 4 bytes each."""
        words = (Z_PIXMAP, drawable, 0, 0, width, height, ALL_PLANES)
        return self._ask("xcb_get_image", ImageReply, *words)[1][ctypes.sizeof(ImageReply) :]

    def attach(self, size: int) -> "Memory":
        """Memory that the server and we share; refused by a server on another machine."""
        if not self._has(self._library.shm, "xcb_shm_id"):
            raise XError("the display shares no memory")
        fd = os.memfd_create("faceswapd", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            shared = mmap.mmap(fd, size)
            number: int = self._library.core.xcb_generate_id(self._connection)
            self._do("xcb_shm_attach_fd_checked", number, os.dup(fd), 0)  # which closes the descriptor
        finally:
            os.close(fd)
        return Memory(number, shared)

    def detach(self, memory: "Memory") -> None:
        """Ends the sharing."""
        self._do("xcb_shm_detach_checked", memory.number)

    def image_into(self, memory: "Memory", drawable: int, width: int, height: int) -> None:
        """Its pixels into the shared memory."""
        words = (drawable, 0, 0, width, height, ALL_PLANES, Z_PIXMAP, memory.number, 0)
        self._ask("xcb_shm_get_image", Reply, *words)

    def _has(self, part: ctypes.CDLL, name: str) -> bool:
        """Asked before an extension is used: a request that the server does not know ends the connection."""
        extension = ctypes.addressof(c_int.in_dll(part, name))
        data = self._library.core.xcb_get_extension_data(self._connection, extension)
        return bool(data and data.contents.present)

    def _do(self, name: str, *words: Any) -> None:
        library = self._library
        cookie = library.function(name)(self._connection, *words)
        error = library.core.xcb_request_check(self._connection, cookie)
        if error:
            code = error.contents.error_code
            library.free(error)
            raise XError(f"{name.removesuffix('_checked')}: X error {code}")
        self._check()

    def _ask(self, name: str, kind: type[R], *words: Any) -> tuple[R, bytes]:
        """The answer, and all of its bytes."""
        library = self._library
        cookie = library.function(name)(self._connection, *words)
        error = POINTER(GenericError)()
        reply = library.function(f"{name}_reply")(self._connection, cookie, ctypes.byref(error))
        if not reply:
            code = error.contents.error_code if error else 0
            if error:
                library.free(error)
            self._check()
            raise XError(f"{name}: X error {code}")
        try:
            size = max(32, ctypes.sizeof(kind)) + 4 * Reply.from_address(reply).length
            raw = ctypes.string_at(reply, size)
        finally:
            library.free(reply)
        return kind.from_buffer_copy(raw), raw

    def _check(self) -> None:
        if self._library.core.xcb_connection_has_error(self._connection):
            raise XError("the display has gone")


class Memory(NamedTuple):
    """What a server and we share."""

    number: int
    bytes: mmap.mmap


class _Library:
    """The three libraries, typed. Raises OSError where one is not installed."""

    def __init__(self) -> None:
        self.core = ctypes.CDLL("libxcb.so.1")
        self.composite = ctypes.CDLL("libxcb-composite.so.0")
        self.shm = ctypes.CDLL("libxcb-shm.so.0")
        process = ctypes.CDLL(None)
        process.free.restype, process.free.argtypes = None, (c_void_p,)
        self.free = process.free
        core = self.core
        for name, result, arguments in (
            ("xcb_connect", c_void_p, (c_char_p, POINTER(c_int))),
            ("xcb_disconnect", None, (c_void_p,)),
            ("xcb_connection_has_error", c_int, (c_void_p,)),
            ("xcb_get_setup", c_void_p, (c_void_p,)),
            ("xcb_setup_roots_iterator", Screens, (c_void_p,)),
            ("xcb_screen_next", None, (POINTER(Screens),)),
            ("xcb_generate_id", c_uint32, (c_void_p,)),
            ("xcb_get_extension_data", POINTER(ExtensionData), (c_void_p, c_void_p)),
            ("xcb_request_check", POINTER(GenericError), (c_void_p, Cookie)),
        ):
            function = getattr(core, name)
            function.restype, function.argtypes = result, arguments
        for name, words in _REQUESTS.items():
            self._type(name, Cookie, (c_void_p, *words))
        for name, (_, words) in _REPLIES.items():
            self._type(name, Cookie, (c_void_p, *words))
            self._type(f"{name}_reply", c_void_p, (c_void_p, Cookie, c_void_p))

    def function(self, name: str) -> Any:
        """By its name, from the library that has it."""
        composite, shm = name.startswith("xcb_composite"), name.startswith("xcb_shm")
        return getattr(self.composite if composite else self.shm if shm else self.core, name)

    def _type(self, name: str, result: Any, arguments: tuple[Any, ...]) -> None:
        function = self.function(name)
        function.restype, function.argtypes = result, arguments
