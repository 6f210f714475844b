"""What becomes of which input."""

import os
import sys
from pathlib import Path

import pytest

from faceswapd.core.errors import MissingInputError, UsageError
from faceswapd.daemon.jobs import Job, plan


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_one_file_gets_the_name_it_is_given(tmp_path: Path) -> None:
    film, out = tmp_path / "a.avi", tmp_path / "b.mp4"
    assert plan([str(film)], out) == [Job(film, out, "film")]
    picture, out = tmp_path / "a.png", tmp_path / "b.jpg"
    assert plan([str(picture)], out) == [Job(picture, out, "picture")]


def test_several_files_go_into_a_folder_under_their_names(tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in ("a.avi", "b.mkv", "c.JPG", "d.gif")]
    jobs = plan([str(p) for p in inputs], tmp_path / "out")
    assert [j.target.name for j in jobs] == ["a.mp4", "b.mkv", "c.JPG", "d.mp4"]
    assert [j.kind for j in jobs] == ["film", "film", "picture", "film"]


def test_a_folder_keeps_its_tree(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "in" / "done"
    touch(
        folder / "b.png",
        folder / "deep" / "a.mp4",
        folder / "note.txt",
        folder / ".x.png",
        folder / ".y" / "a.png",
    )
    touch(out / "old.png")
    jobs = plan([str(folder)], out)
    assert [(j.source, j.target) for j in jobs] == [
        (folder / "b.png", out / "b.png"),
        (folder / "deep" / "a.mp4", out / "deep" / "a.mp4"),
    ]


def test_a_list_names_files(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"# mine\n\n{tmp_path}/a.mp4\n  {tmp_path}/é.png \n", encoding="utf-8")
    jobs = plan([f"@{tmp_path}/list"], tmp_path / "out")
    assert [j.source.name for j in jobs] == ["a.mp4", "é.png"]


def test_what_exists_needs_overwrite(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    with pytest.raises(UsageError, match="--overwrite"):
        plan([f"{tmp_path}/a.mp4"], tmp_path / "b.mp4")
    assert len(plan([f"{tmp_path}/a.mp4"], tmp_path / "b.mp4", overwrite=True)) == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_input_is_never_the_output(tmp_path: Path, overwrite: bool) -> None:
    touch(tmp_path / "a.mp4")
    with pytest.raises(UsageError, match="input itself"):
        plan([f"{tmp_path}/a.mp4"], tmp_path, overwrite=overwrite)


def test_a_folder_is_never_its_own_output(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.png", tmp_path / "in" / "deep" / "b.png")
    for output in (tmp_path / "in", tmp_path / "in" / "deep" / ".."):
        with pytest.raises(UsageError, match="input itself"):
            plan([str(tmp_path / "in")], output, overwrite=True)
    # The folder above is another one.
    jobs = plan([str(tmp_path / "in" / "deep")], tmp_path / "in")
    assert [job.target for job in jobs] == [tmp_path / "in" / "b.png"]


def test_a_film_s_name_is_no_folder_for_several(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.mp4", tmp_path / "b.mp4")
    for inputs in ([str(tmp_path / "in")], [str(tmp_path / "in" / "a.mp4"), str(tmp_path / "b.mp4")]):
        with pytest.raises(UsageError, match=r"x\.mp4 names a file: several inputs need a folder"):
            plan(inputs, tmp_path / "x.mp4")
    (tmp_path / "y.mp4").mkdir()
    assert len(plan([str(tmp_path / "in")], tmp_path / "y.mp4")) == 1
    assert len(plan([str(tmp_path / "in")], tmp_path / "v1.2")) == 1


def test_places_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="-o -: process writes files"):
        plan([f"{tmp_path}/a.mp4"], Path("-"))
    with pytest.raises(UsageError, match="/dev/null is no kind of film"):
        plan([f"{tmp_path}/a.mp4"], Path("/dev/null"))
    with pytest.raises(UsageError, match=r"http://x/a\.mp4 is an address: process takes files"):
        plan(["http://x/a.mp4"], tmp_path / "b.mp4")


def test_films_that_would_have_one_name_keep_apart(tmp_path: Path) -> None:
    names = ["a.avi", "a.mp4", "b.avi", "c.avi", "c.gif"]
    touch(*(tmp_path / "in" / name for name in names))
    jobs = plan([str(tmp_path / "in")], tmp_path / "out")
    assert [job.target.name for job in jobs] == ["a.avi.mp4", "a.mp4", "b.mp4", "c.avi.mp4", "c.gif.mp4"]


def test_outputs_that_cannot_be_meant(tmp_path: Path) -> None:
    touch(tmp_path / "file.mp4")
    with pytest.raises(UsageError, match="kind of film"):
        plan([f"{tmp_path}/a.mp4"], tmp_path / "b.txt")
    with pytest.raises(UsageError, match="kind of picture"):
        plan([f"{tmp_path}/a.png"], tmp_path / "b.mp4")
    with pytest.raises(UsageError, match="both become"):
        plan([f"{tmp_path}/x/a.mp4", f"{tmp_path}/y/a.mp4"], tmp_path / "out")
    with pytest.raises(UsageError, match="need a folder"):
        plan([f"{tmp_path}/a.mp4", f"{tmp_path}/b.mp4"], tmp_path / "file.mp4", overwrite=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="no picture and no film"):
        plan([f"{tmp_path}/empty"], tmp_path / "out")
    with pytest.raises(MissingInputError, match="list"):
        plan([f"@{tmp_path}/nolist"], tmp_path / "out")


def test_pictures_that_cannot_be_written_as_they_are_become_what_everybody_reads(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(*(folder / name for name in ("a.HEIC", "b.heic", "B.JPG", "c.jfif", "d.hif", "e.TIF")))
    jobs = plan([str(folder)], tmp_path / "out")
    assert [job.target.name for job in jobs] == ["B.JPG", "a.jpg", "b.heic.jpg", "c.jfif", "d.jpg", "e.TIF"]
    with pytest.raises(UsageError, match=r"x\.heic is no kind of picture: its name ends with \.apng, \.avif"):
        plan([f"{folder}/a.HEIC"], tmp_path / "x.heic")


def test_what_a_file_is_decides_where_its_name_says_nothing(tmp_path: Path) -> None:
    jpeg, gif = b"\xff\xd8\xff\xe0" + bytes(60), b"GIF89a" + bytes(60)
    for name, content in (("noname", jpeg), ("v1.2", jpeg), ("a.gif", jpeg), ("b.png", gif), ("c.png", jpeg)):
        (tmp_path / name).write_bytes(content)
    jobs = plan([str(tmp_path / n) for n in ("noname", "v1.2", "a.gif", "b.png", "c.png")], tmp_path / "out")
    assert [(job.target.name, job.kind) for job in jobs] == [
        ("noname.jpg", "picture"), ("v1.2.jpg", "picture"), ("a.jpg", "picture"), ("b.mp4", "film"),
        ("c.png", "picture"),
    ]  # fmt: skip


def test_a_name_that_is_meant_as_a_folder_is_one(tmp_path: Path) -> None:
    source, out = tmp_path / "a.mp4", tmp_path / "b.mp4"
    touch(source)
    assert plan([str(source)], out, folder=True) == [Job(source, out / "a.mp4", "film")]
    touch(out)
    with pytest.raises(UsageError, match="is a file"):
        plan([str(source)], out, folder=True, overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators there")
def test_what_a_link_points_to_is_written(tmp_path: Path) -> None:
    source, elsewhere, link = tmp_path / "a.mp4", tmp_path / "disk" / "b.mp4", tmp_path / "b.mp4"
    touch(source)
    link.symlink_to(elsewhere)
    assert plan([str(source)], link)[0].target == elsewhere  # it may not be there yet
    touch(elsewhere)
    with pytest.raises(UsageError, match="exists"):
        plan([str(source)], link)
    link.unlink()
    link.symlink_to(source)
    with pytest.raises(UsageError, match="is the input itself"):
        plan([str(source)], link, overwrite=True)
    link.unlink()
    link.symlink_to(tmp_path / "b.bin")
    with pytest.raises(UsageError, match="called otherwise"):
        plan([str(source)], link)
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(UsageError, match="leads nowhere"):
        plan([str(source)], link, overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
@pytest.mark.parametrize("name", ["a.mp4", "a.png"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match="is a pipe"):
        plan([str(tmp_path / name)], tmp_path / "out")
