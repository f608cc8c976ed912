"""When a peer that is silent is asked for a sign of life, and when it is taken for dead.

It has no clock: `now` comes in, monotonic seconds. However many have listened for how short: what
counts is when something was last heard.
"""

from gofer.network.deadlines import earlier

__all__ = ["LAST_LOOK", "Heartbeat"]

LAST_LOOK = 0.1  # seconds for what has come, before a peer is taken for dead


class Heartbeat:
    """How long one peer has been silent.

    Args:
        seconds: of silence before it is asked, and again before it is dead; None for never.
    """

    __slots__ = ("_asked_at", "_heard_at", "seconds")

    def __init__(self, seconds: float | None, now: float) -> None:
        self.seconds = seconds
        self._heard_at = now
        self._asked_at: float | None = None  # since something was heard

    def heard(self, now: float) -> None:
        """Something came: it lives."""
        self._heard_at, self._asked_at = now, None

    def asks(self, now: float) -> bool:
        """True if the peer has to be asked now; it counts as asked then."""
        if self._asked_at is not None or not self._is_long_ago(self._heard_at, now):
            return False
        self._asked_at = now
        return True

    def listen_until(self, deadline: float | None, now: float) -> float | None:
        """When the silence will have lasted too long, or `deadline` if that comes first.

        If it has, what came while nobody listened is heard first, whatever `deadline` says.
        """
        if self.is_over(now):
            return now + LAST_LOOK
        since = self._heard_at if self._asked_at is None else self._asked_at
        return earlier(deadline, since, self.seconds)

    def is_over(self, now: float) -> bool:
        """True if it was asked, and should have been heard since."""
        return self._asked_at is not None and self._is_long_ago(self._asked_at, now)

    def _is_long_ago(self, since: float, now: float) -> bool:
        return self.seconds is not None and now >= since + self.seconds
