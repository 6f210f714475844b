import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from films import make_film

import faceswapd
from faceswapd.control import addresses
from faceswapd.daemon.cli import main

ASSETS = Path(__file__).parent / "assets"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes what belongs to the user."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        (tmp_path / name).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("FACESWAPD_SOURCE", "FACESWAPD_OUTPUT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test meets a daemon that somebody runs on this machine."""
    with socket.socket() as deaf:  # it never listens
        deaf.bind(("127.0.0.1", 0))
        monkeypatch.setattr(addresses, "DEFAULT_PORT", deaf.getsockname()[1])
        yield


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(words)
    text = capsys.readouterr().err.strip().splitlines()
    return code, text[-1] if text else ""


NONE = ("--source", "pattern:", "--output", "none", "--no-control", "--for", "0.2")


@pytest.mark.parametrize(
    ("code", "names", "words"),
    [
        (64, "frob", ["frob"]),
        (64, "--frob: see `faceswapd run --help`", ["run", "--frob"]),
        (64, "--frob b.jpg: see `faceswapd process --help`", ["process", "--frob", "a.jpg", "-q", "b.jpg"]),
        (64, "--frob: see `faceswapd face add --help`", ["face", "add", "a.jpg", "--name", "a", "--frob"]),
        (64, "1280by720", ["run", "--size", "1280by720"]),
        (64, "unknown processor 'blur': known are mesh_swap, neural_swap, ", ["run", *NONE, "--processors", "blur"]),
        (64, "one of blur, pixelate, fill, mesh", ["run", *NONE, "--set", "anonymize.mode=x"]),
        (64, "view is not in the chain", ["run", *NONE, "--set", "view.mirror=true"]),
        (64, "say --consent self|permission", ["run", *NONE, "--face", str(ASSETS / "astronaut.png")]),
        (64, "nobody", ["run", *NONE, "--face", "nobody"]),
        (64, "--consent without --face", ["run", *NONE, "--consent", "self"]),
        (64, "self|permission|public-domain|synthetic",
            ["face", "add", str(ASSETS / "astronaut.png"), "--name", "x"]),
        (64, "nobody", ["face", "remove", "nobody"]),
        (64, "say none", ["run", *NONE, "--processors", ""]),
        (64, "--for: ", ["run", "--source", "pattern:", "--output", "none", "--for", "0"]),
        (64, "--segment: 'zz' is no duration", ["run", *NONE, "--segment", "zz"]),
        (64, "--execution-provider bogus", ["run", *NONE, "--execution-provider", "bogus"]),
        (64, "port", ["run", *NONE, "--port", "99999"]),
        (64, "--for nan", ["demo", "--for", "nan", "--save", "x.mp4"]),
        (64, "add mesh_swap", ["run", *NONE, "--processors", "none", "--face", "mask"]),
        (64, "--face without", ["run", *NONE, "--face", ""]),
        (64, "no input", ["process", "-o", "x.jpg"]),
        (64, "named twice", ["run", "--source", "pattern:", "--output", "a.mp4", "--output", "a.mp4"]),
        (64, "is a folder", ["run", "--source", "pattern:", "--output", "/tmp"]),
        (64, "known: anonymize", ["bench", "--only", "nothing"]),
        (65, "is no picture", ["face", "add", __file__, "--name", "x", "--consent", "self"]),
        (65, "is no film", ["run", "--source", __file__, "--output", "none", "--no-control"]),
        (66, "no such file", ["run", "--source", "nowhere.mp4", "--output", "none"]),
        (66, "nowhere.jpg", ["run", *NONE, "--face", "nowhere.jpg", "--consent", "self"]),
        (66, "/nowhere", ["run", "--source", "pattern:", "--output", "/nowhere/x.mp4"]),
        (69, "/dev/video99", ["run", "--source", "/dev/video99", "--output", "none"]),
        (69, "modprobe v4l2loopback", ["run", "--source", "pattern:", "--output", "/dev/video99"]),
        (69, "webcam of dreams", ["run", "--source", "webcam of dreams", "--output", "none"]),
        (69, "faceswapd run", ["ctl", "status"]),
        (64, "known are mesh_swap", ["processors", "vieuw"]),
        (64, "on|off|toggle", ["ctl", "privacy"]),
        (66, "nowhere.toml", ["run", "--config", "nowhere.toml"]),
        (78, "cuda", ["run", *NONE, "--execution-provider", "cuda"]),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], code: int, names: str, words: list[str]
) -> None:
    got, text = refused(capsys, *words)

    assert (got, text.startswith("faceswapd: "), names in text) == (code, True, True), text


def test_without_any_virtual_camera_the_daemon_ends_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswapd.daemon.outputs.first_virtual_camera", lambda: None)
    code, text = refused(capsys, "run", "--source", "pattern:")

    assert code == 69
    assert "modprobe" in text
    assert "none" in text


def test_processors_are_listed_with_defaults_and_ranges(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["processors", "view"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("view")
    assert "How many times larger. (1 to 8)" in out
    assert "0 degrees" in out
    assert main(["processors", "--json"]) == 0
    assert {"mesh_swap", "anonymize"} <= {p["name"] for p in json.loads(capsys.readouterr().out)}


def test_a_run_that_nobody_set_a_time_says_what_it_was_when_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_film(tmp_path / "a.mkv", 5)
    code, text = refused(
        capsys,
        "run",
        "--source",
        str(tmp_path / "a.mkv"),
        "--output",
        "none",
        "--processors",
        "none",
        "--no-control",
    )

    assert code == 0
    assert re.search(r"event=ended frames=\d+ dropped=\d+ saved=\[\]$", text)


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    async def main_while_taken() -> tuple[int, str]:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        words = ["run", "--source", "pattern:", "--output", "none", "--port", str(port), "--for", "0.2"]
        try:
            return await asyncio.to_thread(refused, capsys, *words)
        finally:
            server.close()

    code, text = asyncio.run(main_while_taken())

    assert code == 75
    assert "--port" in text


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("faceswapd.daemon.cli._devices", lambda _: broken)
    with pytest.raises(ZeroDivisionError):
        main(["devices"])


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"faceswapd {faceswapd.__version__}\n"


def test_the_demo_does_the_main_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    film = tmp_path / "demo.mp4"
    assert main(["demo", "--for", "2", "--save", str(film), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)

    assert set(values) >= {
        "frames", "fps", "latency_ms", "stages_ms", "dropped", "face_share", "engine", "output", "saved",
    }  # fmt: skip
    assert values["face_share"] > 0.99
    assert values["engine"]["mesh478"]
    with av.open(film) as container:
        frames = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    assert len(frames) > 10
    assert frames[0].shape == (720, 1280, 3)


def test_passthrough_is_explicit_and_ends_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *NONE, "--processors", "none", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)

    assert values["frames"] > 0
    assert (values["face_frames"], "track" in values["stages_ms"]) == (0, False)


def test_devices_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {
        "cameras", "virtual_cameras", "monitors", "windows",
    }  # fmt: skip


def test_doctor_names_every_model_and_its_engine(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    found = {f["name"]: f for f in json.loads(capsys.readouterr().out)}

    assert code == 0
    assert found["model mesh478"]["level"] == "ok"
    assert found["ONNX Runtime"]["text"]


def test_two_runtimes_in_one_environment_are_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"onnxruntime": "1.2", "onnxruntime-gpu": "1.2"}
    monkeypatch.setattr("faceswapd.inference.providers.installed_runtimes", lambda: both)
    code = main(["doctor", "--json"])
    found = {f["name"]: f for f in json.loads(capsys.readouterr().out)}

    assert code == 78
    assert "onnxruntime-gpu" in found["runtimes"]["text"]


def test_faces_are_added_listed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(ASSETS / "astronaut.png")
    assert main(["face", "add", photo, "--name", "pilot", "--consent", "public-domain"]) == 0
    capsys.readouterr()
    assert main(["face", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(f["name"], f["consent"]) for f in listed] == [("mask", "synthetic"), ("pilot", "public-domain")]
    assert main(["face", "remove", "pilot"]) == 0
