"""Who may open a connection: the addresses that are served, and the names that this machine is called by."""

import ipaddress
import socket
import ssl
import struct
import sys
from collections.abc import Iterable
from typing import Any

from ..core.errors import ConfigError
from ..core.settings import ControlSettings

NOT_SERVED = "this origin or host is not served\n"
FULL = "too many clients\n"
"""What refused clients are told (403, 503): by it they know that it is a daemon that refuses."""

_PEERCRED = struct.Struct("3i")
_XUCRED = struct.Struct("2I")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls(settings: ControlSettings) -> ssl.SSLContext | None:
    """The certificate to serve with. Raises ConfigError: no other address than loopback goes without one."""
    if not settings.tls_certificate:
        if is_loopback(settings.host):
            return None
        raise ConfigError(
            f"control.host {settings.host} can be reached from outside",
            "set control.tls_certificate and control.tls_key, or listen on 127.0.0.1",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"control.tls_certificate {settings.tls_certificate}: {error}", "give a PEM file and its key"
        ) from None
    return context


def names(host: str, port: int, more: Iterable[str] = ()) -> frozenset[str]:
    """The values of the Host header that are served; another one is a rebound name (DNS rebinding)."""
    hosts = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host} - {"0.0.0.0", "[::]"}  # noqa: S104
    served = {f"{h}:{port}" for h in hosts} | {f"{m}:{port}" for m in more if ":" not in m}
    return frozenset(served | {m for m in more if ":" in m})


def welcome(origin: str | None, host: str | None, served: frozenset[str]) -> bool:
    """Whether a request comes from a program (no Origin) or from a page that this server itself gave."""
    if host is None or host.lower() not in served:
        return False
    return origin is None or origin.lower() in {
        f"{scheme}://{n}" for n in served for scheme in ("http", "https")
    }


def peer_uid(sock: Any) -> int | None:
    """The user id at the other end of a unix socket, from the kernel; None where it does not tell."""
    if sys.platform == "linux":
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        return int(_PEERCRED.unpack(data)[1])
    if sys.platform == "darwin":
        # LOCAL_PEERCRED (1) of SOL_LOCAL (0) gives struct xucred: version, uid, ... (sys/ucred.h)
        return int(_XUCRED.unpack(sock.getsockopt(0, 1, 76)[: _XUCRED.size])[1])
    return None
