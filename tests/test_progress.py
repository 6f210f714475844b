"""Progress with and without a terminal."""

import io

import pytest
from rich.console import Console

from faceswapd.daemon import progress
from faceswapd.daemon.progress import Bar, memory_mb, peak_mb


def test_lines_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    out = io.StringIO()
    with Bar(Console(file=out, width=200)) as bar:
        bar.begin("a.mp4", 100, 40)
        bar.at(50, 100, "encode")
    assert "a.mp4: 50/100 (50%) frames" in out.getvalue()
    assert "limit: encode" in out.getvalue()


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb one has no bar
    out = io.StringIO()
    with Bar(Console(file=out, force_terminal=True, width=200)) as bar:
        bar.begin("a.mp4", 10)
        for n in range(10):
            bar.at(n + 1, 10, "swap")
        bar.begin("b.mp4", None)
        bar.at(1, None, "decode")
    assert "a.mp4" in out.getvalue()


def test_quiet_says_nothing() -> None:
    out = io.StringIO()
    with Bar(Console(file=out), quiet=True) as bar:
        bar.begin("a.mp4", 10)
        bar.at(10, 10, "swap")
    assert out.getvalue() == ""


def test_memory_is_that_of_this_process() -> None:
    assert 10 < memory_mb() <= peak_mb() * 1.1
