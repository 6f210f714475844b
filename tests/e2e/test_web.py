"""The web remote in a real browser: with the real daemon behind it, and with a daemon that can do everything."""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from chromium import Tab, opened
from control_fakes import AbleCommands, serving

from faceswapd.control.client import Client, connect
from faceswapd.control.replies import EventParams
from faceswapd.core.abilities import CameraInfo
from faceswapd.core.errors import BusyError
from faceswapd.core.events import State

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed"),
]

ROOT = Path(__file__).parent.parent.parent
READY = "document.getElementById('remote')?.hidden === false"


def within(test: Coroutine[Any, Any, None], seconds: float = 60) -> None:
    asyncio.run(asyncio.wait_for(test, seconds))


def test_every_control_does_what_it_says(tmp_path: Path) -> None:
    async def test() -> None:
        commands = AbleCommands()
        async with serving(tmp_path, commands) as (server, _), opened(server.pairing_url()) as tab:
            await tab.resize(1280, 900)
            await tab.until(READY)
            assert await tab.run("location.hash") == ""
            await tab.until("document.getElementById('preview').dataset.seq === '7'")

            await tab.run("document.getElementById('privacy').click()")
            await tab.until("document.getElementById('privacy').getAttribute('aria-pressed') === 'true'")
            assert commands.now.privacy
            await tab.press("f")
            await tab.until("document.getElementById('freeze').getAttribute('aria-pressed') === 'true'")
            assert commands.now.frozen

            await tab.press("2")
            await tab.until("document.getElementById('processor-mesh_swap').checked")
            assert commands.now.processors[1].enabled
            await tab.run("document.getElementById('processor-anonymize').click()")
            await tab.until("document.querySelector('#processor-anonymize').closest('.processor')"
                            ".querySelector('.params').hidden")  # fmt: skip
            assert not commands.now.processors[0].enabled

            await tab.press("2")  # nothing else hides a face: once is a slip
            await tab.until("document.getElementById('refusal').textContent.includes('2 again')")
            assert commands.now.processors[1].enabled
            await tab.press("2")
            await tab.until("!document.getElementById('processor-mesh_swap').checked")
            assert not commands.now.processors[1].enabled
            await tab.press("2")
            await tab.until("document.getElementById('processor-mesh_swap').checked")

            await slide(tab, "param-mesh_swap-opacity", 0.25)
            await eventually(lambda: commands.now.processors[1].params["opacity"] == 0.25)

            await tab.until("!!document.querySelector('#presets button')")
            await tab.run("document.querySelector('#presets button').click()")
            await eventually(lambda: commands.now.on_no_face == "freeze")
            assert tab.complaints == []

            await tab.run(
                "window.before = true; setTimeout(() => location.reload())"
            )  # paired: the browser comes back by itself
            await tab.until(f"!window.before && {READY}")
            await tab.until("document.getElementById('processor-mesh_swap')?.checked")

    within(test())


def test_a_face_with_the_question_of_consent(tmp_path: Path) -> None:
    async def test() -> None:
        commands = AbleCommands()
        picture = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8))[
            1
        ].tobytes()
        async with serving(tmp_path, commands) as (server, _), opened(server.pairing_url()) as tab:
            await tab.until(READY)
            await tab.run("document.getElementById('add-face').click()")
            await tab.run(
                f"""(() => {{ const files = new DataTransfer();
                files.items.add(new File([new Uint8Array({list(picture)})], "somebody.jpg", {{type: "image/jpeg"}}));
                const input = document.getElementById('face-file');
                input.files = files.files; input.dispatchEvent(new Event('change')); }})()"""
            )
            assert await tab.run("document.getElementById('face-name').value") == "somebody"
            await tab.run("document.querySelector('#face-form [type=submit]').click()")
            assert await tab.run("document.getElementById('face-dialog').open")  # no basis, no face
            assert commands.pictures == {}
            await tab.run("document.querySelector('[value=permission]').click()")
            await tab.run("document.querySelector('#face-form [type=submit]').click()")
            await tab.until("!!document.querySelector('[data-face=somebody] img')")
            assert commands.pictures == {"somebody": picture}
            assert not await tab.run("document.getElementById('face-dialog').open")
            await tab.run("document.querySelector('[data-face=somebody]').click()")
            await tab.until(
                "document.querySelector('[data-face=somebody]').getAttribute('aria-checked') === 'true'"
            )
            assert commands.now.face == "somebody"
            assert tab.complaints == []

    within(test())


