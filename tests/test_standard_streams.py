import codecs
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import faceswapd
from faceswapd.daemon.standard_streams import _Asides, _Output, told

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


def test_what_an_encoding_has_not_is_written_as_json_writes_it() -> None:
    codecs.register_error("test.told", told)
    name = b"caf\xe9".decode("utf-8", "surrogateescape")  # a file's name that is no text
    assert f"{name}.mp4".encode("ascii", "test.told") == b"caf\xe9.mp4"
    written = json.dumps("Zoë ● 🙂", ensure_ascii=False).encode("ascii", "test.told")
    assert json.loads(written) == "Zoë ● 🙂"


def test_a_shell_of_another_encoding_gets_every_line() -> None:
    script = (
        "from faceswapd.daemon.standard_streams import make_dependable as m; m(); print('\\u25cf Zo\\xeb')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True,
        cwd=Path(faceswapd.__file__).parent)  # fmt: skip

    assert done.stdout == b"\\u25cf Zo\xeb\n"
