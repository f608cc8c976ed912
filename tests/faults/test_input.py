"""What the caller gets wrong: an error that has a name, before a byte is written (rows 108 to 114).

Whatever the caller passes can write no byte outside of its own field.
"""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import NEXT, field, plain
from gofer.auth import AuthBase
from gofer.exceptions import (
    FileModeWarning,
    InvalidHeader,
    InvalidJSONError,
    InvalidMethod,
    InvalidProxyURL,
    InvalidSchema,
    InvalidURL,
    LocalProtocolError,
    MissingSchema,
    URLRequired,
)
from servers.raw import Peer, Server, always, serve
from servers.web import Web

BREAKS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x7f"]
PLAIN_PYTHON = pytest.mark.only_in("blocking")  # nothing is waited for, so one world tells all


@pytest.fixture
def silent(web: Web) -> Iterator[str]:
    """A URL; afterwards its server must not have heard anything."""
    yield web.url + "/anything"
    assert 0 == web.accepted
    assert [] == web.requests


Call = Callable[[str, gofer.Session], object]


def refused(call: Call, error: type[Exception], words: str, url: str) -> str:
    """The message of the `error` that `call` raises; it must be short and hold `words`."""
    with gofer.Session(timeout=5) as session:
        with pytest.raises(error, match=words) as caught:
            call(url, session)
    text = str(caught.value)
    assert len(text) < 300
    return text


# Row 108: what is written -------------------------------------------------------------------------


@PLAIN_PYTHON
@pytest.mark.parametrize(
    "text", [f"a{mark}b" for mark in BREAKS] + ["", " ", ":", "ä", "a b", "a:b"]
)
def test_row_108_field_names(text: str, silent: str):
    """A field name is a token, whoever sets it."""
    refused(lambda url, s: s.get(url, headers={text: "x"}), InvalidHeader, "field name", silent)

    def on_session(url: str, s: gofer.Session) -> None:
        s.headers[text] = "x"
        s.get(url)

    refused(on_session, InvalidHeader, "field name", silent)


@PLAIN_PYTHON
@pytest.mark.parametrize("text", [f"a{mark}Secret: b" for mark in BREAKS] + [" a", "\ta"])
def test_row_108_field_values(text: str, silent: str):
    """A field value is one line, whoever sets it; the error does not show it."""

    def by_hook(request: Any) -> Any:
        request.headers["X-Test"] = text
        return request

    calls: list[Call] = [
        lambda url, s: s.get(url, headers={"X-Test": text}),
        lambda url, s: s.get(url, headers={b"X-Test": text.encode()}),
        lambda url, s: s.get(url, headers=[("X-Test", text)]),
        lambda url, s: gofer.Session(headers={"X-Test": text}).get(url),
        lambda url, s: s.get(url, auth=by_hook),
        lambda url, s: s.get(url, hooks={"pre_request": by_hook}),
        lambda url, s: s.send(s.prepare_request(gofer.Request("GET", url, {"X-Test": text}))),
        lambda url, s: s.get(url, config={"base_headers": {"X-Test": text}}),
    ]
    for call in calls:
        assert "Secret" not in refused(call, InvalidHeader, "X-Test", silent)


@PLAIN_PYTHON
@pytest.mark.parametrize(
    "method", [f"GE{mark}T" for mark in BREAKS] + ["", "GE T", "GET /", "GÉT", "G:T"]
)
def test_row_108_methods(method: str, silent: str):
    """A method is a token."""
    refused(lambda url, s: s.request(method, url), InvalidMethod, "expected a token", silent)
    refused(lambda url, s: s.request(method.encode(), url), InvalidMethod, "token", silent)


@PLAIN_PYTHON
@pytest.mark.parametrize(
    ("method", "words"),
    [(None, "is None"), (3, "not int"), (["GET"], "not list"), ("CONNECT", "proxies=")],
)
def test_row_108_what_is_no_method(method: Any, words: str, silent: str):
    """Anything but text; and CONNECT, whose answer could not be told from a tunnel."""
    refused(lambda url, s: s.request(method, url), InvalidMethod, words, silent)


