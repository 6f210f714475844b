"""The virtual camera in a browser."""

import shutil
from collections.abc import Callable

import pytest
from e2e.browser import seen_by_chromium
from e2e.cameras import LABEL, OUTPUT, Driver, good_take, off, writing


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_chromium_draws_the_right_pixels_in_order(
    driver: Driver, record_property: Callable[[str, object], None]
) -> None:
    with writing(OUTPUT, (640, 480)):
        seen = good_take(lambda: seen_by_chromium(LABEL, 5), lambda seen: seen.in_order and seen.fps >= 10)

    record_property("chromium fps", round(seen.fps, 1))
    assert seen.size == (640, 480)
    assert seen.in_order
    assert off(seen.last) <= 6
    assert seen.fps >= 10
