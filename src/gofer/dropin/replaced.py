"""Whether somebody replaced a step of Requests' way, so that a session has to go step by step.

A step is a method that programs, subclasses and mocking libraries replace. It is noticed where that
costs least:

- on one session: when it is set;
- in a subclass: when the class is made;
- in the class itself, for a whole program: the steps that libraries patch in the middle of one are
  looked at before each request, the others when a session is first used and when a redirect comes;
- elsewhere, as `HTTPAdapter.send` is: before each request, by a question in `watches`.

State: what gofer's own steps are (`remember`), and `watches`.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

__all__ = ["STEPS", "Replaceable", "remember", "watches"]

STEPS = (
    "get_adapter", "get_redirect_target", "merge_environment_settings", "prepare_request",
    "rebuild_auth", "rebuild_method", "rebuild_proxies", "resolve_redirects", "send",
    "should_strip_auth",
)  # fmt: skip
_steps_of = attrgetter(*STEPS)
_our_steps: Any = None

# Those that are looked at before each request, which costs 1 %.
_patched_steps_of = attrgetter("get_adapter", "merge_environment_settings", "send")
_our_patched_steps: Any = None

# Questions whether something outside of the class is replaced. Who can be patched adds its own when
# its module is imported, for nobody can have patched it before.
watches: list[Callable[[], bool]] = []


def remember(session: type) -> None:
    """The steps of this class are gofer's own."""
    global _our_steps, _our_patched_steps
    _our_steps = _steps_of(session)
    _our_patched_steps = _patched_steps_of(session)


class Replaceable:
    """A session that notices when one of its steps is replaced."""

    _has_steps_ = False  # one is replaced for good, or adapters are looked at

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in STEPS:
            super().__setattr__("_has_steps_", True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if _our_steps is not None and _steps_of(cls) != _our_steps:
            cls._has_steps_ = True

    def _replaces_a_step_(self) -> bool:
        """True if any is replaced, here or in the class; asked seldom, for it looks at all."""
        return self._has_steps_ or _steps_of(type(self)) != _our_steps

    def _goes_by_steps_(self) -> bool:
        """True if each step has to be called; asked before each request."""
        return (
            self._has_steps_
            or _patched_steps_of(self.__class__) != _our_patched_steps
            or (watches and any(is_replaced() for is_replaced in watches))  # type: ignore[return-value]
        )
