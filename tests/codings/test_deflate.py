"""deflate: with and without the zlib format around it."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codings.feeding import byte_by_byte, deflate_bare, feed, new_decoder
from gofer.exceptions import ContentDecodingError, TruncatedContent


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("bits", [9, 15, -9, -15])
@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=100))
def test_both_formats_at_every_level(level: int, bits: int, content: bytes):
    """The zlib format and the bare stream are told apart, for any window and level."""
    stream = zlib.compressobj(level, wbits=bits)
    coded = stream.compress(content) + stream.flush()

    assert content == new_decoder("deflate").decode_whole(coded)
    assert content == feed(new_decoder("deflate"), byte_by_byte(coded))


def test_bare_stream_byte_by_byte():
    """The format is decided when two bytes are there."""
    coded = deflate_bare(b"hello" * 100)

    assert b"hello" * 100 == feed(new_decoder("deflate"), byte_by_byte(coded), 7)


@pytest.mark.parametrize("coded", [zlib.compress(b"hello"), deflate_bare(b"hello")])
def test_garbage_behind_the_stream_is_ignored(coded: bytes):
    """As browsers do."""
    assert b"hello" == new_decoder("deflate").decode_whole(coded + b"garbage")
    assert b"hello" == feed(new_decoder("deflate"), byte_by_byte(coded + b"garbage"))


def test_one_byte_is_truncated():
    """Content too short to tell its format is not empty content."""
    with pytest.raises(TruncatedContent):
        new_decoder("deflate").decode_whole(b"x")


def test_wrong_checksum():
    """A wrong Adler-32 is an error; the content is on it."""
    broken = bytearray(zlib.compress(b"hello"))
    broken[-1] ^= 1

    with pytest.raises(ContentDecodingError, match="incorrect data check") as caught:
        new_decoder("deflate").decode_whole(bytes(broken))
    assert b"hello" == caught.value.partial


def test_preset_dictionary_is_refused():
    """HTTP has no way to agree on a dictionary."""
    stream = zlib.compressobj(zdict=b"hello")
    coded = stream.compress(b"hello") + stream.flush()

    with pytest.raises(ContentDecodingError, match="decoding deflate"):
        new_decoder("deflate").decode_whole(coded)
