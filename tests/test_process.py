"""The command as users call it."""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from films import make_film, numbers, pictures, stripes, times
from heic_files import heic
from test_picture import scene

from faceswapd.capture.picture import load
from faceswapd.capture.portrait import Portrait
from faceswapd.core.errors import UsageError
from faceswapd.daemon import places
from faceswapd.daemon.cli import main
from faceswapd.daemon.journal import parts_of
from faceswapd.daemon.process_options import add_process_options
from faceswapd.daemon.process_settings import max_bytes, parse_trim, process_settings
from faceswapd.processors.library import Library
from faceswapd.sinks.picture import save

Call = Callable[..., dict[str, Any]]
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str | Path, chain: str = "none", code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        chosen = ["--processors", chain] if chain else []
        assert main(["process", *map(str, words), *chosen, "--json"]) == code
        return dict(json.loads(capsys.readouterr().out)) if code == 0 or "failed" in words else {}

    return run


def test_the_numbers_that_programs_read(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 12, sound=True)
    result = call(source, "-o", tmp_path / "b.mp4", "--video-preset", "ultrafast")
    assert (result["frames_in"], result["frames_out"], result["dropped"]) == (12, 12, 0)
    assert result["encoder"] == result["files"][0]["encoder"] != ""
    assert result["audio"] == "copied"
    assert set(result["stages_ms"]) == {"decode", "convert", "swap", "encode"}
    assert result["seconds"] > 0
    assert result["fps"] > 0
    assert numbers(tmp_path / "b.mp4") == list(range(12))


def test_a_folder_of_films_and_pictures_and_one_that_fails(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    make_film(folder / "a.mp4", 4)
    make_film(folder / "deep" / "b.avi", 5, codec="mpeg4")
    (folder / "broken.mp4").write_bytes(b"no")
    for n in range(5):
        save(folder / f"é{n}.png", scene())
    assert main(["process", str(folder), "-o", str(tmp_path / "out"), "--processors", "none", "--json"]) == 65
    result = json.loads(capsys.readouterr().out)
    assert result["failed"] == 1
    assert {Path(f["output"]).name for f in result["files"] if f["error"] is None} == {
        "a.mp4", "b.mp4", *(f"é{n}.png" for n in range(5))
    }  # fmt: skip
    assert numbers(tmp_path / "out" / "deep" / "b.mp4") == list(range(5))
    assert not (tmp_path / "out" / "broken.mp4").exists()
    # A picture that nothing changed is the same file.
    assert (tmp_path / "out" / "é0.png").read_bytes() == (folder / "é0.png").read_bytes()


def test_a_quiet_run_says_which_files_failed_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = make_film(tmp_path / "a.mp4", 3)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no")
    words = [
        str(good),
        str(bad),
        str(tmp_path / "none.mp4"),
        "-o",
        str(tmp_path / "out"),
        "--processors",
        "none",
    ]
    assert main(["process", *words, "-q"]) == 65
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert [
        line.count(str(name)) for line, name in zip(lines, (bad, tmp_path / "none.mp4"), strict=True)
    ] == [1, 1]
    assert main(["process", *words, "--overwrite"]) == 65
    failed = [line for line in capsys.readouterr().out.splitlines() if "failed" in line]
    assert [line.count(str(bad)) for line in failed] == [1, 0]


def test_a_report_that_cannot_be_written_is_said_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_film(tmp_path / "a.mp4", 3)
    words = ["process", str(source), "-o", str(tmp_path / "out"), "--processors", "none", "--report"]
    assert main([*words, str(tmp_path / "none" / "r.html")]) == 66
    assert "r.html" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, str(tmp_path)]) == 66
    assert main([*words, str(tmp_path / "out" / "r.html")]) == 0
    assert (tmp_path / "out" / "r.html").exists()


def test_a_limit_on_memory_that_cannot_be_kept_is_said(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 3)
    result = call(source, "-o", tmp_path / "b.mp4", "--max-memory", "10M")
    assert re.fullmatch(r"--max-memory: needed \d+ MB, the limit is 10 MB", result["problems"][0])
    assert call(source, "-o", tmp_path / "c.mp4", "--max-memory", "64")["problems"] == []


def test_what_exists_is_safe(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 3)
    (tmp_path / "b.mp4").write_bytes(b"mine")
    call(source, "-o", tmp_path / "b.mp4", code=64)
    assert (tmp_path / "b.mp4").read_bytes() == b"mine"
    call(source, "-o", tmp_path / "b.mp4", "--overwrite")
    assert numbers(tmp_path / "b.mp4") == [0, 1, 2]


