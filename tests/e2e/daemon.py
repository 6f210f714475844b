"""The daemon as a user starts it: a process of its own, with a home of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from e2e.cameras import ENV, ROOT, wait_for


class Daemon:
    """`faceswapd run` with these options; its log is kept."""

    def __init__(self, home: Path, *options: str) -> None:
        self._log = home / f"log-{time.monotonic_ns()}"
        self._env = environment(home)
        self.started_s = time.monotonic()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, ROOT / "faceswapd.py", "run", *options],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        """Everything it said so far."""
        return self._log.read_text(errors="replace")

    def wait_until_live(self, seconds: float = 30.0) -> float:
        """Returns when the first processed frame has left it: seconds after the start of the process."""
        wait_for(lambda: "event=live" in self.log or self._process.poll() is not None, seconds)
        assert self._process.poll() is None, self.log
        return time.monotonic() - self.started_s

    def ctl(self, *words: str) -> str:
        """`faceswapd ctl` from another process; what it printed."""
        done = subprocess.run(
            [sys.executable, ROOT / "faceswapd.py", "ctl", *words],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal; its exit status."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = 30.0) -> int:
        """Waits for its own end; its exit status."""
        return self._process.wait(seconds)


def environment(home: Path) -> dict[str, str]:
    """Nothing of the machine's own settings, faces and caches."""
    places = {
        f"XDG_{name}": home / name.lower()
        for name in ("CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "RUNTIME_DIR")
    }
    for place in places.values():
        place.mkdir(mode=0o700, exist_ok=True)
    return {
        **ENV,
        **{name: str(place) for name, place in places.items()},
        "HOME": str(home),
        "PATH": os.environ["PATH"],
    }
