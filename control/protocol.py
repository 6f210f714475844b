"""The wire format: JSON-RPC 2.0. Bytes in, requests out; results, errors and events in, bytes out. No I/O."""

import struct
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from ..core.errors import FaceswapdError, UsageError

VERSION = 1
"""Grows when a client written for the version before would no longer be understood."""
MAX_MESSAGE = 64 * 1024
"""Bytes of one message from a client."""
MAX_ARRAY = 64
"""Requests in one JSON-RPC array."""

PREVIEW_HEADER = struct.Struct(">BBHHHqq")
"""Big-endian, 24 bytes: version, kind, width, height, reserved (0), seq, captured_ns."""
PREVIEW_VERSION = 1
PREVIEW_JPEG = 1

Id: TypeAlias = str | int | float | None

RPC_CODES = {
    "parse_error": -32700,
    "invalid_request": -32600,
    "method_not_found": -32601,
    "wrong_type": -32602,
    "missing_field": -32602,
    "unknown_field": -32602,
    "out_of_range": -32602,
    "unknown_name": -32602,
    "usage": -32602,
    "internal": -32603,
    "unauthorized": -32001,
    "rev_conflict": -32002,
    "not_available": -32003,
    "rate_limited": -32004,
    "too_many": -32005,
}
"""{data.code: JSON-RPC error code}. Every other `data.code` is that of an error of `core.errors`: -32000."""

CLOSE_CODES = {
    1000: "the client said goodbye",
    1001: "the daemon stops",
    1003: "a binary message came from the client; none is expected",
    1009: "a message was larger than 64 KiB",
    4000: "the token was changed: read the token file again",
    4001: "not authenticated within 10 s",
    4002: "replies were not read: the client is too slow",
    4003: "too many requests, even after being refused",
    4100: "authentication failed",
    4101: "the other end of the unix socket belongs to another user",
}
"""Why the server closes. 41xx: do not connect again before something was changed; all others may."""


def may_reconnect(close_code: int | None) -> bool:
    """Whether a client may come back after the server closed with this code (None: the line broke)."""
    return close_code is None or not 4100 <= close_code < 4200


