"""network/environment.py: variables of the process, and the NO_PROXY matcher."""

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gofer.network import environment
from gofer.network.environment import Environment, NoProxy

VECTORS = Path(__file__).resolve().parents[2] / ".." / "shared" / "vectors" / "no-proxy"


def vectors(name: str) -> Any:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"TEST VECTORS ABSENT: {path} is not there, nothing was compared with Go")
    return json.loads(path.read_text(encoding="utf-8"))


def environment_of(**variables: str) -> Environment:
    """What is understood from these variables and no others."""
    return Environment(
        tuple(
            os.fsencode(variables[name]) if name in variables else None
            for name in environment._NAMES
        )
    )


# read() -------------------------------------------------------------------------------------------


def test_nothing_changed():
    """The same object comes back as long as no variable changes."""
    assert environment.read() is environment.read()


@pytest.mark.parametrize("name", environment._NAMES)
def test_every_variable_is_watched(name: str, monkeypatch: pytest.MonkeyPatch):
    """Setting, changing and deleting any variable is noticed at the next reading."""
    before = environment.read()
    monkeypatch.setenv(name, "one")
    one = environment.read()
    monkeypatch.setenv(name, "two")
    two = environment.read()
    monkeypatch.delenv(name)
    after = environment.read()

    assert len({id(seen) for seen in (before, one, two)}) == 3
    assert before.snapshot == after.snapshot


@pytest.mark.parametrize(
    "others", [("GOFER_LAST",), ("GOFER_FIRST",), ("GOFER_FIRST", "GOFER_LAST")]
)
def test_a_variable_in_the_place_of_others(
    others: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """One that comes while others go is noticed, although there are as many as before."""
    for name in environment._NAMES:
        monkeypatch.delenv(name, raising=False)
    for name in ("GOFER_FIRST", "GOFER_LAST"):
        monkeypatch.setenv(name, "")
    assert not environment.read().proxies
    for name in others:
        monkeypatch.delenv(name)
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    for name in others[1:]:
        monkeypatch.setenv(name, "")

    assert {"http": "http://proxy.example:3128"} == environment.read().proxies


def test_environ_replaced_by_a_dict(monkeypatch: pytest.MonkeyPatch):
    """A test that puts a plain dict in the place of os.environ is understood too."""
    monkeypatch.setattr(os, "environ", {"http_proxy": "http://proxy.example:3128"})

    assert {"http": "http://proxy.example:3128"} == environment.read().proxies


def test_variables_that_are_not_utf8(monkeypatch: pytest.MonkeyPatch):
    """A path in another encoding survives as the system's own functions write it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.fsdecode(b"/certs/\xff.pem"))

    assert b"/certs/\xff.pem" == os.fsencode(environment.read().ca_bundle or "")


# Proxies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "proxies"),
    [
        ({}, {}),
        ({"http_proxy": "a"}, {"http": "a"}),
        ({"HTTP_PROXY": "a"}, {"http": "a"}),
        ({"http_proxy": "a", "HTTP_PROXY": "b"}, {"http": "a"}),
        ({"https_proxy": "a", "HTTPS_PROXY": "b"}, {"https": "a"}),
        ({"all_proxy": "a", "ALL_PROXY": "b"}, {"all": "a"}),
        ({"ALL_PROXY": "b", "HTTPS_PROXY": "c"}, {"all": "b", "https": "c"}),
        # set but empty in lower case: switched off
        ({"http_proxy": "", "HTTP_PROXY": "b"}, {}),
        ({"http_proxy": ""}, {}),
        # httpoxy
        ({"HTTP_PROXY": "a", "REQUEST_METHOD": "GET"}, {}),
        ({"HTTP_PROXY": "a", "REQUEST_METHOD": ""}, {}),
        ({"HTTPS_PROXY": "a", "REQUEST_METHOD": "GET"}, {"https": "a"}),
    ],
)  # fmt: skip
def test_proxies(variables: dict[str, str], proxies: dict[str, str]):
    """Lower case wins, empty switches off, HTTP_PROXY does not count in a CGI program."""
    assert proxies == environment_of(**variables).proxies


@pytest.mark.skipif(os.name != "posix", reason="Windows does not tell the two cases apart")
def test_lower_case_http_proxy_in_a_cgi_program():
    """`http_proxy` cannot come from a request, so it counts even under REQUEST_METHOD."""
    seen = environment_of(http_proxy="a", HTTP_PROXY="b", REQUEST_METHOD="GET")

    assert {"http": "a"} == seen.proxies


def test_system_proxies(monkeypatch: pytest.MonkeyPatch):
    """On macOS and Windows the system's proxies and exceptions count if no variable does."""
    system = {"http": "http://system.example:80", "ftp": "http://system.example:80"}
    monkeypatch.setattr(environment.sys, "platform", "darwin")
    monkeypatch.setattr(urllib.request, "getproxies", lambda: system)
    monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host == "inside.example")

    seen = environment_of()
    assert {"http": "http://system.example:80"} == seen.proxies
    assert seen.bypasses_proxies("inside.example", 80)
    assert not seen.bypasses_proxies("outside.example", 80)

    assert {"all": "a"} == environment_of(all_proxy="a").proxies
    assert not environment_of(all_proxy="a").bypasses_proxies("inside.example", 80)


