"""Call over session over package: how what one call says is merged with what its session holds.

Plain functions from values to values: nothing here sends, waits, or remembers. None as a value
in a call's dict leaves out what the session would send.
"""

import re
from collections.abc import Mapping
from typing import Any

from gofer.config import REQUEST, ROUTE, TIMEOUTS, Config, Settings, default_of, defaults
from gofer.messages.fields import Headers, given_fields
from gofer.messages.request import check_hooks
from gofer.messages.url import URL, with_params
from gofer.network.proxies import Alone
from gofer.network.proxies import merged as merged_proxies
from gofer.network.router import Router
from gofer.timeouts import timeouts_from

__all__ = [
    "checked_proxies",
    "default_headers",
    "marked_as_left",
    "merged_headers",
    "merged_hooks",
    "own_headers",
    "prefetch_from",
    "proxies_from",
    "settings_for_call",
    "url_with_params",
    "with_priority",
]

# What a call may say that leads another way to the origin
_LEADS_ELSEWHERE = frozenset(("verify", "cert", "proxies", *ROUTE))

# A dictionary of urgency and "incremental" (RFC 9218, 4; RFC 8941, 3.2)
_PRIORITY = r"(u=[0-7]|i(=\?[01])?)(, ?(u=[0-7]|i(=\?[01])?))?"


# Settings -----------------------------------------------------------------------------------------


def settings_for_call(
    settings: Settings,
    session_timeout: Any,
    *,
    timeout: Any = None,
    allow_redirects: bool = True,
    proxies: Any = None,
    stream: bool | None = None,
    verify: Any = None,
    cert: Any = None,
    prefetch: bool | None = None,
    config: Mapping[str, Any] | None = None,
    deadline: float | None = None,
) -> Settings:
    """`settings`, the session's, with what one call says itself."""
    changes: dict[str, Any] = {"allow_redirects": bool(allow_redirects)}
    timeouts = settings.timeouts
    if config is not None:
        checked = Config(config)
        changes |= checked.own_of(REQUEST)
        if "base_headers" in checked:
            changes["base_headers"] = checked["base_headers"]
        if timeout is None and session_timeout is None:
            timeout = dict.get(checked, "timeout")
        if deadline is None:
            deadline = dict.get(checked, "deadline")
        timeouts = timeouts.replace(**checked.own_of(TIMEOUTS))
    if timeout is not None:
        timeouts = timeouts_from(timeout, timeouts)
    if deadline is not None:
        timeouts = timeouts.replace(total=deadline)
    changes["timeouts"] = timeouts
    wanted = prefetch_from(prefetch, stream)
    if wanted is not None:
        changes["prefetch"] = wanted
    if verify is not None:
        changes["verify"] = verify
    if cert is not None:
        changes["cert"] = cert
    if proxies is not None:
        changes["proxies"] = merged_proxies(settings.proxies, checked_proxies(proxies))
    changed = settings.replace(**changes)
    if not changes.keys().isdisjoint(_LEADS_ELSEWHERE):
        changed.router = Router(changed)
    return changed


def checked_proxies(proxies: Any) -> Mapping[str, Any]:
    """`proxies`, if it is a mapping; or one that says that a callable is to be asked.

    Raises:
        TypeError: it is neither.
    """
    if callable(proxies):
        return Alone({"all": proxies})
    if not isinstance(proxies, Mapping):
        raise TypeError(
            f"proxies: got {type(proxies).__name__}, expected a dict such as"
            " {'https': 'http://proxy.example:3128'}, or a callable that takes a URL"
        )
    return proxies


def proxies_from(proxy: Any, proxies: Any) -> Any:
    """`proxies` as they are said by `proxy`: a URL, a list of them for a chain, or a callable.

    Raises:
        ValueError: both are given.
        TypeError: it is none of these.
    """
    if proxy is None:
        return proxies
    if proxies is not None:
        raise ValueError("proxy and proxies are two ways to say it; give one of them")
    if not (isinstance(proxy, str | list | tuple) or callable(proxy)):
        raise TypeError(
            f"proxy: got {type(proxy).__name__}, expected a URL such as"
            " 'http://proxy.example:3128', a list of them, or a callable that takes a URL"
        )
    return Alone({"all": proxy})


