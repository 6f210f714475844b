import io
import json

from rich.console import Console

from faceswapd.core.events import State, Stats
from faceswapd.core.meter import Quantiles
from faceswapd.daemon.report import Report, report, show, to_json

STATE = State(
    rev=3, phase="stopping", source="portrait:", outputs=("/dev/video9", "a.mp4"), size=(64, 48), fps=30.0,
    processors=(), face="mask", on_no_face="placeholder", showing="live", engine={"mesh478": "openvino CPU"},
    version="1",
)  # fmt: skip


def stats(frames: int = 300, face_frames: int = 200) -> Stats:
    return Stats(
        frames=frames, fps=29.97, latency_ms=Quantiles(9, 9, 9), latency_run_ms=Quantiles(10, 12, 14),
        stages_ms={"render": Quantiles(3, 4, 5), "track": Quantiles(1, 2, 3), "sink:a.mp4": Quantiles(7, 8, 9)},
        dropped={"stale": 2, "late": 1}, face_share=0.995, loop_lag_ms=Quantiles(0.1, 0.2, 0.3), uptime_s=11.0,
        face_frames=face_frames,
    )  # fmt: skip


def shown(result: Report) -> str:
    text = io.StringIO()
    show(result, Console(file=text, width=100))
    return text.getvalue()


def test_the_object_has_the_keys_that_programs_read() -> None:
    values = json.loads(to_json(report(STATE, stats(), ["a.mp4", "a-2.mp4"], 1.25)))

    assert values["frames"] == 300
    assert values["fps"] == 29.97
    assert values["latency_ms"] == {"p50": 10, "p95": 12, "p99": 14}
    assert values["stages_ms"]["render"] == {"p50": 3, "p95": 4, "p99": 5}
    assert values["dropped"] == {"stale": 2, "late": 1}
    assert values["face_share"] == 0.995
    assert values["engine"] == {"mesh478": "openvino CPU"}
    assert values["output"] == ["/dev/video9", "a.mp4"]
    assert values["saved"] == "a.mp4"
    assert values["films"] == ["a.mp4", "a-2.mp4"]


def test_the_table_shows_stages_in_a_frames_order_and_what_was_dropped() -> None:
    text = shown(report(STATE, stats(), ["a.mp4", "a-2.mp4"], 1.25))

    assert text.index("track") < text.index("render") < text.index("taken to handed over")
    assert "1 late, 2 stale" in text
    assert "99.5% of 200 frames" in text
    assert "first processed frame after 1.25 s" in text
    assert [line.split()[1] for line in text.splitlines() if "saved" in line] == ["a.mp4", "a-2.mp4"]


def test_a_run_without_faces_or_film_does_not_claim_any() -> None:
    text = shown(report(STATE, stats(face_frames=0), [], None))

    assert "none to hide or replace" in text
    assert "saved" not in text
