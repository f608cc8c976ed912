"""Redirects that go nowhere, round in circles, or to somebody else (rows 48 to 61)."""

import functools
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import NEXT, field, found, session_for, site, target
from gofer.exceptions import (
    InvalidSchema,
    InvalidURL,
    RequestException,
    TooManyRedirects,
    UnrewindableBodyError,
)
from servers.raw import Peer, Server, always, response, serve

MEGABYTE = 1024 * 1024


def heads(server: Server, path: str) -> list[bytes]:
    """The requests for `path`."""
    return [head for head in server.requests if target(head) == path]


def test_row_48_a_loop(session: gofer.Session):
    """Thirty redirects are followed, and the error has the last response."""
    with serve(always(found("/again"))) as server:
        with pytest.raises(TooManyRedirects) as caught:
            session.get(server.url)

        assert 31 == len(server.requests)
        assert 30 == len(caught.value.response.history)
        assert 1 == server.accepted


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_row_48_the_limit_is_settable(limit: int):
    """`max_redirects` redirects are followed, not one more."""
    pages = {"/a": found("/b"), "/b": found("/c")}
    with serve(site(pages)) as server, session_for(config={"max_redirects": limit}) as session:
        if limit < 2:
            with pytest.raises(TooManyRedirects):
                session.get(server.url + "/a")
        else:
            assert b"next" == session.get(server.url + "/a").content

        assert limit + 1 == len(server.requests)


@pytest.mark.parametrize("line", [b"", b"Location:\r\n", b"Location:  \r\n"])
def test_row_49_no_location(line: bytes, session: gofer.Session):
    """A redirect to nowhere is the answer."""
    with serve(always(b"HTTP/1.1 302 Found\r\n" + line + b"Content-Length: 2\r\n\r\nhi")) as server:
        got = session.get(server.url)

        assert (302, b"hi", []) == (got.status_code, got.content, got.history)
        assert 1 == len(server.requests)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x", "/x"), ("x", "/d/x"), ("?q=2", "/d/page?q=2"), ("../x", "/x"), ("./x/../y", "/d/y"),
        ("../../../x", "/x"), (";p", "/d/;p"), ("x;p=1?q", "/d/x;p=1?q"), ("//HOST:PORT/x", "/x"),
        ("http://HOST:PORT", "/"), ("/a b", "/a%20b"), ("/ü", "/%C3%BC"), ("/%c3%bc", "/%C3%BC"),
        ("/%0d%0aX:1", "/%0D%0AX:1"), ("/%2e%2e/x", "/x"), ("/a%2Fb", "/a%2Fb"), ("#frag", "/d/page?q=1"),
    ],
)  # fmt: skip
def test_row_50_references_are_resolved(location: str, expected: str, session: gofer.Session):
    """A Location is a reference of RFC 3986; what must not be sent raw is percent-encoded."""
    asked = []

    def script(peer: Peer) -> None:
        while True:
            asked.append(target(peer.receive_head()))
            if len(asked) > 1:
                peer.send(NEXT)
                continue
            reference = location.replace("HOST", "127.0.0.1").replace("PORT", f"{peer.server.port}")
            peer.send(found(reference))

    with serve(script) as server:
        assert b"next" == session.get(server.url + "/d/page?q=1").content

    assert ["/d/page?q=1", expected] == asked


def test_row_50_the_fragment_is_inherited(session: gofer.Session):
    """A Location without a fragment takes that of the request (RFC 9110, 10.2.2)."""
    with serve(site({"/a": found("/b"), "/c": found("/d#two")})) as server:
        assert session.get(server.url + "/a#one").url.endswith("/b#one")
        assert session.get(server.url + "/c#one").url.endswith("/d#two")


