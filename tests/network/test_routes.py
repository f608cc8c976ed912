"""network/router.py, routes.py, proxies.py: which proxy, which trust, and which connections are interchangeable."""

import base64
import json
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gofer
from gofer.exceptions import ConfigWarning, InvalidProxyURL, InvalidSchema, InvalidURL
from gofer.messages.url import parse
from gofer.network import environment
from gofer.network.environment import Environment
from gofer.network.proxies import Proxy, choose_proxy, proxy_headers
from gofer.network.router import Router, choose
from gofer.network.routes import Route
from gofer.precedence import settings_for_call

VECTORS = Path(__file__).resolve().parents[2] / ".." / "shared" / "vectors" / "no-proxy"

ORIGIN = ("https", "example.com", 443)
PLAIN = ("http", "example.com", 80)


def take(router: Router, url: str, *, trust_env: bool = True) -> Route:
    """The route as a session asks for it: with the environment as it is now, or without."""
    return router.route(parse(url), environment.read() if trust_env else None)


class Settings:
    """A session's settings, as far as routes are concerned."""

    def __init__(self, **changes: Any) -> None:
        self.proxies: Mapping[str, str | None] | None = {}
        self.verify: Any = True
        self.cert: Any = None
        self.unix_socket: str | None = None
        self.source_address: str | tuple[str, int] | None = None
        self.socket_options: tuple[Any, ...] = ()
        self.pins: Any = None
        self.http2: Any = None
        self.http3: Any = False
        self.keep_alive = True
        self.tls_minimum = "1.2"
        self.tls_ciphers: str | None = None
        self.crl_file: Any = None
        self.__dict__.update(changes)


def environment_of(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Environment:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return environment.read()


def basic(text: str, encoding: str = "latin-1") -> str:
    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


# A proxy's URL ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("https://proxy.example", "https://proxy.example:443"),
        ("HTTP://Proxy.Example", "http://proxy.example:80"),
        ("proxy.example", "http://proxy.example:80"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("localhost:3128", "http://localhost:3128"),
        ("//proxy.example:3128", "http://proxy.example:3128"),
        ("192.0.2.1:3128", "http://192.0.2.1:3128"),
        ("[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
        (" http://proxy.example/ ", "http://proxy.example:80"),
        ("http://proxy.example/ignored?too", "http://proxy.example:80"),
        ("http://bücher.example", "http://xn--bcher-kva.example:80"),
    ],
)
def test_proxy_url(text: str, shown: str):
    """A proxy's URL needs a host; the scheme is http unless it says otherwise."""
    assert shown == str(Proxy.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "http://", "https://", "http:///proxy.example:3128", "http:/proxy.example:3128",
        "http://:3128", ":3128", "http://proxy.example:99999", "http://proxy.example:0",
        "http://proxy.example:port", "http://[::1", "ftp://proxy.example", "foo://proxy.example",
        "http://a b", "http://a\r\nX: 1", "http://user@corp:secret@proxy.example",
        "http://user:sec#ret@proxy.example", "http://user:sec/ret@proxy.example", b"http://p", 1,
    ],
)  # fmt: skip
def test_proxy_url_refused(text: Any):
    """A proxy's URL that cannot be understood in one way is refused, without its credentials."""
    with pytest.raises(InvalidProxyURL) as caught:
        Proxy.parse(text)

    assert isinstance(caught.value, InvalidURL)
    assert "sec" not in str(caught.value).removeprefix("reading a proxy URL")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h", "SOCKS5"])
def test_socks(scheme: str):
    """A SOCKS proxy has a login, a port of its own, and is asked for a tunnel whatever the URL."""
    proxy = Proxy.parse(f"{scheme}://us%65r:sec%40ret@proxy.example")

    assert (scheme.lower(), 1080, None) == (proxy.scheme, proxy.port, proxy.authorization)
    assert ("user", "sec@ret") == proxy.login
    assert "secret" not in repr(proxy)
    assert 80 == Proxy.parse(f"{scheme}://proxy.example:80/").port
    assert Route(("http", "a.example", 80), proxy=proxy).is_tunnel


