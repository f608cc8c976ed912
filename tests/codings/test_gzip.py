"""gzip: members, checksums and what stands behind them."""

import gzip

import pytest

from codings.feeding import byte_by_byte, feed, new_decoder
from gofer.exceptions import ContentDecodingError, TruncatedContent

MEMBER = gzip.compress(b"hello")


@pytest.mark.parametrize("tail", [b"", b"\0" * 100, b"garbage", b"\x1f", b"\x1f\x8b", b"\x1f\x8bx"])
def test_members_in_a_row_and_padding(tail: bytes):
    """Members are concatenated, an empty one too; what else stands behind the last is ignored."""
    coded = MEMBER + gzip.compress(b"") + gzip.compress(b" world") + tail

    assert b"hello world" == new_decoder("gzip").decode_whole(coded)
    assert b"hello world" == feed(new_decoder("gzip"), [coded], 3)
    assert b"hello world" == feed(new_decoder("gzip"), byte_by_byte(coded))


def test_a_member_behind_padding_is_padding():
    """How the padding is cut by the network does not bring a member back."""
    coded = MEMBER + b"\0" + MEMBER

    assert b"hello" == new_decoder("gzip").decode_whole(coded)
    assert b"hello" == feed(new_decoder("gzip"), byte_by_byte(coded))


def test_truncated_second_member():
    """Once a member has begun it has to end."""
    with pytest.raises(TruncatedContent) as caught:
        new_decoder("gzip").decode_whole(MEMBER + MEMBER[:-1])

    assert b"hellohello" == caught.value.partial


@pytest.mark.parametrize("place", [-8, -1], ids=["CRC32", "ISIZE"])
def test_wrong_checksum(place: int):
    """A wrong CRC or length is an error; the content is on it."""
    broken = bytearray(MEMBER)
    broken[place] ^= 1

    with pytest.raises(ContentDecodingError, match="incorrect") as caught:
        new_decoder("gzip").decode_whole(bytes(broken))
    assert b"hello" == caught.value.partial


def test_not_gzip():
    """The message shows how the content starts."""
    with pytest.raises(ContentDecodingError, match=r"not gzip, it starts with b'<ht'"):
        new_decoder("gzip").decode_whole(b"<html>")


def test_many_empty_members():
    """Thousands of empty members are nothing, in linear time."""
    assert b"" == new_decoder("gzip").decode_whole(gzip.compress(b"") * 20_000)


def test_optional_header_fields():
    """FEXTRA, FNAME, FCOMMENT and FHCRC are skipped."""
    import zlib

    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x02\0ab" + b"name\0" + b"comment\0"
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    coded = head + MEMBER[10:]

    assert b"hello" == feed(new_decoder("gzip"), byte_by_byte(coded))