@pytest.mark.parametrize("mark", [*BREAKS, " ", "\t", "ü"])
def test_row_108_targets_are_percent_encoded(mark: str, web: Web, session: gofer.Session):
    """In path, query and params it arrives as an escape, in one well-formed head."""
    session.get(f"{web.url}/anything/a{mark}b?q=c{mark}d", params={"p": f"e{mark}f"})

    (request,) = web.requests
    escaped = "".join(f"%{octet:02X}" for octet in mark.encode())
    assert request.target.startswith(f"/anything/a{escaped}b?q=c{escaped}d&p=e")
    assert request.option("p") == f"e{mark}f"


@PLAIN_PYTHON
@pytest.mark.parametrize("mark", [*BREAKS, " "])
def test_row_108_targets_as_they_are(mark: str, silent: str):
    """Where nothing is to be encoded it is refused."""
    off = {"encode_uri": False}
    refused(lambda url, s: s.get(f"{url}/a{mark}b", config=off), InvalidURL, "encode_uri", silent)
    refused(lambda url, s: s.get(f"{url}?a{mark}b", config=off), InvalidURL, "encode_uri", silent)


@PLAIN_PYTHON
@pytest.mark.parametrize("mark", [*BREAKS, " ", "\\", "<", "%0d%0a", "%00"])
def test_row_108_hosts(mark: str, silent: str):
    """A host has none of them, escaped or not."""
    refused(lambda url, s: s.get(f"http://a{mark}b/"), InvalidURL, "host|authority", silent)


@PLAIN_PYTHON
@pytest.mark.parametrize("mark", BREAKS)
@pytest.mark.parametrize("where", ["{}:pass", "user:{}", "us{}er:pass"])
def test_row_108_credentials(mark: str, where: str, silent: str):
    """Neither in a URL, raw or escaped, nor as a pair; and the error shows none of it."""
    escaped = "".join(f"%{ord(char):02x}" for char in mark)
    authority = silent.partition("//")[2]
    raw = f"http://{where.format('x' + mark)}@{authority}"
    quoted = f"http://{where.format('x' + escaped)}@{authority}"
    user, _, password = where.format("x" + mark).partition(":")

    assert "pass" not in refused(lambda url, s: s.get(raw), InvalidURL, "authority", silent)
    refused(lambda url, s: s.get(quoted), InvalidHeader, "control character", silent)
    refused(lambda url, s: s.get(url, auth=(user, password)), InvalidHeader, "control", silent)


@PLAIN_PYTHON
def test_row_108_a_colon_in_a_user_name(silent: str):
    """The server would take what follows for the password."""
    refused(lambda url, s: s.get(url, auth=("a:b", "c")), InvalidHeader, "colon", silent)


@PLAIN_PYTHON
@pytest.mark.parametrize("mark", [*BREAKS, ";", "; admin=1"])
def test_row_108_cookies(mark: str, silent: str):
    """No cookie of the caller's can become another cookie, or another field."""

    def on_session(url: str, s: gofer.Session) -> None:
        s.cookies.set("c", f"x{mark}y")
        s.get(url)

    calls: list[Call] = [
        lambda url, s: s.get(url, cookies={"c": f"x{mark}y"}),
        lambda url, s: s.get(url, cookies={f"c{mark}d": "x"}),
        lambda url, s: s.get(url, cookies=[("c", f"x{mark}y")]),
        lambda url, s: s.get(url, cookies=gofer.cookies.cookiejar_from_dict({"c": f"x{mark}y"})),
        lambda url, s: gofer.Session(cookies={"c": f"x{mark}y"}).get(url),
        on_session,
    ]
    for call in calls:
        refused(call, InvalidHeader, "[cC]ookie", silent)


@pytest.mark.parametrize("mark", BREAKS[:4])
def test_row_108_multipart(mark: str, web: Web, session: gofer.Session):
    """A name or a filename is escaped as browsers do it, or refused; the head of a part is one."""
    files = {f'n"{mark}X-Evil: 1': (f'f"{mark}X-Evil: 1', b"content")}
    if mark == "\0":
        with pytest.raises(InvalidHeader):
            session.post(web.url + "/post", files=files)
        assert [] == web.requests
        return
    session.post(web.url + "/post", files=files)

    content = web.requests[0].content
    assert not re.search(rb"(?m)^X-Evil", content)
    assert not re.search(rb"\rX-Evil", content)
    assert 1 == content.count(b"Content-Disposition")


