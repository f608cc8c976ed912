"""Sharing one stream among many exchanges: the two roles of a connection of HTTP/2 or HTTP/3.

There is no thread or task of its own. Whoever waits for something and finds nobody reading takes
the reader's role: it reads for all, wakes those who have news, and hands the role on when it has
what it waited for (or gives up). Whoever has something to send and finds nobody sending sends what
there is, everybody's. Both roles are flags under a lock that is never held while anything waits, so
the same text serves threads, greenlets and tasks.

A protocol may have timers (`StreamsProtocol.timer`): whoever reads waits no longer than that, and
tells it. Whoever waits beside and has set an earlier one, by what he sent, sees to it himself.
While nobody waits for anything, nobody does. And who reads beside others looks now and then whether
something was left to be sent.

State: the protocol's (`protocols/streams.py`), the two roles, and who waits for which stream.
"""

import _thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from gofer.exceptions import ConnectionLost, RequestException
from gofer.network.deadlines import Timed
from gofer.network.losses import lost
from gofer.protocols.streams import ResponseStream, StreamsProtocol
from gofer.runtime.base import Event, Interrupted, Runtime, Stream, TimedOut

__all__ = ["FAILED", "GLANCE", "SharedStream", "is_over"]

RECEIVE = 64 * 1024  # bytes at a time
RECEIVE_MUCH = 256 * 1024  # the same, where so much comes
SEND = 32 * 1024  # bytes at a time: others' heads go between the pieces of an upload
RECHECK = 1.0  # seconds after which who reads looks whether something was left to be sent
GLANCE = 0.02  # seconds for what has come to turn out to be frames, or TLS's own talk

# Why a connection takes no more exchanges: values for the log and for whoever debugs.
GOING_AWAY = "the server said goodbye"
FAILED = "the connection failed"
INTERRUPTED = "an exception came in the middle of anything"


