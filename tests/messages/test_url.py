"""Target URIs: one reading of each, or an error; Requests' quoting; nothing secret in messages."""

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.exceptions import InvalidSchema, InvalidURL, MissingSchema
from gofer.messages.hosts import host_to_ascii
from gofer.messages.quoting import requote, unquote_unreserved
from gofer.messages.url import (
    MAX_CACHED,
    MAX_LOCATION,
    URL,
    encode_form,
    parse,
    resolve,
    same_origin,
    with_params,
)

VECTORS = Path(__file__).resolve().parents[2] / ".." / "shared" / "vectors" / "url-wpt"
NAMED_ERRORS = (MissingSchema, InvalidSchema, InvalidURL)


def vectors(name: str) -> list[dict[str, Any]]:
    """The cases of one file of the web-platform-tests; comments between them are left out."""
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"NO VECTORS: {path} is missing, the URL standard's cases were not tried")
    cases = json.loads(path.read_text(encoding="utf-8"))
    return [case for case in cases if isinstance(case, dict)]


# What a URL holds -----------------------------------------------------------------------------


def test_every_part():
    """Every part is there, normalised."""
    url = parse("HTTPS://User:p%40ss@Example.COM:8443/a%7eb/%2f?q=1%2C2#top")

    assert "https" == url.scheme
    assert "example.com" == url.host
    assert 8443 == url.port
    assert "User:p%40ss" == url.userinfo
    assert "User" == url.username
    assert "p@ss" == url.password
    assert "/a~b/%2F" == url.path
    assert "q=1%2C2" == url.query
    assert "top" == url.fragment
    assert ("https", "example.com", 8443) == url.origin
    assert "example.com:8443" == url.authority
    assert b"example.com:8443" == url.host_field
    assert b"/a~b/%2F?q=1%2C2" == url.target
    assert b"https://example.com:8443/a~b/%2F?q=1%2C2" == url.absolute
    assert "https://User:p%40ss@example.com:8443/a~b/%2F?q=1%2C2#top" == url.href
    assert url.href == str(url)


def test_parts_that_are_missing():
    """A bare host has the path "/", the scheme's port, and None for the rest."""
    url = parse("http://example.com")

    assert "/" == url.path
    assert 80 == url.port
    assert (None, None, None) == (url.userinfo, url.username, url.password)
    assert (None, None) == (url.query, url.fragment)
    assert b"/" == url.target
    assert "http://example.com/" == url.href


def test_default_port_is_not_sent():
    """A default port that was written shows in the href, as in Requests, and is not sent."""
    url = parse("https://example.com:443/")

    assert "https://example.com:443/" == url.href
    assert "example.com" == url.authority
    assert b"example.com" == url.host_field
    assert b"https://example.com/" == url.absolute


def test_empty_query_is_a_query():
    """A "?" with nothing behind it is part of the request target."""
    assert b"/?" == parse("http://h?").target
    assert "" == parse("http://h?").query
    assert "" == parse("http://h#").fragment


def test_ipv6_zone_is_not_sent():
    """An IPv6 zone picks our interface: it is kept for connecting and left out of what is sent."""
    url = parse("http://[FE80::0:1%25eth0]:8080/")

    assert "fe80::1%eth0" == url.host
    assert "[fe80::1%25eth0]:8080" == url.authority
    assert b"[fe80::1]:8080" == url.host_field
    assert b"http://[fe80::1]:8080/" == url.absolute
    assert url == parse(url.href)


def test_immutable():
    """Nothing of a URL can be set or deleted."""
    url = parse("http://example.com/")

    with pytest.raises(AttributeError, match="does not change"):
        url.host = "evil.example"
    with pytest.raises(AttributeError, match="does not change"):
        del url.host
    with pytest.raises(AttributeError):
        url.other = 1


def test_equality_is_that_of_the_text():
    """URLs with one href are equal and hash alike; other things are not equal to them."""
    assert parse("http://EXAMPLE.com") == parse(b"http://example.com/")
    assert 1 == len({parse("http://EXAMPLE.com"), parse("http://example.com/")})
    assert parse("http://example.com/a") != parse("http://example.com/b")
    assert parse("http://example.com/") != "http://example.com/"


