"""The redirects stage: follow a Location, as browsers and Requests do (RFC 9110, 15.4).

`next_request` decides everything about one hop, by `Rules` where a session may want something
else. Credentials belong to the origin they were given for: on leaving it they are gone for the rest
of the chain, even if it comes back.
"""

import re
from time import monotonic
from typing import Any

from gofer.exceptions import (
    RequestException,
    TooManyRedirects,
)
from gofer.messages.response_head import REDIRECT_STATUS_CODES
from gofer.messages.url import URL, resolve
from gofer.stages import Send

__all__ = [
    "SECRET_FIELDS", "Rules", "drop_credentials", "hop", "keeps_credentials", "method_after",
    "next_request", "redirect_target", "redirects", "renew_authorization", "rewind",
]  # fmt: skip

# Fields that are credentials; none of them follows to another origin. Longer than Requests' list:
# tokens in fields of their own leak in every client that looks only at Authorization.
SECRET_FIELDS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "api-key",
     "apikey", "x-access-token", "x-amz-security-token", "x-csrf-token", "x-xsrf-token",
     "x-goog-api-key", "x-gitlab-token", "private-token", "x-vault-token", "x-shopify-access-token",
     "x-functions-key", "ocp-apim-subscription-key", "x-auth-key", "x-session-token",
     "x-secret-key", "authentication", "x-authorization")
)  # fmt: skip

# Fields that describe content, which is not sent on when the method becomes GET.
CONTENT_FIELDS = (
    "content-length", "content-type", "transfer-encoding", "content-encoding", "content-language",
    "content-location", "expect", "digest", "content-digest", "repr-digest", "content-md5",
)  # fmt: skip


class Rules:
    """What a session may decide about a redirect in another way than gofer does."""

    __slots__ = ()

    def target(self, response: Any) -> bytes | None:
        """Where `response` leads; None if it is no redirect."""
        return redirect_target(response)

    def method(self, following: Any, response: Any) -> str:
        """The method of the next hop, `following`, which still has that of the last."""
        return method_after(response.status_code, following.method, following.settings)

    def credentials(self, following: Any, response: Any, before: URL) -> None:  # noqa: ARG002
        """Leave `following` the credentials that may be shown where it goes, and no others."""
        after = following.url_parsed
        if not keeps_credentials(before, after):
            drop_credentials(following)
        elif (
            after.username is None
            and before.username is not None
            and (after.origin != before.origin)
        ):
            following.auth = None
        renew_authorization(following)

    def proxies(self, following: Any) -> None:
        """Choose the proxies of `following` anew: the route does, by its URL."""


RULES = Rules()


async def redirects(request: Any, send: Send) -> Any:
    """Send, and follow redirects until there are none, or too many. Errors have a `request`."""
    try:
        response = await send(request)
        if response.status_code not in REDIRECT_STATUS_CODES:
            return response
        if not request.settings.allow_redirects:
            response._next = _quietly_next(request, response)
            return response
        followed = 0
        while response.status_code in REDIRECT_STATUS_CODES:
            following = hop(request, response)
            if following is None:
                break
            followed += 1
            await _leave(request, response, followed)
            rewind(following, response)
            following.redirect_history = [*response.history, response]
            request = following
            response = await send(request)
            take_history(request, response)
        return response
    except RequestException as error:
        error.request = getattr(error, "request", None) or request
        raise


async def _leave(request: Any, response: Any, followed: int) -> None:
    """Be done with a redirect; that was one too many if it is over the limit."""
    settings = request.settings
    await response.discard(settings.max_drain)
    if followed > settings.max_redirects:
        raise TooManyRedirects(
            f"exceeded {settings.max_redirects} redirects (config: max_redirects)",
            request=request,
            response=response,
        )


def take_history(request: Any, response: Any) -> None:
    """Put the responses that led to `request` before those its answer already has."""
    if request.redirect_history:
        response.history = request.redirect_history + response.history
        request.redirect_history = None


def _quietly_next(request: Any, response: Any) -> Any:
    """What `Response.next` shows to those who follow by hand; None for a useless Location."""
    try:
        return next_request(response.request or request, response, _rules(request))
    except RequestException:
        return None


def _rules(request: Any) -> Rules:
    return RULES if request.session is None else request.session._redirect_rules_


def hop(request: Any, response: Any, rules: Rules | None = None) -> Any:
    """The request that follows `response`, or None; an error carries both."""
    try:
        sent = response.request or request
        return next_request(sent, response, rules or _rules(request))
    except RequestException as error:
        response.close()
        error.request = error.request or request
        error.response = response
        raise


