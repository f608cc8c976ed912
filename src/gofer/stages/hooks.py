"""Hooks: the caller's callbacks, and the verbose log, around requests on the wire.

`args` runs in the face, before there is a request. Here are the two stages of the rest:
`wire_hooks` just above the network (`pre_request`, `pre_send`, the verbose line: once per request
on the wire) and `answer_hooks` above auth (`response`, `post_request`: once per hop, with the
answer that counts).

How a callback is called is decided by its signature: one that takes today's keyword arguments is
given them and its errors propagate; any other is called the way of 2012, with the data alone, and
an error becomes a `HookWarning`. `config["hook_errors"]` overrides.
"""

import warnings
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import HookWarning
from gofer.messages.request import PreparedRequest, WithHooks
from gofer.messages.response import Response
from gofer.stages import Send
from gofer.stages.redirects import take_history

__all__ = ["answer_hooks", "dispatch", "verbose_line", "wire_hooks"]

# What Requests hands to a response hook, beside the response
KEYWORDS = ("timeout", "verify", "proxies", "stream", "cert")

_EXPECTED = dict.fromkeys(("pre_request", "pre_send", "post_request"), "a request")

# Every failure of a hook is shown, not only the first from a place.
warnings.simplefilter("always", HookWarning, append=True)


async def wire_hooks(request: Any, send: Send) -> Any:
    """`pre_request` and `pre_send`, then one line to the verbose stream, then the wire."""
    hooks = request._hooks
    if hooks:
        for event in ("pre_request", "pre_send"):
            if hooks.get(event):
                replaced = await dispatch(event, hooks, request, WithHooks, request.settings)
                if replaced is not request:
                    request = _sendable(replaced, request)
    stream = request.settings.verbose
    if stream is not None:
        stream.write(verbose_line(request))
    return await send(request)


async def answer_hooks(request: Any, send: Send) -> Any:
    """`response` with the answer, then `post_request` with the request it belongs to."""
    response = await send(request)
    hooks = request._hooks
    if not hooks:
        return response
    settings = request.settings
    take_history(request, response)
    if hooks.get("response"):
        response = await dispatch("response", hooks, response, Response, settings)
    if hooks.get("post_request"):
        request.response = response
        replaced = await dispatch("post_request", hooks, request, WithHooks, settings)
        if replaced.response is not None:
            response = replaced.response
    return response


async def dispatch(event: str, hooks: Any, data: Any, expected: type, settings: Any) -> Any:
    """What is left of `data` after every callback of `event`, each given the last one's result.

    A callback that returns None changes nothing, but for what it did to the object itself.

    Raises:
        TypeError: a callback returned something that cannot take the place of its data.
    """
    callbacks = hooks.get(event) or ()
    if callable(callbacks):
        callbacks = (callbacks,)
    for callback in callbacks:
        modern = event == "response" and takes_keywords(callback)
        try:
            if modern:
                result = callback(data, **_keywords(settings))
            else:
                result = callback(data)
            if hasattr(result, "__await__"):  # an async def: not for synchronous faces
                result = await result
        except Exception as error:
            policy = settings.hook_errors
            if policy == "raise" or (policy is None and modern):
                raise
            _warn(event, callback, error)
            continue
        if result is None:
            continue
        if not isinstance(result, expected):
            raise TypeError(
                f"hook {event!r} ({_name(callback)}) returned {type(result).__name__},"
                f" expected {_EXPECTED.get(event, expected.__name__)} or None"
            )
        data = result
    return data


def takes_keywords(callback: Any) -> bool:
    """True if `callback` takes the keyword arguments that Requests gives response hooks."""
    from inspect import Parameter, signature

    try:
        parameters = signature(callback).parameters.values()
    except (TypeError, ValueError):
        return False
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
        return True
    return set(KEYWORDS) <= {parameter.name for parameter in parameters}


def _keywords(settings: Any) -> dict[str, Any]:
    timeouts = settings.timeouts
    return {
        "timeout": (timeouts.connect, timeouts.read),
        "verify": settings.verify,
        "proxies": settings.proxies,
        "stream": not settings.prefetch,
        "cert": settings.cert,
    }


def _sendable(replaced: Any, request: Any) -> Any:
    """A request that took another's place, prepared, to be sent as the other was to be."""
    if not isinstance(replaced, PreparedRequest):
        session = request.session
        replaced = replaced.prepare() if session is None else session.prepare_request(replaced)
    for name in ("settings", "deadline", "environment", "session", "adapter_arguments"):
        setattr(replaced, name, getattr(request, name))
    return replaced


def _warn(event: str, callback: Any, error: Exception) -> None:
    import traceback

    text = "".join(traceback.format_exception(error)).rstrip()
    warnings.warn(
        f"hook {event!r} ({_name(callback)}) raised {type(error).__name__}: {error}\n{text}",
        HookWarning,
        stacklevel=level_of_caller(),
    )


def _name(callback: Any) -> str:
    return getattr(callback, "__qualname__", None) or type(callback).__name__


def verbose_line(request: Any) -> str:
    """`2011-08-17T03:04:23.380175   GET   http://httpbin.org/headers`, in local time.

    Without the fragment, the password masked.
    """
    from datetime import datetime

    now = datetime.now().isoformat(timespec="microseconds")
    return f"{now}   {request.method}   {request.url_parsed.redacted}\n"
