"""Proxies that refuse, break off, or would like to be taken for the origin (rows 101 to 107)."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest

import gofer
from faults.asking import NEXT, field, session_for, target
from gofer.auth import HTTPProxyAuth, HTTPProxyDigestAuth
from gofer.exceptions import ProxyError, TunnelRefused
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import Peer, Server, always, refused_port, response, serve
from servers.web import Web

CREDENTIALS = "Basic dXNlcjpwYXNz"  # user:pass


def with_credentials(proxy: Proxy | Server, userinfo: str = "user:pass") -> str:
    """The proxy's URL with credentials."""
    return proxy.url.replace("://", f"://{userinfo}@")


def test_row_101_absolute_form(web: Web, proxy: Proxy):
    """For http a proxy is asked for the whole URL; the answer is the origin's."""
    with session_for(proxies={"http": proxy.url}) as session:
        answer = session.get(web.url + "/get?a=1#fragment")

    assert {"a": "1"} == answer.json()["args"]
    assert [("GET", web.url + "/get?a=1")] == [(one.method, one.target) for one in proxy.asked]
    assert web.authority == proxy.asked[0].field("host")


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_row_101_connect(web_tls: Web, certificates: Certificates, is_tls: bool):
    """For https it is asked for a tunnel, and sees nothing of what goes through it."""
    with Proxy(tls=certificates.good if is_tls else None) as proxy:
        with session_for(
            proxies={"https": proxy.url}, verify=certificates.ca_file, timeout=5
        ) as session:
            for _ in range(2):
                assert 200 == session.get(web_tls.url + "/get", auth=("a", "b")).status_code
        (asked,) = proxy.asked

    assert ("CONNECT", web_tls.authority) == (asked.method, asked.target)
    assert {"host", "user-agent"} == {name.lower() for name, _ in asked.fields}


