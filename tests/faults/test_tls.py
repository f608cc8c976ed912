"""TLS from outside: who is believed, and what is cut (rows 77 to 84).

The layer itself is tested in tests/network/test_tls.py; here is what a caller sees of it.
"""

import ssl
from typing import Any

import pytest

import gofer
from faults.asking import HEAD, NEXT, chunked, field, found, plain, session_for
from gofer.exceptions import CertificateError, IncompleteContent, SSLError
from servers.certificates import Certificates
from servers.raw import Peer, always, serve

QUICK = pytest.mark.filterwarnings("ignore::gofer.exceptions.InsecureRequestWarning")

GOOD = {
    "good": "127.0.0.1", "only_ip": "127.0.0.1", "wildcard": "sub.example.com", "name": "example.com",
    "dot": "example.com.", "case": "EXAMPLE.com",
}  # fmt: skip


@pytest.mark.parametrize("what", GOOD)
def test_row_77_good_certificates(what: str, certificates: Certificates, names: list[str]):
    """A name, a wildcard, an address: what the certificate is for is believed."""
    context = getattr(certificates, what, certificates.good)
    with serve(always(NEXT), tls=context) as server, session_for(timeout=5) as session:
        url = f"https://{GOOD[what]}:{server.port}/"

        assert b"next" == session.get(url, verify=certificates.ca_file).content


def test_row_77_an_international_name(certificates: Certificates, names: list[str]):
    """It is compared as it is looked up: in ASCII."""
    context = certificates.server(certificates.authority.issue_cert("xn--mnchen-3ya.example"))
    with serve(always(NEXT), tls=context) as server, session_for(timeout=5) as session:
        url = f"https://münchen.example:{server.port}/"

        assert b"next" == session.get(url, verify=certificates.ca_file).content
    assert ["xn--mnchen-3ya.example"] == names


BAD = {
    "expired": ("localhost", "expired"),
    "not_yet_valid": ("localhost", "not yet valid"),
    "wrong_host": ("localhost", "localhost"),
    "self_signed": ("localhost", "self.signed"),
    "untrusted": ("localhost", "issuer|unable"),
    "only_common_name": ("localhost", "localhost"),
    "ip_as_name": ("127.0.0.1", "127.0.0.1"),
    "deeper": ("a.b.example.com", "a.b.example.com"),
}


@pytest.mark.parametrize("what", BAD)
def test_row_78_bad_certificates(what: str, certificates: Certificates, names: list[str]):
    """Refused, with the reason; not tried again, not without TLS, and nothing was said."""
    host, words = BAD[what]
    context = getattr(certificates, what, certificates.good)
    with serve(always(NEXT), tls=context) as server, session_for(timeout=5) as session:
        with pytest.raises(CertificateError, match=f"(?i){words}") as caught:
            session.get(f"https://{host}:{server.port}/", verify=certificates.ca_file)

        assert 1 == server.accepted
        assert [] == server.requests
    assert isinstance(caught.value, SSLError)
    assert isinstance(caught.value, gofer.ConnectionError)
    assert caught.value.request is not None


def test_row_78_a_wildcard_is_not_for_its_own_domain(certificates: Certificates, names: list[str]):
    """*.example.org says nothing about example.org."""
    context = certificates.server(certificates.authority.issue_cert("*.example.org"))
    with serve(always(NEXT), tls=context) as server, session_for(timeout=5) as session:
        with pytest.raises(CertificateError):
            session.get(f"https://example.org:{server.port}/", verify=certificates.ca_file)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_row_78_an_old_version(certificates: Certificates):
    """TLS 1.1 and older are not spoken."""
    context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with serve(always(NEXT), tls=context) as server, session_for(timeout=5) as session:
        with pytest.raises(SSLError):
            session.get(server.url, verify=certificates.ca_file)


NO_TLS: dict[str, Any] = {
    "plain HTTP": lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "garbage": lambda peer: peer.send(b"\x00" * 100),
    "an alert": lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x28"),
    "FIN": Peer.close,
    "RST": Peer.reset,
    "silence": Peer.wait_closed,
    "endless garbage": lambda peer: [peer.send(b"\x16\x03\x03\x40\x00" + b"\x01" * 0x4000) for _ in range(64)],
}  # fmt: skip


@pytest.mark.parametrize("what", NO_TLS)
def test_row_79_no_tls_at_all(what: str, certificates: Certificates):
    """What is no handshake ends within the time for connecting."""

    def script(peer: Peer) -> None:
        peer.receive()
        NO_TLS[what](peer)

    with serve(script) as server, session_for() as session:
        with pytest.raises(gofer.ConnectionError) as caught:
            session.get(f"https://127.0.0.1:{server.port}/", verify=certificates.ca_file)

        assert (0, 0, 0) == session.network.pool.counts
    assert isinstance(caught.value, gofer.ConnectTimeout) is (what == "silence")


