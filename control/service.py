"""Carries out calls: what a client asks, in the daemon's terms. Knows nothing of sockets."""

# `_able` takes a protocol to ask for it by isinstance, never to make one of it.
# mypy: disable-error-code="type-abstract"

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import structlog

from ..core import abilities
from ..core.errors import FaceswapdError
from ..core.events import (
    ApplyPreset,
    Command,
    Commands,
    FacesChanged,
    SetFreeze,
    SetPrivacy,
    SetProcessor,
    State,
    StateChanged,
)
from . import jpeg, methods, protocol, replies
from .check import check
from .holds import Holds
from .hub import Hub
from .outbox import Outbox
from .protocol import RpcError
from .session import Call
from .uploads import Uploads

log = structlog.get_logger(__name__)

A = TypeVar("A")

FEATURES: dict[str, type] = {
    "preview": abilities.Viewing,
    "snapshot": abilities.Viewing,
    "faces": abilities.FaceKeeping,
    "presets": abilities.PresetKeeping,
    "cameras": abilities.CameraChoice,
    "outputs": abilities.OutputListing,
    "record": abilities.Recording,
}


class Service:
    """The methods, for all clients together. For the event loop.

    Changes are carried out one after the other, so that `if_rev` means something; privacy and freeze
    pass them. `rotate` makes a new token, `link` a link for pairing.
    """

    def __init__(
        self,
        commands: Commands,
        hub: Hub,
        pool: Executor,
        rotate: Callable[[], None],
        link: Callable[[], replies.PairingLink],
    ) -> None:
        self._commands = commands
        self._hub = hub
        self._pool = pool
        self._rotate = rotate
        self._link = link
        self._changing = asyncio.Lock()
        self._holds = Holds()
        self._held = asyncio.Event()
        self._uploads = Uploads()

    def features(self) -> tuple[str, ...]:
        """What the daemon can do beyond the essentials."""
        return tuple(name for name, kind in FEATURES.items() if isinstance(self._commands, kind))

    async def perform(self, call: Call, outbox: Outbox) -> Any:
        """The result of one call. Raises RpcError when it is refused, with nothing changed.

        `outbox` stands for the client: it owns subscriptions, leases and uploads.
        """
        try:
            return await self._perform(call, outbox)
        except FaceswapdError as wrong:
            raise RpcError.of(wrong, "$.params") from None

    async def gone(self, outbox: Outbox) -> None:
        """Forgets a client: its subscriptions, its uploads, its leases."""
        self._hub.unsubscribe(outbox, ("state", "stats", "faces", "log", "preview"))
        self._uploads.drop(outbox)
        await self._turn_off(self._holds.gone(outbox))

    async def run(self) -> None:
        """Ends leases that are not renewed, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = self._holds.next_s()
            try:
                async with asyncio.timeout_at(due_s):
                    await self._held.wait()
                    self._held.clear()
            except TimeoutError:
                await self._turn_off(self._holds.expired(loop.time()))

    async def _perform(self, call: Call, outbox: Outbox) -> Any:
        daemon = self._commands
        match call.name, call.params:
            case _, methods.PrivacySet() | methods.FreezeSet() as asked:
                return await self._change(asked.commands(), asked.if_rev, "$.params", urgent=True)
            case _, methods.Change() as asked:
                return await self._change(asked.commands(), asked.if_rev, "$.params")
            case _, methods.Batch() as asked:
                return await self._batch(asked)
            case _, methods.Hold() as asked:
                return await self._hold(asked, outbox)
            case _, methods.Subscribe() as asked:
                if "preview" in asked.topics:
                    self._able(abilities.Viewing, "preview")
                return self._hub.subscribe(outbox, asked)
            case _, methods.Unsubscribe() as asked:
                self._hub.unsubscribe(outbox, asked.topics)
                return replies.Done()
            case _, methods.SnapshotGet() as asked:
                return await self._snapshot(asked)
            case _, methods.FaceAdd() as asked:
                return await self._add_face(asked, outbox)
            case "record.save_last", methods.RecordStart(path):
                return await self._able(abilities.Replaying, "keeping the last moments").save_last(path)
            case _, methods.RecordPause(paused):
                return await self._able(abilities.Pausing, "pausing").pause_recording(paused)
            case _, methods.RecordStart() as asked:
                return await self._able(abilities.Recording, "recording").start_recording(asked.path)
            case "face.remove", methods.Named(name):
                await self._able(abilities.FaceKeeping, "removing faces").remove_face(name)
                self._hub.publish(FacesChanged(daemon.faces()))
                return replies.Done()
            case "face.picture", methods.Named(name):
                data = await self._able(abilities.FaceKeeping, "pictures of faces").face_picture(name)
                return replies.Jpeg(data, 0, 0)
            case "preset.save", methods.Named(name):
                return await self._able(abilities.PresetKeeping, "presets").save_preset(name)
            case "camera.select", methods.Named(name):
                state = await self._able(abilities.CameraChoice, "changing the camera").select_camera(name)
                self._hub.publish(StateChanged(state))
                return state
            case "ping", _:
                return replies.Pong(time.monotonic_ns())
            case "state.get", _:
                return daemon.state()
            case "stats.get", _:
                return daemon.stats()
            case "processor.list", _:
                return replies.ProcessorList(daemon.processors())
            case "face.list", _:
                return replies.FaceList(daemon.faces())
            case "preset.list", _:
                return replies.PresetList(self._able(abilities.PresetKeeping, "presets").presets())
            case "camera.list", _:
                cameras = await self._able(abilities.CameraChoice, "changing the camera").cameras()
                return replies.CameraList(cameras)
            case "output.list", _:
                return replies.OutputList(self._able(abilities.OutputListing, "a list of outputs").outputs())
            case "record.stop", _:
                return await self._able(abilities.Recording, "recording").stop_recording()
            case "record.status", _:
                return self._able(abilities.Recording, "recording").record_status()
            case "pair.link", _:
                return self._link()
            case "token.rotate", _:
                self._rotate()
                return replies.Done()
        raise AssertionError(f"{call.name} is in METHODS and not carried out")

    def _able(self, kind: type[A], what: str) -> A:
        if not isinstance(self._commands, kind):
            raise RpcError("not_available", f"{what} is not available", hint="see the features of hello")
        return self._commands

    async def _change(
        self, commands: tuple[Command, ...], if_rev: int | None, path: str, *, urgent: bool = False
    ) -> State:
        if urgent:
            return await self._execute(commands, if_rev, path)
        async with self._changing:
            return await self._execute(commands, if_rev, path)

    async def _execute(self, commands: tuple[Command, ...], if_rev: int | None, path: str) -> State:
        rev = self._commands.state().rev
        if if_rev is not None and if_rev != rev:
            raise RpcError(
                "rev_conflict",
                f"the state is at revision {rev}",
                f"{path}.if_rev",
                "read the state again",
                rev,
            )
        for command in commands:
            if isinstance(command, SetProcessor):
                check(command, self._commands.processors(), path)
        state = await self._commands.execute(commands)
        for command in commands:
            self._overrule(command)
        self._hub.publish(StateChanged(state))
        return state

    def _overrule(self, command: Command) -> None:
        """Who says outright what a thing shall be ends the leases on it."""
        match command:
            case SetProcessor(name, enabled, toggle) if enabled is not None or toggle:
                self._holds.forget(name)
            case SetPrivacy():
                self._holds.forget("privacy")
            case SetFreeze():
                self._holds.forget("freeze")
            case ApplyPreset():
                self._holds.clear()

    async def _batch(self, asked: methods.Batch) -> State:
        commands: list[Command] = []
        for n, step in enumerate(asked.changes):
            path = f"$.params.changes[{n}].params"
            params = protocol.read(step.params, methods.METHODS[step.method].params, path)
            if params.if_rev is not None:
                raise RpcError("unknown_field", "if_rev belongs to the batch", f"{path}.if_rev")
            for command in params.commands():
                if isinstance(command, SetProcessor):
                    check(command, self._commands.processors(), path)
                commands.append(command)
        return await self._change(tuple(commands), asked.if_rev, "$.params")

    async def _hold(self, asked: methods.Hold, outbox: Outbox) -> State:
        if not asked.on:
            await self._turn_off([asked.name] if self._holds.release(asked.name, outbox) else [])
            return self._commands.state()
        command = _switch(asked.name, on=True)
        if isinstance(command, SetProcessor):
            check(command, self._commands.processors(), "$.params")
        # A mask goes on before any change that still waits, and before it is on its lease counts:
        # a second call meanwhile is a renewal.
        state = self._commands.state()
        was_on = is_on(state, asked.name)
        until_s = asyncio.get_running_loop().time() + asked.lease_s
        self._holds.take(asked.name, outbox, until_s, was_on=was_on)
        self._held.set()
        if not was_on:
            try:
                state = await self._commands.execute((command,))
            except FaceswapdError:
                self._holds.release(asked.name, outbox)
                raise
            self._hub.publish(StateChanged(state))
        return state

    async def _turn_off(self, names: list[str]) -> None:
        for name in names:
            try:
                async with self._changing:
                    if name not in self._holds:  # nobody took it up again while this waited
                        self._hub.publish(
                            StateChanged(await self._commands.execute((_switch(name, on=False),)))
                        )
            except FaceswapdError as wrong:
                # It stays on: a mask that cannot be taken off is better than one that falls.
                log.warning("control.hold_stays", name=name, problem=str(wrong))

    async def _snapshot(self, asked: methods.SnapshotGet) -> replies.Jpeg:
        frame = self._able(abilities.Viewing, "a snapshot").shown()
        if frame is None:
            raise RpcError("not_available", "nothing was shown yet", hint="try again in a moment")
        bound = (asked.width, asked.height)
        loop = asyncio.get_running_loop()
        data, size = await loop.run_in_executor(self._pool, jpeg.encode, frame.pixels, bound, asked.quality)
        return replies.Jpeg(data, *size, seq=frame.seq, captured_ns=frame.captured_ns)

    async def _add_face(self, asked: methods.FaceAdd, outbox: Outbox) -> replies.FaceAdded:
        keeping = self._able(abilities.FaceKeeping, "adding faces")
        picture = self._uploads.add(outbox, asked)
        if picture is None:
            return replies.FaceAdded(asked.offset + len(asked.data))
        face = await keeping.add_face(asked.name, picture, asked.consent)
        self._hub.publish(FacesChanged(self._commands.faces()))
        return replies.FaceAdded(asked.total, face)


def is_on(state: State, name: str) -> bool:
    """Whether a processor, `privacy` or `freeze` is on."""
    if name == "privacy":
        return state.privacy
    if name == "freeze":
        return state.frozen
    return any(p.enabled for p in state.processors if p.name == name)


def _switch(name: str, *, on: bool) -> Command:
    if name == "privacy":
        return SetPrivacy(on)
    if name == "freeze":
        return SetFreeze(on)
    return SetProcessor(name, enabled=on)
