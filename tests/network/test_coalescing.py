"""Coalescing: when a connection serves another origin than the one it was made for, and when not.

What "not" means is one of two things: the other origin has a connection of its own; or, where such a
one cannot be had, an error, and nothing of the request was sent.
"""

import contextlib
import gc
import hashlib
import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import gofer
from gofer.adapters import HTTPAdapter
from gofer.exceptions import (
    CertificateError,
    ConnectTimeout,
    InsecureRequestWarning,
    NameResolutionError,
)
from gofer.network.coalescing import names_host
from servers.certificates import Certificates
from servers.frames import RST_STREAM, Frames, frame
from servers.proxy import Proxy
from servers.raw import Peer, serve
from servers.web import Reply, Request, Web
from servers.web2 import Web2, speaking_http2
from worlds import world

__all__ = ["world"]

pytest.importorskip("ngh2", reason="HTTP/2 needs ngh2: pip install gofer[http2]")

pytestmark = pytest.mark.usefixtures("world")

PLAIN_PYTHON = pytest.mark.only_in("blocking")
ON = {"coalesce": True, "http2": True}
REFUSED_STREAM = (7).to_bytes(4, "big")
NAMES = ("a.test", "b.test")
HERE = "127.0.0.1"


def context_for(certificates: Certificates, *names: str) -> ssl.SSLContext:
    """A server's, for these names; HTTP/2 where the client offers it."""
    return speaking_http2(certificates.server(certificates.authority.issue_cert(*names)))


@pytest.fixture
def both(certificates: Certificates) -> Iterator[Web2]:
    """A server with a certificate for a.test and b.test."""
    with Web2(tls=context_for(certificates, *NAMES)) as web:
        yield web


def session_for(certificates: Certificates, **options: Any) -> gofer.Session:
    """Coalesces; every name of the tests leads here."""
    given: dict[str, Any] = {
        "verify": certificates.ca_file,
        "config": ON,
        "timeout": 20,
        "resolve": lambda host, _port: HERE if host.endswith(".test") else None,
    }
    return gofer.Session(**{**given, **options})


def ask(session: gofer.Session, web: Any, *hosts: str, **options: Any) -> list[int]:
    """Ask one after the other; the status codes."""
    answers = [session.get(f"https://{host}:{web.port}/get", **options) for host in hosts]
    for answer in answers:
        answer.content  # noqa: B018
    return [answer.status_code for answer in answers]


def asked(web: Web) -> list[str | None]:
    """The hosts that the requests were for."""
    return [(request.field("host") or "").partition(":")[0] for request in web.requests]


# On and off ---------------------------------------------------------------------------------------


def test_two_names_share_a_connection(certificates: Certificates, both: Web2) -> None:
    """Of one certificate, at one address; each request says whom it is for."""
    with session_for(certificates) as session:
        assert [200] * 4 == ask(session, both, "a.test", "b.test", "a.test", "b.test")
        assert (1, 0, 0) == session.network.pool.counts

    assert ["a.test", "b.test", "a.test", "b.test"] == asked(both)
    assert 1 == both.accepted


def test_nothing_is_coalesced_unless_that_is_wanted(certificates: Certificates, both: Web2) -> None:
    """Each origin has a connection."""
    with session_for(certificates, config={}) as session:
        assert [200] * 3 == ask(session, both, "a.test", "b.test", "b.test")
    assert 2 == both.accepted


def test_one_call_can_want_it(certificates: Certificates, both: Web2) -> None:
    """On a connection that was made without it; the next call does not."""
    with session_for(certificates, config={}) as session:
        assert [200] == ask(session, both, "a.test")
        assert [200] == ask(session, both, "b.test", config=ON)
        assert 1 == both.accepted
        assert [200] == ask(session, both, "b.test")
        assert 2 == both.accepted


def test_a_connection_of_its_own_comes_first(certificates: Certificates, both: Web2) -> None:
    """Who has one stays on it."""
    with session_for(certificates, config={}) as session:
        ask(session, both, "a.test", "b.test")
        session.config["coalesce"] = True
        ask(session, both, "a.test", "b.test")
    assert [0, 1, 0, 1] == [request.connection for request in both.requests]


