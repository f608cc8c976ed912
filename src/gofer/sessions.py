"""`Session`: the blocking face, with what Requests' users know a session by.

Behaviour lives below (`client.py` has the road of a request); here is how its coroutines are
driven, one `send(None)` each, and the steps of Requests' own road that users replace. Where none of
them is replaced, none of them is called. Where one is (`dropin/replaced.py` notices it),
`dropin/steps.py` goes Requests' way, step by step.

A session may be shared between threads, survives fork (connections are not inherited) and pickles
(without connections).
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gofer.client import Client
from gofer.config import Settings
from gofer.dropin.models import PreparedRequest, Response
from gofer.dropin.replaced import Replaceable, remember, watches
from gofer.exceptions import InvalidSchema
from gofer.messages.url import parse
from gofer.runtime.base import Runtime
from gofer.runtime.blocking import runtime
from gofer.stages.redirects import (
    RULES,
    Rules,
    drop_credentials,
    keeps_credentials,
    method_after,
    redirect_target,
    renew_authorization,
)

if TYPE_CHECKING:
    from typing import Self

    from gofer.listening import AsyncEventStream, EventStream
    from gofer.websocket import AsyncWebSocket, WebSocket

__all__ = ["Session", "SessionRedirectMixin", "session"]


class SessionRedirectMixin:
    """What a session decides about redirects, each by a method that can be replaced."""

    max_redirects: int
    trust_env: bool

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a prepared request."""
        raise NotImplementedError

    def get_redirect_target(self, resp: Any) -> str | None:
        """Where `resp` leads, as its Location says; None if it is no redirect."""
        target = redirect_target(resp)
        return None if target is None else target.decode("utf-8", "replace")

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        """True if credentials for `old_url` must not be shown to `new_url`."""
        return not keeps_credentials(parse(old_url), parse(new_url))

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """Leave the next request the credentials that may be shown where it goes."""
        before = response.request.url
        if before is not None and self.should_strip_auth(before, prepared_request.url):
            drop_credentials(prepared_request)
        renew_authorization(prepared_request)

    def rebuild_method(self, prepared_request: Any, response: Any) -> None:
        """Give the next request the method that `response` asks for."""
        settings = prepared_request.settings
        prepared_request.method = method_after(
            response.status_code, prepared_request.method, settings
        )

    def rebuild_proxies(self, prepared_request: Any, proxies: Any) -> dict[str, Any]:
        """The proxies for where the next request goes, by `proxies` and the environment.

        Proxy-Authorization is set anew, for a plain http request only: in a tunnel the origin
        would see it.
        """
        from gofer.dropin import steps

        return steps.rebuild_proxies(prepared_request, proxies, self.trust_env)

    def resolve_redirects(
        self,
        resp: Any,
        req: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
        yield_requests: bool = False,
        **adapter_kwargs: Any,
    ) -> Iterator[Any]:
        """Follow the redirects of `resp`, the response to `req`: each response on the way.

        Args:
            yield_requests: only the next request, which is not sent.

        Raises:
            TooManyRedirects: more than `max_redirects`.
        """
        from gofer.dropin import steps

        return steps.resolve_redirects(
            self, resp, req, yield_requests=yield_requests, stream=stream, timeout=timeout,
            verify=verify, cert=cert, proxies=proxies, **adapter_kwargs,
        )  # fmt: skip


