"""network/sharing.py: the reader's role is never lost. Coroutines are driven by hand, step by step."""

from collections.abc import Iterable
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from by_hand import Event, Suspended, step
from gofer.network.sharing import SharedStream, is_over
from gofer.protocols.streams import ResponseStream

REFUSED = 7


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


class Line:
    """Three who wait: one reads, has what he waits for, and leaves; the second was told to read."""

    def __init__(self) -> None:
        self.protocol = Protocol()
        self.connection = Connection(self.protocol)
        streams = first, self.second, self.third = [self.protocol.begin() for _ in range(3)]
        waiting = [self.connection.until(stream, is_over, None) for stream in streams]
        reading, self.chosen, self.patient = waiting
        for coroutine in waiting:
            assert not step(coroutine)
        self.protocol.next = first
        assert step(reading)
        assert [True, False] == self.told

    @property
    def told(self) -> list[bool]:
        return [event.is_set for event in self.connection.events]

    def check_that_the_third_reads(self) -> None:
        assert [True, True] == self.told
        assert not step(self.patient)
        self.protocol.next = self.third
        assert step(self.patient)


def test_who_is_told_to_read_and_has_no_need_tells_the_next() -> None:
    """His stream was refused meanwhile, by what another sent (GOAWAY had come before)."""
    line = Line()
    line.second.error_code = REFUSED

    assert step(line.chosen)

    line.check_that_the_third_reads()


def test_who_is_interrupted_when_told_to_read_tells_the_next() -> None:
    """A cancellation or a timeout in that very moment."""
    line = Line()

    with pytest.raises(KeyError):
        line.chosen.throw(KeyError())

    line.check_that_the_third_reads()
