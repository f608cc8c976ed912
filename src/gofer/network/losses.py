"""What is said of a connection that broke.

Over TLS the peer may have said why, in an alert. A server of TLS 1.3 that misses our certificate,
or does not accept it, says so when the handshake is over for us (RFC 8446, 4.4.2.4), and then
resets what we have sent meanwhile: that is an `SSLError` as much as one in the handshake.
"""

from typing import Any

from gofer.exceptions import ConnectionLost, RequestException, SSLError

__all__ = ["lost", "why"]


def lost(
    error: BaseException, stream: Any, peer: str, doing: str, *, is_new: bool
) -> RequestException:
    """The exception for `error`, by which `stream` broke; raise it `from error`.

    Args:
        is_new: nothing has come over it yet. One that has worked may be ended by an alert as well
            as by a reset, and one asks again; what is wrong shows on the next one then.
    """
    cause = why(error, stream)
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    if is_new and cause is _alert(stream):
        return SSLError(f"connecting to {peer}: {words}")
    return ConnectionLost(f"{peer}: the connection broke while {doing}: {words}")


def why(error: BaseException, stream: Any) -> BaseException:
    """What the peer said before the connection broke by `error`; `error` if that was nothing."""
    return _alert(stream) or error


def _alert(stream: Any) -> OSError | None:
    is_tls = hasattr(stream, "last_word")
    return stream.last_word() if is_tls else None
