import hashlib
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from errno import ENOSPC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import standins

from faceswapd.core.errors import (
    BusyError,
    ConfigError,
    MissingInputError,
    ModelError,
    NoDeviceError,
    UsageError,
)
from faceswapd.inference.catalogue import Known
from faceswapd.inference.download import pull
from faceswapd.inference.shelf import Shelf

CONTENT = standins.recogniser()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Site(ThreadingHTTPServer):
    """Serves one file; `cut` ends the answer early, `stalled` lets it wait there, `ranges` says whether it can go on
    in the middle, `told` whether it says how much comes."""

    content = CONTENT
    cut: int | None = None
    stalled: threading.Event | None = None
    ranges = True
    told = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str | None] = []


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, asked = self.server, self.headers.get("Range")
        site.asked.append(asked)
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://models.test/model.onnx")
            self.end_headers()
            return
        if self.path != "/model.onnx":
            self.send_error(404)
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and site.ranges else 0
        if start >= len(site.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if site.told:
            self.send_header("Content-Length", str(len(site.content) - start))
        self.end_headers()
        self.wfile.write(site.content[start : site.cut])
        if site.stalled is not None:
            site.stalled.wait(20)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not to stderr."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def shelf(tmp_path: Path, site: Site, sha256: str = SHA256, path: str = "model.onnx", size: int = 0) -> Shelf:
    url = f"http://127.0.0.1:{site.server_port}/{path}"
    return Shelf(
        tmp_path / "models", {"arc": Known("arcface_112", "arc.onnx", "MIT", sha256, url, size=size)}
    )


def has_room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(free, 0, free))


def test_a_model_is_pulled_checked_and_put_in_its_place(tmp_path: Path, site: Site) -> None:
    seen: list[tuple[int, int]] = []
    to = shelf(tmp_path, site)
    card = pull(to, "arc", "2026-11-22", lambda here, whole: seen.append((here, whole)))

    assert (card.model, card.family, card.file, card.accepted) == (
        "arc",
        "arcface_112",
        "arc.onnx",
        "2026-11-22",
    )
    assert to.read("arc") == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in to.folder.iterdir()] == ["arc"]
    with pytest.raises(UsageError, match="already"):
        pull(to, "arc", "")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_gone_on_with(tmp_path: Path, site: Site, ranges: bool) -> None:
    to, site.cut, site.ranges = shelf(tmp_path, site), 100_000, ranges
    with pytest.raises(MissingInputError, match=f"ended after 100000 of {len(CONTENT)} bytes.*gone on with"):
        pull(to, "arc", "")
    assert to.cards() == ()

    site.cut = None
    pull(to, "arc", "")
    assert site.asked == [None, "bytes=100000-"]
    assert to.read("arc") == CONTENT


def test_an_interruption_keeps_what_has_come(tmp_path: Path, site: Site) -> None:
    def interrupt(here: int, _whole: int) -> None:
        if here >= 50_000:
            raise KeyboardInterrupt

    to, site.cut, site.stalled = shelf(tmp_path, site), 50_000, threading.Event()
    with pytest.raises(KeyboardInterrupt):
        pull(to, "arc", "", interrupt)
    site.stalled.set()
    assert (to.folder / ".part-arc").read_bytes() == CONTENT[:50_000]

    to.remove("arc")
    assert list(to.folder.iterdir()) == [], "who does not want it any more has his disk back"
    with pytest.raises(ModelError, match="arc is not here"):
        to.remove("arc")


def test_a_whole_part_is_not_fetched_again(tmp_path: Path, site: Site) -> None:
    to = shelf(tmp_path, site)
    to.folder.mkdir()
    (to.folder / ".part-arc").write_bytes(CONTENT)

    assert pull(to, "arc", "").sha256 == SHA256


def test_what_was_pulled_is_moved_into_its_place(tmp_path: Path, site: Site) -> None:
    to, part = shelf(tmp_path, site), tmp_path / "models/.part-arc"
    files: list[int] = []
    pull(to, "arc", "", lambda *_: files.append(part.stat().st_ino))

    assert {*files, (to.folder / "arc/model.onnx").stat().st_ino} == {files[0]}


def test_a_file_that_cannot_be_put_in_its_place_is_not_lost(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes) -> int:
        raise OSError(ENOSPC, "No space left on device")

    to = shelf(tmp_path, site)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "write_bytes", full)
        with pytest.raises(ConfigError, match="models cannot be written: No space left on device"):
            pull(to, "arc", "")
    assert [p.name for p in to.folder.iterdir()] == [".part-arc"]

    pull(to, "arc", "")
    assert site.asked == [None, f"bytes={len(CONTENT)}-"], "there was nothing left to be sent"
    assert to.read("arc") == CONTENT


def test_a_wrong_hash_throws_the_file_away(tmp_path: Path, site: Site) -> None:
    to = shelf(tmp_path, site, "0" * 64)
    with pytest.raises(ModelError, match=f"SHA-256 {SHA256} instead of 0000.*thrown away"):
        pull(to, "arc", "")

    assert list(to.folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="files are not held there")
