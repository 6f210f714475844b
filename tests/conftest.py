"""What all tests share: `tests/fakes.py` importable by name, and a log that no test leaves configured."""

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


@pytest.fixture(autouse=True)
def unconfigured_log() -> Iterator[None]:
    """A command configures the log for its whole process: the next test begins with structlog's defaults."""
    yield
    structlog.reset_defaults()