class RpcError(Exception):
    """A request that is refused. `code` is the stable string `data.code`, `path` the field, in JSONPath."""

    def __init__(
        self, code: str, message: str, path: str = "", hint: str = "", rev: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.hint = hint
        self.rev = rev

    @property
    def rpc_code(self) -> int:
        """The number that JSON-RPC wants."""
        return RPC_CODES.get(self.code, -32000)

    @classmethod
    def of(cls, error: FaceswapdError, path: str = "") -> "RpcError":
        """The refusal that says what an error of the daemon says."""
        return cls(error.code, error.what, path if isinstance(error, UsageError) else "", error.remedy)

    def under(self, path: str) -> "RpcError":
        """The same refusal, its path `$...` hung under another one."""
        return RpcError(self.code, self.message, path + self.path.removeprefix("$"), self.hint, self.rev)


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request, or a notification when it has no `id`."""

    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: Id | msgspec.UnsetType = msgspec.UNSET


class _Identified(msgspec.Struct):
    id: Id = None


class Refused(msgspec.Struct, frozen=True):
    """Something in the place of a request that is none."""

    id: Id
    error: RpcError


class Message(msgspec.Struct, frozen=True):
    """What one websocket message holds."""

    requests: tuple[Request | Refused, ...]
    array: bool = False


class ErrorData(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `data` of an error."""

    code: str
    path: str = ""
    hint: str = ""
    rev: int | None = None


class ErrorObject(msgspec.Struct, frozen=True):
    """The `error` of a reply."""

    code: int
    message: str
    data: ErrorData


class Preview(NamedTuple):
    """A binary message, taken apart."""

    seq: int
    captured_ns: int
    """On the daemon's monotonic clock, the one that `ping` tells."""
    width: int
    height: int
    jpeg: bytes


class Incoming(msgspec.Struct, frozen=True):
    """A message as a client sees it: a reply (`id` with `result` or `error`) or a notification (`method`)."""

    id: Id = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorObject | None = None


_request = msgspec.json.Decoder(Request)
_array = msgspec.json.Decoder(list[msgspec.Raw])
_incoming = msgspec.json.Decoder(Incoming)
_encoder = msgspec.json.Encoder()

BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, or not the JSON that is expected."""


def parse(data: bytes) -> Message:
    """Reads one message of a client. Never raises: what is wrong comes back as `Refused`."""
    if len(data) > MAX_MESSAGE:
        error = RpcError("invalid_request", f"message of {len(data)} bytes", hint=f"at most {MAX_MESSAGE}")
        return Message((Refused(None, error),))
    if not data.lstrip(b" \t\r\n").startswith(b"["):
        return Message((_one(data),))
    try:
        items = _array.decode(data)
    except BROKEN as wrong:
        return Message((Refused(None, _unreadable(wrong)),))
    if not 0 < len(items) <= MAX_ARRAY:
        error = RpcError("invalid_request", f"array of {len(items)} requests", hint=f"1 to {MAX_ARRAY}")
        return Message((Refused(None, error),))
    return Message(tuple(_one(bytes(i)) for i in items), array=True)


def read(data: msgspec.Raw | bytes, kind: Any, path: str = "$.params") -> Any:
    """The parameters of a method as its type. Raises RpcError naming the field."""
    try:
        # A client library may well send an empty list where it has no parameters to give.
        return msgspec.json.decode(b"{}" if bytes(data).strip() == b"[]" else data, type=kind)
    except msgspec.ValidationError as wrong:
        raise refusal(wrong).under(path) from None
    except BROKEN as wrong:
        raise _unreadable(wrong) from None


def refusal(wrong: msgspec.ValidationError) -> RpcError:
    """A validation error in the protocol's own words."""
    text, _, path = str(wrong).partition(" - at `")
    path = path.rstrip("`") or "$"
    field = text.split("`")[1] if text.startswith("Object ") else ""
    if text.startswith("Object contains unknown field"):
        return RpcError("unknown_field", f"unknown field {field}", f"{path}.{field}", "see docs/protocol")
    if text.startswith("Object missing required field"):
        return RpcError("missing_field", f"field {field} is missing", f"{path}.{field}", "see docs/protocol")
    if ", got " in text or text.startswith(("Expected `object`", "Invalid base64")):
        return RpcError("wrong_type", text.replace("`", ""), path)
    return RpcError("out_of_range", text.replace("`", ""), path)


def understand(data: bytes) -> Incoming | tuple[Incoming, ...]:
    """Reads one text message of the server (the client's side). Raises msgspec.MsgspecError."""
    if data[:1] == b"[":
        return msgspec.json.decode(data, type=tuple[Incoming, ...])
    return _incoming.decode(data)


def preview(seq: int, captured_ns: int, size: tuple[int, int], jpeg: bytes) -> bytes:
    """A binary message: one preview frame."""
    return PREVIEW_HEADER.pack(PREVIEW_VERSION, PREVIEW_JPEG, *size, 0, seq, captured_ns) + jpeg


def previewed(message: bytes) -> Preview:
    """Takes a preview message apart (the client's side). Raises ValueError for a version or kind it does not know."""
    if len(message) < PREVIEW_HEADER.size:
        raise ValueError(f"preview message of {len(message)} bytes")
    version, kind, width, height, _, seq, captured_ns = PREVIEW_HEADER.unpack_from(message)
    if (version, kind) != (PREVIEW_VERSION, PREVIEW_JPEG):
        raise ValueError(f"preview message of version {version}, kind {kind}")
    return Preview(seq, captured_ns, width, height, message[PREVIEW_HEADER.size :])


def call(method: str, params: Any, id: Id) -> bytes:  # noqa: A002 - JSON-RPC calls it so
    """A request (the client's side)."""
    return _encoder.encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def result(id: Id, value: Any) -> bytes:  # noqa: A002
    """The reply to a request that succeeded."""
    return _encoder.encode({"jsonrpc": "2.0", "id": id, "result": value})


def error(id: Id, wrong: RpcError) -> bytes:  # noqa: A002
    """The reply to a request that is refused."""
    data = ErrorData(wrong.code, wrong.path, wrong.hint, wrong.rev)
    return _encoder.encode(
        {"jsonrpc": "2.0", "id": id, "error": ErrorObject(wrong.rpc_code, wrong.message, data)}
    )


def notification(method: str, params: Any) -> bytes:
    """A message that wants no reply: `hello` and `event`."""
    return _encoder.encode({"jsonrpc": "2.0", "method": method, "params": params})


def array(replies: list[bytes]) -> bytes:
    """The replies to a JSON-RPC array."""
    return b"[" + b",".join(replies) + b"]"


def _one(data: bytes) -> Request | Refused:
    try:
        return _request.decode(data)
    except msgspec.ValidationError as wrong:
        return Refused(_id_of(data), _as_invalid_request(refusal(wrong)))
    except BROKEN as wrong:
        return Refused(None, _unreadable(wrong))


def _as_invalid_request(wrong: RpcError) -> RpcError:
    return RpcError("invalid_request", wrong.message, wrong.path, "a request has jsonrpc, method, params, id")


def _id_of(data: bytes) -> Id:
    """The id of a request that is wrong in another place, so that its sender can tell which it was."""
    try:
        return msgspec.json.decode(data, type=_Identified).id
    except BROKEN:
        return None


def _unreadable(wrong: Exception) -> RpcError:
    text = "nested too deep" if isinstance(wrong, RecursionError) else str(wrong)
    return RpcError("parse_error", f"no JSON: {text}")
