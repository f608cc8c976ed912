"""The stack of codings: what is offered and parsed, and what holds for every coding."""

import contextlib
import hashlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gofer.codings
from codings.feeding import ENCODE, byte_by_byte, encode, feed, new_decoder
from gofer.codings import Decoder, accept_encoding, decoder_for, parse_codings
from gofer.exceptions import ContentDecodingError, DecompressionBomb, TruncatedContent

CODINGS = tuple(ENCODE)
TEXT = b"The quick brown fox jumps over the lazy dog. " * 200
MIB = 1024 * 1024

every_coding = pytest.mark.parametrize("coding", CODINGS)


# Offered and parsed -------------------------------------------------------------------------------


def test_accept_encoding_offers_what_is_installed():
    """gzip and deflate always, br and zstd where their libraries are."""
    assert "gzip, deflate, br, zstd" == accept_encoding()


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gofer.codings, "_is_installed", lambda package: False)
    accept_encoding.cache_clear()
    gofer.codings._is_available.cache_clear()
    yield
    accept_encoding.cache_clear()
    gofer.codings._is_available.cache_clear()


def test_accept_encoding_without_libraries(nothing_installed: None):
    """What cannot be decoded is not offered."""
    assert "gzip, deflate" == accept_encoding()


def test_content_stays_raw_without_the_library(nothing_installed: None):
    """There is no decoder for a coding whose library is missing, even below another one."""
    assert decoder_for(("br",)) is None
    assert decoder_for(("zstd", "gzip")) is None
    assert decoder_for(("gzip",)) is not None


def test_offering_a_coding_does_not_import_its_library():
    """accept_encoding() looks for libraries without running them."""
    code = (
        "import sys; from gofer.codings import accept_encoding; accept_encoding();"
        "print([m for m in ('brotli', 'brotlicffi', 'backports.zstd') if m in sys.modules])"
    )
    source = Path(gofer.codings.__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(source)},
    )

    assert "[]" == found.stdout.strip()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        ([""], ()),
        (["gzip"], ("gzip",)),
        (["GZIP"], ("gzip",)),
        (["x-gzip"], ("gzip",)),
        ([" X-GZip\t"], ("gzip",)),
        (["identity"], ()),
        (["identity, gzip"], ("gzip",)),
        (["deflate, gzip"], ("deflate", "gzip")),
        (["deflate", "gzip"], ("deflate", "gzip")),
        ([", deflate,, gzip ,"], ("deflate", "gzip")),
        (["Rot13"], ("rot13",)),
    ],
)
def test_parse_codings(values: list[str], expected: tuple[str, ...]):
    """Names come in lower case in the order they were applied, identity does not come at all."""
    assert expected == parse_codings(values)


@pytest.mark.parametrize("separate", [True, False])
def test_number_of_layers_is_limited(separate: bool):
    """Three codings are taken off; four, or five thousand, are an error."""

    def values(count: int) -> list[str]:
        return ["gzip"] * count if separate else [", ".join(["gzip"] * count)]

    assert ("gzip",) * 2 == parse_codings(values(2))
    assert ("gzip",) * 3 == parse_codings(values(3))
    for count in (4, 5000):
        with pytest.raises(ContentDecodingError, match=f"{count} layers, expected at most 3"):
            parse_codings(values(count))


def test_limit_of_layers_can_be_set():
    """`max_layers` holds for a single coding too."""
    assert ("gzip",) * 5 == parse_codings(["gzip"] * 5, max_layers=5)
    with pytest.raises(ContentDecodingError, match="max_coding_layers"):
        parse_codings(["gzip"], max_layers=0)


def test_identity_does_not_count_as_a_layer():
    """Any number of identity codings is nothing."""
    assert () == parse_codings(["identity"] * 100)


@pytest.mark.parametrize("codings", [(), ("rot13",), ("gzip", "rot13"), ("compress",)])
def test_content_that_stays_as_it_is(codings: tuple[str, ...]):
    """No coding, or one that nobody knows, gives no decoder."""
    assert decoder_for(codings) is None


# Every coding -------------------------------------------------------------------------------------


@every_coding
@pytest.mark.parametrize("content", [b"", b"x", TEXT, bytes(300_000)], ids=len)
def test_round_trip(coding: str, content: bytes):
    """Content decodes whole, in pieces, and byte by byte."""
    coded = encode(content, [coding])

    assert content == new_decoder(coding).decode_whole(coded)
    assert content == feed(new_decoder(coding), [coded])
    assert content == feed(new_decoder(coding), byte_by_byte(coded))


