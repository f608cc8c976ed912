"""Requests' `adapters` module: what `Session.mount` takes.

A session without mounted adapters sends on its own network and never looks here.
"""

from typing import Any

from gofer.config import Timeouts, default_of, timeouts_from
from gofer.network.endings import when_dropped
from gofer.network.exchange import Network
from gofer.network.pool import PoolLimits
from gofer.runtime.blocking import runtime
from gofer.stages import fold
from gofer.stages.retries import policy_from, retries

__all__ = ["BaseAdapter", "HTTPAdapter"]

DEFAULT_POOLBLOCK = False
DEFAULT_POOLSIZE = 10
DEFAULT_RETRIES = 0
DEFAULT_POOL_TIMEOUT = None


class BaseAdapter:
    """What sends a `PreparedRequest` and returns a `Response`."""

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class HTTPAdapter(BaseAdapter):
    """Sends over HTTP with connections of its own.

    Args:
        pool_connections: origins whose idle connections are kept.
        pool_maxsize: idle connections kept per origin; with `pool_block` also the most open.
        max_retries: new tries to connect, or a `Retry`.
        pool_block: wait for a connection rather than open more than `pool_maxsize`.
    """

    __attrs__ = ["max_retries", "config", "_pool_connections", "_pool_maxsize", "_pool_block"]

    is_default = False  # stands for the session's own network

    def __init__(
        self,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        max_retries: Any = DEFAULT_RETRIES,
        pool_block: bool = DEFAULT_POOLBLOCK,
    ) -> None:
        policy_from(max_retries)
        self.max_retries = max_retries
        self.config: dict[str, Any] = {}
        self._pool_connections = pool_connections
        self._pool_maxsize = pool_maxsize
        self._pool_block = pool_block
        self._network: Network | None = None

    @classmethod
    def _default_of(cls, session: Any) -> "HTTPAdapter":
        """The adapter that stands for a session's own network."""
        adapter = cls(
            session.config["pool_connections"],
            session.config["pool_maxsize"],
            session.config["max_retries"],
        )
        adapter.is_default = True
        return adapter

    @property
    def network(self) -> Network:
        if self._network is None:
            self._network = Network(
                runtime,
                None,
                PoolLimits(
                    self._pool_connections,
                    self._pool_maxsize,
                    default_of("idle_seconds"),
                    self._pool_maxsize if self._pool_block else None,
                ),
            )
            when_dropped(self, self._network.pool.abandon)  # for those who never call close()
        return self._network

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Any:
        """Send one prepared request, without redirects, cookies or auth.

        Args:
            timeout: seconds, (connect, read), or `Timeouts`.
        """
        settings = request.settings
        if settings is None:
            from gofer.sessions import Session

            settings = Session()._settings_now()
        timeouts = timeouts_from(timeout, Timeouts()) if timeout is not None else settings.timeouts
        settings = settings.replace(
            timeouts=timeouts,
            verify=True if verify is None else verify,
            cert=cert,
            proxies=dict(proxies or {}),
            max_retries=self.max_retries,
        )
        settings.router = type(settings.router)(settings)
        request.settings = settings
        response: Any = runtime.run(fold([retries(runtime)], self.network.send)(request))
        response.connection = self
        if not stream:
            response.content  # noqa: B018  (reads it)
        return response

    def close(self) -> None:
        """Close idle connections."""
        if self._network is not None:
            self._network.pool.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name, None) for name in self.__attrs__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._network = None
        for name, value in state.items():
            setattr(self, name, value)
