"""Verbose logging: one line per request on the wire (S52 to S53b)."""

import io
import re

import pytest

import gofer
from gofer.auth import HTTPDigestAuth
from servers.raw import Peer, refused_port, response, serve
from servers.web import Web

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}   [A-Z]+   \S+\n")


class Log:
    """A stream: anything with `write`."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)

    @property
    def urls(self) -> list[str]:
        return [line.split()[2] for line in self.written]


def test_s52_a_line_for_each_request_on_the_wire(web: Web) -> None:
    """Two redirects are three lines, one `write` each."""
    log = Log()
    gofer.get(web.url + "/redirect/2", config={"verbose": log})

    assert [web.url + path for path in ("/redirect/2", "/redirect/1", "/get")] == log.urls
    assert all(LINE.fullmatch(line) for line in log.written)


def test_s52_the_line_comes_before_the_request() -> None:
    """A connection that is refused has its line too."""
    log = Log()
    with pytest.raises(gofer.ConnectionError):
        gofer.get(f"http://127.0.0.1:{refused_port()}/", config={"verbose": log})

    assert 1 == len(log.written)


def test_s52_a_digest_repeat_is_a_line(web: Web) -> None:
    """The repeat with credentials is a request of its own."""
    log = Log()
    gofer.get(
        web.url + "/digest-auth/auth/user/pass",
        auth=HTTPDigestAuth("user", "pass"), config={"verbose": log},
    )  # fmt: skip

    assert 2 == len(log.written)


def test_s52_an_internal_repeat_is_none(session: gofer.Session) -> None:
    """A repeat because a kept connection was dead gives no second line."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(response(b"ok"))
        if peer.index == 0:
            peer.receive_request()

    log = Log()
    session.config["verbose"] = log
    with serve(script) as server:
        for _ in range(2):
            assert b"ok" == session.get(server.url).content
        assert 3 == len(server.requests)

    assert 2 == len(log.written)


def test_s52_nothing_is_written_by_default(web: Web, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a stream, or with None, nobody hears a thing."""
    gofer.get(web.url + "/get")
    gofer.get(web.url + "/get", config={"verbose": None})

    assert ("", "") == capfd.readouterr()


def test_s53_the_line(web: Web) -> None:
    """Local time with six digits, the method in capitals, the whole URL with its query."""
    log = io.StringIO()
    gofer.request("post", web.url + "/post", params={"a": "1"}, config={"verbose": log})

    line = log.getvalue()
    assert LINE.fullmatch(line)
    assert line.endswith(f"   POST   {web.url}/post?a=1\n")


def test_s53_the_fraction_has_six_digits_always() -> None:
    """A time without microseconds keeps its fraction."""
    from types import SimpleNamespace

    from gofer.messages.url import parse
    from gofer.stages.hooks import verbose_line

    request = SimpleNamespace(method="GET", url_parsed=parse("http://example.com/"))

    assert LINE.fullmatch(verbose_line(request))


def test_s53a_no_password_and_no_fragment(web: Web) -> None:
    """The password of a URL is masked, the fragment left away."""
    log = Log()
    url = web.url.replace("//", "//user:secret@")
    gofer.get(url + "/get#fragment", config={"verbose": log})

    (line,) = log.written
    assert "secret" not in line
    assert "fragment" not in line
    assert line.rstrip().endswith("/get")


def test_s53b_on_a_session_and_overridden(web: Web) -> None:
    """A session has a stream; a call may have another, or none."""
    log, other = Log(), Log()
    with gofer.session(config={"verbose": log}) as session:
        session.get(web.url + "/get")
        session.get(web.url + "/json", config={"verbose": other})
        session.get(web.url + "/html", config={"verbose": None})

    assert [web.url + "/get"] == log.urls
    assert [web.url + "/json"] == other.urls