@PLAIN_PYTHON
@pytest.mark.parametrize("mark", BREAKS)
def test_row_108_fields_of_a_part(mark: str, silent: str):
    """A media type or a field of a part is one line."""
    parts: list[Any] = [
        ("f", b"content", f"text/plain{mark}X-Evil: 1"),
        ("f", b"content", "text/plain", {"X-Part": f"a{mark}X-Evil: 1"}),
        ("f", b"content", "text/plain", {f"X{mark}Part": "a"}),
    ]
    for part in parts:
        refused(
            lambda url, s, part=part: s.post(url, files={"f": part}), InvalidHeader, "field", silent
        )  # type: ignore[misc]


@PLAIN_PYTHON
@pytest.mark.parametrize(
    "host", ["a b", "a/b", "a?b", "a#b", "user@a", "a:80:80", "a:x", "[::1", "a\\b", "a,b c", "%zz"]
)
def test_row_108_the_host_field(host: str, silent: str):
    """It is a host and perhaps a port; a server behind a proxy would read it another way."""
    refused(lambda url, s: s.get(url, headers={"Host": host}), InvalidHeader, "'Host'", silent)


@pytest.mark.parametrize(
    "host", ["a", "a.example:8080", "[::1]", "[::1]:80", "192.0.2.1:80", "a_b", "xn--4ca", "", "a:"]
)
def test_row_108_a_host_field_of_ones_own(host: str, session: gofer.Session):
    """What is a host is sent as it is, alone."""
    with serve(always(NEXT)) as server:
        assert b"next" == session.get(server.url, headers={"Host": host}).content

    assert host == field(server.requests[0], "Host")
    assert 1 == server.requests[0].lower().count(b"\r\nhost:")


# Row 109 ------------------------------------------------------------------------------------------


@PLAIN_PYTHON
@pytest.mark.parametrize("value", ["☃", "a☃b", "\ud800"])
def test_row_109_values_beyond_latin_1(value: str, silent: str):
    """The error says how to send them all the same."""
    refused(lambda url, s: s.get(url, headers={"X": value}), InvalidHeader, "encode it", silent)


def test_row_109_latin_1_and_bytes_are_sent(session: gofer.Session):
    """As one octet a character, and as they are."""
    with serve(always(NEXT)) as server:
        session.get(server.url, headers={"X-Text": "grün", "X-Bytes": "☃".encode()})

    assert b"X-Text: gr\xfcn\r\nX-Bytes: \xe2\x98\x83\r\n" in server.requests[0]


# Row 110: URLs ------------------------------------------------------------------------------------


@PLAIN_PYTHON
@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("example.com", MissingSchema, "perhaps you meant https://example.com"),
        ("", MissingSchema, "no scheme"),
        (None, MissingSchema, "such as https://"),
        (5, MissingSchema, "no scheme"),
        ("//example.com/", MissingSchema, "no scheme"),
        ("localhost:8080/path", InvalidSchema, "not http or https"),
        ("ftp://example.com/", InvalidSchema, "not http or https"),
        ("file:///etc/passwd", InvalidSchema, "not http or https"),
        ("javascript:alert(1)", InvalidSchema, "not http or https"),
        ("http://", InvalidURL, "no host"),
        ("http:///path", InvalidURL, "no host"),
        ("http://:80/", InvalidURL, "no host"),
        ("http://user@/", InvalidURL, "no host"),
        ("http://a:99999/", InvalidURL, "65535"),
        ("http://a:0/", InvalidURL, "65535"),
        ("http://a:-1/", InvalidURL, "port"),
        ("http://a:80a/", InvalidURL, "port"),
        ("http://a:80:80/", InvalidURL, "port|colon"),
        ("http://[::1/", InvalidURL, "bracket"),
        ("http://[::1]x/", InvalidURL, "bracket|port"),
        ("http://::1/", InvalidURL, "."),
        ("http://a..b/", InvalidURL, "empty label"),
        (f"http://{'a' * 64}.example/", InvalidURL, "63 octets"),
        (f"http://{'a.' * 127}example/", InvalidURL, "."),
        ("http://a\u00adb\u200d.example/", InvalidURL, "."),
        (b"http://\xff\xfe/", InvalidURL, "UTF-8"),
        ("http://evil.example\\@good.example/", InvalidURL, "backslash"),
        ("http://1.2.3.4.5/", InvalidURL, "."),
        ("http://0x7f.1.2.3.4/", InvalidURL, "."),
    ],
)  # fmt: skip
def test_row_110_urls(url: Any, error: type[Exception], words: str, silent: str):
    """A URL that has not exactly one reading is not guessed at."""
    refused(lambda _, s: s.get(url), error, words, silent)
    refused(lambda _, s: s.send(gofer.Request("GET", url).prepare()), error, words, silent)


