"""Standard output and error as a program may rely on them, whatever its caller made of them."""

import codecs
import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from ..core.errors import MissingInputError

_TOLD = "faceswapd.told"


class UnreadError(Exception):
    """Whoever read the output has gone (`faceswapd devices | head -1`): nothing is wrong."""


class _Stream(io.FileIO):
    """One of this process's standard streams; a write is whole or raises OSError."""

    def write(self, data: Any, /) -> int:
        """Writes all of `data` (bytes-like); returns its length."""
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest.nbytes:
            written = super().write(rest)
            if written is None:  # another program has made the terminal that both have one that does not wait
                select.select([], [self], [])
            else:
                rest = rest[written:]
        return size


class _Output(_Stream):
    """Standard output: what was asked for, so that it matters if it cannot be written."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        # A terminal that was closed gives EIO; so does a disk that breaks, which is no reason to be silent.
        self._gone = {errno.EPIPE, errno.EIO} if self.isatty() else {errno.EPIPE}

    def write(self, data: Any, /) -> int:
        """Raises UnreadError when nobody reads any more, MissingInputError on a full disk."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno in self._gone:
                raise UnreadError from None
            raise MissingInputError(
                f"standard output could not be written: {error.strerror}", "write it elsewhere"
            ) from None


class _Asides(_Stream):
    """Standard error: what is said beside the work, which goes on when nobody hears it any more."""

    def write(self, data: Any, /) -> int:
        """Writes what can be written."""
        with suppress(OSError):
            return super().write(data)
        return len(data)


def make_dependable() -> None:
    """For the launcher, before anything else is opened.

    A stream that the caller has closed (`2>&-`) is the null device: its number would go to the next file or socket
    that is opened, which would then be given what is meant for the stream. Standard output that nobody reads any more
    raises UnreadError, one that cannot be written MissingInputError; standard error never raises OSError, in no thread.
    """
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)  # noqa: FBT003 - so is it defined
    os.close(null)
    sys.stdin = sys.stdin or _opened(0, "r")
    sys.stdout = sys.stdout or _opened(1, "w")
    sys.stderr = sys.stderr or _opened(2, "w")
    if sys.platform != "win32":  # whose consoles are no files
        at_once = getattr(sys.stdout, "write_through", False)  # as `python -u` wants it
        sys.stdout = _text(io.BufferedWriter(_Output(1)), sys.stdout, at_once=at_once)
        # Nothing waits in it: a thread that is writing a line has no lock that the end of another one needs.
        sys.stderr = _text(_Asides(2, "w", closefd=False), sys.stderr, at_once=True)
    codecs.register_error(_TOLD, told)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_TOLD)


def told(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""What stands for characters that a stream's encoding has not (an error handler of `codecs`): the bytes of a
    file's name that is no text, else `\u25cf`, which is also how JSON writes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    try:
        return text.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        units = text.encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)), error.end


def _opened(descriptor: int, mode: str) -> TextIO:
    return cast(
        TextIO, os.fdopen(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
    )


def _text(stream: Any, before: TextIO, *, at_once: bool) -> TextIO:
    return io.TextIOWrapper(
        stream, before.encoding, before.errors, "\n", bool(before.line_buffering), write_through=at_once
    )