def test_another_version_of_socks():
    """There are four."""
    with pytest.raises(InvalidSchema, match="socks5h"):
        Proxy.parse("socks6://proxy.example")


@pytest.mark.parametrize(
    ("userinfo", "authorization"),
    [
        ("", None),
        ("@", None),
        (":@", None),
        ("user:secret@", basic("user:secret")),
        ("user@", basic("user:")),
        (":secret@", basic(":secret")),
        ("us%65r:s%40%3A%2F@", basic("user:s@:/")),
        ("user:a:b@", basic("user:a:b")),
        ("%C3%BC:%C3%A9@", basic("ü:é")),
        ("%E2%82%AC:x@", basic("€:x", "utf-8")),
    ],
)
def test_proxy_credentials(userinfo: str, authorization: str | None):
    """The userinfo becomes Basic credentials: percent-decoded, latin-1 if that is enough."""
    url = f"http://{userinfo}proxy.example"

    assert authorization == Proxy.parse(url).authorization
    expected = {} if authorization is None else {"Proxy-Authorization": authorization}
    assert expected == proxy_headers(url)


def test_a_colon_in_the_user_name():
    """Basic cannot send a colon in the user name, so it is refused rather than misread."""
    with pytest.raises(InvalidProxyURL, match="colon"):
        Proxy.parse("http://us%3Aer:secret@proxy.example")


@given(st.text(max_size=40))
def test_any_proxy_url(text: str):
    """Any text is a proxy's URL or refused by name."""
    try:
        proxy = Proxy.parse(text)
    except (InvalidProxyURL, InvalidSchema):
        return
    assert str(proxy) == str(Proxy.parse(str(proxy)))


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_any_credentials(username: str, password: str):
    """Percent-encoded credentials arrive as they were, and never show in a repr."""
    from urllib.parse import quote

    if ":" in username:
        return
    text = f"http://{quote(username, safe='')}:{quote(password, safe='')}@proxy.example"
    proxy = Proxy.parse(text)
    data = base64.b64decode((proxy.authorization or "").removeprefix("Basic "))

    assert f"{username}:{password}".encode() in (data, data.decode("latin-1").encode())
    assert "<Proxy http://proxy.example:80>" == repr(proxy)


# Which proxy --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "chosen"),
    [
        ({}, None),
        ({"https": "s"}, "s"),
        ({"http": "s"}, None),
        ({"all": "a"}, "a"),
        ({"all": "a", "https": "s"}, "s"),
        ({"all": "a", "all://example.com": "ah"}, "ah"),
        ({"https": "s", "all://example.com": "ah"}, "s"),
        ({"https": "s", "https://example.com": "sh"}, "sh"),
        ({"https": "s", "https://other.example": "sh"}, "s"),
        # switched off
        ({"https": None, "all": "a"}, None),
        ({"https": "", "all": "a"}, None),
        ({"https": "s", "https://example.com": None}, None),
        # no_proxy of its own
        ({"https": "s", "no_proxy": "example.com"}, None),
        ({"https": "s", "no_proxy": "example.com:80"}, "s"),
        ({"https": "s", "no_proxy": ""}, "s"),
        ({"https": "s", "no_proxy": None}, "s"),
    ],
)
def test_explicit_proxies(proxies: dict[str, str | None], chosen: str | None):
    """The most particular key wins; an empty value goes directly; no_proxy makes exceptions."""
    assert chosen == choose_proxy(parse("https://example.com/"), proxies, None)


@pytest.mark.parametrize("host", ["2001:db8::1", "[2001:db8::1]", "[2001:DB8:0::1]/"])
def test_keys_name_ipv6_with_and_without_brackets(host: str):
    """Without, as Requests writes it, and with, as everybody else does."""
    chosen = choose_proxy(parse("http://[2001:DB8::1]/"), {f"http://{host}": "p"}, None)

    assert "p" == chosen


