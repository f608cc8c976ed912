"""TLS: one layer without I/O of its own, the same on every runtime and inside proxies.

`TLSStream` is a `Stream` over another `Stream`; `context_for` makes and shares the contexts;
`identity` is what of `verify` and `cert` belongs into a connection's pool key; `explain` turns
what went wrong into one of gofer's exceptions.

State: `_contexts`, one context per setting (making one that trusts the system costs 40 ms of
CPU). Nobody changes a context after it was made. What is sent over TLS is left to others.
"""

import contextlib
import errno
import os
import ssl
import sys
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from gofer.exceptions import CertificateError, ConnectionLost, RequestException, SSLError
from gofer.runtime.base import Sender, Stream, TimedOut

__all__ = ["TLSStream", "context_for", "explain", "identity", "new_context", "trusted_file"]

HTTP11 = ("http/1.1",)  # ALPN protocol names, best first

CIPHERTEXT = 64 * 1024  # bytes asked of the stream below: four records, and most answers whole
RECORD = 16 * 1024  # bytes of plaintext in the largest record (RFC 8446, 5.1)
PLAINTEXT = 16 * RECORD  # bytes encrypted before they are sent on, so that memory stays flat
MAX_HANDSHAKE = 256 * 1024  # bytes taken from the peer; chains of 10 kB are already unusual
MAX_CONTEXTS = 64  # kept; a caller with a fresh CA file for each call must not fill the memory


