"""What `map` and `imap` are given: how it is read, and what one item of it says of itself."""

from collections.abc import Iterable, Iterator, Sized
from time import monotonic
from typing import Any

from gofer.dropin.models import PreparedRequest, Request
from gofer.exceptions import RequestException
from gofer.messages.url import parse

__all__ = ["Input", "origin_of", "session_of_first", "sharing_key", "url_as_given"]

QUICK = 0.001  # seconds; who takes longer for an item waits for something
PAUSE = 0.1  # of the time that an item took: the run gets a tenth slower at most

SHARED_METHODS = frozenset(
    ("GET", "HEAD", "OPTIONS")
)  # RFC 9110, 9.2.1: safe, so one answer serves


class Input:
    """The requests of a run. They are read in the caller's thread: nothing goes on meanwhile.

    A quick input is read as far as the limits of the run allow. A slow one is read item by item,
    with a pause after each in which the run goes on.

    Attributes:
        total: how many there are, if that is known.
        is_open: there may be more.
        is_slow: an item took its time not long ago (the next page of a listing), or none has come.
        pause: until when the run should go on before the next item, monotonic seconds; or None.
    """

    def __init__(self, requests: Iterable[Any]) -> None:
        if _is_one_request(requests):
            raise TypeError(
                f"{type(requests).__name__} is one request, expected an iterable of them: [request]"
            )
        self.total = len(requests) if isinstance(requests, Sized) else None
        self.is_open = True
        self.is_slow = not isinstance(requests, list | tuple)
        self.pause: float | None = None
        self._items: Iterator[Any] = iter(requests)
        self._watched = 1  # items until it counts as quick

    def read(self) -> Any:
        """The next item. Raises `StopIteration`, and whatever the input raises: it is over then."""
        began = monotonic()
        try:
            item = next(self._items)
        except BaseException:
            self.is_open = False
            raise
        seconds = monotonic() - began
        if seconds > QUICK:
            self.is_slow = True
            # A turn of the run costs a hundredth of QUICK, so there may be as many more of them.
            self._watched = int(seconds / QUICK)
            self.pause = began + (1 + PAUSE) * seconds
        elif self.is_slow:
            self._watched -= 1
            self.is_slow = self._watched > 0
            self.pause = began  # one turn
        return item

    def end_pause(self, under_way: int) -> None:
        """Let the input be read again, if its pause is over or there is nothing to wait for."""
        if self.pause is not None and (not under_way or monotonic() >= self.pause):
            self.pause = None

    def close(self) -> None:
        """Read no more."""
        self.is_open = False


def _is_one_request(given: Any) -> bool:
    """True for what would otherwise be read letter by letter, or key by key."""
    if isinstance(given, dict):  # but one whose keys are URLs is fine
        return "url" in given
    return isinstance(given, str | bytes | bytearray | Request | PreparedRequest)


def session_of_first(requests: Any) -> Any:
    """The session of the first of `requests`, if they are a list and it has one."""
    if not isinstance(requests, list | tuple) or not requests:
        return None
    return getattr(requests[0], "session", None)


def origin_of(given: Any) -> Any:
    """The origin an item will be sent to first; None for what is no request."""
    if isinstance(given, PreparedRequest):
        return given.url_parsed.origin
    try:
        return parse(_url_of(given)).origin
    except (RequestException, TypeError, ValueError):
        return None  # it will fail by itself, with its own error


def url_as_given(given: Any) -> str | None:
    """The URL of an item as text, not looked at; None for what has none."""
    url = _url_of(given)
    if isinstance(url, bytes):
        return url.decode("utf-8", "backslashreplace")
    return None if url is None or isinstance(url, int | float | set | list | tuple) else str(url)


def _url_of(given: Any) -> Any:
    if isinstance(given, Request | PreparedRequest):
        return given.url
    if isinstance(given, dict):
        return given.get("url")
    if isinstance(given, tuple | list):
        return given[1] if len(given) > 1 else None
    return given


def sharing_key(given: Any) -> Any:
    """What two items have in common when they can share a response; None for those that cannot.

    Only safe methods without content share (RFC 9110, 9.2.1).
    """
    if isinstance(given, str):
        return "GET", given
    if isinstance(given, (tuple, list)) and len(given) == 2:
        method, url = given
        if isinstance(method, str) and isinstance(url, str) and method.upper() in SHARED_METHODS:
            return method.upper(), url
    if isinstance(given, Request) and not (given.data or given.files or given.json or given.auth):
        method = str(given.method).upper()
        if method in SHARED_METHODS and not given.options and not any(given.hooks.values()):
            return method, given.full_url, repr(given.headers), repr(given.cookies), given.session
    return None
