"""Runs the tests that use real devices inside the rig's guest, and reports them here as if they had run here.

Such a test has the fixture `driver` or `vivid`. The guest is booted once, with all of them that are selected.
They take minutes and the whole machine, so they run only when they are named: `pytest tests/e2e`. Otherwise, and
where the guest cannot run, each is skipped with the reason.
"""

import subprocess
from collections.abc import Iterator

import pytest
from e2e.cameras import VIVID, Driver, loaded
from e2e.guest import INSIDE, TEST_TIMEOUT_S, Guest, ReportWriter, drivers, unready

GUEST = pytest.StashKey[Guest]()


def needs_guest(item: pytest.Item) -> bool:
    """It uses a device that only the guest has."""
    return not {"driver", "vivid"}.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_configure(config: pytest.Config) -> None:
    if INSIDE:
        config.pluginmanager.register(ReportWriter(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if needs_guest(item)]
    asked = any("e2e" in str(word) for word in config.invocation_params.args)
    why = "" if INSIDE or not ours else unready() if asked else "runs by `pytest tests/e2e`"
    for item in ours:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
        if why:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """On the host, tells what the guest reported instead of running the test."""
    if INSIDE or not needs_guest(item) or item.get_closest_marker("skip"):
        return None
    stash = item.session.stash
    if GUEST not in stash:
        stash[GUEST] = Guest(item.config, [i.nodeid for i in item.session.items if needs_guest(i)])
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in stash[GUEST].reports_of(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if GUEST in session.stash:
        session.stash[GUEST].stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with cameras runs once for each version of v4l2loopback that the rig has."""
    if "driver" in metafunc.fixturenames:
        metafunc.parametrize("driver", drivers(), scope="session", indirect=True)


@pytest.fixture(scope="session")
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A loaded v4l2loopback as users load it, with two devices."""
    with loaded(request.param) as driver:
        yield driver


@pytest.fixture(scope="session")
def vivid() -> Iterator[str]:
    """The path of a webcam that the kernel plays: 640x480 and more, YUYV, a test picture."""
    inputs = ["n_devs=1", "node_types=1", "num_inputs=1", "input_types=0", "vid_cap_nr=20"]
    subprocess.run(["modprobe", "vivid", *inputs], check=True)
    yield VIVID
    subprocess.run(["modprobe", "-r", "vivid"], check=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests noted with `record_property`."""
    reports = [r for r in terminalreporter.getreports("passed") if r.when == "call" and r.user_properties]
    for report in reports:
        figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
        terminalreporter.write_line(f"measured: {figures} ({report.nodeid.rpartition('::')[2]})")
