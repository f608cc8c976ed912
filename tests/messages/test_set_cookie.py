"""What a Set-Cookie field says, and whether a server may say it."""

import json
from calendar import timegm
from email.utils import parsedate
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.messages.set_cookie import (
    MAX_AGE,
    Cookie,
    default_path,
    domain_matches,
    is_public_suffix,
    parse_cookie_date,
    parse_set_cookie,
    path_matches,
    received_cookie,
)

NOW = 1_700_000_000.0


def target(url: str) -> Any:
    """What cookies look at in a URL."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return SimpleNamespace(
        scheme=parts.scheme, host=parts.hostname, port=port, path=parts.path or "/"
    )


def received(url: str, field: str, now: float = NOW, **options: Any) -> Cookie | None:
    """What becomes of a Set-Cookie field in the answer to `url`."""
    parsed = parse_set_cookie(field)
    return None if parsed is None else received_cookie(parsed, target(url), now, **options)


def accepted(url: str, field: str, now: float = NOW, **options: Any) -> Cookie:
    """The same, where it must not be refused."""
    cookie = received(url, field, now, **options)
    assert cookie is not None
    return cookie


# Dates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["examples.json", "bsd-examples.json"])
def test_dates_of_the_working_group(vectors: Path, file: str) -> None:
    """The dates of the http-state working group are read as it says."""
    cases = json.loads((vectors / "cookies-http-state" / "dates" / file).read_text())
    expected = {}
    for case in cases:
        date = case["expected"] and parsedate(case["expected"])
        expected[case["test"]] = float(timegm(date)) if date else None

    assert expected == {text: parse_cookie_date(text) for text in expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 Jan 1601 00:00:00", -11_644_473_600.0),
        ("31 Dec 1600 23:59:59", None),
        ("31 Dec 9999 23:59:59", 253_402_300_799.0),
        ("29 Feb 2024 00:00:00", 1_709_164_800.0),
        ("29 Feb 2023 00:00:00", None),
        ("29 Feb 2000 12:00:00", 951_825_600.0),
        ("29 Feb 2100 12:00:00", None),
        ("31 Apr 2024 00:00:00", None),
        ("0 Apr 2024 00:00:00", None),
        ("1 Apr 2024 23:59:59", 1_712_015_999.0),
        ("1 Apr 2024 24:00:00", None),
        ("1 Apr 2024 00:60:00", None),
        ("1 Apr 2024 00:00:60", None),
        ("1 Jan 69 00:00:00", 3_124_224_000.0),
        ("1 Jan 70 00:00:00", 0.0),
        ("", None),
        ("1 Jan 2024", None),
    ],
)
def test_dates_at_their_limits(text: str, expected: float | None) -> None:
    """Years, days and times are taken to their last value and not beyond."""
    assert expected == parse_cookie_date(text)


@given(st.integers(min_value=-11_644_473_600, max_value=253_402_300_799))
def test_a_written_date_is_read_back(seconds: int) -> None:
    """Every second from 1601 to 9999 survives being written as a date."""
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[moment.month - 1]
    text = f"{moment.day:02} {month} {moment.year:04} {moment.hour}:{moment.minute}:{moment.second}"

    assert float(seconds) == parse_cookie_date(text)


@given(st.text())
def test_any_text_may_be_given_as_a_date(text: str) -> None:
    """A date is a number or None, whatever the text."""
    date = parse_cookie_date(text)

    assert date is None or -11_644_473_600 <= date <= 253_402_300_799


# The grammar --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("c=d=e", "c", "d=e"),
        ('q="a b"', "q", '"a b"'),
        ("  a\t= b ; Path=/", "a", "b"),
        ("a=", "a", ""),
        ("nameless", "", "nameless"),
        ("=nameless", "", "nameless"),
        ("a=%0d%0a", "a", "%0d%0a"),
        ("a=b\tc", "a", "b\tc"),
        (b"a=\xe6\x98\xa5\xff", "a", "\xe6\x98\xa5\xff"),
    ],
)
def test_name_and_value_stay_as_they_are(field: str | bytes, name: str, value: str) -> None:
    """Nothing is decoded, unquoted or cut from a value but the white space around it."""
    parsed = parse_set_cookie(field)

    assert parsed is not None
    assert (name, value) == (parsed.name, parsed.value)


@pytest.mark.parametrize("field", ["", "=", " ; Path=/", "\t=\t"])
def test_a_cookie_is_more_than_nothing(field: str) -> None:
    """Without a name and a value there is no cookie."""
    assert parse_set_cookie(field) is None


@pytest.mark.parametrize("code", [*range(9), *range(10, 32), 127])
def test_control_characters_are_refused(code: int) -> None:
    """A control character anywhere, but for the tab, makes the field void."""
    assert parse_set_cookie(f"a=b{chr(code)}c") is None
    assert parse_set_cookie(f"a{chr(code)}=b") is None
    assert parse_set_cookie(f"a=b; Path=/{chr(code)}") is None


@pytest.mark.parametrize(("size", "taken"), [(4095, True), (4096, True), (4097, False)])
def test_size_of_name_and_value(size: int, taken: bool) -> None:
    """Name and value together have at most 4096 octets."""
    parsed = parse_set_cookie("name=" + "v" * (size - 4))

    assert taken == (parsed is not None)


@pytest.mark.parametrize(("size", "taken"), [(1023, True), (1024, True), (1025, False)])
def test_size_of_an_attribute(size: int, taken: bool) -> None:
    """An attribute value over 1024 octets is passed over, the cookie stays."""
    path = "/" + "p" * (size - 1)
    parsed = parse_set_cookie(f"a=b; Path={path}; Secure")

    assert parsed is not None
    assert parsed.secure
    assert (path if taken else None) == parsed.path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        ("0", 0),
        ("-1", 0),
        ("-0", 0),
        (str(MAX_AGE - 1), MAX_AGE - 1),
        (str(MAX_AGE), MAX_AGE),
        (str(MAX_AGE + 1), MAX_AGE),
        ("9" * 20, MAX_AGE),
        ("9" * 1024, MAX_AGE),
        ("-" + "9" * 1000, 0),
        ("", None),
        ("-", None),
        ("+1", None),
        ("1.5", None),
        ("1 0", None),
        ("\u0661", None),
        ("soon", None),
    ],
)
def test_max_age(text: str, seconds: int | None) -> None:
    """Max-Age is digits with at most a minus, clamped to 0 and 400 days; junk is passed over."""
    parsed = parse_set_cookie(f"a=b; Max-Age={text}")

    assert parsed is not None
    assert seconds == parsed.max_age


def test_the_last_attribute_of_a_kind_counts() -> None:
    """Attributes are matched without regard to case, and later ones replace earlier ones."""
    parsed = parse_set_cookie(
        "a=b; PATH=/x; path=/y; DoMaIn=.One.example; domain=TWO.example; samesite=lax;"
        " SameSite=STRICT; httpONLY; max-age=1; max-age=2; max-age=x; unknown=1; ;="
    )

    assert parsed is not None
    assert ("/y", "two.example", "Strict", 2) == (
        parsed.path,
        parsed.domain,
        parsed.same_site,
        parsed.max_age,
    )
    assert (True, False) == (parsed.http_only, parsed.secure)


@given(st.one_of(st.text(), st.binary()))
def test_any_field_value_may_come(field: str | bytes) -> None:
    """A field gives a cookie without control characters and within the limits, or None."""
    parsed = parse_set_cookie(field)

    if parsed is not None:
        assert len(parsed.name) + len(parsed.value) in range(1, 4097)
        assert not {*map(chr, range(9)), "\n", "\r", "\x7f", ";"} & {*parsed.name, *parsed.value}
        assert "=" not in parsed.name


_token = st.text("abc123_-$ \"'", min_size=1).map(str.strip).filter(bool)


@given(name=_token, value=_token, path=_token)
def test_a_written_cookie_is_read_back(name: str, value: str, path: str) -> None:
    """What is written as name=value; Path=/... is read as that."""
    parsed = parse_set_cookie(f"{name}={value}; Path=/{path}; Secure; HttpOnly; SameSite=None")

    assert parsed is not None
    assert (name, value, f"/{path}") == (parsed.name, parsed.value, parsed.path)
    assert (True, True, "None") == (parsed.secure, parsed.http_only, parsed.same_site)


# Matching -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "domain", "expected"),
    [
        ("example.com", "example.com", True),
        ("a.example.com", "example.com", True),
        ("example.com", "a.example.com", False),
        ("example.com", "mple.com", False),
        ("notexample.com", "example.com", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.1", False),
        ("::1", "::1", True),
        ("1.2.3.example", "3.example", True),
    ],
)
def test_domains_match_at_a_label(host: str, domain: str, expected: bool) -> None:
    """A domain covers itself and names below it, an address only itself."""
    assert expected == domain_matches(host, domain)


@pytest.mark.parametrize(
    ("request_path", "path", "expected"),
    [
        ("/foo", "/foo", True),
        ("/foo/", "/foo", True),
        ("/foo/bar", "/foo", True),
        ("/foo/bar", "/foo/", True),
        ("/foobar", "/foo", False),
        ("/foo", "/foo/", False),
        ("/Foo", "/foo", False),
        ("/", "/", True),
        ("/x", "/", True),
    ],
)
def test_paths_match_at_a_slash(request_path: str, path: str, expected: bool) -> None:
    """A path covers itself and what is below it, not what merely begins the same."""
    assert expected == path_matches(request_path, path)


@pytest.mark.parametrize(
    ("request_path", "expected"),
    [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b", "/a"), ("", "/"), ("a", "/"), ("//", "/")],
)
def test_default_path(request_path: str, expected: str) -> None:
    """A cookie without a path is for the folder of the request."""
    assert expected == default_path(request_path)


def test_public_suffixes(vectors: Path) -> None:
    """Domain=X is accepted from a name below X just if X can be registered (publicsuffix.org)."""
    cases = json.loads((vectors / "public-suffix" / "test_psl.json").read_text())
    expected, got = {}, {}
    for name, registrable in cases:
        if name is None or name.startswith("."):
            continue  # no host; and in a Domain attribute the leading dot means nothing
        domain = name.encode("idna").decode("ascii")
        expected[domain] = registrable is not None
        got[domain] = (
            received(f"https://below.{domain.lower()}/", f"a=b; Domain={domain}") is not None
        )

    assert expected == got


@pytest.mark.parametrize("name", ["com", "com.", "COM", "co.uk", "Co.UK", "github.io", "corp", ""])
def test_suffixes_nobody_owns(name: str) -> None:
    """Case, a trailing dot, and being private or unknown do not hide a public suffix."""
    assert is_public_suffix(name)


# May it be set? -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://a.com/", "com"),
        ("https://a.com/", ".com"),
        ("https://a.com/", ".COM"),
        ("https://a.com/", "com."),
        ("https://a.com./", "com."),
        ("https://a.co.uk/", "co.uk"),
        ("https://a.co.uk/", "Co.UK"),
        ("https://me.github.io/", "github.io"),
        ("https://example.com/", "victim.com"),
        ("https://example.com/", "mple.com"),
        ("https://example.com/", "a.example.com"),
        ("https://example.com/", "..example.com"),
        ("http://127.0.0.1/", ".0.1"),
        ("http://127.0.0.1/", "1"),
        ("https://a.corp/", "corp"),
        ("https://a.example.com/", "ex\xe4mple.com"),
    ],
)
def test_domains_a_server_may_not_speak_for(url: str, domain: str) -> None:
    """A server speaks for itself and the domains it is in, up to the registered one."""
    assert received(url, f"a=b; Domain={domain}") is None


@pytest.mark.parametrize(
    ("url", "field", "domain", "host_only"),
    [
        ("https://a.example.com/", "a=b", "a.example.com", True),
        ("https://a.example.com/", "a=b; Domain=", "a.example.com", True),
        ("https://a.example.com/", "a=b; Domain=example.com", "example.com", False),
        ("https://a.example.com/", "a=b; Domain=.Example.COM", "example.com", False),
        ("https://example.com/", "a=b; Domain=example.com", "example.com", False),
        ("http://127.0.0.1/", "a=b; Domain=127.0.0.1", "127.0.0.1", True),
        ("http://[::1]/", "a=b; Domain=::1", "::1", True),
    ],
)
def test_domain_and_host_only(url: str, field: str, domain: str, host_only: bool) -> None:
    """Without a Domain attribute, or at an address, a cookie is for that host only."""
    cookie = accepted(url, field)

    assert (domain, host_only) == (cookie.domain, cookie.host_only)


@pytest.mark.parametrize(
    ("url", "option", "taken"),
    [
        ("https://example.com/", False, True),
        ("http://example.com/", False, False),
        ("http://example.com/", True, False),
        ("http://localhost/", False, False),
        ("http://localhost/", True, True),
        ("http://app.localhost/", True, True),
        ("http://127.8.9.1/", True, True),
        ("http://[::1]/", True, True),
        ("http://127.example/", True, False),
        ("http://notlocalhost/", True, False),
    ],
)
def test_secure_needs_https(url: str, option: bool, taken: bool) -> None:
    """Plain http sets no Secure cookie; loopback may, if the option says so."""
    cookie = received(url, "a=b;\tSecure\t", loopback_is_secure=option)

    assert taken == (cookie is not None)


@pytest.mark.parametrize(
    ("field", "taken"),
    [
        ("__Secure-a=b; Secure", True),
        ("__Secure-a=b; Secure; Domain=example.com", True),
        ("__Secure-a=b", False),
        ("__SECURE-a=b", False),
        ("__Host-a=b; Secure; Path=/", True),
        ("__Host-a=b; Path=/", False),
        ("__Host-a=b; Secure", False),
        ("__Host-a=b; Secure; Path=/x", False),
        ("__Host-a=b; Secure; Path=/; Domain=example.com", False),
        ("__hOsT-a=b; Secure; Path=/; Domain=www.example.com", False),
        ("__hOsT-a=b; Secure; Path=/", True),
        ("__Hostile=b", True),
        ("=__Host-a=b; Secure; Path=/", False),
        ("__secure-a; Secure", False),
    ],
)
def test_prefixes_keep_their_promise(field: str, taken: bool) -> None:
    """__Secure- and __Host- in any case ask for what they promise; nameless ones never may."""
    cookie = received("https://www.example.com/", field)

    assert taken == (cookie is not None)


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("", None),
        ("Max-Age=60", NOW + 60),
        ("Max-Age=99999999999999999999", NOW + MAX_AGE),
        ("Max-Age=0", NOW),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Expires=Fri, 31 Dec 9999 23:59:59 GMT", NOW + MAX_AGE),
        ("Expires=junk", None),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", NOW + 60),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 60),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=junk", 0.0),
    ],
)
def test_expiry(attributes: str, expires: float | None) -> None:
    """Max-Age goes before Expires, neither beyond 400 days; junk means: for the session."""
    assert expires == accepted("https://example.com/", f"a=b; {attributes}").expires


@pytest.mark.parametrize("now", [-1e30, -1.0, 0.0, 1e12, 1e300, float("inf")])
def test_any_clock(now: float) -> None:
    """However wrong the clock is, a cookie is read without an error."""
    cookie = accepted("https://example.com/", "a=b; Max-Age=99999999999999999999", now)

    assert not accepted("https://example.com/", "a=b", now).is_expired(now)
    assert cookie.expires is not None


def test_a_cookie_shows_no_value() -> None:
    """The repr names the cookie and keeps its value to itself."""
    cookie = accepted("https://example.com/x/y", "sid=secret")

    assert repr(cookie) == "<Cookie sid for example.com/x>"
