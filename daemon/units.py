"""Durations and sizes as people write them."""

import re

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_duration(text: str) -> float:
    """`90`, `90s`, `10m`, `1h30m` -> seconds. Raises ValueError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh]?)", text.strip().lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip().lower():
        raise ValueError(f"{text!r} is no duration; write it as 90s, 10m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f"{text!r} must be above 0")
    return seconds


def parse_bytes(text: str) -> int:
    """`700M`, `4G`, `4GiB`, `1048576` -> bytes; the units are powers of 1024. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is no size; write it as 700M or 4G")
    return round(float(match[1]) * _BYTES[match[2]])
