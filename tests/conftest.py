"""What all tests share: `tests/fakes.py` importable by name, and a log that no test leaves configured."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

# The same examples in every run, and none fails because the machine had other work; `--hypothesis-profile=search`
# looks for new ones.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("search"), derandomize=True)
settings.load_profile("steady")

sys.path.insert(0, str(Path(__file__).parent))

# As from a terminal, also where the tests themselves run behind `nohup` or `&`, which have some of these ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.fixture(autouse=True)
def unconfigured_log() -> Iterator[None]:
    """A command configures the log for its whole process: the next test begins with structlog's defaults."""
    yield
    structlog.reset_defaults()
