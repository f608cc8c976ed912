"""`Response.raw` as libraries that know urllib3's response use it."""

import gzip
import io
import json
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import gofer
from servers.certificates import Certificates
from servers.raw import Peer, always, response, serve
from servers.web import Web

# The public names of urllib3's HTTPResponse (2.7), and those below it that libraries use.
NAMES = """
    REDIRECT_STATUSES auto_close chunk_left chunked close closed connection data decode_content
    drain_conn enforce_content_length fileno flush get_redirect_location getheader getheaders geturl
    headers info isatty isclosed json length_remaining msg read read1 read_chunked readable readinto
    readline readlines reason release_conn retries seek seekable shutdown status stream
    supports_chunked_reads tell truncate url version version_string writable writelines
    _body _connection _decoder _fp _original_response _update_chunk_length
"""
NAMES_OF_HTTP_CLIENT = """
    chunk_left chunked close closed fp getheader getheaders headers info isclosed length msg read
    read1 readable readinto reason status version
"""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def raw_of(answer: bytes) -> Iterator[Any]:
    """`raw` of an answer that was not read."""
    with (
        serve(always(answer)) as server,
        gofer.get(server.url, stream=True, allow_redirects=False) as r,
    ):
        yield r.raw


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_names_of_urllib3():
    """Each is there, and each that http.client's response has."""
    with raw_of(response(b"content")) as raw:
        assert [] == [name for name in NAMES.split() if not hasattr(raw, name)]
        for below in (raw._fp, raw._original_response):
            assert [] == [name for name in NAMES_OF_HTTP_CLIENT.split() if not hasattr(below, name)]
        assert isinstance(raw, io.IOBase)


def test_what_is_asked_of_it():
    """Before and after the content is read."""
    answer = response(b'{"a": 1}', set_cookie="a=1")
    with raw_of(answer.replace(b"\r\n\r\n", b"\r\nSet-Cookie: b=2\r\n\r\n", 1)) as raw:
        assert (False, 8, "HTTP/1.1") == (raw.closed, raw.length_remaining, raw.version_string)
        assert ["a=1", "b=2"] == raw.headers.getlist("set-cookie")
        assert ["a=1", "b=2"] == raw._original_response.headers.get_all("Set-Cookie")
        assert (0, ()) == (raw.retries.total, raw.retries.history)
        assert (False, None) == (raw.get_redirect_location(), raw.chunk_left)
        assert b'{"a"' == raw.read(4)
        assert (4, 4) == (raw.length_remaining, raw._fp.length)
        assert b": 1}" == raw.data == raw.data
        assert (True, 0, None) == (raw.closed, raw.length_remaining, raw._fp.fp)
        assert raw.geturl() == raw.url
    with raw_of(response(json.dumps([1]).encode())) as raw:
        assert [1] == raw.json()
    with raw_of(response(status="304 Not Modified")) as raw:
        assert 0 == raw.length_remaining
    with raw_of(response(status="302 Found", location="/else")) as raw:
        assert "/else" == raw.get_redirect_location()


# Wrappers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_wrapped_by_io(coding: str):
    """`BufferedReader` and `TextIOWrapper` read to the end with `auto_close = False`."""
    text = "".join(f"a,{number}\n" for number in range(5000))
    content = text.encode()
    packed = gzip.compress(content) if coding == "gzip" else content
    wrappers: list[Callable[[Any], Any]] = [
        lambda raw: io.TextIOWrapper(raw, "ascii").read(),
        lambda raw: io.TextIOWrapper(io.BufferedReader(raw), "ascii").read(),
        lambda raw: b"".join(io.BufferedReader(raw)).decode(),
        lambda raw: b"".join(raw.readlines()).decode(),
    ]
    for wrapped in wrappers:
        with raw_of(response(packed, content_encoding=coding)) as raw:
            raw.auto_close = False
            raw.decode_content = True
            assert text == wrapped(raw)


