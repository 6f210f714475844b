"""Time codes of films that begin later, or have another rate, checked against plain counting."""

from collections.abc import Iterator
from fractions import Fraction

import pytest

from faceswapd.sinks.timecode import advanced, retimed

NTSC = Fraction(30_000, 1001)


def labels(nominal: int, drops: int, minutes: int) -> Iterator[str]:
    """The numbers of a recording's frames from midnight on."""
    for minute in range(minutes):
        for second in range(60):
            for frame in range(nominal):
                if second or frame >= drops or minute % 10 == 0:
                    yield f"{minute // 60:02}:{minute % 60:02}:{second:02}{';' if drops else ':'}{frame:02}"


@pytest.mark.parametrize(
    ("nominal", "drops", "rate"),
    [(30, 2, NTSC), (60, 4, 2 * NTSC), (25, 0, Fraction(25)), (24, 0, Fraction(24_000, 1001))],
)
def test_the_number_of_a_later_frame_is_found(nominal: int, drops: int, rate: Fraction) -> None:
    counted = list(labels(nominal, drops, 21))
    for first in (0, 1, 59 * nominal, len(counted) // 2):
        for later in (1, nominal - 1, 60 * nominal, len(counted) // 3):
            found = advanced(counted[first], later / rate, rate, rate)
            assert found == counted[first + later]


def test_days_end() -> None:
    assert advanced("23:59:59:24", Fraction(1, 25), Fraction(25), Fraction(25)) == "00:00:00:00"
    assert advanced("23:59:59;29", 1 / NTSC, NTSC, NTSC) == "00:00:00;00"


@pytest.mark.parametrize(
    ("label", "rate", "new_rate", "expected"),
    [
        ("01:02:03:12", Fraction(25), Fraction(50), "01:02:03:24"),
        ("01:02:03;12", NTSC, Fraction(25), "01:02:03:10"),
        ("01:02:03;12", NTSC, 2 * NTSC, "01:02:03;24"),
        ("01:01:00;02", NTSC, 2 * NTSC, "01:01:00;04"),
        ("01:02:03:24", Fraction(50), Fraction(25), "01:02:03:12"),
    ],
)
def test_another_rate_counts_other_frames(
    label: str, rate: Fraction, new_rate: Fraction, expected: str
) -> None:
    assert advanced(label, Fraction(0), rate, new_rate) == expected


def test_only_what_is_a_time_code_changes() -> None:
    told = {"TIMECODE": "00:00:01:00", "title": "00:00:01:00", "timecode": "noon"}
    assert retimed(told, Fraction(2), Fraction(25), Fraction(25)) == {
        **told, "TIMECODE": "00:00:03:00",
    }  # fmt: skip


@pytest.mark.parametrize("label", ["00:00:01:00", "00:00:01;02", "10:00:00:49"])
def test_without_a_reason_it_stays_as_it_is(label: str) -> None:
    assert advanced(label, Fraction(0), Fraction(25), Fraction(25)) == label
    assert (
        advanced("10:00:00:49", Fraction(1), Fraction(25), Fraction(25)) == "10:00:00:49"
    )  # counted in fields
