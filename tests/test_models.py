import hashlib
import json
import sys
from pathlib import Path

import pytest
import standins

from faceswapd.daemon import places
from faceswapd.daemon.cli import main
from faceswapd.inference import shelf
from faceswapd.inference.catalogue import Known
from faceswapd.inference.locks import at_work
from faceswapd.inference.shelf import Shelf

INSWAPPER = standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "data_dir", lambda: tmp_path / "data")
    (tmp_path / "inswapper_128.onnx").write_bytes(INSWAPPER)
    return tmp_path


def spoken(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["models", *words]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.out + said.err


def test_what_is_here_and_what_is_known_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    added = json.loads(spoken(capsys, "add", str(home / "inswapper_128.onnx"), "--json"))
    rows = {r["model"]: r for r in json.loads(spoken(capsys, "list", "--json"))}

    assert added["sha256"] == hashlib.sha256(INSWAPPER).hexdigest()
    assert rows["inswapper_128"]["state"] == "here"
    assert rows["inswapper_128"]["size"] == len(INSWAPPER)
    assert rows["inswapper_128"]["needs"] == ["w600k_r50"]
    assert (rows["w600k_r50"]["state"], rows["w600k_r50"]["size"]) == ("pull", 174383860)
    assert (rows["ghost_1_256"]["state"], rows["ghost_1_256"]["size"]) == ("add", 0)
    said = spoken(capsys, "list")
    assert "InsightFace-NC" in said
    assert "models pull, 174 MB" in said


def test_a_narrow_terminal_still_says_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert "models pull, 174 MB" in spoken(capsys, "list")


def test_a_digest_alone_does_not_make_a_model_one_that_can_be_pulled(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {r["model"]: r for r in json.loads(spoken(capsys, "list", "--json"))}
    row = rows["inswapper_128"]
    assert row["sha256"]
    assert (row["state"], row["size"]) == ("add", 554253681)
    assert "models add inswapper_128.onnx" in spoken(capsys, "pull", "inswapper_128", code=78)
    (line,) = [w for w in spoken(capsys, "list").splitlines() if w.startswith("inswapper_128 ")]
    assert line.rstrip().endswith("models add")


def test_files_are_verified_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spoken(capsys, "verify") == "no models are here\n"
    said = spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    assert "any number of faces in one run" in said
    assert "it needs more: model w600k_r50 is not here: faceswapd models pull w600k_r50" in said
    assert spoken(capsys, "verify") == "inswapper_128: ok\n"

    (home / "data/models/inswapper_128/model.onnx").write_bytes(b"x")
    assert "bytes instead of" in spoken(capsys, "verify", "inswapper_128", code=78)
    assert json.loads(spoken(capsys, "remove", "inswapper_128", "--json")) == {"removed": "inswapper_128"}
    assert "models pull" in spoken(capsys, "verify", "inswapper_128", code=78)


def test_a_licence_is_shown_and_has_to_be_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Non-commercial" in spoken(capsys, "licence", "w600k_r50")
    assert "is not accepted" in spoken(capsys, "pull", "w600k_r50", code=64)
    assert "not MIT" in spoken(capsys, "pull", "w600k_r50", "--accept-licence", "MIT", code=64)
    assert "models add inswapper_128.onnx" in spoken(capsys, "pull", "inswapper_128", code=78)
    for action in ("licence", "remove", "pull"):
        assert "no model is called 'nose': see `faceswapd models list`" in spoken(
            capsys, action, "nose", code=64
        )


def test_an_own_build_serves_in_the_place_of_a_known_model(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "w600k_r50.onnx").write_bytes(standins.recogniser())
    file = str(home / "w600k_r50.onnx")
    swapper = str(home / "mine.onnx")
    Path(swapper).write_bytes(INSWAPPER)

    assert "needs more: model w600k_r50 is not here" in spoken(capsys, "add", swapper)
    assert "with --serves w600k_r50" in spoken(capsys, "add", file, code=78)
    assert "no model is called 'nose'" in spoken(capsys, "add", file, "--serves", "nose", code=64)
    said = spoken(capsys, "add", file, "--serves", "w600k_r50")
    assert said.startswith("w600k_r50.own is here: family arcface_112, licence unknown")
    assert "serves as w600k_r50" in said
    again = spoken(capsys, "add", file, "--name", "b", "--serves", "w600k_r50", code=64)
    assert "w600k_r50.own serves as w600k_r50 already" in again
    assert "needs more" not in spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    assert "serves as w600k_r50" in " ".join(spoken(capsys, "list").split())
    assert "Known models of its family are under InsightFace-NC" in spoken(capsys, "licence", "w600k_r50.own")

    spoken(capsys, "remove", "w600k_r50.own")
    assert "w600k_r50 is not here" in spoken(capsys, "remove", "w600k_r50", code=78)


def test_what_cannot_be_added(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(home / "inswapper_128.onnx")
    assert "the name of a pack" in spoken(capsys, "add", file, "--name", "buffalo_l", code=64)
    assert "no family is called 'nose'" in spoken(capsys, "add", file, "--family", "nose", code=64)


def test_a_file_of_another_size_is_listed_as_such(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    (home / "data/models/inswapper_128/model.onnx").write_bytes(b"x")

    rows = {r["model"]: r for r in json.loads(spoken(capsys, "list", "--json"))}
    assert rows["inswapper_128"]["state"] == "broken"
    assert "broken: models verify inswapper_128" in " ".join(spoken(capsys, "list").split())


@pytest.mark.parametrize("card", ["{", '{"model": "x"}', None])
def test_a_model_without_a_readable_card_is_shown_and_said_to_be_broken(
    home: Path, capsys: pytest.CaptureFixture[str], card: str | None
) -> None:
    spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    path = home / "data/models/inswapper_128/card.json"
    path.unlink() if card is None else path.write_text(card)

    rows = [r for r in json.loads(spoken(capsys, "list", "--json")) if r["model"] == "inswapper_128"]
    assert [r["state"] for r in rows] == ["broken"]
    said = spoken(capsys, "verify", code=78)
    assert "model inswapper_128: its card cannot be read" in said
    assert "faceswapd models remove inswapper_128" in said
    spoken(capsys, "remove", "inswapper_128")


def test_a_family_of_a_newer_version_spoils_nothing_but_its_own_model(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    spoken(capsys, "add", str(home / "inswapper_128.onnx"), "--name", "mine")
    path = home / "data/models/mine/card.json"
    path.write_text(path.read_text().replace("inswapper_128", "swapper_of_2030"))

    rows = {r["model"]: r["state"] for r in json.loads(spoken(capsys, "list", "--json"))}
    assert (rows["inswapper_128"], rows["mine"]) == ("here", "broken")
    assert "family swapper_of_2030, which this version does not know" in spoken(capsys, "verify", code=78)


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_what_a_crash_left_goes_unless_somebody_is_at_work(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "data/models"
    (left := folder / ".new-x").mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half")
    (part := folder / ".part-w600k_r50").write_bytes(b"half")

    with at_work(folder):
        spoken(capsys, "list")
        assert (left / "model.onnx").exists(), "another process may be filling it"
    spoken(capsys, "list")
    assert list(folder.iterdir()) == [part], "a broken download is gone on with"


def test_adding_and_removing_hold_the_folder(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process that clears what is left behind, at the worst moments."""
    other, rename, swept = Shelf(home / "data/models"), Path.rename, []

    def meanwhile(self: Path, to: Path) -> Path:
        other.sweep()
        swept.append(to)
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", meanwhile)
    spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    spoken(capsys, "verify")
    spoken(capsys, "remove", "inswapper_128")
    assert len(swept) == 2
    assert list(other.folder.iterdir()) == []


def test_who_pulls_what_is_here_has_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = standins.recogniser()
    digest = hashlib.sha256(content).hexdigest()
    arc = Known("arcface_112", "arc.onnx", "MIT", digest, "https://models.test/arc.onnx")
    monkeypatch.setattr(shelf, "known", lambda: {"arc": arc})
    (home / "arc.onnx").write_bytes(content)
    spoken(capsys, "add", str(home / "arc.onnx"))

    assert spoken(capsys, "pull", "arc").startswith("arc is here: ")
    assert json.loads(spoken(capsys, "pull", "arc", "--json"))["sha256"] == digest
    (home / "data/models/arc/model.onnx").write_bytes(b"x")
    assert "is called arc already: faceswapd models remove arc" in spoken(capsys, "pull", "arc", code=64)