@pytest.mark.parametrize("char", [b"\x01", b"\x00", b"\x7f", b"\x0b"])
def test_row_50_control_characters_in_a_location(char: bytes, session: gofer.Session):
    """A raw control character is an error."""
    with serve(site({"/a": found(b"/x" + char + b"y")})) as server:
        with pytest.raises(RequestException):
            session.get(server.url + "/a")

        assert 1 == len(server.requests)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "data:text/plain,hi", "javascript:alert(1)", "ftp://127.0.0.1/x",
     "gopher://127.0.0.1:70/x", "dict://127.0.0.1:1/x", "ws://127.0.0.1/", "FILE:/etc/passwd"],
)  # fmt: skip
def test_row_51_other_schemes(location: str, session: gofer.Session):
    """A redirect leads to http and https only; nothing else is opened."""
    with serve(site({"/a": found(location)})) as server:
        with pytest.raises((InvalidSchema, InvalidURL)) as caught:
            session.get(server.url + "/a")

        assert 302 == caught.value.response.status_code
        assert b"next" == session.get(server.url + "/next").content


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "http://[::g]/", "http://[1.2.3.4]/", "http://a:99999/", "http://a:-1/",
     "http://a:80a/", "http://:80/", "http:///x", "http://a..b/", "http://" + "a" * 64 + ".b/",
     "http://exa mple/", "http://a%00b/", "//[", "http://a\\b/", "http:\\\\evil/"],
)  # fmt: skip
def test_row_52_locations_that_cannot_be_understood(location: str, session: gofer.Session):
    """A bad Location is a named error with the response, not a bare ValueError."""
    with serve(site({"/a": found(location)})) as server:
        with pytest.raises((InvalidURL, InvalidSchema)) as caught:
            session.get(server.url + "/a")

        assert 302 == caught.value.response.status_code
        assert caught.value.request is not None
        assert 1 == len(server.requests)


# Credentials --------------------------------------------------------------------------------------

SECRETS = {
    "authorization": "Bearer a",
    "COOKIE": "a=b",
    "Proxy-Authorization": "c",
    "x-api-key": "d",
    "X-Auth-Token": "e",
    "X-Mine": "f",
}


def secrets_in(head: bytes) -> set[str]:
    return {name.lower() for name in SECRETS if field(head, name) is not None}


def test_row_53_same_origin_keeps_credentials(names: list[str]):
    """A redirect within an origin takes everything along."""
    with serve(site({"/a": found("/b")})) as server, session_for() as session:
        session.get(f"http://a.test:{server.port}/a", headers=SECRETS)

        assert {name.lower() for name in SECRETS} == secrets_in(server.requests[1])


@pytest.mark.parametrize("location", ["http://b.test:PORT/b", "http://x.a.test:PORT/b"])
def test_row_53_another_host_gets_no_credentials(location: str, names: list[str]):
    """Fields that are credentials, in any spelling, do not follow to another host."""
    config = {"secret_headers": ["x-mine"]}
    with serve(site({"/a": found(location)})) as server, session_for(config=config) as session:
        session.get(f"http://a.test:{server.port}/a", headers={**SECRETS, "X-Other": "1"})

        assert set() == secrets_in(server.requests[1])
        assert "1" == field(server.requests[1], "x-other")


def test_row_53_another_port_gets_no_credentials():
    """A port is part of an origin."""
    with serve(always(NEXT)) as other, session_for(auth=("me", "secret")) as session:
        with serve(site({"/a": found(other.url + "/b")})) as server:
            session.get(server.url + "/a", cookies={"sid": "1"})

            assert field(server.requests[0], "authorization")
            assert "sid=1" == field(server.requests[0], "cookie")
        assert field(other.requests[0], "authorization") is None
        assert field(other.requests[0], "cookie") is None


def test_row_53_from_https_to_http_gets_no_credentials(certificates: Any, names: list[str]):
    """Nothing secret goes on in the clear."""
    with serve(always(NEXT)) as plain_server, session_for(verify=certificates.ca_file) as session:
        location = found(f"http://localhost:{plain_server.port}/b")
        with serve(always(location), tls=certificates.good, host="localhost") as server:
            session.get(server.url, headers=SECRETS, auth=("me", "secret"))

        assert {"x-mine"} == secrets_in(plain_server.requests[0])


def test_row_53_a_callable_auth_is_not_called_for_another_origin(names: list[str]):
    """`auth` is for the origin it was given for."""
    called = []

    def auth(request: Any) -> Any:
        called.append(request.url)
        request.headers["X-Signed"] = "1"
        return request

    with serve(site({"/a": found("http://b.test:PORT/b")})) as server, session_for() as session:
        session.get(f"http://a.test:{server.port}/a", auth=auth)

    assert 1 == len(called)


