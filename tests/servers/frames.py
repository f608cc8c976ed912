"""HTTP/2 made by hand (RFC 9113, 4), for servers that do what no library would let them do.

def script(peer):
    server = Frames(peer)          # prefaces and SETTINGS are exchanged
    stream = server.receive_request()
    server.send_head(stream, 200)
    server.send(DATA, END_STREAM, stream, b"hello")
"""

import contextlib
import struct

from servers.listener import Stopped
from servers.raw import Peer

__all__ = [
    "ACK", "CONTINUATION", "DATA", "END_HEADERS", "END_STREAM", "GOAWAY", "HEADERS", "PADDED",
    "PING", "PRIORITY", "PUSH_PROMISE", "RST_STREAM", "SETTINGS", "WINDOW_UPDATE", "Frames",
    "field", "frame", "head",
]  # fmt: skip

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)  # fmt: skip
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload  # fmt: skip


def _integer(value: int, prefix: int) -> bytes:
    """RFC 7541, 5.1, without the bits before the prefix."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((value,))
    value -= most
    out = [most]
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes((*out, value))


def field(name: bytes, value: bytes) -> bytes:
    """A field line in HPACK: literal, not indexed, no Huffman code (RFC 7541, 6.2.2)."""
    return b"\0" + _integer(len(name), 7) + name + _integer(len(value), 7) + value


def head(status: int | bytes, *fields: tuple[bytes, bytes]) -> bytes:
    """The field section of a response."""
    lines = [(b":status", b"%d" % status if isinstance(status, int) else status), *fields]
    return b"".join(field(*line) for line in lines)


class Frames:
    """The server's end of a connection. `settings`: {identifier: value}."""

    def __init__(self, peer: Peer, settings: dict[int, int] | None = None) -> None:
        self.peer = peer
        assert PREFACE == peer.receive_exactly(len(PREFACE))
        pairs = b"".join(struct.pack(">HI", *pair) for pair in (settings or {}).items())
        self.send(SETTINGS, 0, 0, pairs)

    def receive(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream and payload of the next frame."""
        start = self.peer.receive_exactly(9)
        size = int.from_bytes(start[:3], "big")
        stream = int.from_bytes(start[5:], "big")
        return start[3], start[4], stream, self.peer.receive_exactly(size)

    def receive_until(self, *kinds: int, stream: int | None = None) -> tuple[int, int, int, bytes]:
        """The next frame of one of `kinds`; SETTINGS and PING that come before are acknowledged."""
        while True:
            got = self.receive()
            if got[0] in kinds and not (got[0] in (SETTINGS, PING) and got[1] & ACK):
                if stream is None or stream == got[2]:
                    return got
            elif got[0] in (SETTINGS, PING) and not got[1] & ACK:
                self.send(got[0], ACK, 0, got[3] if got[0] == PING else b"")

    def receive_request(self) -> int:
        """The stream of the next request whose content comes to its end."""
        while True:
            _, flags, stream, _ = self.receive_until(HEADERS)
            with self.peer.server.changed:
                self.peer.server.requests.append(b"stream %d" % stream)
            kind = HEADERS
            while not flags & END_STREAM and kind != RST_STREAM:
                kind, flags, _, _ = self.receive_until(DATA, HEADERS, RST_STREAM, stream=stream)
            if kind != RST_STREAM:
                return stream

    def send(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        self.peer.send(frame(kind, flags, stream, payload))

    def send_head(
        self, stream: int, status: int, *fields: tuple[bytes, bytes], end: bool = False
    ) -> None:
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.send(HEADERS, flags, stream, head(status, *fields))

    def answer(self, stream: int, content: bytes = b"next") -> None:
        """A good response."""
        self.send_head(stream, 200, (b"content-length", b"%d" % len(content)))
        self.send(DATA, END_STREAM, stream, content)

    def receive_goaway(self) -> int | None:
        """The error code the client leaves with; None if it just closes."""
        with contextlib.suppress(Stopped, OSError):
            return int.from_bytes(self.receive_until(GOAWAY)[3][4:8], "big")
        return None
