"""network/dial.py: every step to a connection, what can fail in it, and nothing left open."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from gofer.exceptions import (
    CertificateError,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    InvalidURL,
    NameResolutionError,
    ProxyError,
    RequestException,
    SSLError,
    TunnelRefused,
)
from gofer.network.dial import dial
from gofer.network.proxies import Proxy as ProxyAddress
from gofer.network.routes import Route
from gofer.runtime.base import TimedOut
from gofer.runtime.blocking import runtime
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import Peer, Server, black_hole, refused_port, serve
from servers.web import Web

PATIENCE = 20.0  # seconds, for what is expected to go well
AT_ONCE = 0.05  # seconds, for what is expected never to happen

HEAD = b"HTTP/1.1 200 Connection established\r\n\r\n"


def proxy_at(server: Any, userinfo: str = "") -> ProxyAddress:
    return ProxyAddress.parse(server.url.replace("://", f"://{userinfo}"))


def connect(route: Route, patience: float = PATIENCE, **options: Any) -> Any:
    """The stream that dialling `route` gives; the caller aborts it."""
    return runtime.run(dial(route, runtime, runtime.now() + patience, **options))


def ask(stream: Any, host: str = "example.com") -> bytes:
    """A request over `stream`, and all that comes back. Closes the stream."""

    async def exchange() -> bytes:
        deadline = runtime.now() + PATIENCE
        await stream.send(
            b"GET /get HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode(), deadline
        )
        answer = b""
        with contextlib.suppress(ssl.SSLEOFError):  # no close_notify: not this room's concern
            while piece := await stream.receive(65536, deadline):
                answer += piece
        return answer

    try:
        return runtime.run(exchange())
    finally:
        stream.abort()


def failure(route: Route, patience: float = PATIENCE, **options: Any) -> RequestException:
    """The error that dialling `route` ends in."""
    with pytest.raises(RequestException) as caught:
        connect(route, patience, **options)
    return caught.value


def echo_head(peer: Peer) -> None:
    peer.receive_head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


# Directly -----------------------------------------------------------------------------------------


def test_plain(web: Web):
    """A plain origin is connected to and nothing is sent by itself."""
    answer = ask(connect(Route(("http", "127.0.0.1", web.port))))

    assert answer.startswith(b"HTTP/1.1 200")


def test_ipv6():
    """An IPv6 address is connected to."""
    with serve(echo_head, family=socket.AF_INET6) as server:
        assert ask(connect(Route(("http", "::1", server.port)))).endswith(b"ok")


def test_unix_socket():
    """Over a unix socket, whatever the URL's host is."""
    with serve(echo_head, family=socket.AF_UNIX) as server:
        route = Route(("http", "nowhere.example", 80), unix_path=server.path)

        assert ask(connect(route)).endswith(b"ok")


def test_tls(web_tls: Web, certificates: Certificates):
    """A TLS origin is verified by the route's own trust."""
    route = Route(("https", "localhost", web_tls.port), verify=certificates.ca_file)

    assert ask(connect(route)).startswith(b"HTTP/1.1 200")


def test_client_certificate(certificates: Certificates):
    """The origin is shown the client certificate."""
    with serve(echo_head, tls=certificates.asking_for_client) as server:
        route = Route(
            ("https", "localhost", server.port),
            verify=certificates.ca_file,
            cert=certificates.client_cert,
        )

        assert ask(connect(route)).endswith(b"ok")


def test_source_address():
    """The connection comes from the address that was asked for."""
    with serve(echo_head) as server:
        route = Route(("http", "127.0.0.1", server.port), source_address=("127.0.0.1", 0))

        assert ask(connect(route)).endswith(b"ok")


def test_a_resolver_of_ones_own():
    """A name can be looked up elsewhere; the origin keeps its name in TLS and messages."""
    seen = []

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        seen.append((host, port))
        return [(socket.AF_INET, ("127.0.0.1", server.port))]

    with serve(echo_head) as server:
        assert ask(connect(Route(("http", "any.example", 80)), resolve=resolve)).endswith(b"ok")
    assert [("any.example", 80)] == seen


# What fails on the direct way ---------------------------------------------------------------------


def test_no_such_name():
    """A name without an address is an error of its own, with the resolver's words."""

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    error = failure(Route(("http", "no.example", 80)), resolve=resolve)

    assert isinstance(error, NameResolutionError)
    assert "resolving no.example: Name or service not known" == str(error)
    assert isinstance(error.__cause__, socket.gaierror)


