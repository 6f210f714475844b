from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import pytest
import standins
from onnx import numpy_helper

from faceswapd.core.errors import MissingInputError, ModelError, UsageError
from faceswapd.inference.catalogue import Known
from faceswapd.inference.referring import whole
from faceswapd.inference.shelf import Shelf
from faceswapd.inference.supply import IDENTITY

INSWAPPER = standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


def put(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_a_file_is_recognised_by_its_tensors(shelf: Shelf, tmp_path: Path) -> None:
    card = shelf.add(put(tmp_path, "mine.onnx", INSWAPPER))

    assert (card.model, card.family, card.batch) == ("mine", "inswapper_128", True)
    assert [e.name for e in card.edges] == ["shift"]
    assert shelf.cards() == (card,)
    assert shelf.read("mine") == INSWAPPER
    np.testing.assert_array_equal(shelf.emap("mine"), standins.emap())


def test_a_folder_that_is_not_ours_to_read_is_named(shelf: Shelf, tmp_path: Path) -> None:
    with (
        patch.object(Path, "is_dir", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(
            ModelError, match=r"the models in .* cannot be read: Permission denied: .* is HOME right\?"
        ),
    ):
        shelf.names()


def test_a_file_is_recognised_by_its_hash_whatever_it_is_called(tmp_path: Path) -> None:
    import hashlib

    content = standins.swapper(256, "arcface_112_v1", standins.SIGNED_GREEN)
    known = {"ghost_9": Known("ghost_256", "ghost_9.onnx", "Apache-2.0", hashlib.sha256(content).hexdigest())}
    card = Shelf(tmp_path / "models", known).add(put(tmp_path, "x.onnx", content))

    assert (card.model, card.family, card.licence) == ("ghost_9", "ghost_256", "Apache-2.0")


def test_a_known_file_name_tells_families_of_equal_tensors_apart(shelf: Shelf, tmp_path: Path) -> None:
    content = standins.standin("ghost_1_256")
    assert shelf.add(put(tmp_path, "ghost_1_256.onnx", content)).family == "ghost_256"
    assert shelf.add(put(tmp_path, "simswap_256.onnx", content)).family == "simswap_256"
    unknown = put(tmp_path, "unknown.onnx", content)

    with pytest.raises(UsageError, match=r"fits several families: .*hyperswap_256, ghost_256.*--family NAME"):
        shelf.add(unknown)
    assert shelf.add(unknown, family="hififace_256").family == "hififace_256"


@pytest.mark.parametrize(
    ("content", "family", "says"),
    [
        (
            standins.swapper(100, "arcface_128", standins.UNIT_GREEN),
            None,
            r"no input is 'target' .*\[1, 3, 100, 100\]",
        ),
        (INSWAPPER, "simswap_256", r"no input is 'target' float32 \[any, 3, 256, 256\]"),
        (
            standins.swapper(128, "arcface_128", standins.UNIT_GREEN),
            "inswapper_128",
            r"no initializer \[512, 512\]",
        ),
        (standins.enhancer(512, weight=True), "enhancer_512", "input 'weight' has no place in it"),
        (standins.enhancer(512), "codeformer", r"no input is 'weight' float64 \[1\] \(there is none\)"),
    ],
)
def test_what_fits_no_family_is_refused_with_the_tensor(
    shelf: Shelf, tmp_path: Path, content: bytes, family: str | None, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        shelf.add(put(tmp_path, "nose.onnx", content), family=family)

    assert shelf.cards() == ()
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


def test_another_version_of_a_known_model_is_refused_under_its_name(shelf: Shelf, tmp_path: Path) -> None:
    path = put(tmp_path, "w600k_r50.onnx", standins.recogniser())

    with pytest.raises(ModelError, match=r"has the SHA-256 \w+, w600k_r50 has 4c06341c.*--name"):
        shelf.add(path)
    assert shelf.add(path, "own").family == "arcface_112"


def test_another_build_of_a_model_that_nobody_offers_is_taken_under_its_name(
    shelf: Shelf, tmp_path: Path
) -> None:
    assert shelf.known["inswapper_128"].sha256
    card = shelf.add(put(tmp_path, "inswapper_128.onnx", INSWAPPER))

    assert (card.model, card.family) == ("inswapper_128", "inswapper_128")
    assert card.sha256 != shelf.known["inswapper_128"].sha256
    assert shelf.read("inswapper_128") == INSWAPPER
    with pytest.raises(ModelError, match="no initializer"):
        shelf.add(
            put(tmp_path, "inswapper_128.onnx", standins.swapper(128, "arcface_128", standins.UNIT_GREEN))
        )


def test_an_own_build_is_taken_where_a_known_model_is_asked_for(shelf: Shelf, tmp_path: Path) -> None:
    own = shelf.add(put(tmp_path, "w600k_r50.onnx", standins.recogniser()), serves="w600k_r50")

    assert (own.model, own.serves) == ("w600k_r50.own", "w600k_r50")
    assert shelf.card("w600k_r50") == own
    assert shelf.supply("w600k_r50").sha256 == own.sha256
    assert not shelf.lacks("w600k_r50")
    assert shelf.lacks("crossface_ghost")
    with pytest.raises(ModelError, match="no model of the family crossface"):
        shelf.add(put(tmp_path, "x.onnx", standins.recogniser()), serves="crossface_ghost")
    with pytest.raises(UsageError, match="of the family crossface"):
        shelf.add(put(tmp_path, "x.onnx", standins.converter()), family="genderage", serves="crossface_ghost")


def test_a_changed_a_truncated_and_a_missing_file_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(put(tmp_path, "mine.onnx", INSWAPPER))
    path = shelf.folder / "mine" / "model.onnx"

    path.write_bytes(INSWAPPER[:-1] + b"x")
    with pytest.raises(ModelError, match=r"SHA-256 .* models remove mine"):
        shelf.supply("mine")
    path.write_bytes(INSWAPPER[:-1])
    with pytest.raises(ModelError, match="bytes instead of"):
        shelf.read("mine")
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        shelf.read("mine")


def test_a_changed_emap_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(put(tmp_path, "mine.onnx", INSWAPPER))
    np.save(shelf.folder / "mine" / "emap.npy", standins.emap(seed=7))

    with pytest.raises(ModelError, match="its emap was changed"):
        shelf.emap("mine")


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_emap_of_no_numbers_is_refused(shelf: Shelf, tmp_path: Path, value: float) -> None:
    model = onnx.load_from_string(INSWAPPER)
    emap = next(t for t in model.graph.initializer if t.name == "emap")
    emap.CopyFrom(numpy_helper.from_array(np.full((512, 512), value, np.float32), "emap"))

    with pytest.raises(ModelError, match=r"emap \(its initializer \[512, 512\]\) that is no matrix"):
        shelf.add(put(tmp_path, "mine.onnx", model.SerializeToString()))
    assert shelf.cards() == ()


def test_a_file_that_no_engine_loads_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    model = onnx.load_from_string(standins.enhancer(512))
    model.graph.node[0].op_type = "Mystery"

    with pytest.raises(ModelError, match=r"mine\.onnx does not load .*Mystery.*damaged, or of a newer ONNX"):
        shelf.add(put(tmp_path, "mine.onnx", model.SerializeToString()))
    assert shelf.cards() == ()


def test_sizes_that_a_file_leaves_open_are_its_familys(shelf: Shelf, tmp_path: Path) -> None:
    card = shelf.add(
        put(tmp_path, "open.onnx", opened(standins.standin("hyperswap_1a_256"))), None, "hyperswap_256"
    )

    assert (card.side, card.batch, bool(card.edges)) == (256, True, True)
    with pytest.raises(ModelError, match="leaves the size of its picture open"):
        shelf.add(put(tmp_path, "somebody.dfm", opened(standins.dfm())), consent="synthetic")


def opened(content: bytes) -> bytes:
    """The same model with no size of a picture said."""
    model = onnx.load_from_string(content)
    for value in (*model.graph.input, *model.graph.output):
        sizes = value.type.tensor_type.shape.dim
        for n, size in enumerate(sizes if len(sizes) == 4 else ()):
            if size.dim_value > 3:
                size.dim_param = f"{value.name}_{n}"
    return bytes(model.SerializeToString())


def test_a_swapper_without_an_emap_takes_inswappers(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(put(tmp_path, "re.onnx", standins.swapper(128, "arcface_128", standins.UNIT_GREEN)))
    with pytest.raises(ModelError, match="model re needs the emap of inswapper_128: faceswapd models pull"):
        shelf.emap("re")

    shelf.add(put(tmp_path, "mine.onnx", INSWAPPER))
    np.testing.assert_array_equal(shelf.emap("re"), standins.emap())


def test_a_missing_model_is_named_with_the_command_that_brings_it(shelf: Shelf) -> None:
    for model, says in (
        ("w600k_r50", r"model w600k_r50 is not here: faceswapd models pull w600k_r50$"),
        (
            "inswapper_128",
            "faceswapd models pull inswapper_128_fp16, or faceswapd models add inswapper_128.onnx",
        ),
        ("nobody", "faceswapd models add FILE --name nobody"),
        ("../etc", "is not here"),
    ):
        with pytest.raises(ModelError, match=says) as caught:
            shelf.supply(model)
        assert caught.value.exit_code == 78


def test_another_of_its_family_is_offered_with_the_words_that_choose_it(shelf: Shelf, tmp_path: Path) -> None:
    says = "not here: faceswapd models pull inswapper_128_fp16 and choose it (--model inswapper_128_fp16)"
    assert says in str(shelf.missing("inswapper_128", "--model "))

    shelf.add(put(tmp_path, "mine.onnx", INSWAPPER), "mine", "inswapper_128")
    assert str(shelf.missing("inswapper_128", "--model ")).endswith("is not here, mine is: --model mine")


def test_any_emap_will_do(shelf: Shelf, tmp_path: Path) -> None:
    reswapper = standins.swapper(128, "arcface_128", standins.UNIT_GREEN)
    card = shelf.add(put(tmp_path, "reswapper_128.onnx", reswapper))
    assert shelf.lacking(card) == ("w600k_r50", "inswapper_128")
    shelf.add(put(tmp_path, "mine.onnx", INSWAPPER), "mine", "inswapper_128")
    assert shelf.lacking(card) == ("w600k_r50",)


def test_a_name_is_taken_once_and_free_again_when_removed(shelf: Shelf, tmp_path: Path) -> None:
    path = put(tmp_path, "mine.onnx", INSWAPPER)
    shelf.add(path)
    with pytest.raises(UsageError, match="a model is called mine already"):
        shelf.add(path)
    with pytest.raises(UsageError, match="is no name for a model"):
        shelf.add(path, "../x")

    shelf.remove("mine")
    assert shelf.cards() == ()
    with pytest.raises(ModelError, match="model mine is not here"):
        shelf.remove("mine")
    assert list(shelf.folder.iterdir()) == []


def test_a_file_that_is_not_there_is_a_missing_input(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="No such file"):
        shelf.add(tmp_path / "none.onnx")


def test_the_masks_beside_a_picture_are_judged_too(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(put(tmp_path, "somebody.dfm", standins.dfm()), "somebody", consent="self")
    peaks = {o.name: o.peak for o in shelf.supply("somebody").contract.outputs}

    assert len(peaks) == 3
    assert set(peaks.values()) == {1.0}


def test_both_halves_are_supplied_with_their_contracts(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(put(tmp_path, "mine.onnx", INSWAPPER))
    image, identity = shelf.supply("mine"), shelf.supply("mine" + IDENTITY)

    assert [(t.name, t.shape) for t in image.contract.inputs] == [
        ("target", (None, 3, 128, 128)),
        ("shift", (1, 3, 1, 1)),
    ]
    assert image.contract.outputs[0].peak == 1.0
    assert [t.name for t in identity.contract.inputs] == ["source"]
    assert not identity.contract.reducible
    assert image.sha256 != identity.sha256
    onnx.checker.check_model(onnx.load_from_string(whole(image.content)))
