"""From a call's arguments to a `PreparedRequest`: what `args` hooks leave of them, and the merging.

Nothing is sent here. How each argument is merged with what the session holds is in `precedence.py`.
"""

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from gofer.config import Settings
from gofer.dropin.models import PreparedRequest
from gofer.exceptions import InvalidMethod
from gofer.messages.fields import Headers
from gofer.messages.url import URL, parse
from gofer.network.environment import read as read_environment
from gofer.network.proxies import Alone
from gofer.precedence import (
    marked_as_left,
    merged_headers,
    merged_hooks,
    own_headers,
    url_with_params,
)
from gofer.stages.auth import credentials_for, from_argument

if TYPE_CHECKING:
    from gofer.client import Client

__all__ = ["after_args_hooks", "prepare"]


async def after_args_hooks(
    session: "Client[Any, Any, Any]", arguments: dict[str, Any]
) -> dict[str, Any]:
    """What the `args` hooks leave of a call's arguments, which they see merged with ours."""
    method = arguments["method"]
    if isinstance(method, bytes):
        method = str(method, "latin-1")
    if isinstance(method, str):
        arguments["method"] = method.upper()
    if arguments["auth"] is None:
        arguments["auth"] = session.auth
    if arguments["timeout"] is None:
        arguments["timeout"] = session._timeout_

    seen: dict[str, Any] = {"headers": Headers(own_headers(session._headers_))}
    ours = {"params": session.params, "proxies": session._proxies_, "config": session._config_}
    for name, values in ours.items():
        seen[name] = dict(values) if isinstance(values, Mapping) else {}
    seen["cookies"] = {}  # the jar decides when the URL is known
    for name in tuple(seen):
        given = arguments[name]
        is_whole = not (given is None or isinstance(given, dict)) or isinstance(given, Alone)
        if name != "headers" and is_whole:
            del seen[name]  # a query as text or pairs, a jar: seen as it was given
            continue
        seen[name].update(given or {})
        arguments[name] = {k: v for k, v in seen[name].items() if v is not None}

    settings = session._settings_now_()
    config = arguments["config"]
    if isinstance(config, Mapping) and "hook_errors" in config:
        settings = settings.replace(hook_errors=config["hook_errors"])
    from gofer.stages.hooks import dispatch

    left = await dispatch("args", arguments["hooks"], arguments, dict, settings)
    result = {**arguments, **left}

    for name in ("headers", "params", "proxies", "config", "cookies"):
        result[name] = marked_as_left(name, seen.get(name), result[name])
    if result["auth"] is None and session.auth is not None:
        result["auth"] = False
    # They have run; of the others, those that were taken away must not come back.
    result["hooks"] = {**dict.fromkeys(session.hooks), **(result["hooks"] or {}), "args": None}
    return result


def prepare(
    session: "Client[Any, Any, Any]",
    settings: Settings,
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
) -> PreparedRequest:
    """The call merged over the session, nothing sent yet."""
    request = PreparedRequest()
    request.settings = settings
    request.session = session
    environment = request.environment = read_environment() if settings.trust_env else None
    if type(method) is str:
        request.method = method.upper()
    else:
        if method is None:
            raise InvalidMethod("the method is None, expected str such as 'GET'")
        request.prepare_method(method)
    target = url if isinstance(url, URL) else parse(url, requote=settings.encode_uri)
    if params or session.params:
        request.params = params
        target = url_with_params(target, session.params, params)
    request._url = target

    session_headers = session._headers_
    shared = session._sent_headers_
    if shared is None or session_headers._encoded is not shared._encoded:
        session_headers.encode()
        shared = session._sent_headers_ = session_headers.copy()
    request._shared_headers = shared
    if headers or settings.base_headers is not None:
        request.headers = merged_headers(session_headers, headers, settings.base_headers)
    if not settings.keep_alive:
        request.headers["Connection"] = "close"
    if cookies is not None:
        request.cookie_overrides = cookies
    if data is not None or files is not None or json is not None:
        if not session._can_await_:
            from gofer.messages.content import refuse_async

            refuse_async(data)
        request.data, request.files = data, files
        given = request.sent_headers.get("content-length")
        request.prepare_body(data, files, json)
        if given is not None:
            request.check_length(given)
    elif request.method != "GET":
        request.prepare_content_length(None)
    if hooks is not None or any(session.hooks.values()):
        request.hooks = merged_hooks(session.hooks, hooks)
    if auth is None:
        auth = session.auth
    if auth is not None:
        request.auth = from_argument(auth)
    elif target.userinfo is not None or environment is not None:
        implied = credentials_for(target, environment, monotonic())
        if implied is not None and not request.has_field("authorization"):
            request.auth = implied
    if settings.timeouts.total is not None:
        request.deadline = monotonic() + settings.timeouts.total
    until = session._until_
    if until is not None and (request.deadline is None or until < request.deadline):
        request.deadline = until
    return request
