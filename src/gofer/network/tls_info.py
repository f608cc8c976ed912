"""What was agreed on with a server in TLS: `response.tls`."""

import ssl
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["TLSInfo"]


class _Secured(Protocol):
    """A stream over TLS, or QUIC."""

    @property
    def agreed(self) -> tuple[Any, Any, Sequence[bytes]]:
        """What knows what was agreed on, the lock to ask it under, certificates of before."""


class TLSInfo:
    """What the TLS of a connection came to.

    It keeps the connection's TLS object, not its socket, and can be asked after the connection is
    closed.
    """

    __slots__ = ("_earlier_chain", "_stream_lock", "_tls")

    def __init__(self, stream: _Secured) -> None:
        self._tls, self._stream_lock, self._earlier_chain = stream.agreed

    @property
    def version(self) -> str:
        """The version of the protocol, such as "TLSv1.3"."""
        return self._ask("version") or ""

    @property
    def cipher(self) -> str:
        """The cipher suite's name, such as "TLS_AES_256_GCM_SHA384"."""
        cipher = self._ask("cipher")
        return cipher[0] if cipher else ""

    @property
    def group(self) -> str | None:
        """The key exchange's group, such as "X25519MLKEM768"; None where Python does not tell."""
        return self._ask("group")  # type: ignore[no-any-return]

    @property
    def alpn(self) -> str | None:
        """The protocol chosen by ALPN, such as "h2"; None if none was."""
        return self._ask("selected_alpn_protocol")  # type: ignore[no-any-return]

    @property
    def certificate(self) -> bytes:
        """The server's certificate in DER (RFC 5280)."""
        return self._ask("getpeercert", True) or b""

    @property
    def subject(self) -> dict[str, Any]:
        """The certificate's fields, as `ssl.SSLSocket.getpeercert()`; empty with verify=False."""
        return self._ask("getpeercert") or {}

    @property
    def chain(self) -> list[bytes]:
        """The certificates that the server sent, its own first, in DER.

        A server that goes on with an earlier session sends none (RFC 8446, 2.2): it is that one's.
        """
        return [_der(sent) for sent in self._ask("get_unverified_chain") or self._earlier_chain]

    def _ask(self, name: str, *arguments: Any) -> Any:
        method = getattr(self._tls, name, None)
        if method is None:  # what Python does not show before 3.13
            method = getattr(getattr(self._tls, "_sslobj", None), name, None)
        if method is None:
            return None
        with self._stream_lock:
            return method(*arguments)

    def __repr__(self) -> str:
        return f"<TLSInfo {self.version} {self.cipher}>"


def _der(certificate: Any) -> bytes:
    """A certificate as bytes, whatever kind of context it comes from."""
    if isinstance(certificate, bytes):
        return certificate
    encoded: bytes
    try:  # ssl and its like would give PEM unless told
        encoded = certificate.public_bytes(ssl._ssl.ENCODING_DER)  # type: ignore[attr-defined]
    except TypeError:  # rtls knows nothing else
        encoded = certificate.public_bytes()
    return encoded