@pytest.mark.parametrize("raised", [None, UnicodeError("label too long")])
def test_a_resolver_without_an_answer(raised: Exception | None):
    """No address at all, or a name that Python cannot encode, is the same error."""

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        if raised is not None:
            raise raised
        return []

    assert isinstance(
        failure(Route(("http", "no.example", 80)), resolve=resolve), NameResolutionError
    )


@pytest.mark.parametrize("raised", [InvalidURL("not into our network"), KeyError("mine")])
def test_a_resolver_that_refuses(raised: Exception):
    """What a resolver of one's own raises passes untouched: it may refuse an address."""

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        raise raised

    with pytest.raises(type(raised)) as caught:
        connect(Route(("http", "inside.example", 80)), resolve=resolve)
    assert raised is caught.value


def test_refused():
    """Nobody listening: the error names every address that was tried."""
    first, second = refused_port(), refused_port()

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, ("127.0.0.1", number)) for number in (first, second)]

    error = failure(Route(("http", "two.example", 80)), resolve=resolve)

    assert isinstance(error, ConnectionRefused)
    assert str(error).startswith("connecting to two.example:80: ")
    assert f"127.0.0.1:{first}: " in str(error)
    assert f"127.0.0.1:{second}: " in str(error)


def test_unix_socket_without_listener():
    """The path of a unix socket that nobody serves is in the error."""
    error = failure(Route(("http", "localhost", 80), unix_path="/nonexistent/socket"))

    assert isinstance(error, ConnectionRefused)
    assert str(error).startswith("connecting to the unix socket /nonexistent/socket: ")


def test_connect_timeout():
    """An address that never answers ends at the deadline, which names the step."""
    with black_hole() as port:
        error = failure(Route(("http", "127.0.0.1", port)), AT_ONCE)

    assert isinstance(error, ConnectTimeout)
    assert f"connecting to 127.0.0.1:{port} took longer than the connect limit" in str(error)


def test_tls_timeout(certificates: Certificates):
    """A server that takes the connection and says nothing ends at the same deadline."""
    with serve(Peer.receive_to_end) as server:
        route = Route(("https", "localhost", server.port), verify=certificates.ca_file)
        error = failure(route, AT_ONCE)

    assert isinstance(error, ConnectTimeout)
    assert f"connecting to localhost:{server.port}: speaking TLS took longer" in str(error)


@pytest.mark.parametrize("name", ["wrong_host", "expired", "untrusted", "self_signed"])
def test_bad_certificate(name: str, certificates: Certificates):
    """A certificate that is not accepted is an error of its own, and names the origin."""
    with serve(Peer.receive_to_end, tls=getattr(certificates, name)) as server:
        route = Route(("https", "localhost", server.port), verify=certificates.ca_file)
        error = failure(route)

    assert isinstance(error, CertificateError)
    assert f"localhost:{server.port}" in str(error)


def test_plain_http_on_the_tls_port(certificates: Certificates):
    """A server that answers in plain HTTP is told so in an SSLError."""

    def script(peer: Peer) -> None:
        peer.receive(10)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serve(script) as server:
        error = failure(Route(("https", "localhost", server.port), verify=certificates.ca_file))

    assert isinstance(error, SSLError)
    assert not isinstance(error, CertificateError)


def test_reset_in_the_handshake(certificates: Certificates):
    """A reset in the TLS handshake is a connection that was lost, or TLS that failed."""

    def script(peer: Peer) -> None:
        peer.receive(10)
        peer.reset()

    with serve(script) as server:
        error = failure(Route(("https", "localhost", server.port), verify=certificates.ca_file))

    assert isinstance(error, (SSLError, ConnectionLost))


def test_a_missing_certificate_file():
    """A path that is not there is said before anything is connected to."""
    with serve(Peer.receive_to_end) as server:
        for options in ({"verify": "/nonexistent/ca.pem"}, {"cert": "/nonexistent/client.pem"}):
            with pytest.raises(OSError, match="/nonexistent/"):
                connect(Route(("https", "localhost", server.port), **options))

        assert 0 == server.accepted


# Through a proxy ----------------------------------------------------------------------------------