def test_no_proxy_variables():
    """`no_proxy` wins over NO_PROXY unless it is empty."""
    both = environment_of(no_proxy="lower.example", NO_PROXY="upper.example")
    empty = environment_of(no_proxy="", NO_PROXY="upper.example")

    assert both.bypasses_proxies("lower.example", 80)
    assert not both.bypasses_proxies("upper.example", 80)
    assert empty.bypasses_proxies("upper.example", 80)


def test_repr_shows_no_credentials():
    """The repr of an environment names schemes only."""
    seen = environment_of(http_proxy="http://user:secret@proxy.example")

    assert "<Environment proxies for http>" == repr(seen)


# Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "bundle"),
    [
        ({}, None),
        ({"REQUESTS_CA_BUNDLE": "/r"}, "/r"),
        ({"CURL_CA_BUNDLE": "/c"}, "/c"),
        ({"REQUESTS_CA_BUNDLE": "/r", "CURL_CA_BUNDLE": "/c"}, "/r"),
        ({"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "/c"}, "/c"),
        ({"REQUESTS_CA_BUNDLE": ""}, None),
        ({"SSL_CERT_FILE": "/s"}, None),
    ],
)
def test_ca_bundle(variables: dict[str, str], bundle: str | None):
    """REQUESTS_CA_BUNDLE comes before CURL_CA_BUNDLE; an empty one is as good as none."""
    assert bundle == environment_of(**variables).ca_bundle


def test_other_files():
    """NETRC, SSL_CERT_FILE and SSL_CERT_DIR are passed on as they are, None without them."""
    none = environment_of()
    seen = environment_of(NETRC="~/n", SSL_CERT_FILE="/f", SSL_CERT_DIR="/d")

    assert (None, None, None) == (none.netrc, none.ssl_cert_file, none.ssl_cert_dir)
    assert ("~/n", "/f", "/d") == (seen.netrc, seen.ssl_cert_file, seen.ssl_cert_dir)


# NO_PROXY -----------------------------------------------------------------------------------------

# Go never sends loopback through a proxy, listed or not. curl and Requests do, and so does gofer:
# a proxy on this machine may be just what is being tested. Listing localhost is enough.
GO_EXEMPTS_LOOPBACK = {"localhost", "127.0.0.1", "127.0.0.2", "[::1]"}


def test_go_table():
    """Go's table of NO_PROXY decisions, but for loopback."""
    table = vectors("go-use-proxy.json")
    matcher = NoProxy(table["no_proxy"])
    proxied = {
        case["host"]: not matcher.matches(case["host"].strip("[]"), table["port"])
        for case in table["cases"]
    }
    expected = {
        case["host"]: case["host"] in GO_EXEMPTS_LOOPBACK or case["proxied"]
        for case in table["cases"]
    }

    assert expected == proxied


# What curl, Go and Requests decide where they agree, and where they do not, why we do as we do.
DECISIONS = [
    # NO_PROXY, host, port, direct?
    ("", "example.com", 80, False),
    (",, ,", "example.com", 80, False),
    ("*", "example.com", 80, True),
    ("*", "2001:db8::1", 443, True),
    ("a.example,*", "example.com", 80, True),
    # names: at a label boundary, whatever the case, with or without a final dot
    ("example.com", "example.com", 80, True),
    ("example.com", "www.example.com", 80, True),
    ("example.com", "notexample.com", 80, False),
    ("example.com", "example.com.evil.example", 80, False),
    ("example.com", "com", 80, False),
    ("EXAMPLE.com", "example.com", 80, True),
    ("example.com.", "example.com", 80, True),
    ("example.com", "example.com.", 80, True),
    ("www.example.com", "example.com", 80, False),
    ("localhost", "localhost", 80, True),
    ("com", "example.com", 80, True),
    # below a name only: as Go; curl and Requests take the name itself too
    (".example.com", "example.com", 80, False),
    (".example.com", "www.example.com", 80, True),
    (".example.com", "notexample.com", 80, False),
    ("*.example.com", "example.com", 80, False),
    ("*.example.com", "www.example.com", 80, True),
    ("*.example.com", "a.b.example.com", 80, True),
    ("*.example.com", "notexample.com", 80, False),
    # a star is a wildcard at the front only
    ("exa*.com", "example.com", 80, False),
    # several entries, separated by commas, white space or both
    ("a.example b.example", "b.example", 80, True),
    ("a.example\tb.example,\n c.example", "c.example", 80, True),
    # ports
    ("example.com:8080", "example.com", 8080, True),
    ("example.com:8080", "www.example.com", 8080, True),
    ("example.com:8080", "example.com", 80, False),
    (".example.com:8080", "www.example.com", 8080, True),
    ("192.0.2.1:8080", "192.0.2.1", 8080, True),
    ("192.0.2.1:8080", "192.0.2.1", 80, False),
    ("[2001:db8::1]:8080", "2001:db8::1", 8080, True),
    ("[2001:db8::1]:8080", "2001:db8::1", 80, False),
    ("192.0.2.0/24:8080", "192.0.2.7", 8080, True),
    ("192.0.2.0/24:8080", "192.0.2.7", 80, False),
    # addresses are compared as addresses, never as text
    ("192.0.2.1", "192.0.2.1", 80, True),
    ("192.0.2.1", "192.0.2.11", 80, False),
    ("0.2.1", "192.0.2.1", 80, False),
    (".2.1", "192.0.2.1", 80, False),
    ("192.0.2.1", "www.192.0.2.1", 80, False),
    ("2001:db8::1", "2001:db8:0:0:0:0:0:1", 80, True),
    ("[2001:DB8::1]", "2001:db8::1", 80, True),
    ("::ffff:192.0.2.1", "192.0.2.1", 80, True),
    ("192.0.2.1", "::ffff:192.0.2.1", 80, True),
    # networks
    ("192.0.2.0/24", "192.0.2.255", 80, True),
    ("192.0.2.0/24", "192.0.3.0", 80, False),
    ("192.0.2.77/24", "192.0.2.1", 80, True),
    ("192.0.2.1/32", "192.0.2.1", 80, True),
    ("192.0.2.1/32", "192.0.2.2", 80, False),
    ("0.0.0.0/0", "203.0.113.9", 80, True),
    ("0.0.0.0/0", "2001:db8::1", 80, False),
    ("0.0.0.0/0", "example.com", 80, False),
    ("2001:db8::/32", "2001:db8:ffff::1", 80, True),
    ("2001:db8::/32", "2001:db9::1", 80, False),
    ("[2001:db8::]/32", "2001:db8::1", 80, True),
    ("::ffff:192.0.2.0/120", "192.0.2.9", 80, True),
    # zones (CVE-2025-22870)
    ("example.com", "::1%25.example.com", 80, False),
    (".example.com", "fe80::1%x.example.com", 80, False),
    ("fe80::1", "fe80::1%eth0", 80, True),
    ("fe80::1%eth0", "fe80::1%eth0", 80, True),
    ("fe80::1%eth0", "fe80::1%eth1", 80, False),
    ("fe80::1%eth0", "fe80::1", 80, False),
    ("fe80::/10", "fe80::1%eth0", 80, True),
    # international names
    ("bücher.example", "xn--bcher-kva.example", 80, True),
    ("xn--bcher-kva.example", "www.xn--bcher-kva.example", 80, True),
    # what cannot be understood is skipped, and the rest counts
    ("192.0.2.0/33,example.com", "192.0.2.1", 80, False),
    ("192.0.2.0/33,example.com", "example.com", 80, True),
    ("192.0.2.0/,192.0.2.0/x,192.0.2.0/-1", "192.0.2.1", 80, False),
    ("192.0.2.0/255.255.255.0", "192.0.2.1", 80, False),
    ("example.com:http", "example.com", 80, False),
    ("example.com:123456", "example.com", 123456, False),
    ("[example.com]", "example.com", 80, False),
    ("[192.0.2.1]", "192.0.2.1", 80, False),
    ("http://example.com", "example.com", 80, False),
    (".", "example.com", 80, False),
    ("..", "example.com", 80, False),
    (":80", "example.com", 80, False),
]


@pytest.mark.parametrize(("text", "host", "port", "direct"), DECISIONS)
def test_decision(text: str, host: str, port: int, direct: bool):
    """NO_PROXY decides at label boundaries, by address, by network and by port."""
    assert direct == NoProxy(text).matches(host, port)


def test_a_long_list_takes_linear_time():
    """A megabyte of separators, dots or digits is read in one pass."""
    for piece in (",", ".", "1", "a.", ":", "/", "[", "*", "%", "ü"):
        assert not NoProxy(piece * 1_000_000).matches("example.com", 80)


@given(
    st.text(st.sampled_from("aé.*:/[]% ,0129-x\x00") | st.characters(), max_size=60),
    st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "a", "1", ""]),
    st.integers(1, 65535),
)
@example("[", "a", 1)
@example("1.1.1.1/²", "a", 1)
@example("١٢٧.0.0.1", "127.0.0.1", 1)
def test_any_text_is_understood_or_skipped(text: str, host: str, port: int):
    """No value of NO_PROXY raises, and the answer is a plain boolean."""
    assert NoProxy(text).matches(host, port) in (True, False)


HOSTS = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), min_size=1, max_size=4).map(
    ".".join
)


@given(HOSTS, HOSTS, st.integers(1, 65535))
def test_a_name_covers_itself_and_what_is_below(host: str, label: str, port: int):
    """Listing a name exempts it and every name below it, and no name that merely ends alike."""
    matcher = NoProxy(host)

    assert matcher.matches(host, port)
    assert matcher.matches(f"{label}.{host}", port)
    assert not matcher.matches(f"x{host}", port)


@given(st.ip_addresses(), st.data())
def test_a_network_covers_its_addresses(address: Any, data: st.DataObject):
    """An address is in the network of its own first bits, whatever their number."""
    length = data.draw(st.integers(0, address.max_prefixlen))
    if address.version == 6 and address.ipv4_mapped and length < 96:
        length = 96  # a network around the IPv4-mapped ones is not written like that

    assert NoProxy(f"{address}/{length}").matches(str(address), 80)
    assert NoProxy(str(address)).matches(str(address), 80)


def test_repr():
    """The repr counts what is listed."""
    assert "<NoProxy *>" == repr(NoProxy("*"))
    assert "<NoProxy 2 names, 1 networks>" == repr(NoProxy("a, .b, 192.0.2.0/24"))
