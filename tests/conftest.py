"""What all tests share: `tests/fakes.py` importable by name, and a log that no test leaves configured."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def unconfigured_log() -> Iterator[None]:
    """A command configures the log for its whole process: the next test begins with structlog's defaults."""
    yield
    structlog.reset_defaults()