@pytest.mark.parametrize(
    "key",
    ["HTTPS", "https://", "https:", "wss", "WSS://", "All", "all://", "https://example.com/",
     "https://Example.COM", "wss://example.com", "https://example.com:443", "all://example.com:443/",
     " https "],
)  # fmt: skip
def test_how_a_key_may_be_spelled(key: str):
    """Case, slashes and the schemes of WebSockets: what can be meant in one way only is."""
    assert "p" == choose_proxy(parse("https://example.com/"), {key: "p"}, None)


@pytest.mark.parametrize(
    "key", ["http", "HTTP://", "ws", "https://example.com:8443", "https://other.example/", "no",
            "ftp", "socks", "http+unix", "mock"],
)  # fmt: skip
def test_a_key_may_be_for_something_else(key: str):
    """For another scheme, host or port; or for an adapter's scheme. Nobody is warned."""
    assert choose_proxy(parse("https://example.com/"), {key: "p"}, None) is None


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("htps", "'https'"), ("httpss", "'https'"), ("https_proxy", "'https'"), ("no-proxy", "'no_proxy'"),
     ("example.com:80", "'all://host'"), ("https://*.example.com", "'https://host'"), ("*", "'all'"),
     ("https://example.com/path", "'https://host'"), ("https://example.com:http", "'https://host'"),
     (5, "'all://host'")],
)  # fmt: skip
def test_a_key_that_is_for_nothing_is_warned_about(key: Any, nearest: str):
    """For its traffic goes directly, which is seldom what was meant."""
    with pytest.warns(ConfigWarning, match=rf"{re.escape(repr(key))}.*expected {nearest}"):
        assert choose_proxy(parse("https://example.com/"), {key: "p"}, None) is None


def test_a_key_with_credentials_is_not_shown():
    with pytest.warns(ConfigWarning) as caught:
        choose_proxy(parse("https://example.com/"), {"https://ann:secret@example.com": "p"}, None)
    assert "secret" not in str(caught[0].message)


@pytest.mark.parametrize(
    ("proxies", "chosen"),
    [
        ({"HTTPS": "1", "https": "2"}, "2"),
        ({"https": "2", "HTTPS://Example.com": "1"}, "1"),
        ({"https://example.com": "2", "https://example.com:443": "1"}, "1"),
        ({"HTTPS": "1", "NO_PROXY": "example.com"}, None),
    ],
)
def test_spellings_beside_each_other(proxies: dict[str, str], chosen: str | None):
    """The right one before the others; the most particular before both."""
    assert chosen == choose_proxy(parse("https://example.com/"), proxies, None)


def test_a_calls_spelling_counts_before_the_sessions():
    settings = settings_for_call(gofer.Session(proxies={"https": "1"})._settings_now_(), None,
                                 proxies={"HTTPS": "2"})  # fmt: skip
    assert "2" == choose_proxy(parse("https://example.com/"), settings.proxies, None)


@pytest.mark.parametrize(
    ("proxies", "variables", "chosen"),
    [
        ({}, {"https_proxy": "e"}, "e"),
        ({}, {"http_proxy": "e"}, None),
        ({}, {"all_proxy": "a"}, "a"),
        ({}, {"all_proxy": "a", "https_proxy": "e"}, "e"),
        ({}, {"https_proxy": "e", "no_proxy": "example.com"}, None),
        ({}, {"https_proxy": "e", "no_proxy": "other.example"}, "e"),
        # what is said beats what is around, even if it is less particular
        ({"https": "s"}, {"https_proxy": "e"}, "s"),
        ({"all": "a"}, {"https_proxy": "e"}, "a"),
        ({"https": None}, {"https_proxy": "e"}, None),
        ({"http": "h"}, {"https_proxy": "e"}, "e"),
        # NO_PROXY is about the environment's proxies; an explicit list replaces it
        ({"https": "s"}, {"no_proxy": "example.com"}, "s"),
        ({"no_proxy": "example.com"}, {"https_proxy": "e"}, None),
        ({"no_proxy": "other.example"}, {"https_proxy": "e", "no_proxy": "example.com"}, "e"),
        ({"no_proxy": ""}, {"https_proxy": "e", "no_proxy": "example.com"}, "e"),
    ],
)
def test_environment_proxies(
    proxies: dict[str, str | None],
    variables: dict[str, str],
    chosen: str | None,
    monkeypatch: pytest.MonkeyPatch,
):
    """The environment's proxies come after explicit ones, and NO_PROXY is for them alone."""
    seen = environment_of(monkeypatch, **variables)

    assert chosen == choose_proxy(parse("https://example.com/"), proxies, seen)


