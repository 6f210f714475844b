import os
import sys
import threading

import pytest

from faceswapd.daemon.standard_streams import _Asides, _Output

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a console is no file there")


@pytest.mark.parametrize("kind", [_Asides, _Output])
def test_a_stream_that_does_not_wait_is_waited_for(kind: type[_Asides | _Output]) -> None:
    """Another program that has the same terminal may have made it so; what does not fit at once is not lost."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text, got = os.urandom(1 << 20), bytearray()

    def read() -> None:
        while part := os.read(reader, 1 << 16):
            got.extend(part)

    thread = threading.Thread(target=read)
    thread.start()
    stream = _Output(writer) if kind is _Output else _Asides(writer, "w", closefd=False)
    assert stream.write(text) == len(text)
    os.close(writer)
    thread.join()
    os.close(reader)

    assert bytes(got) == text