class Session(SessionRedirectMixin, Replaceable, Client[Response, "WebSocket", "EventStream"]):
    """Requests that share defaults, cookies and connections.

        with gofer.Session(timeout=10) as s:
            r = s.get("https://example.com/")

    Threads may share it. What a call says counts before what its session says. Without `with`,
    `close()` lets go of idle connections, and so does dropping it.
    """

    _runtime_: Runtime = runtime
    _drive_ = staticmethod(runtime.run)

    _adapters_: Any = None

    def _conversation_(self, socket: "AsyncWebSocket") -> "WebSocket":
        from gofer.websocket import WebSocket

        return WebSocket(socket, self._drive_)

    def _listening_(self, events: "AsyncEventStream") -> "EventStream":
        from gofer.listening import EventStream

        return EventStream(events, self._drive_)

    def _choose_runtime_(self, name: str) -> None:
        if name == "gevent":
            from gofer.runtime.gevent import runtime as cooperative

            self._runtime_ = cooperative
        elif name != "blocking":
            raise ValueError(f"runtime is {name!r}: expected 'gevent' or 'blocking'")

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        super().close()
        if self._adapters_ is not None:
            for adapter in self._adapters_.values():
                adapter.close()

    # As in Requests -----------------------------------------------------------------------------

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a `PreparedRequest`; options: stream, prefetch, timeout, verify, cert, proxies,
        allow_redirects, config, deadline; any others are for the adapter.

        Raises:
            ValueError: it is a `Request`, which has to be prepared first.
        """
        if not self._goes_by_steps_():
            return self._drive_(self._send_(request, **kwargs))  # type: ignore[no-any-return]
        from gofer.dropin import steps

        return self._drive_(steps.send(self, request, **kwargs))  # type: ignore[no-any-return]

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """What a call to `url` would use for proxies, stream, verify and cert."""
        from gofer.dropin import steps

        return steps.merge_environment_settings(self, url, proxies, stream, verify, cert)

    # Adapters -----------------------------------------------------------------------------------

    @property
    def adapters(self) -> Any:
        """The mounted adapters, longest prefix first."""
        if self._adapters_ is None:
            from collections import OrderedDict

            from gofer.dropin.adapters import HTTPAdapter

            self.adapters = OrderedDict(
                (prefix, HTTPAdapter._default_of(self)) for prefix in ("https://", "http://")
            )
        return self._adapters_

    @adapters.setter
    def adapters(self, value: Any) -> None:
        self._adapters_ = value
        self._has_steps_ = True  # whoever looks at an adapter may change it

    def mount(self, prefix: str, adapter: Any) -> None:
        """Send requests whose URL starts with `prefix` by `adapter`; the longest prefix wins."""
        adapters = self.adapters
        adapters[prefix] = adapter
        for key in [key for key in adapters if len(key) < len(prefix)]:
            adapters[key] = adapters.pop(key)

    def get_adapter(self, url: str) -> Any:
        """The adapter for `url`.

        Raises:
            InvalidSchema: none is mounted for it.
        """
        lowered = url.lower()
        for prefix, adapter in self.adapters.items():
            if lowered.startswith(prefix.lower()):
                return adapter
        raise InvalidSchema(f"No connection adapters were found for {url!r}")

    # Requests' way, where a step is replaced ------------------------------------------------------

    def _make_settings_(self) -> Settings:
        if self._replaces_a_step_():
            self._has_steps_ = True
        return super()._make_settings_()

    def _by_steps_(self, settings: Settings, timeout: Any, *arguments: Any) -> Any:
        from gofer.dropin import steps

        return steps.request(self, settings, timeout, *arguments)

    @property
    def _redirect_rules_(self) -> Rules:  # type: ignore[override]
        if not self._replaces_a_step_():
            return RULES
        from gofer.dropin import steps

        return steps.rules_of(self)

    # Its life -----------------------------------------------------------------------------------

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        install = sys.modules.get("gofer.dropin.install")
        if install is not None and install.is_installed():
            from gofer.dropin.giving_way import give_way

            give_way(cls)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        chosen = vars(self).get("_runtime_")
        if chosen is not None:
            state["arguments"]["runtime"] = chosen.name
        if self._adapters_ is not None:
            state["adapters"] = self._adapters_
        return state


remember(Session)

if TYPE_CHECKING:
    session = Session
else:

    def session(*args: Any, **kwargs: Any) -> Session:
        """Exactly `Session(...)`, by its name of 2012."""
        return Session(*args, **kwargs)


def __getattr__(name: str) -> Any:
    """Names that programs take from here though they live elsewhere; they patch one of them."""
    if name != "get_netrc_auth":
        from gofer.dropin.incidental import find

        return find(__name__, name)
    from gofer.dropin.steps import get_netrc_auth

    def is_patched() -> bool:
        return globals().get(name, get_netrc_auth) is not get_netrc_auth

    if not any(watch.__name__ == is_patched.__name__ for watch in watches):
        watches.append(is_patched)
    return get_netrc_auth