def test_other_tools_words(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 30)
    call("--target", source, "--output", tmp_path / "b.mp4", "--keep-fps", "--keep-audio", "--max-memory", "4",
         "--video-encoder", "libx264", "--video-quality", "50", "--execution-provider", "cpu",
         "--execution-threads", "1", "--keep-frames", tmp_path / "frames")  # fmt: skip
    assert len(list((tmp_path / "frames" / "a").iterdir())) == 30
    call(source, "-o", tmp_path / "c.mp4", "--map-faces", code=64)
    call("--processors", "none", source, "-o", tmp_path / "d.mp4", chain="")
    call(source, "-o", tmp_path / "e.mp4", "--frame-processor", "face_enhancer_9", chain="", code=64)
    call(source, "-o", tmp_path / "c.mp4", "--video-quality", "101", code=64)
    call(source, "-o", tmp_path / "c.mp4", "--max-memory", "lots", code=64)
    call(source, "-o", tmp_path / "c.mp4", "--fps", "0", code=64)
    call(source, code=64)


def settings_of(*words: str) -> dict[str, dict[str, Any]]:
    """{processor: its parameters} of the chain that an option line gives."""
    parser = argparse.ArgumentParser()
    add_process_options(parser)
    settings = process_settings(parser.parse_args(["a.mp4", *words]), Library(places.data_dir()))
    return {place.name: place.params for place in settings.processors}


def test_options_that_stand_for_parameters() -> None:
    assert settings_of("--many-faces") == settings_of()  # whoever is there is hidden anyway
    both = settings_of("--frame-processor", "face_swapper", "face_enhancer", "--many-faces", "--mouth-mask")
    assert both == {"mesh_swap": {"faces": "all", "keep_mouth": True}, "enhance": {}}
    assert settings_of("--processors", "neural_swap", "--mouth-mask") == {"neural_swap": {"keep_mouth": True}}
    with pytest.raises(UsageError, match="mouth-mask"):
        settings_of("--mouth-mask")
    for word in ("--map-faces", "--nsfw-filter"):
        with pytest.raises(UsageError, match=f"{word} does not exist here yet"):
            settings_of(word)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--execution-provider", "bogus"], "--execution-provider bogus: .*'bogus'"),
        (["--execution-threads", "-1"], "--execution-threads -1: give 1 to"),
        (["--execution-threads", "100000"], "--execution-threads 100000: give 1 to"),
        (["--fps", "30", "--keep-fps"], "contradict"),
        (["--no-audio", "--keep-audio"], "contradict"),
        (["--preview", "0"], "--preview 0"),
        (["--preview", "-1"], "--preview -1"),
    ],
)
def test_what_makes_no_sense_is_a_mistake_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    source = make_film(tmp_path / "a.mp4", 2)
    assert main(["process", str(source), "-o", str(tmp_path / "b.mp4"), "--processors", "none", *words]) == 64
    assert re.search(says, capsys.readouterr().err)
    assert not (tmp_path / "b.mp4").exists()


def test_a_part_up_to_a_time_is_written_as_the_help_says(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 60)
    call(source, "-o", tmp_path / "b.mp4", "--video-preset", "ultrafast", "--trim", "-0:01")
    assert numbers(tmp_path / "b.mp4") == list(range(len(numbers(tmp_path / "b.mp4"))))
    assert 0 < len(numbers(tmp_path / "b.mp4")) < 60


def test_what_decodes_and_how_many_at_once(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 12)
    short = ("--encoder", "libx264", "--quality", "30", "--video-preset", "ultrafast")
    result = call(source, "-o", tmp_path / "b.mp4", *short, "--hwaccel", "none", "--batch-size", "4")
    assert (result["decoder"], result["encoder"], result["files"][0]["batch"]) == ("h264", "libx264", 1)
    call(source, "-o", tmp_path / "c.mp4", "--hwaccel", "toaster", code=64)
    call(source, "-o", tmp_path / "c.mp4", "--batch-size", "0", code=64)
    call(
        source,
        "-o",
        tmp_path / "c.mp4",
        "--hwaccel",
        "videotoolbox",
        code=69 if sys.platform != "darwin" else 0,
    )


