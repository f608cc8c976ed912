"""`Session`: the blocking face. It merges what call, session and defaults say, folds the stages
once per state, and drives them with the blocking runtime; behaviour lives below.

State: `_settings` and `_chains` are made when first needed and forgotten when something they were
made from changes. Everything else that changes per request travels in the request. A session may
be shared between threads, survives fork (connections are not inherited) and pickles (without
connections).
"""

from collections.abc import Mapping
from typing import Any

from gofer import config as configuration
from gofer.codings import accept_encoding
from gofer.config import Config, Settings, Timeouts, default_of, defaults, timeouts_from
from gofer.dropin.models import PreparedRequest, Request, Response
from gofer.exceptions import HTTPError, InvalidSchema, RequestException
from gofer.messages.cookies import CookieStore
from gofer.messages.fields import Headers
from gofer.messages.request import check_hooks, default_hooks
from gofer.messages.url import URL, parse, with_params
from gofer.network.environment import read as read_environment
from gofer.network.exchange import Network
from gofer.network.pool import PoolLimits
from gofer.network.routes import Router
from gofer.protocols.http1 import Limits
from gofer.runtime.blocking import runtime
from gofer.stages import Send, fold
from gofer.stages.auth import auth as auth_stage
from gofer.stages.auth import credentials_for, from_argument
from gofer.stages.cookies import cookies as cookies_stage
from gofer.stages.hooks import answer_hooks, dispatch, wire_hooks
from gofer.stages.redirects import redirects
from gofer.stages.retries import policy_from, retries

__all__ = ["Session", "session"]


# config keys that become settings as they are
_PLAIN_SETTINGS = (
    "danger_mode", "decode_unicode", "encode_uri", "expect_timeout", "hook_errors", "keep_alive",
    "max_coding_layers", "max_decoded_ratio", "max_drain", "max_redirects", "max_retries",
    "prefetch", "retry_after_max", "safe_mode", "secret_headers", "store_cookies", "strict_mode",
    "trust_env", "verbose",
)  # fmt: skip

# The config keys a pool is made from, when the first connection is needed
_POOL_SETTINGS = {
    "hosts": "pool_connections",
    "idle_per_host": "pool_maxsize",
    "idle_seconds": "idle_seconds",
    "open_per_host": "max_connections_per_host",
    "open_in_all": "max_connections",
}
_LIMIT_SETTINGS = ("max_field_section", "max_fields", "max_interim_responses")


