"""Where daemons are, and a connection to one: for clients."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from ..core.errors import BusyError, ConfigError, NoDeviceError, UsageError
from .admission import FULL, NOT_SERVED

DEFAULT_PORT = 7865
NOT_RUNNING = "start it with `faceswapd run`"


class _Straight(ws_connect):
    """Goes where it is sent and nowhere else: what answers may be no daemon, and know other machines."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


def known(folder: Path) -> list[str]:
    """Where a daemon of this user may be, each place once: the unix sockets in `folder`, the addresses that daemons
    leave there (`control-PORT.url`), of each kind first the usual port, then 127.0.0.1:7865. It reads files."""
    usual = f"control-{DEFAULT_PORT}"

    def found(suffix: str) -> list[Path]:
        return sorted(folder.glob(f"control-*.{suffix}"), key=lambda path: (path.stem != usual, path.stem))

    places = [f"unix:{path}" for path in found("sock")]
    for file in found("url"):
        with suppress(OSError, UnicodeDecodeError):  # a daemon that has just ended
            places.append(file.read_text(encoding="utf-8").strip())
    return list(dict.fromkeys([*filter(None, places), f"ws://127.0.0.1:{DEFAULT_PORT}"]))


async def dial(url: str) -> ClientConnection:
    """Opens `ws://host:port`, `wss://host:port` or `unix:/path`.

    Raises UsageError for what is no address; NoDeviceError where nobody answers, or a server that is no daemon;
    BusyError and ConfigError where a daemon has no place for this client or does not serve it.
    """
    options: dict[str, Any] = {"compression": None, "max_size": 16 * 2**20, "proxy": None, "close_timeout": 2}
    try:
        if url.startswith("unix:"):
            return await _Straight("ws://localhost/", unix=True, path=url.removeprefix("unix:"), **options)
        return await _Straight(url, **options)
    except InvalidStatus as error:
        status, told = error.response.status_code, bytes(error.response.body or b"").decode("latin-1")
        if told == FULL:
            raise BusyError(f"the daemon at {url} serves all the clients it may", "close one") from None
        if told == NOT_SERVED:
            raise ConfigError(
                f"{url} refuses: HTTP {status}", "use an address it is configured for"
            ) from None
        raise NoDeviceError(f"another server answers at {url} (HTTP {status})", NOT_RUNNING) from None
    except ssl.SSLError as error:
        raise ConfigError(f"{url}: {error}", "point SSL_CERT_FILE at the certificate") from None
    except (ConnectionRefusedError, FileNotFoundError):
        raise NoDeviceError(f"nobody listens at {url}", NOT_RUNNING) from None
    except (OSError, InvalidHandshake, EOFError) as error:
        raise NoDeviceError(f"no daemon at {url} ({error})", NOT_RUNNING) from None
    except (InvalidURI, ValueError):  # of Python's own reader of addresses
        raise UsageError(f"{url!r} is no address", "write ws://127.0.0.1:7865 or unix:/path") from None