def test_without_a_link_it_says_how_to_pair_and_after_a_loss_it_comes_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            port = server.port
            async with opened(f"http://127.0.0.1:{port}/") as tab:
                await tab.until("document.getElementById('pairing')?.hidden === false")
                assert "faceswapd ctl pair" in await tab.run("document.getElementById('pairing').innerText")
                await tab.send("Page.navigate", url="about:blank")
                await tab.send("Page.navigate", url=server.pairing_url())
                await tab.until(READY)
                await server.close()
                await tab.until("document.getElementById('connection').dataset.state === 'lost'")
                async with serving(tmp_path, port=port):
                    await tab.until("document.getElementById('connection').dataset.state === 'live'", 20)

    within(test())


class TwoCameras(AbleCommands):
    """A daemon that may change its camera; the second one is held by another program."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = ["/dev/video0", "/dev/video2"]

    async def cameras(self) -> tuple[CameraInfo, ...]:
        return tuple(CameraInfo(f"HD {path[-1]}", path, self.now.source == path) for path in self.paths)

    async def select_camera(self, name: str) -> State:
        if name == "/dev/video2":
            raise BusyError("/dev/video2 is in use", "close the other program")
        self.now = msgspec.structs.replace(self.now, source=name, rev=self.now.rev + 1)
        return self.now


def test_another_camera_is_chosen_and_one_that_is_refused_is_not_shown_as_chosen(tmp_path: Path) -> None:
    choice = "document.getElementById('camera')"

    async def choose(tab: Tab, path: str) -> None:
        await tab.run(f"{choice}.value = '{path}'; {choice}.dispatchEvent(new Event('change'))")

    async def test() -> None:
        commands = TwoCameras()
        async with serving(tmp_path, commands) as (server, _), opened(server.pairing_url()) as tab:
            await tab.until(READY)
            await tab.until(f"{choice}.selectedOptions[0]?.textContent === 'fake'")  # a film, say
            await choose(tab, "/dev/video0")
            await eventually(lambda: commands.now.source == "/dev/video0")
            await tab.until(f"{choice}.selectedOptions[0].textContent === 'HD 0 (/dev/video0)'")
            await tab.until(f"{choice}.options.length === 2")
            await choose(tab, "/dev/video2")
            await tab.until(
                "document.getElementById('refusal').textContent.includes('close the other program')"
            )
            await tab.until(f"{choice}.value === '/dev/video0'")
            commands.paths.append("/dev/video4")
            await tab.run(f"{choice}.focus()")
            await tab.until(f"{choice}.options.length === 3")
            assert tab.complaints == []

    within(test())


def test_on_a_phone_nothing_is_cut_off_and_what_hides_the_picture_stays_in_sight(tmp_path: Path) -> None:
    privacy = "document.getElementById('privacy').getBoundingClientRect()"

    async def test() -> None:
        async with serving(tmp_path) as (server, _), opened(server.pairing_url()) as tab:
            await tab.until(READY)
            for width, height in ((320, 568), (390, 844), (844, 390)):
                await tab.resize(width, height, mobile=True)
                await tab.until(f"innerWidth === {width}")
                assert await tab.run("document.documentElement.scrollWidth") == width
                assert await tab.run(f"{privacy}.bottom") <= height
                if height > width:  # what is tuned below is seen above
                    await tab.run("scrollTo(0, document.documentElement.scrollHeight)")
                    await tab.until(f"scrollY > 0 && {privacy}.top > 0 && {privacy}.bottom < {height}")
            assert tab.complaints == []

    within(test())


def test_why_a_change_was_refused_is_read_wherever_one_has_scrolled_to(tmp_path: Path) -> None:
    async def test() -> None:
        commands = AbleCommands()
        commands.saved = ["gone"]
        refusal = "document.getElementById('refusal')"
        async with serving(tmp_path, commands) as (server, _), opened(server.pairing_url()) as tab:
            await tab.resize(390, 600, mobile=True)
            await tab.until(READY)
            await tab.until("!!document.querySelector('#presets button')")
            await tab.run("scrollTo(0, document.documentElement.scrollHeight)")
            await tab.run("document.querySelector('#presets button').click()")
            await tab.until(f"{refusal}.textContent.includes(\"no preset 'gone'\")")
            assert await tab.run("scrollY") > 0
            assert 0 <= await tab.run(f"{refusal}.getBoundingClientRect().top") < 600
            await tab.press("p")
            await tab.until(f"{refusal}.textContent === ''")
            assert tab.complaints == []

    within(test())


def test_a_click_changes_the_pixels_of_the_output(tmp_path: Path) -> None:
    """The real daemon, its bundled portrait, and a browser."""

    async def test() -> None:
        async with daemon(tmp_path) as remote:
            link = (await remote.call("pair.link"))["url"]
            async with opened(link) as tab:
                await tab.resize(1280, 900)
                await tab.until(READY, 30)
                await tab.until("Number(document.getElementById('preview').dataset.seq) > 0", 30)
                await tab.until("document.getElementById('processor-anonymize').checked")
                masked = await sharpness(remote)
                await tab.run("document.getElementById('processor-anonymize').click()")
                assert await sharpened(remote, 2 * masked)
                worn = "document.getElementById('worn').textContent"
                await tab.run("document.querySelector('[data-face=mask]').click()")
                await tab.until(f"{worn} === 'mask is worn as soon as mesh swap is on.'")
                await tab.run("document.getElementById('processor-mesh_swap').click()")
                await tab.until(f"{worn} === ''")
                await tab.press("p")
                await tab.until("document.getElementById('showing').textContent.includes('placeholder')")
                assert tab.complaints == []

    within(test(), 100)


async def slide(tab: Tab, id_: str, value: float) -> None:
    await tab.run(
        f"(() => {{ const s = document.getElementById('{id_}'); s.value = {value};"
        " s.dispatchEvent(new Event('input')); })()"
    )


async def sharpness(remote: Client) -> float:
    """Detail in the middle of the picture, where the portrait's face is."""
    data = await remote.ask("snapshot.get", dict)
    jpeg = np.frombuffer(base64.b64decode(data["jpeg"]), np.uint8)
    pixels = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return float(cv2.Laplacian(pixels[220:500, 500:760], cv2.CV_64F).var())


async def sharpened(remote: Client, above: float) -> bool:
    for _ in range(200):
        if await sharpness(remote) > above:
            return True
        await asyncio.sleep(0.1)
    return False


async def eventually(true: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.05)


@asynccontextmanager
async def daemon(runtime: Path) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "faceswapd.py"), "run", "--port", "0",
        "--source", "portrait:", "--output", "memory:",
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)}, cwd=ROOT,
    )  # fmt: skip
    try:
        folder = runtime / "faceswapd"
        await eventually(lambda: process.returncode is not None or any(folder.glob("*.sock")), 30)
        assert process.returncode is None, "the daemon ended"
        async with await connect(f"unix:{next(folder.glob('*.sock'))}") as remote:
            await remote.call("subscribe", topics=["state"])
            if (await remote.state()).phase != "live":
                async for event in remote.events():
                    if isinstance(event, EventParams) and event.data["phase"] == "live":
                        break
            yield remote
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
