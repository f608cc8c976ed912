"""Coded content to decode, and ways to hand it to a decoder."""

import gzip
import zlib
from collections.abc import Callable, Iterable

import pytest

from gofer.codings import Decoder, decoder_for


def deflate_bare(content: bytes) -> bytes:
    """The content as a deflate stream without the zlib format around it."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


def brotli(content: bytes) -> bytes:
    """The content in coding br; the test is skipped without a library."""
    library = pytest.importorskip("brotli", reason="br needs the package brotli")
    coded: bytes = library.compress(content, quality=3)
    return coded


def zstd(content: bytes) -> bytes:
    """The content in coding zstd; the test is skipped without a library."""
    try:
        from compression import zstd as library
    except ImportError:
        library = pytest.importorskip("backports.zstd", reason="zstd needs backports.zstd")
    coded: bytes = library.compress(content)
    return coded


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli,
    "zstd": zstd,
}


def encode(content: bytes, codings: Iterable[str]) -> bytes:
    """The content with the codings applied in their order."""
    for name in codings:
        content = ENCODE[name](content)
    return content


def new_decoder(*codings: str) -> Decoder:
    """A decoder that must be there."""
    decoder = decoder_for(codings)
    assert decoder is not None
    return decoder


def feed(decoder: Decoder, pieces: Iterable[bytes], max_bytes: int = 64 * 1024) -> bytes:
    """What the decoder makes of content that arrives in pieces, and comes to its end."""
    decoded = []
    for piece in pieces:
        part = decoder.decode(piece, max_bytes)
        while part or decoder.pending:
            assert len(part) <= max_bytes
            decoded.append(part)
            part = decoder.decode(b"", max_bytes)
    decoder.finish()
    return b"".join(decoded)


def byte_by_byte(data: bytes) -> list[bytes]:
    """Its bytes, each by itself."""
    return [data[at : at + 1] for at in range(len(data))]