CUT_SHORT = {
    "close-delimited": HEAD + b"Connection: close\r\n\r\nhello",
    "half of it": HEAD + b"Content-Length: 10\r\n\r\nhello",
    "no last chunk": chunked(b"5\r\nhello\r\n"),
}


@pytest.mark.parametrize("what", CUT_SHORT)
@pytest.mark.parametrize("is_prefetched", [False, True])
def test_row_80_content_cut_without_close_notify(
    what: str, is_prefetched: bool, certificates: Certificates
):
    """Somebody on the way cut it: that is no end of content, ever."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(CUT_SHORT[what])
        peer.cut()

    with serve(script, tls=certificates.good) as server, session_for(timeout=5) as session:
        with pytest.raises(gofer.RequestException) as caught:
            session.get(server.url, verify=certificates.ca_file, prefetch=is_prefetched).content  # noqa: B018

    assert isinstance(caught.value, IncompleteContent | gofer.ConnectionError)


def test_row_80_close_notify_is_an_end(certificates: Certificates):
    """With it, content up to the end of the connection is whole."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(CUT_SHORT["close-delimited"])
        peer.close()

    with serve(script, tls=certificates.good) as server, session_for(timeout=5) as session:
        assert b"hello" == session.get(server.url, verify=certificates.ca_file).content


def test_row_80_whole_content_and_a_cut(certificates: Certificates):
    """What came whole by its length is whole, however rude the end."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(plain())
        peer.cut()

    with serve(script, tls=certificates.good) as server, session_for(timeout=5) as session:
        for _ in range(2):
            assert b"hello" == session.get(server.url, verify=certificates.ca_file).content


@QUICK
def test_row_81_a_lax_connection_serves_no_strict_request(certificates: Certificates):
    """Neither the connection nor a session ticket of it, and the other way round."""
    with serve(always(NEXT), tls=certificates.untrusted) as server:
        with session_for(timeout=5) as session:
            for _ in range(3):
                assert b"next" == session.get(server.url, verify=False).content
                with pytest.raises(CertificateError):
                    session.get(server.url, verify=certificates.ca_file)
                with pytest.raises(CertificateError):
                    session.get(server.url)
            assert b"next" == session.get(server.url, verify=certificates.other_ca_file).content

        assert 4 == len(server.requests)


def test_row_81_connections_of_other_settings(certificates: Certificates):
    """Another authority, another client certificate, another context: another connection."""
    settings: list[dict[str, Any]] = [
        {"verify": certificates.ca_file},
        {"verify": certificates.client()},
        {"verify": certificates.client()},
        {"verify": certificates.ca_file, "cert": certificates.client_cert},
        {"verify": certificates.ca_file, "cert": certificates.client_cert_in_one_file},
    ]
    with serve(always(NEXT), tls=certificates.good) as server, session_for(timeout=5) as session:
        for options in settings * 2:
            session.get(server.url, **options)

        assert len(settings) == server.accepted


def test_row_82_a_client_certificate_stays_with_its_origin(
    certificates: Certificates, names: list[str]
):
    """A redirect to another origin is followed without it; one to the same origin with it."""
    shown: list[bool] = []

    def telling(answer: bytes) -> Any:
        def script(peer: Peer) -> None:
            while True:
                peer.receive_request()
                shown.append(bool(peer.socket.getpeercert(True)))  # type: ignore[attr-defined]
                peer.send(answer)

        return script

    def optional(*hosts: str) -> ssl.SSLContext:
        context = certificates.server(certificates.authority.issue_cert(*hosts))
        context.load_verify_locations(certificates.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    with serve(telling(NEXT), tls=optional("other.test")) as other:
        away = found(f"https://other.test:{other.port}/")
        with (
            serve(telling(away), tls=optional("one.test")) as one,
            session_for(timeout=5) as session,
        ):
            session.get(
                f"https://one.test:{one.port}/",
                verify=certificates.ca_file, cert=certificates.client_cert,
            )  # fmt: skip

    assert [True, False] == shown


def test_row_83_no_renegotiation(certificates: Certificates):
    """The contexts that gofer makes forbid it (TLS 1.3 has none)."""
    from gofer.network.trust import context_for

    context = context_for(certificates.ca_file, None)

    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_https_to_http_shows_no_credentials(certificates: Certificates, names: list[str]):
    """A redirect that leaves TLS leaves what was for it, too."""
    with serve(always(NEXT)) as plain_server:
        away = found(f"http://example.com:{plain_server.port}/")
        with (
            serve(always(away), tls=certificates.good) as server,
            session_for(timeout=5) as session,
        ):
            session.get(
                f"https://example.com:{server.port}/", verify=certificates.ca_file,
                auth=("user", "pass"), cookies={"c": "1"}, headers={"X-Api-Key": "k"},
            )  # fmt: skip

        (head,) = plain_server.requests
    for name in ("authorization", "cookie", "x-api-key", "referer"):
        assert field(head, name) is None
