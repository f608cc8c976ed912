"""br (RFC 7932), by the packages brotli or brotlicffi (extra `brotli`).

Windows over 16 MiB ("large window brotli") are no part of RFC 7932; both libraries refuse them
unless told otherwise.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from gofer.exceptions import ContentDecodingError

__all__ = ["BrotliLayer", "new_layer"]


class BrotliLayer:
    """A brotli stream being decompressed. See `gofer.codings.Layer`."""

    __slots__ = ("_error", "_has_begun", "_stream", "pending")

    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error
        self._has_begun = False
        self.pending = False

    @property
    def is_complete(self) -> bool:
        return not self._has_begun or bool(self._stream.is_finished())

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """About `max_bytes` of what is decoded.

        Raises:
            ContentDecodingError: it is not brotli, or something stands behind its end.
        """
        self._has_begun = True
        try:
            decoded: bytes = self._stream.process(data, output_buffer_limit=max_bytes)
        except self._error as exc:
            raise ContentDecodingError(
                "decoding br: the library refused the data, expected brotli (RFC 7932)"
            ) from exc
        # The library may have taken all of the data in and still hold more of its output.
        self.pending = not self._stream.can_accept_more_data() or len(decoded) >= max_bytes
        return decoded


def new_layer() -> BrotliLayer:
    """A fresh one.

    Raises:
        ContentDecodingError: the library is too old to be told how much to decode.
    """
    new_stream, error = _library()
    stream = new_stream()
    if not hasattr(stream, "can_accept_more_data"):
        # One process() of 809 bytes may give a gigabyte there (CVE-2025-6176).
        raise ContentDecodingError(
            "decoding br: the brotli library is too old to bound its output,"
            " expected brotli 1.2 or later"
        )
    return BrotliLayer(stream, error)


@cache
def _library() -> tuple[Callable[[], Any], type[Exception]]:
    try:
        import brotli as library
    except ImportError:
        import brotlicffi as library
    return library.Decompressor, library.error
