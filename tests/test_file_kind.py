import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import standins

from faceswapd.core.errors import ModelError
from faceswapd.inference.file_kind import HEAD, check_kind
from faceswapd.inference.shelf import Shelf


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * 100)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"))
    return file.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty, no ONNX model: the download went wrong"),
        (safetensors(), "is a safetensors file, .*: get its ONNX export"),
        (zipped("archive/data.pkl", "archive/version"), "is a PyTorch checkpoint, .*: get its ONNX export"),
        (zipped("net/.format_version"), "is a PyTorch checkpoint"),
        (pickle.dumps({"weight": [1]}, 2), "is a PyTorch checkpoint"),
        (pickle.dumps({"weight": [1]}, 4), "is a PyTorch checkpoint"),
        (zipped("inswapper_128.onnx"), r"is a packed archive \(zip\), .*: unpack it, then add the \.onnx"),
        (gzip.compress(b"x"), "gzip"),
        (tarred(), "tar"),
        (b"\n<!DOCTYPE html><html>", "is a web page, .*: the download went wrong"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "pointer of a file in Git LFS.*: git lfs pull"),
        (b"\x1c\0\0\0TFL3" + bytes(20), "TensorFlow Lite"),
    ],
)  # fmt: skip
def test_what_people_have_instead_is_named_with_the_remedy(tmp_path: Path, content: bytes, says: str) -> None:
    (path := tmp_path / "inswapper_128.onnx").write_bytes(content)

    with pytest.raises(ModelError, match=rf"inswapper_128\.onnx .*{says}") as caught:
        Shelf(tmp_path / "models").add(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [standins.recogniser(), b"\x08\x07", b"something else"])
def test_onnx_and_what_is_not_known_go_on(content: bytes) -> None:
    check_kind(content[:HEAD], "file")
