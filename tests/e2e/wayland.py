"""A Wayland desktop without a screen: sway, a program that shows the pattern, and the portal that shares it."""

import array
import json
import mmap
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from pipewire_session import missing as lacks_pipewire
from pipewire_session import session, wait_until

from faceswapd.capture.pattern import Pattern
from faceswapd.core.settings import Size

PORTAL = Path("/usr/libexec/xdg-desktop-portal")
BACKEND = Path("/usr/libexec/xdg-desktop-portal-wlr")
OUTPUT = "HEADLESS-1"
CONFIGURATION = """xwayland disable
default_border none
output {output} mode {width}x{height}@60Hz bg #2040c0 solid_color
"""
SHARING = f"[screencast]\nchooser_type=none\noutput_name={OUTPUT}\nmax_fps=60\n"
NOBODY = 65534


def missing() -> str:
    """What is lacking for it here; empty when it can run."""
    if why := lacks_pipewire():
        return why
    lacking = [name for name in ("sway", "swaybg", "gdbus") if not shutil.which(name)]
    lacking += [path.name for path in (PORTAL, BACKEND) if not path.exists()]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class Desktop:
    """A running one. `env` leads programs to it."""

    def __init__(self, env: dict[str, str], control: Path) -> None:
        self.env = env
        self._control = control

    def tell(self, command: str) -> None:
        """Has sway do something."""
        raw = command.encode()
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self._control))
            line.sendall(b"i3-ipc" + struct.pack("=II", len(raw), 0) + raw)
            if head := line.recv(14, socket.MSG_WAITALL):  # nothing, when it was told to exit
                size = struct.unpack("=I", head[6:10])[0]
                assert json.loads(line.recv(size, socket.MSG_WAITALL)) == [{"success": True}]


@contextmanager
def desktop(folder: Path, size: Size) -> Iterator[Desktop]:
    """Runs bus, PipeWire, sway and the portal with its part for sway, which asks nobody."""
    with ExitStack() as house:
        env = house.enter_context(session(folder))
        place = Path(tempfile.mkdtemp(prefix="sway"))
        house.callback(shutil.rmtree, place, ignore_errors=True)
        configuration = place / "sway.conf"
        configuration.write_text(CONFIGURATION.format(output=OUTPUT, width=size[0], height=size[1]))
        wlr = folder / "config" / "xdg-desktop-portal-wlr"
        wlr.mkdir(parents=True)
        (wlr / "config").write_text(SHARING)
        env = {name: value for name, value in env.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")} | {
            "XDG_CURRENT_DESKTOP": "sway", "XDG_SESSION_TYPE": "wayland", "XDG_CONFIG_HOME": str(wlr.parent),
        }  # fmt: skip
        log = house.enter_context((folder / "desktop.log").open("w"))

        def start(words: list[str], **more: str) -> None:
            running = subprocess.Popen(words, env=env | more, stdout=log, stderr=log)
            house.callback(running.wait, 5)
            house.callback(running.terminate)

        ordinary: list[str] = []
        if os.geteuid() == 0:  # sway refuses to run as root
            place.chmod(0o755)
            os.chown(place, NOBODY, NOBODY)
            ordinary = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        start(
            [*ordinary, "sway", "-c", str(configuration)],
            XDG_RUNTIME_DIR=str(place), WLR_BACKENDS="headless", WLR_RENDERER="pixman",
            WLR_LIBINPUT_NO_DEVICES="1",
        )  # fmt: skip
        wait_until(lambda: list(place.glob("sway-ipc*")) and list(place.glob("wayland-?")), 15)
        (server,), (control,) = place.glob("wayland-?"), place.glob("sway-ipc*")
        env["WAYLAND_DISPLAY"] = str(server)
        go_between = house.enter_context(GoBetween(place / "portal", server))
        subprocess.run(["dbus-update-activation-environment", *env], env=env, check=True, stderr=log)
        start([str(BACKEND)], WAYLAND_DISPLAY=str(go_between.path))
        reached("org.freedesktop.impl.portal.desktop.wlr", env)
        start([str(PORTAL)])
        house.callback(
            subprocess.run, ["umount", "-l", str(folder / "run" / "doc")], stderr=subprocess.DEVNULL
        )
        reached("org.freedesktop.portal.Desktop", env)
        yield Desktop(env, control)


def reached(name: str, env: dict[str, str], seconds: int = 20) -> None:
    """Returns when somebody has this name on the session's bus."""
    subprocess.run(["gdbus", "wait", "--session", f"--timeout={seconds}", name], env=env, check=True)


class GoBetween:
    """Stands between the compositor and the portal's part for it.

    That part (up to 0.7.1 at least) refuses a compositor that offers no DMA-BUF, which only a graphics
    processor has, though it goes on to use shared memory. So it is told of one, as a compositor that has both
    would: the event `linux_dmabuf` is put before `buffer_done`.
    """

    def __init__(self, path: Path, server: Path) -> None:
        self.path = path
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lines: list[socket.socket] = []

    def __enter__(self) -> "GoBetween":
        self._listening.bind(str(self.path))
        self._listening.listen()
        self._listening.settimeout(0.2)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for line in (*self._lines, self._listening):
            line.close()

    def _start(self, work: object, *words: object) -> None:
        assert callable(work)
        self._threads.append(threading.Thread(target=work, args=words))
        self._threads[-1].start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listening.accept()
            except TimeoutError:
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            self._lines += [client, server]
            self._start(self._pass, client, server, False)
            self._start(self._pass, server, client, True)

    def _pass(self, source: socket.socket, target: socket.socket, amend: bool) -> None:
        source.settimeout(0.2)
        rest = b""
        while not self._stop.is_set():
            try:
                data, fds, *_ = socket.recv_fds(source, 65536, 28)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            if amend:
                data, rest = amended(rest + data)
            try:
                socket.send_fds(target, [data] if data else [b""], fds)
            except OSError:
                break
            finally:
                for fd in fds:
                    os.close(fd)
        with suppress(OSError):  # the other side has gone first
            target.shutdown(socket.SHUT_RDWR)