@pytest.mark.parametrize("requote_it", [True, False])
def test_pickle_and_copy(requote_it):
    """A URL survives pickling and copying with all its parts, also one sent as it was given."""
    url = parse("http://u:p@[fe80::1%25eth0]:80/a/../%7e?q#f", requote=requote_it)

    for again in (pickle.loads(pickle.dumps(url)), copy.copy(url), copy.deepcopy(url)):
        assert isinstance(again, URL)
        assert url == again
        assert (url.origin, url.target, url.userinfo) == (
            again.origin,
            again.target,
            again.userinfo,
        )


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("http://user:secret@h/p?q#f", "http://user:***@h/p?q"),
        ("http://token@h/", "http://***@h/"),
        ("http://:secret@h/", "http://:***@h/"),
        ("http://h:8080/#f", "http://h:8080/"),
    ],
)
def test_redacted(text, redacted):
    """For logs and the repr the password, a lone user name and the fragment are left out."""
    url = parse(text)

    assert redacted == url.redacted
    assert f"<URL {redacted}>" == repr(url)


def test_same_origin():
    """Origins are scheme, host and effective port."""
    url = parse("http://example.com/a")

    assert same_origin(url, parse("http://user@EXAMPLE.com:80/b?c"))
    assert not same_origin(url, parse("https://example.com/a"))
    assert not same_origin(url, parse("http://example.com:8080/a"))
    assert not same_origin(url, parse("http://www.example.com/a"))


# What parse takes -----------------------------------------------------------------------------


def test_sources():
    """Text, UTF-8 bytes, objects whose str() is a URL, and a URL itself are taken."""

    class Endpoint:
        def __str__(self) -> str:
            return " http://h/é"

    expected = parse("http://h/%C3%A9")

    assert expected == parse("http://h/é")
    assert expected == parse("\t\n http://h/é")
    assert expected == parse("http://h/é".encode())
    assert expected == parse(bytearray("http://h/é".encode()))
    assert expected == parse(Endpoint())
    assert parse(expected) is expected


def test_bytes_that_are_not_utf8():
    """Bytes in another charset are an InvalidURL, not a bare decoding error."""
    with pytest.raises(InvalidURL, match="UTF-8"):
        parse(b"http://h/\xff")


@pytest.mark.parametrize(
    "text", ["example.com", "/path", "//example.com/", "", "?a:b", "/a:b", "://h", "http", "None"]
)
def test_missing_scheme(text):
    """Without a scheme it is a MissingSchema, whatever colons come later."""
    with pytest.raises(MissingSchema, match="no scheme given"):
        parse(text)


def test_missing_scheme_gives_a_hint():
    """The message says what was probably meant, without the query."""
    with pytest.raises(MissingSchema) as caught:
        parse("example.com/a?secret")

    message = (
        "invalid URL 'example.com/a': no scheme given; perhaps you meant https://example.com/a?"
    )
    assert message == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:,x",
        "http+unix://%2Fsock/",
        "httpx://h/",
        "localhost:3128",
        "localhost.localdomain:3128/",
        "10.122.1.1:3128/",
        "h\nttp://h/",
    ],
)
def test_unknown_scheme(text):
    """Whatever is not http or https is an InvalidSchema; Requests says so of host:port too."""
    with pytest.raises(InvalidSchema, match="not http or https"):
        parse(text)


def test_errors_are_value_errors():
    """All three errors are ValueErrors, which the seed raised."""
    for text in ("h", "ftp://h", "http://"):
        with pytest.raises(ValueError):
            parse(text)


# Quoting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/a b", b"/a%20b"),
        ("/ü?ü", b"/%C3%BC?%C3%BC"),
        ("/%c3%bc%2f", b"/%C3%BC%2F"),
        ("/%41%7E%2D", b"/A~-"),
        ('/a[1]{2}|3^4`5\\6"<>', b"/a%5B1%5D%7B2%7D%7C3%5E4%605%5C6%22%3C%3E"),
        ("/!$&'()*+,;=:@", b"/!$&'()*+,;=:@"),
        ("/?!$&'()*+,;=:@/?[]", b"/?!$&'()*+,;=:@/?%5B%5D"),
        ("/100%", b"/100%25"),
        ("/%zz%41", b"/%25zz%2541"),
        ("/%zz?%41", b"/%25zz?A"),
        ("/\x00\r\n\t\x7f", b"/%00%0D%0A%09%7F"),
        ("/%0d%0a", b"/%0D%0A"),
        ("/\U0001f600", b"/%F0%9F%98%80"),
        ("/a;b?c;d", b"/a;b?c;d"),
        ("?x", b"/?x"),
    ],
)
def test_requoting(text, target):
    """Legal characters and escapes stay, unreserved ones are undone, the rest is escaped."""
    assert target == parse(f"http://h{text}").target


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a//../b", "/a/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.b/..c/...", "/a/.b/..c/..."),
        ("/.", "/"),
        ("/a/..//b", "//b"),
    ],
)
def test_dot_segments(path, expected):
    """Dot segments are removed, in their escaped spelling too (RFC 3986, 5.2.4)."""
    assert expected == parse(f"http://h{path}").path


