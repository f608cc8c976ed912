"""Every exception and warning of gofer: Requests' names, and gofer's finer ones below them.

    RequestException (GoferError; an OSError)
     +- HTTPError                      raise_for_status(): a 4xx or 5xx answer
     +- URLRequired, UnrewindableBodyError
     +- TooManyRedirects
     +- RetryError                     the retry policy gave up
     +- InvalidMethod, InvalidHeader, MissingSchema, InvalidSchema, InvalidURL    (ValueError too)
     |   +- InvalidProxyURL
     +- LocalProtocolError             the caller's message would break HTTP (ValueError too)
     +- ConnectionError
     |   +- NameResolutionError        no address for the host
     |   +- ConnectionRefused          no address could be connected to
     |   +- ProxyError                 the proxy refused or misbehaved
     |   |   +- TunnelRefused          its answer to CONNECT was not 2xx
     |   +- SSLError
     |   |   +- CertificateError       the certificate was not accepted
     |   +- RemoteProtocolError        the peer sent something that is not HTTP
     |   |   +- UncertainFraming       the end of the content is ambiguous (InvalidHeader too)
     |   |   +- FieldSectionTooLarge   a limit on heads, fields or trailers
     |   +- ConnectionLost             the connection ended before the whole head had come
     |   |   +- IncompleteHead         in the middle of it (ChunkedEncodingError too)
     |   +- WebSocketClosed            nothing more can be sent or received
     |   +- ConnectTimeout, PoolTimeout, BodyReadTimeout    (Timeout too)
     +- Timeout
     |   +- ConnectTimeout, ReadTimeout, WriteTimeout, PoolTimeout, DeadlineExceeded
     |       +- BodyReadTimeout        a ReadTimeout while content was on its way
     +- ChunkedEncodingError           content was cut short or badly framed
     |   +- IncompleteContent          fewer bytes came than were promised
     +- ContentDecodingError           the content coding is broken
     |   +- TruncatedContent           the coded content ended early
     |   +- DecompressionBomb          it grows beyond the limit
     +- StreamConsumedError            (TypeError too)
     +- InvalidJSONError, JSONDecodeError

Messages say what was being done, what came and what was expected. They never hold a field
value, credentials or a query.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gofer.dropin.models import PreparedRequest, Response

__all__ = [
    "BodyReadTimeout",
    "CertificateError",
    "ChunkedEncodingError",
    "ConfigWarning",
    "ConnectTimeout",
    "ConnectionError",
    "ConnectionLost",
    "ConnectionRefused",
    "ContentDecodingError",
    "DeadlineExceeded",
    "DecompressionBomb",
    "FieldSectionTooLarge",
    "FileModeWarning",
    "GoferError",
    "GoferWarning",
    "HTTPError",
    "HookWarning",
    "IncompleteContent",
    "IncompleteHead",
    "InsecureRequestWarning",
    "InvalidHeader",
    "InvalidJSONError",
    "InvalidMethod",
    "InvalidProxyURL",
    "InvalidSchema",
    "InvalidURL",
    "JSONDecodeError",
    "LocalProtocolError",
    "MissingSchema",
    "NameResolutionError",
    "PoolTimeout",
    "ProxyError",
    "ReadTimeout",
    "RemoteProtocolError",
    "RequestException",
    "RequestsDependencyWarning",
    "RequestsWarning",
    "RetryError",
    "SSLError",
    "StreamConsumedError",
    "Timeout",
    "TooManyRedirects",
    "TruncatedContent",
    "TunnelRefused",
    "URLRequired",
    "UncertainFraming",
    "UnrewindableBodyError",
    "WebSocketClosed",
    "WriteTimeout",
]


class RequestException(OSError):
    """Anything that went wrong with a request.

    `request` is what was being sent and `response` what had come, each None if there was none yet.
    """

    if TYPE_CHECKING:
        request: PreparedRequest | None
        response: Response | None

    def __init__(self, *args: Any, request: Any = None, response: Any = None) -> None:
        super().__init__(*args)
        self.response = response
        self.request = request
        if request is None and response is not None:
            self.request = getattr(response, "request", None)

    def __reduce__(self) -> Any:
        return type(self)._rebuild, (type(self), self.args, self.__dict__.copy())

    @staticmethod
    def _rebuild(cls: Any, args: Any, state: Any) -> Any:
        error = cls.__new__(cls, *args)
        error.args = args
        error.__dict__.update(state)
        return error


GoferError = RequestException


class HTTPError(RequestException):
    """The status code says that the request failed (4xx, 5xx)."""

    if TYPE_CHECKING:  # it is about a response
        request: PreparedRequest
        response: Response


class URLRequired(RequestException):
    """A request needs a URL."""


class TooManyRedirects(RequestException):
    """More redirects came than `max_redirects` allows; `.response` is the last one."""


class RetryError(RequestException):
    """The retry policy used up its attempts; the last outcome is the cause or `.response`."""


class UnrewindableBodyError(RequestException):
    """The content has to be sent again and its source cannot go back to where it started."""


# What the caller wrote --------------------------------------------------------------------


class InvalidMethod(RequestException, ValueError):
    """The method is not a token (RFC 9110, 9.1)."""


class InvalidHeader(RequestException, ValueError):
    """A field name or field value cannot be sent (RFC 9110, 5)."""


class MissingSchema(RequestException, ValueError):
    """The URL has no scheme such as http or https."""


class InvalidSchema(RequestException, ValueError):
    """The URL's scheme is not one gofer can fetch."""


