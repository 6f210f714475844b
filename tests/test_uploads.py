import pytest

from faceswapd.control.methods import FaceAdd
from faceswapd.control.protocol import RpcError
from faceswapd.control.uploads import MAX_UPLOADS, Uploads


def chunk(data: bytes, offset: int, total: int = 6, name: str = "me") -> FaceAdd:
    return FaceAdd(name, "self", data, offset, total)


def test_chunks_become_a_picture() -> None:
    uploads = Uploads()

    assert uploads.add("a", chunk(b"abc", 0)) is None
    assert uploads.add("b", chunk(b"xyz", 0)) is None
    assert uploads.add("a", chunk(b"def", 3)) == b"abcdef"
    assert uploads.add("b", chunk(b"!!!", 3)) == b"xyz!!!"
    assert uploads.add("a", chunk(b"at once", 0, 7)) == b"at once"


@pytest.mark.parametrize(
    "wrong",
    [chunk(b"def", 2), chunk(b"def", 4), chunk(b"defg", 3), chunk(b"", 3), chunk(b"def", 3, 7),
     chunk(b"def", 3, name="you")],
)  # fmt: skip
def test_what_is_not_the_next_chunk_ends_it(wrong: FaceAdd) -> None:
    uploads = Uploads()
    uploads.add("a", chunk(b"abc", 0))

    with pytest.raises(RpcError, match="not the next chunk"):
        uploads.add("a", wrong)
    with pytest.raises(RpcError, match="not the next chunk"):
        uploads.add("a", chunk(b"def", 3))


def test_an_upload_may_begin_anew() -> None:
    uploads = Uploads()
    uploads.add("a", chunk(b"abc", 0))
    uploads.add("a", chunk(b"ABC", 0))

    assert uploads.add("a", chunk(b"DEF", 3)) == b"ABCDEF"


def test_there_are_only_so_many_at_once() -> None:
    uploads = Uploads()
    for n in range(MAX_UPLOADS):
        uploads.add(n, chunk(b"abc", 0))

    with pytest.raises(RpcError) as caught:
        uploads.add("one more", chunk(b"abc", 0))
    assert caught.value.code == "too_many"

    uploads.drop(0)
    assert uploads.add("one more", chunk(b"abc", 0)) is None
