"""The PipeWire camera in a browser, through the desktop's camera portal."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e import browser
from e2e.cameras import good_take, off
from e2e.wayland import reached
from pipewire_session import missing, session

from faceswapd.capture.pattern import Pattern
from faceswapd.core.frame import Frame
from faceswapd.sinks.pipewire import PipeWireSink

PORTAL = Path("/usr/libexec/xdg-desktop-portal")
SIZE = (1280, 720)
NAME = "org.freedesktop.impl.portal"
OFFERS = f"[portal]\nDBusName={NAME}.desktop.rig\nInterfaces={NAME}.Access;\nUseIn=rig\n"


def lacking() -> str:
    if why := missing():
        return why
    if not PORTAL.exists() or not shutil.which("gdbus"):
        return "xdg-desktop-portal or gdbus is not installed"
    return "" if shutil.which("chromium") else "chromium is not installed"


@contextmanager
def portal(env: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """The camera portal, with the permission given beforehand, so that it asks nobody."""
    folder.mkdir()
    (folder / "rig.portal").write_text(OFFERS)
    env = env | {"XDG_DESKTOP_PORTAL_DIR": str(folder), "XDG_CURRENT_DESKTOP": "rig"}
    names = ["XDG_RUNTIME_DIR", "HOME", "XDG_STATE_HOME", "XDG_DESKTOP_PORTAL_DIR", "XDG_CURRENT_DESKTOP"]
    subprocess.run(["dbus-update-activation-environment", *names], env=env, check=True)
    store = [f"{NAME}.PermissionStore", "/org/freedesktop/impl/portal/PermissionStore"]
    subprocess.run(
        ["gdbus", "call", "--session", "--dest", store[0], "--object-path", store[1],
         "--method", f"{store[0]}.SetPermission", "devices", "true", "camera", "", "['yes']"],
        env=env, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with subprocess.Popen([str(PORTAL)], env=env, stderr=subprocess.DEVNULL) as running:
        try:
            reached("org.freedesktop.portal.Desktop", env)
            yield env
        finally:
            running.terminate()


@contextmanager
def showing(sink: PipeWireSink) -> Iterator[None]:
    """The pattern, 30 frames a second."""
    stop, pattern, begin = threading.Event(), Pattern(SIZE, 30), time.monotonic()

    def show() -> None:
        n = 0
        while not stop.wait(max(0.0, begin + n / 30 - time.monotonic())):
            sink.put(Frame(n, 0, pattern.draw(n)))
            n += 1

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.e2e
@pytest.mark.skipif(bool(lacking()), reason=lacking() or "-")
def test_chromium_draws_the_camera_at_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(browser, "FLAGS", (*browser.FLAGS, "--enable-features=WebRtcPipeWireCamera"))
    with session(tmp_path) as bus, portal(bus, tmp_path / "portals") as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        sink = PipeWireSink(SIZE, 30)
        sink.open()
        try:
            with showing(sink):
                seen = good_take(
                    lambda: browser.seen_by_chromium("faceswapd", 5),
                    lambda seen: seen.in_order and seen.fps >= 25,
                )
        finally:
            sink.close()
    subprocess.run(["umount", "-l", str(tmp_path / "run" / "doc")], check=False, stderr=subprocess.DEVNULL)

    record_property("chromium fps", round(seen.fps, 1))
    assert seen.size == SIZE
    assert seen.in_order
    assert off(seen.last) <= 6
    assert seen.fps >= 25