class Session:
    """Requests that share defaults, cookies and connections.

    Args:
        headers, params, cookies, proxies, hooks, config: dicts merged under those of each call;
            None as a value in a call leaves that key out.
        auth: (user, password), an auth object, or any callable that takes and returns a request.
        timeout: seconds, a (connect, read) pair, or `Timeouts`.
        prefetch, stream: whether content is read before a call returns; one is the other's
            opposite. By default it is read when it is asked for.
        verify: True, False, a path to certificates, or an `ssl.SSLContext`.
        cert: client certificate: a path, (cert, key) or (cert, key, password).

    Raises:
        ValueError: `prefetch` and `stream` contradict each other, or a value is of no use.
    """

    __attrs__ = [
        "headers",
        "cookies",
        "auth",
        "proxies",
        "hooks",
        "params",
        "verify",
        "cert",
        "adapters",
        "stream",
        "trust_env",
        "max_redirects",
        "timeout",
        "config",
    ]

    def __init__(
        self,
        headers: Any = None,
        cookies: Any = None,
        auth: Any = None,
        timeout: Any = None,
        proxies: Mapping[str, Any] | None = None,
        hooks: Mapping[str, Any] | None = None,
        params: Any = None,
        config: Mapping[str, Any] | None = None,
        *,
        prefetch: bool | None = None,
        stream: bool | None = None,
        verify: Any = True,
        cert: Any = None,
        deadline: float | None = None,
        unix_socket: str | None = None,
        source_address: tuple[str, int] | None = None,
    ) -> None:
        self._settings: Settings | None = None
        self._settings_version = -1
        self._chains: dict[int, Send] = {}
        self._network: Network | None = None
        self._adapters: Any = None
        self._mounted = False
        self._sent_headers: Headers | None = None
        self._jar: Any = None
        self._config = Config(config, changed=self._forget_settings)
        self._headers = _default_headers()
        self._timeout = timeout
        self._verify = verify
        self._cert = cert
        self._unix_socket = unix_socket
        self._source_address = source_address
        self._proxies: dict[str, Any] = dict(proxies) if proxies else {}
        self._cookie_store: Any = CookieStore()
        self.auth = auth
        self.params: Any = {} if params is None else params
        self.hooks: dict[str, Any] = default_hooks()
        if hooks:
            self.hooks.update(check_hooks(hooks))
        if headers:
            for name, value in dict(headers).items():
                if value is None:
                    self._headers.pop(name, None)
                else:
                    self._headers[name] = value
        if cookies is not None:
            self.cookies = cookies
        if timeout is not None:
            timeouts_from(timeout, Timeouts())  # complain now, not at the first request
        if deadline is not None:
            self._config["deadline"] = deadline
        prefetch = _prefetch_from(prefetch, stream)
        if prefetch is not None:
            self._config["prefetch"] = prefetch

    # What a session holds, readable and settable ------------------------------------------------

    @property
    def headers(self) -> Headers:
        """Header fields of every request; None as a value leaves a default out."""
        return self._headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = value if isinstance(value, Headers) else Headers(value)

    @property
    def cookies(self) -> Any:
        """The cookie jar; a dict or any `http.cookiejar.CookieJar` may be assigned."""
        if self._jar is None:
            from gofer.dropin.cookies import RequestsCookieJar

            self._jar = RequestsCookieJar.over(self._cookie_store)
        return self._jar

    @cookies.setter
    def cookies(self, value: Any) -> None:
        from gofer.dropin.cookies import RequestsCookieJar, store_for

        self._cookie_store = store_for(value)
        if isinstance(self._cookie_store, CookieStore):
            self._jar = value if isinstance(value, RequestsCookieJar) else None
        else:
            self._jar = value
        self._forget_settings()

    @property
    def config(self) -> Config:
        """Settings of this session; reading one that is not set gives the package default."""
        return self._config

    @config.setter
    def config(self, value: Mapping[str, Any]) -> None:
        self._config = Config(value, changed=self._forget_settings)
        self._forget_settings()

    @property
    def proxies(self) -> dict[str, Any]:
        """Proxy URLs by `scheme://host`, `scheme`, `all://host` or `all`."""
        return self._proxies

    @proxies.setter
    def proxies(self, value: Any) -> None:
        self._proxies = value if isinstance(value, dict) else dict(value or {})
        self._forget_settings()

    @property
    def timeout(self) -> Any:
        return self._timeout

    @timeout.setter
    def timeout(self, value: Any) -> None:
        timeouts_from(value, Timeouts())
        self._timeout = value
        self._forget_settings()

    @property
    def verify(self) -> Any:
        return self._verify

    @verify.setter
    def verify(self, value: Any) -> None:
        self._verify = value
        self._forget_settings()

    @property
    def cert(self) -> Any:
        return self._cert

    @cert.setter
    def cert(self, value: Any) -> None:
        self._cert = value
        self._forget_settings()

    @property
    def prefetch(self) -> bool:
        """Whether content is read before a call returns."""
        return bool(self._config["prefetch"])

    @prefetch.setter
    def prefetch(self, value: bool) -> None:
        self._config["prefetch"] = bool(value)

    @property
    def stream(self) -> bool:
        """The opposite of `prefetch`, in today's word."""
        return not self.prefetch

    @stream.setter
    def stream(self, value: bool) -> None:
        self._config["prefetch"] = not value

    @property
    def max_redirects(self) -> int:
        return self._config["max_redirects"]  # type: ignore[no-any-return]

    @max_redirects.setter
    def max_redirects(self, value: int) -> None:
        self._config["max_redirects"] = value

    @property
    def trust_env(self) -> bool:
        return bool(self._config["trust_env"])

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        self._config["trust_env"] = bool(value)

    # The verbs ----------------------------------------------------------------------------------

    def get(self, url: Any, **kwargs: Any) -> Response:
        """GET `url`; keywords as in `request`."""
        return self.request("GET", url, **kwargs)

    def options(self, url: Any, **kwargs: Any) -> Response:
        """OPTIONS `url`; keywords as in `request`."""
        return self.request("OPTIONS", url, **kwargs)

    def head(self, url: Any, **kwargs: Any) -> Response:
        """HEAD `url`, without following redirects unless asked to."""
        kwargs.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **kwargs)

    def post(self, url: Any, data: Any = None, json: Any = None, **kwargs: Any) -> Response:
        """POST to `url`; keywords as in `request`."""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: Any, data: Any = None, **kwargs: Any) -> Response:
        """PUT to `url`; keywords as in `request`."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: Any, data: Any = None, **kwargs: Any) -> Response:
        """PATCH `url`; keywords as in `request`."""
        return self.request("PATCH", url, data=data, **kwargs)

    def delete(self, url: Any, **kwargs: Any) -> Response:
        """DELETE `url`; keywords as in `request`."""
        return self.request("DELETE", url, **kwargs)

    def request(
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
        *,
        prefetch: bool | None = None,
        config: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        return_response: bool = True,
    ) -> Any:
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
            prefetch, stream: read the content before returning, or when it is asked for.
            verify, cert: as in `Session`.
            return_response: False returns the unsent `Request`.

        Raises:
            RequestException: see `gofer.exceptions` for the tree.
            ValueError, TypeError: arguments that contradict each other or are of no use.
        """
        if hooks is not None or self.hooks.get("args"):
            merged_hooks = self._merged_hooks(hooks)
            if merged_hooks.get("args"):
                arguments = dict(
                    method=method, url=url, params=params, data=data, headers=headers,
                    cookies=cookies, files=files, auth=auth, timeout=timeout,
                    allow_redirects=allow_redirects, proxies=proxies, hooks=merged_hooks,
                    verify=verify, cert=cert, json=json,
                    prefetch=_prefetch_from(prefetch, stream), config=config,
                )  # fmt: skip
                arguments = self._hooked_arguments(arguments)
                arguments["hooks"] = {
                    **dict.fromkeys(self.hooks), **(arguments["hooks"] or {}), "args": None,
                }  # fmt: skip
                return self.request(**arguments, deadline=deadline, return_response=return_response)
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
            settings = self._settings_for_call(
                settings, timeout, allow_redirects, proxies, stream, verify, cert, prefetch,
                config, deadline,
            )  # fmt: skip
            if settings.safe_mode:
                return self._safely(
                    settings, method, url, params, data, headers, cookies, files, auth, hooks, json
                )
        elif settings.safe_mode:
            return self._safely(
                settings, method, url, params, data, headers, cookies, files, auth, hooks, json
            )
        request = self._prepare(
            settings, method, url, params, data, headers, cookies, files, auth, hooks, json
        )
        return self._perform(request)

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
            request.prepare_method(method)
        target = url if isinstance(url, URL) else parse(url, requote=settings.encode_uri)
        if params or self.params:
            request.params = params
            target = self._with_params(target, params)
        request._url = target

        session_headers = self._headers
        shared = self._sent_headers
        if shared is None or session_headers._encoded is not shared._encoded:
            session_headers.encode()
            shared = self._sent_headers = session_headers.copy()
        request._shared_headers = shared
        if headers or settings.base_headers is not None:
            request.headers = self._merged_headers(headers, settings)
        if not settings.keep_alive:
            request.headers["Connection"] = "close"
        if cookies is not None:
            request.cookie_overrides = cookies
        if data is not None or files is not None or json is not None:
            request.data, request.files = data, files
            request.prepare_body(data, files, json)
        elif request.method != "GET":
            request.prepare_content_length(None)
        if hooks is not None or any(self.hooks.values()):
            request.hooks = self._merged_hooks(hooks)
        if auth is None:
            auth = self.auth
        if auth is not None:
            request.auth = from_argument(auth)
        elif target.userinfo is not None or environment is not None:
            implied = credentials_for(target, environment, runtime.now())
            if implied is not None and not request.has_field("authorization"):
                request.auth = implied
        if settings.timeouts.total is not None:
            request.deadline = runtime.now() + settings.timeouts.total
        return request

    def _with_params(self, url: URL, params: Any) -> URL:
        """The session's params, then the call's; for names in both the call's count."""
        own = self.params
        if own and isinstance(params, Mapping):
            own = [pair for pair in _pairs(own) if pair[0] not in params]
        if own:
            url = with_params(url, own)
        return with_params(url, params) if params else url

    def _merged_headers(self, headers: Any, settings: Settings) -> Headers:
        """Call over session over base_headers; None takes a field away."""
        merged = Headers(self._headers)
        if settings.base_headers is not None:
            for name in default_of("base_headers"):
                if merged.get(name) == _default_headers().get(name):
                    merged.pop(name, None)
            for name, value in settings.base_headers.items():
                merged.setdefault(name, value)
        for name, value in headers.items() if hasattr(headers, "items") else headers or ():
            if isinstance(name, bytes):
                name = name.decode("latin-1")
            merged[name] = value
        for name in [name for name, value in merged.items() if value is None]:
            del merged[name]
        merged.encode()  # refuses what cannot be sent, before anything is
        return merged

    def _merged_hooks(self, hooks: Any) -> dict[str, Any]:
        """The call's callbacks of an event in place of the session's; None switches them off."""
        merged = {event: list(callbacks) if not callable(callbacks) else [callbacks]
                  for event, callbacks in self.hooks.items() if callbacks}  # fmt: skip
        for event, callbacks in check_hooks(hooks).items():
            if callbacks is None:
                merged.pop(event, None)
            elif callbacks:
                merged[event] = callbacks
        return merged

    def _hooked_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the `args` hooks leave of a call's arguments, which they see merged with ours.

        The result is merged once more when the request is prepared, so what a hook took away is
        marked with None.
        """
        method = arguments["method"]
        arguments["method"] = str(method, "latin-1") if type(method) is bytes else str(method)
        arguments["method"] = arguments["method"].upper()
        if arguments["auth"] is None:
            arguments["auth"] = self.auth
        if arguments["timeout"] is None:
            arguments["timeout"] = self.timeout

        merged: dict[str, Any] = {"headers": Headers(self._own_headers())}
        for name in ("params", "proxies", "config"):
            values = getattr(self, name)
            merged[name] = dict(values) if isinstance(values, Mapping) else {}
        merged["cookies"] = {}  # the jar decides when the URL is known
        for name in tuple(merged):
            given = arguments[name]
            if name != "headers" and not (given is None or isinstance(given, dict)):
                del merged[name]  # a query as text or pairs, a jar: seen as it was given
                continue
            merged[name].update(given or {})
            arguments[name] = {k: v for k, v in merged[name].items() if v is not None}

        settings = self._settings or self._make_settings()
        config = arguments["config"]
        if isinstance(config, Mapping) and "hook_errors" in config:
            settings = settings.replace(hook_errors=config["hook_errors"])
        result = {**arguments, **dispatch("args", arguments["hooks"], arguments, dict, settings)}

        for name, seen in merged.items():
            left = result[name]
            if name == "params" and left and not isinstance(left, Mapping):
                if not seen:
                    continue
                left = _grouped(_pairs(left))
            marked = type(seen)(dict.fromkeys(seen))
            marked.update(left or {})
            result[name] = marked
        if result["auth"] is None and self.auth is not None:
            result["auth"] = False
        return result

    def _own_headers(self) -> dict[str, Any]:
        """The session's fields without those that every session has."""
        defaults = _default_headers()
        return {name: value for name, value in self._headers.items() if defaults.get(name) != value}

    # Settings -----------------------------------------------------------------------------------

    def _forget_settings(self) -> None:
        self._settings = None

    def _make_settings(self) -> Settings:
        """The settings of calls that bring none of their own."""
        config = self._config
        values = {name: config.in_force(name) for name in _PLAIN_SETTINGS}
        base = Timeouts(
            config["connect_timeout"],
            config["read_timeout"],
            config["write_timeout"],
            config["pool_timeout"],
            config["deadline"],
        )
        own = self._timeout if self._timeout is not None else config["timeout"]
        policy_from(values["max_retries"])  # complain early
        values.update(
            allow_redirects=True,
            base_headers=dict.get(config, "base_headers"),
            cert=self._cert,
            cookie_store=self._cookie_store,
            proxies=self._proxies,
            router=None,
            runtime=runtime,
            source_address=self._source_address,
            timeouts=base if own is None else timeouts_from(own, base),
            unix_socket=self._unix_socket,
            verify=self._verify,
        )
        version = defaults.version
        settings = Settings(values)
        settings.router = Router(settings)
        self._settings = settings
        self._settings_version = version
        self._chains = {}
        return settings

    def _settings_for_call(
        self,
        settings: Settings,
        timeout: Any,
        allow_redirects: bool,
        proxies: Any,
        stream: bool | None,
        verify: Any,
        cert: Any,
        prefetch: bool | None,
        config: Mapping[str, Any] | None,
        deadline: float | None,
    ) -> Settings:
        """`settings` with what one call says itself."""
        changes: dict[str, Any] = {"allow_redirects": bool(allow_redirects)}
        if config is not None:
            checked = Config(config)
            for name in _PLAIN_SETTINGS:
                if name in checked:
                    changes[name] = checked.in_force(name)
            if "base_headers" in checked:
                changes["base_headers"] = checked["base_headers"]
            if "timeout" in checked and timeout is None and self._timeout is None:
                timeout = checked["timeout"]
            if "deadline" in checked and deadline is None:
                deadline = checked["deadline"]
            phases = {
                phase: checked[f"{phase}_timeout"]
                for phase in ("connect", "read", "write", "pool")
                if f"{phase}_timeout" in checked
            }
            if phases:
                names = ("connect", "read", "write", "pool", "total")
                base = dict(zip(names, settings.timeouts, strict=True))
                settings = settings.replace(timeouts=Timeouts(**{**base, **phases}))
        prefetch = _prefetch_from(prefetch, stream)
        if prefetch is not None:
            changes["prefetch"] = prefetch
        timeouts = settings.timeouts
        if timeout is not None:
            timeouts = timeouts_from(timeout, timeouts)
        if deadline is not None:
            timeouts = Timeouts(*[*timeouts][:4], deadline)
        changes["timeouts"] = timeouts
        if verify is not None:
            changes["verify"] = verify
        if cert is not None:
            changes["cert"] = cert
        if proxies is not None:
            merged = {**settings.proxies, **proxies}
            changes["proxies"] = merged
        changed = settings.replace(**changes)
        if verify is not None or cert is not None or proxies is not None or (
            "trust_env" in changes
        ):  # fmt: skip
            changed.router = Router(changed)
        return changed

    # Sending ------------------------------------------------------------------------------------

    def _perform(self, request: PreparedRequest) -> Any:
        """Send a prepared request through the stages."""
        settings = request.settings
        features = 0
        if request._hooks:
            features |= 1
        if settings.verbose is not None:
            features |= 2
        if request.auth is not None:
            features |= 4
        if self._mounted:
            features |= 8
        chain = self._chains.get(features)
        if chain is None:
            chain = self._chains[features] = self._fold(features)
        response = runtime.run(chain(request))  # type: ignore[arg-type]
        if settings.danger_mode and not settings.safe_mode:
            response.raise_for_status()
        if settings.prefetch:
            response.content  # noqa: B018  (reads it)
        return response

    def _fold(self, features: int) -> Send:
        """The chain of stages for requests with these features: what is off is not in it."""
        stages: list[Any] = [redirects]
        if features & 1:
            stages.append(answer_hooks)
        stages.append(cookies_stage)
        if features & 4:
            stages.append(auth_stage)
        if features & 3:
            stages.append(wire_hooks)
        if features & 8:
            return fold(stages, self._send_by_adapter)
        return fold([*stages, retries], self.network.send)

    @property
    def network(self) -> Network:
        """Pool and limits, made when the first connection is needed."""
        if self._network is None:
            config = self._config
            self._network = Network(
                runtime,
                Limits(*[config.in_force(name) for name in _LIMIT_SETTINGS]),
                PoolLimits(**{name: config.in_force(key) for name, key in _POOL_SETTINGS.items()}),
            )
        return self._network

    async def _send_by_adapter(self, request: Any) -> Any:
        """The bottom of the chain where adapters are mounted."""
        from gofer.dropin.adapters import HTTPAdapter

        adapter = self.get_adapter(request.url)
        if type(adapter) is HTTPAdapter and adapter.is_default:
            return await retries(request, self.network.send)
        settings = request.settings
        timeouts = settings.timeouts
        response = adapter.send(
            request,
            stream=True,
            timeout=timeouts,
            verify=settings.verify,
            cert=settings.cert,
            proxies=settings.proxies,
        )
        response.request = response.request or request
        return response

    def _safely(self, settings: Settings, *arguments: Any) -> Any:
        """As a plain call, but an error comes back as a falsy response (config: safe_mode)."""
        request = None
        try:
            request = self._prepare(settings, *arguments)
            response = self._perform(request)
            if settings.danger_mode:
                response.raise_for_status()
        except RequestException as error:
            response = getattr(error, "response", None) if isinstance(error, HTTPError) else None
            if response is None:
                response = failed_response(error, request)
            response.error = error
        return response

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a `PreparedRequest`; keywords: stream, prefetch, timeout, verify, cert, proxies,
        allow_redirects, deadline.

        Raises:
            ValueError: it is a `Request`, which has to be prepared first.
        """
        if isinstance(request, Request):
            raise ValueError("You can only send PreparedRequests.")
        settings = self._settings
        if settings is None or self._settings_version != defaults.version:
            settings = self._make_settings()
        options = {
            name: kwargs.pop(name, default)
            for name, default in (
                ("timeout", None), ("allow_redirects", True), ("proxies", None), ("stream", None),
                ("verify", None), ("cert", None), ("prefetch", None), ("config", None),
                ("deadline", None),
            )
        }  # fmt: skip
        if kwargs:
            raise TypeError(f"send() does not know {', '.join(sorted(kwargs))}")
        settings = self._settings_for_call(settings, **options)
        request.settings = settings
        request.session = self
        request.environment = read_environment() if settings.trust_env else None
        if settings.timeouts.total is not None:
            request.deadline = runtime.now() + settings.timeouts.total
        return self._perform(request)

    def prepare_request(self, request: Request) -> PreparedRequest:
        """A `PreparedRequest` of `request` merged over this session, to look at or to change."""
        settings = self._settings
        if settings is None or self._settings_version != defaults.version:
            settings = self._make_settings()
        arguments = request.as_arguments()
        prepared = self._prepare(settings, **{**arguments, "cookies": None})
        prepared.headers  # noqa: B018  (its own from here on)
        if not prepared.has_field("cookie"):
            prepared.prepare_cookies(self._cookies_with(request.cookies))
            prepared.cookie_overrides = request.cookies
        auth = prepared.auth
        if auth is not None:
            prepared.auth = None
            prepared.prepare_auth(auth)
        return prepared

    def _cookies_with(self, cookies: Any) -> Any:
        from gofer.dropin.cookies import RequestsCookieJar, cookiejar_from_dict, merge_cookies

        jar = merge_cookies(RequestsCookieJar(), self.cookies)
        if cookies is not None:
            if isinstance(cookies, Mapping) and not hasattr(cookies, "add_cookie_header"):
                cookies = cookiejar_from_dict(dict(cookies))
            jar = merge_cookies(jar, cookies)
        return jar

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """What a call to `url` would use for proxies, stream, verify and cert."""
        settings = self._settings or self._make_settings()
        merged = dict(self._proxies)
        merged.update(proxies or {})
        if self.trust_env:
            environment = read_environment()
            target = parse(url)
            if not environment.bypasses_proxies(target.host, target.port):
                merged = {**environment.proxies, **merged}
            if verify is None and settings.verify is True:
                verify = environment.ca_bundle
        return {
            "proxies": merged,
            "stream": self.stream if stream is None else stream,
            "verify": self._verify if verify is None else verify,
            "cert": self._cert if cert is None else cert,
        }

    # Adapters -----------------------------------------------------------------------------------

    @property
    def adapters(self) -> Any:
        """The mounted adapters, longest prefix first."""
        if self._adapters is None:
            from collections import OrderedDict

            from gofer.dropin.adapters import HTTPAdapter

            self._adapters = OrderedDict(
                (prefix, HTTPAdapter._default_of(self)) for prefix in ("https://", "http://")
            )
        return self._adapters

    @adapters.setter
    def adapters(self, value: Any) -> None:
        self._adapters = value
        self._mounted = True

    def mount(self, prefix: str, adapter: Any) -> None:
        """Send requests whose URL starts with `prefix` by `adapter`; the longest prefix wins."""
        adapters = self.adapters
        adapters[prefix] = adapter
        for key in [key for key in adapters if len(key) < len(prefix)]:
            adapters[key] = adapters.pop(key)
        self._mounted = True

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

    # Its life -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        if self._network is not None:
            self._network.pool.close()
        if self._mounted:
            for adapter in self._adapters.values():
                adapter.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "headers": dict(self._headers),
            "cookies": self._cookie_store,
            "auth": self.auth,
            "proxies": self._proxies,
            "hooks": self.hooks,
            "params": self.params,
            "verify": self._verify,
            "cert": self._cert,
            "timeout": self._timeout,
            "config": dict(self._config),
            "adapters": self._adapters if self._mounted else None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        headers = state.pop("headers")
        adapters = state.pop("adapters")
        cookies = state.pop("cookies")
        hooks = state.pop("hooks")
        Session.__init__(self, **state)
        self.headers = headers
        self.hooks = hooks
        self._cookie_store = cookies
        if adapters is not None:
            self.adapters = adapters

    def __repr__(self) -> str:
        return f"<Session {self._network.pool!r}>" if self._network else "<Session>"


def session(*args: Any, **kwargs: Any) -> Session:
    """Exactly `Session(...)`, by its name of 2012."""
    return Session(*args, **kwargs)


def failed_response(error: RequestException, request: Any) -> Response:
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


def _prefetch_from(prefetch: bool | None, stream: bool | None) -> bool | None:
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


configuration.offered_codings = accept_encoding
_base_headers: tuple[int, Headers] | None = None


def _default_headers() -> Headers:
    """The package's base_headers as a new mapping."""
    global _base_headers
    known = _base_headers
    if known is None or known[0] != defaults.version:
        known = _base_headers = (defaults.version, Headers(default_of("base_headers")))
        known[1].encode()
    return known[1].copy()