SAYINGS = {
    "403": b"HTTP/1.1 403 No\r\nContent-Length: 8\r\nSet-Cookie: evil=1; Path=/\r\n\r\nthe page",
    "302": b"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n",
    "407": b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
    "502": b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "401": b"HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("status", SAYINGS)
def test_row_102_a_refused_tunnel(status: str, names: list[str]):
    """An error with the status; nothing of what the proxy said is taken for the origin's."""
    with serve(always(SAYINGS[status])) as proxy:
        with session_for(proxies={"https": proxy.url}, auth=("user", "pass")) as session:
            with pytest.raises(ProxyError) as caught:
                session.get("https://origin.test/")

            assert {} == dict(session.cookies)
        assert 1 == len(proxy.requests)
        assert b"authorization" not in proxy.requests[0].lower()

    if status != "101":
        assert isinstance(caught.value, TunnelRefused)
        assert int(status) == caught.value.status_code
        challenge = "Basic realm=x" if status == "407" else None
        assert challenge == caught.value.headers.get("proxy-authenticate")
    assert caught.value.response is None
    assert "the page" not in str(caught.value)
    assert "127.0.0.1" in names or names == []  # the proxy's address; never evil.test's
    assert "evil.test" not in names


def test_row_103_407_for_ever(names: list[str]):
    """Credentials that are not accepted are not tried again and again."""
    answer = response(b"", "407 Who", proxy_authenticate='Digest realm="x", nonce="n", qop="auth"')
    with serve(always(answer)) as proxy:
        with session_for(proxies={"http": proxy.url, "https": with_credentials(proxy)}) as session:
            auth = HTTPProxyDigestAuth("user", "wrong")
            assert 407 == session.get("http://origin.test/", auth=auth).status_code
            assert 2 == len(proxy.requests)

            with pytest.raises(TunnelRefused, match="credentials sent"):
                session.get("https://origin.test/")
            assert 4 == len(proxy.requests)  # Basic, then Digest


def flood(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100_000):
        peer.send(b"X-Field: value\r\n" * 64)


BROKEN: dict[str, tuple[Callable[[Peer], Any], type[Exception]]] = {
    "FIN": (Peer.close, ProxyError),
    "RST": (Peer.reset, ProxyError),
    "FIN in the head": (lambda peer: (peer.send(b"HTTP/1.1 200 O"), peer.close()), ProxyError),
    "RST in the head": (lambda peer: (peer.send(b"HTTP/1.1 200 O"), peer.reset()), ProxyError),
    "silence": (Peer.wait_closed, gofer.ConnectTimeout),
    "half a head": (
        lambda peer: (peer.send(b"HTTP/1.1 200 OK\r\nX"), peer.wait_closed()),
        gofer.ConnectTimeout,
    ),
    "endless head": (flood, ProxyError),
    "garbage": (lambda peer: peer.send(b"SSH-2.0-OpenSSH_9\r\n"), ProxyError),
    "bytes behind": (
        lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
        ProxyError,
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_row_104_a_broken_proxy(what: str, names: list[str]):
    """An error in time; no byte of the origin's request has gone to the proxy."""
    break_off, error = BROKEN[what]

    def script(peer: Peer) -> None:
        peer.receive_head()
        break_off(peer)

    with serve(script) as proxy, session_for(proxies={"https": proxy.url}) as session:
        with pytest.raises(error):
            session.post("https://origin.test/", data=b"secret")

        proxy.wait_for(lambda: proxy.open == 0)
        assert b"secret" not in proxy.received[0]
        assert (0, 0, 0) == session.network.pool.counts


@pytest.mark.parametrize("answer", [b"", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nX" + b"x" * 300_000])
def test_row_104_a_broken_proxy_for_http(answer: bytes, names: list[str]):
    """Of a proxy that is asked for http the rules are those of any server."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(answer)

    with serve(script) as proxy, session_for(proxies={"http": proxy.url}) as session:
        with pytest.raises(gofer.ConnectionError):
            session.get("http://origin.test/")


MUTE: dict[str, tuple[Callable[[Peer], Any], str]] = {
    "FIN": (Peer.close, "origin.test via the proxy {proxy} closed the connection"),
    "silence": (Peer.wait_closed, "origin.test via the proxy {proxy}: read timeout"),
    "SOCKS": (lambda peer: peer.send(b"\5\xff"), "response head from the proxy {proxy}: got "),
}


@pytest.mark.parametrize("what", MUTE)
def test_row_104_a_broken_proxy_for_http_is_named(what: str, names: list[str]):
    """Beside the origin, which may never have heard of it; the second one by its own name."""
    break_off, words = MUTE[what]

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(response(b"first"))
        peer.receive_head()
        break_off(peer)

    with serve(script) as proxy, session_for(proxies={"http": proxy.url}) as session:
        assert b"first" == session.get("http://other.test/").content
        expected = re.escape(words.format(proxy=proxy.url))
        with pytest.raises(gofer.RequestException, match=expected):
            session.post("http://origin.test/", data=b"x")


def test_row_105_credentials_of_the_proxy_stay_with_it(
    web: Web, web_tls: Web, certificates: Certificates
):
    """They are in CONNECT and in the absolute-form, and never reach an origin."""
    with Proxy(credentials="user:pass") as proxy:
        with session_for(
            proxies={"all": with_credentials(proxy)}, verify=certificates.ca_file, timeout=5
        ) as session:
            for url in (web.url, web_tls.url):
                session.get(url + "/redirect/1", auth=("a", "b"))
        assert {CREDENTIALS} == {asked.field("proxy-authorization") for asked in proxy.asked}
        connects = [asked for asked in proxy.asked if asked.method == "CONNECT"]

    assert [None] * 1 == [asked.field("authorization") for asked in connects]
    for request in (*web.requests, *web_tls.requests):
        assert request.field("proxy-authorization") is None
        assert request.field("authorization") is not None


def test_row_105_a_hop_that_bypasses_the_proxy(names: list[str]):
    """A redirect from a host behind the proxy to one that is not: the credentials stay behind."""

    def redirecting(peer: Peer) -> None:
        while True:
            peer.receive_request()
            peer.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
                      b"Location: http://direct.test:%d/\r\n\r\n" % origin.port)  # fmt: skip

    with serve(always(NEXT)) as origin, serve(redirecting) as proxy:
        proxies = {"http": with_credentials(proxy), "no_proxy": "direct.test"}
        with session_for(proxies=proxies) as session:
            assert b"next" == session.get("http://behind.test/").content

        assert CREDENTIALS == field(proxy.requests[0], "proxy-authorization")
        assert "/" == target(origin.requests[0])
        assert field(origin.requests[0], "proxy-authorization") is None


def test_row_105_a_field_of_the_callers_does_not_follow(names: list[str]):
    """Proxy-Authorization given as a field is gone when a redirect leads elsewhere."""

    def redirecting(peer: Peer) -> None:
        peer.receive_request()
        peer.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
                  b"Location: http://direct.test:%d/\r\n\r\n" % origin.port)  # fmt: skip

    with serve(always(NEXT)) as origin, serve(redirecting) as proxy:
        with session_for(proxies={"http://behind.test": proxy.url}) as session:
            session.get("http://behind.test/", headers={"Proxy-Authorization": "Basic eA=="})

        assert "Basic eA==" == field(proxy.requests[0], "proxy-authorization")
        assert field(origin.requests[0], "proxy-authorization") is None


def by_field(userinfo: str = "user:pass") -> dict[str, Any]:
    """Credentials for the proxy, as a field of the call."""
    encoded = base64.b64encode(userinfo.encode()).decode()
    return {"headers": {"Proxy-Authorization": f"Basic {encoded}"}}


def by_auth(userinfo: str = "user:pass") -> dict[str, Any]:
    """The same as `auth`."""
    return {"auth": HTTPProxyAuth(*userinfo.split(":"))}


WAYS = pytest.mark.parametrize("credentials", [by_field, by_auth])
Way = Callable[..., dict[str, Any]]


@WAYS
@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_row_105_credentials_of_the_call_stay_with_the_proxy(
    web: Web, web_tls: Web, certificates: Certificates, credentials: Way, http2: bool
):
    """From http to https the proxy is asked for a tunnel: it sees them then, and the origin never
    does (CVE-2023-32681)."""
    with Proxy(credentials="user:pass") as proxy:
        proxy.hosts["example.com:80"] = ("127.0.0.1", web.port)
        proxy.hosts["example.com:443"] = ("127.0.0.1", web_tls.port)
        with session_for(
            proxies={"all": proxy.url}, verify=certificates.ca_file, timeout=5,
            config={"http2": http2},
        ) as session:  # fmt: skip
            url = "http://example.com/redirect-to?url=https://example.com/get"
            assert "https://example.com/get" == session.get(url, **credentials()).url
        assert [CREDENTIALS] * 2 == [asked.field("proxy-authorization") for asked in proxy.asked]
        assert ["GET", "CONNECT"] == [asked.method for asked in proxy.asked]

    for request in (*web.requests, *web_tls.requests):
        assert request.field("proxy-authorization") is None


@WAYS
def test_row_105_a_websockets_credentials_stay_with_the_proxy(web: Web, credentials: Way):
    """Its tunnel is asked for with them."""
    with Proxy(credentials="user:pass") as proxy:
        with session_for(proxies={"all": proxy.url}) as session:
            with session.websocket(web.url + "/websocket", **credentials()) as socket:
                socket.send("hi")
                assert "hi" == socket.receive()
        assert [CREDENTIALS] == [asked.field("proxy-authorization") for asked in proxy.asked]

    assert web.requests[0].field("proxy-authorization") is None


@WAYS
@pytest.mark.parametrize("is_named", [True, False], ids=["NO_PROXY", "no proxy"])
def test_row_105_nor_does_an_origin_see_them_that_is_asked_directly(
    web: Web, web_tls: Web, certificates: Certificates, monkeypatch: pytest.MonkeyPatch,
    credentials: Way, is_named: bool,
):  # fmt: skip
    """Around the proxy, or over TLS with none at all: there is nobody there to be shown them."""
    if is_named:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{refused_port()}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with session_for(verify=certificates.ca_file, timeout=5) as session:
        session.get(web_tls.url + "/get", **credentials())
        if is_named:
            session.get(web.url + "/get", **credentials())

    for request in (*web.requests, *web_tls.requests):
        assert request.field("proxy-authorization") is None


@WAYS
def test_row_105_a_tunnel_is_for_those_who_asked_for_it(
    web_tls: Web, certificates: Certificates, credentials: Way
):
    """With other credentials, or without any, there is another; with the same there is none."""
    with Proxy() as proxy:
        options = {"proxies": {"https": proxy.url}, "verify": certificates.ca_file}
        with session_for(**options, timeout=5) as session:
            for call in (credentials("a:1"), credentials("b:2"), {}, credentials("a:1")):
                session.get(web_tls.url + "/get", **call)
        shown = [asked.field("proxy-authorization") for asked in proxy.asked]

    assert ["Basic YTox", "Basic Yjoy", None] == shown


def test_row_105_another_password_is_another_connection(names: list[str]):
    """A tunnel or a connection made with one user's credentials serves no other user."""
    with serve(always(NEXT)) as proxy, session_for() as session:
        for userinfo in ("a:1", "b:1", "a:2", "a:1"):
            session.get("http://x.test/", proxies={"http": with_credentials(proxy, userinfo)})

        assert 3 == proxy.accepted


def test_row_105_proxies_of_the_environment_change(
    web: Web, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, session: gofer.Session
):
    """The next request goes the new way, and shows the new credentials only."""
    for userinfo in ("a:1", "b:2"):
        monkeypatch.setenv("http_proxy", with_credentials(proxy, userinfo))
        session.get(web.url + "/get")
    monkeypatch.delenv("http_proxy")
    session.get(web.url + "/get")

    shown = [asked.field("proxy-authorization") for asked in proxy.asked]
    assert ["Basic YTox", "Basic Yjoy"] == shown
    assert 3 == len(web.requests)


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        ("example.test", "example.test", True),
        ("example.test", "sub.example.test", True),
        (".example.test", "sub.example.test", True),
        ("example.test", "notexample.test", False),
        ("example.test.", "example.test", True),
        ("EXAMPLE.test", "example.TEST", True),
        ("other.test, example.test", "example.test", True),
        ("other.test example.test", "example.test", True),
        ("*", "example.test", True),
        ("ample.test", "example.test", False),
        ("127.0.0.0/8", "127.0.0.1", True),
        ("10.0.0.0/8", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("", "example.test", False),
    ],
)
@pytest.mark.parametrize("where", ["environment", "proxies"])
def test_row_106_no_proxy(
    no_proxy: str, host: str, is_direct: bool, where: str,
    names: list[str], monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """Names at a label's boundary, addresses, networks, all: in the environment or given."""
    with serve(always(response(b"proxy"))) as proxy, serve(always(response(b"origin"))) as origin:
        proxies = None
        if where == "environment":
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", no_proxy)
        else:
            proxies = {"http": proxy.url, "no_proxy": no_proxy}
        with session_for(proxies=proxies) as session:
            got = session.get(f"http://{host}:{origin.port}/").content

    assert (b"origin" if is_direct else b"proxy") == got


@pytest.mark.parametrize(("entry", "is_direct"), [("{port}", True), ("1", False)])
def test_row_106_ports(entry: str, is_direct: bool, names: list[str]):
    """An entry with a port is for that port alone."""
    with serve(always(response(b"proxy"))) as proxy, serve(always(response(b"origin"))) as origin:
        listed = "example.test:" + entry.format(port=origin.port)
        with session_for(proxies={"http": proxy.url, "no_proxy": listed}) as session:
            got = session.get(f"http://example.test:{origin.port}/").content

    assert (b"origin" if is_direct else b"proxy") == got


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_row_107_a_cgi_program(
    name: str, web: Web, session: gofer.Session, monkeypatch: pytest.MonkeyPatch
):
    """There HTTP_PROXY is what the client's field Proxy says (httpoxy); http_proxy is not."""
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    monkeypatch.setenv(name, f"http://127.0.0.1:{refused_port()}")
    if name == "HTTP_PROXY":
        assert 200 == session.get(web.url + "/get").status_code
    else:
        with pytest.raises(ProxyError):
            session.get(web.url + "/get")


def test_the_origin_is_verified_behind_a_proxy(web_tls: Web, proxy: Proxy):
    """The tunnel changes nothing about whom to trust."""
    with session_for(proxies={"https": proxy.url}, timeout=5) as session:
        with pytest.raises(gofer.exceptions.CertificateError):
            session.get(web_tls.url + "/get")

        assert (0, 0, 0) == session.network.pool.counts
