"""Keep-alive: which connection a request uses, and when it is free again (S25 to S29b)."""

import gc

import pytest

import gofer
from servers.certificates import Certificates
from servers.listener import Gate
from servers.proxy import Proxy
from servers.raw import Peer, response, serve
from servers.web import Web


def connection_of(session: gofer.Session, web: Web) -> int:
    """Which connection of the server the next request goes over."""
    return int(session.get(web.url + "/connection").json()["connection"])


def test_s25_the_second_request_uses_the_first_connection(web: Web, session: gofer.Session) -> None:
    """Without any set-up a session keeps its connection."""
    assert [0, 0, 0] == [connection_of(session, web) for _ in range(3)]


def test_s26_two_origins_never_share(
    web: Web, web_tls: Web, certificates: Certificates, session: gofer.Session
) -> None:
    """Scheme, host and port make the connection appropriate."""
    for url in (web.url, f"{web.scheme}://localhost:{web.port}", web.url):
        session.get(url + "/get")
    session.get(web_tls.url + "/get", verify=certificates.ca_file)

    assert [0, 1, 0] == [request.connection for request in web.requests]
    assert 1 == web_tls.accepted


@pytest.mark.http1("a connection for each exchange")
@pytest.mark.filterwarnings("ignore::gofer.exceptions.InsecureRequestWarning")
def test_s26_tls_settings_and_proxies_never_share(
    web: Web, web_tls: Web, certificates: Certificates, proxy: Proxy, session: gofer.Session
) -> None:
    """A connection made without verification is not used by a request that asks for it."""
    session.get(web_tls.url + "/get", verify=False)
    session.get(web_tls.url + "/get", verify=certificates.ca_file)
    with pytest.raises(gofer.exceptions.SSLError):
        session.get(web_tls.url + "/get")
    session.get(web_tls.url + "/get", verify=certificates.ca_file, cert=certificates.client_cert)
    assert [0, 1] == [request.connection for request in web_tls.requests[:2]]
    assert 3 == len({request.connection for request in web_tls.requests})

    session.get(web.url + "/get")
    session.get(web.url + "/get", proxies={"http": proxy.url})
    assert [0, 1] == [request.connection for request in web.requests]


@pytest.mark.http1("a connection for each exchange")
def test_s27_a_connection_with_unread_content_is_not_shared(
    web: Web, session: gofer.Session, gate: Gate
) -> None:
    """While content is on its way, other requests use another connection."""
    first = session.get(web.url + "/gate/late/content")

    assert 1 == connection_of(session, web)
    gate.set()
    assert b"open" == first.content
    assert 0 == connection_of(session, web)


@pytest.mark.http1("a connection for each exchange")
def test_s27_content_that_came_whole_holds_nothing(web: Web, session: gofer.Session) -> None:
    """A small answer that was never read does not hold its connection."""
    unread = [session.get(web.url + "/connection") for _ in range(5)]

    assert 1 == web.accepted
    assert [0] * 5 == [response.json()["connection"] for response in unread]


@pytest.mark.http1("a connection for each exchange")
@pytest.mark.parametrize("how", ["content", "prefetch", "iteration", "lines", "raw"])
def test_s28_reading_gives_the_connection_back(web: Web, session: gofer.Session, how: str) -> None:
    """Each way of reading to the end frees the connection for the next request."""
    answer = session.get(web.url + "/drip/5000", prefetch=True if how == "prefetch" else None)
    if how == "content":
        assert answer.content
    elif how == "iteration":
        assert 5000 == sum(len(piece) for piece in answer.iter_content(64))
    elif how == "lines":
        assert ["*" * 5000] == [line.decode() for line in answer.iter_lines()]
    elif how == "raw":
        assert 5000 == len(answer.raw.read())

    assert 0 == connection_of(session, web)


@pytest.mark.http1("a connection for each exchange")
def test_s28_closing_gives_the_place_back(web: Web, session: gofer.Session, gate: Gate) -> None:
    """A closed, left, or dropped response frees its socket at once."""
    session.get(web.url + "/gate/late/content").close()
    with session.get(web.url + "/gate/late/content"):
        pass
    session.get(web.url + "/gate/late/content")
    gc.collect()
    gate.set()

    web.wait_for(lambda: web.open == 0)
    assert 3 == web.accepted


def test_s29_keep_alive_off_is_one_connection_a_request(web: Web, session: gofer.Session) -> None:
    """`config["keep_alive"] = False` counts from the next request on, at any time."""
    assert [0, 0] == [connection_of(session, web) for _ in range(2)]

    session.config["keep_alive"] = False
    assert [1, 2] == [connection_of(session, web) for _ in range(2)]
    web.wait_for(lambda: web.open <= 1)  # the one that was kept before

    session.config["keep_alive"] = True
    assert "close" != session.get(web.url + "/headers").json()["headers"].get("Connection")


@pytest.mark.http1("Connection: close")
def test_s29_keep_alive_off_is_said(web: Web, session: gofer.Session) -> None:
    """The server need not wait for another request."""
    session.config["keep_alive"] = False
    session.get(web.url + "/get")
    assert "close" == web.requests[0].field("connection")


def test_s29_our_side_closes(session: gofer.Session) -> None:
    """Even a server that would keep the connection loses it."""
    closed = []

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(response(b"kept"))
        peer.wait_closed()
        closed.append(peer.index)

    session.config["keep_alive"] = False
    with serve(script) as server:
        for _ in range(2):
            assert b"kept" == session.get(server.url).content
        server.wait_for(lambda: server.open == 0)

    assert [0, 1] == sorted(closed)


def test_s29a_functions_do_not_share_connections(web: Web) -> None:
    """Top-level functions have a connection for each call, closed after it."""
    answers = [gofer.get(web.url + "/connection").json()["connection"] for _ in range(3)]

    assert [0, 1, 2] == answers
    web.wait_for(lambda: web.open == 0)


@pytest.mark.parametrize("verb", ["get", "post", "delete"])
@pytest.mark.parametrize("ending", [Peer.close, Peer.reset])
def test_s29b_a_connection_the_server_closed_is_not_used(
    session: gofer.Session, verb: str, ending: object
) -> None:
    """After the server closed an idle connection the next request goes out once, on another."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(response(b"%d" % peer.index))
        if peer.index == 0:
            peer.wait("read")
            ending(peer)  # type: ignore[operator]
            peer.open("ended")

    with serve(script) as server:
        assert b"0" == session.get(server.url).content
        server.gates["read"].set()
        server.gates["ended"].wait()

        assert b"1" == getattr(session, verb)(server.url).content
        assert 2 == len(server.requests)


def test_s29b_a_close_that_races_is_repeated_once(session: gofer.Session) -> None:
    """A request that can be repeated is, if its kept connection ended without a byte of answer."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        if peer.index == 0:
            peer.send(response(b"0"))
            peer.receive_request()
            return
        peer.send(response(b"1"))

    with serve(script) as server:
        assert b"0" == session.get(server.url).content
        assert b"1" == session.get(server.url).content
        assert 3 == len(server.requests)


def test_s29b_a_post_that_may_have_been_read_is_not_repeated(session: gofer.Session) -> None:
    """The server may have acted: the caller decides."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(response(b"0"))
        peer.receive_request()

    with serve(script) as server:
        assert b"0" == session.get(server.url).content
        with pytest.raises(gofer.exceptions.ConnectionLost):
            session.post(server.url, data=b"once")
        assert 2 == len(server.requests)
