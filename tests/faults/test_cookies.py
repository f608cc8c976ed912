"""Cookies that a server should not be able to set, or that should not travel (rows 62 to 69).

The store's rules are tested in `tests/messages/test_cookies.py`; here is what crosses the wire.
"""

import pickle
import time
from typing import Any

import pytest

import gofer
from faults.asking import field, found, session_for, site
from servers.raw import serve

BIG = "x" * 3000


def setting(*values: bytes) -> bytes:
    """A response that sets cookies."""
    lines = b"".join(b"Set-Cookie: " + value + b"\r\n" for value in values)
    return b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n"


def sent_after(
    value: bytes, at: str, to: str, path: str = "/next", session: gofer.Session | None = None
) -> str | None:
    """The Cookie field that goes to the host `to` after `at` has said Set-Cookie: `value`."""
    with serve(site({"/set": setting(value)})) as server, session or session_for() as client:
        client.get(f"http://{at}:{server.port}/set")
        client.get(f"http://{to}:{server.port}{path}")
        return field(server.requests[1], "cookie")


@pytest.mark.parametrize(
    ("at", "domain", "to"),
    [
        ("a.com", "com", "b.com"), ("a.com", ".com", "b.com"), ("a.com", "com.", "b.com"),
        ("a.co.uk", "co.uk", "b.co.uk"), ("a.co.uk", "Co.UK", "b.co.uk"),
        ("a.github.io", "github.io", "b.github.io"), ("a.test", "b.test", "b.test"),
        ("example.com", "mple.com", "mple.com"), ("127.0.0.1", ".0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.1", "127.0.0.1"), ("a.example.com", "b.a.example.com", "b.a.example.com"),
        ("example.com", "a.example.com", "a.example.com"),
    ],
)  # fmt: skip
def test_row_62_domains_that_are_not_ones_own(at: str, domain: str, to: str, names: list[str]):
    """Public suffixes, foreign domains and parts of addresses are refused."""
    assert sent_after(b"a=b; Domain=" + domain.encode(), at, to) is None
    assert sent_after(b"a=b; Domain=" + domain.encode(), at, at) is None


def test_row_62_ones_own_domain(names: list[str]):
    """A domain above the host, at a label's boundary, gets the cookie."""
    value = b"a=b; Domain=.Example.COM"
    assert "a=b" == sent_after(value, "www.example.com", "mail.example.com")
    assert "a=b" == sent_after(value, "www.example.com", "example.com")
    assert sent_after(value, "www.example.com", "badexample.com") is None


def test_row_62_a_public_suffix_that_is_the_host_itself(names: list[str]):
    """Then the cookie is the host's alone (RFC 6265bis, 5.7)."""
    assert "a=b" == sent_after(b"a=b; Domain=github.io", "github.io", "github.io")
    assert sent_after(b"a=b; Domain=github.io", "github.io", "b.github.io") is None


def test_row_63_host_only(names: list[str]):
    """Without Domain a cookie is for that host alone."""
    assert "a=b" == sent_after(b"a=b", "example.com", "example.com")
    assert sent_after(b"a=b", "example.com", "www.example.com") is None
    assert sent_after(b"a=b; Domain=", "example.com", "www.example.com") is None


def test_row_63_host_only_survives_being_saved(names: list[str]):
    """A session that was pickled keeps the flag."""
    with serve(site({"/set": setting(b"a=b")})) as server:
        with session_for() as session:
            session.get(f"http://example.com:{server.port}/set")
            copied = pickle.loads(pickle.dumps(session))
        with copied:
            copied.get(f"http://www.example.com:{server.port}/one")
            copied.get(f"http://example.com:{server.port}/two")

        assert [None, None, "a=b"] == [field(head, "cookie") for head in server.requests]


@pytest.mark.parametrize(
    ("path", "matches"),
    [("/a", True), ("/a/", True), ("/a/b", True), ("/ab", False), ("/", False), ("/A", False)],
)
def test_row_64_paths_match_at_a_slash(path: str, matches: bool, names: list[str]):
    """/a covers /a and /a/b, not /ab."""
    assert ("a=b" if matches else None) == sent_after(b"a=b; Path=/a", "h.test", "h.test", path)


