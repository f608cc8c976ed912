"""What may be given to a call, for type checkers and editors: `RequestOptions` and its kin.

Nothing of gofer imports this when it runs. It serves those who wrap gofer, too:

    def fetch(path: str, **options: Unpack[gofer.RequestOptions]) -> gofer.Response:
        return session.get(BASE + path, **options)

An option that a method takes in a place of its own must not be among the others (PEP 692), which
is why there are several of these.
"""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from http.cookiejar import CookieJar
from os import PathLike
from ssl import SSLContext
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from gofer.sessions import Session
from gofer.timeouts import Timeouts

__all__ = [
    "BulkOptions", "EventOptions", "GetOptions", "OpeningOptions", "PostOptions", "PutOptions",
    "RequestOptions", "SendOptions",
]  # fmt: skip


class Readable(Protocol):
    """A file, as far as sending one goes."""

    def read(self, size: int, /) -> str | bytes:
        """At most `size` of what is left."""


Url: TypeAlias = str | bytes | Any  # whose str() is a URL
Params: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Any, Any]] | str | bytes
Data: TypeAlias = (
    str | bytes | Mapping[Any, Any] | Iterable[Any] | AsyncIterable[str | bytes] | Readable
)
Files: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]]
FieldValue: TypeAlias = str | bytes | None
Fields: TypeAlias = (
    Mapping[str, FieldValue] | Mapping[bytes, FieldValue] | Iterable[tuple[str | bytes, FieldValue]]
)
Cookies: TypeAlias = Mapping[str, str | None] | Iterable[tuple[str, str]] | CookieJar
Auth: TypeAlias = tuple[str | bytes, str | bytes] | Callable[[Any], Any] | Literal[False]
Timeout: TypeAlias = float | tuple[float | None, float | None] | Timeouts
Proxies: TypeAlias = Mapping[str, Any] | Callable[[str], Any]
Proxy: TypeAlias = str | Sequence[str] | Callable[[str], Any]
Hooks: TypeAlias = Mapping[str, Callable[..., Any] | Iterable[Callable[..., Any]] | None]
Verify: TypeAlias = bool | str | PathLike[str] | SSLContext
Pem: TypeAlias = str | bytes | PathLike[str]
Cert: TypeAlias = Pem | tuple[Pem, Pem | None] | tuple[Pem, Pem | None, str | bytes | None]


class _Settings(TypedDict, total=False):
    timeout: Timeout | None
    """Seconds; (connect, read); or `Timeouts`."""
    deadline: float | None
    """Seconds for everything together, reading the content included."""
    allow_redirects: bool
    """Whether redirects are followed; True, but for a HEAD."""
    proxies: Proxies | None
    """Proxy URLs by scheme or host, merged over the session's; or a function of the URL."""
    verify: Verify | None
    """True, False, a path to certificates, or an `ssl.SSLContext`."""
    cert: Cert | None
    """Client certificate: a path, (certificate, key), or (certificate, key, password)."""
    config: Mapping[str, Any] | None
    """Settings for this call, merged over the session's."""


class SendOptions(_Settings, total=False):
    """Of `send`."""

    stream: bool | None
    """Whether the content is read when it is asked for; the opposite of `prefetch`."""
    prefetch: bool | None
    """Whether the content is read before the call returns."""


class _Fields(TypedDict, total=False):
    headers: Fields | None
    """Header fields; None as a value leaves out what the session would send."""
    cookies: Cookies | None
    """Cookies for this request only; None as a value leaves one out."""
    auth: Auth | None
    """Credentials; False for none although the session has some."""
    hooks: Hooks | None
    """Callbacks by event, added to the session's."""


class _OneProxy(TypedDict, total=False):
    proxy: Proxy | None
    """In the place of `proxies`: one URL, a list for a chain, or a function of the URL."""


class OpeningOptions(_Settings, _OneProxy, _Fields, total=False):
    """Of `websocket`, for its opening."""

    params: Params | None
    """Added to the URL's query."""


class _CallOptions(SendOptions, _OneProxy, _Fields, total=False):
    files: Files | None
    """Files for multipart/form-data."""
    priority: int | str | None
    """How urgent it is, from 0, the most, to 7; or a Priority field (RFC 9218)."""


class GetOptions(_CallOptions, total=False):
    """Of `get`, where `params` has a place of its own."""

    data: Data | None
    """The content: a form, bytes, a file, an iterator."""
    json: Any
    """The content: a JSON value."""


class PostOptions(_CallOptions, total=False):
    """Of `post`, where `data` and `json` have."""

    params: Params | None
    """Added to the URL's query."""


class PutOptions(PostOptions, total=False):
    """Of `put` and `patch`, where `data` has."""

    json: Any
    """The content: a JSON value."""


class RequestOptions(PutOptions, total=False):
    """The options of a call, by name, for `**options: Unpack[RequestOptions]`."""

    data: Data | None
    """The content: a form, bytes, a file, an iterator."""


class EventOptions(RequestOptions, total=False):
    """Of `events`."""

    method: str | bytes
    """GET if it is left out."""


class BulkOptions(TypedDict, total=False):
    """Of `map`, and but for `ordered` of `imap`."""

    prefetch: bool | None
    """Whether contents are read before a response is handed out; they are, if it is left out."""
    stream: bool | None
    """The opposite of `prefetch`."""
    session: Session | None
    """Whose defaults, cookies, auth and hooks count."""
    per_host: int | None
    """How many may be open to one origin."""
    rate: float | None
    """Requests begun per second."""
    rate_per_host: float | None
    """Requests begun per second, for each origin."""
    deadline: float | None
    """Seconds for the whole run."""
    dedupe: bool
    """A safe request equal to one that is under way shares its response."""
    on_error: Literal["keep", "raise"]
    """Whether a request that failed has a falsy response in its place, or stops everything."""
    progress: bool | Callable[[int, int, int | None], Any]
    """True for a bar on a terminal; or a function of (done, failed, total or None)."""
