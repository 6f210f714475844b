"""Our detectors beside insightface's own classes, on the same stand-in files and pictures; and its packs in our house.

Skipped where insightface is not installed (`uv sync --group insightface`).
"""

import importlib.util
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import cv2
import detector_standins
import numpy as np
import pytest
import standins
from structlog.testing import capture_logs

from faceswapd.core.errors import ConfigError, MissingInputError, ModelError, UsageError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import AnalysisSettings, InferenceSettings
from faceswapd.faces.detection import Detection
from faceswapd.inference import packs
from faceswapd.inference.detectors import ShelfDetector
from faceswapd.inference.engines import Engines
from faceswapd.inference.insight_analysis import InsightAnalysis
from faceswapd.inference.providers import PROVIDERS
from faceswapd.inference.swapper import Swapper, unit
from faceswapd.processors.analysis import Analysis

pytestmark = pytest.mark.filterwarnings("ignore")
ASSETS = Path(__file__).parent / "assets"
PICTURES = sorted(p.name for p in ASSETS.iterdir() if p.suffix in (".png", ".jpg"))
NOSE = (223, 131)
"""Of the astronaut."""
FIVE = detector_standins.scrfd(
    (8, 16, 32, 64, 128), anchors=1, names=("input", *(f"o{n}" for n in range(15)))
)


@pytest.fixture(scope="module")
def zoo() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from insightface.app import FaceAnalysis
            from insightface.model_zoo.retinaface import RetinaFace
            from insightface.model_zoo.scrfd import SCRFD
        except ImportError as error:
            pytest.skip(f"insightface is not installed ({error})")
    return SimpleNamespace(SCRFD=SCRFD, RetinaFace=RetinaFace, FaceAnalysis=FaceAnalysis)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    names = [name for name in detector_standins.DETECTORS if name.startswith(("scrfd", "retina"))]
    boxes = {
        "boxes": detector_standins.scrfd_boxes(batch=True),
        "five_boxes": detector_standins.scrfd_boxes((8, 16, 32, 64, 128), anchors=1),
    }
    shelf = detector_standins.shelf(
        folder, *names, **boxes, five=FIVE, swapper=standins.standin("inswapper_128")
    )
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def picture(name: str) -> Pixels:
    return np.asarray(cv2.imread(str(ASSETS / name)), np.uint8)


def agree(ours: list[Detection], boxes: Any, points: Any) -> None:
    """Boxes and points, if there are any, within half a pixel, scores as good as equal, in the same order."""
    assert len(ours) == len(boxes) > 0
    np.testing.assert_allclose([d.box for d in ours], boxes[:, :4], atol=0.5)
    told = np.empty((len(ours), 0, 2)) if points is None else points
    np.testing.assert_allclose([d.keypoints for d in ours], told, atol=0.5)
    np.testing.assert_allclose([d.score for d in ours], boxes[:, 4], atol=1e-5)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(
    "model", ["scrfd_10g", "scrfd_2.5g", "scrfd_500m", "retinaface_10g", "five", "boxes", "five_boxes"]
)
def test_detections_agree_with_scrfd(zoo: Any, engines: Engines, model: str, name: str) -> None:
    theirs = zoo.SCRFD(str(engines.shelf.folder / model / "model.onnx"))
    theirs.prepare(-1, input_size=(640, 640))

    agree(ShelfDetector(engines, model).detect(picture(name), thorough=True), *theirs.detect(picture(name)))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("model", ["retinaface_10g", "five"])
