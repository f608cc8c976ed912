"""TLS: one layer without I/O of its own, the same on every runtime and inside proxies.

`TLSStream` is a `Stream` over another `Stream`; `explain` turns what went wrong into one of gofer's
exceptions. Whom to trust is said in `trust.py`; what is sent over TLS is left to others.
"""

import contextlib
import ssl
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

from gofer.exceptions import CertificateError, ConnectionLost, RequestException, SSLError
from gofer.messages.hosts import authority
from gofer.runtime.base import Stream, TimedOut

__all__ = ["HTTP11", "TLSStream", "explain", "reason"]

HTTP11 = ("http/1.1",)  # ALPN protocol names, best first

CIPHERTEXT = 64 * 1024  # bytes asked of the stream below: four records, and most answers whole
MUCH_CIPHERTEXT = 256 * 1024  # the same as long as so much comes: 100 MB take a sixth less
RECORD = 16 * 1024  # bytes of plaintext in the largest record (RFC 8446, 5.1)
PLAINTEXT = 16 * RECORD  # bytes encrypted before they are sent on, so that memory stays flat
LAST_RECEIVES = 16  # at most, of what a peer has said that is gone; its alert is the last of it
MAX_HANDSHAKE = 256 * 1024  # bytes taken from the peer; chains of 10 kB are already unusual


