"""What a file is that is no ONNX model: people have models in many forms, and downloads that went wrong."""

from ..core.errors import ModelError

HEAD = 512
"""So many bytes of a file tell what it is."""
_EXPORT = "get its ONNX export: an .onnx file"
_UNPACK = "unpack it, then add the .onnx file that is in it"
_ANEW = "the download went wrong: get the file itself"

_STARTS = (
    (b"\x1f\x8b", "a packed archive (gzip)", _UNPACK),
    (b"7z\xbc\xaf", "a packed archive (7z)", _UNPACK),
    (b"Rar!", "a packed archive (rar)", _UNPACK),
    (b"\x89HDF", "a Keras or HDF5 file", _EXPORT),
    (b"GGUF", "a GGUF file", _EXPORT),
    (b"version https://git-lfs", "the pointer of a file in Git LFS, not the file", "git lfs pull, or download it"),
)  # fmt: skip
"""(how it begins, what it is, the remedy)."""
_FOURTH = ((b"TFL3", "a TensorFlow Lite file", _EXPORT), (b"ORTM", "in ONNX Runtime's own format", _EXPORT))
"""The same for what stands from the fourth byte on."""


def check_kind(head: bytes, what: str) -> None:
    """Raises ModelError, naming `what`, where its first `HEAD` bytes are those of something known that is no ONNX."""
    found = _kind(head)
    if found is not None:
        kind, remedy = found
        raise ModelError(f"{what} is {kind}, no ONNX model", remedy)


def _kind(head: bytes) -> tuple[str, str] | None:
    if not head:
        return "empty", _ANEW
    for start, kind, remedy in _STARTS:
        if head.startswith(start):
            return kind, remedy
    for mark, kind, remedy in _FOURTH:
        if head[4:8] == mark:
            return kind, remedy
    if head[8:9] == b"{" and not any(head[5:8]):  # a length in eight bytes, then JSON
        return "a safetensors file", _EXPORT
    if head.startswith(b"PK"):
        # What PyTorch saves is an archive whose first entry is its data.
        torch = b"data.pkl" in head or b"/version" in head or b".format_version" in head
        return ("a PyTorch checkpoint", _EXPORT) if torch else ("a packed archive (zip)", _UNPACK)
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):  # a pickle
        return "a PyTorch checkpoint", _EXPORT
    if head[257:262] == b"ustar":
        return "a packed archive (tar)", _UNPACK
    if head.lstrip()[:1] == b"<":
        return "a web page", _ANEW
    return None