def test_detections_agree_with_retinaface(zoo: Any, engines: Engines, model: str, name: str) -> None:
    theirs = zoo.RetinaFace(str(engines.shelf.folder / model / "model.onnx"))
    theirs.prepare(-1, input_size=(640, 640))

    ours = ShelfDetector(engines, model).detect(picture(name), thorough=True)
    agree(ours, *theirs.detect(picture(name)))


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (854, 480), (176, 144), (641, 639)])
def test_frames_of_any_shape_are_fitted_alike(zoo: Any, engines: Engines, size: tuple[int, int]) -> None:
    frame = np.asarray(cv2.resize(picture("astronaut.png"), size), np.uint8)
    theirs = zoo.SCRFD(str(engines.shelf.folder / "scrfd_10g" / "model.onnx"))
    theirs.prepare(-1, input_size=(320, 320))

    agree(ShelfDetector(engines, "scrfd_10g", 320).detect(frame, thorough=True), *theirs.detect(frame))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """insightface's folder with a pack of stand-ins under a real one's name."""
    home = tmp_path_factory.mktemp("insightface")
    place = packs.folder("buffalo_l", home)
    place.mkdir(parents=True)
    (place / "det_10g.onnx").write_bytes(detector_standins.scrfd(alive=(0, 1, 0)))
    (place / "w600k_r50.onnx").write_bytes(standins.standin("w600k_r50"))
    return home


def wearing_a_dot(pixels: Pixels, x: int, y: int) -> Pixels:
    """A red dot where the stand-ins are to see a nose."""
    return np.asarray(cv2.circle(pixels.copy(), (x, y), 5, (0, 0, 255), -1), np.uint8)


def test_a_pack_finds_and_knows_faces_as_face_analysis_does(zoo: Any, engines: Engines, home: Path) -> None:
    photo = picture("obama.jpg")
    place = packs.folder("buffalo_l", home)
    app = zoo.FaceAnalysis(name=str(place), providers=["CPUExecutionProvider"])
    app.prepare(ctx_id=-1, det_size=(640, 640))
    faces = app.get(photo)

    ours = InsightAnalysis("buffalo_l", home=home)
    found = ours.detect(photo, thorough=True)

    assert len(found) == len(faces) > 0
    for detection, face in zip(found, faces, strict=True):
        np.testing.assert_array_equal(detection.box, face.bbox)
        np.testing.assert_array_equal(detection.keypoints, face.kps)
        # However roughly others have found its points, it is aligned by its own.
        np.testing.assert_allclose(ours.of(photo, face.kps + 1), face.embedding, atol=1e-4)


@pytest.mark.usefixtures("zoo")
def test_a_face_that_the_pack_does_not_see_is_known_by_our_points(home: Path) -> None:
    photo = np.full((240, 320, 3), 90, np.uint8)
    photo[100:160, 120:200] = (20, 200, 60)
    five = np.array([[140, 110], [180, 110], [160, 130], [145, 150], [175, 150]], np.float32)

    embedding = InsightAnalysis("buffalo_l", home=home).of(photo, five)

    assert embedding.shape == (512,)
    assert np.linalg.norm(embedding) > 0.1


@pytest.mark.usefixtures("zoo")
def test_a_pack_without_a_recogniser_is_refused(tmp_path: Path) -> None:
    place = packs.folder("buffalo_sc", tmp_path)
    place.mkdir(parents=True)
    (place / "det_500m.onnx").write_bytes(detector_standins.scrfd())

    with pytest.raises(ModelError, match="buffalo_sc has no recogniser"):
        InsightAnalysis("buffalo_sc", home=tmp_path)


@pytest.mark.usefixtures("zoo")
def test_a_broken_pack_is_refused(tmp_path: Path) -> None:
    place = packs.folder("buffalo_l", tmp_path)
    place.mkdir(parents=True)
    (place / "det_10g.onnx").write_bytes(b"not a model")

    with pytest.raises(ModelError, match="buffalo_l does not load"):
        InsightAnalysis("buffalo_l", home=tmp_path)


