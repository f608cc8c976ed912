"""protocols/websocket.py: frames in, messages out, and what is said. There is no connection here."""

from collections.abc import Iterable

import pytest
from websockets.frames import Opcode

from gofer.exceptions import RemoteProtocolError
from gofer.protocols.websocket import MESSAGE, WebSocketProtocol
from servers.raw import split_every_way
from servers.websocket import frame

NOW = 100.0

HELLO = frame(Opcode.TEXT, b"hel", fin=False) + frame(Opcode.CONT, "lo, wörld".encode())


@pytest.fixture
def protocol() -> WebSocketProtocol:
    return WebSocketProtocol(max_message=1000)


def feed(protocol: WebSocketProtocol, pieces: Iterable[bytes]) -> list[str | bytes]:
    """The messages in `pieces`."""
    for piece in pieces:
        protocol.feed(piece, NOW)
    messages = []
    while protocol.has_message:
        messages.append(protocol.take())
    return messages


def said(protocol: WebSocketProtocol) -> list[tuple[Opcode, bytes]]:
    """The frames that are to be sent."""
    data, frames = protocol.output(), []
    while data:
        size = data[1] & 127
        assert size < 126
        mask, payload = data[2:6], data[6 : 6 + size]
        plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        frames.append((Opcode(data[0] & 15), plain))
        data = data[6 + size :]
    return frames


# The opening --------------------------------------------------------------------------------------


def test_what_is_asked_for() -> None:
    """Host and the target are the request's own."""
    fields = WebSocketProtocol(("chat", "talk"), compress=False, max_message=1).fields()

    assert "websocket" == fields["Upgrade"]
    assert "13" == fields["Sec-WebSocket-Version"]
    assert "chat, talk" == fields["Sec-WebSocket-Protocol"]
    assert not {"Host", "Sec-WebSocket-Extensions"} & fields.keys()


def test_a_stream_is_opened_without_a_key() -> None:
    """2xx says enough (RFC 8441, 5); what was chosen counts."""
    protocol = WebSocketProtocol(("chat", "talk"), max_message=1)

    protocol.accept(200, [(b"sec-websocket-protocol", b"talk")])

    assert "talk" == protocol.subprotocol


def test_what_was_not_offered_cannot_be_chosen(protocol: WebSocketProtocol) -> None:
    with pytest.raises(RemoteProtocolError, match="opening a WebSocket"):
        protocol.accept(200, [(b"sec-websocket-protocol", b"talk")])


# Messages -----------------------------------------------------------------------------------------


def test_pieces_are_one_message_however_they_come() -> None:
    for pieces in split_every_way(HELLO):
        assert ["hello, wörld"] == feed(WebSocketProtocol(max_message=1000), pieces)


def test_a_ping_between_pieces_is_answered(protocol: WebSocketProtocol) -> None:
    pieces = [
        frame(Opcode.BINARY, b"a", fin=False),
        frame(Opcode.PING, b"there?"),
        frame(Opcode.CONT, b"b"),
    ]

    assert [b"ab"] == feed(protocol, pieces)
    assert [(Opcode.PONG, b"there?")] == said(protocol)


def test_what_nobody_has_taken_is_counted(protocol: WebSocketProtocol) -> None:
    """With what a message takes in memory beside its own."""
    protocol.feed(frame(Opcode.BINARY, b"abc") + frame(Opcode.BINARY, b""), NOW)
    assert 3 + 2 * MESSAGE == protocol.unread

    assert b"abc" == protocol.take()
    assert MESSAGE == protocol.unread

    protocol.forget_messages()
    assert 0 == protocol.unread
    assert not protocol.has_message


def test_an_answer_to_a_ping_is_one_to_those_before_it(protocol: WebSocketProtocol) -> None:
    """RFC 6455, 5.5.3."""
    assert [1, 2, 3] == [protocol.ping() for _ in range(3)]
    pings = [data for _, data in said(protocol)]

    protocol.feed(frame(Opcode.PONG, pings[1]), NOW)
    assert 2 == protocol.answered
    protocol.feed(frame(Opcode.PONG, pings[0]), NOW)
    assert 2 == protocol.answered


@pytest.mark.parametrize("data", [b"", b"gofer 2", b"gofer 01", b"gofer -1", b"gofer " + b"9" * 99])
def test_a_pong_to_nothing_answers_nothing(data: bytes, protocol: WebSocketProtocol) -> None:
    protocol.ping()

    protocol.feed(frame(Opcode.PONG, data), NOW)

    assert 0 == protocol.answered


# How it ends --------------------------------------------------------------------------------------


def test_a_goodbye_is_answered(protocol: WebSocketProtocol) -> None:
    protocol.feed(frame(Opcode.CLOSE, b"\x0f\xa0no more"), NOW)

    assert [(Opcode.CLOSE, b"\x0f\xa0no more")] == said(protocol)
    assert protocol.is_over
    assert (4000, "no more") == protocol.ending[:2]


def test_after_our_goodbye_the_peer_may_go_on(protocol: WebSocketProtocol) -> None:
    protocol.close(4001, "bye")

    assert protocol.has_closed
    assert not protocol.is_open
    assert not protocol.is_over
    assert ["hello, wörld"] == feed(protocol, [HELLO])
    assert (4001, "", "we closed it, code 4001") == protocol.ending


@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (1006, ""), (999, ""), (1000, "x" * 124)])
def test_what_may_not_be_said(code: int, reason: str, protocol: WebSocketProtocol) -> None:
    """Nothing has been, then."""
    with pytest.raises(ValueError, match="closing a WebSocket"):
        protocol.close(code, reason)

    assert protocol.is_open
    assert [] == said(protocol)


def test_an_end_without_a_goodbye(protocol: WebSocketProtocol) -> None:
    """In the middle of a message, or not: what was whole has come."""
    assert ["hello, wörld"] == feed(protocol, [HELLO, b"\x81\x05he", b"", b""])

    assert protocol.has_ended
    assert (1006, "") == protocol.ending[:2]


def test_a_fault_is_told_by_its_code(protocol: WebSocketProtocol) -> None:
    """And ends it, whatever came with it."""
    assert ["a"] == feed(
        protocol,
        [frame(Opcode.TEXT, b"a") + frame(Opcode.TEXT, b"\xff") + frame(Opcode.TEXT, b"b")],
    )

    [(kind, data)] = said(protocol)
    assert Opcode.CLOSE == kind
    assert 1007 == int.from_bytes(data[:2])
    assert protocol.is_over
    assert 1007 == protocol.ending[0]
    assert "UTF-8" in protocol.problem
