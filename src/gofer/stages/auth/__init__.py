"""The auth stage: a request gets its credentials, and a challenge its answer.

    basic.py        Basic (RFC 7617)
    digest.py       Digest (RFC 7616)
    netrc.py        passwords from the netrc file

A scheme is any callable that takes the request and returns it with credentials (Requests' way),
or a class below `AuthBase` with a `flow`: a generator that yields requests and receives their
responses (`response = yield request`); the last response is the result, earlier ones become its
history. Under an asynchronous face both may be `async def`. To add a scheme, write one file here
and its line in `SCHEMES`.

The stage runs once for each hop, below redirects, which take `request.auth` and the fields that it
has set away when a hop leaves the origin: so a scheme sees one origin at a time and can answer no
other. State is the
schemes' own (a Digest nonce).
"""

from collections.abc import AsyncGenerator, Generator
from time import time
from typing import TYPE_CHECKING, Any

from gofer.exceptions import RequestException
from gofer.messages.fields import Headers
from gofer.messages.request import PreparedRequest
from gofer.stages.auth.netrc import lookup

if TYPE_CHECKING:
    from gofer.messages.url import URL
    from gofer.network.environment import Environment
    from gofer.stages import Send
    from gofer.stages.auth.basic import HTTPBasicAuth, HTTPProxyAuth
    from gofer.stages.auth.digest import HTTPDigestAuth, HTTPProxyDigestAuth

__all__ = [
    "SCHEMES",
    "AuthBase",
    "HTTPBasicAuth",
    "HTTPDigestAuth",
    "HTTPProxyAuth",
    "HTTPProxyDigestAuth",
    "NoAuth",
    "apply",
    "auth",
    "claim_fields",
    "credentials_for",
    "from_argument",
]

# Where each scheme lives. It is imported when it is first named: most programs use one of them.
SCHEMES = {
    "HTTPBasicAuth": "basic",
    "HTTPProxyAuth": "basic",
    "HTTPDigestAuth": "digest",
    "HTTPProxyDigestAuth": "digest",
}


def __getattr__(name: str) -> Any:
    if name not in SCHEMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    scheme = getattr(import_module(f"{__name__}.{SCHEMES[name]}"), name)
    globals()[name] = scheme
    return scheme


Flow = Generator[Any, Any, None]
AsyncFlow = AsyncGenerator[Any, Any]


class AuthBase:
    """What auth schemes derive from: define `__call__`, or `flow` if answers matter."""

    # `def flow(self, request) -> Flow`, in schemes that have one.
    flow: Any = None

    def __call__(self, r: Any) -> Any:
        """Give the request its credentials and return it."""
        raise NotImplementedError("Auth hooks must be callable.")


class NoAuth(AuthBase):
    """No credentials: neither the session's, nor the URL's, nor netrc's. `auth=False` is this."""

    def __call__(self, r: Any) -> Any:
        return r

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoAuth)

    def __hash__(self) -> int:
        return hash(NoAuth)

    def __repr__(self) -> str:
        return "<NoAuth>"


# Which scheme ---------------------------------------------------------------------------------


def from_argument(auth: Any) -> Any:
    """What the caller gave as `auth`, as a scheme; None if it was None.

    Raises:
        TypeError: it is nothing that can be used.
    """
    if auth is None:
        return None
    if isinstance(auth, tuple | list):
        if len(auth) != 2:
            raise TypeError(f"auth: got {len(auth)} values, expected two: (username, password)")
        from gofer.stages.auth.basic import HTTPBasicAuth

        return HTTPBasicAuth(*auth)
    if auth is False:
        return NoAuth()
    if callable(auth):
        return auth
    raise TypeError(
        f"auth: got {type(auth).__name__}, expected (username, password), a callable that takes"
        " the request, such as HTTPDigestAuth(...), or False for none"
    )


def credentials_for(
    url: "URL", environment: "Environment | None", now: float, *, is_redirected: bool = False
) -> Any:
    """The scheme for a request that has none: the URL's userinfo, else netrc; or None.

    A user name without a password counts only where netrc has no entry for the very host.

    Args:
        environment: None if it is not to be trusted.
        now: monotonic seconds.
        is_redirected: a server led here, so that netrc's `default` entry does not count: it
            would be handed to anybody (curl's CVE-2024-11053 and after).
    """
    found = own = None
    if url.userinfo is not None and (url.username or url.password):
        own = url.username or "", url.password or ""
        is_redirected = True  # netrc's entry for the host counts, `default` does not
    if environment is not None and (own is None or not own[1]):  # as curl: no password, look it up
        found = lookup(url.host, environment.netrc, now, use_default=not is_redirected)
    if found is None:
        found = own
        if found is None:
            return None
    from gofer.stages.auth.basic import HTTPBasicAuth

    return HTTPBasicAuth(*found)


