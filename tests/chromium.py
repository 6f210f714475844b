"""A headless Chromium to click in, over its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
         "--disable-breakpad", "--remote-debugging-port=0")  # fmt: skip


class NavigatedError(Exception):
    """The page that was asked has gone, and another one comes."""


class Tab:
    """One page."""

    def __init__(self, devtools: ClientConnection, session: str) -> None:
        self._devtools, self._session, self._ids = devtools, session, itertools.count(1000)
        self.complaints: list[str] = []

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        id_ = next(self._ids)
        message = {"id": id_, "method": method, "params": params, "sessionId": self._session}
        await self._devtools.send(json.dumps(message))
        while True:
            told = json.loads(await self._devtools.recv())
            if told.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(told["params"]))
            if told.get("id") == id_:
                if "navigated" in told.get("error", {}).get("message", ""):
                    raise NavigatedError
                assert "error" not in told, told
                return dict(told["result"])

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        told = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, script: str, timeout_s: float = 10) -> None:
        """Waits until an expression is true."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    with contextlib.suppress(NavigatedError):  # the next page is asked again
                        if await self.run(script):
                            return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"never true: {script}; {self.complaints}") from None

    async def press(self, key: str) -> None:
        await self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=key if len(key) == 1 else "")
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def resize(self, width: int, height: int, *, mobile: bool = False, dark: bool = False) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self) -> bytes:
        told = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(told["data"])


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Tab]:
    """Chromium with one tab at `url`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            "chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port, path = await _address(Path(profile) / "DevToolsActivePort")
            async with connect(
                f"ws://127.0.0.1:{port}{path}", max_size=2**26, proxy=None, compression=None, origin=None
            ) as devtools:
                yield await _tab(devtools, url)
        finally:
            browser.terminate()
            await browser.wait()


async def _address(file: Path) -> tuple[int, str]:
    async with asyncio.timeout(30):
        while True:
            lines = await asyncio.to_thread(lambda: file.read_text().split("\n") if file.exists() else [])
            if len(lines) >= 2:
                return int(lines[0]), lines[1]
            await asyncio.sleep(0.1)


async def _tab(devtools: ClientConnection, url: str) -> Tab:
    root = Tab(devtools, "")

    async def ask(method: str, **params: Any) -> dict[str, Any]:
        id_ = next(root._ids)
        await devtools.send(json.dumps({"id": id_, "method": method, "params": params}))
        while (told := json.loads(await devtools.recv())).get("id") != id_:
            pass
        return dict(told["result"])

    target = await ask("Target.createTarget", url="about:blank")
    session = await ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    tab = Tab(devtools, session["sessionId"])
    for domain in ("Runtime", "Log", "Page"):
        await tab.send(f"{domain}.enable")
    await tab.send("Page.navigate", url=url)
    return tab