@pytest.mark.parametrize(
    "target", [b"/%7e", b"/a/../b", b"/%zz|{}?%7e[]", b"/?", b"/%2e%2e/"], ids=repr
)
def test_sent_as_given(target):
    """With requote=False path and query go out to the letter."""
    assert target == parse(b"http://h" + target, requote=False).target


@pytest.mark.parametrize("text", ["/a b", "/\r\n", "/é", "/?\x00", "/?a b", "/\x7f"])
def test_sent_as_given_cannot_break_the_request_line(text):
    """With requote=False what would break the request line is refused."""
    with pytest.raises(InvalidURL, match="encode_uri"):
        parse(f"http://h{text}", requote=False)


@pytest.mark.parametrize("text", ["http://h/\ud800", "http://h/?\udcff", "http://\udcff@h/"])
def test_lone_surrogates(text):
    """Text that is not Unicode is refused."""
    with pytest.raises(InvalidURL, match="surrogate"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://h/a b#[x]", "http://h/a%20b#[x]"),
        ("%7e%2f%2F", "~%2f%2F"),
        ("%zz%41", "%25zz%2541"),
        ("%é", "%%C3%A9"),
        ("%éé", "%25%C3%A9%C3%A9"),
        ("100%", "100%"),
        ("", ""),
    ],
)
def test_requote(text, expected):
    """The quoting of a whole URI is that of Requests' requote_uri."""
    assert expected == requote(text)


def test_unquote_unreserved():
    """Only escapes of unreserved characters are undone; misspelt ones are an error."""
    assert "aZ9-._~%2F%3f%" == unquote_unreserved("%61%5A%39%2d%2E%5f%7E%2F%3f%")
    with pytest.raises(InvalidURL, match="hexadecimal"):
        unquote_unreserved("%zz")


@pytest.mark.parametrize(
    ("written", "userinfo", "username", "password"),
    [
        ("u:p", "u:p", "u", "p"),
        ("u", "u", "u", None),
        ("u:", "u:", "u", ""),
        (":p", ":p", "", "p"),
        ("u:p:q", "u:p:q", "u", "p:q"),
        ("é:%3A%2f", "%C3%A9:%3A%2F", "é", ":/"),
        ("u:100%", "u:100%25", "u", "100%"),
        ("", None, None, None),
    ],
)
def test_userinfo(written, userinfo, username, password):
    """Userinfo is quoted as a component and decoded on request; an empty one is none."""
    url = parse(f"http://{written}@h/")

    assert userinfo == url.userinfo
    assert (username, password) == (url.username, url.password)


# Hosts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com."),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("b\u0075\u0308cher。example", "xn--bcher-kva.example"),
        ("a_b.example", "a_b.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7F.1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("0x", "0.0.0.0"),
        ("0", "0.0.0.0"),
        ("127.0.0.1.", "127.0.0.1"),
        ("１２７．０．０．１", "127.0.0.1"),
        ("4294967295", "255.255.255.255"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("0x7f.example", "0x7f.example"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:0:2:0:0:3:4", "1::2:0:0:3:4"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("10:0:0:0:0:0:0:10", "10::10"),
        ("2001:DB8::", "2001:db8::"),
        ("::ffff:127.0.0.1", "::ffff:7f00:1"),
        ("fe80::1%12", "fe80::1%12"),
        ("a" * 63, "a" * 63),
        ("A" * 63, "a" * 63),
        (".".join(["a" * 49] * 5) + ".com", ".".join(["a" * 49] * 5) + ".com"),
    ],
)
def test_host_to_ascii(host, expected):
    """Hosts become A-labels, dotted quads or IPv6 in RFC 5952's form, and then stay the same."""
    assert expected == host_to_ascii(host)
    assert expected == host_to_ascii(expected)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        "a" * 64,
        "A" * 64,
        "é" * 64,
        ".".join(["a" * 50] * 5),
        "é..a",
        "256.1.1.1",
        "1.2.3.256",
        "1.2.3.4.5",
        "1.2.65536",
        "4294967296",
        "1.2.3.08",
        "a.0x10",
        "a.1",
        "0x1g.1",
        "1..2",
        "9" * 5000,
        "*.example",
        "a b",
        "a\xa0b",
        "a/b",
        "a／b",
        "a：b",
        "a＠b",
        "a？b",
        "a＃b",
        "a％b",
        "℀.example",
        "a%2fb",
        "a%40b",
        "a%00b",
        "a%3ab",
        "a%21b",
        "a%2541b",
        "a%",
        "a%ff",
        "\xad",
        "xn--é",
        "a\x00b",
        "a{b}",
        "[::1",
        "::1]",
        "[v1.a]",
        ":::",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "::1%",
        "::1%a b",
        "[::1%31]",
        "[::1%25]",
        "::1.2.3",
        "::１",
    ],
)
def test_not_a_host(host):
    """What is no host, or turns into a delimiter when it is mapped or decoded, is refused."""
    with pytest.raises(InvalidURL):
        host_to_ascii(host)


