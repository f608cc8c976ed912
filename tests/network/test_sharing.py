"""network/sharing.py: the reader's role is never lost. Coroutines are driven by hand, step by step."""

from collections.abc import Coroutine, Iterable
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from gofer.network.sharing import SharedStream, is_over
from gofer.protocols.streams import ResponseStream

REFUSED = 7


class Suspended:
    """What a leaf awaits: it goes on when the test does."""

    def __await__(self) -> Any:
        return (yield self)


class Event:
    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    async def wait(self, _deadline: float | None) -> None:
        await Suspended()


class Wire:
    """A stream of bytes, of which one comes when the test lets it."""

    async def receive_into(self, buffer: memoryview, _deadline: float | None) -> int:
        await Suspended()
        buffer[:1] = b"x"
        return 1


class Protocol:
    """Ends `next` with whatever comes."""

    timer = failure = None
    is_closing = has_output = False

    def __init__(self) -> None:
        self.streams: dict[int, ResponseStream] = {}
        self.touched: list[ResponseStream] = []
        self.next: ResponseStream | None = None

    def begin(self) -> ResponseStream:
        stream = ResponseStream(len(self.streams), has_ended_sending=True)
        self.streams[stream.number] = stream
        return stream

    def feed(self, _pieces: Iterable[Any], _now: float) -> None:
        if self.next is not None:
            self.next.complete = True
            self.touched.append(self.next)


class Connection(SharedStream):
    __slots__ = ("events",)

    def __init__(self, protocol: Protocol) -> None:
        self.events: list[Event] = []
        runtime: Any = SimpleNamespace(event=self.event, now=monotonic, current=None)
        super().__init__(Wire(), runtime, protocol, "peer")  # type: ignore[arg-type]

    def event(self) -> Event:
        self.events.append(Event())
        return self.events[-1]

    def _settle_locked(self) -> None: ...


def step(coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Go on with `coroutine` until it waits again; True if that was its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return True
    return False


def test_who_is_told_to_read_and_has_no_need_tells_the_next() -> None:
    """His stream was refused meanwhile, by what another sent (GOAWAY had come before)."""
    protocol = Protocol()
    connection = Connection(protocol)
    first, second, third = protocol.begin(), protocol.begin(), protocol.begin()
    reading, chosen, patient = (
        connection.until(stream, is_over, None) for stream in (first, second, third)
    )
    assert not step(reading)
    assert not step(chosen)
    assert not step(patient)
    protocol.next = first
    assert step(reading)
    assert [True, False] == [event.is_set for event in connection.events]

    second.error_code = REFUSED

    assert step(chosen)
    assert [True, True] == [event.is_set for event in connection.events]
    assert not step(patient)
    protocol.next = third
    assert step(patient)


def test_who_is_interrupted_when_told_to_read_tells_the_next() -> None:
    """A cancellation or a timeout in that very moment."""
    protocol = Protocol()
    connection = Connection(protocol)
    first, second, third = protocol.begin(), protocol.begin(), protocol.begin()
    reading, chosen, patient = (
        connection.until(stream, is_over, None) for stream in (first, second, third)
    )
    for coroutine in (reading, chosen, patient):
        assert not step(coroutine)
    protocol.next = first
    assert step(reading)

    with pytest.raises(KeyError):
        chosen.throw(KeyError())

    assert [True, True] == [event.is_set for event in connection.events]
    protocol.next = third
    assert not step(patient)
    assert step(patient)
