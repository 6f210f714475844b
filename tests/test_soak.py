"""Does memory stay flat? 20,000 frames through the whole daemon; minutes, so run by .ci/long."""

import asyncio
import os
import time
from pathlib import Path

import numpy as np
import pytest

from faceswapd.capture.portrait import Portrait
from faceswapd.capture.source import Shot
from faceswapd.core.settings import ControlSettings, ProcessorSettings, Settings
from faceswapd.daemon.app import App, Ending
from faceswapd.daemon.places import Places
from faceswapd.daemon.run import loop_factory
from faceswapd.processors.library import Library
from faceswapd.sinks.memory import MemorySink

FRAMES = 20_000
WARM = 4_000


class Restless:
    """The portrait from memory, as fast as it is read; every so often it is empty for a second's worth."""

    name, paced, fps, size = "restless", False, 100.0, (1280, 720)

    def __init__(self) -> None:
        portrait = Portrait(self.size, 30.0)
        portrait.open()
        self.clip = [portrait.read().pixels for _ in range(60)]
        self.room = np.full_like(self.clip[0], 90)
        self.n = 0

    def open(self) -> None:
        return None

    def read(self) -> Shot:
        time.sleep(0.004)  # the pump would spin otherwise, and starve what it feeds
        self.n += 1
        return Shot(self.room if self.n % 1500 > 1450 else self.clip[self.n % 60])

    def close(self) -> None:
        return None


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux' /proc")
def test_memory_is_flat_over_20000_frames(tmp_path: Path) -> None:
    settings = Settings(
        processors=(ProcessorSettings("mesh_swap"), ProcessorSettings("anonymize", enabled=False)),
        control=ControlSettings(port=0),
    )

    async def main() -> tuple[Ending, list[float]]:
        sizes: list[float] = []
        app = App(
            settings, Restless(), [MemorySink("memory:")], Library(tmp_path / "data"), "0",
            Places.within(tmp_path),
        )  # fmt: skip

        async def watch() -> None:
            while app.meter.frames < FRAMES:
                if app.meter.frames >= WARM:
                    sizes.append(resident_mb())
                await asyncio.sleep(2)
            sizes.append(resident_mb())
            app.stop.set()

        watching = asyncio.create_task(watch())
        ending = await app.run()
        await watching
        return ending, sizes

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        ending, sizes = runner.run(main())

    assert ending.stats.frames >= FRAMES
    assert max(sizes) - sizes[0] < 10, f"resident MB every two seconds: {[round(s) for s in sizes]}"
