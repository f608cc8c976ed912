"""urllib3's names for what can go wrong, each one of gofer's exceptions."""

from gofer.exceptions import (
    ChunkedEncodingError,
    ConnectionError,
    ConnectTimeout,
    ContentDecodingError,
    GoferWarning,
    InsecureRequestWarning,
    InvalidHeader,
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
    "ClosedPoolError", "ConnectTimeoutError", "DecodeError", "DependencyWarning", "HTTPError",
    "HTTPWarning", "InsecureRequestWarning", "InvalidHeader", "LocationParseError",
    "LocationValueError", "MaxRetryError", "NameResolutionError", "NewConnectionError",
    "ProtocolError", "ProxyError", "ReadTimeoutError", "ResponseError", "SSLError",
    "SecurityWarning", "TimeoutError",
]  # fmt: skip

HTTPError = RequestException
HTTPWarning = SecurityWarning = DependencyWarning = GoferWarning
MaxRetryError = ResponseError = RetryError
ProtocolError = ChunkedEncodingError
DecodeError = ContentDecodingError
TimeoutError = Timeout
ReadTimeoutError = ReadTimeout
ConnectTimeoutError = ConnectTimeout
NewConnectionError = ConnectTimeout
LocationParseError = LocationValueError = InvalidURL
ClosedPoolError = ConnectionError