def test_the_address_is_asked_for_once(certificates: Certificates, both: Web2) -> None:
    """As for a connection of its own: as long as that is there."""
    looked_up = []

    def resolve(host: str, _port: int) -> str:
        looked_up.append(host)
        return HERE

    with session_for(certificates, resolve=resolve) as session:
        ask(session, both, "a.test", "b.test", "b.test", "b.test")
    assert ["a.test", "b.test"] == looked_up
    assert 1 == both.accepted


def test_many_names_in_a_bulk(certificates: Certificates) -> None:
    """One wildcard, a hundred hosts, and the connection that is there already."""
    with Web2(tls=context_for(certificates, "*.many.test")) as web:
        with session_for(certificates) as session:
            urls = [f"https://h{number}.many.test:{web.port}/get" for number in range(100)]
            assert [200] == [a.status_code for a in gofer.map(urls[:1], session=session)]
            answers = gofer.map(urls, session=session, size=20)
            assert [200] * 100 == [answer.status_code for answer in answers]
        assert 1 == web.accepted


@PLAIN_PYTHON
def test_forty_threads_ask_for_two_names(certificates: Certificates, both: Web2) -> None:
    """All on one connection, and every place is given back."""
    errors: list[BaseException] = []
    with session_for(certificates) as session:
        ask(session, both, "a.test")

        def work(number: int) -> None:
            try:
                for turn in range(10):
                    host, value = NAMES[(number + turn) % 2], f"{number}-{turn}"
                    url = f"https://{host}:{both.port}/get"
                    answer = session.get(url, params={"value": value})
                    assert {"value": value} == answer.json()["args"]
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not errors
        assert (1, 0, 0) == session.network.pool.counts
    assert 1 == both.accepted


def test_credentials_stay_with_their_origin(certificates: Certificates, both: Web2) -> None:
    """A redirect to the other host leaves them behind, on whatever connection."""
    there = f"https://b.test:{both.port}/get"
    with session_for(certificates) as session:
        session.get(f"https://a.test:{both.port}/cookies/set?name=value", auth=("ann", "secret"))
        answer = session.get(
            f"https://a.test:{both.port}/redirect-to",
            params={"url": there},
            auth=("ann", "secret"),
        )
        assert there == answer.url
    *_, moved, last = both.requests
    assert moved.field("authorization")
    assert "name=value" == moved.field("cookie")
    assert last.field("authorization") is None
    assert last.field("cookie") is None
    assert 1 == both.accepted


# Whom the certificate names -----------------------------------------------------------------------


def test_the_certificate_has_to_name_the_host(certificates: Certificates) -> None:
    """Nothing is sent to a server that has shown that it is somebody else."""
    with Web2(tls=context_for(certificates, "a.test")) as web:
        with session_for(certificates) as session:
            assert [200] == ask(session, web, "a.test")
            with pytest.raises(CertificateError):
                ask(session, web, "b.test")
        assert ["a.test"] == asked(web)


def test_a_wildcard_stands_for_one_label(certificates: Certificates) -> None:
    """Not for two, and not for none."""
    with Web2(tls=context_for(certificates, "*.wide.test")) as web:
        with session_for(certificates) as session:
            assert [200, 200] == ask(session, web, "a.wide.test", "b.wide.test")
            for host in ("c.b.wide.test", "wide.test"):
                with pytest.raises(CertificateError):
                    ask(session, web, host)
        assert ["a.wide.test", "b.wide.test"] == asked(web)
        assert 3 == web.accepted


def test_an_address_is_named_as_one(certificates: Certificates) -> None:
    """By an iPAddress of the certificate."""
    with Web2(tls=context_for(certificates, "a.test", HERE)) as web:
        with session_for(certificates) as session:
            assert [200, 200] == ask(session, web, "a.test", HERE)
        assert 1 == web.accepted


CERTIFICATES = [
    "a.test", "A.Test", "*.b.test", "*.test", "x*.b.test", "*", "a.*.test", "*.*.test", "*.b.test.",
    "127.0.0.1", "b.test.1", ".b.test", "*..test",
]  # fmt: skip
HOSTS = [
    "a.test", "A.TEST", "b.test", "x.b.test", "xy.b.test", "X.B.test", "a.x.b.test", "x_y.b.test",
    "x-y.b.test", "xn--nxasmq6b.b.test", "x.a.test", "a.b.test", "a.x.test", "test", "*.b.test",
    "127.0.0.1", "127.0.0.2", "::1", "1.b.test", "x..test",
]  # fmt: skip