def amended(data: bytes) -> tuple[bytes, bytes]:
    """Whole messages with the event put in, and what is not whole yet."""
    out, at = b"", 0
    while at + 8 <= len(data):
        who, word = struct.unpack_from("=II", data, at)
        size = word >> 16
        if at + size > len(data):
            break
        message, after = data[at : at + size], data[at + size : at + size + 8]
        out += message
        if word == 24 << 16 and after == struct.pack("=II", who, 8 << 16 | 6):
            out += struct.pack("=II", who, 20 << 16 | 5) + message[8:20]
        at += size
    return out, data[at:]


class Player:
    """A Wayland program whose window shows the pattern, `fps` times a second."""

    def __init__(self, display: str, size: Size, fps: float) -> None:
        self._size, self._fps = size, fps
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(display)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._next = 1

    def __enter__(self) -> "Player":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._line.close()

    def _new(self) -> int:
        self._next += 1
        return self._next

    def _send(self, who: int, opcode: int, body: bytes = b"", fd: int | None = None) -> None:
        data = struct.pack("=II", who, (8 + len(body)) << 16 | opcode) + body
        if fd is None:
            self._line.sendall(data)
        else:
            self._line.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])

    def _events(self, wait_s: float) -> Iterator[tuple[int, int, bytes]]:
        self._line.settimeout(max(0.001, wait_s))
        try:
            head = self._line.recv(8, socket.MSG_WAITALL)
        except TimeoutError:
            return
        while len(head) == 8:
            who, word = struct.unpack("=II", head)
            self._line.settimeout(2)
            body = self._line.recv((word >> 16) - 8, socket.MSG_WAITALL) if word >> 16 > 8 else b""
            yield who, word & 0xFFFF, body
            self._line.settimeout(0.001)
            try:
                head = self._line.recv(8, socket.MSG_WAITALL)
            except TimeoutError:
                return

    def _globals(self) -> dict[str, int]:
        registry = self._registry = self._new()
        self._send(1, 1, struct.pack("=I", registry))
        found: dict[str, int] = {}
        end = time.monotonic() + 3
        while not {"wl_compositor", "wl_shm", "xdg_wm_base"} <= set(found) and time.monotonic() < end:
            for who, opcode, body in self._events(0.1):
                if (who, opcode) == (registry, 0):
                    name, size = struct.unpack_from("=II", body)
                    found[body[8 : 8 + size - 1].decode()] = name
        return found

    def _bind(self, found: dict[str, int], interface: str) -> int:
        number, raw = self._new(), interface.encode() + b"\0"
        words = struct.pack("=II", found[interface], len(raw)) + raw + bytes(-len(raw) % 4)
        self._send(self._registry, 0, words + struct.pack("=II", 1, number))
        return number

    def _run(self) -> None:
        found = self._globals()
        compositor, shm, shell = (self._bind(found, n) for n in ("wl_compositor", "wl_shm", "xdg_wm_base"))
        surface, role, toplevel, pool = (self._new() for _ in range(4))
        self._send(compositor, 0, struct.pack("=I", surface))
        self._send(shell, 2, struct.pack("=II", role, surface))
        self._send(role, 1, struct.pack("=I", toplevel))
        self._send(surface, 6)
        width, height = self._size
        one = width * height * 4
        fd = os.memfd_create("player")
        os.ftruncate(fd, 4 * one)
        memory = mmap.mmap(fd, 4 * one)
        self._send(shm, 0, struct.pack("=Ii", pool, 4 * one), fd)
        os.close(fd)
        buffers = [self._new() for _ in range(4)]
        for index, buffer in enumerate(buffers):
            self._send(pool, 0, struct.pack("=IiiiiI", buffer, index * one, width, height, width * 4, 1))
        pattern, pixels = Pattern(self._size, self._fps), np.frombuffer(memory, np.uint8)
        configured, n, begin = False, 0, time.monotonic()
        while not self._stop.is_set():
            for who, opcode, body in self._events(begin + n / self._fps - time.monotonic()):
                if (who, opcode) == (role, 0):
                    self._send(role, 4, body)
                    configured = True
                elif (who, opcode) == (shell, 0):
                    self._send(shell, 3, body)
            if not configured or time.monotonic() < begin + n / self._fps:
                continue
            place = pixels[n % 4 * one : (n % 4 + 1) * one].reshape(height, width, 4)
            place[..., :3] = pattern.draw(n)
            self._send(surface, 1, struct.pack("=Iii", buffers[n % 4], 0, 0))
            self._send(surface, 2, struct.pack("=iiii", 0, 0, width, height))
            self._send(surface, 6)
            n += 1
        del pixels, place
        memory.close()
