"""The desktop's own dialog for sharing a screen or a window: the ScreenCast portal, over D-Bus."""

import itertools
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import structlog

from ..core.errors import NoDeviceError

log = structlog.get_logger(__name__)

BUS_NAME, PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.ScreenCast"
REQUEST, SESSION = "org.freedesktop.portal.Request", "org.freedesktop.portal.Session"
CURSOR_EMBEDDED, UNTIL_REVOKED = 2, 2
GRANTED, CANCELLED = 0, 1  # what a Response says
ANSWER_S = 25.0
"""The first call may have to start the portal; D-Bus itself waits as long."""
DIALOG_S = 120.0
"""How long the user may look at the dialog."""
_REMEDY = "install xdg-desktop-portal and the part of it for your desktop (-gnome, -kde, -wlr)"


class Kind(IntEnum):
    """What can be shared, as the portal numbers it."""

    MONITOR = 1
    WINDOW = 2

    @property
    def word(self) -> str:
        """In a message."""
        return self.name.lower()


class Grant(NamedTuple):
    """What the user has allowed to be read."""

    remote: int
    """A connection to PipeWire that reaches this node only; whoever takes it closes it."""
    node: int


class DeniedError(NoDeviceError):
    """The user has refused, or has not answered."""


class Portal:
    """One sharing of the screen, from the dialog to its end. One thread.

    What was chosen is remembered by the desktop under a token, which is kept in `state`, so the dialog appears
    once; the user revokes it in the desktop's settings.
    """

    def __init__(self, name: str, kind: Kind, state: Path | None = None) -> None:
        """`name` is for messages. `state` is the folder for the token, the user's own if it is not given."""
        self.name = name
        self._kind = kind
        self._tokens = (state or platformdirs.user_state_path("faceswapd")) / "screen-cast.json"
        self._bus: Any = None
        self._session = ""
        self._serial = itertools.count()

    def open(self, dialog_s: float = DIALOG_S) -> Grant:
        """Asks the desktop; blocks until the user has answered, at most `dialog_s`.

        Raises DeniedError for a refusal, NoDeviceError without a portal, or for one that cannot share this.
        """
        with self._connected():
            return self._ask(dialog_s)

    def kinds(self) -> tuple[Kind, ...]:
        """What the desktop can share; its user sees no dialog. Blocks, for the portal may have to start.

        Raises NoDeviceError without a portal, and for one that shares nothing.
        """
        with self._connected():
            shared = int(self._property("AvailableSourceTypes"))
        self.close()
        if not shared & (Kind.MONITOR | Kind.WINDOW):
            raise NoDeviceError("this desktop's portal shares no screen", _REMEDY)
        return tuple(kind for kind in Kind if shared & kind)

    def ended(self) -> bool:
        """Whether the desktop has ended the sharing since (its user did, or the window was closed)."""
        assert self._bus is not None, "not open"
        from jeepney import MessageType

        try:
            while True:
                message = self._bus.receive(timeout=0)
                fields = _fields(message)
                if message.header.message_type is MessageType.signal and (
                    fields.get("path"),
                    fields.get("member"),
                ) == (self._session, "Closed"):
                    return True
        except TimeoutError:
            return False
        except OSError:  # the bus itself has gone, with the desktop
            return True

    def close(self) -> None:
        """Ends the sharing; safe when there is none."""
        bus, self._bus, session, self._session = self._bus, None, self._session, ""
        if bus is None:
            return
        try:
            if session:
                bus.send(_call(session, SESSION, "Close"))
        except OSError as error:
            log.debug("portal.gone", error=str(error))
        finally:
            bus.close()

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """On the session bus; off it again where the portal is not there or refuses, which is a NoDeviceError."""
        try:
            import jeepney
            from jeepney.io.blocking import open_dbus_connection
        except ImportError:
            raise NoDeviceError(
                f"source {self.name} needs the package jeepney", "pip install 'faceswapd[screen]'"
            ) from None
        try:
            self._bus = open_dbus_connection("SESSION", enable_fds=True)
        except (OSError, KeyError, RuntimeError, jeepney.auth.AuthenticationError) as error:
            raise NoDeviceError(
                f"source {self.name} has no session bus ({error})", "run it within a desktop session"
            ) from error
        try:
            yield
        except (jeepney.DBusErrorResponse, OSError) as error:
            self.close()
            raise NoDeviceError(
                f"source {self.name} finds no desktop portal ({_said(error)})", _REMEDY
            ) from error
        except BaseException:
            self.close()
            raise

    def _ask(self, dialog_s: float) -> Grant:
        version, kinds, cursors = (
            int(self._property(name)) for name in ("version", "AvailableSourceTypes", "AvailableCursorModes")
        )
        if not kinds & self._kind:
            able = " and ".join(f"a {kind.word}" for kind in Kind if kinds & kind) or "nothing"
            raise NoDeviceError(
                f"source {self.name} is a {self._kind.word}, which this desktop's portal does not share",
                f"it shares {able}",
            )
        self._watch(SESSION, "Closed")
        opened = self._request(
            "CreateSession", "", (), ANSWER_S, session_handle_token=("s", f"faceswapd{secrets.token_hex(8)}")
        )
        self._session = opened["session_handle"][1]
        wishes: dict[str, tuple[str, Any]] = {"types": ("u", int(self._kind)), "multiple": ("b", False)}
        if version >= 2 and cursors & CURSOR_EMBEDDED:
            wishes["cursor_mode"] = ("u", CURSOR_EMBEDDED)
        if version >= 4:
            wishes["persist_mode"] = ("u", UNTIL_REVOKED)
            if token := self._known().get(self._kind.word):
                wishes["restore_token"] = ("s", token)
        self._request("SelectSources", "o", (self._session,), ANSWER_S, **wishes)
        log.info("portal.asked", source=self.name)
        started = self._request("Start", "os", (self._session, ""), dialog_s)
        if "restore_token" in started:
            self._remember(started["restore_token"][1])
        streams = started["streams"][1]
        if not streams:
            raise DeniedError(f"nothing was chosen for source {self.name}", "start again and choose")
        node: int = streams[0][0]
        (remote,) = self._reply(_call(PATH, INTERFACE, "OpenPipeWireRemote", "oa{sv}", (self._session, {})))
        return Grant(remote.to_raw_fd(), node)

    def _request(
        self, method: str, signature: str, words: tuple[Any, ...], seconds: float, **options: tuple[str, Any]
    ) -> dict[str, tuple[str, Any]]:
        """Calls a method whose answer comes later, as a signal of a request whose path is known beforehand."""
        token = f"faceswapd{secrets.token_hex(8)}"
        sender = re.sub(r"[.]", "_", self._bus.unique_name.removeprefix(":"))
        path = f"{PATH}/request/{sender}/{token}"
        with self._signals(REQUEST, "Response", path) as answers:
            call = _call(
                PATH,
                INTERFACE,
                method,
                signature + "a{sv}",
                (*words, {"handle_token": ("s", token)} | options),
            )
            self._reply(call)
            try:
                outcome, results = self._bus.recv_until_filtered(answers, timeout=seconds).body
            except TimeoutError:
                raise DeniedError(
                    f"the desktop's dialog for source {self.name} was not answered within {seconds:.0f} s",
                    "start again and answer it",
                ) from None
        if outcome == GRANTED:
            return dict(results)
        if outcome == CANCELLED:
            raise DeniedError(f"source {self.name} was not allowed", "start again and choose what to share")
        raise NoDeviceError(
            f"the desktop's portal has failed for source {self.name}", "its own log tells why"
        )

    @contextmanager
    def _signals(self, interface: str, member: str, path: str) -> Iterator[Any]:
        from jeepney import MatchRule

        rule = MatchRule(type="signal", interface=interface, member=member, path=path)
        self._watch(interface, member, path)
        with self._bus.filter(rule) as queue:
            yield queue

    def _watch(self, interface: str, member: str, path: str | None = None) -> None:
        from jeepney import MatchRule, message_bus

        rule = MatchRule(type="signal", sender=BUS_NAME, interface=interface, member=member, path=path)
        self._reply(message_bus.AddMatch(rule))

    def _property(self, name: str) -> Any:
        call = _call(PATH, "org.freedesktop.DBus.Properties", "Get", "ss", (INTERFACE, name))
        return self._reply(call)[0][1]

    def _reply(self, call: Any) -> Any:
        from jeepney.wrappers import unwrap_msg

        return unwrap_msg(self._bus.send_and_get_reply(call, timeout=ANSWER_S))

    def _known(self) -> dict[str, str]:
        try:
            known = json.loads(self._tokens.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("portal.token_unreadable", file=str(self._tokens), error=str(error))
            return {}
        return known if isinstance(known, dict) else {}

    def _remember(self, token: str) -> None:
        """A token serves once: each sharing gives the next one."""
        try:
            self._tokens.parent.mkdir(parents=True, exist_ok=True)
            new = self._tokens.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(self._known() | {self._kind.word: token}, file)
            new.replace(self._tokens)
        except OSError as error:
            log.warning("portal.token_not_kept", file=str(self._tokens), error=str(error))


def _call(
    path: str, interface: str, method: str, signature: str | None = None, words: tuple[Any, ...] = ()
) -> Any:
    from jeepney import DBusAddress, new_method_call

    return new_method_call(DBusAddress(path, BUS_NAME, interface), method, signature, words)


def _fields(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.header.fields.items()}


def _said(error: Exception) -> str:
    """The first line of what the bus has answered."""
    words = getattr(error, "data", None)
    return str(words[0] if words else error).partition("\n")[0] or type(error).__name__
