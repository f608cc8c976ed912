"""Making an HTTP/3 connection: look up, and shake hands over UDP with one address after the other.

For QUIC what `dial.py` is for TCP. A network that drops UDP does not say so. So if there is another
way, an address gets `PATIENCE` seconds to answer and `MOST` to complete the handshake; what comes
later is kept for the next request (`finish`). If there is none, an address that has answered gets
the whole connect limit. Certificates are checked by the rules of `trust.py`.
"""

import os
import re
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection

from gofer.exceptions import (
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    RequestException,
    SSLError,
)
from gofer.messages.hosts import authority
from gofer.network.deadlines import earlier, share_of
from gofer.network.dial import Step, look_up
from gofer.network.http3 import Http3Connection
from gofer.network.routes import Route
from gofer.network.tls_info import TLSInfo
from gofer.network.trust import (
    check_key_log,
    client_certificate,
    must_be_file,
    shown_name,
    trust_in,
)
from gofer.protocols.http1 import Limits
from gofer.protocols.http3 import Http3Protocol
from gofer.runtime.base import Runtime, TimedOut

if TYPE_CHECKING:
    from gofer.network.addresses import Resolve
    from gofer.network.pool import Pool

__all__ = ["LATE", "MOST", "connect", "finish"]

PATIENCE = 0.3  # seconds for the first answer, if there is another way (RFC 8305)
MOST = 1.0  # seconds for the handshake then
LATE = 0.3  # seconds for `finish`, the rest of a handshake that was answered late
MAX_DATAGRAM = 1350  # bytes; fits an Ethernet with a tunnel or two. qh3 probes for more


async def connect(
    route: Route,
    pool: "Pool",
    runtime: Runtime,
    limits: Limits,
    deadline: float | None,
    *,
    late: list[Http3Connection],
    resolve: "Resolve | None" = None,
) -> Http3Connection:
    """A connection on `route`, which can be used.

    Args:
        deadline: for all the steps together.
        late: takes the connections that are not made in time, where there is another way: the
            caller's, to `finish` or to close.
        resolve: as in `dial`.

    Raises:
        NameResolutionError, ConnectionRefused, SSLError, CertificateError: as `dial`.
        ConnectTimeout: the deadline passed; or its share, while there is another way.
        OSError: a certificate file that is not there. Nothing was connected to then.
    """
    configuration = _configuration(route)
    step = Step()
    try:
        limit = deadline
        if not route.is_only_way and route.target[0] != route.host:
            limit = share_of(deadline, runtime.now(), MOST)  # TCP has no need of that name
        addresses = await look_up(
            *route.target, deadline=limit, resolve=resolve or runtime.resolve, step=step
        )
        if not route.is_only_way:  # one of each family, if there are both
            first = addresses[0]
            addresses = [first, *[other for other in addresses if other[0] != first[0]][:1]]
            deadline = share_of(deadline, runtime.now(), MOST)
        step.name = f"connecting to {authority(*route.target)} by QUIC"
        failure: RequestException | None = None
        for address in addresses:
            has_all_time = route.is_only_way and address is addresses[-1]
            patience = None if has_all_time else PATIENCE / len(addresses)
            try:
                connection = await _begin(route, pool, runtime, limits, configuration, address)
                if await _is_answered(connection, patience, deadline):
                    return await finish(connection, deadline)
            except ConnectionRefused as error:
                failure = error
                continue
            failure = ConnectTimeout(f"{step.name}: no answer came in time, or not all of it")
            if route.is_only_way:
                connection.close("nothing came")
            else:
                late.append(connection)
        raise failure or ConnectionRefused(f"{step.name}: there is no address")
    except TimedOut as over:
        raise step.too_late(route, over) from None


async def finish(connection: Http3Connection, deadline: float | None) -> Http3Connection:
    """`connection`, as soon as it can be used; it is closed if it cannot.

    Raises:
        ConnectionRefused, SSLError, CertificateError: as `dial`.
        TimedOut: `deadline` passed.
    """
    route = connection.route
    try:
        await connection.shake_hands(deadline)
        if route.pins:
            from gofer.network.pins import check_certificate

            check_certificate(Agreed.of(connection).getpeercert(True), route.pins, route.authority)
    except ConnectionLost as error:
        connection.close("it could not be made")
        raise ConnectionRefused(f"connecting to {route.authority} by QUIC: {error}") from error
    except BaseException:
        connection.close("it could not be made")
        raise
    connection.counted = True
    connection.tls = TLSInfo(Agreed.of(connection))
    return connection


