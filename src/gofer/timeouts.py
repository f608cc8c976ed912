"""How long each phase of a call may take, and what a call's `timeout=` means."""

from typing import Any

__all__ = ["PHASES", "Timeouts", "positive", "seconds", "timeouts_from"]

PHASES = ("connect", "read", "write", "pool", "total")


class Timeouts:
    """How long each phase may take, seconds; None is no limit.

    Args:
        connect: name look-up, TCP, proxy and TLS together.
        read: until the whole response head is there; then the longest silence in the content.
        write: the longest time in which the peer takes nothing of what is sent.
        pool: waiting for a connection where the session has limits.
        total: the whole call, redirects, retries and content included.

    Raises:
        ValueError: a value is not a number greater than zero.
    """

    __slots__ = ("connect", "pool", "read", "total", "write")

    def __init__(
        self,
        connect: float | None = None,
        read: float | None = None,
        write: float | None = None,
        pool: float | None = None,
        total: float | None = None,
    ) -> None:
        # Written out: a loop takes 4 µs, this 2, and `timeout=5` makes one for each call.
        put = object.__setattr__
        put(self, "connect", seconds(connect, "timeout (connect)"))
        put(self, "read", seconds(read, "timeout (read)"))
        put(self, "write", seconds(write, "timeout (write)"))
        put(self, "pool", seconds(pool, "timeout (pool)"))
        put(self, "total", seconds(total, "timeout (total)"))

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Timeouts cannot be changed; make another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("Timeouts cannot be changed; make another one")

    def replace(self, **changes: float | None) -> "Timeouts":
        """A copy with some limits changed."""
        if not changes:
            return self
        return Timeouts(**{name: changes.get(name, getattr(self, name)) for name in PHASES})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeouts) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __iter__(self) -> Any:
        return iter((self.connect, self.read, self.write, self.pool, self.total))

    def __repr__(self) -> str:
        return (
            f"Timeouts(connect={self.connect}, read={self.read}, write={self.write},"
            f" pool={self.pool}, total={self.total})"
        )

    def __reduce__(self) -> Any:
        return Timeouts, tuple(self)


def seconds(value: Any, name: str) -> float | None:
    """A positive number of seconds, or None.

    Raises:
        ValueError: it is something else.
    """
    if value is None or (type(value) is float and value > 0):
        return value
    number = positive(value)
    if number is None:
        raise ValueError(
            f"{name} must be an int, float or None, in seconds and greater than 0,"
            f" not {value!r:.60}"
        )
    return number


def positive(value: Any) -> float | None:
    """`value` as a number, if it is one greater than 0."""
    try:
        number = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number > 0 else None


def timeouts_from(value: Any, base: Timeouts) -> Timeouts:
    """What a call's `timeout=` means: a number, (connect, read), or Timeouts.

    A number bounds connecting, the head and each silence, as in Requests; limits that `value`
    does not name are those of `base`.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, Timeouts):
        return value
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(
                f"timeout {value!r:.60}: expected a number of seconds, a (connect, read) pair,"
                " or gofer.Timeouts"
            )
        connect, read = value
        return Timeouts(connect, read, base.write, base.pool, base.total)
    if all(hasattr(value, name) for name in ("connect_timeout", "read_timeout", "total")):
        # urllib3's Timeout, by its attributes
        connect, read = value.connect_timeout, value.read_timeout
        return Timeouts(_plain(connect), _plain(read), base.write, base.pool, base.total)
    return Timeouts(value, value, value, base.pool, base.total)


def _plain(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) else None
