"""The state board with all that a remote control may ask for beyond it: faces, presets, cameras."""

import asyncio
from collections.abc import Callable

import cv2
import numpy as np

from ..capture.devices import cameras, find_camera
from ..capture.source import Source
from ..core.abilities import CameraInfo, Consent, PresetInfo
from ..core.errors import NoDeviceError, UsageError
from ..core.events import FaceInfo, FacesChanged, State
from ..core.frame import Pixels
from ..core.settings import Settings
from ..processors.library import MASK
from ..processors.painted_mask import painted_mask
from .intake import Intake
from .state import Rooms, StateBoard

FACE_PICTURE_PX = 192


class Desk(StateBoard):
    """Implements the abilities of `core.abilities`. All methods run in the event loop."""

    def __init__(
        self,
        settings: Settings,
        version: str,
        rooms: Rooms,
        intake: Intake,
        make_camera: Callable[[str], Source],
    ) -> None:
        """`make_camera` makes the source of a camera's path, not open yet."""
        super().__init__(settings, version, rooms)
        self._intake = intake
        self._make_camera = make_camera

    async def add_face(self, name: str, picture: bytes, consent: Consent) -> FaceInfo:
        """Stores a face with today's date. Raises as `Library.add_content`."""
        info = await asyncio.to_thread(self._library.add_content, picture, name, consent)
        self.tell(FacesChanged(self.faces()))
        return info

    async def remove_face(self, name: str) -> None:
        """Forgets a face. Raises UsageError for an unknown, a bundled or a worn one."""
        if name == self.state().face:
            # What is worn lives on in memory: taking the consent back has to end it first.
            raise UsageError(f"face {name!r} is worn", "wear another one first")
        await asyncio.to_thread(self._library.remove, name)
        self.tell(FacesChanged(self.faces()))

    async def face_picture(self, name: str) -> bytes:
        """A JPEG of at most 192 x 192. Raises as `Library.photo`."""
        return await asyncio.to_thread(self._face_picture, name)

    def presets(self) -> tuple[PresetInfo, ...]:
        """All presets, by name."""
        return self._presets.list()

    async def save_preset(self, name: str) -> PresetInfo:
        """Saves the chain, `on_no_face` and the badge as they are now."""
        return await asyncio.to_thread(self._presets.save, name, *self.preset_now())

    async def cameras(self) -> tuple[CameraInfo, ...]:
        """The cameras of this machine, now."""
        found = await asyncio.to_thread(cameras)
        source = self.state().source
        return tuple(CameraInfo(c.name, c.path, source in (c.name, c.path, c.stable)) for c in found)

    async def select_camera(self, name: str) -> State:
        """Takes frames from another camera; on failure the old source stays."""
        device = await asyncio.to_thread(find_camera, name)
        if device is None:
            raise NoDeviceError(f"no camera is called {name!r}", "camera.list names them")
        if self.state().source not in (device.name, device.path, device.stable):
            source = self._make_camera(device.path)
            await self._intake.start(source)
            self.source_found()
            self.set_source(source.name)
        return self.state()

    def _face_picture(self, name: str) -> bytes:
        pixels = _flat(painted_mask().levels[0]) if name == MASK else self._library.photo(name)
        scale = FACE_PICTURE_PX / max(pixels.shape[:2])
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def _flat(bgra: Pixels) -> Pixels:
    """A picture with transparency on dark grey."""
    alpha = bgra[..., 3:].astype(np.float32) / 255
    return np.asarray(bgra[..., :3] * alpha + 40 * (1 - alpha), np.uint8)
