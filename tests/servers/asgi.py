"""An application for servers of ASGI: what the interoperation tests ask for."""

import hashlib
from typing import Any

__all__ = ["app"]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """/hello, /away, /digest of what is sent, and a WebSocket at /websocket that echoes."""
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        status, fields, content = await answer(scope, receive)
        fields.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        if scope["method"] == "HEAD":
            content = b""
        await send({"type": "http.response.body", "body": content})
    elif scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def answer(scope: dict[str, Any], receive: Any) -> tuple[int, list[Any], bytes]:
    path = scope["path"]
    text = [(b"content-type", b"text/plain")]
    if path == "/hello":
        return 200, text, b"hello"
    if path == "/away":
        return 302, [(b"location", b"/hello")], b""
    if path == "/digest":
        digest = hashlib.sha256()
        more = True
        while more:
            message = await receive()
            digest.update(message.get("body", b""))
            more = message.get("more_body", False)
        return 200, text, digest.hexdigest().encode()
    return 404, text, b"nothing"


async def echo(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
            continue
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})
