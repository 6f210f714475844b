"""Logs: key-value events on standard error, readable on a terminal, with the journal's priorities elsewhere."""

import logging
import os
import sys
from typing import TextIO, cast

import structlog


class _Stderr:
    """Standard error as it is at the moment of writing: a cached logger must not hold a closed one."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(level: int = logging.INFO) -> None:
    """Called once, by a command that runs the pipeline; `level` is one of `logging`."""
    terminal = sys.stderr.isatty()
    journal = bool(os.environ.get("JOURNAL_STREAM"))
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    if not journal:  # the journal has its own clock
        processors.append(structlog.processors.TimeStamper(fmt="%H:%M:%S" if terminal else "iso"))
    if terminal:
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        processors.append(structlog.processors.format_exc_info)
        processors.append(structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