def test_archives():
    """tarfile as a stream; zipfile from what was read."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("name")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"content"))
    with (
        raw_of(response(packed.getvalue())) as raw,
        tarfile.open(fileobj=raw, mode="r|gz") as archive,
    ):
        assert ["name"] == [one.name for one in archive]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        zipped.writestr("name", "content")
    with raw_of(response(packed.getvalue())) as raw:
        assert b"content" == zipfile.ZipFile(io.BytesIO(raw.data)).read("name")


def test_sent_on(web: Web):
    """As the content of another request."""
    with raw_of(response(b"content")) as raw:
        assert "content" == gofer.post(web.url + "/post", data=raw).json()["data"]


# Libraries ----------------------------------------------------------------------------------------


def test_chunks_as_they_come():
    """docker: one byte, then what is left of its chunk, without waiting for the next."""
    read_first = threading.Event()

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(CHUNKED + chunk(b'{"n": 0}\r\n'))
        assert read_first.wait(5)
        peer.send(chunk(b'{"n": 1}\r\n') + b"0\r\n\r\n")

    with serve(script) as server, gofer.get(server.url, stream=True) as r:
        raw, pieces = r.raw, []
        assert raw.chunked
        assert raw._fp.chunked
        while not raw.closed:
            piece = raw.read(1)
            if not piece:
                break
            if raw._fp.chunk_left:
                piece += raw.read(raw._fp.chunk_left)
            pieces.append(piece)
            read_first.set()

        assert [b'{"n": 0}\r\n', b'{"n": 1}\r\n'] == pieces


def test_the_socket_below():
    """docker, botocore: its timeout is changed while content comes; sseclient reads from it."""
    may_go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(CHUNKED + chunk(b"one"))
        may_go_on.wait(5)
        peer.send(chunk(b"two") + b"0\r\n\r\n")

    with serve(script) as server, gofer.get(server.url, stream=True, timeout=5) as r:
        sock = r.raw._fp.fp.raw._sock
        assert 5 == sock.gettimeout()
        assert server.url.endswith(str(r.raw._connection.sock.getpeername()[1]))
        assert sock.fileno() > 0
        assert b"one" == r.raw._fp.fp.read1(1024)
        sock.settimeout(0.05)
        with pytest.raises(gofer.ReadTimeout):
            sock.recv(1024)
        may_go_on.set()
        assert r.raw.closed


def test_what_is_read_below_is_not_read_above():
    """In whichever order: each byte comes once."""
    for answer in (response(b"content"), CHUNKED + chunk(b"con") + chunk(b"tent") + b"0\r\n\r\n"):
        with raw_of(answer) as raw:
            assert b"con" == raw._fp.read(3)
            assert not raw.closed
            assert b"tent" == raw.read()
            assert raw.closed
        with raw_of(answer) as raw:
            first = raw.read1()
            assert (
                b"content"
                == first + raw._fp.read()
                == first + raw._original_response.read() + (b"content"[len(first) :])
            )


def test_closing_the_socket_below_ends_it():
    """docker's `CancellableStream.close`, from another thread."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(CHUNKED + chunk(b"one"))
        peer.wait_closed()

    with serve(script) as server, gofer.get(server.url, stream=True) as r:
        assert b"one" == r.raw.read1()
        sock = r.raw._fp.fp.raw._sock
        sock.shutdown(2)
        sock.close()

        assert r.raw.closed


def test_the_certificate_below(web_tls: Web, certificates: Certificates):
    """The recipe that everybody copies."""
    with gofer.get(web_tls.url + "/get", stream=True, verify=certificates.ca_file) as r:
        sock = r.raw.connection.sock

        assert r.tls.certificate == sock.getpeercert(binary_form=True)
        assert sock.getpeercert()["subjectAltName"]


def test_a_cache_reads_along():
    """CacheControl puts a file of its own in the place of `_fp`, and looks when that is read."""

    class Along:
        def __init__(self, file: Any) -> None:
            self.file, self.seen = file, b""

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def read(self, amt: int | None = None) -> bytes:
            data: bytes = self.file.read(amt)
            self.seen += data
            return data

    for answer in (response(b"content"), CHUNKED + chunk(b"con") + chunk(b"tent") + b"0\r\n\r\n"):
        with serve(always(answer)) as server, gofer.get(server.url, stream=True) as r:
            along = r.raw._fp = Along(r.raw._fp)
            assert (False, False) == (r.raw.closed, along.fp is None)
            assert b"content" == r.content == along.seen
            assert along.fp is None


def test_a_decoder_of_ones_own():
    """google-resumable-media: it sees the content as it came, to check its hash."""

    class Decoder:
        def __init__(self) -> None:
            self.seen = b""
            self._decoder = zlib.decompressobj(31)

        def decompress(self, data: bytes) -> bytes:
            self.seen += data
            return self._decoder.decompress(data)

        def flush(self) -> bytes:
            return self._decoder.flush()

    packed = gzip.compress(b"content")
    with (
        serve(always(response(packed, content_encoding="gzip"))) as server,
        gofer.get(server.url, stream=True) as r,
    ):
        decoder = r.raw._decoder = Decoder()

        assert b"content" == b"".join(r.iter_content(3))
        assert packed == decoder.seen


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_content_that_is_put_back(coding: str):
    """requests-cache reads what came, and puts it back twice: for the response and for its user."""
    packed = gzip.compress(b"content") if coding == "gzip" else b"content"
    for answer in (
        response(packed, content_encoding=coding),
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: %s\r\n\r\n" % coding.encode())
        + chunk(packed)
        + b"0\r\n\r\n",
    ):
        with serve(always(answer)) as server, gofer.get(server.url, stream=True) as r:
            assert not r.raw._fp.isclosed()
            assert packed == r.raw.read(decode_content=False)
            for _ in range(2):
                r.raw._body, r.raw._fp = packed, io.BytesIO(packed)
                r.raw.length_remaining = len(packed)
                assert b"content" == r.content
            assert (len(packed), False) == (r.raw.length_remaining, r.raw.closed)
            assert packed == r.raw.read()
