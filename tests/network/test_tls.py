"""TLS over real loopback sockets: the stream, trust, contexts, and what errors say."""

import datetime
import os
import re
import socket
import ssl
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from gofer.exceptions import CertificateError, ConnectionLost, SSLError
from gofer.network import trust
from gofer.network.tls import TLSStream, explain
from gofer.network.trust import context_for, identity
from gofer.runtime.base import TimedOut
from gofer.runtime.blocking import BlockingStream, runtime
from servers.certificates import Certificates

PATIENCE = 20.0  # seconds; never reached when all is well

run = runtime.run

Serve = Callable[[Any], Any]


def later() -> float:
    return runtime.now() + PATIENCE


RECORD = 16384  # bytes of plaintext in the largest record


@contextmanager
def serving(work: Serve, context: ssl.SSLContext | None = None) -> Iterator[BlockingStream]:
    """A connected stream, and `work(connection)` at its other end, over TLS if with a context.

    What `work` raises is raised at the end, but for a handshake or connection that just fails.
    """
    errors: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = run(runtime.connect([(socket.AF_INET, listener.getsockname())], later()))
        peer, _ = listener.accept()
    peer.settimeout(PATIENCE)

    def serve() -> None:
        connection = peer
        try:
            if context is not None:
                connection = context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False)
            work(connection)
        except (ssl.SSLError, ConnectionError):
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()
            peer.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield stream
    finally:
        stream.abort()
        thread.join(PATIENCE)
    if errors:
        raise errors[0]


@contextmanager
def speaking(
    certificates: Certificates,
    work: Serve,
    *,
    server: ssl.SSLContext | None = None,
    context: Any = None,
    hostname: str | None = "localhost",
) -> Iterator[TLSStream]:
    """The same with the handshake done."""
    context = context or context_for(certificates.ca_file, None)
    with serving(work, server or certificates.good) as stream:
        yield run(TLSStream.start(stream, context, hostname, later()))


def echo(connection: Any) -> None:
    with suppress(ssl.SSLEOFError):
        while data := connection.recv(65536):
            connection.sendall(data)


def nothing(connection: Any) -> None:
    pass


def receive_all(stream: TLSStream, size: int = 65536) -> bytes:
    return b"".join(iter(lambda: run(stream.receive(size, later())), b""))


def receive_exactly(stream: TLSStream, count: int) -> bytes:
    received = b""
    while len(received) < count:
        received += run(stream.receive(count - len(received), later()))
    return received


