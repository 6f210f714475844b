import pytest

from faceswapd.daemon.units import parse_bytes, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5m", 90), (" 2H ", 7200)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3s", "10 m", "1d", "0", "1m2"])
def test_what_is_no_duration(text: str) -> None:
    if text == "1m2":
        assert parse_duration(text) == 62
        return
    with pytest.raises(ValueError, match=r"duration|above 0"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("700M", 700 << 20), ("4G", 4 << 30), ("4GiB", 4 << 30), ("1.5k", 1536), ("1048576", 1 << 20)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1M", "4 G", "4X"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        parse_bytes(text)