def rewind(following: Any, response: Any) -> None:
    """Make the content of the request that follows `response` ready; an error carries both."""
    try:
        following.rewind()
    except RequestException as error:
        error.request, error.response = following, response
        raise


def next_request(request: Any, response: Any, rules: Rules = RULES) -> Any:
    """The request a redirect asks for, or None if the response is none.

    Raises:
        InvalidURL, InvalidSchema, MissingSchema: the Location leads nowhere gofer goes.
    """
    target = rules.target(response)
    if target is None:
        return None
    if request.protocol is not None:
        target = re.sub(rb"(?i)^ws(s?):", rb"http\1:", target)
    before = request.url_parsed
    url = resolve(before, target)
    following = request.copy()
    following._url = url
    following.redirect_history = None
    following.method = rules.method(following, response)
    headers = following.headers
    if following.method != request.method or (
        response.status_code not in (307, 308) and following.method not in ("GET", "HEAD")
        and not (request.settings is not None and request.settings.strict_mode)
    ):  # fmt: skip
        _drop_content(following)
    if following._cookies is not None or "cookie" in request.stage_fields:
        headers.pop("Cookie", None)  # made for the last hop; the jar decides anew
    following.stage_fields = frozenset()
    if getattr(following.auth, "flow", None) is None and not _is_none_wanted(following):
        following.auth = None  # a callable runs once; the fields it set go on
    if not keeps_credentials(before, url):
        headers.pop("Host", None)  # the caller's own was for the origin that is left
    rules.credentials(following, response, before)
    rules.proxies(following)
    return following


def redirect_target(response: Any) -> bytes | None:
    """The Location field's bytes, if the status code means it."""
    if response.status_code not in REDIRECT_STATUS_CODES:
        return None
    if response.fields.has(b"location"):
        for name, value in response.fields.lines:
            if name.lower() == b"location":
                return value or None
    location = response.headers.get("location")  # set by a hook
    if not location:
        return None
    return location if isinstance(location, bytes) else location.encode("latin-1", "replace")


def method_after(status_code: int, method: str, settings: Any) -> str:
    """The method of the next hop (RFC 9110, 15.4; the browsers' GET for 301 and 302)."""
    if method == "HEAD" or status_code in (307, 308):
        return method
    if status_code == 303:
        return "GET"
    if settings is not None and settings.strict_mode:
        return method
    if status_code == 302:
        return "GET"
    return "GET" if method == "POST" else method


def keeps_credentials(before: URL, after: URL) -> bool:
    """True if what was meant for `before` may be shown to `after`.

    Same origin; and, as in Requests, the step from http to https on the default ports.
    """
    if before.origin == after.origin:
        return True
    return (
        before.host == after.host
        and (before.scheme, before.port) == ("http", 80)
        and (after.scheme, after.port) == ("https", 443)
    )


def _drop_content(request: Any) -> None:
    request.body = None
    request._body_position = None
    headers = request.headers
    for name in CONTENT_FIELDS:
        headers.pop(name, None)
    if request.method not in ("GET", "HEAD"):
        headers["Content-Length"] = "0"


def drop_credentials(request: Any) -> None:
    """Forget every credential, for this hop and all after it."""
    headers = request.headers
    for name, before in (request.auth_fields or {}).items():
        if name not in headers or name in CONTENT_FIELDS:  # content may be the scheme's, too
            continue
        del headers[name]
        if before is not None:
            headers[before[0]] = before[1]
    request.auth_fields = None
    more = {name.lower() for name in (request.settings.secret_headers if request.settings else ())}
    for name in list(headers):
        if name.lower() in SECRET_FIELDS or name.lower() in more:
            del headers[name]
    if not _is_none_wanted(request):
        request.auth = None
    request.cookie_overrides = None
    request._cookies = None
    settings = request.settings
    if settings is not None and settings.cert is not None:
        request.settings = settings.replace(cert=None)
        request.settings.router = type(settings.router)(request.settings)


def _is_none_wanted(request: Any) -> bool:
    """True if the caller said that there are to be no credentials, wherever this leads."""
    from gofer.stages.auth import NoAuth

    return isinstance(request.auth, NoAuth)


def renew_authorization(request: Any) -> None:
    """Credentials that the new URL itself brings: its userinfo, or netrc for its host."""
    from gofer.stages.auth import credentials_for

    if request.auth is None and "authorization" not in request.headers:
        auth = credentials_for(
            request.url_parsed, request.environment, monotonic(), is_redirected=True
        )
        if auth is not None:
            auth(request)
