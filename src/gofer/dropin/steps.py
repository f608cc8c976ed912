"""Requests' way through a session, step by step, each step by a method that can be replaced.

    request ▸ prepare_request ▸ merge_environment_settings ▸ send ▸ get_adapter ▸ adapter.send
                                                             ▸ resolve_redirects ▸ send …

A session goes this way when somebody replaced one of these methods, or looked at its adapters; any
other takes the shorter path of `client.py`. The decisions are made by the same stages; this module
only says which methods are called, and in which order.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from time import monotonic
from typing import Any

from gofer import sessions
from gofer.dropin.cookies import (
    RequestsCookieJar,
    cookiejar_from_dict,
    extract_cookies_to_jar,
    merge_cookies,
)
from gofer.dropin.deciding import Decided, decide
from gofer.dropin.models import PreparedRequest, Request
from gofer.exceptions import RequestException, TooManyRedirects
from gofer.messages.response import Response
from gofer.messages.url import DEFAULT_PORTS, URL, parse
from gofer.network.environment import read as read_environment
from gofer.network.proxies import choose_proxy, merged, proxy_headers
from gofer.preparing import prepare
from gofer.stages import Send
from gofer.stages.auth.netrc import lookup
from gofer.stages.redirects import Rules, drop_credentials, hop, keeps_credentials, rewind

__all__ = [
    "follow",
    "get_netrc_auth",
    "merge_environment_settings",
    "merge_hooks",
    "merge_setting",
    "prepare_request",
    "rebuild_proxies",
    "request",
    "resolve_redirects",
    "rules_of",
    "send",
    "send_by_adapter",
    "to_key_val_list",
]

# The arguments of `send` that are gofer's alone: no adapter is given them.
_OURS = ("allow_redirects", "prefetch", "config", "deadline")


# A call -------------------------------------------------------------------------------------------


def request(
    session: Any,
    settings: Any,
    timeout: Any,
    method: Any,
    url: Any,
    params: Any,
    data: Any,
    headers: Any,
    cookies: Any,
    files: Any,
    auth: Any,
    hooks: Any,
    json: Any,
) -> Any:
    """The response to a call on `session`; `settings` are the call's over the session's."""
    if isinstance(url, bytes):
        url = url.decode()
    if isinstance(method, str):
        method = method.upper()
    wanted = Request(method, url, headers, files, data, params, auth, cookies, hooks, json)
    prepared = session.prepare_request(wanted)
    sent_with = session.merge_environment_settings(
        prepared.url, copy(settings.proxies), not settings.prefetch, settings.verify, settings.cert
    )
    if isinstance(prepared, PreparedRequest):
        prepared.call_settings = settings
    allow_redirects = settings.allow_redirects
    return session.send(prepared, timeout=timeout, allow_redirects=allow_redirects, **sent_with)


def prepare_request(session: Any, request: Any) -> PreparedRequest:
    """`Session.prepare_request`: `request` merged over the session."""
    settings = session._settings_now_()
    arguments = request.as_arguments()
    arguments["headers"] = request._headers_to_send() or None
    auth = request.auth
    if not auth and not session.auth and session.trust_env:
        arguments["auth"] = sessions.get_netrc_auth(request.url)
    arguments["cookies"] = None  # below
    if PreparedRequest._parsed(request.url).scheme not in DEFAULT_PORTS:  # an adapter may know it
        target = PreparedRequest._parsed(request.url, params=request.params)
        arguments.update(url=target, params=None)
    prepared = prepare(session, settings, **arguments)
    for name in [name for name, value in prepared.headers.items() if value is None]:
        del prepared.headers[name]
    if not prepared.has_field("cookie"):
        prepared.prepare_cookies(_cookies_with(session, request.cookies))
        prepared.cookie_overrides = request.cookies
    auth = prepared.auth
    if auth is not None:
        prepared.auth = None
        prepared.prepare_auth(auth)
    return prepared


def merge_setting(request_setting: Any, session_setting: Any, dict_class: Any = OrderedDict) -> Any:
    """A call's setting over the session's: mappings key by key, where None takes one away."""
    if session_setting is None or request_setting is None:
        return session_setting if request_setting is None else request_setting
    if not (isinstance(session_setting, Mapping) and isinstance(request_setting, Mapping)):
        return request_setting
    merged = dict_class(to_key_val_list(session_setting))
    merged.update(to_key_val_list(request_setting))
    for name in [name for name, value in merged.items() if value is None]:
        del merged[name]
    return merged


def merge_hooks(request_hooks: Any, session_hooks: Any, dict_class: Any = OrderedDict) -> Any:
    """A call's hooks over the session's; without any `response` hook one stands for nothing."""
    if session_hooks is None or session_hooks.get("response") == []:
        return request_hooks
    if request_hooks is None or request_hooks.get("response") == []:
        return session_hooks
    return merge_setting(request_hooks, session_hooks, dict_class)


def to_key_val_list(value: Any) -> list[tuple[Any, Any]] | None:
    """A mapping, or pairs, as a list of pairs; None stays None.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, str | bytes | bool | int):
        raise ValueError("cannot encode objects that are not 2-tuples")
    return list(value.items()) if isinstance(value, Mapping) else list(value)


