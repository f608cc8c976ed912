"""zstd: frames in a row, and windows."""

import pytest

from codings.feeding import byte_by_byte, feed, new_decoder, zstd
from gofer.exceptions import ContentDecodingError, TruncatedContent

SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"


def frame_with_window(log: int) -> bytes:
    """A frame of one raw block "hello" that asks for a window of 2**log bytes (RFC 8878, 3.1.1)."""
    descriptor, window = b"\0", bytes([(log - 10) << 3])
    last_raw_block = (1 | 5 << 3).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + descriptor + window + last_raw_block + b"hello"


def test_frames_in_a_row():
    """Frames are concatenated; empty and skippable ones give nothing."""
    coded = SKIPPABLE + zstd(b"hello") + zstd(b"") + SKIPPABLE + zstd(b" world") + SKIPPABLE

    assert b"hello world" == new_decoder("zstd").decode_whole(coded)
    assert b"hello world" == feed(new_decoder("zstd"), [coded], 3)
    assert b"hello world" == feed(new_decoder("zstd"), byte_by_byte(coded))


@pytest.mark.parametrize("log", [10, 22, 23])
def test_window_up_to_8_mib(log: int):
    """RFC 9659 lets a sender rely on windows of 8 MiB."""
    assert b"hello" == new_decoder("zstd").decode_whole(frame_with_window(log))


@pytest.mark.parametrize("log", [24, 31, 41])
def test_window_over_8_mib(log: int):
    """A frame that asks for more memory is refused."""
    with pytest.raises(ContentDecodingError, match="too much memory"):
        new_decoder("zstd").decode_whole(frame_with_window(log))


@pytest.mark.parametrize("tail", [b"garbage", b"\0" * 8])
def test_garbage_behind_a_frame(tail: bytes):
    """What is not a frame is an error; the content before is on it."""
    with pytest.raises(ContentDecodingError) as caught:
        new_decoder("zstd").decode_whole(zstd(b"hello") + tail)

    assert b"hello" == caught.value.partial


def test_truncated_second_frame():
    """Once a frame has begun it has to end."""
    with pytest.raises(TruncatedContent):
        new_decoder("zstd").decode_whole(zstd(b"hello") + b"\x28")


def test_many_empty_frames():
    """Thousands of empty frames are nothing, in linear time."""
    assert b"" == new_decoder("zstd").decode_whole(zstd(b"") * 2_000)