@PLAIN_PYTHON
def test_names_are_compared_as_openssl_compares_them(certificates: Certificates) -> None:
    """Where it would end a handshake nobody is named, and else somebody is."""
    servers = [certificates.named(name) for name in CERTIFICATES]
    leaf = certificates.authority.issue_cert("a.test", "*.b.test", "127.0.0.1", "::1")
    fits = set()
    for server in (certificates.server(leaf), *servers):
        shown = shake_hands(server, certificates.client(), "")
        assert shown
        for host in HOSTS:
            with contextlib.suppress(ValueError):  # what no TLS can ask for
                accepted = shake_hands(server, certificates.client(), host) is not None
                assert accepted == names_host(shown, host), (shown, host)
                if accepted:
                    fits.add(host)
    assert {"a.test", "A.TEST", "x.b.test", "X.B.test", "x-y.b.test", "127.0.0.1", "::1"} <= fits
    assert {"b.test", "a.x.b.test", "test", "127.0.0.2"}.isdisjoint(fits)
    assert not names_host([("email", "a.test"), ("URI", "a.test")], "a.test")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> Any:
    """The subjectAltNames that the server shows; None if it is not `host`. Any host, if it is ""."""
    client.check_hostname = bool(host)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=host or None)
    theirs = server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError:
            return None
    certificate = ours.getpeercert()
    assert certificate is not None
    return certificate["subjectAltName"]


# Where the name leads -----------------------------------------------------------------------------


class Everywhere(Web2):
    """Listens at all addresses of this machine."""

    listens_at = "0.0.0.0"


def test_another_address_is_another_connection(certificates: Certificates) -> None:
    """Though the same server has it."""
    places = {"a.test": HERE, "b.test": "127.0.0.2", "c.test": ["127.0.0.2", HERE]}
    with Everywhere(tls=context_for(certificates, *places)) as web:
        with session_for(certificates, resolve=places) as session:
            assert [200, 200] == ask(session, web, "a.test", "b.test")
            assert 2 == web.accepted
            assert [200] == ask(session, web, "c.test")  # at one of them is enough
        assert 2 == web.accepted


def test_another_port_at_the_address_is_another_connection(certificates: Certificates) -> None:
    """Two servers on one machine."""
    context = context_for(certificates, *NAMES)
    with Web2(tls=context) as web, Web2(tls=context) as other:
        places = {"a.test": f"{HERE}:{web.port}", "b.test": f"{HERE}:{other.port}"}
        with session_for(certificates, resolve=places) as session:
            for host in NAMES:
                assert 200 == session.get(f"https://{host}/get").status_code
        assert (["a.test"], ["b.test"]) == (asked(web), asked(other))


def test_another_port_in_the_url_is_another_connection(
    certificates: Certificates, both: Web2
) -> None:
    """Though it leads to the same place."""
    place = f"{HERE}:{both.port}"
    with session_for(certificates, resolve={"a.test": place, "b.test": place}) as session:
        for url in ("https://a.test:1/get", "https://b.test:2/get", "https://b.test:1/get"):
            assert 200 == session.get(url).status_code
    assert [0, 1, 0] == [request.connection for request in both.requests]


def test_a_name_that_leads_nowhere(certificates: Certificates, both: Web2) -> None:
    """Is an error that names it, as without coalescing."""

    def resolve(host: str, _port: int) -> str:
        if host == "b.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return HERE

    with session_for(certificates, resolve=resolve) as session:
        ask(session, both, "a.test")
        with pytest.raises(NameResolutionError, match=r"b\.test"):
            ask(session, both, "b.test")
        assert (1, 0, 0) == session.network.pool.counts