def get_netrc_auth(url: Any, raise_errors: bool = False) -> tuple[str, str] | None:
    """User name and password that netrc has for the host of `url`; None if it has none.

    Args:
        raise_errors: of no effect: a file that cannot be read holds nothing.
    """
    del raise_errors
    try:
        host = parse(url).host
    except RequestException:
        return None
    return lookup(host, read_environment().netrc, monotonic())


def _cookies_with(session: Any, cookies: Any) -> Any:
    jar = merge_cookies(RequestsCookieJar(), session.cookies)
    if cookies is not None:
        if isinstance(cookies, Mapping) and not hasattr(cookies, "add_cookie_header"):
            cookies = cookiejar_from_dict(dict(cookies))
        jar = merge_cookies(jar, cookies)
    return jar


def merge_environment_settings(
    session: Any, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
) -> dict[str, Any]:
    """`Session.merge_environment_settings`: call over session over environment."""
    environment = read_environment() if session.trust_env else None
    said = merged(session.proxies, proxies or {})
    if environment is not None and verify in (None, True) and session.verify in (None, True):
        verify = environment.ca_bundle or verify
    return {
        "proxies": decide(PreparedRequest._parsed(url), said, environment),
        "stream": session.stream if stream is None else stream,
        "verify": session.verify if verify is None else verify,
        "cert": session.cert if cert is None else cert,
    }


# A prepared request -------------------------------------------------------------------------------


async def send(session: Any, request: Any, **arguments: Any) -> Any:
    """`Session.send`, by the session's adapter."""
    ours = {name: arguments.pop(name) for name in _OURS if name in arguments}
    if "prefetch" not in ours:
        arguments.setdefault("stream", session.stream)
    arguments.setdefault("verify", session.verify)
    arguments.setdefault("cert", session.cert)
    if "proxies" not in arguments and isinstance(request, PreparedRequest):
        environment = read_environment() if session.trust_env else None
        arguments["proxies"] = decide(request.url_parsed, session.proxies, environment)
    shared = {
        name: arguments[name]
        for name in ("stream", "timeout", "verify", "cert", "proxies")
        if name in arguments
    }
    return await session._send_(request, **ours, **shared, adapter_arguments=arguments)


async def send_by_adapter(request: Any) -> Any:
    """What is at the bottom of the stages: the adapter that the session has for the URL."""
    session = request.session
    arguments = request.adapter_arguments
    adapter = session.get_adapter(url=request.url)
    settings = request.settings
    arguments.setdefault("stream", not settings.prefetch)
    started = monotonic()
    response = adapter.send(request, **arguments)
    if isinstance(response, Response) and response.fields is Response.fields:
        # It did not come from gofer's network: it was made by hand, or by an adapter of the user's.
        response._elapsed = response._elapsed or monotonic() - started
        response.request = response.request or request
        for one in (*response.history, response):
            if one.raw is not None:
                extract_cookies_to_jar(session.cookies, one.request, one.raw)
    return response


# Redirects ----------------------------------------------------------------------------------------


async def follow(request: Any, send: Send) -> Any:
    """The stage in the place of `redirects`: `resolve_redirects` says what is followed."""
    response = await send(request)
    settings = request.settings
    arguments = dict(request.adapter_arguments)
    session = request.session
    if settings.allow_redirects:
        request.outer_deadline = request.deadline
        try:
            history = [response, *session.resolve_redirects(response, request, **arguments)]
        finally:
            request.outer_deadline = None
        last = history.pop()
        if history:
            last.history = history
        return last
    following = session.resolve_redirects(response, request, yield_requests=True, **arguments)
    response._next = _first(following)
    return response