def prefetch_from(prefetch: bool | None, stream: bool | None) -> bool | None:
    """One setting by its two names.

    Raises:
        ValueError: they contradict each other.
    """
    if stream is None:
        return None if prefetch is None else bool(prefetch)
    if prefetch is not None and bool(prefetch) == bool(stream):
        raise ValueError(
            f"prefetch={prefetch!r} and stream={stream!r} contradict each other; give one of them"
        )
    return not stream


# Fields -------------------------------------------------------------------------------------------

_base_headers: tuple[int, Headers] | None = None


def default_headers() -> Headers:
    """The package's base_headers as a new mapping."""
    global _base_headers
    known = _base_headers
    if known is None or known[0] != defaults.version:
        known = _base_headers = (defaults.version, Headers(default_of("base_headers")))
        known[1].encode()
    return known[1].copy()


def merged_headers(own: Headers, headers: Any, base: Mapping[str, Any] | None) -> Headers:
    """The call's over the session's over `base`, the base_headers if they were set."""
    merged = Headers(own)
    if base is not None:
        for name in default_of("base_headers"):
            if merged.get(name) == default_headers().get(name):
                merged.pop(name, None)
        for name, value in base.items():
            merged.setdefault(name, value)
    for name, value in given_fields(headers):
        merged[name] = value
    for name in [name for name, value in merged.items() if value is None]:
        del merged[name]
    merged.encode()  # refuses what cannot be sent, before anything is
    return merged


def with_priority(headers: Any, priority: Any) -> list[tuple[str, Any]]:
    """A call's headers with a Priority field (RFC 9218, 4 and 5).

    Raises:
        ValueError: it is none.
    """
    is_number = isinstance(priority, int) and not isinstance(priority, bool)
    value = f"u={priority}" if is_number else priority
    if not isinstance(value, str) or not re.fullmatch(_PRIORITY, value):
        raise ValueError(
            f"priority is {priority!r:.40}: expected 0 (most urgent) to 7, or both of what"
            ' RFC 9218 knows, "u=1, i"'
        )
    return [*given_fields(headers), ("Priority", value)]


def own_headers(headers: Headers) -> dict[str, Any]:
    """A session's fields without those that every session has."""
    base = default_headers()
    return {name: value for name, value in headers.items() if base.get(name) != value}


# The query ----------------------------------------------------------------------------------------


def url_with_params(url: URL, own: Any, params: Any) -> URL:
    """The session's params, then the call's; for names in both the call's count."""
    if own and isinstance(params, Mapping):
        own = [pair for pair in _pairs(own) if pair[0] not in params]
    if own:
        url = with_params(url, own)
    return with_params(url, params) if params else url


def _pairs(params: Any) -> list[tuple[Any, Any]]:
    if isinstance(params, Mapping):
        return list(params.items())
    if isinstance(params, (str, bytes)):
        from urllib.parse import parse_qsl

        text = params if isinstance(params, str) else params.decode()
        return parse_qsl(text, keep_blank_values=True)
    return list(params)


def _grouped(pairs: list[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Pairs as a dict of lists."""
    groups: dict[Any, list[Any]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


# Hooks --------------------------------------------------------------------------------------------


def merged_hooks(own: Mapping[str, Any], hooks: Any) -> dict[str, Any]:
    """The call's callbacks of an event in place of the session's; None switches them off."""
    merged = {
        event: [callbacks] if callable(callbacks) else list(callbacks)
        for event, callbacks in own.items()
        if callbacks
    }
    for event, callbacks in check_hooks(hooks).items():
        if callbacks is None:
            merged.pop(event, None)
        elif callbacks:
            merged[event] = callbacks
    return merged


def marked_as_left(name: str, seen: Any, left: Any) -> Any:
    """What an `args` hook left of one dict argument, to be merged with the session's once more.

    What the hook saw and took away is marked with None. `seen` is None for an argument that it
    saw as it was given (a query as text or pairs, a jar).
    """
    if seen is None:
        return left
    if name == "params" and left and not isinstance(left, Mapping):
        if not seen:
            return left
        left = _grouped(_pairs(left))
    marked = type(seen)(dict.fromkeys(seen))
    marked.update(left or {})
    return marked
