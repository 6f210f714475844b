"""A PipeWire session of our own, without a desktop, and a program that reads a camera in it.

`python tests/pipewire_session.py LABEL SECONDS` is that program: it prints what it got as JSON.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import faceswapd  # noqa: F401 - makes the folders importable under its name, also for the program
from faceswapd.native import pipewire as abi
from faceswapd.native.pod import pod_id, pod_object

NEEDED = ("pipewire", "wireplumber", "dbus-daemon")


def missing() -> str:
    """What a session lacks here; empty when it can run."""
    lacking = [program for program in NEEDED if not shutil.which(program)]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


@contextmanager
def session(folder: Path) -> Iterator[dict[str, str]]:
    """Runs bus, PipeWire and its session manager; gives the environment to reach them."""
    runtime, home = folder / "run", folder / "home"
    for made in (runtime, home):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = os.environ | {"XDG_RUNTIME_DIR": str(runtime), "HOME": str(home), "XDG_STATE_HOME": str(home)}
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w"))

        def start(*words: str) -> subprocess.Popen[str]:
            child = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
            stack.callback(_end, child)
            return child

        bus = start("dbus-daemon", "--session", "--nofork", "--print-address=1")
        assert bus.stdout is not None
        env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        start("pipewire")
        wait_until(lambda: (runtime / "pipewire-0").exists())
        start("wireplumber")
        time.sleep(0.5)
        yield env


def _end(child: "subprocess.Popen[str]") -> None:
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def wait_until(holds: "object", seconds: float = 20.0) -> None:
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


class Reader:
    """A stream that reads the camera of this label for a while."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.got: list[tuple[float, bytes]] = []
        self.library = abi.load()
        self.events = abi.Events(version=2, process=abi.Process(self.on_process))

    def read(self, seconds: float) -> None:
        library = self.library
        library.pw_init(None, None)
        loop = library.pw_thread_loop_new(b"reader", None)
        library.pw_thread_loop_start(loop)
        library.pw_thread_loop_lock(loop)
        properties = f'media.type=Video media.category=Capture media.role=Camera target.object="{self.label}"'
        self.stream = library.pw_stream_new_simple(
            library.pw_thread_loop_get_loop(loop),
            b"reader",
            library.pw_properties_new_string(properties.encode()),
            ctypes.byref(self.events),
            None,
        )
        wanted = pod_object(
            abi.OBJECT_FORMAT,
            abi.PARAM_ENUM_FORMAT,
            {abi.MEDIA_TYPE: pod_id(abi.TYPE_VIDEO), abi.MEDIA_SUBTYPE: pod_id(abi.SUBTYPE_RAW)},
        )
        autoconnect = 1
        library.pw_stream_connect(
            self.stream, 0, abi.ANY, autoconnect | abi.MAP_BUFFERS, abi.params(wanted), 1
        )
        library.pw_thread_loop_unlock(loop)
        threading.Event().wait(seconds)
        library.pw_thread_loop_lock(loop)
        library.pw_stream_destroy(self.stream)
        library.pw_thread_loop_unlock(loop)
        library.pw_thread_loop_stop(loop)
        library.pw_thread_loop_destroy(loop)

    def on_process(self, _data: object) -> None:
        taken = self.library.pw_stream_dequeue_buffer(self.stream)
        if not taken:
            return
        data = taken.contents.buffer.contents.datas[0]
        size = data.chunk.contents.size
        if data.data and size:
            self.got.append((time.monotonic(), ctypes.string_at(data.data, size)))
        self.library.pw_stream_queue_buffer(self.stream, taken)


def main() -> None:
    import numpy as np

    from faceswapd.capture.pattern import counter
    from faceswapd.core.pixels import i420_to_bgr

    label, seconds, width, height = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    reader = Reader(label)
    reader.read(seconds)
    pictures = [
        i420_to_bgr(np.frombuffer(b, np.uint8).reshape(height * 3 // 2, width)) for _, b in reader.got
    ]
    bars = (
        [pictures[-1][height // 2, width * (2 * i + 1) // 16].tolist() for i in range(8)] if pictures else []
    )
    times = [t for t, _ in reader.got]
    sys.stdout.write(json.dumps({"counters": [counter(p) for p in pictures], "times_s": times, "bars": bars}))


if __name__ == "__main__":
    main()