# Each either has one reading, and then the host is the one shown, or is refused.
CONFUSING = [
    ("http://good@evil/", "evil"),
    ("http://good:80@evil/", "evil"),
    ("http://good.example:p@evil/", "evil"),
    ("http://good%40evil/", None),
    ("http://good%2F@evil/", "evil"),
    ("http://evil/@good", "evil"),
    ("http://evil#@good/", "evil"),
    ("http://evil?@good/", "evil"),
    ("http://evil\\@good/", None),
    ("http://good\\.evil/", None),
    ("http:\\\\evil/", None),
    ("http:/\\evil/", None),
    ("http:/evil/", None),
    ("http:evil", None),
    ("http:///evil/", None),
    ("http:////evil/", None),
    ("http://", None),
    ("http://?", None),
    ("http://#", None),
    ("http://:80/", None),
    ("http://@/", None),
    ("http://user:pw@/", None),
    ("http://a@b@c/", None),
    ("http://a@b:80@c/", None),
    ("http://good@evil@good/", None),
    ("http://good:80a/", None),
    ("http://good:-1/", None),
    ("http://good:+80/", None),
    ("http://good:0/", None),
    ("http://good:65536/", None),
    ("http://good:99999/", None),
    ("http://good:８０/", None),
    ("http://good:80:81/", None),
    ("http://good: 80/", None),
    ("http://good:80\\@evil/", None),
    ("http://good:/", "good"),
    ("http://good:080/", "good"),
    ("http://good /", None),
    ("http:// good/", None),
    ("http://go od/", None),
    ("http://go\tod/", None),
    ("http://go\r\nod/", None),
    ("http://good\x00.evil/", None),
    ("http://good\xa0evil/", None),
    ("http://good%00.evil/", None),
    ("http://good%0d%0aevil/", None),
    ("http://good%2Fevil/", None),
    ("http://good%23evil/", None),
    ("http://good%3F.evil/", None),
    ("http://good%5C.evil/", None),
    ("http://good%5Bevil/", None),
    ("http://g%6Fod/", "good"),
    ("http://g%256Fod/", None),
    ("http://good%/", None),
    ("http://ｇｏｏｄ/", "good"),
    ("http://good／.evil/", None),
    ("http://good＠evil/", None),
    ("http://good。evil/", "good.evil"),
    ("http://[::1]@evil/", None),
    ("http://[::1]evil/", None),
    ("http://evil[::1]/", None),
    ("http://[evil]/", None),
    ("http://[::1/", None),
    ("http://::1/", None),
    ("http://::1]/", None),
    ("http://[[::1]]/", None),
    ("http://[::1]:80]/", None),
    ("http://[]/", None),
    ("http://[::ffff:127.0.0.1]/", "::ffff:7f00:1"),
    ("http://[::1%25lo]/", "::1%lo"),
    ("http://[::1%lo]/", "::1%lo"),
    ("http://[::1%31]/", None),
    ("http://[::1%2525]/", "::1%25"),
    ("http://127.1/", "127.0.0.1"),
    ("http://2130706433/", "127.0.0.1"),
    ("http://0x7f000001/", "127.0.0.1"),
    ("http://017700000001/", "127.0.0.1"),
    ("http://127.0.0.1.evil/", "127.0.0.1.evil"),
    ("http://evil.127.0.0.1/", None),
    ("http://good;evil/", "good;evil"),
    ("http://good,evil/", "good,evil"),
    ('http://good"evil/', None),
    ("http://good<evil/", None),
    ("http://good|evil/", None),
    ("http://good^evil/", None),
    ("http://*/", None),
    ("http://user:pa#ss@good/", None),
    ("http://user:pa/ss@good/", None),
    ("http://user:pa?ss@good/", None),
    ("http://u\x00ser@good/", None),
    ("http://u ser@good/", None),
    ("http://good..evil/", None),
    ("http://.good/", None),
]


@pytest.mark.parametrize(("text", "host"), CONFUSING, ids=[repr(row[0]) for row in CONFUSING])
def test_confusing_urls(text, host):
    """The host reported is the host connected to, and the standard library agrees; or an error."""
    if host is None:
        with pytest.raises(InvalidURL):
            parse(text)
        return

    url = parse(text)

    assert host == url.host
    assert host == urlsplit(url.href).hostname.replace("%25", "%", 1)
    assert url.host_field == urlsplit(url.absolute).netloc


