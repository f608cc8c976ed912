"""When a phase of an exchange has to end, and the exception if it has not."""

from gofer.exceptions import DeadlineExceeded, Timeout
from gofer.messages.request import PreparedRequest

__all__ = ["earlier", "timed_out"]


def earlier(deadline: float | None, now: float, seconds: float | None) -> float | None:
    """The end of a phase of `seconds` from `now`, or `deadline` if that comes first."""
    if seconds is None:
        return deadline
    end = now + seconds
    return end if deadline is None or end < deadline else deadline


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