@every_coding
def test_empty_content_is_fine(coding: str):
    """Nothing at all is the content of a response to HEAD, or a 204."""
    decoder = new_decoder(coding)
    decoder.finish()

    assert not decoder.pending
    assert b"" == new_decoder(coding).decode_whole(b"")
    assert b"" == feed(new_decoder(coding), [b"", b""])


@every_coding
@pytest.mark.parametrize("max_bytes", [1, 100, 16 * 1024, MIB])
def test_no_step_gives_more_than_was_asked_for(coding: str, max_bytes: int):
    """Each decode() gives at most `max_bytes`, and fills it while there is enough."""
    content = bytes(20_000) + TEXT
    decoder = new_decoder(coding)
    steps = [decoder.decode(encode(content, [coding]), max_bytes)]
    while decoder.pending:
        steps.append(decoder.decode(b"", max_bytes))
    decoder.finish()

    assert content == b"".join(steps)
    assert {max_bytes} >= {len(step) for step in steps[: len(content) // max_bytes]}


@every_coding
def test_data_handed_in_while_something_is_pending_is_kept(coding: str):
    """Order and content survive a reader that does not wait."""
    coded = encode(TEXT, [coding])
    decoder = new_decoder(coding)
    decoded = b"".join([decoder.decode(piece, 10) for piece in byte_by_byte(coded)])
    while decoder.pending:
        decoded += decoder.decode(b"", 10)
    decoder.finish()

    assert TEXT == decoded


@every_coding
def test_truncated_at_every_byte(coding: str):
    """Content that ends before its own end is an error, with what there was of it."""
    coded = encode(TEXT, [coding])
    for end in range(1, len(coded)):
        with pytest.raises(TruncatedContent, match=f"after {end} bytes") as caught:
            new_decoder(coding).decode_whole(coded[:end])
        assert TEXT.startswith(caught.value.partial)
        with pytest.raises(TruncatedContent):
            feed(new_decoder(coding), byte_by_byte(coded[:end]))


@every_coding
@pytest.mark.parametrize("junk", [b"<!DOCTYPE html><html></html>", b"\xff" * 50, b"PK\x03\x04" * 9])
def test_content_that_is_not_of_the_coding(coding: str, junk: bytes):
    """Something else is an error that names the coding."""
    with pytest.raises(ContentDecodingError, match=f"decoding {coding}"):
        new_decoder(coding).decode_whole(junk)
    with pytest.raises(ContentDecodingError, match=f"decoding {coding}"):
        feed(new_decoder(coding), byte_by_byte(junk))


@every_coding
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_split_decodes_the_same(coding: str, data: st.DataObject):
    """How content is cut by the network, and read, does not change what it decodes to."""
    content = data.draw(st.binary(max_size=300)) * data.draw(st.integers(1, 300))
    coded = encode(content, [coding])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(coded)), max_size=8)))
    pieces = [coded[a:b] for a, b in zip([0, *cuts], [*cuts, len(coded)], strict=True)]
    max_bytes = data.draw(st.integers(1, 100_000))

    assert content == feed(new_decoder(coding), pieces, max_bytes)
    assert content == new_decoder(coding).decode_whole(coded)


@every_coding
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_broken_content_raises_the_named_errors_only(coding: str, data: st.DataObject):
    """Whatever comes, it decodes, the same streamed and whole, or is a ContentDecodingError."""
    coded = bytearray(encode(data.draw(st.binary(max_size=200)) * 5, [coding]))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(coded) - 1))
        coded[place] = data.draw(st.integers(0, 255))
    coded += data.draw(st.binary(max_size=5))

    decoded = set()
    for pieces in ([bytes(coded)], byte_by_byte(bytes(coded))):
        with contextlib.suppress(ContentDecodingError):
            decoded.add(feed(new_decoder(coding), pieces))
    with contextlib.suppress(ContentDecodingError):
        decoded.add(new_decoder(coding).decode_whole(bytes(coded)))

    # All may fail, or some: libzstd compares a frame's length only where it sees all of it.
    assert len(decoded) <= 1


# Layers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codings", [("deflate", "gzip"), ("br", "zstd", "gzip"), ("gzip",) * 3])
def test_layers_come_off_in_reverse(codings: tuple[str, ...]):
    """The coding applied last is taken off first."""
    coded = encode(TEXT, codings)

    assert TEXT == new_decoder(*codings).decode_whole(coded)
    assert TEXT == feed(new_decoder(*codings), byte_by_byte(coded), 100)


def test_inner_layer_that_is_truncated():
    """Each layer must have come to its end, not only the outermost."""
    coded = encode(encode(TEXT, ["gzip"])[:-1], ["deflate"])

    with pytest.raises(TruncatedContent, match="decoding gzip"):
        new_decoder("gzip", "deflate").decode_whole(coded)