@PLAIN_PYTHON
def test_a_resolver_that_stalls(
    certificates: Certificates, both: Web2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to connect covers it."""
    over = threading.Event()

    def getaddrinfo(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        if host in ("b.test", b"b.test"):
            over.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (HERE, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with session_for(certificates, resolve=None) as session:
            ask(session, both, "a.test")
            with pytest.raises(ConnectTimeout, match=r"resolving b\.test") as caught:
                ask(session, both, "b.test", timeout=0.2)
            assert caught.value.request is not None
            assert (1, 0, 0) == session.network.pool.counts
    finally:
        over.set()


# The same way -------------------------------------------------------------------------------------


def test_nobody_is_taken_for_another_without_a_check(
    certificates: Certificates, both: Web2
) -> None:
    """verify=False."""
    with session_for(certificates, verify=False) as session, pytest.warns(InsecureRequestWarning):
        assert [200, 200] == ask(session, both, *NAMES)
    assert 2 == both.accepted


class OwnContext(ssl.SSLContext):
    """Who knows what it checks."""


def test_a_context_has_to_check_names(certificates: Certificates, both: Web2) -> None:
    """As an SSLContext does by itself."""
    nameless = certificates.client()
    nameless.check_hostname = False
    own = OwnContext(ssl.PROTOCOL_TLS_CLIENT)
    own.load_verify_locations(certificates.ca_file)
    usual = certificates.client()
    for context, connections in ((nameless, 2), (own, 2), (usual, 1)):
        context.set_alpn_protocols(["h2", "http/1.1"])
        before = both.accepted
        with session_for(certificates, verify=context) as session:
            assert [200, 200] == ask(session, both, *NAMES)
        assert connections == both.accepted - before


def test_another_client_certificate_is_another_connection(
    certificates: Certificates, both: Web2
) -> None:
    """As is none. What is the same may be shared."""
    with session_for(certificates) as session:
        ask(session, both, "a.test")
        ask(session, both, "b.test", cert=certificates.client_cert)
        assert 2 == both.accepted
        ask(session, both, "a.test", cert=certificates.client_cert)
        assert 2 == both.accepted


def test_another_trust_is_another_connection(certificates: Certificates, both: Web2) -> None:
    with session_for(certificates) as session:
        ask(session, both, "a.test")
        for option in (
            {"config": {"tls_minimum": "1.3"}},
            {"config": {"http2": "prior knowledge"}},
            {"verify": certificates.other_ca_file},
        ):
            before = both.accepted
            with contextlib.suppress(CertificateError):
                ask(session, both, "b.test", **option)
            assert 1 == both.accepted - before
    assert ["a.test", "b.test", "b.test"] == asked(both)


def test_through_a_proxy_nothing_is_coalesced(certificates: Certificates, both: Web2) -> None:
    """Where it connects to is its own affair, even if the name leads to the proxy itself."""
    reach = {f"{host}:{both.port}": (HERE, both.port) for host in NAMES}
    with Proxy(hosts=reach) as proxy:
        place = f"{HERE}:{proxy.port}"
        with session_for(
            certificates, proxies={"all": proxy.url}, resolve={"b.test": place}
        ) as session:
            assert [200, 200] == ask(session, both, *NAMES)
    assert 2 == both.accepted


class OneName(HTTPAdapter):
    """Asks every server for the same name."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, server_hostname="a.test")


@PLAIN_PYTHON
def test_who_asks_for_another_name_has_a_connection_of_his_own(
    certificates: Certificates, both: Web2
) -> None:
    """What the certificate says of the host is of no account to him."""
    with session_for(certificates) as session:
        session.mount("https://", OneName())
        assert [200, 200] == ask(session, both, *NAMES)
        session.close()
    assert 2 == both.accepted


def test_http_1_1_is_not_shared(certificates: Certificates) -> None:
    """Where a server has chosen it."""
    with Web(tls=context_for(certificates, *NAMES)) as web:
        assert web.tls is not None
        web.tls.set_alpn_protocols(["http/1.1"])
        with session_for(certificates) as session:
            assert [200, 200] == ask(session, web, *NAMES)
        assert 2 == web.accepted


def test_without_keep_alive_every_request_has_its_own(
    certificates: Certificates, both: Web2
) -> None:
    with session_for(certificates) as session:
        ask(session, both, "a.test")
        ask(session, both, "b.test", config={"keep_alive": False})
    assert 2 == both.accepted


# Pins ---------------------------------------------------------------------------------------------


def test_pins_count_for_each_host(certificates: Certificates, both: Web2) -> None:
    """A connection whose certificate is not pinned for a host does not serve it."""
    with session_for(certificates) as session:
        answer = session.get(f"https://a.test:{both.port}/get")
        right = hashlib.sha256(answer.tls.certificate).hexdigest()
    both.reset_counts()
    for pin in (right, "0" * 64):
        with session_for(certificates, pins={"b.test": pin}) as session:
            ask(session, both, "a.test")
            if pin == right:
                ask(session, both, "b.test")
            else:
                with pytest.raises(CertificateError, match="pinned"):
                    ask(session, both, "b.test")
    assert ["a.test", "b.test", "a.test"] == asked(both)[-3:]
    assert [True, False] == [
        r.connection == both.requests[-3].connection for r in both.requests[-2:]
    ]


# Misdirected requests -----------------------------------------------------------------------------


class Particular(Web2):
    """Answers for the first host that it is asked for on a connection, and for no other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hosts: dict[int, str | None] = {}
        self.refused: list[str | None] = []

    def answer(self, request: Request) -> Reply:
        host = request.field("host")
        if self.hosts.setdefault(request.connection, host) != host:
            self.refused.append(host)
            reply = Reply.text("not here\n", status=421)
            reply.fields.append(("Alt-Svc", 'h3=":1"'))  # means nothing in a 421 (RFC 7838, 6)
            return reply
        return super().answer(request)


@pytest.fixture
def particular(certificates: Certificates) -> Iterator[Particular]:
    with Particular(tls=context_for(certificates, *NAMES)) as web:
        yield web


def test_what_was_misdirected_goes_again(
    certificates: Certificates, particular: Particular
) -> None:
    """On a connection of its own; and it is not tried again, with no connection."""
    with session_for(certificates) as session:
        assert [200] * 3 == ask(session, particular, "a.test", "b.test", "b.test")
        assert 2 == particular.accepted
        assert [] == list(session.alternatives)
        assert (2, 0, 0) == session.network.pool.counts
        session.close()
        assert [200] * 2 == ask(session, particular, "a.test", "b.test")
        assert 4 == particular.accepted
    assert [f"b.test:{particular.port}"] == particular.refused


def test_what_was_misdirected_in_one_bulk_is_known_in_the_next(
    certificates: Certificates, particular: Particular
) -> None:
    with session_for(certificates) as session:
        for _ in range(2):
            for host in NAMES:
                url = f"https://{host}:{particular.port}/get"
                assert [200] == [a.status_code for a in gofer.map([url], session=session)]
            for road in session._kept_roads_:
                road.pool.close()
    assert 1 == len(particular.refused)


def test_content_that_was_misdirected_goes_again(
    certificates: Certificates, particular: Particular
) -> None:
    """If it is there still. What is gone is not: then 421 is the answer, and the next one is right."""
    url = f"https://b.test:{particular.port}/post"
    for content, status in ((b"hello", 200), (iter([b"hello"]), 421)):
        with session_for(certificates) as session:
            ask(session, particular, "a.test")
            answer = session.post(url, data=content)
            assert status == answer.status_code
            if status == 200:
                assert "hello" == answer.json()["data"]
            assert 200 == session.post(url, data=b"next").status_code
            assert 0 == session.network.pool.counts[1]
    assert 2 == len(particular.refused)


# Connections that end, or are full ----------------------------------------------------------------


@pytest.mark.parametrize("first", [("a.test",), ("a.test", "b.test")])
def test_a_connection_that_was_closed_serves_nobody(
    certificates: Certificates, both: Web2, first: tuple[str, ...]
) -> None:
    """The next has its own, which serves the others then."""
    with session_for(certificates) as session:
        ask(session, both, *first)
        both.hang_up()
        both.wait_for(lambda: both.open == 0)
        assert [200, 200] == ask(session, both, "b.test", "a.test")
        assert (1, 0, 0) == session.network.pool.counts
    assert 2 == both.accepted


def test_a_connection_that_is_to_be_closed_serves_nobody_else(
    certificates: Certificates, both: Web2
) -> None:
    """The session was closed while somebody was at it still."""
    with session_for(certificates) as session:
        with session.get(f"https://a.test:{both.port}/bytes/3000000", stream=True) as answer:
            session.close()
            assert [200] == ask(session, both, "b.test")
            assert 3_000_000 == len(answer.content)
        assert (1, 0, 0) == session.network.pool.counts
    assert 2 == both.accepted


def test_a_connection_that_idled_too_long_serves_nobody(
    certificates: Certificates, both: Web2
) -> None:
    config = {**ON, "idle_seconds": 0}
    with session_for(certificates, config=config) as session:
        assert [200, 200] == ask(session, both, *NAMES)
    assert 2 == both.accepted


class Narrow(Web2):
    """Takes one stream at a time on a connection."""

    most_streams = 1


def test_a_connection_that_is_full_serves_nobody_else(certificates: Certificates) -> None:
    """The other origin has one of its own then, and goes on there."""
    with Narrow(tls=context_for(certificates, *NAMES)) as web:
        with session_for(certificates) as session:
            ask(session, web, "a.test")
            with session.get(f"https://a.test:{web.port}/bytes/1000000", stream=True) as answer:
                assert [200] == ask(session, web, "b.test")
                answer.content  # noqa: B018
            assert [200, 200] == ask(session, web, "b.test", "a.test")
            assert (2, 0, 0) == session.network.pool.counts
        assert [0, 0, 1, 1, 0] == [request.connection for request in web.requests]


def test_a_place_on_it_counts(certificates: Certificates) -> None:
    """Of whatever origin the exchange is; and it is given back."""
    with Narrow(tls=context_for(certificates, *NAMES)) as web:
        config = {**ON, "max_connections": 1, "pool_timeout": 0.05}
        with session_for(certificates, config=config) as session:
            ask(session, web, "a.test")
            with session.get(f"https://b.test:{web.port}/bytes/1000000", stream=True) as answer:
                assert (0, 1, 0) == session.network.pool.counts
                for host in NAMES:
                    with pytest.raises(gofer.exceptions.PoolTimeout):
                        ask(session, web, host)
                answer.content  # noqa: B018
            assert [200, 200] == ask(session, web, "a.test", "b.test")
            assert (1, 0, 0) == session.network.pool.counts
        assert 1 == web.accepted


def test_what_was_refused_unseen_goes_on_a_connection_of_its_own(
    certificates: Certificates,
) -> None:
    """The one that refused it is not asked again for it."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        server.answer(server.receive_request())
        stream = server.receive_request()
        peer.send(frame(RST_STREAM, 0, stream, REFUSED_STREAM))
        while True:
            server.answer(server.receive_request())

    with serve(script, tls=context_for(certificates, *NAMES)) as server:
        with session_for(certificates) as session:
            for host in NAMES:
                assert b"next" == session.get(f"https://{host}:{server.port}/").content
        assert 2 == server.accepted


@PLAIN_PYTHON
def test_a_connection_that_is_closed_is_not_kept(certificates: Certificates, both: Web2) -> None:
    """Nobody remembers more than that it was there."""
    with session_for(certificates) as session:
        ask(session, both, *NAMES)
        [connection] = session.network.pool.all_shared()
        known = weakref.ref(connection)
        del connection
        session.close()
        gc.collect()
        assert known() is None


# What an origin says of itself --------------------------------------------------------------------


class Boasting(Web2):
    """Says of some hosts where they can be reached by HTTP/3."""

    boasts: tuple[str, ...] = ("b.test",)

    def answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        if (request.field("host") or "").startswith(self.boasts):
            reply.fields.append(("Alt-Svc", 'h3=":1"'))
        return reply


@pytest.mark.parametrize("hosts", [("b.test", "a.test"), ("a.test", "b.test")])
def test_alternatives_are_those_of_the_origin(
    certificates: Certificates, hosts: tuple[str, str]
) -> None:
    """Whose connection it was is of no account."""
    pytest.importorskip("qh3", reason="HTTP/3 needs qh3: pip install gofer[http3]")
    with Boasting(tls=context_for(certificates, *NAMES)) as web:
        with session_for(certificates) as session:
            ask(session, web, *hosts)
            assert [f"https://b.test:{web.port}"] == [url for url, *_ in session.alternatives]
        assert 1 == web.accepted


def test_whose_connection_it_is_is_heard_too(certificates: Certificates) -> None:
    """Though another origin was the first to have an answer on it."""
    pytest.importorskip("qh3", reason="HTTP/3 needs qh3: pip install gofer[http3]")
    with Boasting(tls=context_for(certificates, *NAMES)) as web:
        web.boasts = ("a.test",)
        with session_for(certificates) as session:
            with pytest.raises(gofer.exceptions.ReadTimeout):
                session.get(f"https://a.test:{web.port}/gate/late", timeout=(20, 0.1))
            web.gates["late"].set()
            assert [200, 200] == ask(session, web, "b.test", "a.test")
            assert [f"https://a.test:{web.port}"] == [url for url, *_ in session.alternatives]
        assert 1 == web.accepted
