"""`util.retry`: urllib3's `Retry`, as what `max_retries` takes."""

from collections.abc import Collection
from typing import Any

__all__ = ["Retry"]


class Retry:
    """When to try again, in urllib3's words. gofer reads its attributes (`stages/retries.py`).

    Args:
        total, connect, read, redirect, status, other: repeats; None for no limit of its own.
        allowed_methods: methods that may be repeated; False for any.
        status_forcelist: status codes to try again for.
        backoff_factor, backoff_max: seconds.
        raise_on_redirect, raise_on_status: give up with an error, not with the last answer.
        respect_retry_after_header: wait as long as Retry-After says.
    """

    DEFAULT_ALLOWED_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"))
    RETRY_AFTER_STATUS_CODES = frozenset((413, 429, 503))
    DEFAULT_BACKOFF_MAX = 120

    def __init__(
        self,
        total: Any = 10,
        connect: int | None = None,
        read: Any = None,
        redirect: Any = None,
        status: int | None = None,
        other: int | None = None,
        allowed_methods: Collection[str] | bool | None = DEFAULT_ALLOWED_METHODS,
        status_forcelist: Collection[int] | None = None,
        backoff_factor: float = 0,
        backoff_max: float = DEFAULT_BACKOFF_MAX,
        raise_on_redirect: bool = True,
        raise_on_status: bool = True,
        history: Any = None,
        respect_retry_after_header: bool = True,
        remove_headers_on_redirect: Collection[str] = ("Authorization", "Cookie"),
        backoff_jitter: float = 0.0,
    ) -> None:
        self.total = total
        self.connect = connect
        self.read = read
        self.redirect = redirect
        self.status = status
        self.other = other
        self.allowed_methods = allowed_methods
        self.status_forcelist = frozenset(status_forcelist or ())
        self.backoff_factor = backoff_factor
        self.backoff_max = backoff_max
        self.raise_on_redirect = raise_on_redirect
        self.raise_on_status = raise_on_status
        self.history = tuple(history or ())
        self.respect_retry_after_header = respect_retry_after_header
        self.remove_headers_on_redirect = frozenset(remove_headers_on_redirect)
        self.backoff_jitter = backoff_jitter

    @classmethod
    def from_int(cls, retries: Any, redirect: Any = True, default: Any = None) -> Any:
        """A policy of that many repeats; one that is a policy already as it is."""
        if retries is None:
            retries = cls() if default is None else default
        if isinstance(retries, cls):
            return retries
        return cls(retries, redirect=bool(redirect) and None)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """True if an answer with that status code is a reason to try again."""
        methods = self.allowed_methods
        if not isinstance(methods, bool) and methods and method.upper() not in methods:
            return False
        if status_code in self.status_forcelist:
            return True
        is_asked_for = has_retry_after and self.respect_retry_after_header
        return bool(self.total and is_asked_for and status_code in self.RETRY_AFTER_STATUS_CODES)

    def new(self, **changes: Any) -> "Retry":
        """A copy with some values changed."""
        return type(self)(**{**self.__dict__, **changes})

    def __repr__(self) -> str:
        limits = ("total", "connect", "read", "redirect", "status")
        return f"Retry({', '.join(f'{name}={self.__dict__[name]}' for name in limits)})"