@PLAIN_PYTHON
@pytest.mark.parametrize(
    "url",
    ["http://" + "@" * 200_000 + "/", "http://" + "a@" * 100_000 + "b/", "http://" + "." * 200_000,
     "http://" + "[" * 200_000, "http://" + "1." * 100_000, "http://" + "ü" * 100_000 + "/",
     "http://a" + ":1" * 100_000],
    ids=["@", "a@", ".", "[", "1.", "ü", ":1"],
)  # fmt: skip
def test_row_110_long_nonsense(url: str, silent: str):
    """It takes linear time (the test would not end otherwise), and the message is short."""
    refused(lambda _, s: s.get(url), InvalidURL, ".", silent)


@pytest.mark.parametrize("path", ["%" * 1_000_000, "a" * 4_000_000, "../" * 300_000, "ü" * 300_000])
def test_row_110_long_paths_are_sent(path: str, session: gofer.Session):
    """A URL of megabytes goes out, in linear time; what to think of it is the server's affair."""
    with serve(always(NEXT)) as server:
        assert b"next" == session.get(f"{server.url}/{path}").content

    target = server.requests[0].split(b" ", 2)[1]
    assert re.fullmatch(rb"/[\x21-\x7e]*", target)


# Row 111 to 114: content --------------------------------------------------------------------------


class Failing(Exception):
    """The caller's own."""


