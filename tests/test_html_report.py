"""The page about a run."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from faceswapd.core.errors import MissingInputError
from faceswapd.daemon.html_report import page, write
from faceswapd.daemon.process_report import FileReport, ProcessReport, summed
from faceswapd.daemon.progress import Sample


def result(*files: FileReport) -> ProcessReport:
    return summed(files, {"mesh478": "openvino CPU fp32"}, 2, 10.0, 18.0, 400.0)


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_tells_what_happened_and_asks_nobody() -> None:
    film = FileReport("a.mp4", "<b>.mp4", 90, 90, faces=80, encoder="libx264", stages_ms={"decode": 2.0, "swap": 8.0},
                      notes=("odd & cut",))  # fmt: skip
    broken = FileReport("c.mp4", "d.mp4", error="c.mp4 is no film")
    seen = Seen()
    seen.feed(page(result(film, broken), [Sample(0, 0), Sample(1, 9), Sample(2, 30), Sample(3, 60)]))
    assert seen.links == []
    assert "script" not in seen.tags
    assert "b" not in seen.tags
    assert seen.tags.count("polyline") == 1
    assert seen.tags.count("rect") == 2
    for text in ("<b>.mp4", "odd & cut", "c.mp4 is no film", "90 in, 90 out, 0 dropped", "30 fps", "8.00"):
        assert text in seen.text


def test_nothing_to_plot_is_said() -> None:
    text = page(result(), [Sample(0, 0)])
    assert "too soon" in text
    assert "Nothing was processed" in text


def test_it_is_written_or_refused(tmp_path: Path) -> None:
    write(tmp_path / "r.html", result(), [])
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(MissingInputError, match="cannot write"):
        write(tmp_path / "no" / "r.html", result(), [])
