import argparse
import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from control_fakes import START, AbleCommands, FakeCommands, serving
from rich.console import Console

from faceswapd.control import addresses
from faceswapd.core.abilities import OutputInfo
from faceswapd.core.errors import UsageError
from faceswapd.core.events import ProcessorState, StateChanged
from faceswapd.daemon import ctl, tables


class Daemon:
    """A server in a thread of its own, as `ctl` meets it: another loop."""

    def __init__(self, runtime: Path) -> None:
        self.commands = AbleCommands()
        self.url = ""
        self._up, self._runtime = threading.Event(), runtime
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    async def _serve(self) -> None:
        async with serving(self._runtime / "faceswapd", self.commands) as (server, _):
            self.url = f"ws://127.0.0.1:{server.port}"
            self.server = server
            self._up.set()
            await self._stop.wait()

    def __enter__(self) -> "Daemon":
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def change(self) -> None:
        async def change() -> None:
            self.server.publish(StateChanged(await self.commands.execute(())))

        asyncio.run_coroutine_threadsafe(change(), self._loop).result(5)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    with Daemon(tmp_path) as running:
        yield running


def test_status_as_json_is_the_state_document(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["status", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["processors"][0]["name"] == "anonymize"


def test_status_for_people(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["status"]) == 0

    out = capsys.readouterr().out
    assert "1280x720 at 30" in out
    assert "on   anonymize mode=blur strength=0.5" in out
    assert "off  mesh_swap" in out
    assert out.isascii()  # a shell of another encoding shows it, too


@pytest.mark.parametrize("url", [False, True])
def test_set_and_toggle(daemon: Daemon, capsys: pytest.CaptureFixture[str], url: bool) -> None:
    where = ["--url", daemon.url] if url else []

    assert ctl.main([*where, "set", "mesh_swap", "enabled=true", "opacity=0.8"]) == 0
    assert capsys.readouterr().out == "mesh_swap on opacity=0.8\n"
    assert ctl.main([*where, "toggle", "anonymize"]) == 0
    assert capsys.readouterr().out.startswith("anonymize off")
    now = daemon.commands.now.processors
    assert [(p.enabled, p.params.get("opacity")) for p in now] == [(False, None), (True, 0.8)]


def test_each_parameter_is_read_as_its_type(daemon: Daemon) -> None:
    assert (
        ctl.main(["set", "anonymize", "mode=pixelate", "strength=1", "cells=12", "soft=off", "enabled=no"])
        == 0
    )

    now = daemon.commands.now.processors[0]
    assert (now.enabled, now.params) == (
        False,
        {"mode": "pixelate", "strength": 1, "cells": 12, "soft": False},
    )


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["set", "anonymize", "strength=7"], 64, "0 to 1"),
        (["set", "anonymize", "strength=much"], 64, "no number"),
        (["set", "anonymize", "nix=1"], 64, "one of mode, strength"),
        (["set", "anonymize", "strength"], 64, "no KEY=VALUE"),
        (["set", "anonymize", "enabled=perhaps"], 64, "neither on nor off"),
        (["set", "anonymize"], 64, "KEY=VALUE"),
        (["toggle", "nix"], 64, "one of anonymize, mesh_swap"),
        (["get", "nix"], 64, "no 'nix'"),
        (["get", "anonymize.strength.x"], 64, "nothing below it"),
        (["face", "set", "nix"], 64, "no face 'nix'"),
        (["face", "set"], 64, "give its name"),
        (["face", "add", "me"], 64, "--consent"),
        (["face", "add", "me", "--photo", "/nowhere.jpg", "--consent", "self"], 66, "/nowhere.jpg"),
        (["record", "start"], 69, "not available"),
        (["camera", "list"], 69, "not available"),
        (["snapshot", "/nowhere/x.jpg"], 66, "/nowhere/x.jpg"),
        (["privacy", "perhaps"], 64, "invalid choice"),
        (["batch", "anonymize off"], 64, "no change: 'anonymize off'"),
        (["batch", "freeze on", "toggle nix"], 64, "no processor 'nix'"),
        (["watch", "weather"], 64, "weather"),
        (["nix"], 64, "invalid choice"),
        ([], 64, "COMMAND"),
        (["--url", "nonsense", "status"], 64, "is no address"),
        (["--url", "ws://127.0.0.1:1", "status"], 69, "faceswapd run"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_exit_code(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, says: str
) -> None:
    assert ctl.main(argv) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("faceswapd: ")
    assert err.count("\n") == 1
    assert daemon.commands.told == []


def test_no_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(addresses, "DEFAULT_PORT", 1)

    assert ctl.main(["status"]) == 69
    assert "start it with `faceswapd run`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "shows"),
    [("face", "mask"), ("rev", "1"), ("anonymize.strength", "0.5"), ("anonymize.enabled", "true"),
     ("processors.1.name", "mesh_swap"), ("size", "[1280,720]"), ("mesh_swap.params", '{"opacity":1.0}')],
)  # fmt: skip
def test_get(daemon: Daemon, capsys: pytest.CaptureFixture[str], path: str, shows: str) -> None:
    assert ctl.main(["get", path]) == 0

    assert capsys.readouterr().out.strip() == shows


def test_switches(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["privacy", "on"], ["freeze", "toggle"], ["privacy", "toggle"]):
        assert ctl.main(argv) == 0
    assert capsys.readouterr().out.split("\n")[:3] == ["privacy on", "freeze on", "privacy off"]
    assert (daemon.commands.now.privacy, daemon.commands.now.frozen) == (False, True)


def test_a_batch_is_one_change(daemon: Daemon) -> None:
    assert ctl.main(["batch", "set mesh_swap enabled=on opacity=0.3", "toggle anonymize", "privacy on",
                     "reorder mesh_swap anonymize", "face set mask", "preset apply party"]) == 0  # fmt: skip

    (commands,) = daemon.commands.told
    assert len(commands) == 6
    assert daemon.commands.now.rev == 2


def test_faces(daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "me.jpg"
    photo.write_bytes(b"\xff\xd8" + bytes(100_000))

    assert ctl.main(["face", "add", "me", "--photo", str(photo), "--consent", "self"]) == 0
    assert daemon.commands.pictures["me"] == photo.read_bytes()
    assert ctl.main(["face", "list"]) == 0
    assert "me " in capsys.readouterr().out
    assert ctl.main(["face", "set", "me"]) == 0
    assert daemon.commands.now.face == "me"
    assert ctl.main(["face", "remove", "me"]) == 0
    assert daemon.commands.pictures == {}
    photo.write_bytes(b"no picture")
    assert ctl.main(["face", "add", "me", "--photo", str(photo), "--consent", "self"]) == 65


def test_presets_processors_stats_and_token(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["preset", "save", "work"], ["preset", "list"], ["preset", "apply", "party"], ["processors"],
                 ["stats"], ["pair"], ["token", "rotate"]):  # fmt: skip
        assert ctl.main(argv) == 0, argv
    out = capsys.readouterr().out
    assert "work" in out
    assert f"http://127.0.0.1:{daemon.server.port}/#pair=" in out
    assert "blur | pixelate" in out
    assert "p50 9.00  p95 12.00  p99 15.00 ms" in out
    assert daemon.commands.now.on_no_face == "freeze"


def test_one_processor_with_its_parameters(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["processors", "anonymize"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("anonymize")
    assert "mesh_swap" not in out
    assert ctl.main(["processors", "anonymise"]) == 64
    assert "known are anonymize, mesh_swap" in capsys.readouterr().err


def test_a_topic_that_does_not_exist(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["watch", "state", "statz"]) == 64
    assert "no topic 'statz': known are state, stats, faces, log" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["face", "preset", "output"])
def test_what_can_be_listed_is_listed_without_a_word(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    daemon.commands.outputs = lambda: (OutputInfo("talk.mp4", "film", 30.0),)  # type: ignore[attr-defined]
    assert ctl.main([command]) == 0
    alone = capsys.readouterr().out
    assert ctl.main([command, "list"]) == 0
    assert capsys.readouterr().out == alone != ""


def test_what_is_true_of_a_row_is_a_yes(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["face"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert (head.split()[-1], row.split()[-1]) == ("bundled", "yes")


def test_a_face_that_nothing_wears_is_not_called_worn(capsys: pytest.CaptureFixture[str]) -> None:
    off = ProcessorState("mesh_swap", enabled=False, params={"face": "ada"})
    state = msgspec.structs.replace(START, face="ada", processors=(off,))
    assert (
        tables.worn(state).plain == "ada is worn as soon as mesh_swap is on: faceswapd ctl toggle mesh_swap"
    )
    on = msgspec.structs.replace(off, enabled=True)
    assert tables.worn(msgspec.structs.replace(state, processors=(on,))).plain == "wearing ada"


def test_the_latency_is_told_as_what_to_do(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["latency"]) == 0
    assert capsys.readouterr().out.startswith("delay your microphone by 9 ms in a call")
    assert ctl.main(["latency", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"delay_ms": 9.0, "p99_ms": 15.0, "source_ms": None}


def test_a_snapshot(daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["snapshot", str(tmp_path / "s.jpg"), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["width"] == 1280
    assert (tmp_path / "s.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_hold_is_over_when_it_ends(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["hold", "mesh_swap", "--for", "0.1", "--json"]) == 0

    assert [c[0].enabled for c in daemon.commands.told] == [True, False]  # type: ignore[union-attr]
    out, err = capsys.readouterr()
    assert err == "mesh_swap is held until 0.1 s are over, or Ctrl-C\n"
    assert json.loads(out)["processors"]


@pytest.mark.parametrize("words", [["output"], ["output", "list"]])
def test_outputs_are_listed_with_and_without_the_word(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    daemon.commands.outputs = lambda: (OutputInfo("talk.mp4", "film", 30.0),)  # type: ignore[attr-defined]
    assert ctl.main(words) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["talk.mp4", "film", "30"]


def test_watch_prints_a_document_a_line(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon has news when it has said how things are, and ends when it has told the news."""
    said, out = list[str](), Console.out

    def heard(console: Console, line: str) -> None:
        out(console, line)
        said.append(line)
        follows = {1: daemon.change, 2: daemon.__exit__}[len(said)]
        after.append(threading.Thread(target=follows))
        after[-1].start()

    after = list[threading.Thread]()
    monkeypatch.setattr(Console, "out", heard)
    assert ctl.main(["watch", "state"]) == 0
    for thread in after:
        thread.join()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["topic"], line["rev"]) for line in lines] == [("state", 1), ("state", 2)]


def test_the_token_of_a_daemon_elsewhere(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    copy.write_text((tmp_path / "faceswapd" / "token").read_text() + "\n")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "elsewhere"))

    assert ctl.main(["--url", daemon.url, "status"]) == 78
    assert ctl.main(["--url", daemon.url, "--token-file", str(copy), "status"]) == 0
    assert ctl.main(["--url", daemon.url, "--token-file", "/nowhere", "status"]) == 66


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["--help"]) == 0
    assert "toggle" in capsys.readouterr().out


def test_changes_as_people_write_them() -> None:
    infos = FakeCommands().processors()

    assert ctl.change(["privacy", "toggle"], infos, START) == {
        "method": "privacy.set",
        "params": {"on": True},
    }
    with pytest.raises(UsageError, match="no change"):
        ctl.change(["set", "anonymize"], infos, START)


@pytest.mark.parametrize(
    ("what", "told", "says"),
    [
        ("stop", {"recording": False, "path": "/v/a.mp4", "films": ["/v/a.mp4"]}, "saved /v/a.mp4"),
        ("save", {"recording": True, "path": "/v/b.mp4", "films": ["/v/b.mp4"]}, "saved /v/b.mp4"),
        ("status", {"recording": False, "path": "", "films": []}, "not recording"),
        ("stop", {"recording": False, "path": "", "films": []}, "nothing was recorded: no picture came"),
        ("status", {"recording": True, "path": "/v/a.mp4", "films": ["/v/a.mp4"]}, "recording /v/a.mp4"),
    ],
)
def test_a_film_is_saved_only_where_one_was_made(what: str, told: dict[str, Any], says: str) -> None:
    class Remote:
        async def call(self, method: str, **_params: Any) -> dict[str, Any]:
            return {"paused": False, **told}

    _, view = asyncio.run(ctl._record(cast(Any, Remote()), argparse.Namespace(what=what, path="")))
    assert view == says
