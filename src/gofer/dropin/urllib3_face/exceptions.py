"""urllib3's names for what can go wrong, each one of gofer's exceptions."""

from gofer.exceptions import (
    ChunkedEncodingError,
    ConnectTimeout,
    ContentDecodingError,
    GoferWarning,
    InsecureRequestWarning,
    InvalidURL,
    NameResolutionError,
    ProxyError,
    ReadTimeout,
    RequestException,
    RetryError,
    SSLError,
    Timeout,
)

__all__ = [
    "ConnectTimeoutError", "DecodeError", "DependencyWarning", "HTTPError", "HTTPWarning",
    "InsecureRequestWarning", "LocationParseError", "MaxRetryError", "NameResolutionError",
    "NewConnectionError", "ProtocolError", "ProxyError", "ReadTimeoutError", "SSLError",
    "SecurityWarning", "TimeoutError",
]  # fmt: skip

HTTPError = RequestException
HTTPWarning = SecurityWarning = DependencyWarning = GoferWarning
MaxRetryError = RetryError
ProtocolError = ChunkedEncodingError
DecodeError = ContentDecodingError
TimeoutError = Timeout
ReadTimeoutError = ReadTimeout
ConnectTimeoutError = ConnectTimeout
NewConnectionError = ConnectTimeout
LocationParseError = InvalidURL