@pytest.mark.parametrize(
    ("port", "expected"), [("1", 1), ("65535", 65535), ("00000000008080", 8080), ("", 80)]
)
def test_port(port, expected):
    """Ports from 1 to 65535 are taken, with leading zeros too, and none for an empty one."""
    assert expected == parse(f"http://h:{port}/").port


@pytest.mark.parametrize("port", ["0", "000", "65536", "99999", "100000", "1" * 5000])
def test_port_out_of_range(port):
    """Port 0 and ports over 65535 are refused, however many digits they have."""
    with pytest.raises(InvalidURL, match="between 1 and 65535"):
        parse(f"http://h:{port}/")


@pytest.mark.parametrize(
    "text",
    [
        "http://" + "@" * 200_000,
        "http://" + "%" * 1_000_000,
        "http://" + "\xa0" * 1_000_000,
        "http://" + "é" * 1_000_000,
        "http://" + "a." * 1_000_000,
        "http://" + "1" * 1_000_000,
        "http://[" + ":" * 1_000_000 + "]/",
        "http://h:" + "1" * 1_000_000,
        "a" * 1_000_000,
        ":" * 1_000_000,
    ],
    ids=lambda text: text[:12],
)
def test_floods_are_refused(text):
    """Megabytes of one delimiter are refused in one pass."""
    with pytest.raises(NAMED_ERRORS) as caught:
        parse(text)

    assert len(str(caught.value)) < 400


def test_long_urls_are_sent():
    """A caller's URL may be as long as it likes."""
    assert 8_000_001 == len(parse("http://h/" + "a" * 8_000_000).target)
    assert b"/" + b"%25" * 1_000_000 == parse("http://h/" + "%" * 1_000_000).target
    assert "/" == parse("http://h/" + "../" * 1_000_000).path


@pytest.mark.parametrize("length", [MAX_CACHED - 1, MAX_CACHED, MAX_CACHED + 1])
def test_length_at_which_caching_ends(length):
    """A URL reads the same on both sides of the largest one that is kept."""
    long_path = "http://h/".ljust(length, "a")
    long_userinfo = f"http://{'u'.ljust(length - 2, 'u')}@h/"

    assert long_path == parse(long_path).href
    assert long_userinfo == parse(long_userinfo).href


# Messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "http://user:hunter2@h:80a/",
        "http://user:hunter2@a@b/",
        "http://user:hunter2/@h/",
        "http://user:hun/hunter2@h/",
        "http://user:hunter2?@h/",
        "http://user:hunter2#@h:x/",
        "http://user:hunter2\\@h/",
        "http://user:hunter2 x@h/",
        "http://user:[hunter2@h/",
        "user:hunter2@h/",
        "//user:hunter2@h/",
        "ftp://user:hunter2@h/",
        "http:/user:hunter2@h/",
        "http://h:x/?hunter2",
        "http://h:x/#hunter2",
        "h?hunter2",
    ],
)
def test_messages_keep_secrets(text):
    """No message shows userinfo, a query or a fragment, wherever the mistake is."""
    with pytest.raises(NAMED_ERRORS) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)

    with pytest.raises(NAMED_ERRORS) as caught:
        resolve(parse("http://base/"), text if "://" in text else f"ftp:{text}")
    assert "hunter2" not in str(caught.value)


def test_messages_say_what_is_wrong():
    """A message names the URL, cut to 40 characters, and what it may not be."""
    with pytest.raises(InvalidURL) as caught:
        parse("http://u:p@example.com:80a/" + "x" * 100)

    shown = f"http://***@example.com:80a/{'x' * 13}…"
    assert f"invalid URL {shown!r}: the port is not a number" == str(caught.value)


# Params and forms -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"a": 1, "b": "x y"}, "a=1&b=x+y"),
        ({"a": [1, None, "2"]}, "a=1&a=2"),
        ({"a": None, "b": ""}, "b="),
        ([("a", 1), ("a", 2)], "a=1&a=2"),
        ((("a", b"\xff /"),), "a=%FF+%2F"),
        ({"é": "ü&=#%+"}, "%C3%A9=%C3%BC%26%3D%23%25%2B"),
        ({b"k": True, 1: 1.5}, "k=True&1=1.5"),
        ({"a": (c for c in "xy")}, "a=x&a=y"),
        ({"a": "-._~*"}, "a=-._~%2A"),
        ("a=b%20c&d", "a=b%20c&d"),
        ("a b#c", "a%20b%23c"),
        (b"a=%41&b=\xc3\xa9", "a=A&b=%C3%A9"),
        (b"\xe9", "%E9"),
        ("\r\nX: y", "%0D%0AX:%20y"),
    ],
)
def test_params(params, query):
    """Params are form-encoded behind the query that is there; ready text is only made legal."""
    assert query == with_params(parse("http://h/#f"), params).query


