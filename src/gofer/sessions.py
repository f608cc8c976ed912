"""`Session`: the blocking face, with what Requests' users know a session by.

Behaviour lives below (`client.py` has the road of a request); here is how its coroutines are
driven, one `send(None)` each, and Requests' adapters. A session may be shared between threads,
survives fork (connections are not inherited) and pickles (without connections).
"""

from collections.abc import Mapping
from typing import Any

from gofer.client import Client
from gofer.dropin.models import PreparedRequest, Request, Response
from gofer.exceptions import InvalidSchema
from gofer.messages.url import parse
from gofer.network.environment import read as read_environment
from gofer.runtime.base import Runtime
from gofer.runtime.blocking import runtime
from gofer.stages.retries import retries
from gofer.state import SessionState

__all__ = ["Session", "session"]


class Session(Client[Response]):
    __doc__ = SessionState.__doc__

    _runtime: Runtime = runtime
    _drive = staticmethod(runtime.run)

    _adapters: Any = None

    def _choose_runtime(self, name: str) -> None:
        if name == "gevent":
            from gofer.runtime.gevent import runtime as cooperative

            self._runtime = cooperative
        elif name != "blocking":
            raise ValueError(f"runtime is {name!r}: expected 'gevent' or 'blocking'")

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections now, and those in use when their response is done.

        A session can be used again after that.
        """
        super().close()
        if self._mounted:
            for adapter in self._adapters.values():
                adapter.close()

    # As in Requests -----------------------------------------------------------------------------

    def prepare_request(self, request: Request) -> PreparedRequest:
        """A `PreparedRequest` of `request` merged over this session, to look at or to change."""
        settings = self._settings_now()
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
        settings = self._settings_now()
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

    async def _send_by_adapter(self, request: Any) -> Any:
        """The bottom of the chain where adapters are mounted."""
        from gofer.dropin.adapters import HTTPAdapter

        adapter = self.get_adapter(request.url)
        if type(adapter) is HTTPAdapter and adapter.is_default:
            return await retries(self.network.runtime)(request, self.network.send)
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

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "adapters": self._adapters if self._mounted else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        adapters = state.pop("adapters")
        super().__setstate__(state)
        if adapters is not None:
            self.adapters = adapters


def session(*args: Any, **kwargs: Any) -> Session:
    """Exactly `Session(...)`, by its name of 2012."""
    return Session(*args, **kwargs)