def test_bytes_are_counted():
    """`received` counts what came, `decoded` what was handed out."""
    coded = encode(TEXT, ["gzip"])
    decoder = new_decoder("gzip")
    decoder.decode(coded, 100)

    assert (len(coded), 100) == (decoder.received, decoder.decoded)
    assert f"<Decoder gzip: {len(coded)} bytes in, 100 out, pending>" == repr(decoder)


def test_finish_before_the_end_of_decoding_is_a_mistake_of_the_caller():
    """Decoded bytes cannot be forgotten by accident."""
    decoder = new_decoder("gzip")
    decoder.decode(encode(TEXT, ["gzip"]), 100)

    with pytest.raises(RuntimeError, match="pending"):
        decoder.finish()


@pytest.mark.parametrize("max_bytes", [0, -1])
def test_a_step_must_have_a_size(max_bytes: int):
    """Zero would mean "without limit" to zlib."""
    with pytest.raises(ValueError, match="expected 1 or more"):
        Decoder(("gzip",)).decode(b"", max_bytes)


# Bombs --------------------------------------------------------------------------------------------


def zeros(coding: str, mib: int) -> bytes:
    """So many MiB of zeros, in many members or frames where the coding has them."""
    if coding in ("gzip", "zstd"):
        return encode(bytes(16 * MIB), [coding]) * (mib // 16)
    return encode(bytes(mib * MIB), [coding])


@pytest.mark.parametrize("coding", CODINGS)
def test_bomb_is_refused_in_bounded_memory(coding: str):
    """Content of 160 MiB from a few KiB stops a little above 64 MiB."""
    bomb = zeros(coding, 160)
    tracemalloc.start()
    try:
        with pytest.raises(DecompressionBomb, match="max_decoded_ratio") as caught:
            new_decoder(coding).decode_whole(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert b"" == caught.value.partial
    assert peak < 140 * MIB


def test_bomb_inside_a_bomb():
    """What lies between two layers is bounded as well."""
    bomb = encode(zeros("gzip", 512), ["gzip"])
    assert len(bomb) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(DecompressionBomb):
            new_decoder("gzip", "gzip").decode_whole(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 140 * MIB


@every_coding
def test_streaming_a_bomb_takes_no_memory(coding: str):
    """Who reads piece by piece gets the pieces, each bounded."""
    bomb = zeros(coding, 64)
    decoder = new_decoder(coding)
    tracemalloc.start()
    try:
        decoder.decode(bomb, 64 * 1024)
        while decoder.pending:
            decoder.decode(b"", 64 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    decoder.finish()

    assert 64 * MIB == decoder.decoded
    assert peak < MIB


def test_ratio_counts_above_the_floor_only():
    """At the floor any ratio is fine; one byte above it is a bomb."""
    floor = 1000
    for size, is_bomb in ((floor - 1, False), (floor, False), (floor + 1, True)):
        coded = encode(bytes(size), ["gzip"])
        decoder = new_decoder("gzip")
        if is_bomb:
            with pytest.raises(DecompressionBomb):
                decoder.decode_whole(coded, floor=floor, max_ratio=2)
        else:
            assert bytes(size) == decoder.decode_whole(coded, floor=floor, max_ratio=2)


def test_content_that_grows_within_the_ratio():
    """Above the floor, content is fine up to the ratio, and without limit for None."""
    content = bytes(100_000)
    coded = encode(content, ["gzip"])
    ratio = len(content) / len(coded)

    assert content == new_decoder("gzip").decode_whole(coded, floor=10, max_ratio=ratio)
    assert content == new_decoder("gzip").decode_whole(coded, floor=10, max_ratio=None)
    with pytest.raises(DecompressionBomb):
        new_decoder("gzip").decode_whole(coded, floor=10, max_ratio=ratio - 0.1)


# Vectors ------------------------------------------------------------------------------------------


def test_vectors(vectors: Path):
    """The web platform's coded files decode to what their index says, in 64 KiB steps."""
    folder = vectors / "content-encoding"
    for case in json.loads((folder / "index.json").read_text()):
        coded = (folder / case["file"]).read_bytes()
        codings = parse_codings([case["content_encoding"]])
        if case["file"].endswith("big.window.zst"):
            with pytest.raises(ContentDecodingError, match="too much memory"):
                new_decoder(*codings).decode_whole(coded)
            continue
        decoder, digest = new_decoder(*codings), hashlib.sha256()
        digest.update(decoder.decode(coded, 64 * 1024))
        while decoder.pending:
            digest.update(decoder.decode(b"", 64 * 1024))
        decoder.finish()

        assert case["decoded_length"] == decoder.decoded, case["file"]
        assert case["decoded_sha256"] == digest.hexdigest(), case["file"]
