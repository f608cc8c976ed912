"""gzip (RFC 1952): one member or several, each a deflate stream with a checksum behind it.

Servers pad: what stands behind the last member and is not another one is ignored, as browsers
and curl do.
"""

import zlib

from gofer.exceptions import ContentDecodingError

__all__ = ["GzipLayer", "new_layer"]

MAGIC = b"\x1f\x8b\x08"  # ID1, ID2, CM = deflate
GZIP = 16 + zlib.MAX_WBITS

# zlib copies what is behind a member; with thousands of empty members that must not be much.
PIECE_OF_LATER_MEMBERS = 4096


class GzipLayer:
    """A gzip stream being inflated. See `gofer.codings.Layer`."""

    __slots__ = ("_data", "_has_ended", "_is_padding", "_member", "_members", "_next", "pending")

    def __init__(self) -> None:
        self._data = b""  # from _next on it has not been used yet
        self._next = 0
        self._member = zlib.decompressobj(GZIP)
        self._members = 0  # whole ones
        self._has_ended = True  # between two members
        self._is_padding = False  # all that is still to come is
        self.pending = False

    @property
    def is_complete(self) -> bool:
        return self._has_ended and (self._members > 0 or not self._data)

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """About `max_bytes` of what is decoded.

        Raises:
            ContentDecodingError: it is not gzip, or a checksum is wrong.
        """
        if self._is_padding:
            return b""
        if data:
            self._data = self._data[self._next :] + data
            self._next = 0
        while True:
            if self._has_ended and not self._start_member():
                self.pending = False
                return b""
            decoded = self._inflate(max_bytes)
            if decoded or not self._has_ended:
                return decoded

    def _start_member(self) -> bool:
        """False if no further member begins in what is there."""
        start = self._data[self._next : self._next + len(MAGIC)]
        if len(start) < len(MAGIC) and MAGIC.startswith(start):
            return False  # more may come
        if start == MAGIC:
            if self._members:
                self._member = zlib.decompressobj(GZIP)
            self._has_ended = False
            return True
        if self._members == 0:
            raise ContentDecodingError(
                f"decoding gzip: not gzip, it starts with {start!r}, expected {MAGIC!r}"
            )
        self._is_padding = True
        self._data = b""
        return False

    def _inflate(self, max_bytes: int) -> bytes:
        member = self._member
        if self._members == 0 and self._next == 0:
            piece = self._data
        else:
            size = PIECE_OF_LATER_MEMBERS if self._members else len(self._data)
            piece = self._data[self._next : self._next + size]
        try:
            decoded = member.decompress(piece, max_bytes)
        except zlib.error as exc:
            raise ContentDecodingError(f"decoding gzip: {exc}") from exc

        if member.eof:
            self._next += len(piece) - len(member.unused_data)
            self._members += 1
            self._has_ended = True
            self.pending = self._next < len(self._data)
        else:
            self._next += len(piece) - len(member.unconsumed_tail)
            # What fills the step exactly may have more behind it inside zlib.
            self.pending = self._next < len(self._data) or len(decoded) == max_bytes
        return decoded


def new_layer() -> GzipLayer:
    """A fresh one."""
    return GzipLayer()