# Where we differ from Go, by URL, and why
GO_DIFFERS = {
    "ftp://insecure.tld/": "not a URL gofer fetches",
    # Ours is refused when it is used; Go hands it to the transport, which refuses it there.
    "foo://host": InvalidProxyURL,
}


def test_go_table(monkeypatch: pytest.MonkeyPatch):
    """Go's table of the proxy for a URL; in a CGI program HTTP_PROXY is ignored, not an error."""
    path = VECTORS / "go-proxy-for-url.json"
    if not path.exists():
        pytest.skip(f"TEST VECTORS ABSENT: {path} is not there, nothing was compared with Go")
    compared = 0
    for case in json.loads(path.read_text(encoding="utf-8")):
        if case["url"] in GO_DIFFERS:
            continue
        with monkeypatch.context() as variables:
            for name in ("http_proxy", "https_proxy", "no_proxy"):
                variables.setenv(name.upper(), case[name])
            if case["cgi"]:
                variables.setenv("REQUEST_METHOD", "GET")
            expected = None if case["error"] else case["proxy"]
            refusal = GO_DIFFERS.get(case["http_proxy"])
            if refusal is not None:
                with pytest.raises(refusal):
                    choose(parse(case["url"]), Settings(), environment.read())
            else:
                route = choose(parse(case["url"]), Settings(), environment.read())
                shown = None if expected is None else Proxy.parse(expected).key
                assert shown == (route.proxy and route.proxy.key), case
        compared += 1

    assert compared == 25