def test_a_dry_run_writes_nothing(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 7)
    result = call(source, "-o", tmp_path / "deep" / "b.mp4", "--dry-run")
    assert result["files"][0]["frames_expected"] == 7
    assert result["files"][0]["size"] == [64, 48]
    assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == ["a.mp4"]


def test_a_sheet_of_before_and_after(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 20, (160, 120))
    call(source, "-o", tmp_path / "b.mp4", "--preview", "3")
    assert (tmp_path / "b.mp4.preview.png").stat().st_size > 1000


def test_frames_of_films_with_one_name_are_kept_apart(call: Call, tmp_path: Path) -> None:
    one, other = make_film(tmp_path / "a.mp4", 3), make_film(tmp_path / "a.mkv", 4)
    call(one, other, "-o", tmp_path / "out", "--keep-frames", tmp_path / "keep")
    assert {p.name: len(list(p.iterdir())) for p in (tmp_path / "keep").iterdir()} == {"a": 3, "a-2": 4}


def test_a_sheet_that_cannot_be_written_does_not_end_the_run(call: Call, tmp_path: Path) -> None:
    films = [make_film(tmp_path / name, 3) for name in ("a.mp4", "b.mp4")]
    (tmp_path / "out" / "a.mp4.preview.png").mkdir(parents=True)
    result = call(*films, "-o", tmp_path / "out", "--preview", "1")
    assert [bool(f["notes"]) for f in result["files"]] == [True, False]
    assert (tmp_path / "out" / "b.mp4.preview.png").is_file()


