"""What a film of high dynamic range was made for, told on: the screen it was mastered on, and how bright it gets."""

import struct
from dataclasses import replace

from .encoders import Encoder

_DISPLAY = struct.Struct("=20i2i")
"""FFmpeg's AVMasteringDisplayMetadata: x and y of red, green and blue, of white, then the least and the most light,
each as numerator and denominator; whether the colours and whether the light are known."""
_LIGHT = struct.Struct("=2I")
"""AVContentLightMetadata: the brightest pixel, and the brightest picture on average, in cd/m2."""
_PARAMS = {"libx265": "x265-params", "libsvtav1": "svtav1-params"}


def mastered(encoder: Encoder, display: bytes, light: bytes) -> Encoder:
    """The encoder with a film's mastering display and content light (SMPTE ST 2086, CTA-861.3), as FFmpeg lays them
    out; b"" for what is not known. Encoders that have no words for it stay as they are."""
    name = _PARAMS.get(encoder.name)
    if name is None:
        return encoder
    words = [encoder.options.get(name, ""), _display(encoder.name, display), _light(encoder.name, light)]
    text = ":".join(word for word in words if word)
    return replace(encoder, options={**encoder.options, name: text}) if text else encoder


def _display(encoder: str, display: bytes) -> str:
    if len(display) < _DISPLAY.size:
        return ""
    *pairs, has_colours, has_light = _DISPLAY.unpack_from(display)
    if not (has_colours and has_light) or not all(pairs[1::2]):
        return ""
    values = [up / down for up, down in zip(pairs[::2], pairs[1::2], strict=True)]
    if encoder == "libx265":  # in steps of 0.00002 and of 0.0001 cd/m2
        numbers = [str(round(value * (50_000 if n < 8 else 10_000))) for n, value in enumerate(values)]
    else:
        numbers = [f"{value:.5f}" for value in values]
    rx, ry, gx, gy, bx, by, wx, wy, least, most = numbers
    return f"{_WORDS[encoder][0]}=G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})"


def _light(encoder: str, light: bytes) -> str:
    if len(light) < _LIGHT.size:
        return ""
    pixel, picture = _LIGHT.unpack_from(light)
    return f"{_WORDS[encoder][1]}={pixel},{picture}"


_WORDS = {"libx265": ("master-display", "max-cll"), "libsvtav1": ("mastering-display", "content-light")}