async def _begin(
    route: Route,
    pool: "Pool",
    runtime: Runtime,
    limits: Limits,
    configuration: QuicConfiguration,
    address: tuple[Any, ...],
) -> Http3Connection:
    """A connection to one address; nothing has been sent yet."""
    host, port = address[1][:2]
    try:
        stream = await runtime.connect_datagrams(
            address, source_address=route.source_address, socket_options=route.socket_options
        )
    except OSError as error:
        raise ConnectionRefused(
            f"connecting to {route.authority} by QUIC at {authority(host, port)}:"
            f" {error.strerror or error}"
        ) from error
    place = host.partition("%")[0], port
    protocol = Http3Protocol(configuration, limits, route.authority, place, runtime.now())
    connection = Http3Connection(stream, route, pool, runtime, protocol)
    connection.counted = False  # not yet by the pool
    return connection


async def _is_answered(
    connection: Http3Connection, patience: float | None, deadline: float | None
) -> bool:
    """Shake hands; False if nobody has answered within `patience` seconds, or `deadline` passed.

    Args:
        patience: None where it is all for `finish` to do: nobody is tried after this one.
    """
    if patience is None:
        return True
    try:
        with suppress(TimedOut):
            await connection.shake_hands(earlier(deadline, connection.runtime.now(), patience))
        if not connection.protocol.has_heard:
            return False
        await connection.shake_hands(deadline)
    except TimedOut:
        return False
    except ConnectionLost:
        pass  # `finish` says it
    except BaseException:
        connection.close("it could not be made")
        raise
    return True


def _configuration(route: Route) -> QuicConfiguration:
    """Whom to trust, and what to show, in qh3's words."""
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=["h3"],
        server_name=route.server_hostname,
        max_datagram_size=MAX_DATAGRAM,
    )
    kind, file, folder = trust_in(route.verify, os.environ)
    if kind == "nobody":
        configuration.verify_mode = ssl.CERT_NONE
    elif file is None and folder is None:  # certifi's, or a system that qh3 cannot ask
        import certifi

        file = certifi.where()
    configuration.cafile, configuration.capath = file, folder
    shown = client_certificate(route.cert)
    if shown:
        _show(configuration, *shown)
    key_log = os.environ.get("SSLKEYLOGFILE", "")
    check_key_log(key_log)
    if key_log:
        configuration.secrets_log_file = _KeyLog(key_log)  # type: ignore[assignment]
    return configuration


class _KeyLog:
    """A file that is open only while something is written to it: it has many writers."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, text: str) -> int:
        with open(self._path, "a", encoding="ascii") as file:
            return file.write(text)

    def flush(self) -> None:
        """Nothing waits."""


_CERTIFICATES = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\r?\n?", re.S)
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.S)


def _show(
    configuration: QuicConfiguration,
    certificate: str | bytes,
    key_place: str | bytes | None,
    password: Any,
) -> None:
    """Show a client certificate, as `client_certificate` has it; its key is there too if it has no
    place of its own.

    Raises:
        OSError: a file that is not there.
        SSLError: it does not hold what it should.
    """
    text = _pem(certificate, "certificate")
    key = _KEY.search(text if key_place is None else _pem(key_place, "key"))
    certificates = b"".join(_CERTIFICATES.findall(text))
    problem = "there is no certificate" if not certificates else "there is no key"
    if key is not None and b"ENCRYPTED" in key.group():
        problem = "QUIC cannot use a locked key: give it unlocked"
    elif certificates and key is not None:
        try:
            configuration.load_cert_chain(certificates, key.group() + b"\n", password)
            return
        except Exception as error:  # whatever qh3's parsers say of a key
            problem = str(error) or type(error).__name__
    raise SSLError(f"loading the client certificate from {shown_name(certificate)}: {problem}")


def _pem(given: str | bytes, what: str) -> bytes:
    if isinstance(given, bytes):
        return given
    must_be_file(given, f"the TLS {what} file")
    return Path(given).read_bytes()


class Agreed:
    """What was agreed on, asked as one asks an `ssl.SSLObject`; for `TLSInfo`."""

    def __init__(self, quic: QuicConnection, lock: Any) -> None:
        self._quic = quic
        self.agreed = self, lock, ()

    @classmethod
    def of(cls, connection: Http3Connection) -> "Agreed":
        return cls(connection.protocol.quic, connection._lock)

    def version(self) -> str:
        """QUIC has no other (RFC 9001, 4.2)."""
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int] | None:
        suite = self._quic.get_cipher()
        if suite is None:
            return None
        return f"TLS_{suite.name}", "TLSv1.3", 128 if "128" in suite.name else 256

    def selected_alpn_protocol(self) -> str:
        return "h3"

    def getpeercert(self, binary: bool = False) -> Any:
        """The certificate in DER; qh3 reads no fields out of it."""
        certificate = self._quic.get_peercert()
        if certificate is None:
            return None
        return certificate.public_bytes() if binary else {}

    def get_unverified_chain(self) -> list[bytes]:
        sent = [self._quic.get_peercert(), *self._quic.get_issuercerts()]
        return [certificate.public_bytes() for certificate in sent if certificate is not None]
