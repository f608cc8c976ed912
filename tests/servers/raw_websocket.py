"""Scripted WebSocket servers: an opening, frames whatever the rules say, and what goes on then.

with speaking(frame(Opcode.TEXT, b"a"), Peer.reset) as server:
    ...  # url_of(server)
"""

import contextlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.frames import Opcode
from websockets.utils import accept_key

from servers.raw import Peer, Server, serve
from servers.websocket import frame

__all__ = [
    "CLOSE_1000",
    "CLOSE_4000",
    "Then",
    "deflated",
    "flooding",
    "ignoring",
    "opening",
    "receive_frame",
    "speaking",
    "url_of",
]

Then = Callable[[Peer], Any]

CLOSE_1000 = frame(Opcode.CLOSE, b"\x03\xe8")
CLOSE_4000 = frame(Opcode.CLOSE, b"\x0f\xa0no more")


@contextlib.contextmanager
def speaking(
    data: bytes = b"",
    then: Then = Peer.wait_closed,
    *,
    extensions: bytes | None = None,
    tls: Any = None,
) -> Iterator[Server]:
    """A server that opens the WebSocket, sends `data` and goes on with `then`."""

    def script(peer: Peer) -> None:
        peer.send(opening(peer, sec_websocket_extensions=extensions) + data)
        then(peer)

    with serve(script, tls=tls) as server:
        yield server
        server.gates["over"].set()


def opening(peer: Peer, **changes: bytes | None) -> bytes:
    """The answer to the request on `peer`, with `changes` to its fields."""
    head = peer.receive_head()
    key = next(
        line.partition(b": ")[2]
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    fields: dict[str, bytes | None] = {
        "upgrade": b"websocket",
        "connection": b"Upgrade",
        "sec_websocket_accept": accept_key(key.decode()).encode(),
        **changes,
    }
    lines = [
        name.replace("_", "-").encode() + b": " + value
        for name, value in fields.items()
        if value is not None
    ]
    return b"\r\n".join([b"HTTP/1.1 101 Switching Protocols", *lines, b"", b""])


def url_of(server: Server) -> str:
    return server.url.replace("http", "ws", 1)


# What goes on then -------------------------------------------------------------------------------


def ignoring(peer: Peer) -> None:
    """Takes nothing, and says nothing, until the test is over."""
    peer.wait("over")


def flooding(piece: bytes) -> Then:
    """Sends `piece` again and again until nobody is there."""

    def flood(peer: Peer) -> None:
        peer.socket.settimeout(10)
        with pytest.raises(OSError):
            while True:
                peer.send(piece)

    return flood


# Frames ------------------------------------------------------------------------------------------


def receive_frame(peer: Peer) -> tuple[int, bytes]:
    """The next frame on `peer`: its opcode, and what it carries."""
    first, length = peer.receive_exactly(2)
    size = length & 127
    if size > 125:
        size = int.from_bytes(peer.receive_exactly(2 if size == 126 else 8))
    mask = peer.receive_exactly(4)
    data = peer.receive_exactly(size)
    return first & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def deflated(data: bytes) -> bytes:
    """A message in one compressed frame (RFC 7692)."""
    deflate = zlib.compressobj(9, wbits=-15)
    packed = deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
    first, *rest = frame(Opcode.BINARY, packed[:-4])
    return bytes([first | 0x40, *rest])