# Which trust --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verify", "variables", "trust_env", "effective"),
    [
        (True, {}, True, True),
        (None, {}, True, True),
        (True, {"REQUESTS_CA_BUNDLE": "/r"}, True, "/r"),
        (None, {"CURL_CA_BUNDLE": "/c"}, True, "/c"),
        (True, {"REQUESTS_CA_BUNDLE": "/r"}, False, True),
        (False, {"REQUESTS_CA_BUNDLE": "/r"}, True, False),
        ("/mine", {"REQUESTS_CA_BUNDLE": "/r"}, True, "/mine"),
    ],
)
def test_verify(
    verify: Any,
    variables: dict[str, str],
    trust_env: bool,
    effective: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    """An explicit verify beats REQUESTS_CA_BUNDLE; True and None leave it to the environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    router = Router(Settings(verify=verify))

    assert effective == take(router, "https://example.com/", trust_env=trust_env).verify


def test_a_context_beats_the_environment(monkeypatch: pytest.MonkeyPatch):
    """A context is used as it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    seen = environment_of(monkeypatch, REQUESTS_CA_BUNDLE="/r")

    assert context is choose(parse("https://a.example/"), Settings(verify=context), seen).verify


# Interchangeable connections ----------------------------------------------------------------------

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HTTP_PROXY = Proxy.parse("http://proxy.example")

# Every one of these is another connection than all the others.
DISTINCT = [
    Route(ORIGIN),
    Route(("https", "example.com", 8443)),
    Route(("https", "other.example", 443)),
    Route(("http", "example.com", 443)),
    Route(PLAIN),
    Route(ORIGIN, verify=False),
    Route(ORIGIN, verify="/ca.pem"),
    Route(ORIGIN, verify="/other-ca.pem"),
    Route(ORIGIN, verify=CONTEXT),
    Route(ORIGIN, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
    Route(ORIGIN, default_trust=("/file", None)),
    Route(ORIGIN, cert="/client.pem"),
    Route(ORIGIN, cert=("/client.pem", "/key.pem")),
    Route(ORIGIN, alpn=("h2", "http/1.1")),
    Route(ORIGIN, unix_path="/run/socket"),
    Route(ORIGIN, source_address=("127.0.0.2", 0)),
    Route(ORIGIN, proxy=HTTP_PROXY),
    Route(ORIGIN, proxy=Proxy.parse("http://proxy.example:3128")),
    Route(ORIGIN, proxy=Proxy.parse("https://proxy.example")),
    Route(ORIGIN, proxy=Proxy.parse("https://proxy.example"), verify=False),
    Route(ORIGIN, proxy=Proxy.parse("http://user:secret@proxy.example")),
    Route(ORIGIN, proxy=Proxy.parse("http://user:changed@proxy.example")),
    Route(PLAIN, proxy=HTTP_PROXY),
    Route(PLAIN, proxy=Proxy.parse("http://user:secret@proxy.example")),
    Route(PLAIN, proxy=Proxy.parse("https://proxy.example")),
    Route(PLAIN, proxy=Proxy.parse("https://proxy.example"), verify=False),
]


def test_distinct_routes():
    """Whatever the bytes of a connection depend on makes another route (CVE-2024-35195)."""
    assert len(DISTINCT) == len(set(DISTINCT))
    assert len(DISTINCT) == len({route.key for route in DISTINCT})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Route(ORIGIN), Route(ORIGIN)),
        (Route(ORIGIN), Route(ORIGIN, verify=None)),
        (Route(ORIGIN, verify=CONTEXT), Route(ORIGIN, verify=CONTEXT)),
        (Route(ORIGIN, verify=False), Route(ORIGIN, verify=False, default_trust=("/file", None))),
        # without TLS, verification and certificates mean nothing
        (Route(PLAIN), Route(PLAIN, verify=False, cert="/client.pem", default_trust=("/f", None))),
        # a proxy that forwards takes requests for any origin, and is shown no client certificate
        (Route(PLAIN, proxy=HTTP_PROXY), Route(("http", "b.example", 8080), proxy=HTTP_PROXY)),
        (
            Route(PLAIN, proxy=Proxy.parse("https://proxy.example")),
            Route(PLAIN, proxy=Proxy.parse("https://proxy.example"), cert="/client.pem"),
        ),
    ],
)
def test_equal_routes(one: Route, other: Route):
    """Settings that make no difference on the wire share connections."""
    assert one == other
    assert hash(one) == hash(other)


def test_a_route_is_nothing_else():
    """A route is not equal to its key, nor to anything that is no route."""
    assert Route(ORIGIN) != Route(ORIGIN).key
    assert Route(ORIGIN) != "https://example.com"


@pytest.mark.parametrize(
    ("route", "forwarding", "tunnel"),
    [
        (Route(PLAIN), False, False),
        (Route(ORIGIN), False, False),
        (Route(PLAIN, proxy=HTTP_PROXY), True, False),
        (Route(ORIGIN, proxy=HTTP_PROXY), False, True),
        (Route(PLAIN, proxy=Proxy.parse("https://proxy.example")), True, False),
        (Route(ORIGIN, proxy=Proxy.parse("https://proxy.example")), False, True),
    ],
)
def test_forwarding_or_tunnel(route: Route, forwarding: bool, tunnel: bool):
    """Through a proxy, http is forwarded and https is tunnelled, whatever the proxy's scheme."""
    assert (forwarding, tunnel) == (route.is_forwarding, route.is_tunnel)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com./", "example.com"),
        ("https://[fe80::1%25eth0]/", "fe80::1"),
        ("https://192.0.2.1/", "192.0.2.1"),
    ],
)
def test_server_hostname(url: str, name: str):
    """The name shown in TLS has no trailing dot and no zone."""
    assert name == Route(parse(url).origin).server_hostname


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        (Route(ORIGIN), "<Route https://example.com:443>"),
        (Route(("http", "::1", 80)), "<Route http://[::1]:80>"),
        (Route(ORIGIN, verify=False), "<Route https://example.com:443 unverified>"),
        (Route(PLAIN, verify=False), "<Route http://example.com:80>"),
        (Route(PLAIN, unix_path="/s"), "<Route http://example.com:80 over /s>"),
        (
            Route(ORIGIN, proxy=Proxy.parse("http://user:secret@proxy.example")),
            "<Route https://example.com:443 via http://proxy.example:80>",
        ),
        (
            Route(PLAIN, source_address=("127.0.0.2", 0)),
            "<Route http://example.com:80 from 127.0.0.2:0>",
        ),
    ],
)
def test_repr(route: Route, shown: str):
    """The repr of a route tells the way, never the credentials."""
    assert shown == repr(route)


