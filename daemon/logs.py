"""Logs: key-value events on standard error, in columns on a terminal, as logfmt elsewhere."""

import logging
import os
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import structlog

from ..core.events import Logged


class _Stderr:
    """Standard error as it is at the moment of writing: a cached logger must not hold a closed one."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Relay:
    """Hands every entry of the log to whoever listens, for instance the control channel."""

    def __init__(self) -> None:
        self.listener: Callable[[Logged], None] | None = None
        """Called on the thread that logs."""

    def __call__(self, _: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A structlog processor: leaves the entry as it is."""
        if self.listener is not None:
            fields = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in entry.items()}
            event, level = str(fields.pop("event", "")), str(fields.pop("level", ""))
            fields = {k: v for k, v in fields.items() if k not in ("exc_info", "timestamp")}
            self.listener(Logged(datetime.now(UTC).isoformat(timespec="milliseconds"), level, event, fields))
        return entry


def configure(level: int = logging.INFO, relay: Relay | None = None) -> None:
    """Called once, by a command that runs the pipeline; `level` is one of `logging`."""
    terminal = sys.stderr.isatty()
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    if relay is not None:
        processors.append(relay)
    if terminal:  # its reader's clock; what is kept has everybody's
        processors.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False))
        processors.append(structlog.dev.ConsoleRenderer(colors=_coloured()))
    else:
        if not _is_journal():  # which has its own clock
            processors.append(structlog.processors.TimeStamper(fmt="iso"))
        processors.append(structlog.processors.format_exc_info)
        order = ["timestamp", "level", "event"]
        processors.append(
            structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False)
        )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        # Not cached: a test, or a second command in one process, may configure anew. Logging is no hot path.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _coloured() -> bool:
    """What https://no-color.org asks for, and a terminal that knows none."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_journal() -> bool:
    """Whether standard error goes to systemd's journal; the variable alone is inherited by terminals, too."""
    try:
        info = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # none, as in a test or a program without streams
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"