# The stage ------------------------------------------------------------------------------------


async def auth(request: Any, send: "Send") -> Any:
    """Send `request` the way its scheme says.

    Raises:
        TypeError: the scheme returned something else than a request.
        UnrewindableBodyError: a challenge came, and the content cannot be sent again.
    """
    scheme = request.auth
    if scheme is None:
        return await send(request)
    flow = getattr(type(scheme), "flow", None)
    if flow is not None:
        return await _follow(flow(scheme, request), request, send)
    await apply(scheme, request)
    return await send(request)


async def apply(scheme: Any, request: Any) -> None:
    """Call `scheme` with the request; if it returns another, that one's attributes replace ours.

    Raises:
        TypeError: it returned neither a request nor None, which stands for the same request.
    """
    body, before = request.body, request.sent_headers.copy()
    result = scheme(request)
    if hasattr(result, "__await__"):  # an async def: not for synchronous faces
        result = await result
    if result is not None and result is not request:
        if not isinstance(result, PreparedRequest):
            raise TypeError(
                f"auth {_name(scheme)} returned {type(result).__name__},"
                " expected the request it was given"
            )
        request.__dict__.update(result.__dict__)
    claim_fields(request, before)
    if request.body is not body:
        _describe_content(request)


def claim_fields(request: Any, before: Headers) -> None:
    """Note which fields a scheme has set since `before`: they go to no other origin."""
    changes = request.sent_headers.changes_since(before)
    if changes:
        request.auth_fields = {**changes, **(request.auth_fields or {})}


def _describe_content(request: Any) -> None:
    """Set the framing fields anew for content that has been replaced."""
    from gofer.messages.content import position

    for name in ("Content-Length", "Transfer-Encoding"):
        request.headers.pop(name, None)
    request._body_position = position(request.body)
    request.prepare_content_length(request.body)


def _name(scheme: Any) -> str:
    name = getattr(scheme, "__qualname__", None) or type(scheme).__qualname__
    return f"{name}()"


async def _follow(flow: Flow | AsyncFlow, request: Any, send: "Send") -> Any:
    """Send what `flow` yields until it ends; the last response, with those before it."""
    earlier: list[Any] = []
    before = request.sent_headers.copy()
    try:
        following = await _next(flow, None)
        if following is None:  # a flow that yields nothing has only edited the request
            following = request
        while True:
            _lend(following, request)
            claim_fields(following, before)
            response = await send(following)
            try:
                repeat = await _next(flow, response)
            except BaseException as error:
                response.close()
                if isinstance(error, RequestException):
                    error.request = error.request or following
                    error.response = error.response or response
                raise
            if repeat is None:
                break
            _hand_cookies_on(following, response, repeat)
            await response.discard(request.settings.max_drain)
            earlier.append(response)
            following = repeat
    finally:
        if isinstance(flow, AsyncGenerator):
            await flow.aclose()
        else:
            flow.close()
    if earlier:
        response.history = [*earlier, *response.history]
    return response


async def _next(flow: Flow | AsyncFlow, response: Any) -> Any:
    """The request that `flow` wants sent after `response`; None at its end."""
    try:
        if isinstance(flow, AsyncGenerator):
            return await flow.asend(response)
        return flow.send(response)
    except (StopIteration, StopAsyncIteration):
        return None


def _lend(following: Any, request: Any) -> None:
    """Give a request that a flow made by itself what it lacks of the call that it serves."""
    if following.settings is None:
        following.settings = request.settings
        following.environment = request.environment
        following.session = request.session
    if following.deadline is None:
        following.deadline = request.deadline
    if following.adapter_arguments is None:
        following.adapter_arguments = request.adapter_arguments


def _hand_cookies_on(request: Any, response: Any, repeat: Any) -> None:
    """Cookies of an answer that nobody above sees are kept, and sent if the origin is asked again.

    Servers tie a nonce to a cookie they set along with the challenge.
    """
    if not response.fields.has(b"set-cookie"):
        return
    from gofer.stages.cookies import cookie_field, keep_cookies

    now = time()
    keep_cookies(request, response, now)
    if repeat.settings is None or repeat.url_parsed.origin != request.url_parsed.origin:
        return
    field = cookie_field(repeat, now)
    if field is not None:
        repeat.headers["Cookie"] = field
        repeat.stage_fields = repeat.stage_fields | {"cookie"}
