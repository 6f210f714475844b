import io
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from faceswapd.daemon.logs import configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that shows other minutes than the world's."""
    if not hasattr(time, "tzset"):
        pytest.skip("the clock's zone cannot be changed here")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XXX-5:45")
        time.tzset()
        yield
    time.tzset()


def logged(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    configure()
    structlog.get_logger().info("sink.opened", sink="none", settled=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1", "TERM": "xterm"}, {"NO_COLOR": "", "TERM": "dumb"}]
)
def test_who_wants_no_colours_gets_none(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    plain = logged(monkeypatch, Terminal())

    assert "sink.opened" in plain
    assert "\x1b" not in plain


def test_a_terminal_has_colours_and_its_readers_time(
    monkeypatch: pytest.MonkeyPatch, kathmandu: None
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    before = time.strftime("%H:%M:%S")
    text = logged(monkeypatch, Terminal())
    after = time.strftime("%H:%M:%S")

    assert "\x1b" in text
    told = re.search(r"\d\d:\d\d:\d\d", text)
    assert told is not None
    assert told[0] in (before, after)


def test_elsewhere_it_is_logfmt_with_a_value_for_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    text = logged(monkeypatch, io.StringIO())

    assert re.fullmatch(r"timestamp=\S+Z level=info event=sink\.opened sink=none settled=true\n", text)


@pytest.mark.parametrize("ours", [True, False])
def test_the_journal_has_its_own_clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: bool) -> None:
    """A terminal inherits the journal's variable from a desktop that systemd has started."""
    with (tmp_path / "journal").open("w+") as stream:
        info = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{info.st_dev}:{info.st_ino + (not ours)}")
        monkeypatch.setattr(sys, "stderr", stream)
        configure()
        structlog.get_logger().info("live")
        stream.flush()

    text = (tmp_path / "journal").read_text()
    assert text.startswith("level=info event=live" if ours else "timestamp=20")
