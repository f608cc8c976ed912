"""A new connection goes on with the TLS session of an earlier one, where the server lets it."""

import hashlib
import os
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import gofer
from gofer.exceptions import CertificateError
from servers.certificates import Certificates
from servers.raw import always, response, serve
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

ANSWER = always(response(b"hello"))
ALONE = {"keep_alive": False}  # every request has its own connection


def context_for(certificates: Certificates, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
    context.maximum_version = version
    return context


def resumed(context: ssl.SSLContext) -> int:
    """How many handshakes went on with a session."""
    return context.session_stats()["hits"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_next_connection_goes_on(certificates: Certificates, version: Any) -> None:
    context = context_for(certificates, version)
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config=ALONE) as session:
            first, *others = [session.get(server.url) for _ in range(4)]
    assert server.accepted == 4
    assert resumed(context) == 3
    for other in others:  # as much is known of it
        assert other.tls.version == first.tls.version
        assert other.tls.certificate == first.tls.certificate
        assert other.tls.chain == first.tls.chain == [first.tls.certificate]


def test_the_whole_chain_is_known_of_every_connection(certificates: Certificates) -> None:
    """A server that goes on sends none: it is that of the handshake in which it was checked."""
    leaf = certificates.authority.create_child_ca().issue_cert("127.0.0.1")
    context = certificates.server(leaf)
    sent = [x509.load_pem_x509_certificate(pem.bytes()) for pem in leaf.cert_chain_pems]
    expected = [certificate.public_bytes(Encoding.DER) for certificate in sent]
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config=ALONE) as session:
            chains = [session.get(server.url).tls.chain for _ in range(4)]
    assert resumed(context) == 3
    assert [expected] * 4 == chains
    assert 2 == len(expected)


def test_what_is_trusted_keeps_sessions_apart(certificates: Certificates) -> None:
    """Nobody goes on with what another has not checked, or shown."""
    context = context_for(certificates, ssl.TLSVersion.TLSv1_3)
    with serve(ANSWER, tls=context) as server, gofer.Session(config=ALONE) as session:
        options: list[dict[str, Any]] = [
            {"verify": certificates.ca_file},
            {"verify": certificates.ca_file, "cert": certificates.client_cert},
            {"verify": certificates.client()},
            {"verify": certificates.ca_file, "config": {"tls_minimum": "1.3"}},
            {"verify": certificates.ca_file, "config": {"tls_ciphers": "ECDHE"}},
        ]
        for option in options:
            assert session.get(server.url, **option).ok
        assert resumed(context) == 0
        for option in options:
            assert session.get(server.url, **option).ok
        assert resumed(context) == len(options)


def test_pins_keep_sessions_apart(certificates: Certificates) -> None:
    """As well, though a certificate that was not shown again has been compared before."""
    context = context_for(certificates, ssl.TLSVersion.TLSv1_3)
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config=ALONE) as session:
            shown = session.get(server.url).tls.certificate
            session.pins = hashlib.sha256(shown).hexdigest()
            assert session.get(server.url).ok
            assert resumed(context) == 0
            assert session.get(server.url).ok
            session.pins = None
            assert session.get(server.url).ok
            assert resumed(context) == 2


def test_an_authority_that_has_changed_is_asked_anew(
    certificates: Certificates, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(Path(certificates.ca_file).read_bytes())
    context = context_for(certificates, ssl.TLSVersion.TLSv1_3)
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=str(path), config=ALONE) as session:
            assert session.get(server.url).ok
            path.write_bytes(Path(certificates.other_ca_file).read_bytes())
            os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))
            with pytest.raises(CertificateError):
                session.get(server.url)
    assert resumed(context) == 0


def test_pins_count_again(certificates: Certificates) -> None:
    context = context_for(certificates, ssl.TLSVersion.TLSv1_3)
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config=ALONE) as session:
            shown = session.get(server.url).tls.certificate
        pin = hashlib.sha256(shown if isinstance(shown, bytes) else b"").hexdigest()
        for pins, is_right in ((pin, True), ("0" * 64, False)):
            with gofer.Session(verify=certificates.ca_file, pins=pins, config=ALONE) as session:
                for _ in range(2):
                    if is_right:
                        assert session.get(server.url).ok
                    else:
                        with pytest.raises(CertificateError, match="pin"):
                            session.get(server.url)


def test_a_server_that_forgets(certificates: Certificates) -> None:
    """Then there is a handshake as ever."""
    context = context_for(certificates, ssl.TLSVersion.TLSv1_3)
    context.num_tickets = 0
    with serve(ANSWER, tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config=ALONE) as session:
            for _ in range(3):
                assert session.get(server.url).ok
    assert resumed(context) == 0
