"""Connections and responses of urllib3's, where an adapter or a mocking library brings its own.

urllib3 is no dependency: whoever brings one of its objects has it. Its errors are told by their
names, and become Requests'.
"""

from importlib import import_module
from typing import Any

from gofer.dropin.models import Response
from gofer.exceptions import (
    ChunkedEncodingError,
    ConnectionError,
    ConnectTimeout,
    ContentDecodingError,
    InvalidHeader,
    ProxyError,
    ReadTimeout,
    RetryError,
    SSLError,
)
from gofer.messages.fields import Headers
from gofer.messages.media import encoding_from_headers
from gofer.timeouts import Timeouts, timeouts_from

__all__ = ["error_from", "is_theirs", "response_from", "send"]


def send(pool: Any, request: Any, target: str, timeout: Any, max_retries: Any) -> Any:
    """The response of urllib3's `pool` to `request`.

    Raises:
        RequestException: in the place of urllib3's own errors.
    """
    timeouts = timeouts_from(timeout, Timeouts())
    is_chunked = not (request.body is None or "Content-Length" in request.headers)
    try:
        timeout = import_module("urllib3.util").Timeout(
            connect=timeouts.connect, read=timeouts.read
        )
        return pool.urlopen(
            method=request.method,
            url=target,
            body=request.body,
            headers=request.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=_their_retry(max_retries),
            timeout=timeout,
            chunked=is_chunked,
        )
    except Exception as error:
        if not (is_theirs(error) or isinstance(error, OSError)):
            raise
        raise error_from(error, request) from error


def _their_retry(max_retries: Any) -> Any:
    """`max_retries` as urllib3's own `Retry`: the adapter may be older than its import."""
    retry = import_module("urllib3.util").Retry
    if isinstance(max_retries, int | retry) or not hasattr(max_retries, "total"):
        return max_retries
    return retry(**vars(max_retries))


def is_theirs(error: BaseException) -> bool:
    """True for an error of urllib3's, under whichever name it was imported first."""
    module = type(error).__module__
    return module.removeprefix("gofer.packages.").partition(".")[0] == "urllib3"


# By the name of urllib3's class; the first that the error is an instance of counts.
_SENDING = {
    "ConnectTimeoutError": ConnectTimeout,
    "ResponseError": RetryError,
    "ProxyError": ProxyError,
    "SSLError": SSLError,
    "ReadTimeoutError": ReadTimeout,
    "InvalidHeader": InvalidHeader,
}
_READING = {
    "ProtocolError": ChunkedEncodingError,
    "DecodeError": ContentDecodingError,
    "ReadTimeoutError": ConnectionError,
    "SSLError": SSLError,
}


def error_from(error: BaseException, request: Any, *, is_reading: bool = False) -> Any:
    """Requests' error for one of urllib3's."""
    reason = getattr(error, "reason", None)
    told = reason if isinstance(reason, BaseException) else error  # MaxRetryError tells why
    names = {cls.__name__ for cls in type(told).__mro__}
    if "NewConnectionError" in names:  # a ConnectTimeoutError, to urllib3
        return ConnectionError(error, request=request)
    for name, ours in (_READING if is_reading else _SENDING).items():
        if name in names:
            return ours(error, request=request)
    return ConnectionError(error, request=request)


def response_from(request: Any, theirs: Any) -> Response:
    """A `Response` whose content is read from a response of urllib3's, or what looks like one."""
    from gofer.dropin.cookies import extract_cookies_to_jar

    response = Response()
    response.status_code = getattr(theirs, "status", None)  # type: ignore[assignment]
    response.headers = Headers(getattr(theirs, "headers", {}))
    response.encoding = encoding_from_headers(response.headers)
    response.raw = theirs
    response.reason = getattr(theirs, "reason", None)
    url = request.url
    response.url = url.decode() if isinstance(url, bytes) else url
    extract_cookies_to_jar(response.cookies, request, theirs)
    return response