# The stream ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_ping_pong(certificates: Certificates, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3 are spoken, and what was agreed on can be read."""
    server = certificates.server(certificates.authority.issue_cert("localhost"))
    server.maximum_version = server.minimum_version = version
    with speaking(certificates, echo, server=server) as stream:
        run(stream.send(b"ping", later()))
        assert b"ping" == run(stream.receive(100, None))

        assert {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[
            version
        ] == stream.version
        assert "http/1.1" == stream.alpn
        assert stream.cipher is not None
        assert stream.cipher[2] >= 128
        assert x509.load_der_x509_certificate(stream.peer_certificate or b"")
        assert stream.version in repr(stream)


def test_small_receives(certificates: Certificates) -> None:
    """A record is handed out in parts if less is asked for; the rest counts as readable."""
    with speaking(certificates, echo) as stream:
        run(stream.send(b"0123456789", later()))

        assert b"01234" == run(stream.receive(5, later()))
        assert stream.is_readable()
        assert b"5678" == run(stream.receive(4, later()))
        assert b"9" == run(stream.receive(4, later()))
        assert not stream.is_readable()


def test_receive_into(certificates: Certificates) -> None:
    """`receive_into` fills the buffer from as many records as have come, 0 is the end."""
    data = os.urandom(100_000)

    def serve(connection: Any) -> None:
        connection.sendall(data)
        connection.unwrap()

    with speaking(certificates, serve) as stream:
        received = bytearray()
        buffer = memoryview(bytearray(30_000))
        while count := run(stream.receive_into(buffer, later())):
            received += buffer[:count]

        assert data == received
        assert 0 == run(stream.receive_into(buffer, later()))
        assert b"" == run(stream.receive(10, later()))


@pytest.mark.parametrize("size", [16384, 16385, 262144, 262145, 5_000_000])
def test_big_transfers(certificates: Certificates, size: int) -> None:
    """Much data goes both ways whole, at the limits of records and pieces too."""
    data = os.urandom(1 + size // 64)[: size // 64] * 64 + bytes(size % 64)
    received: list[bytes] = []

    def serve(connection: Any) -> None:
        got = bytearray()
        while len(got) < size:
            got += connection.recv(65536)
        received.append(bytes(got))
        connection.sendall(got)

    with speaking(certificates, serve) as stream:
        run(stream.send(data, later()))
        assert data == receive_exactly(stream, size)
    assert data == received[0]


def test_send_some(certificates: Certificates) -> None:
    """`send_some` sends a record at a time; what it took arrives, in order, before what follows."""
    data = os.urandom(300_000)
    received: list[bytes] = []

    def serve(connection: Any) -> None:
        got = bytearray()
        while len(got) < len(data) + 3:
            got += connection.recv(65536)
        received.append(bytes(got))

    with speaking(certificates, serve) as stream:
        view = memoryview(data)
        while view:
            view = view[run(stream.send_some(view, later())) :]
        run(stream.send(b"end", later()))
        with suppress(ssl.SSLEOFError):
            run(stream.receive(1, later()))
    assert [data + b"end"] == received


def test_send_some_gives_way_to_an_early_answer(certificates: Certificates) -> None:
    """A peer that answers and stops reading is heard before the deadline, and loses no byte."""
    answered = threading.Event()
    received: list[bytes] = []
    done = threading.Event()

    def serve(connection: Any) -> None:
        connection.sendall(b"413")
        done.wait(PATIENCE)
        got = bytearray()
        with suppress(ssl.SSLError):
            while data := connection.recv(65536):
                got += data
                if got.endswith(b"end"):
                    break
        received.append(bytes(got))
        answered.set()

    with speaking(certificates, serve) as stream:
        taken = 0
        data = memoryview(bytes(RECORD))
        while count := run(stream.send_some(data, later())):
            taken += count
        assert b"413" == run(stream.receive(100, later()))
        done.set()
        run(stream.send(b"end", later()))
        answered.wait(PATIENCE)
    # The last record was begun, so it goes out whole, though it had not been counted yet.
    assert len(received[0]) - 3 - taken in (0, RECORD)


def test_what_send_some_kept_goes_out_before_waiting(certificates: Certificates) -> None:
    """The rest of an upload is sent when the answer to it is waited for."""

    class Narrow:
        """A stream that takes half of each piece, and then nothing until `send` is used."""

        def __init__(self, stream: BlockingStream) -> None:
            self._stream = stream
            self._is_full = False

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

        async def send_some(self, data: memoryview, deadline: float | None) -> int:
            if self._is_full:
                return 0
            self._is_full = True
            return await self._stream.send_some(data[: len(data) // 2], deadline)

    with serving(echo, certificates.good) as below:
        context = context_for(certificates.ca_file, None)
        stream = run(TLSStream.start(Narrow(below), context, "localhost", later()))
        assert 0 == run(stream.send_some(memoryview(b"hello"), later()))
        assert 0 == run(stream.send_some(memoryview(b"hello"), later()))
        assert b"hello" == run(stream.receive(100, later()))
        assert 5 == run(stream.send_some(memoryview(b"hello"), later()))


def test_close_notify_is_a_clean_end(certificates: Certificates) -> None:
    """An end with close_notify is b"", as often as one asks."""

    def serve(connection: Any) -> None:
        connection.sendall(b"all")
        connection.unwrap()

    with speaking(certificates, serve) as stream:
        assert b"all" == receive_all(stream)
        assert b"" == run(stream.receive(10, later()))


@pytest.mark.parametrize("into", [False, True])
def test_truncation(certificates: Certificates, into: bool) -> None:
    """An end without close_notify is an error, after all that came before it."""

    def serve(connection: Any) -> None:
        connection.sendall(b"some")
        socket.socket(fileno=connection.detach()).close()

    with speaking(certificates, serve) as stream:
        buffer = memoryview(bytearray(100))
        if into:
            assert 4 == run(stream.receive_into(buffer, later()))
        else:
            assert b"some" == run(stream.receive(100, later()))
        with pytest.raises(ssl.SSLEOFError, match="close_notify"):
            run(stream.receive_into(buffer, later()) if into else stream.receive(10, later()))


def test_byte_that_was_changed(certificates: Certificates) -> None:
    """A record that was tampered with is an error, never data."""

    def serve(connection: Any) -> None:
        raw = socket.socket(fileno=connection.detach())
        raw.settimeout(PATIENCE)
        with raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            raw.recv(100)

    with speaking(certificates, serve) as stream, pytest.raises(ssl.SSLError) as caught:
        run(stream.receive(100, later()))

    assert not isinstance(caught.value, ssl.SSLEOFError)


def test_silence(certificates: Certificates) -> None:
    """A deadline that passes is a TimedOut, and the stream still works after it."""
    go_on = threading.Event()

    def serve(connection: Any) -> None:
        go_on.wait(PATIENCE)
        connection.sendall(b"late")
        connection.recv(1)

    with speaking(certificates, serve) as stream:
        # A session ticket may be waiting: it is read over, and the deadline holds.
        with pytest.raises(TimedOut):
            run(stream.receive(100, runtime.now() + 0.05))
        go_on.set()
        assert b"late" == run(stream.receive(100, later()))


def test_abort(certificates: Certificates) -> None:
    """Aborting closes the stream below, twice is once."""
    with speaking(certificates, echo) as stream:
        assert stream.fileno() >= 0
        stream.abort()
        stream.abort()

        assert -1 == stream.fileno()
        with pytest.raises(OSError, match="descriptor"):
            run(stream.receive(1, later()))


def test_one_thread_sends_while_another_receives(certificates: Certificates) -> None:
    """Sending and receiving at once, from two threads, mixes nothing up."""
    data = os.urandom(1000) * 2000
    with speaking(certificates, echo) as stream:

        def send() -> None:
            for start in range(0, len(data), 10_000):
                run(stream.send(data[start : start + 10_000], later()))

        thread = threading.Thread(target=send)
        thread.start()
        assert data == receive_exactly(stream, len(data))
        thread.join(PATIENCE)


def test_tls_inside_tls(certificates: Certificates) -> None:
    """A TLS stream carries another one, as to an origin behind an https proxy."""

    def serve(outer: Any) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = certificates.good.wrap_bio(incoming, outgoing, server_side=True)

        def step(call: Callable[[], Any]) -> Any:
            while True:
                try:
                    result = call()
                except ssl.SSLWantReadError:
                    result = None
                if outgoing.pending:
                    outer.sendall(outgoing.read())
                if result is not None:
                    return result
                incoming.write(outer.recv(65536))

        def shake_hands() -> bool:
            inner.do_handshake()
            return True

        step(shake_hands)
        data = step(lambda: inner.read(100))
        step(lambda: inner.write(data[::-1]))

    context = context_for(certificates.ca_file, None)
    with speaking(certificates, serve, hostname="127.0.0.1") as outer:
        stream = run(TLSStream.start(outer, context, "a.example.com", later()))
        run(stream.send(b"abc", later()))
        assert b"cba" == run(stream.receive(100, later()))


# The handshake ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostname", ["localhost", "127.0.0.1", "::1", "example.com", "example.com.", "www.example.com"]
)
def test_good_names(certificates: Certificates, hostname: str) -> None:
    """Names, wildcards, addresses and a final dot are matched with the certificate."""
    with speaking(certificates, echo, hostname=hostname) as stream:
        run(stream.send(b"x", later()))
        assert b"x" == run(stream.receive(1, later()))


def test_name_is_sent_without_its_dot(certificates: Certificates) -> None:
    """SNI holds the name without a final dot (RFC 6066, 3), and no address at all."""
    server = certificates.server(certificates.authority.issue_cert("localhost", "127.0.0.1"))
    asked: list[str | None] = []
    server.sni_callback = lambda connection, name, context: asked.append(name)
    for hostname in "localhost.", "127.0.0.1":
        with speaking(certificates, nothing, server=server, hostname=hostname):
            pass

    assert ["localhost", None] == asked


class Forge:
    """Certificates that no honest authority would sign, signed by the tests' own."""

    def __init__(self, certificates: Certificates) -> None:
        self._folder = certificates.folder
        ca = certificates.authority
        self._issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
        self._key: Any = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)

    def server(
        self,
        name: str,
        *,
        key: Any = None,
        usage: x509.ObjectIdentifier | None = None,
        below_a_leaf: bool = False,
    ) -> ssl.SSLContext:
        issuer, signing_key, chain = self._issuer.subject, self._key, b""
        if below_a_leaf:
            signing_key = ec.generate_private_key(ec.SECP256R1())
            leaf = self._sign("leaf.test", signing_key, self._issuer.subject, self._key, None)
            issuer, chain = leaf.subject, leaf.public_bytes(serialization.Encoding.PEM)
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key, issuer, signing_key, usage)
        path = self._folder / f"forged-{certificate.serial_number:x}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
            + chain
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or it would refuse to serve them
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        name: str,
        key: Any,
        issuer: x509.Name,
        signing_key: Any,
        usage: x509.ObjectIdentifier | None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(
                x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"for {name!r}")])
            )
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(signing_key, hashes.SHA256())