def test_two_pulls_of_one_model_do_not_write_into_each_other(tmp_path: Path, site: Site) -> None:
    to = shelf(tmp_path, site)

    def second(here: int, _whole: int) -> None:
        assert here
        with pytest.raises(BusyError, match="model arc is being pulled already"):
            pull(to, "arc", "")

    pull(to, "arc", "", second)
    assert to.read("arc") == CONTENT


def test_a_model_that_two_have_added_at_once_is_the_firsts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "arc.onnx"
    path.write_bytes(CONTENT)
    one, two = Shelf(tmp_path / "models"), Shelf(tmp_path / "models")
    check = one.check_free

    def late(name: str) -> None:
        monkeypatch.setattr(one, "check_free", check)
        two.add(path, name)

    monkeypatch.setattr(one, "check_free", late)
    with pytest.raises(UsageError, match="a model is called arc already"):
        one.add(path, "arc")
    assert [p.name for p in one.folder.iterdir()] == ["arc"]


@pytest.mark.parametrize("there", [0, 100_000])
def test_a_server_that_offers_another_size_is_refused_at_once(tmp_path: Path, site: Site, there: int) -> None:
    to = shelf(tmp_path, site, size=len(CONTENT) + 1)
    part = to.folder / ".part-arc"
    if there:
        to.folder.mkdir()
        part.write_bytes(CONTENT[:there])
    wrong = rf"offers {len(CONTENT)} bytes, arc\.onnx has {len(CONTENT) + 1}: .*models add arc\.onnx"

    for ranges in (True, False):
        site.ranges = ranges
        with pytest.raises(ModelError, match=wrong):
            pull(to, "arc", "", lambda *_: pytest.fail("nothing of it is to be written"))
        assert (part.read_bytes() if there else b"") == CONTENT[:there], "what came before is kept"


def test_a_server_that_does_not_say_how_much_comes_is_measured_by_what_is_known(
    tmp_path: Path, site: Site
) -> None:
    to, site.told, site.cut = shelf(tmp_path, site, size=len(CONTENT)), False, 100_000
    with pytest.raises(MissingInputError, match=f"ended after 100000 of {len(CONTENT)} bytes"):
        pull(to, "arc", "")

    seen: list[tuple[int, int]] = []
    site.cut = None
    pull(to, "arc", "", lambda here, whole: seen.append((here, whole)))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert to.read("arc") == CONTENT


@pytest.mark.parametrize("known", [True, False])
def test_a_disk_without_room_is_told_before_the_first_byte(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    to = shelf(tmp_path, site, size=len(CONTENT) if known else 0)
    needed = len(CONTENT)  # once: what was pulled is moved, not copied
    has_room(monkeypatch, needed - 1)
    words = (
        rf"models has {(needed - 1) // 10**6} MB free, arc\.onnx needs {-(-needed // 10**6)} MB: make room"
    )
    with pytest.raises(ConfigError, match=words):
        pull(to, "arc", "")
    assert len(site.asked) == (not known), "nobody is asked where the catalogue says how much comes"
    assert list(to.folder.iterdir()) == []

    (to.folder / ".part-arc").write_bytes(CONTENT[:100_000])
    has_room(monkeypatch, needed - 100_000)  # what is here already needs no room
    pull(to, "arc", "")
    assert to.read("arc") == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_not_blamed_on_the_network(tmp_path: Path, site: Site) -> None:
    to = shelf(tmp_path, site)
    to.folder.mkdir()
    (to.folder / ".part-arc").symlink_to("/dev/full")

    with pytest.raises(ConfigError, match="models cannot be written: No space left on device"):
        pull(to, "arc", "")


def test_what_cannot_be_pulled_says_so(tmp_path: Path, site: Site) -> None:
    with pytest.raises(MissingInputError, match=r"the server says 404 .*: faceswapd models add arc\.onnx"):
        pull(shelf(tmp_path, site, path="other"), "arc", "")
    assert list((tmp_path / "models").iterdir()) == []
    with pytest.raises(ModelError, match=r"http://models.test/model.onnx is no https address"):
        pull(shelf(tmp_path, site, path="elsewhere"), "arc", "")
    with pytest.raises(ModelError, match="no model is called 'nose': known are arc"):
        pull(shelf(tmp_path, site), "nose", "")
    house = Shelf(tmp_path / "house")
    with pytest.raises(ModelError, match=r"ghost_1_256 is offered nowhere.*: .*models add ghost_1_256\.onnx"):
        pull(house, "ghost_1_256", "")
    with pytest.raises(ModelError, match=r"offered nowhere \(InsightFace withdrew .*pull inswapper_128_fp16"):
        pull(house, "inswapper_128", "")
    plain = Shelf(
        tmp_path / "m", {"arc": Known("arcface_112", "arc.onnx", "MIT", SHA256, "http://models.test/a")}
    )
    with pytest.raises(ModelError, match="no https address"):
        pull(plain, "arc", "")


def test_no_network_is_one_clean_line(tmp_path: Path) -> None:
    nobody = Known("arcface_112", "arc.onnx", "MIT", SHA256, "http://127.0.0.1:1/model.onnx")
    with pytest.raises(NoDeviceError) as caught:
        pull(Shelf(tmp_path / "models", {"arc": nobody}), "arc", "")
    assert str(caught.value) == "127.0.0.1 cannot be reached: check the network, then try again"
    assert caught.value.exit_code == 69
