"""Faces set by remote control, with the house's own processors."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import standins
from fakes import ManualClock

from faceswapd.control.hub import Hub
from faceswapd.control.outbox import Outbox
from faceswapd.control.protocol import RpcError
from faceswapd.control.replies import PairingLink
from faceswapd.control.service import Service
from faceswapd.control.session import Session
from faceswapd.core.events import State
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.meter import Meter
from faceswapd.core.settings import InferenceSettings, OnNoFace, ProcessorSettings, Settings
from faceswapd.daemon.presets import Presets
from faceswapd.daemon.state import Problems, Rooms, StateBoard
from faceswapd.inference.engines import Engines
from faceswapd.processors.chain import Chain, ChainBuilder
from faceswapd.processors.library import Library
from faceswapd.processors.processor import Workshop
from faceswapd.processors.registry import registry

ASSETS = Path(__file__).parent / "assets"


class Live:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.last: Pixels | None = None
        self.shown: Frame | None = None
        self.badge = True
        self.on_no_face: OnNoFace = "placeholder"

    def override(self, pixels: Pixels | None) -> None:
        """Nothing stands above it."""


Ask = Callable[..., Awaitable[State]]


def beside(folder: Path, test: Callable[[Ask, Live], Awaitable[None]]) -> None:
    """A remote control in front of a chain that wears ada by neural_swap, mesh_swap beside it off."""
    shelf = standins.shelf(folder, "inswapper_128", "w600k_r50")
    engines = Engines(InferenceSettings(engine="onnxruntime"), cache=folder / "e.json", shelf=shelf)
    library = Library(folder)
    library.add(ASSETS / "astronaut.png", "ada", "public-domain")
    known = registry(Workshop(engines, library, live=True))
    builder = ChainBuilder(known)
    ada = {"face": "ada"}
    settings = Settings(
        processors=(ProcessorSettings("mesh_swap", False, ada), ProcessorSettings("neural_swap", True, ada))
    )
    live = Live(builder.build(settings.processors))
    rooms = Rooms(
        builder, known, library, live, live, engines.serving, Meter(), ManualClock(),
        Presets(folder / "presets"), Problems(),
    )  # fmt: skip
    board = StateBoard(settings, "0", rooms)

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            service = Service(
                board, Hub(board, pool), pool, lambda: None, lambda: PairingLink("http://127.0.0.1:1/#x", 1.0)
            )

            async def ask(method: str, **params: Any) -> State:
                message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                (call,) = Session("", (), None).receive(json.dumps(message).encode()).calls
                state = await service.perform(call, Outbox())
                assert isinstance(state, State)
                return state

            await test(ask, live)

    try:
        asyncio.run(main())
    finally:
        engines.close()


def worn(state: State) -> dict[str, tuple[bool, object]]:
    return {p.name: (p.enabled, p.params["face"]) for p in state.processors}


def test_the_painted_mask_is_refused_by_a_neural_swap_that_is_on_and_nothing_changes(tmp_path: Path) -> None:
    async def test(ask: Ask, live: Live) -> None:
        before = live.chain
        with pytest.raises(RpcError, match="neural_swap cannot wear 'mask'") as caught:
            await ask("face.set", name="mask")
        assert (caught.value.code, "by mesh_swap" in caught.value.hint) == ("usage", True)
        assert live.chain is before

    beside(tmp_path, test)


def test_the_painted_mask_is_worn_by_the_processor_that_can(tmp_path: Path) -> None:
    async def test(ask: Ask, live: Live) -> None:
        await ask("processor.toggle", name="neural_swap")
        state = await ask("face.set", name="mask")
        assert worn(state) == {"mesh_swap": (False, "mask"), "neural_swap": (False, "ada")}
        assert worn(await ask("face.set", name="ada"))["mesh_swap"] == (False, "ada"), "and off again"
        state = await ask("processor.set", name="mesh_swap", enabled=True, params={"face": "mask"})
        assert (state.face, live.chain.face) == ("mask", "mask")

    beside(tmp_path, test)