def test_row_65_secure_stays_on_https(certificates: Any):
    """A Secure cookie set over https is not sent over http, to loopback neither."""
    with serve(
        site({"/set": setting(b"a=b; Secure")}), tls=certificates.good, host="localhost"
    ) as safe:
        with serve(site({}), host="localhost") as unsafe:
            with session_for(verify=certificates.ca_file) as session:
                session.get(safe.url + "/set")
                session.get(safe.url + "/one")
                session.get(unsafe.url + "/two")

                assert "a=b" == field(safe.requests[1], "cookie")
                assert field(unsafe.requests[0], "cookie") is None


@pytest.mark.parametrize(
    "value",
    [b"a=b; Secure", b"a=b;\tSecure", b"__Secure-a=b", b"__Host-a=b", b"__host-a=b; Path=/",
     b"__HOST-a=b; Secure; Path=/", b"__SECURE-a=b; Secure"],
)  # fmt: skip
def test_row_65_secure_cannot_be_set_over_http(value: bytes, names: list[str]):
    """Secure cookies, and names that promise it, are refused from http."""
    assert sent_after(value, "h.test", "h.test") is None


def test_row_65_http_leaves_secure_cookies_alone(certificates: Any):
    """A cookie set over https is not overwritten from http."""
    with serve(
        site({"/set": setting(b"a=safe; Secure")}), tls=certificates.good, host="localhost"
    ) as safe:
        with serve(
            site({"/set": setting(b"a=evil", b"a=evil; Path=/next")}), host="localhost"
        ) as unsafe:
            with session_for(verify=certificates.ca_file) as session:
                session.get(safe.url + "/set")
                session.get(unsafe.url + "/set")
                session.get(safe.url + "/next")

                assert "a=safe" == field(safe.requests[1], "cookie")


@pytest.mark.parametrize(
    "value",
    [b"__Host-a=b; Secure", b"__Host-a=b; Secure; Path=/x", b"__Host-a=b; Path=/",
     b"__Host-a=b; Secure; Path=/; Domain=localhost", b"__Secure-a=b"],
)  # fmt: skip
def test_row_65_prefixes_are_promises(value: bytes, certificates: Any):
    """__Host- wants Secure, Path=/ and no Domain; __Secure- wants Secure."""
    with serve(site({"/x/set": setting(value)}), tls=certificates.good, host="localhost") as server:
        with session_for(verify=certificates.ca_file) as session:
            session.get(server.url + "/x/set")
            session.get(server.url + "/x/next")

            assert field(server.requests[1], "cookie") is None


@pytest.mark.parametrize(
    "attribute",
    [b"Max-Age=0", b"Max-Age=-1", b"Expires=Thu, 01 Jan 1970 00:00:00 GMT",
     b"Max-Age=0; Expires=Fri, 31 Dec 2099 23:59:59 GMT"],
)  # fmt: skip
def test_row_66_the_past_deletes(attribute: bytes, session: gofer.Session):
    """A lifetime that is over takes the cookie away."""
    with serve(site({"/1": setting(b"a=b"), "/2": setting(b"a=c; " + attribute)})) as server:
        for path in ("/1", "/2", "/3"):
            session.get(server.url + path)

        assert ["a=b", None] == [field(head, "cookie") for head in server.requests[1:]]


@pytest.mark.parametrize(
    "attribute",
    [b"Max-Age=99999999999999999999", b"Max-Age=" + b"9" * 1000, b"Expires=junk", b"Max-Age=junk",
     b"Expires=Fri, 31 Dec 9999 23:59:59 GMT", b"Expires=Sun, 99 Foo 99999 99:99:99 GMT", b"Expires="],
)  # fmt: skip
def test_row_66_other_lifetimes(attribute: bytes, names: list[str]):
    """Huge ones are clamped, junk is ignored."""
    assert "a=b" == sent_after(b"a=b; " + attribute, "h.test", "h.test")


