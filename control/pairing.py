"""One-time links: how a browser that cannot read the token file is let in."""

import hmac
import secrets

from . import token
from .replies import Paired

VALID_S = 600.0
MAX_OPEN = 8
"""Links that may be open at once; the oldest gives way."""


class Pairing:
    """The links that are open. Times are given."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    def code(self, now_s: float) -> str:
        """A new code, for one device, for ten minutes."""
        while len(self._until_s) >= MAX_OPEN:
            del self._until_s[next(iter(self._until_s))]
        code = secrets.token_urlsafe(16)
        self._until_s[code] = now_s + VALID_S
        return code

    def admit(self, code: str, secret: str, now_s: float) -> Paired | None:
        """What the device keeps, for a code that is right; it is spent then. `secret` is the token."""
        for known, until_s in tuple(self._until_s.items()):
            if hmac.compare_digest(known.encode(), code.encode()):
                del self._until_s[known]
                if now_s <= until_s:
                    device = secrets.token_hex(8)
                    return Paired(device, token.device_key(secret, device))
        return None

    def clear(self) -> None:
        """All links are void."""
        self._until_s.clear()
