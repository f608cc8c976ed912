"""`Client`: a session's calls, from arguments to the answer, on whatever runtime the face drives.

A face (`Session`, `AsyncSession`, the bulk functions) says how a coroutine is driven and how to
wait; everything that happens in between is written here and below, once: `preparing.py` makes a
request of the arguments, `road.py` has the stages it goes through. State: the road, made when the
first request needs it.
"""

import re
from collections.abc import Coroutine, Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gofer.config import Settings, defaults
from gofer.dropin.models import PreparedRequest, Request, Response
from gofer.exceptions import HTTPError, RequestException
from gofer.messages.url import URL
from gofer.network.endings import when_dropped
from gofer.network.environment import read as read_environment
from gofer.network.exchange import Network
from gofer.network.pool import Pool
from gofer.precedence import (
    merged_hooks,
    prefetch_from,
    proxies_from,
    settings_for_call,
    with_priority,
)
from gofer.preparing import after_args_hooks, prepare
from gofer.road import PROTOCOL, Road
from gofer.stages.redirects import RULES
from gofer.state import SessionState
from gofer.verbs import Answer, Verbs

if TYPE_CHECKING:
    from typing import Unpack

    from gofer.arguments import (
        Auth,
        Cert,
        Cookies,
        Data,
        EventOptions,
        Fields,
        Files,
        Hooks,
        OpeningOptions,
        Params,
        Proxies,
        Proxy,
        SendOptions,
        Timeout,
        Url,
        Verify,
    )
    from gofer.listening import AsyncEventStream
    from gofer.websocket import AsyncWebSocket

__all__ = ["Client", "failed_response"]

Socket = TypeVar("Socket")  # what `websocket` gives
Events = TypeVar("Events")  # what `events` gives