@pytest.mark.parametrize(
    ("params", "query"),
    [(b"a=\xff", "a=%FF"), ("é".encode(), "%C3%A9"), ("é=\xff".encode() + b"\xff", "%C3%A9=%C3%BF%FF"),
     (b"100%&\xff", "100%25&%FF"), (b"%ff%7e\xff", "%FF~%FF"), ({b"a": b"\xff"}, "a=%FF")],
)  # fmt: skip
def test_params_of_bytes(params, query):
    """Bytes are escaped one by one, whether they are UTF-8 or not."""
    assert query == with_params(parse("http://h/"), params).query


def test_params_join_a_query():
    """Params go between the query and the fragment."""
    assert "http://u@h/?x=1&a=2#f" == with_params(parse("http://u@h?x=1#f"), {"a": 2}).href
    assert "http://h/?a=2" == with_params(parse("http://h?"), "a=2").href


@pytest.mark.parametrize("params", [None, {}, [], "", b"", {"a": None}, {"a": []}], ids=repr)
def test_no_params(params):
    """Without anything to add the URL is the same object."""
    url = parse("http://h/?x=1")

    assert with_params(url, params) is url


def test_params_leave_a_url_as_given():
    """Params do not requote what was to be sent as given."""
    url = parse("http://h/%7e/../?%7e", requote=False)

    assert b"/%7e/../?%7e&a=~" == with_params(url, {"a": "~"}).target


@pytest.mark.parametrize(
    "data", [5, [1], ["abc"], [("a",)], None, object()], ids=lambda value: type(value).__name__
)
def test_not_a_form(data):
    """What is neither text, a mapping nor pairs is a ValueError."""
    with pytest.raises(ValueError, match="2-tuples"):
        encode_form(data)


def test_ready_forms_pass():
    """Text and bytes are forms already."""
    assert "a b" == encode_form("a b")
    assert b"\xff" == encode_form(b"\xff")


@given(st.lists(st.tuples(st.text(), st.text())))
def test_form_round_trip(pairs):
    """What is encoded as a form is read back the same."""
    assert pairs == parse_qsl(encode_form(pairs), keep_blank_values=True)


# References -----------------------------------------------------------------------------------

# RFC 3986, 5.4.1 and 5.4.2, against "http://a/b/c/d;p?q"
RFC_3986 = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g/",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q#s",
    "g#s": "http://a/b/c/g#s",
    "g?y#s": "http://a/b/c/g?y#s",
    ";x": "http://a/b/c/;x",
    "g;x": "http://a/b/c/g;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "../../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    ".g": "http://a/b/c/.g",
    "g..": "http://a/b/c/g..",
    "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/./y": "http://a/b/c/g;x=1/y",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "g?y/../x": "http://a/b/c/g?y/../x",
    "g#s/./x": "http://a/b/c/g#s/./x",
    "g#s/../x": "http://a/b/c/g#s/../x",
}


