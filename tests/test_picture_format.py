"""What tells the kinds of pictures."""

import pytest

from faceswapd.core.picture_format import (
    HEAD,
    READABLE_SUFFIXES,
    WRITABLE,
    WRITABLE_SUFFIXES,
    PictureFormat,
    in_words,
    named,
    seen_in,
)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xdb", PictureFormat.JPEG),
        (b"\x89PNG\r\n\x1a\n", PictureFormat.PNG),
        (b"RIFF\1\2\3\4WEBPVP8 ", PictureFormat.WEBP),
        (b"\0\0\0\x20ftypavif\0\0\0\0", PictureFormat.AVIF),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1miafavif", PictureFormat.AVIF),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1heic", PictureFormat.HEIC),
        (b"\0\0\0\x20ftypheix\0\0\0\0", PictureFormat.HEIC),
        (b"II*\0", PictureFormat.TIFF),
        (b"MM\0+", PictureFormat.TIFF),
        (b"BM" + bytes(12) + b"\x28\0\0\0", PictureFormat.BMP),
        (b"BM and other letters", None),
        (b"\0\0\0\x20ftypisom\0\0\0\0", None),
        (b"GIF89a", None),
        (b"", None),
    ],
)
def test_a_file_s_beginning_tells(head: bytes, kind: PictureFormat | None) -> None:
    assert seen_in(head) is kind
    assert seen_in(head + b"\n" * HEAD) is kind


def test_names() -> None:
    assert named(".JFIF") is PictureFormat.JPEG
    assert named(".hif") is PictureFormat.HEIC
    assert named(".mp4") is named("") is None
    assert {".heic", ".heif", ".hif"} == READABLE_SUFFIXES - WRITABLE_SUFFIXES
    assert in_words(WRITABLE) == "JPEG, PNG, WebP, AVIF, TIFF and BMP"