def pieces_then_error(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"piece"
    raise Failing


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("length", [None, "1000"])
def test_row_111_an_iterator_that_raises(count: int, length: str | None, session: gofer.Session):
    """Its error reaches the caller as it is, and the server never sees a whole message."""
    whole = []

    def script(peer: Peer) -> None:
        peer.receive_request()
        whole.append(True)
        peer.send(NEXT)

    with serve(script) as server:
        fields = {} if length is None else {"Content-Length": length}
        with pytest.raises(Failing):
            session.post(server.url, data=pieces_then_error(count), headers=fields)

        assert [] == whole
        assert b"next" == session.get(server.url).content


def test_row_112_a_file_that_shrinks(session: gofer.Session, tmp_path: Path):
    """The message would not be whole: an error that says so."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000)
    with serve(lambda peer: peer.wait_closed()) as server, path.open("rb") as file:

        def shrink(request: Any) -> None:
            path.write_bytes(b"x" * 1000)

        with pytest.raises(LocalProtocolError, match="file"):
            session.post(server.url, data=file, hooks={"pre_request": shrink})


def test_row_112_a_file_that_grows(session: gofer.Session, tmp_path: Path):
    """The length that was declared is sent."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    contents = []

    def script(peer: Peer) -> None:
        while True:
            contents.append(peer.receive_request()[1])
            peer.send(NEXT)

    with serve(script) as server, path.open("rb") as file:

        def grow(request: Any) -> None:
            path.write_bytes(b"x" * 5000)

        session.post(server.url, data=file, hooks={"pre_request": grow})
        session.post(server.url, data=b"after")

    assert [b"x" * 1000, b"after"] == contents
    assert 1 == server.accepted


def test_row_112_a_file_that_grows_once_it_is_prepared(session: gofer.Session, tmp_path: Path):
    """The length that was declared is sent; one of the caller's own is still refused."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    contents = []

    def script(peer: Peer) -> None:
        contents.append(peer.receive_request()[1])
        peer.send(NEXT)

    with serve(script) as server, path.open("rb") as file, path.open("rb") as other:
        request = session.prepare_request(gofer.Request("POST", server.url, data=file))
        path.write_bytes(b"x" * 50)
        session.send(request)
        file.seek(0)
        for body, length in ((file, "9"), (other, "10")):
            request.body, request.headers["Content-Length"] = body, length
            with pytest.raises(LocalProtocolError, match=f"given is {length}, .* has 50 bytes"):
                session.send(request)

    assert [b"x" * 10] == contents


@PLAIN_PYTHON
@pytest.mark.parametrize(
    ("data", "fields", "words"),
    [
        (b"hello", {"Content-Length": "4"}, "4.*5"),
        (b"hello", {"content-length": "6"}, "6.*5"),
        ("hällo", {"Content-Length": "5"}, "5.*6"),
        ({"a": "1"}, {"Content-Length": "1"}, "1.*3"),
        (b"hello", {"Content-Length": "+5"}, "number"),
        (b"hello", {"Content-Length": "5, 5"}, "number"),
        (b"hello", {"Content-Length": ""}, "number"),
        (None, {"Content-Length": "5"}, "5.*0"),
        (b"hello", {"Content-Length": "5", "Transfer-Encoding": "chunked"}, "both"),
        (b"hello", {"Transfer-Encoding": "gzip"}, "chunked"),
        (b"hello", {"Transfer-Encoding": "gzip, chunked"}, "chunked"),
        (None, {"Transfer-Encoding": "chunked"}, "no content"),
        (io.BytesIO(b"hello"), {"Content-Length": "4"}, "4.*5"),
    ],
)
@pytest.mark.parametrize("how", ["call", "prepared"])
def test_row_113_framing_fields_that_are_not_true(
    data: Any, fields: dict[str, str], words: str, how: str, silent: str
):
    """The caller's Content-Length is that of the content, and there is one framing."""

    def call(url: str, s: gofer.Session) -> None:
        if how == "call":
            s.post(url, data=data, headers=fields)
        else:
            s.send(gofer.Request("POST", url, fields, data=data).prepare())

    refused(call, LocalProtocolError, words, silent)


@PLAIN_PYTHON
@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding"])
def test_row_113_framing_fields_that_come_twice(name: str, silent: str):
    """Nobody guesses which one is meant."""
    for headers in ([(name, "1"), (name, "1")], {name: "1", name.lower(): "1"}):
        refused(
            lambda url, s, headers=headers: s.post(url, b"x", headers=headers),  # type: ignore[misc]
            InvalidHeader, "twice", silent,
        )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4])
def test_row_113_an_iterator_of_another_length(count: int, session: gofer.Session):
    """More or less than was declared is an error; what was not declared is never sent."""
    with serve(lambda peer: peer.wait_closed()) as server:
        data = iter([b"12345"] * count)
        if count == 2:
            server.script = always(NEXT)
            assert (
                b"next" == session.post(server.url, data, headers={"Content-Length": "10"}).content
            )
            return
        with pytest.raises(LocalProtocolError, match="10"):
            session.post(server.url, data, headers={"Content-Length": "10"})
        server.wait_for(lambda: server.accepted and not server.open)

        assert len(server.received[0].partition(b"\r\n\r\n")[2]) <= 10


def test_row_113_chunked_content_of_the_callers_is_in_chunks(session: gofer.Session):
    """Transfer-Encoding: chunked beside bytes sends the bytes as chunks."""
    with Collecting() as (server, contents):
        for data in (b"hello", b"x" * 100_000, "text"):
            session.post(server.url, data=data, headers={"Transfer-Encoding": "chunked"})

    assert [b"hello", b"x" * 100_000, b"text"] == contents


class Collecting:
    """A server, and the contents it has received."""

    def __enter__(self) -> tuple[Server, list[bytes]]:
        contents: list[bytes] = []

        def script(peer: Peer) -> None:
            while True:
                contents.append(peer.receive_request()[1])
                peer.send(NEXT)

        self._server = serve(script)
        return self._server.__enter__(), contents

    def __exit__(self, *exc_info: Any) -> None:
        self._server.__exit__(*exc_info)


