"""The rig's guest as pytest sees it: on the host a source of test reports, in the guest a writer of them."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

RIG = Path(__file__).with_name("rig.sh")
KIND = os.environ.get("RIG_KIND", "uml")
"""uml, or tcg: the emulated guest with a stock kernel and several v4l2loopbacks."""
INSIDE = Path("/out/command").exists()
"""This is the guest."""
EMULATED = KIND == "tcg"
"""Too slow for rates: 15 to 400 times, by what is done."""
TEST_TIMEOUT_S = 900 if EMULATED else 300
"""For one test, the guest's boot and imports included."""


def _rig(command: str) -> str:
    if sys.platform != "linux":
        return "the rig needs Linux" if command == "ready" else ""
    return subprocess.run([RIG, KIND, command], capture_output=True, text=True, check=False).stdout.strip()


def unready() -> str:
    """Why no test can run in a guest here; empty if one can. Boots one."""
    return _rig("ready")


@functools.cache
def drivers() -> list[str]:
    """The versions of v4l2loopback in the rig, oldest first; one without a number where there is no rig."""
    return _rig("versions").split() or ["v4l2loopback"]


class Guest:
    """One booted guest that runs the tests with these ids and tells its reports as they come."""

    def __init__(self, config: pytest.Config, ids: Sequence[str]) -> None:
        self._config = config
        self._reports: defaultdict[str, list[pytest.TestReport]] = defaultdict(list)
        self._shared = shared = Path(tempfile.mkdtemp(prefix="faceswapd-rig-"))
        self._failed = False
        (shared / "ids").write_text("\n".join(ids))
        (shared / "reports").touch()
        self.console = shared / "console"
        self._written = (shared / "reports").open()
        self._line = ""
        self._left = len(ids)
        tests = [sys.executable, "-m", "pytest", "@/out/ids", "-v", "-p", "no:cacheprovider"]
        with self.console.open("w") as console:
            self._process = subprocess.Popen(
                [RIG, KIND, "run", *tests, "--rootdir", str(config.rootpath)],
                cwd=config.rootpath,
                env={**os.environ, "RIG_OUT": str(shared), "RIG_TIMEOUT_S": "3600"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def reports_of(self, item: pytest.Item) -> list[pytest.TestReport]:
        """Waits until the test has ended; its reports, or a failure with the guest's last words."""
        deadline = time.monotonic() + TEST_TIMEOUT_S
        mine = self._reports[item.nodeid]
        while not any(report.when == "teardown" for report in mine):
            if self._read_one():
                continue
            if self._process.poll() is not None and not self._read_one():
                return [*mine, self._failure(item, "the guest ended")]
            if time.monotonic() > deadline:
                return [*mine, self._failure(item, f"no report within {TEST_TIMEOUT_S} s")]
            time.sleep(0.1)
        return mine

    def stop(self) -> None:
        """Lets it power off; kills it if tests were left out. What it wrote stays if a test failed."""
        try:
            self._process.wait(10 if self._left <= 0 else 0)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._written.close()
        if not self._failed:
            shutil.rmtree(self._shared)

    def _read_one(self) -> bool:
        self._line += self._written.readline()
        if not self._line.endswith("\n"):
            return False
        data, self._line = json.loads(self._line), ""
        report = self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
        if isinstance(report.longrepr, list):  # a skip's (path, line, reason), as JSON knows it
            report.longrepr = tuple(report.longrepr)
        self._reports[report.nodeid].append(report)
        self._left -= report.when == "teardown"
        self._failed |= report.failed
        return True

    def _failure(self, item: pytest.Item, what: str) -> pytest.TestReport:
        self._failed = True
        words = "\n".join(self.console.read_text(errors="replace").splitlines()[-60:])
        return pytest.TestReport(
            item.nodeid, item.location, {}, "failed", f"{what}; {self.console}:\n{words}", "call"
        )


class ReportWriter:
    """In the guest: every report as a line of JSON, at once."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Writes through to the host: its own cache would keep the line."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with Path("/out/reports").open("a") as file:
            file.write(json.dumps(data) + "\n")
            file.flush()
            os.fsync(file.fileno())
