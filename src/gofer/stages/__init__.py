"""What happens around an exchange: each stage wraps the ones below it.

A stage is `async def stage(request, send) -> Response`; `send` is everything below. What it
decides is a plain function in the same file. `fold` binds them once per state of a session: a
feature that is off is not in the chain.

    redirects ▸ answer hooks ▸ cookies ▸ auth ▸ wire hooks ▸ retries ▸ network

    redirects.py    follow a Location; leave credentials behind at another origin
    hooks.py        the caller's callbacks, and the verbose log
    cookies.py      Cookie out, Set-Cookie in
    auth/           credentials, and answers to challenges
    retries.py      `Retry`, and what is repeated without being asked
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

__all__ = ["Send", "Stage", "fold"]

Send = Callable[[Any], Coroutine[Any, Any, Any]]
Stage = Callable[[Any, Send], Coroutine[Any, Any, Any]]


def fold(stages: Iterable[Stage], network: Send) -> Send:
    """One callable that runs `stages` from the outside in, around `network`."""
    send = network
    for stage in reversed(list(stages)):
        send = _bind(stage, send)
    return send


def _bind(stage: Stage, send: Send) -> Send:
    return lambda request: stage(request, send)  # 0.1 µs less per stage than functools.partial