class SharedStream(Timed):
    """A stream that many send on and receive from, by way of one protocol.

    Attributes:
        closing: why it takes no new exchanges, if it does not.
    """

    __slots__ = (
        "_begun", "_buffer", "_chosen", "_failure", "_going", "_heard", "_heard_at", "_is_asked",
        "_is_sending", "_is_soon", "_lock", "_reader", "_reading_for", "_reads_until", "_unsent",
        "_uploading", "_waiting", "closing", "peer", "protocol", "runtime", "stream",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, runtime: Runtime, protocol: StreamsProtocol, peer: str
    ) -> None:
        self.stream = stream
        self.runtime = runtime
        self.protocol = protocol
        self.peer = peer
        self.closing: str | None = None
        self._lock = _thread.allocate_lock()
        self._reading_for: ResponseStream | None = None  # what who has that role waits for
        self._reader: Any = None  # who has it, where that matters
        self._reads_until = 0.0  # when who reads will look at the protocol's timer
        self._heard_at = runtime.now()  # when something last came from the peer
        self._is_sending = False
        self._is_asked = False  # by somebody who has something to send
        self._begun: list[ResponseStream] = []  # streams of whose heads nothing has gone out
        self._going = 0  # how many of them are in what is being sent
        self._unsent = memoryview(b"")  # frames, perhaps begun; only who sends touches them
        self._buffer = memoryview(bytearray(RECEIVE))  # only who reads touches it
        self._is_soon = False  # `flush` will be called
        self._heard: Event | None = None  # for who sends: somebody has read
        self._waiting: dict[ResponseStream, Event] = {}
        self._chosen: ResponseStream | None = None  # who was woken to take a role, and has not yet
        self._uploading: set[ResponseStream] = set()
        self._failure: RequestException | None = None

    def close(self, reason: str) -> None:
        """Close at once."""
        raise NotImplementedError

    def _settle_locked(self) -> None:
        """End the streams that the collector found, and could not end."""
        raise NotImplementedError

    # Sending ------------------------------------------------------------------------------------

    async def _send(self, deadline: float | None) -> None:
        """Send what is there to be sent, unless somebody is at it, who will send ours too.

        Whoever is interrupted here leaves what remains to the next: no frame is lost or torn.

        Raises:
            TimedOut: `deadline` has passed.
        """
        is_ours = False
        try:
            while not self._send_now(is_ours):
                is_ours = True
                try:
                    count = await self.stream.send_some(self._unsent, deadline)
                    self._unsent = self._unsent[count:]
                    if count:
                        self._has_gone()
                    else:
                        await self._hear(deadline)
                except BaseException:
                    self._leave_sending()
                    raise
        except OSError as error:
            self._fail(self._broken(error, "sending"), FAILED)
        self._fail_with_protocol()

    def _send_soon(self) -> bool:
        """True if `flush` will be called when everybody has had his say."""
        if not self._is_soon:
            self._is_soon = self.stream.send_soon(self)
        return self._is_soon

    def flush(self) -> None:
        """Send what everybody has to say."""
        self._is_soon = False
        with suppress(Exception):  # every exchange hears of it; whoever called us has no part in it
            self.send_without_waiting()
        if self._unsent and self._failure is None:
            self._send_soon()  # the stream goes on with what it has, and then with this

    def send_without_waiting(self) -> bool:
        """Send what is there if that takes no waiting. False if something is left."""
        is_done = True
        try:
            is_done = self._send_now()
            if not is_done:
                self._leave_sending()
        except OSError as error:  # every exchange will hear of it
            self._fail(self._broken(error, "sending"), FAILED)
        if self.protocol.failure is not None:
            self._fail_with_protocol()
        return is_done

    def _send_now(self, is_ours: bool = False) -> bool:
        """In the sender's role, send what needs no waiting. The role is free again, unless False.

        Args:
            is_ours: we have the role already; else it is taken if it is free.

        Returns:
            True if everything has been sent, or somebody else is at it.

        Raises:
            OSError: the connection is broken. The caller fails it.
        """
        try:
            while True:
                with self._lock:
                    if not is_ours:
                        self._is_asked = True
                        if self._is_sending:
                            return True
                        self._is_sending = is_ours = True
                    if not self._unsent and self._is_asked and self._failure is None:
                        output = self.protocol.output(SEND, self.runtime.now())
                        self._going = len(self._begun)
                        self._is_asked = not self.protocol.is_drained
                        self._unsent = memoryview(output)
                        self._tell_locked()
                    if not self._unsent or self._failure is not None:
                        self._is_sending = False
                        for stream in self._uploading:
                            self._wake_locked(stream)
                        return True
                count = self.stream.send_now(self._unsent)
                if not count:
                    return False
                self._unsent = self._unsent[count:]
                if self._going:
                    self._has_gone()
        except OSError:
            raise
        except BaseException as error:
            if is_ours:  # nobody knows how much has gone, and nothing must go twice
                problem = f"{self.peer}: interrupted while sending by {error!r}"
                self._fail(ConnectionLost(problem), FAILED)
            raise

    def _has_gone(self) -> None:
        """Something of what we took from the protocol has been sent: perhaps all those heads."""
        del self._begun[: self._going]
        self._going = 0

    def _leave_sending(self) -> None:
        """Not everything has been sent: somebody who waits has to take the role."""
        with self._lock:
            self._is_sending = False
            self._choose_locked()

    async def _hear(self, deadline: float | None) -> None:
        """The peer takes nothing because it has something to say: let it be heard."""
        with self._lock:
            event = None
            if self._reading_for is not None:
                event = self._heard = self.runtime.event()
        if event is not None:
            await event.wait(deadline)
            return
        with suppress(TimedOut):  # it was TLS's own talk
            await self._glance(self.runtime.now() + GLANCE)

    # Receiving ----------------------------------------------------------------------------------

    async def until(
        self,
        stream: ResponseStream,
        is_ready: Callable[[ResponseStream], bool],
        deadline: float | None,
    ) -> None:
        """Return when `is_ready(stream)`, or when nothing more will come of it.

        Raises:
            TimedOut: `deadline` passed first.
            RequestException: the connection failed.
        """
        event: Event | None = None
        is_reader = has_displaced = is_displaced = False
        try:
            while True:
                with self._lock:
                    event = reader = None
                    if is_ready(stream) or stream.is_over:
                        if has_displaced or self._chosen is stream:
                            self._hand_on_locked()
                        return
                    if self._failure is not None:
                        self._raise_failure_locked()
                    is_left = self._unsent and not self._is_sending
                    if is_left:
                        pass
                    elif self._reading_for is not None or is_displaced:
                        event = self._waiting[stream] = self.runtime.event()
                        reader = self._reader
                    else:
                        self._reading_for, is_reader = stream, True
                        self._reader = self.runtime.current
                        self._chosen = None
                if is_left:  # somebody was interrupted in the middle of sending
                    await self._send(deadline)
                elif event is None:
                    try:
                        await self._read_for_all(stream, is_ready, deadline)
                    except Interrupted:
                        is_displaced = True
                    is_reader = False
                    if not has_displaced and (is_ready(stream) or stream.is_over):
                        return
                elif reader is not None and reader.interrupt():  # it can wait for us, not we for it
                    is_displaced, has_displaced = False, True
                    with self._lock:
                        self._waiting.pop(stream, None)
                else:
                    is_displaced = False
                    if self.protocol.timer is None:
                        await event.wait(deadline)
                    else:
                        await self._watch(event, deadline)
                    if is_ready(stream) and not (has_displaced or self._chosen is stream):
                        return
        except BaseException:
            with self._lock:
                if is_reader and self._reading_for is stream:
                    self._leave_reading_locked()
                elif event is not None and self._waiting.pop(stream, None) is None:
                    # We were woken in this very moment, perhaps to take the role.
                    self._hand_on_locked()
            raise

    async def _watch(self, event: Event, deadline: float | None) -> None:
        """Wait for `event`, and see to the protocol's timer if who reads would be too late.

        Raises:
            TimedOut: `deadline` passed first.
        """
        while True:
            timer = self.protocol.timer
            if timer is None or timer >= self._reads_until:
                await event.wait(deadline)
                return
            try:
                await event.wait(timer if deadline is None else min(timer, deadline))
                return
            except TimedOut:
                if deadline is not None and deadline <= timer:
                    raise
            with self._lock:
                self.protocol.on_time(self.runtime.now())
                self._tell_locked()
            await self._send(deadline)

    async def _glance(self, deadline: float) -> None:
        """Read once, if nobody else does."""
        for_nothing = ResponseStream(0, has_ended_sending=True)
        try:
            with self._lock:
                if self._reading_for is not None:
                    raise TimedOut
                self._reading_for = for_nothing
                self._reader = self.runtime.current
            await self._read_for_all(None, is_over, deadline)
        except BaseException:
            with self._lock:
                if self._reading_for is for_nothing:
                    self._leave_reading_locked()
            raise

    async def _read_for_all(
        self,
        stream: ResponseStream | None,
        is_ready: Callable[[ResponseStream], bool],
        deadline: float | None,
    ) -> None:
        """In the reader's role, until `stream` has what is waited for; once, if it is None."""
        protocol = self.protocol
        is_done = False
        try:
            while True:
                timer = protocol.timer
                if self._unsent or len(protocol.streams) > 1:
                    timer = self._recheck_at(timer)
                if timer is None:
                    pieces = await self._come(deadline)
                else:
                    pieces = await self._come_in_time(timer, deadline)
                now = self.runtime.now()
                with self._lock:
                    if pieces:
                        self._heard_at = now
                        protocol.feed(pieces, now)
                    if timer is not None and timer <= now:
                        protocol.on_time(now)
                        self._settle_locked()
                    self._tell_locked()
                    is_done = stream is None or is_ready(stream) or stream.is_over
                    if is_done:
                        self._leave_reading_locked()
                if protocol.failure is not None:
                    self.send_without_waiting()  # tell the peer why
                    self._fail_with_protocol()
                elif protocol.has_output or self._unsent:
                    self.send_without_waiting()  # at once: it may be the end of our own stream
                if is_done or stream is None or is_ready(stream) or stream.is_over:
                    return
                if self._failure is not None:
                    return
        except OSError as error:
            self._fail(self._broken(error, "receiving"), FAILED)
        finally:
            if not is_done:
                with self._lock:
                    self._leave_reading_locked()

    def _recheck_at(self, timer: float | None) -> float:
        """When who reads looks, and sends what nobody else does; `timer` if that is before.

        Somebody may have left in the middle of sending, when nobody waited who could go on; or the
        collector may have ended streams, and must not send.
        """
        patience = GLANCE if self._unsent and not self._is_sending else RECHECK
        until = self.runtime.now() + patience
        return until if timer is None else min(timer, until)

    def _leave_reading_locked(self) -> None:
        self._reading_for = self._reader = None  # it would keep what comes of its task
        self._hand_on_locked()

    async def _come_in_time(
        self, timer: float, deadline: float | None
    ) -> Sequence[bytes | memoryview]:
        """As `_come`, for no longer than the protocol's timer lets us; none if its time came."""
        is_first = deadline is None or timer < deadline
        self._reads_until = until = timer if is_first else deadline  # type: ignore[assignment]
        try:
            return await self._come(until)
        except TimedOut as over:
            if not is_first or isinstance(over, Interrupted):
                raise
            return ()

    async def _come(self, deadline: float | None) -> Sequence[bytes | memoryview]:
        """What has come from the peer; none if that was the end."""
        buffer = self._buffer
        count = await self.stream.receive_into(buffer, deadline)
        if count == RECEIVE == len(buffer):
            self._buffer = memoryview(bytearray(RECEIVE_MUCH))
        if count:
            return (buffer[:count],)
        self._fail(ConnectionLost(f"{self.peer}: closed the connection"), FAILED)
        return ()

    def _tell_locked(self) -> None:
        """Wake those whom the protocol has news for."""
        protocol = self.protocol
        if self._heard is not None:
            self._heard.set()
            self._heard = None
        if protocol.touched:
            for stream in protocol.touched:
                self._wake_locked(stream)
                if stream.outlet is not None:
                    self._wake_locked(stream.outlet)
            protocol.touched.clear()
        if protocol.is_closing:
            self.closing = self.closing or GOING_AWAY

    def _fail_with_protocol(self) -> None:
        """What the protocol has failed by, everybody hears."""
        failure = self.protocol.failure
        if failure is not None and self._failure is None:
            self._fail(failure, FAILED)

    def _wake_locked(self, stream: ResponseStream) -> None:
        event = self._waiting.pop(stream, None)
        if event is not None:
            event.set()

    def _recall_locked(self, stream: ResponseStream) -> None:
        """Wake whoever waits for `stream`, which has ended without the peer.

        Who reads for it cannot be woken; the answer to a ping does that.
        """
        self._wake_locked(stream)
        if self._reading_for is stream:
            self.protocol.ping()

    def _hand_on_locked(self) -> None:
        """Wake somebody to take the reader's role, if it is free."""
        if self._heard is not None:
            self._heard.set()
            self._heard = None
        self._chosen = None
        if self._reading_for is None:
            self._choose_locked()

    def _choose_locked(self) -> None:
        """Wake one of those who wait, to take a role; he says so if he has no need any more."""
        if self._waiting:
            self._chosen = next(iter(self._waiting))
            self._wake_locked(self._chosen)

    # Errors -------------------------------------------------------------------------------------

    def _fail(self, error: RequestException, reason: str) -> None:
        """The connection is of no use any more: everybody who waits hears of it.

        What has not gone out is as good as refused: whoever asked may ask again elsewhere.
        """
        with self._lock:
            self._failure = self._failure or error
            if isinstance(error, ConnectionLost):
                for stream in self._begun:
                    if stream.error_code is None:
                        stream.error_code = self.protocol.refused
            waiting, self._waiting = self._waiting, {}
            for event in waiting.values():
                event.set()
        self.close(reason)

    def interrupted(self, error: BaseException, upload: Any = None) -> None:
        """Close the connection if `error` may have come in the middle of anything.

        Ctrl-C and other signals' exceptions do: nobody knows what has been read, or said. Ours do
        not, nor those that the content of `upload` raised.
        """
        is_ours = isinstance(error, RequestException | TimedOut | OSError)
        is_callers = upload is not None and upload.has_failed
        if not (is_ours or is_callers) and self.runtime.is_interruptible:
            self._fail(ConnectionLost(f"{self.peer}: interrupted by {error!r}"), INTERRUPTED)

    def _raise_failure_locked(self) -> None:
        failure = self._failure
        if failure is not None:
            # Each exchange has an exception of its own: it carries the request.
            raise type(failure)(*failure.args) from failure

    def _broken(self, error: BaseException, doing: str) -> RequestException:
        if isinstance(error, RequestException):
            return error
        return lost(error, self.stream, self.peer, doing, is_new=not self.protocol.has_heard)


def is_over(stream: ResponseStream) -> bool:
    """True if nothing more will come of it."""
    return stream.is_over