def test_row_114_text_is_utf_8(session: gofer.Session, tmp_path: Path):
    """Text, files of text and text in memory are sent as UTF-8, with the length that has."""
    path = tmp_path / "file"
    path.write_text("grün", encoding="latin-1")
    with Collecting() as (server, contents):
        session.post(server.url, data="grün")
        session.post(server.url, data=io.StringIO("grün"))
        with path.open(encoding="latin-1") as file, pytest.warns(FileModeWarning):
            session.post(server.url, data=file)
        session.post(server.url, data=iter(["gr", "ün"]))

    assert ["grün".encode()] * 4 == contents


def test_row_114_content_that_is_changed_in_flight(session: gofer.Session):
    """What is sent is what was given: a copy is made of what can change."""
    buffer = bytearray(b"before")
    with Collecting() as (server, contents):
        for data in (buffer, memoryview(buffer)):
            buffer[:] = b"before"

            def change(request: Any) -> None:
                buffer[:] = b"after!"

            session.post(server.url, data=data, hooks={"pre_request": change})

    assert [b"before"] * 2 == contents


# Wrong types and contradictions ------------------------------------------------------------------


class Nothing:
    """Of no use to anybody."""

    def __repr__(self) -> str:
        return "<Nothing>"


async def pieces() -> Any:
    yield b"piece"


