"""Content codings: truncated, broken, stacked, and bombs (rows 70 to 76).

The decoders are tested in `tests/codings/`; here is what a caller sees.
"""

import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import HEAD, ask, chunked, plain, session_for
from gofer.exceptions import ContentDecodingError, DecompressionBomb, TruncatedContent
from servers.raw import serve

brotli: Any = pytest.importorskip("brotli")
zstd: Any = pytest.importorskip(
    "backports.zstd" if sys.version_info < (3, 14) else "compression.zstd"
)

SOURCE = Path(gofer.__file__).resolve().parents[1]
MEGABYTE = 1024 * 1024
TEXT = b"hello world, " * 100


def raw_deflate(data: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


CODED: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(TEXT, mtime=0)),
    "x-gzip": ("x-gzip", gzip.compress(TEXT, mtime=0)),
    "GZIP": ("GZIP", gzip.compress(TEXT, mtime=0)),
    "zlib": ("deflate", zlib.compress(TEXT)),
    "raw deflate": ("deflate", raw_deflate(TEXT)),
    "br": ("br", brotli.compress(TEXT)),
    "zstd": ("zstd", zstd.compress(TEXT)),
    "identity": ("identity", TEXT),
    "identity, gzip": ("identity, gzip", gzip.compress(TEXT, mtime=0)),
    "several members": (
        "gzip",
        gzip.compress(TEXT[:50], mtime=0) + gzip.compress(TEXT[50:], mtime=0),
    ),
    "several frames": ("zstd", zstd.compress(TEXT[:50]) + zstd.compress(TEXT[50:])),
    "two layers": ("gzip, br", brotli.compress(gzip.compress(TEXT, mtime=0))),
    "garbage behind": ("gzip", gzip.compress(TEXT, mtime=0) + b"garbage"),
}


def coded(coding: str, content: bytes) -> bytes:
    return plain(content, b"Content-Encoding: " + coding.encode())


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("how", ["content", "iter_content", "raw"])
def test_row_70_and_72_codings(name: str, how: str):
    """Every coding is taken off, whole or piece by piece; what stands behind gzip is ignored."""
    with serve(lambda peer: peer.send(coded(*CODED[name]))) as server, session_for() as session:
        got = session.get(server.url)
        if how == "content":
            content = got.content
        elif how == "raw":
            content = got.raw.read(decode_content=True)
        else:
            content = b"".join(got.iter_content(7))

    assert TEXT == content


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
def test_row_70_no_content_in_a_coding(coding: str):
    """Empty content is fine in any coding, and so is HEAD and 204."""
    line = b"Content-Encoding: " + coding.encode()

    assert b"" == ask(plain(b"", line)).content
    assert b"" == ask(chunked(b"0\r\n\r\n", line)).content
    assert b"" == ask(HEAD + line + b"\r\nContent-Length: 5\r\n\r\n", method="HEAD").content
    assert b"" == ask(b"HTTP/1.1 204 No Content\r\n" + line + b"\r\n\r\n").content


@pytest.mark.parametrize("name", ["gzip", "zlib", "raw deflate", "br", "zstd", "two layers"])
@pytest.mark.parametrize("missing", [1, 4, 8])
@pytest.mark.parametrize("how", ["content", "iter_content"])
def test_row_71_truncated(name: str, missing: int, how: str):
    """A coded content without its own end is an error, and what came before it can be had."""
    coding, content = CODED[name]
    if missing >= len(content) // 2:
        missing = 2
    with serve(lambda peer: peer.send(coded(coding, content[:-missing]))) as server:
        with session_for() as session, session.get(server.url) as got:
            with pytest.raises(TruncatedContent) as caught:
                got.content if how == "content" else list(got.iter_content(100))

    assert caught.value.response is got
    assert TEXT.startswith(caught.value.partial)


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", b"this is not gzip"), ("deflate", b"\xff\xff\xff\xff"), ("br", b"\xff" * 20),
        ("zstd", b"this is not zstd"),
        ("gzip", CODED["gzip"][1][:-8] + b"\0\0\0\0" + CODED["gzip"][1][-4:]),
        ("gzip", CODED["gzip"][1][:-4] + b"\0\0\0\1"),
        ("gzip", b"\x1f\x8b\x08\xff" + CODED["gzip"][1][4:]),
        ("deflate", CODED["zlib"][1][:-4] + b"\0\0\0\0"),
        ("gzip, gzip", CODED["gzip"][1]),
    ],
)  # fmt: skip
def test_row_71_broken(coding: str, content: bytes):
    """A wrong checksum, a wrong length, or something else altogether is ContentDecodingError."""
    with pytest.raises(ContentDecodingError) as caught:
        ask(coded(coding, content))

    assert TEXT.startswith(caught.value.partial)


@pytest.mark.parametrize("coding", ["x-unknown", "compress", "gzip, x-unknown", "x-unknown, gzip"])
def test_row_73_unknown_codings(coding: str):
    """They leave the content as it came, and the field says so."""
    got = ask(coded(coding, b"raw bytes"))

    assert b"raw bytes" == got.content
    assert coding == got.headers["content-encoding"]