BAD_CERTIFICATES: dict[str, tuple[Callable[[Certificates], ssl.SSLContext], str, str]] = {
    # name: the server, whom we ask for, what the error says
    "expired": (lambda made: made.expired, "localhost", "certificate has expired"),
    "not yet valid": (lambda made: made.not_yet_valid, "localhost", "not yet valid"),
    "wrong host": (lambda made: made.wrong_host, "localhost", "not valid for 'localhost'"),
    "self-signed": (lambda made: made.self_signed, "localhost", "self.signed"),
    "unknown authority": (lambda made: made.untrusted, "localhost", "issuer|self.signed"),
    "common name only": (lambda made: made.only_common_name, "localhost", "not valid for"),
    "address as a name": (lambda made: made.ip_as_name, "127.0.0.1", "not valid for"),
    "name for an address": (lambda made: made.only_ip, "localhost", "not valid for"),
    "wildcard, too deep": (lambda made: made.good, "a.b.example.com", "not valid for"),
    "wildcard, apex": (lambda made: Forge(made).server("*.apex.test"), "apex.test", "not valid"),
    "wildcard in TLD": (lambda made: Forge(made).server("*.test"), "apex.test", "not valid"),
    "NUL in the name": (
        lambda made: Forge(made).server("localhost\0.evil.test"), "localhost", "not valid for",
    ),
    "weak key": (
        lambda made: Forge(made).server("localhost", key=rsa.generate_private_key(65537, 1024)),
        "localhost",
        "key too (small|weak)",
    ),
    "signed by a leaf": (
        lambda made: Forge(made).server("localhost", below_a_leaf=True),
        "localhost",
        "invalid CA certificate",
    ),
    "for clients": (
        lambda made: Forge(made).server(
            "localhost", usage=ExtendedKeyUsageOID.CLIENT_AUTH
        ),
        "localhost",
        "purpose",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_bad_certificate(certificates: Certificates, name: str) -> None:
    """A certificate that must not be trusted is a CertificateError that says why."""
    server, hostname, expected = BAD_CERTIFICATES[name]
    context = context_for(certificates.ca_file, None)

    with serving(nothing, server(certificates)) as stream, pytest.raises(OSError) as caught:
        run(TLSStream.start(stream, context, hostname, later()))

    error = explain(caught.value, hostname, 443)
    assert isinstance(error, CertificateError)
    assert str(error).startswith(f"connecting to {hostname}:443: ")
    assert re.search(expected, str(error))
    assert not str(error).endswith(".")


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_bad_certificate_unchecked(certificates: Certificates, name: str) -> None:
    """With `verify=False` nobody is asked for anything but encryption."""
    if name == "weak key":
        pytest.skip("OpenSSL refuses the key itself")
    server, hostname, _ = BAD_CERTIFICATES[name]
    context = context_for(False, None)
    with speaking(
        certificates, echo, server=server(certificates), context=context, hostname=hostname
    ) as stream:
        run(stream.send(b"x", later()))
        assert b"x" == run(stream.receive(1, later()))


def handshake_error(work: Serve, context: Any, server: ssl.SSLContext | None = None) -> Any:
    """What is raised after `explain` for a handshake with `work`."""
    with serving(work, server) as stream, pytest.raises(OSError) as caught:
        run(TLSStream.start(stream, context, "localhost", later()))
    return explain(caught.value, "localhost", 8443)


def test_plain_http_server() -> None:
    """A server that speaks plain HTTP on the port is recognised."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        connection.recv(1000)

    error = handshake_error(serve, context_for(False, None))

    assert type(error) is SSLError
    expected = "connecting to localhost:8443: the server answered in plain HTTP, not in TLS"
    assert expected == str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00" * 100,
        b"SSH-2.0-x\r\n",
        b"\x16\x03\x03\xff\xff" + b"x" * 70000,
        b"\x15\x03\x03\0\x02",
    ],
)
def test_garbage(answer: bytes) -> None:
    """Anything else that is not TLS is an error as well."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer)
        with suppress(OSError):  # the client may have gone already
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)

    assert type(handshake_error(serve, context_for(False, None))) is SSLError


def test_endless_handshake() -> None:
    """A handshake that grows for ever is cut off."""
    hello_request = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"  # skipped by OpenSSL, uncounted

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        for _ in range(1000):
            connection.sendall(hello_request * 100)

    error = handshake_error(serve, context_for(False, None))

    assert type(error) is SSLError
    assert "handshake over 262144 bytes" in str(error)


def test_server_closes_in_the_handshake() -> None:
    """A FIN instead of a handshake says so."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)

    error = handshake_error(serve, context_for(False, None))

    assert type(error) is SSLError
    assert "closed in the TLS handshake" in str(error)


def test_server_resets_in_the_handshake() -> None:
    """A reset is not a fault of TLS."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1)  # what is left unread makes the end a reset

    assert type(handshake_error(serve, context_for(False, None))) in (ConnectionLost, SSLError)


def test_alert_is_put_into_words(certificates: Certificates) -> None:
    """A server that only speaks TLS 1.1 is refused, in words."""
    server = certificates.server(certificates.authority.issue_cert("localhost"))
    server.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.maximum_version = ssl.TLSVersion.TLSv1_1

    error = handshake_error(nothing, context_for(certificates.ca_file, None), server)

    assert type(error) is SSLError
    assert "TLS" in str(error)
    assert "_" not in str(error)


def test_stall_in_the_handshake() -> None:
    """A server that never answers costs the deadline."""
    done = threading.Event()
    with serving(lambda connection: done.wait(PATIENCE)) as stream:
        context = context_for(False, None)
        with pytest.raises(TimedOut):
            run(TLSStream.start(stream, context, "localhost", runtime.now() + 0.05))
        done.set()


def test_protocol_that_was_not_offered(certificates: Certificates) -> None:
    """A protocol that the caller cannot speak is refused, even if the context offered it."""
    server = certificates.server(certificates.authority.issue_cert("localhost"))
    server.set_alpn_protocols(["h2"])
    own = certificates.client()
    own.set_alpn_protocols(["h2", "http/1.1"])

    error = handshake_error(nothing, own, server)
    assert "protocol 'h2', expected http/1.1" in str(error)

    with serving(nothing, server) as stream:
        started = TLSStream.start(stream, own, "localhost", later(), alpn=("h2", "http/1.1"))
        assert "h2" == run(started).alpn


# Client certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["client_cert", "client_cert_in_one_file", "client_cert_encrypted"]
)
def test_client_certificate(certificates: Certificates, form: str) -> None:
    """A client certificate is shown, from two files, from one, or with a password."""
    context = context_for(certificates.ca_file, getattr(certificates, form))
    server = certificates.asking_for_client
    with speaking(certificates, echo, server=server, context=context) as stream:
        run(stream.send(b"x", later()))
        assert b"x" == run(stream.receive(1, later()))


