"""The dialogue with the desktop's portal, over a real bus."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipewire_session import wait_until
from portal_fakes import FakePortal, missing, session_bus

from faceswapd.capture.portal import DeniedError, Grant, Kind, Portal
from faceswapd.core.errors import NoDeviceError

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with session_bus(tmp_path_factory.mktemp("bus")) as name:
        yield name


@pytest.fixture(autouse=True)
def bus(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)


def said(grant: Grant) -> bytes:
    with os.fdopen(grant.remote, "rb") as file:
        return file.read()


def test_the_user_grants_a_monitor(tmp_path: Path) -> None:
    with FakePortal() as desktop:
        portal = Portal("screen:", Kind.MONITOR, tmp_path)
        grant = portal.open()
        assert (grant.node, said(grant)) == (42, b"pipewire")
        (wishes,) = desktop.wishes
        assert (wishes["types"], wishes["multiple"], wishes["cursor_mode"]) == (1, False, 2)
        assert wishes["persist_mode"] == 2
        assert not portal.ended()
        portal.close()
        wait_until(lambda: desktop.closed)
        assert desktop.closed == [desktop.session]


def test_what_was_chosen_is_remembered_for_each_kind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    asked = []
    with FakePortal() as desktop:
        for kind in (Kind.MONITOR, Kind.MONITOR, Kind.WINDOW, Kind.MONITOR):
            portal = Portal("screen:", kind, state)
            said(portal.open())
            portal.close()
        asked = [(w["types"], w.get("restore_token")) for w in desktop.wishes]
    assert asked == [(1, None), (1, "token 1"), (2, None), (1, "token 2")]
    kept = state / "screen-cast.json"
    assert json.loads(kept.read_text()) == {"monitor": "token 4", "window": "token 3"}
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_broken_memory_only_means_that_the_dialog_is_shown(tmp_path: Path) -> None:
    (tmp_path / "screen-cast.json").write_text("[")
    with FakePortal() as desktop:
        portal = Portal("screen:", Kind.MONITOR, tmp_path)
        said(portal.open())
        portal.close()
        assert "restore_token" not in desktop.wishes[0]
    assert json.loads((tmp_path / "screen-cast.json").read_text()) == {"monitor": "token 1"}


def test_an_old_portal_is_not_asked_for_what_it_does_not_know(tmp_path: Path) -> None:
    with FakePortal(version=1) as desktop:
        portal = Portal("screen:", Kind.MONITOR, tmp_path)
        said(portal.open())
        portal.close()
        assert set(desktop.wishes[0]) == {"types", "multiple", "handle_token"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("outcome", "error", "says"),
    [
        (1, DeniedError, "screen: was not allowed: start again and choose"),
        (2, NoDeviceError, "portal has failed for source screen:"),
        (None, DeniedError, "dialog for source screen: was not answered within 0 s"),
    ],
)
def test_no_is_no(tmp_path: Path, outcome: int | None, error: type[Exception], says: str) -> None:
    with FakePortal(outcome=outcome) as desktop:
        portal = Portal("screen:", Kind.MONITOR, tmp_path)
        with pytest.raises(error, match=says):
            portal.open(dialog_s=0.2)
        wait_until(lambda: desktop.closed)
    assert not list(tmp_path.iterdir())


def test_what_the_desktop_cannot_share(tmp_path: Path) -> None:
    with (
        FakePortal(kinds=1),
        pytest.raises(NoDeviceError, match="does not share: it shares a monitor"),
    ):
        Portal("screen:window", Kind.WINDOW, tmp_path).open()


@pytest.mark.parametrize(("kinds", "names"), [(1, "monitor"), (2, "window"), (7, "monitor window")])
def test_what_can_be_shared_is_told_without_a_dialog(tmp_path: Path, kinds: int, names: str) -> None:
    with FakePortal(kinds=kinds) as desktop:
        assert " ".join(kind.word for kind in Portal("screen:", Kind.MONITOR, tmp_path).kinds()) == names
    assert (desktop.session, desktop.wishes) == ("", [])


def test_a_portal_that_shares_nothing(tmp_path: Path) -> None:
    with (
        FakePortal(kinds=0),
        pytest.raises(NoDeviceError, match=r"shares no screen: install xdg-desktop-portal"),
    ):
        Portal("screen:", Kind.MONITOR, tmp_path).kinds()
    with pytest.raises(NoDeviceError, match="finds no desktop portal"):
        Portal("screen:", Kind.MONITOR, tmp_path).kinds()


def test_the_user_ends_it(tmp_path: Path) -> None:
    with FakePortal() as desktop:
        portal = Portal("screen:", Kind.MONITOR, tmp_path)
        said(portal.open())
        desktop.revoke()
        wait_until(portal.ended)
        portal.close()


def test_without_a_portal(tmp_path: Path) -> None:
    with pytest.raises(NoDeviceError, match=r"no desktop portal \(.*org.freedesktop.portal.Desktop.*install"):
        Portal("screen:", Kind.MONITOR, tmp_path).open()


def test_without_a_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(NoDeviceError, match=r"no session bus .*within a desktop session"):
        Portal("screen:", Kind.MONITOR, tmp_path).open()
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(NoDeviceError, match="no session bus"):
        Portal("screen:", Kind.MONITOR, tmp_path).open()


def test_a_bus_that_ends_has_ended_the_sharing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with session_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with FakePortal():
            portal = Portal("screen:", Kind.MONITOR, tmp_path)
            said(portal.open())
    wait_until(portal.ended)
    portal.close()


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney", None)
    with pytest.raises(NoDeviceError, match=r"needs the package jeepney: pip install 'faceswapd\[screen\]'"):
        Portal("screen:", Kind.MONITOR, tmp_path).open()