@pytest.mark.usefixtures("zoo")
def test_a_pack_with_a_manifest_is_read_as_it_says(home: Path, tmp_path: Path) -> None:
    """The raccoon packs say which file does what, and have names that say nothing."""
    old, new = packs.folder("buffalo_l", home), packs.folder("raccoon_s", tmp_path)
    new.mkdir(parents=True)
    tasks = {"detection": ("a.onnx", "det_10g.onnx"), "recognition": ("b.onnx", "w600k_r50.onnx")}
    for name, model in tasks.values():
        (new / name).write_bytes((old / model).read_bytes())
    described = {
        "manifest_version": 2,
        "model_id": "raccoon_s",
        "license": "MODEL.LICENSE",
        "tasks": {task: {"file": name} for task, (name, _) in tasks.items()},
    }
    (new / "manifest.json").write_text(json.dumps(described))
    photo = picture("obama.jpg")

    agree(
        InsightAnalysis("raccoon_s", home=tmp_path).detect(photo, thorough=True),
        *InsightAnalysis("buffalo_l", home=home)._app.det_model.detect(photo),
    )
    # What insightface needs to check a signature is not installed with it: then the log says that nobody has looked.
    (new / "MODEL.LICENSE").write_text("{}")
    with capture_logs() as logs:
        if importlib.util.find_spec("cryptography") and importlib.util.find_spec("rfc8785"):
            with pytest.raises(ModelError, match="pack raccoon_s"):
                packs.found("raccoon_s", tmp_path)
        else:
            packs.found("raccoon_s", tmp_path)
            assert [entry["event"] for entry in logs] == ["pack.licence_unchecked"]


@pytest.mark.usefixtures("zoo")
def test_a_pack_is_pulled_by_insightfaces_own_downloader(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    thread = Thread(target=server.serve_forever)
    storage = packs.module("utils.storage")
    monkeypatch.setattr(storage, "MODEL_ZOO_RELEASE_DOWNLOAD_URL", f"http://127.0.0.1:{server.server_port}/")
    with ZipFile(tmp_path / "buffalo_s.zip", "w") as archive:
        for file in packs.folder("buffalo_l", home).iterdir():
            archive.write(file, file.name)
    (tmp_path / "buffalo_m.zip").write_bytes((tmp_path / "buffalo_s.zip").read_bytes()[:5000])
    thread.start()
    try:
        packs.pull("buffalo_s", tmp_path / "own")
        with pytest.raises(MissingInputError, match="not a zip file"):
            packs.pull("buffalo_m", tmp_path / "own")
        with pytest.raises(MissingInputError, match="Failed downloading"):
            packs.pull("raccoon_s", tmp_path / "own")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert packs.here(tmp_path / "own") == ("buffalo_s",)
    assert InsightAnalysis("buffalo_s", home=tmp_path / "own").detect(picture("obama.jpg"), thorough=True)


@pytest.mark.usefixtures("zoo")
def test_a_run_tracks_and_swaps_by_a_pack(
    engines: Engines, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "root", lambda: home)
    analysis = Analysis(engines, AnalysisSettings(backend="insightface"), engines.plan)
    photo = wearing_a_dot(picture("astronaut.png"), *NOSE)

    (face, *_) = analysis.tracker().track(Frame(0, 0, photo), every_frame=False).faces
    swapper = Swapper(engines, "swapper", analysis.recogniser())  # no recogniser is on the shelf
    (identity,) = swapper.identity([(photo, face.anchors, 1.0)])

    assert face.score > 0.5
    assert np.hypot(*(face.points[1, :2] - NOSE)) < 10
    assert analysis.serving() == {"buffalo_l": "insightface CPU"}
    expected = InsightAnalysis("buffalo_l", home=home).of(photo, face.anchors)
    np.testing.assert_allclose(unit(identity), unit(expected), atol=1e-5)


def test_a_provider_that_is_not_onnx_runtimes_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="not on openvino:gpu"):
        InsightAnalysis("buffalo_l", provider=PROVIDERS["openvino:gpu"], home=home)


@pytest.mark.usefixtures("zoo")
def test_a_provider_that_does_not_start_is_no_silent_processor(home: Path) -> None:
    with pytest.raises((ConfigError, ModelError), match=r"migraphx|MIGraphX"):
        InsightAnalysis("buffalo_l", provider=PROVIDERS["migraphx"], home=home)


@pytest.mark.usefixtures("zoo")
def test_a_pack_that_is_not_here_says_what_brings_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="faceswapd models pull antelopev2"):
        InsightAnalysis("antelopev2", home=tmp_path)
    with pytest.raises(UsageError, match="known are buffalo_l"):
        InsightAnalysis("bufallo", home=tmp_path)
