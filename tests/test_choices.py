import json
import sys
import threading
from errno import ENOSPC
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from faceswapd.inference import choices
from faceswapd.inference.choices import Choice, Choices, Timed, key
from faceswapd.inference.locks import alone
from faceswapd.inference.providers import PROVIDERS, Plan

FAST, SLOW = Choice("openvino", "cpu", "bf16"), Choice("onnxruntime", "cpu", "fp32")
TIMED = Timed("mesh478", FAST, {str(FAST): 1.3, str(SLOW): 3.5})
PLAN = Plan(PROVIDERS["cpu"], 2, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "engines.json"


def test_what_is_remembered_is_recalled_by_the_next_run(path: Path) -> None:
    Choices(path).remember("k", TIMED)

    assert Choices(path).recall("k") == TIMED
    assert Choices(path).recall("other") is None
    assert [p.name for p in path.parent.iterdir()] == ["engines.json"], "nothing half-written is left"


def test_models_do_not_overwrite_each_other(path: Path) -> None:
    kept = Choices(path)
    for n in range(3):
        kept.remember(str(n), Timed(str(n), SLOW, {}))

    assert [t.model for n in range(3) if (t := kept.recall(str(n)))] == ["0", "1", "2"]


def test_the_file_does_not_grow_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "_KEPT", 3)
    for n in range(5):
        Choices(path).remember(str(n), TIMED)

    assert list(json.loads(path.read_text())) == ["2", "3", "4"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"k": {"model": "m"}}', '{"k": {"choice": {"engine": "magic"}}}']
)
def test_a_broken_file_is_as_good_as_none_and_is_replaced(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    (path.parent / ".engines-left").write_text("half")  # by a process that was ended

    kept = Choices(path)
    with capture_logs() as logs:
        assert (kept.recall("k"), kept.recall("other")) == (None, None)
        kept.remember("k", TIMED)
    assert [line["event"] for line in logs] == ["engine.choices_unreadable"]
    assert Choices(path).recall("k") == TIMED
    if sys.platform != "win32":
        assert [p.name for p in path.parent.iterdir()] == ["engines.json"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Choices(tmp_path / "file" / "engines.json").remember("k", TIMED)

    assert (tmp_path / "file").read_text() == ""


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: Path, _to: Path) -> Path:
        raise OSError(ENOSPC, "No space left on device")

    kept = Choices(path)
    kept.remember("k", TIMED)
    monkeypatch.setattr(Path, "replace", full)
    with capture_logs() as logs:
        kept.remember("other", TIMED)

    assert [(line["event"], line["reason"]) for line in logs] == [
        ("engine.choice_not_kept", "[Errno 28] No space left on device")
    ]
    assert [p.name for p in path.parent.iterdir()] == ["engines.json"]
    assert (kept.recall("k"), kept.recall("other")) == (TIMED, None)


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_nobody_else_writes_between_reading_and_writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, read, replace, free = Choices(path), Choices(path)._read, Path.replace, []

    def look() -> None:
        with alone(path.parent) as nobody_else:
            free.append(nobody_else)

    def reading() -> dict[str, Timed]:
        look()
        return read()

    def replacing(file: Path, to: Path) -> Path:
        look()
        return replace(file, to)

    monkeypatch.setattr(kept, "_read", reading)
    monkeypatch.setattr(Path, "replace", replacing)
    kept.remember("k", TIMED)
    look()

    assert free == [False, False, True]
    assert read() == {"k": TIMED}


def test_readers_never_see_half_a_file(path: Path) -> None:
    kept, stop, seen = Choices(path), threading.Event(), []
    kept.remember("k", TIMED)

    def read() -> None:
        while not stop.is_set():
            seen.append(Choices(path).recall("k"))
            begun.set()

    begun, thread = threading.Event(), threading.Thread(target=read)
    thread.start()
    assert begun.wait(20)
    for _ in range(50):
        kept.remember("k", TIMED)
    stop.set()
    thread.join()

    assert seen
    assert all(timed == TIMED for timed in seen)


def test_whatever_decides_the_speed_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        key("a" * 64, PLAN, [FAST, SLOW]),
        key("b" * 64, PLAN, [FAST, SLOW]),
        key("a" * 64, PLAN, [SLOW]),
        key("a" * 64, Plan(PROVIDERS["cpu"], 1, 2), [FAST, SLOW]),
        key("a" * 64, Plan(PROVIDERS["cuda"], 2, 1), [FAST, SLOW]),
    ]
    monkeypatch.setattr(choices, "installed_runtimes", lambda: {"onnxruntime": "9.9"})
    keys.append(key("a" * 64, PLAN, [FAST, SLOW]))
    monkeypatch.setattr(choices, "_processor", lambda: ("x86_64", "Other", "avx2", 2))
    keys.append(key("a" * 64, PLAN, [FAST, SLOW]))
    monkeypatch.setattr(choices, "_version", lambda distribution: f"9.9 of {distribution}")
    keys.append(key("a" * 64, PLAN, [FAST, SLOW]))

    assert len(set(keys)) == len(keys)
    assert key("a" * 64, PLAN, [FAST, SLOW]) == keys[-1], "and nothing else does"
