"""One client's side of the conversation: hello, authentication, then calls. No I/O, no clock."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from . import protocol
from .methods import METHODS, Authenticate, Method, Pair, Params
from .protocol import Id, Refused, Request, RpcError
from .replies import Hello, Paired, Ready

Verify = Callable[[str, Authenticate], str | None]
"""(server nonce, what the client sent) -> the server's own proof, or None when the client's is wrong."""

Admit = Callable[[str], Paired | None]
"""A pairing code -> what the device may keep, or None when the code is wrong, used or too old."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method that somebody who may call it calls, with parameters of the right type."""

    id: Id
    wants_reply: bool
    name: str
    method: Method
    params: Params


@dataclass(frozen=True, slots=True)
class Received:
    """What one message was: calls to be made and replies that are ready, in the order of the requests."""

    items: tuple[Call | bytes, ...]
    array: bool

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls alone."""
        return tuple(i for i in self.items if isinstance(i, Call))

    def reply(self, replies: list[bytes]) -> bytes | None:
        """One message from the replies to its requests; None when none of them wanted one."""
        if not replies:
            return None
        return protocol.array(replies) if self.array else replies[0]


class Session:
    """Turns what a client sends into calls, once the client has proved who it is."""

    def __init__(
        self, version: str, features: tuple[str, ...], verify: Verify | None, admit: Admit = lambda _: None
    ) -> None:
        """`verify` None: the operating system vouches for the client, it is ready at once."""
        self._verify = verify
        self._admit = admit
        self.hello = Hello(
            protocol=protocol.VERSION,
            server="faceswapd",
            version=version,
            features=features,
            auth="hmac-sha256" if verify else "none",
            nonce=secrets.token_hex(32),
        )
        self.ready = verify is None
        self.refused = False
        """Authentication failed: nothing more is heard from this client."""

    def greeting(self) -> bytes:
        """The first message of the connection."""
        return protocol.notification("hello", self.hello)

    def receive(self, data: bytes) -> Received:
        """Reads one message. Never raises: a refusal is a reply."""
        message = protocol.parse(data)
        items: list[Call | bytes] = []
        for request in message.requests:
            if self.refused:
                break
            item = self._one(request)
            if item is not None:
                items.append(item)
        return Received(tuple(items), message.array)

    def _one(self, request: Request | Refused) -> Call | bytes | None:
        if isinstance(request, Refused):
            return protocol.error(request.id, request.error)
        wants_reply = not isinstance(request.id, msgspec.UnsetType)
        id_ = None if isinstance(request.id, msgspec.UnsetType) else request.id
        try:
            done = self._called(request, id_, wants_reply)
        except RpcError as wrong:
            return protocol.error(id_, wrong) if wants_reply else None
        if isinstance(done, Call):
            return done
        return protocol.result(id_, done) if wants_reply else None

    def _called(self, request: Request, id_: Id, wants_reply: bool) -> Call | Hello | Ready | Paired:
        method = METHODS.get(request.method)
        if method is None:
            raise RpcError("method_not_found", f"no method {request.method[:64]!r}", hint="see docs/protocol")
        if not self.ready and request.method not in ("hello", "auth", "pair"):
            raise RpcError("unauthorized", "not authenticated", hint="call auth first")
        params = protocol.read(request.params, method.params)
        if request.method == "hello":
            return self.hello
        if isinstance(params, Authenticate):
            return self._authenticated(params)
        if isinstance(params, Pair):
            return self._paired(params)
        return Call(id_, wants_reply, request.method, method, params)

    def _authenticated(self, params: Authenticate) -> Ready:
        if self._verify is None:
            return Ready(ready=True)
        proof = self._verify(self.hello.nonce, params)
        if proof is None or self.ready:
            raise self._refusal("the proof is wrong", "$.params.mac", "read the token file again")
        self.ready = True
        return Ready(ready=True, mac=proof)

    def _paired(self, params: Pair) -> Paired:
        paired = None if self.ready else self._admit(params.code)
        if paired is None:
            raise self._refusal("this link was used, or is too old", "$.params.code", "faceswapd ctl pair")
        self.ready = True
        return paired

    def _refusal(self, message: str, path: str, hint: str) -> RpcError:
        """One attempt a connection: the nonce is spent, whatever came of it."""
        self.refused = True
        self.ready = False
        return RpcError("unauthorized", message, path, hint)
