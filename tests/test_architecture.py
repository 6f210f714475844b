"""The borders of the house: imports run inward only, never sideways within a ring."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RINGS = {
    "core": 0,
    "faces": 1,
    "motion": 1,
    "native": 1,
    "capture": 2,
    "inference": 2,
    "sinks": 2,
    "trust": 2,
    "control": 3,
    "processors": 3,
    "daemon": 4,
}
ONLY_CORE = {"control"}
FILES = [(folder, path) for folder in RINGS for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> list[str]:
    """Full module names of everything a file imports, relative ones resolved against `faceswapd`."""
    package = ["faceswapd", *path.relative_to(ROOT).parts[:-1]]
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = [*base, *(node.module.split(".") if node.module else [])]
            names += [".".join([*stem, a.name]) for a in node.names]
    return names


@pytest.mark.parametrize(("folder", "path"), FILES, ids=lambda v: str(v.name) if isinstance(v, Path) else v)
def test_imports_run_inward(folder: str, path: Path) -> None:
    for name in imported(path):
        head, _, rest = name.partition(".")
        assert head not in RINGS, (
            f"{path.name} imports {name}: write it relative, a folder is no package of its own"
        )
        if head != "faceswapd":
            continue
        target = rest.split(".")[0]
        if target in ("__version__", folder):
            continue
        assert RINGS[target] < RINGS[folder], f"{folder}/{path.name} must not import {target}"
        assert folder not in ONLY_CORE or target == "core", f"{folder} knows only core, not {target}"


def test_nobody_below_the_command_line_prints_or_exits() -> None:
    for folder, path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name != "print", f"{folder}/{path.name} prints"
                assert name not in ("sys.exit", "exit", "os._exit") or folder == "daemon", f"{path} exits"


def test_modules_stay_small() -> None:
    large = {
        str(p.relative_to(ROOT)): n for _, p in FILES if (n := len(p.read_text("utf-8").splitlines())) > 400
    }

    assert not large
