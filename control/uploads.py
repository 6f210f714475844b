"""Pictures that come in chunks: bounded in size and number."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from .methods import FaceAdd
from .protocol import RpcError

MAX_UPLOADS = 8
"""At once, of all clients together: 64 MB at most."""


@dataclass(slots=True)
class _Upload:
    name: str
    total: int
    data: bytearray = field(default_factory=bytearray)


class Uploads:
    """One picture a client at a time."""

    def __init__(self) -> None:
        self._of: dict[Hashable, _Upload] = {}

    def add(self, client: Hashable, chunk: FaceAdd) -> bytes | None:
        """Takes a chunk; the whole picture with the last one, else None.

        Raises RpcError when it is not the chunk that comes next; the upload is then forgotten.
        """
        if chunk.offset == 0:
            if client not in self._of and len(self._of) >= MAX_UPLOADS:
                raise RpcError("too_many", f"{MAX_UPLOADS} pictures are being sent", hint="try again later")
            self._of[client] = _Upload(chunk.name, chunk.total)
        upload = self._of.get(client)
        if (
            upload is None
            or (upload.name, upload.total, len(upload.data)) != (chunk.name, chunk.total, chunk.offset)
            or not 0 < len(chunk.data) <= chunk.total - chunk.offset
        ):
            self.drop(client)
            raise RpcError("out_of_range", "not the next chunk", "$.params.offset", "begin again at offset 0")
        upload.data += chunk.data
        if len(upload.data) < upload.total:
            return None
        self.drop(client)
        return bytes(upload.data)

    def drop(self, client: Hashable) -> None:
        """Forgets what a client sent so far."""
        self._of.pop(client, None)
