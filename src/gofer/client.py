"""`Client`: a session's calls, from arguments to the answer, on whatever runtime the face drives.

A face (`Session`, `AsyncSession`, the bulk functions) says how a coroutine is driven and how to
wait; everything that happens in between is written here and below, once. State: the chains of
stages, folded once for each combination of features, and the network they end in.
"""

import re
from collections.abc import Coroutine, Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gofer.config import Settings, defaults
from gofer.dropin.models import PreparedRequest, Request, Response
from gofer.exceptions import HTTPError, InvalidMethod, RequestException
from gofer.messages.fields import Headers
from gofer.messages.url import URL, parse
from gofer.network.endings import when_dropped
from gofer.network.environment import read as read_environment
from gofer.network.exchange import Network
from gofer.network.pool import Pool
from gofer.network.proxies import Alone
from gofer.precedence import (
    marked_as_left,
    merged_headers,
    merged_hooks,
    own_headers,
    prefetch_from,
    proxies_from,
    settings_for_call,
    url_with_params,
    with_priority,
)
from gofer.stages import Send, fold
from gofer.stages.auth import auth as auth_stage
from gofer.stages.auth import credentials_for, from_argument
from gofer.stages.cookies import cookies as cookies_stage
from gofer.stages.redirects import RULES, redirects
from gofer.stages.retries import retries
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

# What a request may need that others do not; each combination has a chain of its own.
HOOKS, VERBOSE, AUTH, STEPS, PROTOCOL = 1, 2, 4, 8, 16


class Road:
    """A network, and the chains of stages that end in it."""

    __slots__ = ("chains", "network")

    def __init__(self, network: Network) -> None:
        self.network = network
        self.chains: dict[int, Send] = {}


