"""What the peer has against us, said after the handshake: TLS 1.3 has clients speak before that."""

import socket
import ssl
from typing import Any

import pytest

import gofer
from gofer.exceptions import ProxyError, SSLError
from servers.certificates import Certificates
from servers.listener import Listener
from servers.proxy import Proxy
from servers.raw import Peer, always, response, serve
from servers.web2 import Web2
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

ANSWER = always(response(b"hello"))
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
GARBAGE = b"\x17\x03\x03\x00\x20" + bytes(32)  # a record that cannot be decrypted


def asking(certificates: Certificates, *protocols: str) -> ssl.SSLContext:
    """A server's context that requires a client certificate."""
    context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
    context.load_verify_locations(certificates.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(list(protocols) or ["http/1.1"])
    return context


class Late:
    """A context whose connections are not used before `server` has closed them."""

    def __init__(self, context: Any, server: Listener) -> None:
        self._it = context
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._it, name)

    def wrap_bio(self, *arguments: Any, **options: Any) -> Any:
        return Late(self._it.wrap_bio(*arguments, **options), self._server)

    def selected_alpn_protocol(self) -> str | None:
        self._server.wait_for(lambda: self._server.accepted and not self._server.open)
        return self._it.selected_alpn_protocol()  # type: ignore[no-any-return]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_a_client_certificate_that_is_missing(
    certificates: Certificates, version: Any, size: int
) -> None:
    """Is named, whenever the server says so; and asking again would not help."""
    context = asking(certificates)
    context.maximum_version = version
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config={"max_retries": 3}) as session:
            with pytest.raises(SSLError, match="require a client certificate|requires a") as caught:
                session.post(server.url, data=b"x" * size)
        assert 1 == server.accepted
    assert type(caught.value) is SSLError
    assert caught.value.request is not None


# In the hub nothing is sent while anybody waits like that; a later turn hears what was said.
@pytest.mark.only_in("blocking", "asyncio", "uvloop", "trio", "gevent")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_what_the_server_said_before_it_reset_the_connection(
    certificates: Certificates, method: str, protocol: str
) -> None:
    """Counts, though nothing could be sent any more."""
    with Web2(tls=asking(certificates, protocol)) as server:
        context = certificates.client()
        context.set_alpn_protocols([protocol])
        with gofer.Session(verify=Late(context, server)) as session:
            with pytest.raises(SSLError, match="the server requires a client certificate"):
                session.request(method, server.url, data=b"x" * 100_000 * (method == "POST"))
        assert 1 == server.accepted


@pytest.mark.only_in("blocking")
def test_many_at_once_hear_of_it(certificates: Certificates) -> None:
    """All that are on the same connection of HTTP/2."""
    with Web2(tls=asking(certificates, "h2")) as server:
        with gofer.Session(verify=certificates.ca_file) as session:
            answers = gofer.map([f"{server.url}/{number}" for number in range(9)], session=session)
    for answer in answers:
        assert type(answer.error) is SSLError
        assert "the server requires a client certificate" in str(answer.error)


def test_a_client_certificate_of_somebody_unknown(certificates: Certificates) -> None:
    context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
    context.load_verify_locations(certificates.other_ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, cert=certificates.client_cert) as session:
            with pytest.raises(SSLError, match="does not know the client certificate's authority"):
                session.get(server.url)


def test_a_proxy_that_requires_one(certificates: Certificates) -> None:
    """It is never shown ours, which is for the origin."""
    with Proxy(tls=asking(certificates)) as proxy:
        with gofer.Session(verify=certificates.ca_file, cert=certificates.client_cert) as session:
            with pytest.raises(ProxyError, match="requires a client certificate"):
                session.get("https://127.0.0.1:1/", proxies={"all": proxy.url})


def test_a_connection_that_has_worked_may_end_so(certificates: Certificates) -> None:
    """What was lost with it is asked again, as after every other end."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(response(b"hello"))
        peer.receive_request()
        if peer.index == 0:
            socket.socket.sendall(peer.socket, GARBAGE)
        else:
            peer.send(response(b"again"))

    with serve(script, tls=certificates.good) as server:
        with gofer.Session(verify=certificates.ca_file) as session:
            assert ["hello", "hello", "again"] == [session.get(server.url).text for _ in range(3)]
        assert 2 == server.accepted


def test_what_is_no_tls_all_at_once(certificates: Certificates) -> None:
    """Has a name of its own, without OpenSSL's."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        socket.socket.sendall(peer.socket, GARBAGE)

    with serve(script, tls=certificates.good) as server:
        with gofer.Session(verify=certificates.ca_file) as session:
            with pytest.raises(SSLError, match="decrypt") as caught:
                session.get(server.url)
    assert "_ssl.c" not in str(caught.value)