class Client(SessionState, Verbs[Answer], Generic[Answer, Socket, Events]):
    """A session on any runtime: a face says how a coroutine is driven."""

    _road_: Road | None = None  # made for the first request
    _kept_roads_: Any = ()  # what a bulk run leaves to the next: a list of its `KeptRoad`
    _can_await_ = False  # the caller's own coroutines and async iterators, in hooks and content
    _redirect_rules_ = RULES
    _until_: float | None = None  # when its requests end, whatever their own limits: a run's limit

    def _drive_(self, coroutine: Coroutine[Any, Any, Any]) -> Answer:
        """What a call gives its caller: the face's own way to get a coroutine done."""
        raise NotImplementedError

    def _conversation_(self, socket: "AsyncWebSocket") -> Socket:
        """What a WebSocket is for the caller: one that waits, or one that is awaited."""
        raise NotImplementedError

    def _listening_(self, events: "AsyncEventStream") -> Events:
        """The same of events."""
        raise NotImplementedError

    @property
    def network(self) -> Network:
        """Pool and limits, made when the first connection is needed."""
        return (self._road_ or self._make_road_()).network

    def _make_road_(self) -> Road:
        pool = Pool(self._runtime_, self._pool_limits_())
        road = self._road_ = Road(Network(self._runtime_, self._limits_(), pool, self.alternatives))
        # For those who never call close().
        when_dropped(self, pool.abandon)
        return road

    # Calls --------------------------------------------------------------------------------------

    def request(
        self,
        method: str | bytes,
        url: "Url",
        params: "Params | None" = None,
        data: "Data | None" = None,
        headers: "Fields | None" = None,
        cookies: "Cookies | None" = None,
        files: "Files | None" = None,
        auth: "Auth | None" = None,
        timeout: "Timeout | None" = None,
        allow_redirects: bool = True,
        proxies: "Proxies | None" = None,
        hooks: "Hooks | None" = None,
        stream: bool | None = None,
        verify: "Verify | None" = None,
        cert: "Cert | None" = None,
        json: Any = None,
        *,
        prefetch: bool | None = None,
        config: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        return_response: bool = True,
        priority: int | str | None = None,
        proxy: "Proxy | None" = None,
    ) -> Answer:
        """Send a request and return its `Response`.

        Args:
            method: str such as "GET".
            url: str, bytes, or anything whose str() is a URL.
            params: dict, pairs, str or bytes, added to the URL's query.
            data, json, files: the content: a form, bytes, a file, an iterator; a JSON value;
                files for multipart/form-data.
            headers, cookies: dicts; None as a value leaves out what the session would send.
            auth: credentials; `False` for none although the session has some.
            timeout: seconds; (connect, read); or `Timeouts`.
            deadline: seconds for everything together, reading the content included.
            allow_redirects: follow redirects.
            proxies, hooks, config: dicts, merged over the session's.
            proxy: the URL of the one proxy for this call, a list of them for a chain, or a callable
                that takes a URL and returns either, or None; in the place of `proxies`.
            prefetch, stream: read the content before returning, or when it is asked for.
            verify, cert: as in `Session`.
            return_response: False returns the unsent `Request`.
            priority: how urgent it is beside others, from 0, the most, to 7 (3 if nothing is
                said), or what the Priority field says, such as "u=1, i" (RFC 9218).

        Raises:
            RequestException: see `gofer.exceptions` for the tree.
            ValueError, TypeError: arguments that contradict each other or are of no use.
        """
        return self._drive_(
            self._request_(
                method, url, params, data, headers, cookies, files, auth, timeout, allow_redirects,
                proxies, hooks, stream, verify, cert, json, prefetch, config, deadline,
                return_response, priority, proxy,
            )
        )  # fmt: skip

    def events(
        self,
        url: "Url",
        *,
        last_event_id: str = "",
        reconnects: int | None = None,
        **options: "Unpack[EventOptions]",
    ) -> Events:
        """Listen to server-sent events: an iterator of them, which connects again when it must.

        Args:
            last_event_id: begin behind this event.
            reconnects: how often to connect again; None for as often as it takes.
            options: as in `request`; `method` too.

        Raises:
            HTTPError: while iterating: the answer is neither 200 nor 204, which ends it.
            RemoteProtocolError: it is no event stream.
        """
        from gofer.listening import AsyncEventStream

        return self._listening_(AsyncEventStream(self, url, last_event_id, reconnects, options))

    def websocket(
        self,
        url: "Url",
        *,
        subprotocols: Iterable[str] = (),
        compress: bool = True,
        max_message: int = 16 * 1024 * 1024,
        heartbeat: float | None = 20.0,
        **options: "Unpack[OpeningOptions]",
    ) -> Socket:
        """Open a WebSocket: messages both ways. Of an `AsyncSession`, it is awaited, or entered.

        Args:
            url: ws:, wss:, http: or https:.
            subprotocols: names of what can be spoken inside, best first.
            compress: let messages be compressed (RFC 7692), if the server can.
            max_message: bytes that a message may have which is received.
            heartbeat: seconds of silence, while somebody receives, after which the peer is asked
                for a sign of life; None for never.
            options: params, headers, cookies, auth, timeout, deadline, allow_redirects, proxies,
                proxy, hooks, verify, cert, config: as in `request`, for the opening.

        Raises:
            ImportError: the extra `ws` is not installed.
            HTTPError: the server answers with something else; `response` is its answer.
            RemoteProtocolError: its answer does not fit to what was asked.
            RequestException: as `request`.
        """
        from gofer.websocket import AsyncWebSocket

        return self._conversation_(
            AsyncWebSocket(self, url, subprotocols, compress, max_message, heartbeat, options)
        )

    def send(self, request: PreparedRequest, **options: "Unpack[SendOptions]") -> Answer:
        """Send a `PreparedRequest`; options: stream, prefetch, timeout, verify, cert, proxies,
        allow_redirects, config, deadline.

        Raises:
            ValueError: it is a `Request`, which has to be prepared first.
        """
        return self._drive_(self._send_(request, **options))

    def prepare_request(self, request: Request) -> PreparedRequest:
        """A `PreparedRequest` of `request` merged over this session, to look at or to change."""
        from gofer.dropin import steps

        return steps.prepare_request(self, request)

    # The road of a request ----------------------------------------------------------------------

    async def _request_(
        self,
        method: Any,
        url: Any,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        cookies: Any = None,
        files: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = True,
        proxies: Any = None,
        hooks: Any = None,
        stream: bool | None = None,
        verify: Any = None,
        cert: Any = None,
        json: Any = None,
        prefetch: bool | None = None,
        config: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        return_response: bool = True,
        priority: int | str | None = None,
        proxy: Any = None,
    ) -> Any:
        """`request`, as a coroutine."""
        if proxy is not None:
            proxies = proxies_from(proxy, proxies)
        if priority is not None:
            headers = with_priority(headers, priority)
        if hooks is not None or self.hooks.get("args"):
            callbacks = merged_hooks(self.hooks, hooks)
            if callbacks.get("args"):
                arguments = {
                    "method": method, "url": url, "params": params, "data": data,
                    "headers": headers, "cookies": cookies, "files": files, "auth": auth,
                    "timeout": timeout, "allow_redirects": allow_redirects, "proxies": proxies,
                    "hooks": callbacks, "verify": verify, "cert": cert, "json": json,
                    "prefetch": prefetch_from(prefetch, stream), "config": config,
                }  # fmt: skip
                left = await after_args_hooks(self, arguments)
                left.setdefault("deadline", deadline)
                return await self._request_(**left, return_response=return_response)
        if not return_response:
            return Request(
                method, url, headers, files, data, params, auth, cookies, hooks, json,
                session=self, timeout=timeout, allow_redirects=allow_redirects, proxies=proxies,
                stream=stream, verify=verify, cert=cert, prefetch=prefetch, config=config,
                deadline=deadline,
            )  # fmt: skip
        settings = self._settings_
        if settings is None or self._settings_version_ != defaults.version:
            settings = self._make_settings_()
        if not (
            allow_redirects and timeout is None and proxies is None and stream is None
            and verify is None and cert is None and prefetch is None and config is None
            and deadline is None
        ):  # fmt: skip
            settings = settings_for_call(
                settings, self._timeout_, timeout=timeout, allow_redirects=allow_redirects,
                proxies=proxies, stream=stream, verify=verify, cert=cert, prefetch=prefetch,
                config=config, deadline=deadline,
            )  # fmt: skip
        if settings.safe_mode:
            call = self._call_(
                settings, timeout, method, url, params, data, headers, cookies, files, auth, hooks,
                json,
            )  # fmt: skip
            return await self._safely_(settings, call)
        if self._goes_by_steps_():
            return self._by_steps_(
                settings, timeout, method, url, params, data, headers, cookies, files, auth, hooks,
                json,
            )  # fmt: skip
        request = prepare(
            self, settings, method, url, params, data, headers, cookies, files, auth, hooks, json
        )
        response = await (self._road_ or self._make_road_()).chain_for(request)(request)
        if settings.prefetch:
            await response._load()
        if settings.danger_mode:
            response.raise_for_status()
        return response

    async def _send_(
        self,
        request: Any,
        stream: bool | None = None,
        timeout: Any = None,
        verify: Any = None,
        cert: Any = None,
        proxies: Any = None,
        allow_redirects: bool = True,
        prefetch: bool | None = None,
        config: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        adapter_arguments: dict[str, Any] | None = None,
    ) -> Any:
        """`send`, as a coroutine; by an adapter if there are arguments for it."""
        if isinstance(request, Request):
            raise ValueError("You can only send PreparedRequests.")
        if not isinstance(request, PreparedRequest):
            raise TypeError(
                f"sending: got {type(request).__name__}, expected a PreparedRequest, which"
                " prepare_request(Request(...)) makes"
            )
        given = request.sent_headers.get("content-length")
        if given is not None:
            request.check_length(given)
        settings = settings_for_call(
            request.call_settings or self._settings_now_(), self._timeout_, timeout=timeout,
            allow_redirects=allow_redirects, proxies=proxies, stream=stream, verify=verify,
            cert=cert, prefetch=prefetch, config=config, deadline=deadline,
        )  # fmt: skip
        request.settings = settings
        request.session = self
        request.adapter_arguments = adapter_arguments
        request.environment = read_environment() if settings.trust_env else None
        request.deadline, request.outer_deadline = request.outer_deadline, None
        if settings.timeouts.total is not None:
            own = monotonic() + settings.timeouts.total
            request.deadline = own if request.deadline is None else min(own, request.deadline)
        if (
            settings.safe_mode and request.call_settings is None
        ):  # else a step of a call, which does
            return await self._safely_(settings, self._exchange_(request))
        response = await self._exchange_(request)
        if settings.danger_mode and not settings.safe_mode:
            response.raise_for_status()
        return response

    async def _switch_(
        self,
        url: Any,
        fields: Mapping[str, str],
        params: Any = None,
        headers: Any = None,
        cookies: Any = None,
        auth: Any = None,
        hooks: Any = None,
        proxy: Any = None,
        **options: Any,
    ) -> Any:
        """The response to a request to go on as a WebSocket, which `fields` make of it.

        If it does not, its content is read as that of any other.
        """
        if not isinstance(url, URL):
            text = str(url, "utf-8") if isinstance(url, bytes) else str(url)
            url = re.sub(r"(?i)^(\s*)ws(s?):", r"\1http\2:", text)
        options["proxies"] = proxies_from(proxy, options.get("proxies"))
        settings = settings_for_call(self._settings_now_(), self._timeout_, **options)
        request = prepare(
            self, settings, "GET", url, params, None, headers, cookies, None, auth, hooks, None
        )
        request.headers.update(fields)
        request.protocol = b"websocket"
        road = self._road_ or self._make_road_()
        response = await road.chain_for(request, PROTOCOL)(request)
        if settings.prefetch and response._duplex is None:
            await response._load()
        return response

    async def _safely_(self, settings: Settings, answer: Coroutine[Any, Any, Any]) -> Any:
        """What `answer` gives, or for an error a falsy response (config: safe_mode)."""
        try:
            response = await answer
            if settings.danger_mode:
                response.raise_for_status()
        except RequestException as error:
            response = getattr(error, "response", None) if isinstance(error, HTTPError) else None
            if response is None:
                response = failed_response(error, error.request)
            response.error = error
        return response

    async def _call_(self, settings: Settings, timeout: Any, *arguments: Any) -> Any:
        """The response to a call."""
        if self._goes_by_steps_():
            return self._by_steps_(settings, timeout, *arguments)
        return await self._exchange_(prepare(self, settings, *arguments))

    async def _exchange_(self, request: PreparedRequest) -> Any:
        """The response to a prepared request; an error names the request."""
        try:
            response = await (self._road_ or self._make_road_()).chain_for(request)(request)
            if request.settings.prefetch:
                await response._load()
        except RequestException as error:
            error.request = error.request or request
            raise
        return response

    # Requests' way, which only blocking sessions know -------------------------------------------

    def _goes_by_steps_(self) -> bool:
        """True if a step that users can replace is replaced, so that each has to be called."""
        return False

    def _by_steps_(self, settings: Settings, timeout: Any, *arguments: Any) -> Any:
        """The response to a call, by Requests' steps."""
        raise NotImplementedError

    # Its life -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        if self._road_ is not None:
            self._road_.network.pool.close()
        while self._kept_roads_:
            self._kept_roads_.pop().pool.close()

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} {self._road_.network.pool!r}>" if self._road_ else f"<{name}>"


def failed_response(error: Exception, request: Any) -> Response:
    """The falsy response that stands for an error: status_code 0, `.error` the exception."""
    response = Response()
    response.status_code = 0
    response.error = error
    response.request = request
    response._content = None
    response._content_consumed = True
    if request is not None and request._url is not None:
        response.url = request._url.href
    return response