@pytest.mark.parametrize("kind", ["toml", "json"])
def test_a_file_of_jobs_is_one_run(call: Call, tmp_path: Path, kind: str) -> None:
    source = make_film(tmp_path / "a.mp4", 30)
    jobs: list[dict[str, Any]] = [
        {"input": str(source), "output": str(tmp_path / "b.mp4"), "trim": "-0:00.5"},
        {"input": [str(source)], "output": str(tmp_path / "c.mkv"), "fps": 10, "video_preset": "ultrafast"},
    ]
    file = tmp_path / f"jobs.{kind}"
    if kind == "json":
        file.write_text(json.dumps(jobs))
    else:
        tables = ["[[job]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in job.items()) for job in jobs]
        file.write_text("\n".join(tables))
    result = call("--jobs", file)
    assert [f["frames_out"] for f in result["files"]] == [15, 10]
    assert result["frames_out"] == 25
    file.write_text("[[job]]\nnonsense = 1\n" if kind == "toml" else '[{"nonsense": 1}]')
    call("--jobs", file, code=64)
    call("--jobs", tmp_path / "none.toml", code=66)


def test_a_job_never_overwrites_what_an_earlier_one_made(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "jobs.json", tmp_path / "out.mp4"
    sources = [make_film(tmp_path / f"{n}.mp4", n) for n in (4, 7)]
    file.write_text(json.dumps([{"input": str(source), "output": str(out)} for source in sources]))
    call("--jobs", file, "--overwrite", "-q", code=64)
    assert "is what an earlier job makes" in capsys.readouterr().err
    assert len(times(out)) == 4


@pytest.mark.parametrize("given", [(), ("-t",)])
def test_inputs_beside_a_file_of_jobs_are_for_those_that_name_none(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    usual, own = make_film(tmp_path / "usual.mp4", 4), make_film(tmp_path / "-own.mp4", 7)
    file = tmp_path / "jobs.json"
    jobs = [{"output": "one.mp4"}, {"input": own.name, "output": "two.mp4"}]
    jobs.append({"target": str(own), "output": "three.mp4"})
    file.write_text(json.dumps(jobs))
    result = call(*given, usual, "--jobs", file)
    assert [f["frames_out"] for f in result["files"]] == [4, 7, 7]
    file.write_text(json.dumps(jobs[1:]))
    call(*given, usual, "--jobs", file, "--overwrite", code=64)
    assert "every job names its own input" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_names_are_printed_as_they_are_and_any_bytes_may_be_in_them(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd, out = os.fsdecode(b"a\xff[x]:smile:.mp4"), tmp_path / "out"
    make_film(tmp_path / "in.mp4", 3).rename(tmp_path / odd)
    result = call(tmp_path / odd, "-o", out)
    assert (out / odd).exists()
    assert result["files"][0]["output"].endswith("a\\udcff[x]:smile:.mp4")
    assert main(["process", str(tmp_path / odd), "-o", str(out), "--overwrite", "--processors", "none"]) == 0
    assert "a\\udcff[x]:smile:.mp4" in capsys.readouterr().out


def test_a_finished_film_is_left_alone_by_resume(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 3)
    call(source, "-o", tmp_path / "b.mp4")
    before = (tmp_path / "b.mp4").stat().st_mtime_ns
    result = call(source, "-o", tmp_path / "b.mp4", "--resume")
    assert (tmp_path / "b.mp4").stat().st_mtime_ns == before
    assert "already" in result["files"][0]["notes"][0]


def test_a_later_film_of_that_name_is_not_taken_for_the_finished_one(call: Call, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    make_film(folder / "a.avi", 4, codec="mpeg4")
    save(folder / "p.png", stripes(1))
    call(folder, "-o", out)
    made = (out / "a.mp4").read_bytes()
    make_film(folder / "a.mp4", 7)
    call(folder, "-o", out, "--resume", code=64)
    assert (out / "a.mp4").read_bytes() == made
    assert len(times(out / "a.avi.mp4")) == 4
    call(folder, "-o", out, "--overwrite")
    assert len(times(out / "a.mp4")) == 7


def test_a_finished_file_of_other_options_is_not_taken_for_this_one(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    make_film(folder / "a.mp4", 4)
    save(folder / "p.jpg", stripes(1))
    call(folder, "-o", out)
    words = ["process", str(folder), "-o", str(out), "--resume", "-q"]
    assert main(words) == 64  # faces were not to be hidden then
    assert capsys.readouterr().err.count("exists, made with other options") == 2
    assert main([*words, "--processors", "none", "--hwaccel", "none", "--batch-size", "2"]) == 0
    assert main([*words, "--processors", "none", "--video-quality", "80"]) == 64
    (out / "a.mp4").write_bytes((out / "a.mp4").read_bytes())  # it may be anybody's now
    result = call(folder, "-o", out, "--resume")
    assert [file["notes"] for file in result["files"]] == [
        ["was there already; by its name alone, for nothing says what it was made from"],
        ["was there already"],
    ]


def test_another_photo_of_that_name_is_another_face(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, target = tmp_path / "me.png", tmp_path / "b.png"
    astronaut = load(ROOT / "tests" / "assets" / "astronaut.png").pixels
    save(photo, astronaut)
    source = tmp_path / "a.png"
    save(source, astronaut[:400])
    words = [source, "-o", target, "--face", photo, "--consent", "self", "--resume"]
    call(*words, chain="")
    assert "already" in call(*words, chain="")["files"][0]["notes"][0]
    save(photo, np.ascontiguousarray(astronaut[:, ::-1]))
    call(*words, chain="", code=64)
    assert "made with other options" in capsys.readouterr().err


def test_what_a_killed_run_left_beside_a_whole_film_is_swept_away(call: Call, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 3)
    call(source, "-o", tmp_path / "b.mp4")
    parts = parts_of(tmp_path / "b.mp4")
    parts.mkdir()
    (parts / "00000.mp4").write_bytes(b"a segment")
    call(source, "-o", tmp_path / "b.mp4", "--resume", "--dry-run")
    assert parts.is_dir()
    call(source, "-o", tmp_path / "b.mp4", "--resume")
    assert not parts.exists()


def test_faces_are_hidden_in_films_and_pictures(call: Call, tmp_path: Path) -> None:
    source = Portrait((320, 240), 30.0)
    source.open()
    shots = [source.read().pixels for _ in range(6)]
    film = make_film(tmp_path / "a.mp4", 6, (320, 240), pictures=iter(shots), options={"crf": "10"})
    save(tmp_path / "p.png", shots[0])
    result = call(film, tmp_path / "p.png", "-o", tmp_path / "out", chain="anonymize")
    assert [f["faces"] for f in result["files"]] == [6, 1]
    assert result["engine"]
    before = np.asarray(shots[0], np.int16)
    for after in (pictures(tmp_path / "out" / "a.mp4")[0], pictures(tmp_path / "out" / "p.png")[0]):
        changed = np.abs(np.asarray(after, np.int16) - before).max(axis=2)
        assert changed.max() > 60  # the face
        assert np.median(changed) < 12  # all the rest


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00:10-00:20", (10, 20)), ("1:02:03.5-", (3723.5, None)), ("-5", (None, 5)), ("0-1:00", (0, 60))],
)
def test_trims(text: str, expected: tuple[float | None, float | None]) -> None:
    assert parse_trim(text) == expected


@pytest.mark.parametrize("text", ["", "-", "10", "20-10", "a-b", "1:2:3:4-", "5-5", "nan-3", "1-inf"])
def test_trims_that_mean_nothing(text: str) -> None:
    with pytest.raises(Exception, match="--trim"):
        parse_trim(text)


def test_a_bare_number_of_memory_is_gigabytes() -> None:
    assert max_bytes("4") == 4 << 30
    assert max_bytes("1.5") == 3 << 29
    assert max_bytes("700M") == 700 << 20
    assert max_bytes(None) is None
    for text in ("0", "0M", "-1", "nan", "much"):
        with pytest.raises(UsageError, match="1500M"):
            max_bytes(text)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_film(tmp_path: Path) -> None:
    def scenes() -> Iterator[Any]:
        for n in range(1500):
            yield np.roll(np.kron(stripes(n), np.ones((5, 5, 1), np.uint8)), n, axis=0)

    source = make_film(tmp_path / "a.mp4", 1500, (320, 240), pictures=scenes(), gop=30, sound=True)
    words = [sys.executable, str(ROOT / "faceswapd.py"), "process", str(source), "--processors", "none", "-q"]
    subprocess.run([*words, "-o", str(tmp_path / "whole.mp4")], check=True)
    dice, kills = random.Random(7), 0
    for _ in range(60):
        job = subprocess.Popen([*words, "-o", str(tmp_path / "b.mp4"), "--resume"])
        try:
            job.wait(dice.uniform(0.3, 4.0))
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            job.wait()
            kills += 1
            whole = (tmp_path / "whole.mp4").read_bytes()  # it may be killed when all is done
            assert not (tmp_path / "b.mp4").exists() or (tmp_path / "b.mp4").read_bytes() == whole
            continue
        break
    assert job.returncode == 0
    assert kills > 0
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert times(tmp_path / "b.mp4") == times(source)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_limit_on_memory_holds_at_4k(tmp_path: Path) -> None:
    def noise() -> Iterator[Any]:
        one = np.random.default_rng(0).integers(0, 255, (2160, 3840, 3), np.uint8)
        for n in range(48):
            yield np.roll(one, 16 * n, axis=1)

    source = make_film(
        tmp_path / "a.mp4", 48, (3840, 2160), pictures=noise(), options={"preset": "ultrafast"}
    )
    words = [
        sys.executable,
        str(ROOT / "faceswapd.py"),
        "process",
        str(source),
        "-o",
        str(tmp_path / "b.mp4"),
    ]
    job = subprocess.Popen([*words, "--max-memory", "1.5", "-q"])
    peak_kb = 0
    while job.poll() is None:
        try:
            status = Path(f"/proc/{job.pid}/status").read_text()
        except OSError:
            break
        peaks = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        peak_kb = max([peak_kb, *peaks])
        time.sleep(0.05)
    assert job.wait() == 0
    assert 0 < peak_kb * 1024 < 1.5 * (1 << 30)
    assert len(times(tmp_path / "b.mp4")) == 48


def test_a_damaged_picture_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.png", scene(200, 300))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    before = cv2.utils.logging.getLogLevel()
    try:
        words = ["process", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--processors", "none"]
        assert main(words) == 65
        assert capfd.readouterr().err == f"faceswapd: picture {tmp_path / 'a.png'} is damaged: get it anew\n"
    finally:
        cv2.utils.logging.setLogLevel(before)


def test_a_phone_s_pictures_become_jpegs(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "IMG_1.HEIC").write_bytes(heic(scene(60, 90), turns=1))
    result = call(tmp_path / "in", "-o", tmp_path / "out")
    assert [Path(file["output"]).name for file in result["files"]] == ["IMG_1.jpg"]
    assert load(tmp_path / "out" / "IMG_1.jpg").pixels.shape == (90, 60, 3)


def test_ctrl_c_while_models_are_loaded_is_not_swallowed_by_what_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = list[str]()

    def swallowing(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            heard.append("swallowed")

    monkeypatch.setattr("faceswapd.daemon.process.check_chain", swallowing)
    source = make_film(tmp_path / "a.mp4", 5)
    words = ["process", str(source), "-o", str(tmp_path / "b.mp4"), "--processors", "none"]
    assert (main(words), heard) == (130, [])
    assert not (tmp_path / "b.mp4").exists()