@pytest.mark.parametrize("layers", [2, 3])
def test_row_74_few_layers(layers: int):
    """Up to three layers are taken off."""
    content = TEXT
    for _ in range(layers):
        content = gzip.compress(content, mtime=0)

    assert TEXT == ask(coded(", ".join(["gzip"] * layers), content)).content


@pytest.mark.parametrize("layers", [4, 6, 1000, 5000])
@pytest.mark.parametrize("joint", [", ", "\r\nContent-Encoding: "], ids=["one line", "many lines"])
def test_row_74_many_layers(layers: int, joint: str):
    """More are an error, however they are written."""
    if layers >= 1000 and joint != ", ":
        layers = 900  # more lines are too many fields, another limit
    with pytest.raises(ContentDecodingError, match="layers"):
        ask(coded(joint.join(["gzip"] * layers), b"x"))


# Bombs ----------------------------------------------------------------------------------------


def gzip_of_nothing(megabytes: int) -> bytes:
    """gzip of so many MiB of zeros, made of one compressed MiB block repeated."""
    coder = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [coder.compress(bytes(MEGABYTE)), coder.flush(zlib.Z_FULL_FLUSH)]
    parts.append(coder.compress(bytes(MEGABYTE)) + coder.flush(zlib.Z_FULL_FLUSH))
    # After a full flush every block is the same, whatever came before it.
    return b"".join(parts[:2]) + parts[2] * (megabytes - 1)


def brotli_of_nothing(megabytes: int) -> bytes:
    coder = brotli.Compressor(quality=5)
    parts = [coder.process(bytes(MEGABYTE)) for _ in range(megabytes)]
    return b"".join(parts) + coder.finish()


def zstd_of_nothing(megabytes: int) -> bytes:
    return zstd.compress(bytes(64 * MEGABYTE)) * (megabytes // 64)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: gzip_of_nothing(10 * 1024)),
    "deflate": ("deflate", lambda: gzip_of_nothing(10 * 1024)[10:]),  # without gzip's head
    "zstd": ("zstd", lambda: zstd_of_nothing(10 * 1024)),
    "br": ("br", lambda: brotli_of_nothing(512)),
    "double gzip": ("gzip, gzip", lambda: gzip.compress(gzip_of_nothing(10 * 1024))),
}

DEVOUR = """
import resource, sys
import gofer
how, url = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
largest = 0
try:
    response = gofer.get(url, timeout=10, stream=True)
    if how == "content":
        response.content
    else:
        for number, piece in enumerate(response.iter_content(100_000)):
            largest = max(largest, len(piece))
            if number > 5000:
                break
    print("no error")
except gofer.exceptions.RequestException as error:
    print(type(error).__name__)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
print(largest)
"""


@pytest.mark.only_in("blocking")  # in a process of its own
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("how", ["content", "iter_content"])
def test_row_75_bombs(name: str, how: str):
    """`content` refuses to grow past all reason, in bounded memory; a stream is flat in memory."""
    coding, make = BOMBS[name]
    bomb = coded(coding, make())

    with serve(lambda peer: peer.send(bomb)) as server:
        done = subprocess.run(
            [sys.executable, "-c", DEVOUR, how, server.url],
            capture_output=True, text=True, check=True, timeout=50, env={"PYTHONPATH": str(SOURCE)},
        )  # fmt: skip
    error, grown, largest = done.stdout.split()[-3:]

    assert ("DecompressionBomb" if how == "content" else "error") == error
    assert int(grown) < (200 if how == "content" else 60)
    assert int(largest) <= 100_000


def test_row_75_an_honest_large_content():
    """What does not grow suspiciously is decoded, however large; and the guard can be set."""
    content = gzip.compress(bytes(70 * MEGABYTE))

    with pytest.raises(DecompressionBomb):
        ask(coded("gzip", content), timeout=5)
    got = ask(coded("gzip", content), timeout=5, config={"max_decoded_ratio": 2000})
    assert 70 * MEGABYTE == len(got.content)


def test_row_75_nothing_is_decoded_at_close(monkeypatch: pytest.MonkeyPatch):
    """Closing or dropping an unread response inflates nothing."""
    decoded: list[int] = []
    monkeypatch.setattr(gofer.codings.Decoder, "_feed", lambda *arguments: decoded.append(1))

    with serve(lambda peer: peer.send(coded("gzip", gzip_of_nothing(100)))) as server:
        with session_for() as session:
            session.get(server.url).close()
            session.get(server.url)
            with session.get(server.url):
                pass

    assert [] == decoded


def test_row_76_a_window_of_zstd_that_is_too_large():
    """A frame that asks for more than 8 MiB of window is refused (RFC 9659)."""
    options = {zstd.CompressionParameter.window_log: 27}
    coder = zstd.ZstdCompressor(options=options)
    content = coder.compress(TEXT) + coder.flush()

    with pytest.raises(ContentDecodingError):
        ask(coded("zstd", content))
