"""Requests' `hooks` module."""

from typing import Any

from gofer.messages.request import HOOKS, default_hooks

__all__ = ["HOOKS", "default_hooks", "dispatch_hook"]


def dispatch_hook(key: str, hooks: Any, hook_data: Any, **kwargs: Any) -> Any:
    """What is left of `hook_data` after the callbacks of one event, called Requests' way."""
    callbacks = (hooks or {}).get(key) or ()
    if callable(callbacks):
        callbacks = (callbacks,)
    for callback in callbacks:
        result = callback(hook_data, **kwargs)
        if result is not None:
            hook_data = result
    return hook_data
