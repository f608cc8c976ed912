"""`Response`: the answer to a request: a head, and content that may still be on its way.

A response owns what it holds of the network only through the *source* of its content, which gives
the connection back at its end.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gofer.exceptions import HTTPError
from gofer.messages.response_content import ResponseContent
from gofer.messages.response_head import ResponseHead

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Self

    from gofer.messages.request import PreparedRequest
    from gofer.network.tls_info import TLSInfo

__all__ = ["Response"]


class Response(ResponseHead, ResponseContent):
    """The answer to a request.

    By default its content is still on the connection when a call returns; `content`, `text`,
    `json()` and iteration read it. A response that is closed, left by `with`, or dropped gives
    its connection back.

    Attributes:
        status_code: int; 0 for a request that failed under `safe_mode`.
        url: str, the URL this answers.
        history: the responses (redirects, repeated challenges) before this one, oldest first.
        request: the `PreparedRequest` this answers.
        interim: [(status code, Headers)] of the 1xx heads that came before.
        error: under `safe_mode` and in bulk, the exception instead of an answer; else None.
    """

    __attrs__ = [
        "_content",
        "status_code",
        "url",
        "headers",
        "history",
        "encoding",
        "reason",
        "cookies",
        "elapsed",
        "request",
    ]

    # Class-wide until somebody sets them: making a response costs only what differs.
    if TYPE_CHECKING:  # None in one that somebody makes; typing.get_type_hints must not meet these
        url: str
        request: PreparedRequest
        tls: TLSInfo | None
    else:
        url = request = tls = None
    connection: Any = None
    error: Exception | None = None
    _duplex: Any = None  # the way for another protocol, if that is what was asked for
    _history: Any = None
    _next: Any = None
    _elapsed: float = 0.0
    _elapsed_delta: Any = None  # timedelta | None

    # What it answers, and how ---------------------------------------------------------------------

    @property
    def ok(self) -> bool:
        """True if the status code is below 400 and there was no error."""
        if self.error is not None or not self.status_code:
            return False
        return self.status_code < 400

    def raise_for_status(self) -> None:
        """Raise `HTTPError` for a 4xx or 5xx answer, and a failed request's own error."""
        if self.error is not None:
            raise self.error
        status = self.status_code
        if not status or status < 400:
            return
        reason: Any = self.reason
        if isinstance(reason, bytes):
            try:
                reason = reason.decode("utf-8")
            except UnicodeDecodeError:
                reason = reason.decode("iso-8859-1")
        from gofer.messages.url import without_secrets

        side = "Client" if status < 500 else "Server"
        url = without_secrets(str(self.url))
        raise HTTPError(f"{status} {side} Error: {reason} for url: {url}", response=self)

    @property
    def history(self) -> "list[Self]":
        """The responses before this one, oldest first."""
        history: list[Self] | None = self._history
        if history is None:
            history = self._history = []
        return history

    @history.setter
    def history(self, value: Any) -> None:
        self._history = value

    @property
    def next(self) -> "PreparedRequest | None":
        """The request that would follow this redirect, when redirects are not followed."""
        return self._next  # type: ignore[no-any-return]

    @property
    def elapsed(self) -> "timedelta":
        """From sending the request to having the head."""
        elapsed: Any = self._elapsed_delta
        if elapsed is None:
            from datetime import timedelta

            elapsed = timedelta(seconds=self._elapsed)
        return elapsed  # type: ignore[no-any-return]

    @elapsed.setter
    def elapsed(self, value: "timedelta") -> None:
        self._elapsed_delta = value

    @property
    def config(self) -> dict[str, Any]:
        """What its request was sent with, by the keys of `config`; a copy, to be read."""
        return getattr(self.request, "config", {})

    # Its life -------------------------------------------------------------------------------------

    @property
    def raw(self) -> Any:
        """The content as a file-like object, as it came unless `decode_content` is asked for."""
        if self._raw is None and self.fields is not Response.fields:  # it came from the network
            from gofer.messages.raw import RawContent

            self._raw = RawContent(self)
        return self._raw

    @raw.setter
    def raw(self, value: Any) -> None:
        self._raw = value

    def close(self) -> None:
        """Let go of the connection; content that has not been read is lost."""
        source = self._source
        if source is not None:
            source.abort()
            self._is_closed = True
            self._source = None
        elif self._raw is not None and hasattr(self._raw, "close"):
            self._raw.close()

    async def discard(self, max_bytes: int = 64 * 1024, seconds: float = 1.0) -> None:
        """Read what is left if it is little, so that the connection can be kept; else close.

        What was read stays available as `content`, unless it is only the rest of what somebody
        had begun to read; it is not decoded here.
        """
        source = self._source
        if source is None:
            return
        drain = getattr(source, "drain", None)
        received = await drain(max_bytes, seconds) if drain is not None else None
        if received is None:
            self.close()
        else:
            self._source = None
            if not self._content_consumed:
                self._received = received

    async def aclose(self) -> None:
        """`close`, which never waits, for those who await everything."""
        self.close()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_content(128)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"

    def __getstate__(self) -> dict[str, Any]:
        if not self._content_consumed:
            self.content  # noqa: B018  (reads it)
        return {name: getattr(self, name, None) for name in self.__attrs__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._content_consumed = True
        self._raw = None
