"""WebSockets for the web server, over HTTP/1.1, HTTP/2 and HTTP/3: `/websocket` echoes messages.

A text that begins with "!" is an order:

    !close CODE REASON      say goodbye
    !drop                   end the connection without a word
    !ping                   send a ping, and then "pong" when it is answered
    !many COUNT SIZE        send COUNT messages of SIZE bytes
    !pieces A B C           send one text in pieces
    !raw HEX                send these bytes
    !deaf                   read nothing any more until the test opens the gate "deaf"

`?protocols=a,b`: what it can speak inside. `?hello=N`: N messages come with the opening's answer.
"""

from collections.abc import Callable
from typing import Any

from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Opening
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

__all__ = ["Talk", "frame", "is_wanted"]


def is_wanted(request: Any) -> bool:
    """True if `request` asks for a WebSocket where there is one."""
    return request.path == "/websocket" and request.field("upgrade") == "websocket"


class Talk:
    """One WebSocket.

    Args:
        request: the web server's, which asks for it.
        shared: it is spoken on a stream of a connection that others share.
    """

    def __init__(self, request: Any, *, shared: bool) -> None:
        self.request = request
        names = [name for name in request.option("protocols").split(",") if name]
        self.protocol: Any = ServerProtocol(
            subprotocols=names or None,
            extensions=[ServerPerMessageDeflateFactory()],
            max_size=None,
            state=OPEN,
        )
        headers = Headers(request.fields)
        if shared:
            fields = Headers()
            extensions, self.protocol.extensions = self.protocol.process_extensions(headers)
            if extensions is not None:
                fields["Sec-WebSocket-Extensions"] = extensions
            chosen = self.protocol.process_subprotocol(headers)
            if chosen is not None:
                fields["Sec-WebSocket-Protocol"] = chosen
        else:
            fields = self.protocol.accept(Opening(request.target, headers)).headers
        self.fields = list(fields.raw_items())

    def run(self, receive: Callable[[], bytes], send: Callable[[bytes], None], drop: Any) -> None:
        """Talk until it is over.

        Args:
            receive: the next bytes, b"" at the end.
            drop: ends the connection, or the stream, at once.
        """
        protocol = self.protocol
        self.send, self.receive, self.drop = send, receive, drop
        for number in range(int(self.request.option("hello", "0"))):
            protocol.send_text(b"hello %d" % number)
        self.flush()
        kind, message = None, bytearray()
        while data := receive():
            protocol.receive_data(data)
            events = protocol.events_received()
            self.flush()
            for frame in events:
                if frame.opcode is Opcode.PONG and frame.data == b"answer me":
                    protocol.send_text(b"pong")
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                    kind = frame.opcode
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    message += frame.data
                    if frame.fin:
                        whole, message = bytes(message), bytearray()
                        if self.react(kind, whole) is False:
                            return
                self.flush()
            if protocol.close_rcvd is not None:
                return

    def flush(self) -> None:
        data = b"".join(self.protocol.data_to_send())
        if data:
            self.send(data)

    def react(self, kind: Any, message: bytes) -> bool | None:
        """False if that is the end."""
        protocol = self.protocol
        if protocol.state is not OPEN:
            return None
        order, _, rest = message.decode("latin-1").partition(" ")
        if kind is Opcode.BINARY:
            protocol.send_binary(message)
        elif order == "!close":
            code, _, reason = rest.partition(" ")
            protocol.send_close(int(code), reason)
        elif order == "!drop":
            self.drop()
            return False
        elif order == "!ping":
            protocol.send_ping(b"answer me")
        elif order == "!many":
            count, size = map(int, rest.split())
            for _ in range(count):
                protocol.send_binary(b"x" * size)
                self.flush()
        elif order == "!pieces":
            first, *more = rest.split()
            protocol.send_text(first.encode(), fin=not more)
            for number, piece in enumerate(more, 1):
                protocol.send_continuation(piece.encode(), fin=number == len(more))
        elif order == "!raw":
            self.send(bytes.fromhex(rest))
        elif order == "!deaf":
            self.request.web.gates["deaf"].wait()
        else:
            protocol.send_text(message)
        return None


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """One frame of a server's, whatever the rules say."""
    return Frame(opcode, data, fin=fin).serialize(mask=False)
