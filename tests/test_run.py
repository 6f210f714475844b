"""A daemon that is told to end."""

import signal
from pathlib import Path

import pytest
from fakes import FakeSink
from test_app import app, film

from faceswapd.daemon import run
from faceswapd.daemon.cli import main
from faceswapd.daemon.interruption import ENDS


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_ends_a_run_in_its_order(number: signal.Signals, tmp_path: Path) -> None:
    usual = [signal.getsignal(end) for end in ENDS]
    source, sink = film(100_000), FakeSink()
    daemon = app(tmp_path, source, sink)
    daemon.on_ready = lambda _: signal.raise_signal(number)
    ending = run.serve(daemon)

    assert (source.log, sink.log) == (["open", "close"], ["open", "close"])
    assert ending.state.phase == "stopping"
    assert [signal.getsignal(end) for end in ENDS] == usual


def test_one_that_comes_while_all_is_read_is_obeyed_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not at once: foreign code may swallow the exception, and the daemon would run on."""
    read = list[str]()

    def swallowing(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            read.append("chain")
        except KeyboardInterrupt:
            read.append("swallowed")

    monkeypatch.setattr(run, "check_chain", swallowing)
    monkeypatch.setattr(run, "check_models", lambda *_: read.append("models"))
    monkeypatch.setattr(run, "serve", lambda _: read.append("served"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    assert main(["run", "--source", "pattern:", "--output", "none", "--no-control"]) == 130
    assert read == ["chain", "models"]