def test_missing_client_certificate(certificates: Certificates) -> None:
    """A server that wants a certificate and gets none is named as the reason."""
    with speaking(certificates, echo, server=certificates.asking_for_client) as stream:
        with pytest.raises(ssl.SSLError) as caught:
            run(stream.receive(1, later()))

    assert "requires a client certificate" in str(explain(caught.value, "localhost", 443))


def test_certificate_asked_for_after_the_handshake(certificates: Certificates) -> None:
    """A server may ask for the certificate with a request (TLS 1.3, post-handshake)."""
    server = certificates.server(certificates.authority.issue_cert("localhost"))
    server.load_verify_locations(certificates.ca_file)
    server.post_handshake_auth = True
    server.verify_mode = ssl.CERT_OPTIONAL
    seen: list[Any] = []

    def serve(connection: Any) -> None:
        connection.recv(100)
        connection.verify_client_post_handshake()
        connection.sendall(b"who")
        connection.recv(100)
        seen.append(connection.getpeercert())
        connection.sendall(b"welcome")

    context = context_for(certificates.ca_file, certificates.client_cert)
    with speaking(certificates, serve, server=server, context=context) as stream:
        run(stream.send(b"GET", later()))
        assert b"who" == run(stream.receive(100, later()))
        run(stream.send(b"again", later()))
        assert b"welcome" == run(stream.receive(100, later()))
    assert seen[0]


