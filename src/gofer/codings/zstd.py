"""zstd (RFC 8878): one frame or several, by Python's own compression.zstd (3.14) or its backport.

Windows are bounded to 8 MiB, as RFC 9659 demands for this coding: a frame may ask its reader for
2 GiB otherwise.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from gofer.exceptions import ContentDecodingError

__all__ = ["ZstdLayer", "new_layer"]

MAX_WINDOW_LOG = 23  # 2**23 bytes: RFC 9659, 3

# The library copies what is behind a frame; with thousands of tiny frames that must not be much.
PIECE_OF_LATER_FRAMES = 4096


class ZstdLayer:
    """A series of zstd frames being decompressed. See `gofer.codings.Layer`."""

    __slots__ = ("_data", "_error", "_frame", "_frames", "_new_frame", "_next")

    def __init__(self, new_frame: Callable[[], Any], error: type[Exception]) -> None:
        self._data = b""  # from _next on it has not been handed to a frame yet
        self._next = 0
        self._new_frame = new_frame
        self._error = error
        self._frame: Any = None  # None between two frames
        self._frames = 0  # begun

    @property
    def pending(self) -> bool:
        if self._next < len(self._data):
            return True
        return self._frame is not None and not self._frame.needs_input

    @property
    def is_complete(self) -> bool:
        return self._frame is None

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """About `max_bytes` of what is decoded.

        Raises:
            ContentDecodingError: it is not zstd, a checksum is wrong, or the window is too large.
        """
        if data:
            self._data = self._data[self._next :] + data
            self._next = 0
        while True:
            decoded = self._decompress(max_bytes)
            if decoded or not self.pending:
                return decoded

    def _decompress(self, max_bytes: int) -> bytes:
        frame = self._frame
        if frame is None:
            if self._next == len(self._data):
                return b""
            frame = self._frame = self._new_frame()
            self._frames += 1

        piece = b""
        if frame.needs_input:
            size = PIECE_OF_LATER_FRAMES if self._frames > 1 else len(self._data)
            piece = self._data[self._next : self._next + size]
            self._next += len(piece)
        try:
            decoded: bytes = frame.decompress(piece, max_bytes)
        except self._error as exc:
            raise ContentDecodingError(f"decoding zstd: {exc}") from exc
        if frame.eof:
            # What is behind the frame was handed to it last, so it is the end of what was.
            self._next -= len(frame.unused_data)
            self._frame = None
        return decoded


def new_layer() -> ZstdLayer:
    """A fresh one."""
    return ZstdLayer(*_library())


@cache
def _library() -> tuple[Callable[[], Any], type[Exception]]:
    if sys.version_info >= (3, 14):
        from compression import zstd as library
    else:
        from backports import zstd as library

    options = {int(library.DecompressionParameter.window_log_max): MAX_WINDOW_LOG}

    def new_frame() -> Any:
        return library.ZstdDecompressor(options=options)

    return new_frame, library.ZstdError
