"""Pictures side by side, and one by one where memory is limited."""

import struct
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_film_job import step
from test_film_job import studio as studio

from faceswapd.capture.picture import format_of
from faceswapd.core.errors import BadInputError
from faceswapd.core.meter import Meter
from faceswapd.core.picture_format import PictureFormat
from faceswapd.daemon.picture_job import PictureJob
from faceswapd.daemon.studio import Studio
from faceswapd.processors.chain import Chain
from faceswapd.processors.processor import Picture


@pytest.mark.parametrize(("max_bytes", "at_once"), [(None, 2), (20_000, 1), (1 << 40, 2)])
def test_as_many_at_once_as_there_is_memory_for(
    studio: Studio, tmp_path: Path, max_bytes: int | None, at_once: int
) -> None:
    lock, working, most = threading.Lock(), [0], [0]
    together = threading.Barrier(at_once)

    def slow(picture: Picture) -> Picture:
        with lock:
            working[0] += 1
            most[0] = max(most[0], working[0])
        together.wait(20)  # each is made beside another, or this breaks
        time.sleep(0.01)  # one more would come in
        with lock:
            working[0] -= 1
        picture.pixels[:] = 255 - picture.pixels
        return picture

    for n in range(6):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.full((40, 60, 3), n, np.uint8))
    studio.chain, studio.max_bytes = Chain((step(slow),)), max_bytes
    job = PictureJob(studio)
    done = [
        studio.pool.submit(job.run, tmp_path / f"{n}.png", tmp_path / f"{n}.out.png", Meter())
        for n in range(6)
    ]
    assert [future.result().frames_out for future in done] == [1] * 6
    assert most[0] == at_once
    for n in range(6):
        assert (np.asarray(cv2.imread(str(tmp_path / f"{n}.out.png"))) == 255 - n).all()


def test_an_unreadable_picture_leaves_room_for_the_next(studio: Studio, tmp_path: Path) -> None:
    studio.chain, studio.max_bytes = Chain(), 20_000
    job = PictureJob(studio)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    with pytest.raises(Exception, match=r"bad\.png"):
        job.run(tmp_path / "bad.png", tmp_path / "out.png", Meter())
    cv2.imwrite(str(tmp_path / "good.png"), np.zeros((4, 4, 3), np.uint8))
    assert job.run(tmp_path / "good.png", tmp_path / "out.png", Meter()).frames_out == 1


def test_what_was_not_looked_at_does_not_come_along_unchanged(studio: Studio, tmp_path: Path) -> None:
    pages = [np.full((40, 60, 3), n, np.uint8) for n in (10, 20, 30)]
    cv2.imwritemulti(str(tmp_path / "a.tiff"), pages)
    cv2.imwrite(str(tmp_path / "b.jpg"), pages[0])
    with (tmp_path / "b.jpg").open("ab") as phone:
        phone.write(b"\0\0\0\x18ftypmp42 and so on")
    studio.chain = Chain((step(lambda picture: picture),))  # finds nothing to do
    for name in ("a.tiff", "b.jpg"):
        told = PictureJob(studio).run(tmp_path / name, tmp_path / f"out-{name}", Meter())
        assert any("3 pages" in note for note in told.notes) == (name == "a.tiff")
        assert b"ftyp" not in (tmp_path / f"out-{name}").read_bytes()
    done, found = cv2.imreadmulti(str(tmp_path / "out-a.tiff"))
    assert done
    assert [int(page.max()) for page in found] == [10]
    studio.chain = Chain()  # nobody wants anything hidden: as good as it was
    PictureJob(studio).run(tmp_path / "a.tiff", tmp_path / "same.tiff", Meter())
    assert (tmp_path / "same.tiff").read_bytes() == (tmp_path / "a.tiff").read_bytes()


def test_a_picture_that_alone_takes_more_than_there_is_is_refused_unread(
    studio: Studio, tmp_path: Path
) -> None:
    studio.chain, studio.max_bytes = Chain(), 100_000_000
    said = struct.pack(">II5B", 30_000, 20_000, 8, 2, 0, 0, 0)
    bomb = struct.pack(">I4s", 13, b"IHDR") + said + bytes(4)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bomb)
    with pytest.raises(
        BadInputError, match=r"bomb\.png has 30000x20000 pixels: allow it more memory than 3600 MB"
    ):
        PictureJob(studio).run(tmp_path / "bomb.png", tmp_path / "out.png", Meter())


def test_a_picture_becomes_what_its_new_name_says(studio: Studio, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 7, np.uint8))
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    cv2.imwrite(str(tmp_path / "b.jpg"), np.full((40, 60, 3), 7, np.uint8))
    studio.chain = Chain()
    for source, target, kind, same in (
        ("a.jpg", "a-out.jpg", PictureFormat.JPEG, False),
        ("a.jpg", "a-out.png", PictureFormat.PNG, True),
        ("b.jpg", "b-out.jfif", PictureFormat.JPEG, True),
    ):
        PictureJob(studio).run(tmp_path / source, tmp_path / target, Meter())
        assert format_of(tmp_path / target) is kind
        assert ((tmp_path / target).read_bytes() == (tmp_path / source).read_bytes()) is same