# Contexts -----------------------------------------------------------------------------------------


def test_contexts_are_shared(certificates: Certificates, tmp_path: Path) -> None:
    """The same settings give the same context, other settings another."""
    ca = certificates.ca_file
    one = context_for(ca, None)

    assert one is context_for(Path(ca), None)
    assert one is context_for(os.path.relpath(ca), None)
    assert one is not context_for(ca, None, alpn=("h2", "http/1.1"))
    assert one is not context_for(ca, certificates.client_cert)
    assert one is not context_for(certificates.other_ca_file, None)
    assert one is not context_for(False, None)
    assert context_for(False, None) is context_for(False, None)
    assert one is not context_for(ca, None, environ={"SSLKEYLOGFILE": str(tmp_path / "keys")})
    trust._contexts.clear()  # the last one holds its file open


def test_context_is_made_once_for_many_threads(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that ask at the same time get the same context."""
    monkeypatch.setattr(trust, "_contexts", {})
    start = threading.Barrier(8)
    made: list[Any] = []

    def ask() -> None:
        start.wait(PATIENCE)
        made.append(context_for(certificates.ca_file, None))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert 8 == len(made)
    assert 1 == len(set(map(id, made)))


def test_contexts_are_bounded(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many settings are used, a bounded number of contexts is kept."""
    monkeypatch.setattr(trust, "_contexts", {})
    monkeypatch.setattr(trust, "MAX_CONTEXTS", 3)
    for number in range(5):
        context_for(False, None, alpn=(f"x/{number}",))

    assert 3 == len(trust._contexts)


def test_renewed_file_gives_a_new_context(certificates: Certificates, tmp_path: Path) -> None:
    """A CA file that was replaced is read again."""
    path = tmp_path / "ca.pem"
    path.write_bytes(Path(certificates.ca_file).read_bytes())
    before = context_for(path, None)
    path.write_bytes(Path(certificates.other_ca_file).read_bytes() + b"\n")

    assert before is not context_for(path, None)


def test_settings_of_a_context(certificates: Certificates) -> None:
    """What a checking context insists on."""
    context = context_for(certificates.ca_file, None)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


def test_given_authority_replaces_the_systems(certificates: Certificates) -> None:
    """A CA file is all that is trusted, and nothing beside it."""
    context = context_for(certificates.ca_file, None)

    assert 1 == len(context.get_ca_certs())


def test_directory_of_authorities(certificates: Certificates, tmp_path: Path) -> None:
    """A directory of hashed names is trusted as OpenSSL reads it."""
    hashed = tmp_path / f"{subject_hash(certificates.ca_file)}.0"
    hashed.write_bytes(Path(certificates.ca_file).read_bytes())
    with speaking(certificates, echo, context=context_for(tmp_path, None)) as stream:
        run(stream.send(b"x", later()))
        assert b"x" == run(stream.receive(1, later()))


def subject_hash(path: str) -> str:
    """The name under which OpenSSL looks for a certificate in a directory."""
    import subprocess

    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl command to hash the name with")
    return done.stdout.strip()


def test_own_context(certificates: Certificates) -> None:
    """A context of the caller is used as it is, and so is anything with `wrap_bio`."""
    own = certificates.client()

    class Duck:
        wrap_bio = own.wrap_bio

    assert own is context_for(own, certificates.client_cert)
    duck = Duck()
    assert duck is context_for(duck, None)
    with speaking(certificates, echo, context=duck) as stream:
        run(stream.send(b"x", later()))
        assert b"x" == run(stream.receive(1, later()))


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system itself is asked there")
@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_environment_chooses_the_trust(certificates: Certificates, name: str) -> None:
    """SSL_CERT_FILE and SSL_CERT_DIR stand for the system's trust, but not for a given one."""
    path = {"SSL_CERT_FILE": certificates.ca_file, "SSL_CERT_DIR": str(certificates.folder)}[name]
    context = context_for(True, None, environ={name: path})

    assert context is context_for(None, None, environ={name: path})
    assert (1 if name == "SSL_CERT_FILE" else 0) == len(context.get_ca_certs())
    given = context_for(certificates.other_ca_file, None, environ={name: path})
    assert given is context_for(certificates.other_ca_file, None)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system itself is asked there")
def test_systems_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word from anybody the system's bundle counts, and certifi's in its absence."""
    assert len(context_for(True, None, environ={}).get_ca_certs()) > 20

    monkeypatch.setattr(trust, "_BUNDLES", ("/nonexistent/bundle.pem",))
    assert len(context_for(True, None, environ={}).get_ca_certs()) > 20


@pytest.mark.parametrize("is_installed", [True, False])
def test_systems_trust_on_a_mac(monkeypatch: pytest.MonkeyPatch, is_installed: bool) -> None:
    """On macOS and Windows the system itself is asked, by truststore; certifi is what is left."""
    truststore = types.ModuleType("truststore")
    truststore.SSLContext = ssl.SSLContext  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "truststore", truststore if is_installed else None)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(trust, "_contexts", {})

    context = context_for(True, None, environ={})

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert is_installed is (context.get_ca_certs() == [])


def test_key_log(certificates: Certificates, tmp_path: Path) -> None:
    """SSLKEYLOGFILE names a file that gets the keys, checked or not."""
    for number, verify in enumerate((certificates.ca_file, False)):
        path = tmp_path / f"keys{number}"
        context = context_for(verify, None, environ={"SSLKEYLOGFILE": str(path)})
        with speaking(certificates, nothing, context=context):
            pass
        assert b"SECRET" in path.read_bytes()
        trust._contexts.clear()  # they hold the file open


@pytest.mark.parametrize(
    ("verify", "cert", "environ", "named"),
    [
        ("/nonexistent/ca.pem", None, {}, "/nonexistent/ca.pem"),
        (True, None, {"SSL_CERT_FILE": "/nonexistent/env.pem"}, "SSL_CERT_FILE"),
        (True, None, {"SSL_CERT_DIR": "/nonexistent/dir"}, "/nonexistent/dir"),
        (False, "/nonexistent/cert.pem", {}, "/nonexistent/cert.pem"),
        (False, ("{here}", "/nonexistent/key.pem"), {}, "/nonexistent/key.pem"),
        ("", None, {}, "verify"),
        (False, "", {}, "cert"),
    ],
)
def test_missing_files_are_named(
    verify: Any, cert: Any, environ: dict[str, str], named: str, certificates: Certificates
) -> None:
    """A file that is not there is an OSError with its path, before anything is connected to."""
    if isinstance(cert, tuple):
        cert = (certificates.client_cert[0], cert[1])
    if environ and sys.platform in ("darwin", "win32"):
        pytest.skip("the system itself is asked there")

    with pytest.raises(FileNotFoundError) as caught:
        context_for(verify, cert, environ=environ)

    assert named in str(caught.value)


def test_files_that_hold_something_else(certificates: Certificates, tmp_path: Path) -> None:
    """A file without certificates, or with somebody else's key, is an SSLError with its path."""
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate here\n")

    with pytest.raises(SSLError, match=r"CA certificates from .*junk\.pem: .*no certificate"):
        context_for(junk, None)
    with pytest.raises(SSLError, match=r"client certificate from .*junk\.pem"):
        context_for(False, junk)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_locked_key(certificates: Certificates, password: str | None) -> None:
    """A locked key without its password is an error, not a question on the terminal."""
    certificate, key, _ = certificates.client_cert_encrypted

    with pytest.raises(SSLError, match="client certificate"):
        context_for(False, (certificate, key, password))


def test_cert_with_too_many_parts() -> None:
    """More than certificate, key and password is a mistake of the caller."""
    with pytest.raises(ValueError, match="cert has 4 parts"):
        context_for(False, ("a", "b", "c", "d"))


# Identity -----------------------------------------------------------------------------------------


def test_identity_keeps_settings_apart(certificates: Certificates) -> None:
    """Connections of different trust or with different certificates never share a pool key."""
    ca, cert = certificates.ca_file, certificates.client_cert
    own = certificates.client()
    settings = [
        (True, None),
        (False, None),
        (ca, None),
        (certificates.other_ca_file, None),
        (own, None),
        (certificates.client(), None),
        (True, cert),
        (False, cert),
        (True, cert[0]),
        (True, certificates.client_cert_encrypted),
        (True, (*cert, "password")),
    ]
    keys = [identity(verify, cert) for verify, cert in settings]

    assert len(settings) == len(set(keys))
    assert keys == [identity(verify, cert) for verify, cert in settings]
    assert identity(ca, None) == identity(Path(ca), None)
    assert identity(Path(ca), cert) == identity(ca, cert)


def test_explain_keeps_what_has_a_name() -> None:
    """An error that is gofer's already stays as it is."""
    error = SSLError("named")

    assert error is explain(error, "localhost", 443)


def test_explain_names_ipv6_hosts_in_brackets() -> None:
    """An IPv6 address is written in brackets before the port."""
    error = explain(ConnectionResetError(104, "Connection reset by peer"), "::1", 443)

    assert "connecting to [::1]:443: Connection reset by peer" == str(error)