def _first(requests: Iterator[Any]) -> Any:
    """The request that would follow; None if there is none, or the Location is of no use."""
    try:
        return next(requests, None)
    except RequestException:
        return None


def resolve_redirects(
    session: Any, resp: Any, req: Any, *, yield_requests: bool, **arguments: Any
) -> Iterator[Any]:
    """`SessionRedirectMixin.resolve_redirects`: the responses that follow `resp`, one by one."""
    rules = rules_of(session)
    deadline = req.outer_deadline
    history: list[Any] = []
    while (following := hop(req, resp, rules)) is not None:
        history += [one for one in resp.history if one not in history]
        resp.history = list(history)
        history.append(resp)
        if yield_requests:
            yield following
            return
        if len(history) > session.max_redirects:
            raise TooManyRedirects(
                f"Exceeded {session.max_redirects} redirects.", request=req, response=resp
            )
        _let_go(resp)
        rewind(following, resp)
        following.outer_deadline = deadline
        _renew_cookies(session, following, req, resp)
        arguments["proxies"] = session.rebuild_proxies(following, arguments["proxies"])
        req = following
        resp = session.send(req, **{**arguments, "allow_redirects": False})
        yield resp


def _renew_cookies(session: Any, following: Any, request: Any, response: Any) -> None:
    """If the request was prepared with its own jar: store what came, and set what goes out."""
    jar = following._cookies
    if jar is None:
        return
    if response.raw is not None:
        extract_cookies_to_jar(jar, request, response.raw)
    merge_cookies(jar, session.cookies)
    following.prepare_cookies(jar)


def _let_go(response: Any) -> None:
    """Give the connection of a response back, or close it where too much is left to read."""
    source = getattr(response, "_source", None)
    if source is not None:
        source.run(response.discard())
        return
    with suppress(OSError, RuntimeError):
        response.content  # noqa: B018  (reads it)
    response.close()


def rebuild_proxies(prepared_request: Any, proxies: Any, trust_env: bool) -> dict[str, Any]:
    """`SessionRedirectMixin.rebuild_proxies`."""
    url = prepared_request.url_parsed
    decided = decide(url, proxies, read_environment() if trust_env else None)
    chosen = choose_proxy(url, decided, None)
    prepared_request.headers.pop("Proxy-Authorization", None)
    if chosen is not None and url.scheme != "https":
        prepared_request.headers.update(proxy_headers(chosen))
    return decided


class _RulesOfSession(Rules):
    """The decisions about redirects, made by a session's own methods, replaced or not."""

    __slots__ = ("session",)

    def __init__(self, session: Any) -> None:
        self.session = session

    def target(self, response: Any) -> bytes | None:
        target = self.session.get_redirect_target(response)
        if not target:
            return None
        return target if isinstance(target, bytes) else target.encode()

    def method(self, following: Any, response: Any) -> str:
        self.session.rebuild_method(following, response)
        return following.method  # type: ignore[no-any-return]

    def credentials(self, following: Any, response: Any, before: URL) -> None:
        """All but Authorization goes where gofer's rules say; that is the session's to decide."""
        if self._replaces("rebuild_auth") and not keeps_credentials(before, following.url_parsed):
            value, auth = following.headers.get("Authorization"), following.auth
            drop_credentials(following)
            following.auth = auth
            if value is not None:
                following.headers["Authorization"] = value
        if response.request is None:
            response.request = following
        self.session.rebuild_auth(following, response)

    def proxies(self, following: Any) -> None:
        if following.adapter_arguments is not None or not self._replaces("rebuild_proxies"):
            return  # by steps, `resolve_redirects` asks
        settings = following.settings
        given = {} if settings is None else settings.proxies
        proxies = self.session.rebuild_proxies(
            following, given if isinstance(given, Decided) else dict(given)
        )
        if settings is not None:
            following.settings = settings.replace(proxies=proxies)
            following.settings.router = type(settings.router)(following.settings)

    def _replaces(self, name: str) -> bool:
        from gofer.sessions import SessionRedirectMixin

        method = getattr(self.session, name)
        return getattr(method, "__func__", None) is not getattr(SessionRedirectMixin, name)


def rules_of(session: Any) -> Rules:
    """The rules of a session that is asked for each decision."""
    return _RulesOfSession(session)
