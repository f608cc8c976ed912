"""Subclasses of `requests.Session` keep the names that Requests' has not for themselves.

A program that was written for Requests may call a method `events`, or an attribute `config`: in a
base class behind `requests.Session`, or assigned. While gofer stands in for Requests, its own
names give way to those in every subclass that is made. Where there are none, they stay.
"""

from collections.abc import Mapping
from typing import Any

from gofer.config import KNOWN
from gofer.sessions import Session

__all__ = ["OURS", "give_way"]

# The public names of a session that Requests' has not.
OURS = ("config", "events", "network", "pins", "prefetch", "timeout", "websocket")

_OUR_CLASSES = {*Session.__mro__}


def give_way(cls: type[Session]) -> None:
    """Let `cls` have the names of its other bases, and attributes of its own."""
    others = [base for base in cls.__mro__ if base not in _OUR_CLASSES]
    for name in OURS:
        values = [vars(base)[name] for base in others if name in vars(base)]
        theirs = [value for value in values if not isinstance(value, _Yielding)]
        if theirs:
            setattr(cls, name, theirs[0])
        elif not values and isinstance(ours := getattr(Session, name), property):
            setattr(cls, name, _Yielding(name, ours))


class _Yielding:
    """A property of ours that takes any value; one that it does not know is the subclass's own."""

    def __init__(self, name: str, ours: property) -> None:
        self._name = name
        self._ours = ours
        self.__doc__ = ours.__doc__

    def __get__(self, session: Any, cls: Any = None) -> Any:
        if session is None:
            return self
        own = vars(session)
        return own[self._name] if self._name in own else self._ours.__get__(session, cls)

    def __set__(self, session: Any, value: Any) -> None:
        own = vars(session)
        own[self._name] = value
        if self._name == "config" and not _is_config(value):
            return
        try:
            self._ours.__set__(session, value)
        except (AttributeError, TypeError, ValueError):
            return
        if self._name == "config":
            del own["config"]  # ours is told of what changes in it


def _is_config(value: Any) -> bool:
    """True if `value` can only be meant for us."""
    return isinstance(value, Mapping) and value.keys() <= KNOWN.keys()