class TLSStream:
    """A TLS connection over `stream`, as a `Stream`.

    One thread may send while another receives, if the stream below allows that and `is_shared` is
    True: then nothing is sent while receiving. What TLS itself has to say goes with the next data.
    """

    __slots__ = (
        "_ended", "_fetch", "_has_more", "_incoming", "_lock", "_outgoing", "_pending", "_put",
        "_read", "_stream", "_taken", "_tls", "_unsent", "_write", "is_shared",
    )  # fmt: skip

    def __init__(self, stream: Stream, context: Any, server_hostname: str | None) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_hostname=_server_name(context, server_hostname),
        )
        # The methods in C, bound once: those of `ssl.SSLObject` are Python around them, 0.2 us.
        bare = self._tls
        if type(bare) is ssl.SSLObject:
            bare = getattr(bare, "_sslobj", bare)
        self._read, self._write, self._pending = bare.read, bare.write, bare.pending
        self._put, self._fetch = self._incoming.write, self._outgoing.read
        self._unsent = b""  # ciphertext that `send_some` could not get rid of yet
        self._taken = 0  # bytes of data that are in it
        self.is_shared = False
        self._has_more = False  # something came that `receive` has not handed out yet
        self._ended = False  # the peer's close_notify has come
        # OpenSSL objects must not be used by two threads at once (CPython guards them from 3.13
        # on). Held around calls into OpenSSL, never around I/O. By hand: `with` takes twice the
        # instructions, 2,000 instead of 1,000.
        self._lock = threading.Lock()

    @classmethod
    async def start(
        cls,
        stream: Stream,
        context: Any,
        server_hostname: str | None,
        deadline: float | None,
        *,
        alpn: Sequence[str] = HTTP11,
    ) -> "TLSStream":
        """Shake hands over `stream`. Whatever fails, `stream` stays the caller's to abort.

        Args:
            server_hostname: whom the certificate must name; a DNS name in ASCII or an IP literal.
            alpn: the protocols the caller can speak; an answer outside it is an error, whatever
                `context` offered. No answer is always fine.

        Raises:
            ssl.SSLError, OSError: for `explain`.
            TimedOut: the deadline passed.
        """
        tls = cls(stream, context, server_hostname)
        await tls._shake_hands(deadline)
        if tls.alpn is not None and tls.alpn not in alpn:
            raise _failure(
                f"the server chose the protocol {tls.alpn[:40]!r}, expected {' or '.join(alpn)}"
            )
        return tls

    async def _shake_hands(self, deadline: float | None) -> None:
        received = 0
        first = b""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                await self._send_alert(deadline)
                if first.startswith(b"HTTP/"):
                    raise _failure("the server answered in plain HTTP, not in TLS") from error
                raise
            await self._flush(deadline)
            data = await self._stream.receive(CIPHERTEXT, deadline)
            if not data:
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the server closed in the TLS handshake")
            first = first or data
            received += len(data)
            if received > MAX_HANDSHAKE:
                raise _failure(f"TLS handshake over {MAX_HANDSHAKE} bytes")
            self._put(data)
        self._has_more = self._incoming.pending > 0
        await self._flush(deadline)

    async def _send_alert(self, deadline: float | None) -> None:
        # Telling the peer why is a courtesy; our caller gets the reason in any case.
        with contextlib.suppress(OSError, TimedOut):
            await self._flush(deadline)

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """What has come, at most `max_bytes` and one record; b"" after the peer's close_notify.

        Raises:
            ssl.SSLEOFError: the stream below ended without close_notify, so content that is only
                delimited by the end may have been cut (RFC 9112, 9.8). All data came before.
        """
        while not self._ended:
            if not self._has_more:  # asking OpenSSL then would cost an exception
                if self._unsent or self._outgoing.pending:
                    await self._send_what_waits(deadline)
                self._take(await self._stream.receive(CIPHERTEXT, deadline))
            self._lock.acquire()
            try:
                data = self._read(max_bytes)
                self._has_more = self._incoming.pending > 0 or self._pending() > 0
            except ssl.SSLWantReadError:  # half a record, or a session ticket
                self._has_more = False
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            finally:
                self._lock.release()
            self._ended = not data
            return data  # type: ignore[no-any-return]
        return b""

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`, and as many records as have come and fit."""
        filled = 0
        while not self._ended and filled < len(buffer):
            if not self._has_more:
                if filled:
                    break
                if self._unsent or self._outgoing.pending:
                    await self._send_what_waits(deadline)
                self._take(await self._stream.receive(CIPHERTEXT, deadline))
            self._lock.acquire()
            try:
                count = self._read(len(buffer) - filled, buffer[filled:])
                self._has_more = self._incoming.pending > 0 or self._pending() > 0
            except ssl.SSLWantReadError:
                self._has_more = False
                continue
            except ssl.SSLZeroReturnError:
                count = 0
            finally:
                self._lock.release()
            self._ended = count == 0
            filled += count
        return filled

    def _take(self, ciphertext: bytes) -> None:
        if not ciphertext:
            raise ssl.SSLEOFError(
                ssl.SSL_ERROR_EOF, "the server closed the connection without a TLS close_notify"
            )
        self._put(ciphertext)
        self._has_more = True

    async def _send_what_waits(self, deadline: float | None) -> None:
        """Send the rest of an upload, or an answer to a post-handshake message, before receiving.

        Not if the peer has spoken: it may have stopped reading, and its word is what we want.
        """
        if not self.is_shared and not self._stream.is_readable():
            await self._flush(deadline)

    def send(self, data: bytes, deadline: float | None) -> Coroutine[Any, Any, None]:
        """Send all of `data`."""
        if len(data) <= PLAINTEXT:
            return self._stream.send(self._encrypt(data), deadline)  # a coroutine less: 0.1 us
        return self._send_large(data, deadline)

    async def _send_large(self, data: bytes, deadline: float | None) -> None:
        rest = memoryview(data)
        while rest:
            await self._stream.send(self._encrypt(rest[:PLAINTEXT]), deadline)
            rest = rest[PLAINTEXT:]

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send at most one record of `data`; 0 as in `SocketStream.send_some`.

        A record that the stream below takes only in part is finished by the next call, which has
        to be with the same data: only then has it been sent.
        """
        if not self._taken:
            self._take_record(data)
        while self._unsent:
            count = await self._stream.send_some(memoryview(self._unsent), deadline)
            if count == 0:
                return 0
            self._unsent = self._unsent[count:]
        taken, self._taken = self._taken, 0
        return taken

    def send_now(self, data: memoryview) -> int:
        """Send what fits now, at most one record; as `send_some`."""
        if not self._taken:
            self._take_record(data)
        while self._unsent:
            count = self._stream.send_now(memoryview(self._unsent))
            if count == 0:
                return 0
            self._unsent = self._unsent[count:]
        taken, self._taken = self._taken, 0
        return taken

    def send_soon(self, sender: Sender) -> bool:
        """As the stream below has it."""
        return self._stream.send_soon(sender)

    def _take_record(self, data: memoryview) -> None:
        self._taken = min(len(data), RECORD)
        self._unsent = self._encrypt(data[:RECORD])

    def _encrypt(self, data: bytes | memoryview) -> bytes:
        """What has to be sent for `data`, behind whatever was waiting to be sent."""
        self._lock.acquire()  # one step, so that records leave in the order they were numbered
        try:
            written = self._write(data)
            while written < len(data):
                written += self._write(memoryview(data)[written:])
            ciphertext: bytes = self._fetch()
        finally:
            self._lock.release()
        if self._unsent:
            ciphertext = self._unsent + ciphertext
            self._unsent = b""
        return ciphertext

    async def _flush(self, deadline: float | None) -> None:
        ciphertext = self._unsent + self._fetch()
        self._unsent = b""
        if ciphertext:
            await self._stream.send(ciphertext, deadline)

    def is_readable(self) -> bool:
        """True if anything has come: bytes that are decrypted or not yet, the end, an error.

        What has come may turn out to be a session ticket (TLS 1.3 sends them after the handshake)
        with nothing behind it: then `receive` waits on, and passes its deadline.
        """
        return self._has_more or self._stream.is_readable()

    def abort(self) -> None:
        """Close at once and without waiting, so without close_notify."""
        self._stream.abort()

    def fileno(self) -> int:
        """The descriptor of the stream below."""
        return self._stream.fileno()

    @property
    def agreed(self) -> tuple[Any, threading.Lock]:
        """The TLS object, which knows what was agreed on, and the lock to ask it under."""
        return self._tls, self._lock

    @property
    def version(self) -> str:
        """The protocol version in use, such as "TLSv1.3"."""
        return self._tls.version() or ""

    @property
    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol version and secret bits of the cipher suite."""
        return self._tls.cipher()  # type: ignore[no-any-return]

    @property
    def alpn(self) -> str | None:
        """The application protocol the server chose, None if it chose none."""
        return self._tls.selected_alpn_protocol()  # type: ignore[no-any-return]

    @property
    def peer_certificate(self) -> bytes | None:
        """The server's certificate in DER."""
        return self._tls.getpeercert(True)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<TLSStream {self.version or 'not started'} over {self._stream!r}>"


def _server_name(context: Any, host: str | None) -> Any:
    """`host` as SNI and certificates have it: no final dot, no IPv6 zone.

    As bytes for the context we know: `str` takes Python's idna codec (8 ms at its first use).
    """
    if host is None:
        return None
    name = host.removesuffix(".")
    if ":" in name:
        name = name.partition("%")[0]
    return name.encode("ascii") if type(context) is ssl.SSLContext else name


# Contexts ---------------------------------------------------------------------------------------

_contexts: dict[Any, Any] = {}
_contexts_lock = threading.Lock()


def context_for(
    verify: Any,
    cert: Any,
    *,
    alpn: Sequence[str] = HTTP11,
    environ: Mapping[str, str] | None = None,
) -> Any:
    """The context for these settings: made at the first call, shared after it.

    Args:
        verify: True for the system's trust, False for none, the path of a CA file or directory
            (it replaces the system's trust), or a context (anything with `wrap_bio`), which is
            returned as it is: `cert` and `alpn` are its owner's business then.
        cert: None, the path of a PEM file with certificate and key, or (certificate, key), or
            (certificate, key, password).
        environ: where SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE are looked up; None is
            `os.environ`.

    Raises:
        OSError: a path that does not exist or cannot be read; the message says which.
        SSLError: a file that is there does not hold what it should.
    """
    if hasattr(verify, "wrap_bio"):
        return verify
    environ = os.environ if environ is None else environ
    trust = _trust(verify, environ)
    client = _client_certificate(cert)
    key_log = environ.get("SSLKEYLOGFILE", "")  # a file for Wireshark
    key = (trust, client, tuple(alpn), key_log, _stamps(*trust[1:], *client[:2]))
    # A look without the lock first: a dict answers atomically.
    context = _contexts.get(key)
    if context is not None:
        return context
    with _contexts_lock:
        context = _contexts.get(key)
        if context is None:
            context = _new_context(trust, client, alpn, key_log)
            while len(_contexts) >= MAX_CONTEXTS:
                del _contexts[next(iter(_contexts))]
            _contexts[key] = context
    return context


def new_context(verify: Any, cert: Any, *, alpn: Sequence[str] = HTTP11) -> Any:
    """A context as `context_for` makes it, but of one's own: to be changed, and kept.

    Raises:
        OSError: a file that is not there or holds no certificates.
    """
    return _new_context(_trust(verify, os.environ), _client_certificate(cert), tuple(alpn), "")


def trusted_file() -> str:
    """The path of what `verify=True` trusts: the system's file or folder, else certifi's."""
    _, file, directory = _system_trust(os.environ)
    if file is None and directory is None:
        import certifi

        file = certifi.where()
    return file or directory or ""


def identity(verify: Any, cert: Any) -> Any:
    """What of `verify` and `cert` a pool key must hold: equal only if they mean the same.

    Cheap for the default. A context stands for itself, and is kept alive by the key.
    """
    if verify is True and cert is None:
        return True
    if hasattr(verify, "wrap_bio"):
        return ("context", id(verify), verify)
    if verify is None or isinstance(verify, bool):
        trust: Any = verify is not False
    else:
        trust = _path(verify, "verify")
    return trust, _client_certificate(cert)


def _trust(verify: Any, environ: Mapping[str, str]) -> tuple[str, str | None, str | None]:
    """What to trust: a kind, a CA file, a CA directory."""
    if verify is False:
        return "nobody", None, None
    if verify is None or verify is True:
        return _system_trust(environ)
    path = _path(verify, "verify")
    if os.path.isdir(path):
        return "given", None, path
    _must_exist(path, "a suitable TLS CA certificate bundle")
    return "given", path, None


# Where systems keep their trusted certificates in one file.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, Alpine, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL 10
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, FreeBSD, OpenBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD with the package
    "/etc/openssl/certs/ca-certificates.crt",  # NetBSD
    "/etc/certs/ca-certificates.crt",  # illumos
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",  # Android with Termux
)


def _system_trust(environ: Mapping[str, str]) -> tuple[str, str | None, str | None]:
    """The environment's choice, else the system's store, else certifi's file."""
    file = environ.get("SSL_CERT_FILE") or None
    directory = environ.get("SSL_CERT_DIR") or None
    if file is not None or directory is not None:
        for path, name in (file, "SSL_CERT_FILE"), (directory, "SSL_CERT_DIR"):
            if path is not None:
                _must_exist(path, f"the TLS CA certificates of {name}")
        return "given", file, directory
    if sys.platform in ("darwin", "win32"):
        return "system", None, None
    for path in _BUNDLES:
        if os.path.exists(path):
            return "given", path, None
    return "certifi", None, None


def _client_certificate(cert: Any) -> tuple[Any, ...]:
    """`cert` as (certificate path, key path or None, password or None), () for none."""
    if cert is None:
        return ()
    if isinstance(cert, str | bytes | os.PathLike):
        cert = (cert,)
    elif not isinstance(cert, tuple | list):
        raise TypeError(
            f"cert: got {type(cert).__name__}, expected a path, (certificate, key) or"
            " (certificate, key, password)"
        )
    parts = tuple(cert)
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"cert has {len(parts)} parts, expected certificate, key, password")
    certificate, key, password = (*parts, None, None)[:3]
    return (
        _path(certificate, "cert"),
        None if key is None else _path(key, "cert"),
        password,
    )


def _stamps(*paths: str | None) -> tuple[Any, ...]:
    """What changes when one of the files does: certificates are renewed under running programs."""
    stamps = []
    for path in paths:
        try:
            status = os.stat(path) if path is not None else None
        except OSError:
            status = None  # the one who opens it says what is wrong
        stamps.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(stamps)


def _path(path: Any, setting: str) -> str:
    """The absolute path; an empty one would quietly become the working directory."""
    if not path:
        raise FileNotFoundError(errno.ENOENT, f"no path in {setting}", path)
    if not isinstance(path, str | bytes | os.PathLike):
        more = ", True, False or an ssl.SSLContext" if setting == "verify" else ""
        raise TypeError(f"{setting}: got {type(path).__name__}, expected a path{more}")
    return os.path.abspath(os.fsdecode(path))


def _must_exist(path: str, what: str) -> None:
    if not os.path.exists(path):
        raise FileNotFoundError(f"Could not find {what}, invalid path: {path}")  # as Requests does


def _new_context(
    trust: tuple[str, str | None, str | None],
    client: tuple[Any, ...],
    alpn: Sequence[str],
    key_log: str,
) -> Any:
    context = _trusting_context(*trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= getattr(ssl, "OP_NO_RENEGOTIATION", 0)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.keylog_filename = key_log or None  # ssl itself would ask os.environ
    if client:
        _load_client_certificate(context, *client)
        # HTTP/2 forbids it (RFC 9113, 9.2.3); servers that ask per resource need it in HTTP/1.1
        context.post_handshake_auth = "h2" not in alpn
    return context


def _trusting_context(kind: str, file: str | None, directory: str | None) -> Any:
    """A context that checks certificates against that trust, or not at all."""
    if kind == "nobody":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if kind == "system":
        context = _platform_context()
        if context is not None:
            return context
        kind = "certifi"
    if kind == "certifi":
        import certifi

        file = certifi.where()
    try:
        context = ssl.create_default_context(cafile=file, capath=directory)
    except ssl.SSLError as error:
        raise SSLError(
            f"loading CA certificates from {file or directory}: {_reason(error)}"
        ) from error
    context.hostname_checks_common_name = False  # only subjectAltName counts (RFC 9110, 4.3.4)
    return context


def _platform_context() -> Any:
    """A context that asks macOS or Windows itself; None without truststore.

    On Linux truststore reads the whole bundle again for each connection: 31 ms of CPU.
    """
    try:
        import truststore
    except ImportError:
        return None
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _load_client_certificate(
    context: ssl.SSLContext, certificate: str, key: str | None, password: Any
) -> None:
    _must_exist(certificate, "the TLS certificate file")
    if key is not None:
        _must_exist(key, "the TLS key file")
    try:
        # Without a password OpenSSL would ask on the terminal; an empty one just fails.
        context.load_cert_chain(certificate, key, "" if password is None else password)
    except ssl.SSLError as error:
        raise SSLError(
            f"loading the client certificate from {certificate}: {_reason(error)}"
        ) from error


# Errors -----------------------------------------------------------------------------------------


def explain(error: OSError, host: str, port: int) -> RequestException:
    """The exception for a TLS failure in or after the handshake with `host`; raise it `from error`.

    `error` is what `TLSStream` raised: an ssl.SSLError, or an OSError of the stream below.
    """
    if isinstance(error, RequestException):
        return error
    text = f"connecting to {_authority(host, port)}: {_reason(error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError(text)
    if isinstance(error, ssl.SSLError):
        return SSLError(text)
    return ConnectionLost(text)


# OpenSSL's words that say little to a caller.
_PLAIN_WORDS = {
    "WRONG_VERSION_NUMBER": "what came is not TLS",
    "RECORD_LAYER_FAILURE": "what came is not TLS",
    "HTTP_REQUEST": "the server answered in plain HTTP, not in TLS",
    "UNSUPPORTED_PROTOCOL": "the server only speaks a version of TLS that is too old",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server only speaks another version of TLS",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server requires a client certificate",
    "UNEXPECTED_EOF_WHILE_READING": "the server closed in the TLS handshake",
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "the file holds no certificate",
}


def _reason(error: OSError) -> str:
    """What happened, in words."""
    message = getattr(error, "verify_message", None)
    if message:
        return str(message).rstrip(".")
    reason = getattr(error, "reason", None)
    if reason:
        return _PLAIN_WORDS.get(reason) or str(reason).lower().replace("_", " ")
    return error.strerror or str(error)


def _failure(text: str) -> ssl.SSLError:
    return ssl.SSLError(ssl.SSL_ERROR_SSL, text)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
