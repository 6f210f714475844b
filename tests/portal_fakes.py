"""A desktop portal that answers as it is told, on a session bus of its own."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faceswapd  # noqa: F401 - makes the folders importable under its name
from faceswapd.capture.portal import BUS_NAME, PATH, REQUEST, SESSION


def missing() -> str:
    """What is lacking for it here; empty when it can run."""
    try:
        import jeepney  # noqa: F401
    except ImportError:
        return "the package jeepney is not installed"
    return "" if shutil.which("dbus-daemon") else "dbus-daemon is not installed"


CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """Runs a bus that starts no service of the machine; gives its address."""
    configuration = folder / "bus.conf"
    configuration.write_text(CONFIGURATION)
    words = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bus:
        assert bus.stdout is not None
        try:
            yield bus.stdout.readline().strip()
        finally:
            bus.terminate()


class FakePortal:
    """`outcome` is what Start ends with: 0 granted, 1 cancelled, 2 failed, None never."""

    def __init__(self, kinds: int = 3, version: int = 4, outcome: int | None = 0) -> None:
        from jeepney.io.blocking import open_dbus_connection

        self.properties = {"version": version, "AvailableSourceTypes": kinds, "AvailableCursorModes": 3}
        self.outcome = outcome
        self.wishes: list[dict[str, Any]] = []
        self.closed: list[str] = []
        self.session = ""
        self._given = 0
        self._stop = threading.Event()
        self._bus = open_dbus_connection("SESSION", enable_fds=True)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "FakePortal":
        from jeepney import message_bus
        from jeepney.wrappers import unwrap_msg

        unwrap_msg(self._bus.send_and_get_reply(message_bus.RequestName(BUS_NAME)))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bus.close()

    def revoke(self) -> None:
        """The user ends the sharing in the desktop's panel."""
        self._signal(self.session, SESSION, "Closed")

    def _serve(self) -> None:
        from jeepney import MessageType

        while not self._stop.is_set():
            try:
                message = self._bus.receive(timeout=0.02)
            except TimeoutError:
                continue
            if message.header.message_type is MessageType.method_call:
                fields = {field.name: value for field, value in message.header.fields.items()}
                self._answer(message, fields)

    def _answer(self, call: Any, fields: dict[str, Any]) -> None:
        from jeepney.wrappers import new_method_return

        sender = fields["sender"].removeprefix(":").replace(".", "_")
        body = call.body

        def reply(signature: str | None = None, values: tuple[Any, ...] = ()) -> None:
            self._bus.send(new_method_return(call, signature, values))

        def later(options: dict[str, Any], outcome: int, results: dict[str, Any]) -> None:
            path = f"{PATH}/request/{sender}/{options['handle_token'][1]}"
            reply("o", (path,))
            self._signal(path, REQUEST, "Response", "ua{sv}", (outcome, results))

        match fields["member"]:
            case "Get":
                reply("v", (("u", self.properties[body[1]]),))
            case "CreateSession":
                self.session = f"{PATH}/session/{sender}/{body[0]['session_handle_token'][1]}"
                later(body[0], 0, {"session_handle": ("s", self.session)})
            case "SelectSources":
                self.wishes.append({name: value for name, (_, value) in body[1].items()})
                later(body[1], 0, {})
            case "Start":
                self._start(body[2], reply, later, sender)
            case "OpenPipeWireRemote":
                reader, writer = os.pipe()
                reply("h", (reader,))
                os.close(reader)
                os.write(writer, b"pipewire")
                os.close(writer)
            case "Close":
                self.closed.append(fields["path"])

    def _start(self, options: dict[str, Any], reply: Any, later: Any, sender: str) -> None:
        if self.outcome is None:
            reply("o", (f"{PATH}/request/{sender}/{options['handle_token'][1]}",))
            return
        self._given += 1
        results: dict[str, Any] = {"streams": ("a(ua{sv})", [(42, {"size": ("(ii)", (64, 48))})])}
        if self.properties["version"] >= 4:
            results["restore_token"] = ("s", f"token {self._given}")
        later(options, self.outcome, results if self.outcome == 0 else {})

    def _signal(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str | None = None,
        values: tuple[Any, ...] = (),
    ) -> None:
        from jeepney import DBusAddress
        from jeepney.wrappers import new_signal

        self._bus.send(new_signal(DBusAddress(path, interface=interface), member, signature, values))
