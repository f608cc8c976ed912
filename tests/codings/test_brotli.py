"""br, on the library that is installed."""

from typing import Any

import pytest

from codings.feeding import brotli, byte_by_byte, feed, new_decoder
from gofer.codings import brotli as coding
from gofer.exceptions import ContentDecodingError


def test_bytes_behind_the_end():
    """Brotli ends once: whatever comes behind it is an error, however it is cut."""
    coded = brotli(b"hello") + b"x"

    with pytest.raises(ContentDecodingError, match="expected brotli"):
        new_decoder("br").decode_whole(coded)
    with pytest.raises(ContentDecodingError, match="expected brotli"):
        feed(new_decoder("br"), byte_by_byte(coded))


def test_large_window_is_refused():
    """A window of more than 16 MiB is no part of RFC 7932."""
    with pytest.raises(ContentDecodingError):
        new_decoder("br").decode_whole(b"\x11\x1e" + bytes(20))


def test_library_that_cannot_bound_its_output(monkeypatch: pytest.MonkeyPatch):
    """An old library is refused by name: it would inflate a bomb in one go."""

    class OldDecompressor:
        def process(self, data: bytes) -> bytes: ...

    def library() -> Any:
        return OldDecompressor, ValueError

    monkeypatch.setattr(coding, "_library", library)

    with pytest.raises(ContentDecodingError, match=r"expected brotli 1\.2 or later"):
        new_decoder("br")
