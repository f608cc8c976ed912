"""When a phase of an exchange has to end, and the exception if it has not."""

from gofer.exceptions import DeadlineExceeded, Timeout
from gofer.messages.content import Pieces
from gofer.messages.request import PreparedRequest
from gofer.runtime.base import Runtime

__all__ = ["Timed", "earlier", "share_of", "timed_out"]


def earlier(deadline: float | None, now: float, seconds: float | None) -> float | None:
    """The end of a phase of `seconds` from `now`, or `deadline` if that comes first."""
    if seconds is None:
        return deadline
    end = now + seconds
    return end if deadline is None or end < deadline else deadline


def share_of(deadline: float | None, now: float, seconds: float) -> float:
    """The end of a first try where there is a second: `seconds` from `now`, or a third of the time
    that is left, so that the second has most of it.
    """
    return now + (seconds if deadline is None else min(seconds, max(0.0, (deadline - now) / 3)))


def timed_out(
    kind: type[Timeout], phase: str, request: PreparedRequest, now: float, peer: str, doing: str
) -> Timeout:
    """The timeout to raise: of the phase, or of the whole call if that has passed.

    Args:
        phase: the name of its limit in `Timeouts`.
        now: monotonic seconds.
    """
    if request.deadline is not None and now >= request.deadline - 0.001:
        return DeadlineExceeded(
            f"{peer}: the deadline of the whole call passed while {doing}", request=request
        )
    limit = getattr(request.settings.timeouts, phase)
    return kind(f"{peer}: {phase} timeout of {limit} seconds {doing}", request=request)


class Timed:
    """A connection whose exchanges have limits of time.

    Attributes:
        peer: host:port, for messages.
    """

    __slots__ = ()

    peer: str
    runtime: Runtime

    def deadline_for(self, request: PreparedRequest, seconds: float | None) -> float | None:
        """When a phase of `seconds` starting now has to end; never after the call's deadline."""
        return earlier(request.deadline, self.runtime.now(), seconds)

    async def next_piece(self, content: Pieces, request: PreparedRequest) -> bytes | None:
        """The next piece of the request's content; None if that was all.

        Raises:
            TimedOut: the content is awaited, and the deadline of the whole call has passed.
        """
        if request.deadline is None or not content.is_awaited:
            return await content.next()
        return await self.runtime.until(content.next(), request.deadline)

    def timed_out(
        self, kind: type[Timeout], phase: str, request: PreparedRequest, doing: str
    ) -> Timeout:
        """The timeout to raise: of the phase, or of the whole call if that has passed."""
        return timed_out(kind, phase, request, self.runtime.now(), self.peer, doing)