# Choosing and remembering -------------------------------------------------------------------------


def test_a_unix_socket_leaves_no_room_for_a_proxy():
    """With a unix socket, proxies are not asked."""
    settings = Settings(unix_socket="/s", proxies={"all": "http://proxy.example"})
    route = choose(parse("http://example.com/"), settings, None)

    assert ("/s", None) == (route.unix_path, route.proxy)


@pytest.mark.parametrize("given_address", ["127.0.0.2", ("127.0.0.2", 0), ["127.0.0.2", 0]])
def test_source_address(given_address: Any):
    """A source address may be given without a port."""
    route = choose(parse("http://example.com/"), Settings(source_address=given_address), None)

    assert ("127.0.0.2", 0) == route.source_address


def test_an_origin_is_decided_once():
    """Every URL of an origin takes the same route, until something changes."""
    router = Router(Settings())
    first = take(router, "http://example.com/a")

    assert first is take(router, "http://example.com/b?c")
    assert first is not take(router, "http://example.com:81/")
    assert "<Router 2 routes>" == repr(router)


def test_a_router_notices_changes(monkeypatch: pytest.MonkeyPatch):
    """The proxies dict edited in place and the environment count from the next call on."""
    proxies: dict[str, str | None] = {}
    router = Router(Settings(proxies=proxies))
    url = "https://example.com/"
    seen = [take(router, url)]

    proxies["https"] = "http://proxy.example"
    seen.append(take(router, url))
    proxies["https"] = "http://user:secret@proxy.example"
    seen.append(take(router, url))
    proxies.clear()
    monkeypatch.setenv("HTTPS_PROXY", "http://around.example")
    seen.append(take(router, url))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/r")
    seen.append(take(router, url))

    assert len(seen) == len(set(seen))


def test_trust_env_off(monkeypatch: pytest.MonkeyPatch):
    """A session that does not trust the environment sees none of it."""
    monkeypatch.setenv("ALL_PROXY", "http://around.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/r")
    router = Router(Settings())

    assert take(router, "https://example.com/").proxy is not None
    untrusting = take(router, "https://example.com/", trust_env=False)
    assert (None, True) == (untrusting.proxy, untrusting.verify)


def test_default_trust_is_part_of_the_route(monkeypatch: pytest.MonkeyPatch):
    """A connection made under another SSL_CERT_FILE is not used any more."""
    router = Router(Settings())
    before = take(router, "https://example.com/")
    monkeypatch.setenv("SSL_CERT_FILE", "/other.pem")

    assert before != take(router, "https://example.com/")


def test_no_proxies_at_all():
    """Proxies set to None are as good as none."""
    assert take(Router(Settings(proxies=None)), "http://example.com/").proxy is None


def test_a_bad_proxy_is_refused_each_time():
    """A route that cannot be chosen is not remembered: the next call says the same."""
    router = Router(Settings(proxies={"http": "socks6://proxy.example"}))
    for _ in range(2):
        with pytest.raises(InvalidSchema):
            take(router, "http://example.com/")

    assert "<Router 0 routes>" == repr(router)


@pytest.mark.parametrize(("origins", "known"), [(3, 3), (4, 4), (5, 1)])
def test_memory_is_bounded(origins: int, known: int, monkeypatch: pytest.MonkeyPatch):
    """A crawler's router forgets rather than grows."""
    monkeypatch.setattr("gofer.network.router.MAX_ROUTES", 4)
    router = Router(Settings())
    for number in range(origins):
        take(router, f"http://host{number}.example/")

    assert f"<Router {known} routes>" == repr(router)
