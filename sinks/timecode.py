"""Time codes (SMPTE ST 12-1): the number that a recording gives its first frame, for a film that is a part of it."""

import re
from collections.abc import Mapping
from fractions import Fraction

_LABEL = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{1,3})")
_DAY_H = 24


def retimed(
    metadata: Mapping[str, str], later_s: Fraction, rate: Fraction, new_rate: Fraction
) -> dict[str, str]:
    """Metadata of a film at `rate` frames a second, for one at `new_rate` that begins `later_s` seconds after it.

    Only its time code is another; one that makes no sense stays as it is.
    """
    return {
        key: advanced(value, later_s, rate, new_rate) if key.lower() == "timecode" else value
        for key, value in metadata.items()
    }


def advanced(label: str, later_s: Fraction, rate: Fraction, new_rate: Fraction) -> str:
    """`01:00:00:00`, two and a half seconds later, at 24 frames a second: `01:00:02:12`.

    With `;` numbers are dropped as ST 12-1 has it: at 29.97 frames a second the first two of each minute, at 59.94 the
    first four, but not in every tenth minute. A new rate that is none of these has no drops.
    """
    found = _LABEL.fullmatch(label.strip())
    nominal, new_nominal = round(rate), round(new_rate)
    if found is None or nominal < 1 or new_nominal < 1:
        return label
    hours, minutes, seconds, frames = (int(found[n]) for n in (1, 2, 3, 5))
    drops = _drops(nominal) if found[4] != ":" else 0
    if frames >= nominal or not (later_s or rate != new_rate):
        return label  # counted at a rate of its own
    minutes += 60 * hours
    count = (60 * minutes + seconds) * nominal + frames - drops * (minutes - minutes // 10)
    hours, minutes, seconds, frames = _numbered(count + round(later_s * rate), nominal, drops)
    if new_rate != rate:
        frames = frames * new_nominal // nominal
        drops = _drops(new_nominal) if drops and new_rate.denominator != 1 else 0
    if minutes % 10 and not seconds:
        frames = max(frames, drops)
    return f"{hours:02}:{minutes:02}:{seconds:02}{';' if drops else ':'}{frames:02}"


def _drops(nominal: int) -> int:
    """Numbers that a minute leaves out, of 30 a second, 60, ..."""
    return nominal // 15 if nominal % 30 == 0 else 0


def _numbered(count: int, nominal: int, drops: int) -> tuple[int, int, int, int]:
    """(hours, minutes, seconds, frames) of a frame of the day."""
    minute = 60 * nominal - drops
    ten = 10 * minute + drops
    tens, rest = divmod(count % (_DAY_H * 6 * ten), ten)
    if drops and rest >= minute + drops:
        rest += drops * ((rest - drops) // minute)
    number = tens * 600 * nominal + rest
    seconds, frames = divmod(number, nominal)
    return seconds // 3600, seconds // 60 % 60, seconds % 60, frames