@pytest.mark.parametrize(("reference", "expected"), RFC_3986.items())
def test_rfc_3986_examples(reference, expected):
    """The examples of RFC 3986, 5.4, resolve as it says."""
    base = parse("http://a/b/c/d;p?q")

    assert expected == resolve(base, reference).href
    assert expected == resolve(base, reference.encode()).href


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (b"/new", "https://u:p@h/new#f"),
        (b"?x", "https://u:p@h/a/b?x#f"),
        (b"/new#own", "https://u:p@h/new#own"),
        (b"/new#", "https://u:p@h/new#"),
        (b"//h/new", "https://h/new#f"),
        (b"https://h/new", "https://h/new#f"),
        (b"//other/new", "https://other/new#f"),
        (b"http://v:q@h/", "http://v:q@h/#f"),
        (b"HTTP://OTHER", "http://other/#f"),
        (b"/a b", "https://u:p@h/a%20b#f"),
        (b"/\xc3\xa9", "https://u:p@h/%C3%A9#f"),
        (b"/\xe9", "https://u:p@h/%C3%A9#f"),
        (b"/%0d%0aX:y", "https://u:p@h/%0D%0AX:y#f"),
        (b" /x\t", "https://u:p@h/x#f"),
        (b"1:2/x", "https://u:p@h/a/1:2/x#f"),
        (b"a\\b", "https://u:p@h/a/a%5Cb#f"),
        ("//bücher.example/", "https://xn--bcher-kva.example/#f"),
    ],
)
def test_locations(reference, expected):
    """A Location takes fragment and, if it has no authority, userinfo from where it came."""
    assert expected == resolve(parse("https://u:p@h/a/b?q#f"), reference).href


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("file:///etc/passwd", InvalidSchema),
        ("ftp://h/", InvalidSchema),
        ("javascript:alert(1)", InvalidSchema),
        ("data:,x", InvalidSchema),
        ("gopher://h/", InvalidSchema),
        ("foo:bar", InvalidSchema),
        ("http://", InvalidURL),
        ("http:g", InvalidURL),
        ("http:///g", InvalidURL),
        ("///g", InvalidURL),
        ("//", InvalidURL),
        ("http://[::1/", InvalidURL),
        ("http://h:99999/", InvalidURL),
        ("http://h:80a/", InvalidURL),
        ("http://a..b/", InvalidURL),
        ("http://\u2665.example/", InvalidURL),
        ("http://a@b@c/", InvalidURL),
        ("http:\\\\evil/", InvalidURL),
        ("\\\\evil/", InvalidURL),
        ("/\\evil/", InvalidURL),
        ("\\/evil/", InvalidURL),
        ("/a\x00b", InvalidURL),
        ("/a\r\nSet-Cookie: x", InvalidURL),
        ("/a\tb", InvalidURL),
        ("/a\x7f", InvalidURL),
        ("/\udcff", InvalidURL),
    ],
)
def test_locations_refused(reference, error):
    """A Location that leads out of HTTP, or has no single reading, is an error that names it."""
    with pytest.raises(error) as caught:
        resolve(parse("http://base/"), reference)

    assert error is type(caught.value)
    shown = "http://***" if "@" in reference else reference
    assert str(caught.value).startswith(f"resolving Location {shown!r}: ")


@pytest.mark.parametrize("length", [MAX_LOCATION - 1, MAX_LOCATION])
def test_location_up_to_the_limit(length):
    """A Location of exactly the limit is followed."""
    assert length == len(resolve(parse("http://h/"), b"/".ljust(length, b"a")).target)


def test_location_over_the_limit():
    """A longer Location is refused, with the limit in the message."""
    with pytest.raises(InvalidURL, match=f"{MAX_LOCATION + 1} bytes, limit {MAX_LOCATION}"):
        resolve(parse("http://h/"), b"/".ljust(MAX_LOCATION + 1, b"a"))
    with pytest.raises(InvalidURL, match="4 bytes, limit 3"):
        resolve(parse("http://h/"), "/abc", max_length=3)


# Any input ------------------------------------------------------------------------------------

DELIMITERS = (
    "http: // / \\ ? # @ : [ ] ::1 % %2e %2F %25 %zz . .. 80 0x7f 127.1 example é 。 ／".split()
)
PIECES = st.lists(
    st.one_of(st.sampled_from([*DELIMITERS, " ", "\n"]), st.text(max_size=3)), max_size=10
).map("".join)


@given(st.one_of(PIECES, PIECES.map("http://".__add__)))
def test_any_text(text):
    """Any text is a URL with one stable reading, or one of the three errors."""
    try:
        url = parse(text)
    except NAMED_ERRORS:
        return

    again = parse(url.href)
    assert url.href == again.href
    assert (url.origin, url.target, url.userinfo) == (again.origin, again.target, again.userinfo)
    assert re.fullmatch(rb"/[!-~]*", url.target)
    assert re.fullmatch(rb"[!-.0->A-~]+", url.host_field)
    assert url.host == urlsplit(url.href).hostname.replace("%25", "%", 1) or "%" in url.host


@given(PIECES, st.booleans())
def test_any_location(reference, as_bytes):
    """Any Location resolves to a URL that reads the same by itself, or is one of the errors."""
    base = parse("http://u:p@base.example:8080/a/b?q#f")
    try:
        url = resolve(base, reference.encode("utf-8", "ignore") if as_bytes else reference)
    except (InvalidSchema, InvalidURL):
        return

    assert url == parse(url.href)
    assert url.userinfo is None or "//" in reference or same_origin(base, url)


@given(st.text(alphabet="/?#@:[]\\% .a8é", max_size=12))
def test_any_mistake_keeps_secrets(mistake):
    """A password with anything in it is never shown by an error or by the redacted form."""
    try:
        shown = parse(f"http://user:hunter2{mistake}@h/").redacted
    except NAMED_ERRORS as error:
        shown = str(error)

    assert "hunter2" not in shown


@given(st.text(max_size=20))
def test_any_host(host):
    """Any text is a host, and then one that stays the same, or an InvalidURL."""
    try:
        ascii_host = host_to_ascii(host)
    except InvalidURL:
        return

    assert ascii_host.isascii()
    assert ascii_host == host_to_ascii(ascii_host)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_requote_is_idempotent(text):
    """Requoting twice is requoting once, except for broken escapes, as in Requests."""
    once = requote(text)

    assert once.isascii()
    assert once == requote(once)