def test_forwarding_goes_to_the_proxy():
    """For http the stream leads to the proxy, to which nothing has been said yet."""
    with serve(echo_head) as server:
        route = Route(("http", "example.com", 80), proxy=proxy_at(server, "user:secret@"))

        assert ask(connect(route)).endswith(b"ok")
        assert server.requests[0].startswith(b"GET /get")


@pytest.fixture
def guarded(web_tls: Web) -> Iterator[Proxy]:
    """A proxy that wants credentials, and knows where example.com is."""
    hosts = {"example.com:443": ("127.0.0.1", web_tls.port)}
    with Proxy(credentials="user:secret", hosts=hosts) as server:
        yield server


def test_tunnel(web_tls: Web, guarded: Proxy, certificates: Certificates):
    """For https the proxy is asked for a tunnel by name, and TLS is with the origin."""
    route = Route(
        ("https", "example.com", 443),
        proxy=proxy_at(guarded, "user:secret@"),
        verify=certificates.ca_file,
    )

    assert ask(connect(route, user_agent="me/1")).startswith(b"HTTP/1.1 200")
    assert ["example.com:443"] == guarded.tunnels
    names = [name.lower() for name, _ in guarded.asked[0].fields]
    assert ["host", "user-agent", "proxy-authorization"] == names
    assert "me/1" == guarded.asked[0].field("user-agent")


def test_the_proxy_credentials_stay_with_the_proxy(guarded: Proxy, certificates: Certificates):
    """Nothing that the origin receives holds the proxy's credentials."""
    with serve(echo_head, tls=certificates.good) as origin:
        guarded.hosts["example.com:443"] = ("127.0.0.1", origin.port)
        route = Route(
            ("https", "example.com", 443),
            proxy=proxy_at(guarded, "user:secret@"),
            verify=certificates.ca_file,
        )
        assert ask(connect(route)).endswith(b"ok")

        assert b"proxy-authorization" not in b"".join(origin.received).lower()


def test_the_name_is_looked_up_by_the_proxy(
    web_tls: Web, guarded: Proxy, certificates: Certificates
):
    """The origin's name is never resolved here when there is a proxy."""
    seen = []

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        seen.append(host)
        return await runtime.resolve(host, port, deadline)

    route = Route(
        ("https", "example.com", 443),
        proxy=proxy_at(guarded, "user:secret@"),
        verify=certificates.ca_file,
    )
    connect(route, resolve=resolve).abort()

    assert ["127.0.0.1"] == seen


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_to_the_proxy(scheme: str, web: Web, web_tls: Web, certificates: Certificates):
    """With an https proxy the hop to it is TLS, and an https origin is TLS inside that TLS."""
    origin = web_tls if scheme == "https" else web
    with Proxy(tls=certificates.good, host="localhost") as server:
        server.hosts["example.com:443"] = ("127.0.0.1", origin.port)
        route = Route(
            (scheme, "example.com", 443),
            proxy=proxy_at(server),
            verify=certificates.ca_file,
        )
        stream = connect(route)
        if scheme == "https":
            assert ask(stream).startswith(b"HTTP/1.1 200")
            assert ["example.com:443"] == server.tunnels
        else:
            stream.abort()
            assert [] == server.asked


def test_the_client_certificate_is_not_for_the_proxy(certificates: Certificates, web_tls: Web):
    """A proxy that asks for a client certificate does not get the origin's."""
    with serve(Peer.receive_to_end, tls=certificates.asking_for_client) as server:
        route = Route(
            ("https", "localhost", web_tls.port),
            proxy=ProxyAddress.parse(f"https://localhost:{server.port}"),
            verify=certificates.ca_file,
            cert=certificates.client_cert,
        )
        error = failure(route)

    assert isinstance(error, ProxyError)


# What fails at the proxy --------------------------------------------------------------------------


def tunnel_through(server: Server, **options: Any) -> Route:
    return Route(("https", "example.com", 443), proxy=proxy_at(server, "user:secret@"), **options)