class Signing(gofer.auth.AuthBase):
    """As the page of 2011 has it: credentials in fields of any name."""

    def __call__(self, request: Any) -> Any:
        request.headers["X-Signature"] = "secret"
        request.headers["X-Replaced"] = "secret"
        request.headers["Content-Digest"] = "of the content"
        return request


class SigningFlow(Signing):
    def flow(self, request: Any) -> Iterator[Any]:
        yield self(request)


def copying(request: Any) -> Any:
    """One that gives another request back."""
    return Signing()(request.copy())


SCHEMES = [Signing(), SigningFlow(), copying]


@pytest.mark.parametrize("prepared", [False, True], ids=["plain", "prepared"])
@pytest.mark.parametrize("auth", SCHEMES, ids=["callable", "flow", "copying"])
def test_row_53_what_auth_has_set_stays_at_its_origin(auth: Any, prepared: bool, names: list[str]):
    """Under any name, also after a hop within it, and after one back; other fields go on."""
    paths = {
        "/a": found("/b", 307), "/b": found("http://b.test:PORT/c", 307),
        "/c": found("http://a.test:PORT/d", 307),
    }  # fmt: skip
    with serve(site(paths)) as server, session_for(auth=auth) as session:
        url, fields = f"http://a.test:{server.port}/a", {"X-Replaced": "mine", "X-Other": "mine"}
        if prepared:
            request = session.prepare_request(gofer.Request("POST", url, fields, data=b"x"))
            request.headers["X-Late"] = "mine"
            session.send(request)
        else:
            session.post(url, headers={**fields, "X-Late": "mine"}, data=b"x")

        fields_asked = ["x-signature", "x-replaced", "x-other", "x-late", "content-digest"]
        signed = ["secret", "secret", "mine", "mine", "of the content"]
        plain = [None, "mine", "mine", "mine", "of the content"]
        assert [signed, signed, plain, plain] == [
            [field(head, name) for name in fields_asked] for head in server.requests
        ]


def test_row_53_userinfo_stays_at_its_origin(names: list[str]):
    """user:password@ of the first URL is nothing to the second."""
    with serve(site({"/a": found("http://b.test:PORT/b")})) as server, session_for() as session:
        got = session.get(f"http://me:secret@a.test:{server.port}/a")

        assert field(server.requests[0], "authorization")
        assert field(server.requests[1], "authorization") is None
        assert "secret" not in got.url