@pytest.mark.parametrize("value", [b"a=b\tc", b"a=b; Path=/\x01"])
def test_row_67_control_characters(value: bytes, names: list[str]):
    """What a head cannot hold is refused there; nothing odd is sent back."""
    if b"\x01" in value:
        with pytest.raises(gofer.exceptions.RemoteProtocolError):
            sent_after(value, "h.test", "h.test")
        return
    assert sent_after(value, "h.test", "h.test") in (None, "a=b\tc")


def test_row_67_percent_encoding_is_not_decoded(names: list[str]):
    """%0d%0a stays what it is."""
    assert "a=%0d%0aX: y" == sent_after(b"a=%0d%0aX: y", "h.test", "h.test")


@pytest.mark.parametrize(("size", "is_kept"), [(4095, True), (4096, True), (4097, False)])
def test_row_67_name_and_value_have_4096_octets(size: int, is_kept: bool, names: list[str]):
    """More than that is refused (RFC 6265bis, 5.6)."""
    sent = sent_after(b"a=" + b"x" * (size - 1), "h.test", "h.test")

    assert is_kept == (sent is not None)


def test_row_67_many_cookies_leave_the_next_request_sendable(session: gofer.Session):
    """After 1 800 cookies of 3 kB the Cookie field still is what servers take."""
    pages = {
        f"/{page}": setting(*[f"c{page}-{number}={BIG}".encode() for number in range(60)])
        for page in range(30)
    }
    with serve(site(pages)) as server:
        for path in pages:
            session.get(server.url + path)
        session.get(server.url + "/next")

        assert len(server.requests[-1]) < 17 * 1024
        assert len(session.cookies) <= 180


@pytest.mark.parametrize(
    "value", [b"c=d=e", b'q="a b"', b"a=b,c", b"e=", b"=x", b"x", b"a=\xc3\xbc", b"a=b%20c"]
)
def test_row_68_values_come_back_as_they_were(value: bytes, names: list[str]):
    """To the byte, quotes and equals signs included."""
    sent = sent_after(value, "h.test", "h.test")

    assert sent is not None
    assert value.removeprefix(b"=") == sent.encode("latin-1")


@pytest.mark.parametrize("years", [-10, 10, -60, 8000])
def test_row_69_a_clock_that_jumps(years: int, monkeypatch: pytest.MonkeyPatch):
    """Wall-clock time may be anything."""
    import gofer.stages.cookies

    wrong = time.time() + years * 365 * 86400
    with serve(site({"/set": setting(b"a=b; Max-Age=60", b"c=d")})) as server:
        with session_for() as session:
            session.get(server.url + "/set")
            monkeypatch.setattr(gofer.stages.cookies, "time", lambda: wrong)
            session.get(server.url + "/set")
            session.get(server.url + "/next")

            assert "c=d" in (field(server.requests[-1], "cookie") or "")


def test_a_cookie_of_one_call_does_not_travel(names: list[str]):
    """`cookies=` is for the first origin of a call and is not kept (CVE-2026-47265's kind)."""
    pages = {"/a": found("http://b.test:PORT/b"), "/b": found("http://a.test:PORT/c")}
    with serve(site(pages)) as server, session_for() as session:
        session.get(f"http://a.test:{server.port}/a", cookies={"sid": "1"})
        session.get(f"http://a.test:{server.port}/next")

        assert ["sid=1", None, None, None] == [field(head, "cookie") for head in server.requests]


def test_a_session_cookie_belongs_to_the_first_host(names: list[str]):
    """A cookie given to the session without a domain goes to the host it was first sent to."""
    with serve(site({})) as server, session_for(cookies={"sid": "1"}) as session:
        for host in ("a.test", "b.test", "a.test"):
            session.get(f"http://{host}:{server.port}/")

        assert ["sid=1", None, "sid=1"] == [field(head, "cookie") for head in server.requests]
