import asyncio
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from control_fakes import run, serving
from test_server import PLAIN, asked, closed, heard
from websockets.asyncio.client import connect

from faceswapd.control import pages, token
from faceswapd.control.methods import METHODS


async def fetched(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_the_page_and_nothing_else_is_served(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            for path, page in pages.load().items():
                status, headers, body = await fetched(server.port, path)
                assert (status, body) == (200, page.body)
                assert headers["X-Content-Type-Options"] == "nosniff"
                assert "default-src 'none'" in headers["Content-Security-Policy"]
            for path in (
                "/token",
                "/index.html",
                "/../server.py",
                "/%2e%2e/server.py",
                "//etc/passwd",
                "/?x",
                "/web/",
            ):
                assert (await fetched(server.port, path))[0] == 404

    run(test())


def test_it_names_no_address_outside_of_this_machine() -> None:
    for path, page in pages.load().items():
        found = re.findall(rb"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", page.body)
        assert [f for f in found if b"w3.org" not in f] == [], (
            path
        )  # the name of a namespace is never fetched


def test_its_scripts_and_styles_are_files() -> None:
    html = pages.load()["/"].body.decode()

    assert "style=" not in html
    assert "<style" not in html
    assert not re.search(r"\son\w+=", html)
    assert not re.search(r"<script(?![^>]*src=)", html)


def test_a_link_pairs_one_browser_which_comes_back_with_its_own_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            url, link = f"ws://127.0.0.1:{server.port}", server.pairing_url()
            assert link.startswith(f"http://127.0.0.1:{server.port}/#pair=")
            code = link.partition("=")[2]

            async with connect(url, **PLAIN) as browser:
                await heard(browser)
                paired = (await asked(browser, "pair", code=code))["result"]
                assert (await asked(browser, "state.get"))["result"]["rev"] == 1
            async with connect(url, **PLAIN) as second:
                await heard(second)
                assert (await asked(second, "pair", code=code))["error"]["data"]["code"] == "unauthorized"
                assert await closed(second) == 4100

            async def back() -> dict[str, Any]:
                async with connect(url, **PLAIN) as browser:
                    nonce, server_nonce = secrets.token_hex(32), (await heard(browser))["params"]["nonce"]
                    mac = token.proof(paired["key"], server_nonce, nonce)
                    return await asked(browser, "auth", nonce=nonce, mac=mac, device=paired["device"])

            assert (await back())["result"]["ready"]
            token.rotate(tmp_path)
            assert (await back())["error"]["data"]["code"] == "unauthorized"

    run(test())


@pytest.mark.parametrize("name", ["remote.js", "channel.js"])
def test_every_method_that_the_page_calls_exists(name: str) -> None:
    called = re.findall(r'(?:call|change)\("([a-z.]+)"', (pages.WEB / name).read_text("utf-8"))

    assert called
    assert set(called) <= set(METHODS)
