"""Which proxies Requests' steps hand on: those that were said, and the choice for one URL.

Requests' dict of proxies goes from step to step, and the environment's are written into it. What
is in it must not count for the next hop of a redirect, which may be one that NO_PROXY lists, or for
which a callable says something else. So the dict remembers what was written into it.
"""

from collections.abc import Mapping
from typing import Any

from gofer.messages.url import URL
from gofer.network.environment import Environment
from gofer.network.proxies import choose_proxy, key_for

__all__ = ["Decided", "decide"]

_NOTHING = object()


class Decided(dict[str, Any]):
    """Proxies among which is the one for a certain URL; a plain dict to whoever looks at it."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        super().__init__(said)
        self._written: dict[str, tuple[Any, Any]] = {}  # what, and what was there before

    def write(self, key: str, value: Any) -> None:
        """Put in what nobody has said."""
        self._written[key] = value, self.get(key, _NOTHING)
        self[key] = value

    def said(self) -> dict[str, Any]:
        """What it was made of, and what others have changed since."""
        said = dict(self)
        for key, (value, before) in self._written.items():
            if said.get(key, _NOTHING) is not value:
                continue
            if before is _NOTHING:
                del said[key]
            else:
                said[key] = before
        return said


def decide(url: URL, proxies: Mapping[str, Any] | None, environment: Environment | None) -> Decided:
    """`proxies`, with the choice for `url` made; if it was made already, it is made anew.

    Args:
        environment: None if it is not to be trusted.
    """
    said = proxies.said() if isinstance(proxies, Decided) else dict(proxies or {})
    decided = Decided(said)
    chosen = choose_proxy(url, said, environment)
    key = key_for(url, said)
    if key is not None:
        if callable(said[key]):
            decided.write(key, chosen)  # it is not asked twice
    elif chosen is not None:
        for scheme, proxy in {**environment.proxies, url.scheme: chosen}.items():  # type: ignore[union-attr]
            if scheme not in said:
                decided.write(scheme, proxy)
    return decided