MISTAKES: dict[str, tuple[Call, type[Exception], str]] = {
    # an argument: what is done, what is raised, what it says
    "headers str": (lambda u, s: s.get(u, headers="a: b"), TypeError, "headers.*dict"),
    "headers list of str": (lambda u, s: s.get(u, headers=["a: b"]), TypeError, "headers.*dict"),
    "headers int": (lambda u, s: s.get(u, headers=5), TypeError, "headers.*dict"),
    "header value int": (lambda u, s: s.get(u, headers={"a": 1}), InvalidHeader, r"str\("),
    "header name int": (lambda u, s: s.get(u, headers={1: "a"}), InvalidHeader, "str or bytes"),
    "cookies str": (lambda u, s: s.get(u, cookies="a=b"), TypeError, "cookies.*dict"),
    "cookies int": (lambda u, s: s.get(u, cookies=3), TypeError, "cookies.*dict"),
    "auth str": (lambda u, s: s.get(u, auth="user"), TypeError, "auth.*username"),
    "auth of three": (lambda u, s: s.get(u, auth=("a", "b", "c")), TypeError, "auth.*two"),
    "auth class": (lambda u, s: s.get(u, auth=AuthBase()), NotImplementedError, "."),
    "timeout 0": (lambda u, s: s.get(u, timeout=0), ValueError, "timeout.*greater than 0"),
    "timeout negative": (lambda u, s: s.get(u, timeout=-1), ValueError, "timeout.*greater than 0"),
    "timeout text": (lambda u, s: s.get(u, timeout="soon"), ValueError, "timeout.*seconds"),
    "timeout bool": (lambda u, s: s.get(u, timeout=True), ValueError, "timeout.*seconds"),
    "timeout nan": (lambda u, s: s.get(u, timeout=float("nan")), ValueError, "timeout.*seconds"),
    "timeout of three": (lambda u, s: s.get(u, timeout=(1, 2, 3)), ValueError, "connect, read"),
    "timeout list": (lambda u, s: s.get(u, timeout=[1]), ValueError, "connect, read"),
    "deadline 0": (lambda u, s: s.get(u, deadline=0), ValueError, "greater than 0"),
    "deadline text": (lambda u, s: s.get(u, deadline="x"), ValueError, "seconds"),
    "proxies str": (lambda u, s: s.get(u, proxies="http://p"), TypeError, "proxies.*dict"),
    "proxy int": (lambda u, s: s.get(u, proxies={"all": 3}), InvalidProxyURL, "got int"),
    "proxy scheme": (lambda u, s: s.get(u, proxies={"all": "ftp://p"}), InvalidProxyURL, "http"),
    "proxy port": (lambda u, s: s.get(u, proxies={"all": "p:99999"}), InvalidProxyURL, "65535"),
    "proxy socks": (lambda u, s: s.get(u, proxies={"all": "socks6://p"}), InvalidSchema, "socks5h"),
    "verify int": (lambda u, s: s.get(tls(u), verify=3), TypeError, "verify.*path"),
    "verify missing": (lambda u, s: s.get(tls(u), verify="/no/where"), OSError, "bundle.*where"),
    "verify empty": (lambda u, s: s.get(tls(u), verify=""), OSError, "no path in verify"),
    "cert missing": (lambda u, s: s.get(tls(u), cert="/no/where"), OSError, "certificate.*where"),
    "cert int": (lambda u, s: s.get(tls(u), cert=3), TypeError, "cert.*path"),
    "cert of four": (lambda u, s: s.get(tls(u), cert=("a",) * 4), ValueError, "cert has 4 parts"),
    "params int": (lambda u, s: s.get(u, params=5), ValueError, "mapping or 2-tuples"),
    "params of threes": (lambda u, s: s.get(u, params=[(1, 2, 3)]), ValueError, "2-tuples"),
    "data int": (lambda u, s: s.post(u, data=5), ValueError, "mapping or 2-tuples"),
    "data ints": (lambda u, s: s.post(u, data=[1, 2]), ValueError, "2-tuples"),
    "data nothing": (lambda u, s: s.post(u, data=Nothing()), ValueError, "mapping or 2-tuples"),
    "data async": (lambda u, s: s.post(u, data=pieces()), TypeError, "AsyncSession"),
    "json nan": (lambda u, s: s.post(u, json=float("nan")), InvalidJSONError, "json"),
    "json nothing": (lambda u, s: s.post(u, json=Nothing()), TypeError, "Nothing.*JSON"),
    "files str": (lambda u, s: s.post(u, files="x"), ValueError, "files.*mapping"),
    "files nothing": (lambda u, s: s.post(u, files={"f": Nothing()}), TypeError, "file.*Nothing"),
    "files of five": (lambda u, s: s.post(u, files={"f": (1, 2, 3, 4, 5)}), ValueError, "filename"),
    "text and files": (lambda u, s: s.post(u, "x", files={"f": b""}), ValueError, "fields"),
    "stream and files": (lambda u, s: s.post(u, iter([b""]), files={"f": b"x"}),
                         NotImplementedError, "together"),
    "stream and prefetch": (lambda u, s: s.get(u, stream=True, prefetch=True), ValueError,
                            "contradict"),
    "hooks list": (lambda u, s: s.get(u, hooks=[print]), TypeError, "hooks.*dict"),
    "hooks function": (lambda u, s: s.get(u, hooks=print), TypeError, "hooks.*dict"),
    "hooks event": (lambda u, s: s.get(u, hooks={"respnse": print}), ValueError, "post_request"),
    "hook int": (lambda u, s: s.get(u, hooks={"response": 5}), ValueError, "cannot be called"),
    "hooks int": (lambda u, s: s.get(u, hooks={"response": [5]}), ValueError, "cannot be called"),
    "config str": (lambda u, s: s.get(u, config="x"), TypeError, "config.*dict"),
    "no such option": (lambda u, s: s.get(u, header={"a": "b"}), TypeError, "header"),
    "send a Request": (lambda u, s: s.send(gofer.Request("GET", u)), ValueError, "PreparedRequest"),
    "send nothing": (lambda u, s: s.send(Nothing()), TypeError, "PreparedRequest"),
    "send it empty": (lambda u, s: s.send(gofer.PreparedRequest()), URLRequired, "https://"),
    "session headers": (lambda u, s: gofer.Session(headers="x"), TypeError, "headers.*dict"),
    "session proxies": (lambda u, s: gofer.Session(proxies="x"), TypeError, "proxies.*dict"),
    "session cookies": (lambda u, s: gofer.Session(cookies=5), TypeError, "cookies.*dict"),
    "session hooks": (lambda u, s: gofer.Session(hooks=[print]), TypeError, "hooks.*dict"),
    "session config": (lambda u, s: gofer.Session(config="x"), TypeError, "config.*dict"),
    "session timeout": (lambda u, s: gofer.Session(timeout="x"), ValueError, "seconds"),
    "session deadline": (lambda u, s: gofer.Session(deadline="x"), ValueError, "seconds"),
    "session socket": (lambda u, s: gofer.Session(unix_socket=5), TypeError, "unix_socket.*path"),
    "session address": (lambda u, s: gofer.Session(source_address=5), TypeError, "source_address"),
    "session runtime": (lambda u, s: gofer.Session(runtime="x"), ValueError, "runtime.*gevent"),
    "set proxies": (lambda u, s: setattr(s, "proxies", "x"), TypeError, "proxies.*dict"),
    "set headers": (lambda u, s: setattr(s, "headers", "x"), TypeError, "headers.*dict"),
    "set timeout": (lambda u, s: setattr(s, "timeout", -1), ValueError, "greater than 0"),
    "set redirects": (lambda u, s: setattr(s, "max_redirects", "x"), ValueError, "max_redirects"),
    "set cookies": (lambda u, s: setattr(s, "cookies", 5), TypeError, "cookies.*dict"),
}  # fmt: skip


