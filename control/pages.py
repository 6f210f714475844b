"""The web remote's files: those of `control/web`, and nothing else of this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

WEB = Path(__file__).parent / "web"
FILES = {
    "/": ("index.html", "text/html"),
    "/remote.css": ("remote.css", "text/css"),
    "/remote.js": ("remote.js", "text/javascript"),
    "/channel.js": ("channel.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Page(NamedTuple):
    """One file with its headers."""

    body: bytes
    headers: Mapping[str, str]


def load() -> dict[str, Page]:
    """{path: page}, read once: a request names a key of this table or finds nothing."""
    return {
        path: Page((WEB / name).read_bytes(), {**HEADERS, "Content-Type": f"{kind}; charset=utf-8"})
        for path, (name, kind) in FILES.items()
    }
