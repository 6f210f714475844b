import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from control_fakes import AbleCommands, run, serving

from faceswapd.control import token

ROOT = Path(__file__).parent.parent


async def ran(*command: str, stdin: bytes = b"", **env: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env}, cwd=ROOT,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(stdin), 15)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_the_python_remote(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path / "faceswapd") as (_, commands):
            code, _out, err = await ran(
                sys.executable, "examples/remote.py", "mesh_swap", stdin=b"\n\n\n",
                XDG_RUNTIME_DIR=str(tmp_path), PYTHONPATH=str(ROOT),
            )  # fmt: skip
            assert (code, err) == (0, "")
            assert isinstance(commands, AbleCommands)
            assert len(commands.told) == 3
            assert commands.now.processors[1].enabled

    run(test())


def test_the_javascript_remote(tmp_path: Path) -> None:
    """Another language's websocket and HMAC."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")

    async def test() -> None:
        async with serving(tmp_path) as (server, commands):
            url = f"ws://127.0.0.1:{server.port}"
            script = [node, "--experimental-websocket", "--no-warnings", "examples/remote.js"]
            code, out, err = await ran(*script, token.read(tmp_path), "mesh_swap", url)
            if "experimental-websocket" in err or "WebSocket is not defined" in err:
                pytest.skip("needs node 20 or later")
            assert (code, out, err) == (0, "anonymize=on mesh_swap=on\n", "")
            assert commands.state().processors[1].enabled
            code, out, err = await ran(*script, "0" * 64, "mesh_swap", url)
            assert code == 1
            assert "the proof is wrong" in err
            assert commands.state().rev == 2

    run(test())
