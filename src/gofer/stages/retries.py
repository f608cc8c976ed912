"""The retries stage, and `Retry`, the policy users give it.

Two things are repeated without being asked, because they cannot be told from never having
happened: a request whose kept connection turned out to be dead before any of it was answered
(once, and only if it is idempotent or nothing was written; more often only where servers of HTTP/2
say that they have not looked at it), and, with `max_retries=n`, a connection that could not be
made. A request that may have been read and is not idempotent is never sent twice unless the policy
names its method.
"""

from collections.abc import Callable, Collection
from time import time
from typing import Any

from gofer.exceptions import (
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    DeadlineExceeded,
    NameResolutionError,
    ReadTimeout,
    RequestException,
    RetryError,
)
from gofer.runtime.base import Runtime
from gofer.stages import Send, Stage

__all__ = ["IDEMPOTENT", "Retry", "policy_from", "repeats_silently", "retries", "retry_after"]

# RFC 9110, 9.2.2
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"))

MAX_REFUSALS = 16  # of one request, by servers that have not looked at it
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.64  # seconds, doubling: what a server has that is busy

# No connection was made, so no server can have seen the request.
_NOT_CONNECTED = (ConnectionRefused, ConnectTimeout, NameResolutionError)


class Retry:
    """When to try again, and how long to wait: a value that does not change.

    Args:
        total: repeats altogether.
        connect: repeats after no connection could be made; None: as `total`.
        read: repeats after a connection broke or fell silent; None: as `total`.
        status: repeats for an answer in `statuses`; None: as `total`.
        statuses: status codes to try again for.
        methods: methods that may be repeated once the request may have been read; idempotent ones
            by default. None: any, at the caller's risk.
        backoff: seconds; the wait before repeat n is random in 0 … backoff × 2^(n-1) (full jitter).
        max_backoff: seconds, at most.
        respect_retry_after: wait as long as Retry-After says (RFC 9110, 10.2.3), up to the
            setting `retry_after_max`.
        raise_on_status: RetryError when repeats for a status are used up; else the last answer.

    Raises:
        ValueError: a number below 0, or something else than was expected.
    """

    __slots__ = (
        "backoff", "connect", "max_backoff", "methods", "raise_on_status", "read",
        "respect_retry_after", "status", "statuses", "total",
    )  # fmt: skip

    def __init__(
        self,
        total: int = 3,
        *,
        connect: int | None = None,
        read: int | None = None,
        status: int | None = None,
        statuses: Collection[int] = (429, 502, 503, 504),
        methods: Collection[str] | None = IDEMPOTENT,
        backoff: float = 0.1,
        max_backoff: float = 30.0,
        respect_retry_after: bool = True,
        raise_on_status: bool = False,
    ) -> None:
        _check("total", total, _is_count, "a whole number, 0 or more")
        for name, number in (("connect", connect), ("read", read), ("status", status)):
            if number is not None:
                _check(name, number, _is_count, "a whole number, 0 or more, or None")
        for name, seconds in (("backoff", backoff), ("max_backoff", max_backoff)):
            _check(name, seconds, _is_duration, "seconds, 0 or more")
        _check("statuses", statuses, _are_counts, "status codes, such as [503]")
        if methods is not None:
            _check("methods", methods, _are_texts, "methods, such as ['GET'], or None for any")
        put = object.__setattr__
        put(self, "total", total)
        put(self, "connect", connect)
        put(self, "read", read)
        put(self, "status", status)
        put(self, "statuses", frozenset(statuses))
        put(self, "methods", None if methods is None else frozenset(m.upper() for m in methods))
        put(self, "backoff", backoff)
        put(self, "max_backoff", max_backoff)
        put(self, "respect_retry_after", respect_retry_after)
        put(self, "raise_on_status", raise_on_status)

    total: int
    connect: int | None
    read: int | None
    status: int | None
    statuses: frozenset[int]
    methods: frozenset[str] | None
    backoff: float
    max_backoff: float
    respect_retry_after: bool
    raise_on_status: bool

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Retry cannot be changed; use replace(...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Retry cannot be changed; use replace(...)")

    def replace(self, **changes: Any) -> "Retry":
        """A copy with some values changed."""
        return Retry(**{name: changes.get(name, getattr(self, name)) for name in self.__slots__})

    def after_error(self, request: Any, error: RequestException) -> "Retry | None":
        """The policy for the next attempt after `error`, or None to give up."""
        if isinstance(error, DeadlineExceeded) or not request.is_replayable():
            return None
        if isinstance(error, _NOT_CONNECTED):
            return self._spend("connect")
        if not isinstance(error, (ConnectionLost, ReadTimeout)):
            return None
        if not getattr(error, "is_unsent", False) and not self._allows(request.method):
            return None
        return self._spend("read")

    def after_response(self, request: Any, response: Any) -> "Retry | None":
        """The policy for the next attempt after `response`, or None to hand it on."""
        if response.status_code not in self.statuses or not self._allows(request.method):
            return None
        return self._spend("status") if request.is_replayable() else None

    def _allows(self, method: str) -> bool:
        return self.methods is None or method in self.methods

    def _spend(self, kind: str) -> "Retry | None":
        left = getattr(self, kind)
        if self.total <= 0 or left == 0:
            return None
        changes = {"total": self.total - 1}
        if left is not None:
            changes[kind] = left - 1
        return self.replace(**changes)

    def delay(self, attempt: int, asked: float | None, cap: float) -> float:
        """Seconds to wait before repeat number `attempt` (from 1).

        Args:
            asked: what Retry-After said, seconds.
            cap: the longest Retry-After that is obeyed.
        """
        if asked is not None and self.respect_retry_after:
            return min(asked, cap)
        import random  # 10 ms, and most programs never wait here

        most: float = min(self.max_backoff, self.backoff * 2.0 ** min(attempt - 1, 60))
        return random.uniform(0, most)

    def __repr__(self) -> str:
        return f"<Retry total={self.total}, connect={self.connect}, read={self.read}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Retry):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))

    def __reduce__(self) -> Any:
        values = {name: getattr(self, name) for name in self.__slots__}
        return _retry_of, (values,)


def _check(name: str, value: Any, is_fine: Callable[[Any], bool], expected: str) -> None:
    if not is_fine(value):
        raise ValueError(f"Retry({name}={value!r:.60}): expected {expected}")


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and value >= 0


def _is_duration(value: Any) -> bool:
    return isinstance(value, int | float) and value >= 0


def _are_counts(values: Any) -> bool:
    return isinstance(values, Collection) and all(map(_is_count, values))


def _are_texts(values: Any) -> bool:
    is_several = isinstance(values, Collection) and not isinstance(values, str)
    return is_several and all(isinstance(value, str) for value in values)


def _retry_of(values: dict[str, Any]) -> Retry:
    return Retry(**values)


def policy_from(max_retries: Any) -> Retry | None:
    """What `max_retries` means: a number of new tries to connect, a `Retry`, or one like urllib3's.

    Raises:
        ValueError: none of these.
    """
    if isinstance(max_retries, Retry):
        return max_retries
    if max_retries is None or max_retries is False:
        return None
    if isinstance(max_retries, int):
        if max_retries < 0:
            raise ValueError(f"max_retries is {max_retries}: expected 0 or more, or a gofer.Retry")
        return Retry(max_retries, read=0, status=0, backoff=0) if max_retries else None
    if hasattr(max_retries, "total") and hasattr(max_retries, "status_forcelist"):
        return _like_urllib3(max_retries)
    raise ValueError(f"max_retries is {max_retries!r:.60}: expected a number or a gofer.Retry")


def _like_urllib3(policy: Any) -> Retry | None:
    """A policy of urllib3's, by its attributes."""

    def count(value: Any) -> int | None:
        return 0 if value is False else value

    total = count(policy.total)
    methods = policy.allowed_methods
    return Retry(
        10 if total is None else total,
        connect=count(policy.connect),
        read=count(policy.read),
        status=count(policy.status),
        statuses=policy.status_forcelist or (),
        methods=None if methods is False or methods is None else methods,
        backoff=policy.backoff_factor,
        max_backoff=getattr(policy, "backoff_max", 120.0),
        respect_retry_after=policy.respect_retry_after_header,
        raise_on_status=policy.raise_on_status,
    )


def retries(runtime: Runtime) -> Stage:
    """The stage that repeats what is safe to repeat, and waits by `runtime`."""

    async def stage(request: Any, send: Send) -> Any:
        outcome: Any
        try:
            outcome = await send(request)
        except RequestException as error:
            outcome = error
            if isinstance(error, ConnectionLost) and repeats_silently(request, error):
                outcome = await _repeat(request, send, error, runtime)
        else:
            if not request.settings.max_retries or outcome.status_code < 400:
                return outcome
        policy = policy_from(request.settings.max_retries)
        try:
            if policy is not None:
                return await _by_policy(request, send, policy, outcome, runtime)
            if isinstance(outcome, RequestException):
                raise outcome
            return outcome
        finally:
            del outcome  # the traceback of an error keeps this frame, and so would keep a response

    return stage


async def _repeat(request: Any, send: Send, error: ConnectionLost, runtime: Runtime) -> Any:
    """Send `request` again, once, and as long as servers say that they have not looked at it.

    A server that says goodbye to a connection (GOAWAY) refuses all that is on its way there; with
    many requests at a time the next connection may be through with as many before ours is seen.
    One that goes on and refuses a stream is busy: it gets time, as much as the deadline leaves.

    Returns:
        The response, or the error of the last time.
    """
    request.fresh_connection = True
    pause = FIRST_PAUSE
    for _ in range(MAX_REFUSALS):
        if error.is_busy:
            late = request.deadline is not None and runtime.now() + pause >= request.deadline
            if late or pause > LONGEST_PAUSE:
                break
            await runtime.sleep(pause)
            pause *= 2
        request.rewind()
        try:
            return await send(request)
        except RequestException as again:
            if not (isinstance(again, ConnectionLost) and again.is_refused):
                return again
            error = again
    return error


async def _by_policy(
    request: Any, send: Send, policy: Retry | None, outcome: Any, runtime: Runtime
) -> Any:
    """Go on by the policy from the first outcome, an error or a response."""
    attempt = 1
    settings = request.settings
    while policy is not None:
        failed = isinstance(outcome, RequestException)
        before = policy
        policy = (
            policy.after_error(request, outcome)
            if failed
            else policy.after_response(request, outcome)
        )
        if policy is None:
            if failed:
                raise outcome
            if before.raise_on_status and outcome.status_code in before.statuses:
                outcome.close()
                raise RetryError(
                    f"got status {outcome.status_code} {attempt} times", response=outcome
                )
            break
        asked = None if failed else retry_after(outcome.headers.get("retry-after"), time())
        seconds = policy.delay(attempt, asked, settings.retry_after_max)
        now = runtime.now()
        if request.deadline is not None and now + seconds >= request.deadline:
            if failed:
                raise outcome
            break
        if not failed:
            await outcome.discard(settings.max_drain)
        await runtime.sleep(seconds)
        request.rewind()
        attempt += 1
        try:
            outcome = await send(request)
        except RequestException as error:
            outcome = error
    return outcome


def repeats_silently(request: Any, error: ConnectionLost) -> bool:
    """True if a lost exchange may be repeated once without anybody having asked for retries.

    Only on a connection that had been kept: the server closed it while we wrote. Safe if nothing
    went out, or if the method is idempotent; then never more than once (RFC 9112, 9.3.1).
    """
    if not error.is_reused or not error.is_unanswered:
        return False
    if request.fresh_connection or not request.is_replayable():
        return False
    return error.is_unsent or request.method in IDEMPOTENT


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After field asks for, from `now` (wall clock); None if unreadable."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    from gofer.messages.set_cookie import parse_cookie_date

    when = parse_cookie_date(value)
    return None if when is None else max(0.0, when - now)
