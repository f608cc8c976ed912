"""deflate: the zlib format (RFC 1950), and the bare deflate stream (RFC 1951) some send instead.

RFC 9110, 8.4.1.2 means the zlib format. The first two bytes tell which it is: a bare stream that
looked like a zlib header would have to begin with a stored block with junk in its padding bits.
"""

import zlib

from gofer.exceptions import ContentDecodingError

__all__ = ["DeflateLayer", "new_layer"]


class DeflateLayer:
    """A deflate stream being inflated. See `gofer.codings.Layer`."""

    __slots__ = ("_data", "_stream", "pending")

    def __init__(self) -> None:
        self._data = b""  # what the stream has not used yet
        self._stream: zlib._Decompress | None = None  # None until the format is known
        self.pending = False

    @property
    def is_complete(self) -> bool:
        if self._stream is None:
            return not self._data
        return self._stream.eof

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """About `max_bytes` of what is decoded; what stands behind the stream is ignored.

        Raises:
            ContentDecodingError: it is neither zlib nor deflate, or the checksum is wrong.
        """
        data = self._data + data
        stream = self._stream
        if stream is None:
            if len(data) < 2:
                self._data = data
                return b""
            stream = self._stream = zlib.decompressobj(_window_bits(data))
        elif stream.eof:
            return b""
        try:
            decoded = stream.decompress(data, max_bytes)
        except zlib.error as exc:
            raise ContentDecodingError(f"decoding deflate: {exc}") from exc
        self._data = stream.unconsumed_tail
        # What fills the step exactly may have more behind it inside zlib.
        self.pending = not stream.eof and (bool(self._data) or len(decoded) == max_bytes)
        return decoded


def _window_bits(start: bytes) -> int:
    """zlib's name for the format: CM = 8, CINFO <= 7, FCHECK (RFC 1950, 2.2), or bare."""
    method, flags = start[0], start[1]
    is_zlib = method & 0x0F == 8 and method >> 4 <= 7 and (method * 256 + flags) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS


def new_layer() -> DeflateLayer:
    """A fresh one."""
    return DeflateLayer()