class TLSStream:
    """A TLS connection over `stream`, as a `Stream`.

    One thread may send while another receives, if the stream below allows that and `share` has
    been called: then nothing is sent while receiving. What TLS itself has to say goes with the next
    data.
    """

    __slots__ = (
        "_asked", "_chain", "_context", "_ended", "_fetch", "_has_more", "_incoming", "_is_shared",
        "_lock", "_outgoing", "_pending", "_problem", "_put", "_read", "_stream", "_taken", "_tls",
        "_unsent", "_write", "send_soon",
    )  # fmt: skip

    def __init__(
        self,
        stream: Stream,
        context: Any,
        server_hostname: str | None,
        session: tuple[Any, Sequence[bytes]] | None = None,
    ) -> None:
        self._chain: Sequence[bytes] = ()  # of the connection whose session we go on with
        earlier = None
        if session is not None:
            earlier, self._chain = session
        self._context = context
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_hostname=_server_name(context, server_hostname),
            **({} if earlier is None else {"session": earlier}),
        )
        # The methods in C, bound once: those of `ssl.SSLObject` are Python around them, 0.2 us.
        bare = self._tls
        if type(bare) is ssl.SSLObject:
            bare = getattr(bare, "_sslobj", bare)
        self._read, self._write, self._pending = bare.read, bare.write, bare.pending
        self._put, self._fetch = self._incoming.write, self._outgoing.read
        self.send_soon = stream.send_soon
        self._unsent = b""  # ciphertext that `send_some` could not get rid of yet
        self._taken = 0  # bytes of data that are in it
        self._is_shared = False
        self._asked = CIPHERTEXT  # of the stream below
        self._has_more = False  # something came that `receive` has not handed out yet
        self._ended = False  # the peer's close_notify has come
        self._problem: ssl.SSLError | None = None  # an alert that has come, or what OpenSSL refused
        # OpenSSL objects must not be used by two threads at once (CPython guards them from 3.13
        # on). Held around calls into OpenSSL, never around I/O. By `with`, for a signal's exception
        # could come between `acquire` and `try`.
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
        session: tuple[Any, Sequence[bytes]] | None = None,
    ) -> "TLSStream":
        """Shake hands over `stream`. Whatever fails, `stream` stays the caller's to abort.

        Args:
            server_hostname: whom the certificate must name; a DNS name in ASCII or an IP literal.
            session: of an earlier connection with `context`, to go on with if the server agrees;
                and the certificates that were sent there, since they are not sent again then.
            alpn: the protocols the caller can speak; an answer outside it is an error, whatever
                `context` offered. No answer is always fine.

        Raises:
            ssl.SSLError, OSError: for `explain`.
            TimedOut: the deadline passed.
        """
        tls = cls(stream, context, server_hostname, session)
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
                self._take(await self._stream.receive(self._asked, deadline))
            try:
                with self._lock:
                    data = self._read(max_bytes)
                    self._has_more = self._incoming.pending > 0 or self._pending() > 0
            except ssl.SSLWantReadError:  # half a record, or a session ticket
                self._has_more = False
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError as error:
                raise self._in_plain_words(error) from None
            self._ended = not data
            return data  # type: ignore[no-any-return]
        return b""

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`, and as many records as have come and fit."""
        filled, size = 0, len(buffer)
        while not (filled or self._ended):
            if not self._has_more:
                if self._unsent or self._outgoing.pending:
                    await self._send_what_waits(deadline)
                self._take(await self._stream.receive(self._asked, deadline))
            try:
                with self._lock:
                    self._has_more = True
                    while self._has_more and filled < size:
                        count = self._read(size - filled, buffer[filled:] if filled else buffer)
                        filled += count
                        self._has_more = self._incoming.pending > 0 or self._pending() > 0
                        if count == 0:
                            self._ended = True
                            break
            except ssl.SSLWantReadError:
                self._has_more = False
            except ssl.SSLZeroReturnError:
                self._ended = True
            except ssl.SSLError as error:
                raise self._in_plain_words(error) from None
        return filled

    def receive_now(self) -> bytes:
        """What has come, 64 KiB or little more; b"" if that is nothing, or the end, or an error."""
        plaintext = bytearray()
        try:
            while len(plaintext) < CIPHERTEXT and not self._ended:
                with self._lock, contextlib.suppress(ssl.SSLWantReadError):
                    while data := self._read(RECORD):
                        plaintext += data
                ciphertext = self._stream.receive_now()
                if not ciphertext:
                    break
                self._put(ciphertext)
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLError as error:
            self._in_plain_words(error)
        self._has_more = self._incoming.pending > 0 or self._pending() > 0
        return bytes(plaintext)

    def last_word(self) -> ssl.SSLError | None:
        """Why there is no more to be said over TLS, if the peer or OpenSSL has said so.

        For a connection that broke. The peer's alert may not have been read yet, if sending was
        what failed.
        """
        for _ in range(LAST_RECEIVES):
            if self._problem is not None or not self.receive_now():
                break
        below = self._stream
        return self._problem or (below.last_word() if isinstance(below, TLSStream) else None)

    def _in_plain_words(self, error: ssl.SSLError) -> ssl.SSLError:
        self._problem = error
        error.strerror = reason(error)
        return error

    def _take(self, ciphertext: bytes) -> None:
        if not ciphertext:
            raise ssl.SSLEOFError(
                ssl.SSL_ERROR_EOF, "the server closed the connection without a TLS close_notify"
            )
        self._put(ciphertext)
        self._asked = CIPHERTEXT if len(ciphertext) < CIPHERTEXT else MUCH_CIPHERTEXT
        self._has_more = True

    async def _send_what_waits(self, deadline: float | None) -> None:
        """Send the rest of an upload, or an answer to a post-handshake message, before receiving.

        Not if the peer has spoken: it may have stopped reading, and its word is what we want.
        """
        if not self._is_shared and not self._stream.is_readable():
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
        if not self._taken and len(data) <= RECORD:
            ciphertext = self._encrypt(data)
            count = self._stream.send_now(memoryview(ciphertext))
            if count == len(ciphertext):
                return len(data)
            self._taken, self._unsent = len(data), ciphertext[count:]
            return 0
        if not self._taken:
            self._take_record(data)
        while self._unsent:
            count = self._stream.send_now(memoryview(self._unsent))
            if count == 0:
                return 0
            self._unsent = self._unsent[count:]
        taken, self._taken = self._taken, 0
        return taken

    def _take_record(self, data: memoryview) -> None:
        self._taken = min(len(data), RECORD)
        self._unsent = self._encrypt(data[:RECORD])

    def _encrypt(self, data: bytes | memoryview) -> bytes:
        """What has to be sent for `data`, behind whatever was waiting to be sent."""
        with self._lock:  # one step, so that records leave in the order they were numbered
            written = self._write(data)
            while written < len(data):
                written += self._write(memoryview(data)[written:])
            ciphertext: bytes = self._fetch()
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

    def share(self) -> None:
        """From now on one may send while another receives."""
        self._is_shared = True
        if isinstance(self._stream, TLSStream):
            self._stream.share()

    def fileno(self) -> int:
        """The descriptor of the stream below."""
        return self._stream.fileno()

    def peer_address(self) -> Any:
        """The address that the stream below is connected to."""
        return self._stream.peer_address()

    @property
    def agreed(self) -> tuple[Any, threading.Lock, Sequence[bytes]]:
        """The TLS object, which knows what was agreed on, and the lock to ask it under.

        Third, the certificates of the connection whose session this one goes on with.
        """
        return self._tls, self._lock, self._chain

    @property
    def session(self) -> tuple[Any, Any]:
        """The context, and a session that another connection with it can go on with, or None."""
        if type(self._tls) is not ssl.SSLObject:
            return self._context, None
        with self._lock:
            return self._context, self._tls.session

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


# Errors -----------------------------------------------------------------------------------------


def explain(error: OSError, host: str, port: int) -> RequestException:
    """The exception for a TLS failure in or after the handshake with `host`; raise it `from error`.

    `error` is what `TLSStream` raised: an ssl.SSLError, or an OSError of the stream below.
    """
    if isinstance(error, RequestException):
        return error
    text = f"connecting to {authority(host, port)}: {reason(error)}"
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
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refused the handshake: it may require a client"
    " certificate, or other ciphers",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server requires a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server did not accept the client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the server cannot use the client certificate",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "to the server the client certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "to the server the client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server did not accept the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not know the client certificate's authority",
    "TLSV1_ALERT_ACCESS_DENIED": "the server denied access",
    "TLSV1_UNRECOGNIZED_NAME": "the server knows no such host",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": "the server speaks none of the protocols offered",
    "UNEXPECTED_EOF_WHILE_READING": "the server closed in the TLS handshake",
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "the file holds no certificate",
}


def reason(error: OSError) -> str:
    """What happened, in words."""
    message = getattr(error, "verify_message", None)
    if message:
        return str(message).rstrip(".")
    reason = getattr(error, "reason", None)
    if reason:
        return _PLAIN_WORDS.get(reason) or str(reason).lower().replace("_", " ")
    text = error.strerror or str(error)
    return "the file is not what PEM has to be" if "PEM lib" in text else text


def _failure(text: str) -> ssl.SSLError:
    return ssl.SSLError(ssl.SSL_ERROR_SSL, text)
