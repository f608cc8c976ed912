"""A WebSocket to a scripted server, for tests that need nothing else of either."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import gofer
from gofer.exceptions import WebSocketClosed
from servers.raw import Peer, Server
from servers.raw_websocket import Then, speaking, url_of

__all__ = ["Meet", "awaited", "end_of", "meet"]

Meet = Callable[..., gofer.WebSocket]


@pytest.fixture
def meet(session: gofer.Session) -> Iterator[Meet]:
    """Opens a WebSocket to a server that is `speaking` so; it is let go of at the end."""
    with contextlib.ExitStack() as stack:

        def meet(
            data: bytes = b"",
            then: Then = Peer.wait_closed,
            extensions: bytes | None = None,
            **options: Any,
        ) -> gofer.WebSocket:
            server = stack.enter_context(speaking(data, then, extensions=extensions))
            socket = session.websocket(url_of(server), **options)
            stack.callback(socket.abort)
            return socket

        yield meet


def awaited(
    then: Then,
    main: Callable[[gofer.AsyncWebSocket, Server], Coroutine[Any, Any, None]],
    **options: Any,
) -> None:
    """Run `main` with a WebSocket to a server that goes on with `then`."""

    async def with_socket(server: Server) -> None:
        async with gofer.AsyncSession(**options) as session:
            socket = await session.websocket(url_of(server))
            try:
                await main(socket, server)
            finally:
                socket.abort()

    with speaking(then=then) as server:
        asyncio.run(with_socket(server))


def end_of(socket: gofer.WebSocket) -> WebSocketClosed:
    """Why there is no next message."""
    with pytest.raises(WebSocketClosed) as caught:
        socket.receive()
    return caught.value