def after_connect(data: bytes, then: Any = None) -> Any:
    """A proxy that answers CONNECT with `data`."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(data)
        if then is not None:
            then(peer)

    return script


@pytest.mark.parametrize("status", [302, 400, 403, 404, 407, 500, 502, 503, 599])
def test_tunnel_refused(status: int):
    """A refusal is an error with the status code; content, cookies and Location are dropped."""
    answer = (
        b"HTTP/1.1 %d No\x9b way\r\nLocation: http://evil.example/\r\nSet-Cookie: a=b\r\n"
        b"Content-Length: 5\r\n\r\nhello" % status
    )
    with serve(after_connect(answer)) as server:
        error = failure(tunnel_through(server))

    assert isinstance(error, TunnelRefused)
    assert isinstance(error, ProxyError)
    assert status == error.status_code
    assert error.response is None
    assert f"got {status} b'No\\x9b way', expected 2xx" in str(error)
    assert f"asking http://127.0.0.1:{server.port} for a tunnel to example.com:443" in str(error)
    assert "secret" not in str(error)
    assert 1 == server.accepted


@pytest.mark.parametrize(
    ("userinfo", "hint"), [("", "its URL has no credentials"), ("user:wrong@", "credentials sent")]
)
def test_407(userinfo: str, hint: str, guarded: Proxy):
    """A proxy that wants other credentials is asked once, not for ever."""
    route = Route(("https", "example.com", 443), proxy=proxy_at(guarded, userinfo))
    error = failure(route)

    assert isinstance(error, TunnelRefused)
    assert 407 == error.status_code
    assert str(error).endswith(f"({hint})")
    assert 1 == len(guarded.asked)


def test_a_long_reason_is_capped():
    """Of the proxy's words at most 40 bytes are quoted, escaped."""
    with serve(after_connect(b"HTTP/1.1 403 " + b"\x9b" * 10_000 + b"\r\n\r\n")) as server:
        error = failure(tunnel_through(server))

    assert len(str(error)) < 400
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "closed the connection after 0 bytes"),
        (b"HTTP/1.1 200", "closed the connection after 12 bytes"),
        (b"SSH-2.0-x\r\n", "expected HTTP/1.x"),
        (b"HTTP/1.1 200 OK\n\n", "without CR"),
        (HEAD + b"injected", "8 bytes came behind the 200"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, "head over 262144 bytes"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101"),
    ],
)
def test_a_broken_proxy(answer: bytes, message: str):
    """A proxy that breaks the rules is a ProxyError that says how."""
    with serve(after_connect(answer)) as server:
        error = failure(tunnel_through(server))

    assert isinstance(error, ProxyError)
    assert not isinstance(error, TunnelRefused)
    assert message in str(error)


def test_a_proxy_that_resets():
    """A reset while asking for the tunnel is a ProxyError with its cause."""
    with serve(after_connect(b"HTTP/1.1 ", Peer.reset)) as server:
        error = failure(tunnel_through(server))

    assert isinstance(error, ProxyError)
    assert isinstance(error.__cause__, OSError)
    assert "for a tunnel to example.com:443" in str(error)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_a_silent_proxy(answer: bytes):
    """A proxy that never ends its answer ends at the deadline, which names it."""
    with serve(after_connect(answer, Peer.receive_to_end)) as server:
        error = failure(tunnel_through(server), AT_ONCE)

    assert isinstance(error, ConnectTimeout)
    assert f"asking http://127.0.0.1:{server.port} for a tunnel took longer" in str(error)


def test_a_proxy_that_is_not_there():
    """A proxy that cannot be connected to is a ProxyError, for http and https alike."""
    port = refused_port()
    for origin in (("http", "example.com", 80), ("https", "example.com", 443)):
        proxy = ProxyAddress.parse(f"http://user:secret@127.0.0.1:{port}")
        error = failure(Route(origin, proxy=proxy))

        assert isinstance(error, ProxyError)
        assert f"reaching the proxy http://127.0.0.1:{port}: connecting to" in str(error)
        assert "secret" not in str(error)


def test_a_proxy_without_address():
    """A proxy whose name is not known is a ProxyError."""

    async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    route = Route(("http", "example.com", 80), proxy=ProxyAddress.parse("http://no.example"))
    error = failure(route, resolve=resolve)

    assert isinstance(error, ProxyError)
    assert "resolving no.example: Name or service not known" in str(error)


def test_an_https_proxy_with_a_bad_certificate(certificates: Certificates):
    """A proxy that is not to be trusted never hears of the origin, nor of the credentials."""
    with serve(Peer.receive_to_end, tls=certificates.untrusted, host="localhost") as server:
        error = failure(tunnel_through(server, verify=certificates.ca_file))

        assert isinstance(error, ProxyError)
        assert isinstance(error.__cause__, CertificateError)
        assert 0 == len(b"".join(server.received))


