import cv2
import numpy as np
import pytest
from fakes import picture

from faceswapd.core.effect import Effect
from faceswapd.core.errors import DisclosureError
from faceswapd.core.frame import Pixels
from faceswapd.trust.disclosure import Disclosure


def marked(pixels: Pixels, effect: Effect = Effect.SWAPPED) -> Pixels:
    out = pixels.copy()
    Disclosure().apply(out, effect)
    return out


def changed_box(before: Pixels, after: Pixels) -> tuple[int, int, int, int]:
    x, y, w, h = cv2.boundingRect((before != after).any(axis=2).astype(np.uint8))
    return x, y, w, h


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 480), (320, 180), (405, 720)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_the_badge_is_small_and_in_the_upper_right_corner(size: tuple[int, int], value: int) -> None:
    before = picture(*size, value)

    x, y, w, h = changed_box(before, marked(before))

    width, height = size
    assert width / 2 < x + w / 2
    assert x + w < width
    assert y > 0
    assert y + h < height / 4
    assert w * h < 0.04 * width * height


@pytest.mark.parametrize("value", [0, 90, 180, 255])
def test_the_letters_stand_out_on_light_and_on_dark(value: int) -> None:
    before = picture(1280, 720, value)

    after = marked(before)

    x, y, w, h = changed_box(before, after)
    badge = after[y : y + h, x : x + w, 0].astype(int)
    # Within the plate: the brightest are the letters, the darkest what is behind them.
    inner = badge[h // 4 : -h // 4, h // 2 : -h // 2]
    assert np.percentile(inner, 95) - np.percentile(inner, 5) > 150


def test_capitals_have_at_least_a_twentieth_of_the_shorter_side() -> None:
    before = picture(1280, 720, 0)
    letters = (marked(before)[..., 0] > 200).astype(np.uint8)

    _, _, stats, _ = cv2.connectedComponentsWithStats(letters)

    # The rim is the widest part, the letters are the parts within it.
    heights = sorted(int(s[cv2.CC_STAT_HEIGHT]) for s in stats[1:] if s[cv2.CC_STAT_WIDTH] < 100)
    assert heights[len(heights) // 2] >= 0.049 * 720


@pytest.mark.parametrize(
    ("effect", "shows"),
    [
        (Effect.NONE, False),
        (Effect.ANONYMIZED, False),
        (Effect.SWAPPED, True),
        (Effect.SWAPPED | Effect.ANONYMIZED, True),
        (Effect.RESTORED, True),
        (Effect.RESTORED | Effect.ANONYMIZED, True),
    ],
)
def test_what_a_network_made_of_a_face_is_marked(effect: Effect, shows: bool) -> None:
    before = picture(320, 180, 60)

    assert bool((marked(before, effect) != before).any()) is shows


def test_it_can_be_turned_off() -> None:
    pixels = picture(320, 180, 60)
    Disclosure(on=False).apply(pixels, Effect.SWAPPED)

    assert (pixels == 60).all()


@pytest.mark.parametrize("size", [(64, 48), (20, 10), (3, 2), (1, 1), (2000, 8)])
def test_the_tiniest_picture_is_marked_too(size: tuple[int, int]) -> None:
    before = picture(*size, 128)

    assert (marked(before) != before).any()


def read_only() -> Pixels:
    pixels = picture(320, 180)
    pixels.flags.writeable = False
    return pixels


@pytest.mark.parametrize(
    "pixels",
    [read_only(), *(np.zeros(shape, np.uint8) for shape in ((180, 320), (180, 320, 4), (0, 0, 3)))],
)  # fmt: skip
def test_what_cannot_be_marked_raises(pixels: Pixels) -> None:
    with pytest.raises(DisclosureError, match="could not be marked"):
        Disclosure().apply(pixels, Effect.SWAPPED)