# The URL standard's vectors -------------------------------------------------------------------

# Where we differ from WHATWG, by reason: what it takes and we refuse. Nothing goes the other way.
WE_REFUSE = {
    "a tab, newline or other control character where the standard drops it": r"[\x00-\x1f\x7f]",
    "a backslash that may begin or end an authority": r"(?i)^(https?:)?[/\\]*\\|^https?://[^/?#]*\\",
    "no host: http:x, http:/x, ///x": r"(?i)^https?:(?!//)|^(https?:)?///",
    "more than one '@' in the authority": r"^https?://[^/?#]*@[^/?#]*@",
    "brackets in userinfo": r"^https?://[^/?#@]*[\[\]][^/?#@]*@",
    "port 0": r"^https?://[^/?#]*:0+(/|$)",
    "an empty label in the host": r"^https?://([^/?#]*\.)?\.",
    "characters in a host that RFC 3986 does not have": r"^https?://[^/?#]*[\"`{}]",
    "symbols in a host, which IDNA 2008 does not have": r"^https?://%e2%98%83",
}

# Where both take it and the request differs, by reason.
WE_QUOTE = {
    "a backslash in a path is escaped, not a slash": r"\\",
    "a tab in a path is escaped, not dropped": r"\t",
    "an apostrophe in a query stays": r"\?.*'",
    "if one escape is broken, every '%' is data": r"%(?![0-9A-Fa-f]{2})",
    "an empty password or user name stays": r":@",
}


def is_http(text: str) -> bool:
    return re.match(r"(?i)\s*https?:", text) is not None


def reason_for(text: str, reasons: dict[str, str]) -> str | None:
    """Why this input may differ, or None."""
    return next((why for why, pattern in reasons.items() if re.search(pattern, text)), None)


def wpt_cases() -> list[dict[str, Any]]:
    """The cases that an HTTP client can meet: an http URL, or a reference on an http base."""
    return [case for case in vectors("urltestdata.json") if is_http(case["base"] or case["input"])]


def read(case: dict[str, Any]) -> URL | None:
    """What we make of a case; None if it is refused."""
    try:
        if case["base"]:
            return resolve(parse(case["base"]), case["input"])
        return parse(case["input"])
    except NAMED_ERRORS:
        return None


def test_wpt_urls():
    """We read URLs as WHATWG does, or refuse them for a reason; the host is never another one."""
    cases = wpt_cases()
    assert len(cases) > 400

    for case in cases:
        text, url = case["input"], read(case)
        if case.get("failure") or not is_http(case["href"]):
            assert url is None, text
            continue
        if url is None:
            assert reason_for(text, WE_REFUSE), text
            continue

        expected = parse(case["href"])  # in our quoting
        assert expected.origin == url.origin, text
        if expected.target != url.target or expected.userinfo != url.userinfo:
            assert reason_for(text, WE_QUOTE), text


def test_wpt_reasons_are_needed():
    """Every reason for a difference has a case, so that the tables do not rot."""
    differences = [
        (case["input"], read(case))
        for case in wpt_cases()
        if not case.get("failure") and is_http(case["href"])
    ]
    refused = [text for text, url in differences if url is None]

    for why, pattern in WE_REFUSE.items():
        assert any(re.search(pattern, text) for text in refused), why
    for why, pattern in WE_QUOTE.items():
        assert any(url and re.search(pattern, text) for text, url in differences), why


# Hosts that the standard's domain-to-ASCII takes and we refuse, by reason.
WE_REFUSE_HOSTS = {
    "an empty label": r"\.\.",
    "a label over 63 octets or a name over 253": r"^.{60,}",
    "a hyphen at an end, or third and fourth, of a label that is not ASCII's alone": r"^-|--|-\.",
    "characters that IDNA 2008 does not have": r"[^\x00-\x7f]|[<=>]",
}


def test_wpt_hosts():
    """Hosts become what the standard says, or are refused where IDNA 2008 and DNS do."""
    cases = vectors("toascii.json")
    assert len(cases) > 50

    for case in cases:
        try:
            host = host_to_ascii(case["input"])
        except InvalidURL:
            assert case["output"] is None or reason_for(case["input"], WE_REFUSE_HOSTS), case
        else:
            assert case["output"] == host, case


def test_wpt_percent_encoding():
    """Text in a query is UTF-8 in escapes; what RFC 3986 does not have is escaped too."""
    for case in vectors("percent-encoding.json"):
        expected = requote(case["output"]["utf-8"])

        assert expected == parse(f"http://h/?{case['input']}").query