def test_the_origin_is_verified_behind_a_proxy(certificates: Certificates):
    """A bad certificate behind a tunnel is the origin's, and as unacceptable as without one."""
    with serve(Peer.receive_to_end, tls=certificates.untrusted) as origin, Proxy() as server:
        server.hosts["localhost:443"] = ("127.0.0.1", origin.port)
        route = Route(
            ("https", "localhost", 443), proxy=proxy_at(server), verify=certificates.ca_file
        )
        error = failure(route)

    assert isinstance(error, CertificateError)
    assert "localhost:443" in str(error)


def test_a_tunnel_to_nowhere():
    """The origin closing behind the tunnel is an error of TLS with the origin."""
    with serve(after_connect(HEAD, Peer.close)) as server:
        error = failure(tunnel_through(server, verify=False))

    assert isinstance(error, (SSLError, ConnectionLost))
    assert "example.com:443" in str(error)


# Nothing is left open -----------------------------------------------------------------------------


class Script:
    """A runtime and a stream in one: steps that succeed, until the one that raises."""

    name = "script"

    def __init__(self, failing: str, error: BaseException) -> None:
        self.failing = failing
        self.error = error
        self.aborted = 0
        self.connected = False

    def _step(self, name: str) -> None:
        if name == self.failing:
            raise self.error

    async def resolve(self, host: str, port: int, deadline: float | None) -> list[tuple[Any, ...]]:
        self._step("resolve")
        return [(socket.AF_INET, ("192.0.2.1", port))]

    async def connect(self, addresses: Any, deadline: float | None) -> "Script":
        self._step("connect")
        self.connected = True
        return self

    async def send(self, data: bytes, deadline: float | None) -> None:
        self._step("send CONNECT" if data.startswith(b"CONNECT") else "send TLS")

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        self._step("receive")
        if self.failing == "handshake":
            self.failing = "receive"  # the next one: this one is the proxy's answer
        return HEAD

    def is_readable(self) -> bool:
        return False

    def send_soon(self, _sender: Any) -> bool:
        return False

    def fileno(self) -> int:
        return -1

    def abort(self) -> None:
        self.aborted += 1


@pytest.mark.parametrize(
    "error",
    [OSError(104, "reset"), TimedOut(), KeyboardInterrupt(), GeneratorExit(), SystemExit()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    "step", ["resolve", "connect", "send CONNECT", "receive", "send TLS", "handshake"]
)
def test_every_step_that_fails_closes_the_socket(step: str, error: BaseException):
    """Whatever is raised, wherever, the socket is closed before the error goes on."""
    script = Script(step, error)
    route = Route(
        ("https", "example.com", 443), proxy=ProxyAddress.parse("http://p.example"), verify=False
    )
    with pytest.raises(BaseException) as caught:
        runtime.run(dial(route, script, None))  # type: ignore[arg-type]

    assert bool(script.aborted) == script.connected
    if isinstance(error, TimedOut):
        assert isinstance(caught.value, ConnectTimeout)
    elif isinstance(error, OSError):
        assert isinstance(caught.value, RequestException)
    else:
        assert error is caught.value


def test_a_stream_that_is_handed_over_stays_open(web: Web):
    """Success closes nothing."""
    stream = connect(Route(("http", "127.0.0.1", web.port)))
    try:
        assert not stream.is_readable()
        assert stream.fileno() >= 0
    finally:
        stream.abort()


def test_no_deadline(web: Web):
    """Without a limit there is none."""
    stream = runtime.run(dial(Route(("http", "127.0.0.1", web.port)), runtime, None))

    assert ask(stream).startswith(b"HTTP/1.1 200")


def test_a_deadline_in_the_past():
    """A deadline that has passed already is a timeout, not an attempt."""
    with serve(Peer.receive_to_end) as server:
        error = failure(Route(("http", "127.0.0.1", server.port)), -1.0)

        assert isinstance(error, ConnectTimeout)
        assert 0 == server.accepted


def test_a_context_of_the_callers(web_tls: Web, certificates: Certificates):
    """An SSLContext given as verify is the one that is used."""
    context = ssl.create_default_context(cafile=certificates.ca_file)
    route = Route(("https", "localhost", web_tls.port), verify=context)

    assert ask(connect(route)).startswith(b"HTTP/1.1 200")
