import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import FakeSink, FakeSource, picture

from faceswapd.capture.devices import Device
from faceswapd.core.abilities import (
    CameraChoice,
    FaceKeeping,
    OutputListing,
    PresetKeeping,
    Recording,
    Viewing,
)
from faceswapd.core.errors import BadInputError, BusyError, NoDeviceError, UsageError
from faceswapd.core.events import FacesChanged, SetFace
from faceswapd.core.settings import ControlSettings, ProcessorSettings, Settings
from faceswapd.daemon.app import App
from faceswapd.daemon.desk import Desk
from faceswapd.daemon.places import Places
from faceswapd.processors.library import Library

ASSETS = Path(__file__).parent / "assets"
SIZE = (64, 48)
SETTINGS = Settings(
    size=SIZE,
    fps=50.0,
    processors=(ProcessorSettings("mesh_swap", False),),
    control=ControlSettings(enabled=False),
)
PILOT = (ASSETS / "astronaut.png").read_bytes()


def beside(folder: Path, test: Callable[[Desk], Awaitable[None]], sink: FakeSink | None = None) -> None:
    """Runs a daemon on an endless source and the test beside it."""

    async def main() -> None:
        source = FakeSource([picture(*SIZE, 1)] * 100_000, fps=50.0)
        app = App(SETTINGS, source, [sink or FakeSink()], Library(folder), "0", Places.within(folder))
        ready: asyncio.Future[Desk] = asyncio.get_running_loop().create_future()

        def on_ready(board: object) -> None:
            assert isinstance(board, Desk)
            ready.set_result(board)

        app.on_ready = on_ready
        running = asyncio.create_task(app.run())
        try:
            running.add_done_callback(lambda _: ready.done() or ready.cancel())
            await test(await ready)
        finally:
            app.stop.set()
            await running

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_face_that_a_client_brings_can_be_worn_seen_and_removed(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        told: list[object] = []
        desk.tell = told.append
        info = await desk.add_face("pilot", PILOT, "public-domain")
        small = cv2.imdecode(np.frombuffer(await desk.face_picture("pilot"), np.uint8), cv2.IMREAD_COLOR)
        state = await desk.execute((SetFace("pilot"),))
        with pytest.raises(UsageError, match="is worn"):
            await desk.remove_face("pilot")
        await desk.execute((SetFace("mask"),))
        await desk.remove_face("pilot")

        assert (info.name, info.consent, state.face) == ("pilot", "public-domain", "pilot")
        assert small is not None
        assert max(small.shape) == 192
        assert [len(e.faces) for e in told if isinstance(e, FacesChanged)] == [2, 1]

    beside(tmp_path, test)


def test_a_picture_without_a_face_is_not_kept(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        blank = bytes(cv2.imencode(".png", picture(200, 200, 90))[1])
        with pytest.raises(BadInputError, match="no face"):
            await desk.add_face("blank", blank, "self")

        assert [f.name for f in desk.faces()] == ["mask"]

    beside(tmp_path, test)


def test_the_mask_has_a_picture_too(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        assert (await desk.face_picture("mask"))[:2] == b"\xff\xd8"

    beside(tmp_path, test)


def test_presets_are_saved_from_what_is_set(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        await desk.save_preset("now")

        assert [(p.name, p.face) for p in desk.presets()] == [("now", "mask")]

    beside(tmp_path, test)


def test_another_camera_takes_over_while_frames_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(name="Other", path="/dev/video7", driver="fake")
    other = FakeSource([picture(*SIZE, 9)] * 100_000, fps=50.0)
    other.name = "Other"
    monkeypatch.setattr("faceswapd.daemon.desk.find_camera", lambda name: device if name == "Other" else None)
    monkeypatch.setattr("faceswapd.daemon.desk.cameras", lambda: (device,))
    sink = FakeSink()

    async def test(desk: Desk) -> None:
        monkeypatch.setattr(desk, "_make_camera", lambda path: other)
        state = await desk.select_camera("Other")
        while not any(int(f.pixels[0, 0, 0]) == 9 for f in sink.frames):  # noqa: ASYNC110 - a thread's list
            await asyncio.sleep(0.01)
        again = await desk.select_camera("Other")

        assert (state.source, again.rev, [c.selected for c in await desk.cameras()]) == (
            "Other",
            state.rev,
            [True],
        )
        with pytest.raises(NoDeviceError, match="nobody"):
            await desk.select_camera("nobody")

    beside(tmp_path, test, sink)
    values = [int(f.pixels[0, 0, 0]) for f in sink.frames if f.seq >= 0]

    assert values[0] == 1
    assert values[-1] == 9
    assert values == sorted(values), "no frame of the old source came after one of the new"
    assert other.log == ["open", "close"]


def test_a_camera_that_does_not_open_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(FakeSource):
        def open(self) -> None:
            raise BusyError("/dev/video7 is used by another program")

    device = Device(name="Other", path="/dev/video7", driver="fake")
    monkeypatch.setattr("faceswapd.daemon.desk.find_camera", lambda _: device)

    async def test(desk: Desk) -> None:
        monkeypatch.setattr(desk, "_make_camera", lambda path: Busy([]))
        with pytest.raises(BusyError):
            await desk.select_camera("Other")
        frames = desk.stats().frames
        while desk.stats().frames <= frames:  # noqa: ASYNC110 - the old one goes on, or the test's time runs out
            await asyncio.sleep(0.01)

        assert desk.state().source == "fake"

    beside(tmp_path, test)


def test_all_abilities_are_found(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        for ability in (Viewing, FaceKeeping, PresetKeeping, CameraChoice, OutputListing, Recording):
            assert isinstance(desk, ability), ability

    beside(tmp_path, test)