def tls(url: str) -> str:
    return url.replace("http:", "https:")


@PLAIN_PYTHON
@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_are_named(what: str, silent: str):
    """The error names what was given, and what was expected."""
    call, error, words = MISTAKES[what]
    refused(call, error, words, silent)


WRONG_SETTINGS: dict[str, list[Any]] = {
    "base_headers": ["x", 5], "verbose": [True, "x"], "timeout": ["x", 0, (1,)],
    "max_redirects": [-1, "x", 1.5, True], "decode_unicode": ["x"], "keep_alive": ["no"],
    "pool_connections": ["x", -1], "pool_maxsize": [1.5], "max_retries": ["x", -1, 1.5],
    "safe_mode": ["x"], "danger_mode": [2], "encode_uri": ["x"], "trust_env": ["x"],
    "strict_mode": [[]], "store_cookies": ["x"], "hook_errors": ["x", True], "prefetch": ["x"],
    "connect_timeout": [0, "x"], "read_timeout": [-1], "write_timeout": ["x"],
    "pool_timeout": [0], "deadline": [0, "x"], "idle_seconds": ["x", -1],
    "max_connections": ["x", -1], "max_connections_per_host": [1.5],
    "max_field_section": ["x"], "max_fields": [-1], "max_interim_responses": [None.__class__],
    "max_coding_layers": ["x"], "max_decoded_ratio": ["x"], "max_drain": [-1],
    "retry_after_max": ["x"], "secret_headers": ["X-Key", 5], "expect_timeout": ["x"],
    "http2": ["x", 2, 1.5], "http3": ["x", 2, 1.5], "resolve_seconds": ["x", -1],
    "coalesce": ["x"], "tls_minimum": ["1.1", 1.3], "tls_ciphers": ["", 5], "crl_file": ["", 5],
}  # fmt: skip


@PLAIN_PYTHON
def test_every_setting_refuses_what_it_cannot_be(silent: str):
    """At once, on a call, on a session and when it is set; the error names the key."""
    assert {setting.name for setting in gofer.config.SETTINGS} == set(WRONG_SETTINGS)
    for key, values in WRONG_SETTINGS.items():
        for value in values:
            words = "timeout|" + key
            refused(lambda u, s: s.get(u, config={key: value}), ValueError, words, silent)  # noqa: B023
            refused(lambda u, s: gofer.Session(config={key: value}), ValueError, words, silent)  # noqa: B023
            refused(lambda u, s: s.config.update({key: value}), ValueError, words, silent)  # noqa: B023


def test_what_is_read_wrongly_is_named(session: gofer.Session):
    """Sizes of pieces are numbers above 0."""
    with serve(always(plain())) as server:
        for size, error in (("x", TypeError), (0, ValueError), (-1, ValueError)):
            with session.get(server.url) as answer, pytest.raises(error, match="chunk_size"):
                list(answer.iter_content(size))  # type: ignore[arg-type]