def test_row_53_netrc_is_looked_up_for_each_host(
    names: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """netrc's entry for one host is not used at another, and `default` only at the first."""
    path = tmp_path / "netrc"
    path.write_text("machine a.test login a password a\ndefault login d password d\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    with serve(site({"/a": found("http://b.test:PORT/b")})) as server, session_for() as session:
        session.get(f"http://a.test:{server.port}/a")
        session.get(f"http://x:@a.test.evil.test:{server.port}/c")

        assert "Basic YTph" == field(heads(server, "/a")[0], "authorization")
        assert field(heads(server, "/b")[0], "authorization") is None
        assert "Basic YTph" != field(heads(server, "/c")[0], "authorization")


@pytest.mark.parametrize("back", ["b.test:PORT/b2", "a.test:PORT/c"])
def test_row_54_nothing_comes_back(back: str, names: list[str]):
    """A credential that was dropped stays dropped, also when the chain returns."""
    pages = {"/a": found("http://b.test:PORT/b"), "/b": found("http://" + back)}
    with serve(site(pages)) as server, session_for() as session:
        session.get(
            f"http://a.test:{server.port}/a",
            headers=SECRETS, auth=("me", "secret"), cookies={"sid": "1"},
        )  # fmt: skip

        assert 3 == len(server.requests)
        assert [{"x-mine"}, {"x-mine"}] == [secrets_in(head) for head in server.requests[1:]]


# Methods and content ------------------------------------------------------------------------------

DESCRIPTIONS = (
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "content-language",
    "expect",
)


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("data", [b"hello", [b"hel", b"lo"]], ids=["bytes", "chunks"])
def test_row_55_post_becomes_get(status: int, data: Any):
    """301, 302 and 303 make a POST a GET without content and what describes it."""
    with serve(site({"/a": found("/b", status)})) as server, session_for() as session:
        described = {"Content-Type": "x/y", "Content-Encoding": "x", "Content-Language": "en"}
        content = iter(data) if isinstance(data, list) else data
        session.post(server.url + "/a", data=content, headers=described)

        second = server.requests[1]
        assert second.startswith(b"GET /b ")
        assert [] == [name for name in DESCRIPTIONS if field(second, name) is not None]
        assert field(second, "content-length") is None


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [("HEAD", 301, "HEAD"), ("HEAD", 302, "HEAD"), ("HEAD", 303, "HEAD"), ("HEAD", 307, "HEAD"),
     ("PUT", 303, "GET"), ("DELETE", 302, "GET"), ("PUT", 301, "PUT"), ("PUT", 308, "PUT"),
     ("DELETE", 307, "DELETE"), ("POST", 308, "POST")],
)  # fmt: skip
def test_row_55_methods(method: str, status: int, expected: str):
    """HEAD stays HEAD, 307 and 308 change nothing, the others do as Requests does."""
    with serve(site({"/a": found("/b", status)})) as server, session_for() as session:
        session.request(method, server.url + "/a", allow_redirects=True)

        assert expected == server.requests[1].split(b" ")[0].decode()


@pytest.mark.parametrize("status", [307, 308])
def test_row_55_content_is_replayed_from_its_start(status: int, tmp_path: Path):
    """Bytes and files are sent again, a file from where it stood at first."""
    path = tmp_path / "file"
    path.write_bytes(b"skip hello")
    contents = []

    def script(peer: Peer) -> None:
        while True:
            head, content = peer.receive_request()
            contents.append(content)
            peer.send(found("/b", status) if target(head) == "/a" else NEXT)

    with serve(script) as server, session_for() as session, path.open("rb") as file:
        file.seek(5)
        session.post(server.url + "/a", data=b"hello")
        session.post(server.url + "/a", data=file)
        stream = io.BytesIO(b"hello")
        session.post(server.url + "/a", data=stream)

    assert [b"hello"] * 6 == contents


@pytest.mark.parametrize("status", [307, 308])
def test_row_55_content_that_cannot_be_sent_again(status: int):
    """A used-up generator is an error, never an empty content."""

    def content() -> Iterator[bytes]:
        yield b"hello"

    with serve(site({"/a": found("/b", status)})) as server, session_for() as session:
        with pytest.raises(UnrewindableBodyError):
            session.post(server.url + "/a", data=content())

        assert 1 == len(server.requests)


@pytest.mark.parametrize("status", [300, 304, 305, 306, 201])
def test_row_56_statuses_that_are_not_followed(status: int, session: gofer.Session):
    """A Location elsewhere means something else."""
    answer = b"HTTP/1.1 %d X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n" % status
    with serve(always(answer)) as server:
        assert status == session.get(server.url).status_code
        assert 1 == len(server.requests)


def endless(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n")
    for _ in range(1000):
        peer.send(b"x" * 65536)


def stalled(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 9\r\n\r\n")


@functools.cache
def gzip_of_nothing() -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, 31)
    content = coder.compress(b"\0" * 40 * MEGABYTE) + coder.flush()
    assert len(content) < 64 * 1024
    return content


def bomb(peer: Peer) -> None:
    peer.send(found("/next", 302, gzip_of_nothing(), b"Content-Encoding: gzip"))


@pytest.mark.parametrize("step", [endless, stalled, bomb])
def test_row_57_content_of_a_redirect(step: Any, monkeypatch: pytest.MonkeyPatch):
    """At most 64 KiB and one second are spent on it, it is never decoded, and the hop goes on."""
    import gofer.codings

    decoded: list[Any] = []
    monkeypatch.setattr(gofer.codings.Decoder, "_feed", lambda *arguments: decoded.append(1))

    def script(peer: Peer) -> None:
        while True:
            if target(peer.receive_head()) == "/next":
                peer.send(NEXT)
            else:
                step(peer)

    gzip_of_nothing()  # made before anybody waits for it
    with serve(script) as server, session_for() as session:
        assert b"next" == session.get(server.url).content
        assert (1 if step is bomb else 2) == server.accepted

    assert [] == decoded


@pytest.mark.parametrize(("size", "works"), [(60_000, True), (1_000_000, False)])
def test_row_58_a_long_location(size: int, works: bool, session: gofer.Session):
    """A Location of a megabyte is an error."""
    with serve(site({"/a": found("/" + "a" * size)})) as server:
        if works:
            assert b"next" == session.get(server.url + "/a").content
        else:
            with pytest.raises(RequestException):
                session.get(server.url + "/a")
            assert 1 == len(server.requests)


def test_row_59_userinfo_in_a_location(names: list[str], session: gofer.Session):
    """It is used for that origin, and for no other."""
    pages = {
        "/a": found("http://u:p@b.test:PORT/b"),
        "/b": found("http://b.test:PORT/c"),
        "/c": found("http://c.test:PORT/d"),
    }
    with serve(site(pages)) as server:
        got = session.get(f"http://a.test:{server.port}/a")

        sent = [field(head, "authorization") for head in server.requests]
        assert [None, "Basic dTpw"] == sent[:2]
        assert sent[3] is None
        assert "u:p@" not in got.url


def test_row_60_cookies_of_each_hop(names: list[str], session: gofer.Session):
    """Set-Cookie on a redirect counts at once; a custom Host field changes nothing about whose."""
    pages = {
        "/a": found("/b", 302, b"", b"Set-Cookie: one=1"),
        "/b": found("http://b.test:PORT/c", 302, b"", b"Set-Cookie: two=2"),
    }
    with serve(site(pages)) as server:
        session.get(f"http://a.test:{server.port}/a", headers={"Host": "b.test"})

        assert "one=1" == field(heads(server, "/b")[0], "cookie")
        assert field(heads(server, "/c")[0], "cookie") is None


def test_row_60_no_referer(session: gofer.Session):
    """No Referer is made up, so none can carry userinfo."""
    with serve(site({"/a": found("/b")})) as server:
        session.get(server.url.replace("//", "//me:secret@") + "/a")

        assert [None, None] == [field(head, "referer") for head in server.requests]


def test_row_60_a_custom_host_does_not_go_elsewhere(names: list[str], session: gofer.Session):
    """A Host field the caller set is for the first origin."""
    with serve(site({"/a": found("http://b.test:PORT/b")})) as server:
        session.get(f"http://a.test:{server.port}/a", headers={"Host": "mine.test"})

        assert "mine.test" == field(server.requests[0], "host")
        assert f"b.test:{server.port}" == field(server.requests[1], "host")


def test_row_61_retry_after_is_capped(monkeypatch: pytest.MonkeyPatch, world: Any):
    """A server cannot put its client to sleep for days."""
    slept: list[float] = []

    async def sleep(self: Any, seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(type(world), "sleep", sleep)
    busy = response(b"", "503 Busy", retry_after="999999999")
    config = {"max_retries": gofer.Retry(total=2, statuses=[503])}
    with serve(always(busy)) as server, session_for(config=config) as session:
        assert 503 == session.get(server.url).status_code

    assert [120.0, 120.0] == slept


def test_row_61_retry_after_counts_in_the_deadline():
    """A wait that would pass the deadline is not begun."""
    busy = response(b"", "503 Busy", retry_after="60")
    config = {"max_retries": gofer.Retry(total=2, statuses=[503])}
    with serve(always(busy)) as server, session_for(config=config) as session:
        assert 503 == session.get(server.url, deadline=0.5).status_code
        assert 1 == len(server.requests)


def test_redirects_are_not_followed_when_switched_off(session: gofer.Session):
    """`allow_redirects=False` holds on every path, whatever the setting for their number."""
    with serve(site({"/a": found("/b")})) as server:
        got = session.get(server.url + "/a", allow_redirects=False)

        assert 302 == got.status_code
        assert got.next.url == server.url + "/b"
        assert 1 == len(server.requests)