class Client(SessionState, Verbs[Answer], Generic[Answer, Socket, Events]):
    """A session on any runtime: a face says how a coroutine is driven."""

    _road: "Road | None" = None  # made for the first request
    _kept_roads: Any = ()  # what a bulk run leaves to the next: a list of its `KeptRoad`
    _can_await = False  # the caller's own coroutines and async iterators, in hooks and content
    _redirect_rules = RULES

    def _drive(self, coroutine: Coroutine[Any, Any, Any]) -> Answer:
        """What a call gives its caller: the face's own way to get a coroutine done."""
        raise NotImplementedError

    def _conversation(self, socket: "AsyncWebSocket") -> Socket:
        """What a WebSocket is for the caller: one that waits, or one that is awaited."""
        raise NotImplementedError

    def _listening(self, events: "AsyncEventStream") -> Events:
        """The same of events."""
        raise NotImplementedError

    @property
    def network(self) -> Network:
        """Pool and limits, made when the first connection is needed."""
        return (self._road or self._make_road()).network

    def _make_road(self) -> "Road":
        pool = Pool(self._runtime, self._pool_limits())
        road = self._road = Road(Network(self._runtime, self._limits(), pool, self.alternatives))
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
        return self._drive(
            self._request(
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

        return self._listening(AsyncEventStream(self, url, last_event_id, reconnects, options))

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

        return self._conversation(
            AsyncWebSocket(self, url, subprotocols, compress, max_message, heartbeat, options)
        )

    def send(self, request: PreparedRequest, **options: "Unpack[SendOptions]") -> Answer:
        """Send a `PreparedRequest`; options: stream, prefetch, timeout, verify, cert, proxies,
        allow_redirects, config, deadline.

        Raises:
            ValueError: it is a `Request`, which has to be prepared first.
        """
        return self._drive(self._send(request, **options))

    # The road of a request ----------------------------------------------------------------------

    async def _request(
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
                return await self._request(
                    **await self._hooked(arguments),
                    deadline=deadline,
                    return_response=return_response,
                )
        if not return_response:
            return Request(
                method, url, headers, files, data, params, auth, cookies, hooks, json,
                session=self, timeout=timeout, allow_redirects=allow_redirects, proxies=proxies,
                stream=stream, verify=verify, cert=cert, prefetch=prefetch, config=config,
                deadline=deadline,
            )  # fmt: skip
        settings = self._settings
        if settings is None or self._settings_version != defaults.version:
            settings = self._make_settings()
        if not (
            allow_redirects and timeout is None and proxies is None and stream is None
            and verify is None and cert is None and prefetch is None and config is None
            and deadline is None
        ):  # fmt: skip
            settings = settings_for_call(
                settings, self._timeout, timeout=timeout, allow_redirects=allow_redirects,
                proxies=proxies, stream=stream, verify=verify, cert=cert, prefetch=prefetch,
                config=config, deadline=deadline,
            )  # fmt: skip
        if settings.safe_mode:
            return await self._safely(
                settings, timeout, method, url, params, data, headers, cookies, files, auth, hooks,
                json,
            )  # fmt: skip
        if self._goes_by_steps():
            return self._by_steps(
                settings, timeout, method, url, params, data, headers, cookies, files, auth, hooks,
                json,
            )  # fmt: skip
        request = self._prepare(
            settings, method, url, params, data, headers, cookies, files, auth, hooks, json
        )
        response = await self._chain_for(request)(request)
        if settings.danger_mode:
            response.raise_for_status()
        if settings.prefetch:
            await response._load()
        return response

    async def _send(
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
            request.call_settings or self._settings_now(), self._timeout, timeout=timeout,
            allow_redirects=allow_redirects, proxies=proxies, stream=stream, verify=verify,
            cert=cert, prefetch=prefetch, config=config, deadline=deadline,
        )  # fmt: skip
        request.settings = settings
        request.session = self
        request.adapter_arguments = adapter_arguments
        request.environment = read_environment() if settings.trust_env else None
        if settings.timeouts.total is not None:
            request.deadline = monotonic() + settings.timeouts.total
        response = await self._chain_for(request)(request)
        if settings.danger_mode and not settings.safe_mode:
            response.raise_for_status()
        if settings.prefetch:
            await response._load()
        return response

    async def _switch(
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
        settings = settings_for_call(self._settings_now(), self._timeout, **options)
        request = self._prepare(
            settings, "GET", url, params, None, headers, cookies, None, auth, hooks, None
        )
        request.headers.update(fields)
        request.protocol = b"websocket"
        response = await self._chain_for(request, PROTOCOL)(request)
        if settings.prefetch and response._duplex is None:
            await response._load()
        return response

    async def _safely(self, settings: Settings, timeout: Any, *arguments: Any) -> Any:
        """As a plain call, but an error comes back as a falsy response (config: safe_mode)."""
        request = None
        try:
            if self._goes_by_steps():
                response = self._by_steps(settings, timeout, *arguments)
            else:
                request = self._prepare(settings, *arguments)
                response = await self._chain_for(request)(request)
                if settings.prefetch:
                    await response._load()
            if settings.danger_mode:
                response.raise_for_status()
        except RequestException as error:
            response = getattr(error, "response", None) if isinstance(error, HTTPError) else None
            if response is None:
                response = failed_response(error, request)
            response.error = error
        return response

    def _chain_for(self, request: PreparedRequest, features: int = 0) -> Send:
        """The stages that `request` needs, around the network."""
        if request._hooks:
            features |= HOOKS
        if request.settings.verbose is not None:
            features |= VERBOSE
        if request.auth is not None:
            features |= AUTH
        if request.adapter_arguments is not None:
            features |= STEPS
        road = self._road or self._make_road()
        chain = road.chains.get(features)
        if chain is None:
            chain = road.chains[features] = self._fold(features, road.network)
        return chain

    def _fold(self, features: int, network: Network) -> Send:
        """The chain of stages for requests with these features: what is off is not in it."""
        by_steps = features & STEPS
        stages: list[Any] = [self._follow_by_steps if by_steps else redirects]
        if features & HOOKS:
            from gofer.stages.hooks import answer_hooks

            stages.append(answer_hooks)
        stages.append(cookies_stage)
        if features & AUTH:
            stages.append(auth_stage)
        if features & (HOOKS | VERBOSE):
            from gofer.stages.hooks import wire_hooks

            stages.append(wire_hooks)
        if by_steps:
            return fold(stages, self._send_by_adapter)
        bottom = network.switch if features & PROTOCOL else network.send
        return fold([*stages, retries(network.runtime)], bottom)

    # Requests' way, which only blocking sessions know -------------------------------------------

    def _goes_by_steps(self) -> bool:
        """True if a step that users can replace is replaced, so that each has to be called."""
        return False

    def _by_steps(self, settings: Settings, timeout: Any, *arguments: Any) -> Any:
        """The response to a call, by Requests' steps."""
        raise NotImplementedError

    async def _follow_by_steps(self, request: Any, send: Send) -> Any:
        """The stage in the place of `redirects`."""
        raise NotImplementedError

    async def _send_by_adapter(self, request: Any) -> Any:
        """What is at the bottom, in the place of retries and network."""
        raise NotImplementedError

    # Its life -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        if self._road is not None:
            self._road.network.pool.close()
        while self._kept_roads:
            self._kept_roads.pop().pool.close()

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} {self._road.network.pool!r}>" if self._road else f"<{name}>"

    # From arguments to a prepared request -------------------------------------------------------

    def _prepare(
        self,
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
        request.session = self
        environment = request.environment = read_environment() if settings.trust_env else None
        if type(method) is str:
            request.method = method.upper()
        else:
            if method is None:
                raise InvalidMethod("the method is None, expected str such as 'GET'")
            request.prepare_method(method)
        target = url if isinstance(url, URL) else parse(url, requote=settings.encode_uri)
        if params or self.params:
            request.params = params
            target = url_with_params(target, self.params, params)
        request._url = target

        session_headers = self._headers
        shared = self._sent_headers
        if shared is None or session_headers._encoded is not shared._encoded:
            session_headers.encode()
            shared = self._sent_headers = session_headers.copy()
        request._shared_headers = shared
        if headers or settings.base_headers is not None:
            request.headers = merged_headers(session_headers, headers, settings.base_headers)
        if not settings.keep_alive:
            request.headers["Connection"] = "close"
        if cookies is not None:
            request.cookie_overrides = cookies
        if data is not None or files is not None or json is not None:
            if not self._can_await:
                from gofer.messages.content import refuse_async

                refuse_async(data)
            request.data, request.files = data, files
            given = request.sent_headers.get("content-length")
            request.prepare_body(data, files, json)
            if given is not None:
                request.check_length(given)
        elif request.method != "GET":
            request.prepare_content_length(None)
        if hooks is not None or any(self.hooks.values()):
            request.hooks = merged_hooks(self.hooks, hooks)
        if auth is None:
            auth = self.auth
        if auth is not None:
            request.auth = from_argument(auth)
        elif target.userinfo is not None or environment is not None:
            implied = credentials_for(target, environment, monotonic())
            if implied is not None and not request.has_field("authorization"):
                request.auth = implied
        if settings.timeouts.total is not None:
            request.deadline = monotonic() + settings.timeouts.total
        return request

    async def _hooked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the `args` hooks leave of a call's arguments, which they see merged with ours."""
        method = arguments["method"]
        arguments["method"] = str(method, "latin-1") if type(method) is bytes else str(method)
        arguments["method"] = arguments["method"].upper()
        if arguments["auth"] is None:
            arguments["auth"] = self.auth
        if arguments["timeout"] is None:
            arguments["timeout"] = self.timeout

        seen: dict[str, Any] = {"headers": Headers(own_headers(self._headers))}
        for name in ("params", "proxies", "config"):
            values = getattr(self, name)
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

        settings = self._settings_now()
        config = arguments["config"]
        if isinstance(config, Mapping) and "hook_errors" in config:
            settings = settings.replace(hook_errors=config["hook_errors"])
        from gofer.stages.hooks import dispatch

        left = await dispatch("args", arguments["hooks"], arguments, dict, settings)
        result = {**arguments, **left}

        for name in ("headers", "params", "proxies", "config", "cookies"):
            result[name] = marked_as_left(name, seen.get(name), result[name])
        if result["auth"] is None and self.auth is not None:
            result["auth"] = False
        # They have run; of the others, those that were taken away must not come back.
        result["hooks"] = {**dict.fromkeys(self.hooks), **(result["hooks"] or {}), "args": None}
        return result


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