class InvalidURL(RequestException, ValueError):
    """The URL cannot be understood in exactly one way."""


class InvalidProxyURL(InvalidURL):
    """The proxy's URL cannot be understood."""


class LocalProtocolError(RequestException, ValueError):
    """Sending this message would break HTTP, for instance a Content-Length that is not true."""


# Reaching the server ------------------------------------------------------------------------


class ConnectionError(RequestException):
    """The connection could not be made, broke, or carried something that is not HTTP."""


class NameResolutionError(ConnectionError):
    """No address is known for the host."""


class ConnectionRefused(ConnectionError):
    """None of the host's addresses took the connection; the message names each."""


class ProxyError(ConnectionError):
    """The proxy could not be reached, refused, or broke the rules."""

    has_others = False  # of the origin's addresses, for the proxy to be asked for


class TunnelRefused(ProxyError):
    """The proxy answered CONNECT with the status code `.status_code`, which is not 2xx.

    `headers`: the fields of its answer; they are not the origin's.
    `is_challenge`: it asked for Digest credentials, which can be computed.
    """

    is_challenge = False

    def __init__(
        self, *args: Any, status_code: int | None = None, headers: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.status_code = status_code
        self.headers = headers


class SSLError(ConnectionError):
    """TLS failed."""


class CertificateError(SSLError):
    """The peer's certificate was not accepted, or is for another host."""


class RemoteProtocolError(ConnectionError):
    """The peer sent something that is not HTTP."""


class UncertainFraming(RemoteProtocolError, InvalidHeader):
    """Content-Length and Transfer-Encoding do not say unambiguously where the content ends."""


class FieldSectionTooLarge(RemoteProtocolError):
    """A head, a trailer section or the number of interim responses went over its limit."""


class ConnectionLost(ConnectionError):
    """The peer closed or reset the connection before a whole response head had come.

    `is_reused`: the connection had carried other exchanges before. `is_unanswered`: no byte of a
    response came. `is_unsent`: nor was anything of the request sent. `is_refused`: the server said
    that it has not looked at it. `is_busy`: and that the connection goes on.
    """

    is_reused = False
    is_unanswered = False
    is_unsent = False
    is_refused = False
    is_busy = False


class WebSocketClosed(ConnectionError):
    """A WebSocket has ended: nothing more can be sent or received.

    `code`: int, why (RFC 6455, 7.4.1): 1000 if all is well, 1006 if the connection broke. `reason`:
    str, what the peer says about it.
    """

    def __init__(self, *args: Any, code: int = 1006, reason: str = "", **context: Any) -> None:
        super().__init__(*args, **context)
        self.code = code
        self.reason = reason


# Time -----------------------------------------------------------------------------------------


class Timeout(RequestException):
    """Something took too long; the subclass and the message say which limit it was."""


class ConnectTimeout(ConnectionError, Timeout):
    """No connection within the `connect` limit (name look-up, TCP, proxy and TLS together)."""


class ReadTimeout(Timeout):
    """The peer was silent, or its head incomplete, for longer than the `read` limit."""


class BodyReadTimeout(ReadTimeout, ConnectionError):
    """The peer fell silent in the middle of the content."""


class WriteTimeout(Timeout):
    """The peer did not take what we send within the `write` limit."""


class PoolTimeout(ConnectionError, Timeout):
    """No connection of the pool became free within the `pool` limit."""


class DeadlineExceeded(Timeout):
    """The `deadline` (or `total` timeout) for the whole call has passed."""


# Content --------------------------------------------------------------------------------------


class ChunkedEncodingError(RequestException):
    """The content was cut short, or its framing is broken."""


class IncompleteContent(ChunkedEncodingError):
    """The peer closed the connection before all of the content had come."""


class IncompleteHead(ConnectionLost, ChunkedEncodingError):
    """The peer closed the connection in the middle of a response head."""


class ContentDecodingError(RequestException):
    """The content does not decode by its Content-Encoding; `.partial` is what came before."""

    partial = b""


class TruncatedContent(ContentDecodingError):
    """The coded content ended before its own end mark."""


class DecompressionBomb(ContentDecodingError):
    """The content grows far beyond what was received (config: max_decoded_ratio)."""


class StreamConsumedError(RequestException, TypeError):
    """The content was already handed out by iteration."""


class InvalidJSONError(RequestException):
    """Something that should be JSON is not."""


class JSONDecodeError(InvalidJSONError, json.JSONDecodeError):
    """The content is not JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        json.JSONDecodeError.__init__(self, *args)
        InvalidJSONError.__init__(self, *self.args, **kwargs)

    def __reduce__(self) -> Any:
        return json.JSONDecodeError.__reduce__(self)


# Warnings -------------------------------------------------------------------------------------


class GoferWarning(Warning):
    """Base of gofer's warnings."""


RequestsWarning = GoferWarning


class HookWarning(GoferWarning, UserWarning):
    """A hook raised; the request went on without its result."""


class ConfigWarning(GoferWarning, UserWarning):
    """An unknown key in `config` or `proxies`."""


class InsecureRequestWarning(GoferWarning):
    """A request went over TLS without checking who answers."""


class FileModeWarning(RequestsWarning, DeprecationWarning):
    """A file was opened in text mode where bytes are sent."""


class RequestsDependencyWarning(RequestsWarning):
    """A dependency does not match the expected version."""
