"""`Response`: a status, a field section, and content that may still be on its way.

A response owns what it holds of the network only through its *source*: an object that hands out
the content piece by piece and gives the connection back at its end. Everything that waits goes
through `source.run`, so this file has no I/O of its own.
"""

import json as json_library
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from gofer.codings import MAX_RATIO
from gofer.exceptions import (
    ContentDecodingError,
    HTTPError,
    JSONDecodeError,
    StreamConsumedError,
)
from gofer.messages.fields import FieldSection, Headers
from gofer.messages.pieces import AwaitedThrough, Sized, Step, through
from gofer.messages.reading import Reading, Received, Source, new_decoder
from gofer.messages.status_codes import reason_phrase

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Self

    from gofer.messages.events import ServerSentEvent
    from gofer.messages.request import PreparedRequest
    from gofer.network.tls_info import TLSInfo

__all__ = ["Response", "Source"]

_UNSET: Any = object()

_scan_json: Any = json_library.JSONDecoder().scan_once  # type: ignore[attr-defined]

REDIRECT_STATUS_CODES = frozenset((301, 302, 303, 307, 308))

# Fields that mean nothing, or harm, in a trailer section (RFC 9110, 6.5.1)
_NOT_IN_TRAILERS = frozenset(
    (b"content-length", b"transfer-encoding", b"set-cookie", b"authorization", b"host",
     b"www-authenticate", b"proxy-authenticate", b"content-encoding", b"content-type", b"trailer")
)  # fmt: skip


class Response:
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
        status_code: int
        url: str
        request: PreparedRequest
        tls: TLSInfo | None
    else:
        status_code = url = request = tls = None
    connection: Any = None
    error: Exception | None = None
    fields: FieldSection = FieldSection(b"\r\n\r\n")
    version = "HTTP/1.1"
    _duplex: Any = None  # the way for another protocol, if that is what was asked for
    _headers: Any = None
    _history: Any = None
    _reason: Any = _UNSET
    _encoding: Any = _UNSET
    _elapsed_delta: Any = None  # timedelta | None
    _content: Any = False  # False: not read; None: nothing to read
    _content_consumed = False
    _is_closed = False  # with its content unread
    _source: Source | None = None
    _elapsed: float = 0.0
    _next: Any = None
    _raw: Any = None
    _received: bytes | None = None  # content as it came, not decoded yet
    _interim: Sequence[tuple[int, FieldSection]] | None = None
    _take_trailers: Callable[[], Sequence[tuple[bytes, bytes]]] | None = None
    _partial_error: Exception | None = None

    # What came with the head ----------------------------------------------------------------

    @property
    def headers(self) -> Headers:
        """The header fields, case-insensitive."""
        headers: Headers | None = self._headers
        if headers is None:
            headers = self._headers = Headers.received(self.fields)
        return headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = value

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
    def reason(self) -> str | None:
        """The reason phrase as it came, or the usual one."""
        if self._reason is not _UNSET:
            return self._reason  # type: ignore[no-any-return]
        line = self.fields.block.partition(b"\r\n")[0]
        phrase = line[13:].decode("latin-1")
        if not phrase.isprintable():  # the parser lets control characters through
            phrase = "".join([" " if char < " " or char == "\x7f" else char for char in phrase])
        return phrase or (reason_phrase(self.status_code) if self.status_code else None)

    @reason.setter
    def reason(self, value: Any) -> None:
        self._reason = value

    @property
    def encoding(self) -> str | None:
        """The charset `text` is decoded by: as declared, or what the media type implies."""
        if self._encoding is not _UNSET:
            return self._encoding  # type: ignore[no-any-return]
        from gofer.messages.media import encoding_from_headers

        return encoding_from_headers(self.headers)

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

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

    @property
    def interim(self) -> list[tuple[int, Headers]]:
        """The 1xx heads that came before: status code and header fields of each."""
        return [(status, Headers.received(fields)) for status, fields in self._interim or ()]

    @property
    def trailers(self) -> Headers:
        """The trailer fields, there once the content has been read; never merged into `headers`.

        Those that have no business there are left out (RFC 9110, 6.5.1).
        """
        if self._take_trailers is None:
            return Headers()
        lines = [line for line in self._take_trailers() if line[0].lower() not in _NOT_IN_TRAILERS]
        return Headers.received(FieldSection.of(lines))

    @property
    def ok(self) -> bool:
        """True if the status code is below 400 and there was no error."""
        if self.error is not None or not self.status_code:
            return False
        return self.status_code < 400

    @property
    def is_redirect(self) -> bool:
        """True if this says where to go on (a Location, and a status code that means it)."""
        return "location" in self.headers and self.status_code in REDIRECT_STATUS_CODES

    @property
    def is_permanent_redirect(self) -> bool:
        """True if it says so for good (301, 308)."""
        return "location" in self.headers and self.status_code in (301, 308)

    @property
    def next(self) -> "PreparedRequest | None":
        """The request that would follow this redirect, when redirects are not followed."""
        return self._next  # type: ignore[no-any-return]

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The Link field, by relation or else by URL (RFC 8288)."""
        from gofer.messages.media import parse_link_header

        value = self.headers.get("link")
        if not value:
            return {}
        return {link.get("rel") or link["url"]: link for link in parse_link_header(value)}

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

    # The content --------------------------------------------------------------------------------

    @property
    def content(self) -> bytes:
        """The whole content, decoded: bytes, read at the first access and then kept.

        Raises:
            ChunkedEncodingError: it was cut short.
            ContentDecodingError: it does not decode.
            BodyReadTimeout, ConnectionError: the connection failed on the way.
            RuntimeError: it was handed out by iteration before.
        """
        content = self._content
        if content is not False:
            self._content_consumed = True  # read: from here on it can be had again and again
            return content  # type: ignore[no-any-return]
        if self._received is not None:
            self._finish(self._received)
        elif self._source is not None and not self._content_consumed:
            self._source.run(self._load())
        elif self._content_consumed or self._is_closed:
            raise RuntimeError("The content for this response was already consumed")
        elif self.status_code in (0, None) or self._raw is None:
            self._content = None
        else:
            self._content = b"".join(self.iter_content(10 * 1024)) or b""
        self._content_consumed = True
        return self._content  # type: ignore[no-any-return]

    async def _load(self) -> None:
        """Read and decode all of the content. The one way in for every face."""
        if self._content is not False:
            self._content_consumed = True
        elif self._received is not None:
            self._finish(self._received)
        elif self._source is not None and not self._content_consumed:
            source = self._source
            try:
                received = await source.receive_all()
            except BaseException as error:
                source.abort()  # a part of it is lost
                self._content_consumed = True
                if isinstance(error, OSError):
                    error.response = self  # type: ignore[attr-defined]
                    error.request = self.request  # type: ignore[attr-defined]
                raise
            self._finish(received)
        elif self._raw is not None and not (self._content_consumed or self._is_closed):
            self.content  # noqa: B018  (an adapter made it: read from its file)

    def _finish(self, received: bytes) -> None:
        """All of the content has come: decode it."""
        self._source = None
        self._content_consumed = True
        self._received = None
        if received and not self.fields.is_plain:
            received = self._decode_whole(received)
        self._content = received

    def _decode_whole(self, received: bytes) -> bytes:
        """`received` without its content codings; as it is if one of them is unknown here."""
        settings = getattr(self.request, "settings", None)
        ratio = MAX_RATIO if settings is None else settings.max_decoded_ratio
        try:
            decoder = new_decoder(self)
            if decoder is None:
                return received
            return decoder.decode_whole(
                received, max_ratio=float("inf") if ratio is None else ratio
            )
        except ContentDecodingError as error:
            error.response = self  # type: ignore[assignment]  # a face's, as is the request
            error.request = self.request  # type: ignore[assignment]
            raise

    def _refuse_if_handed_out(self) -> None:
        if (self._content_consumed or self._is_closed) and self._content is False:
            raise StreamConsumedError("the content was already handed out by iteration")

    @overload
    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: Literal[False] | None = None
    ) -> Iterator[bytes]: ...

    @overload
    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: bool | None = None
    ) -> Iterator[str | bytes]: ...

    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: bool | None = None
    ) -> Iterator[Any]:
        """The content in pieces of `chunk_size` bytes, or as it comes with None.

        Content without a known length is handed on as it comes, never more than `chunk_size` at
        once. With `decode_unicode`, text by `encoding`, if there is one.

        Raises:
            TypeError: `chunk_size` is not an int or None.
            StreamConsumedError: the content was handed out before.
        """
        _check_chunk_size(chunk_size)
        self._refuse_if_handed_out()
        return self._iterate(chunk_size, self._decoding(decode_unicode))

    def _decoding(self, decode_unicode: bool | None) -> list[Step]:
        """The step to text, if that is wanted and there is an encoding."""
        if decode_unicode is None:
            settings = getattr(self.request, "settings", None)
            decode_unicode = bool(settings is not None and settings.decode_unicode)
        if not (decode_unicode and self.encoding):
            return []
        from gofer.messages.text import Decoded

        return [Decoded(self.encoding)]

    def _begin_reading(self, size: int | None = None, *, decode: bool = True) -> Reading | None:
        """Take the content for one pass over it; None if only `raw` has it.

        What happened to come with the head is handed out once all the same, so that what works
        does not depend on what happened to come when.
        """
        content = self._content
        if self._content_consumed and content is not False:  # read before
            return Reading(self, Received(content or b""), decode=False)
        self._refuse_if_handed_out()
        self._content_consumed = True
        if content is not False:
            self._content = False
            return Reading(self, Received(content or b""), decode=False)
        if self._received is not None:
            received, self._received = self._received, None
            return Reading(self, Received(received), decode=decode)
        if self._source is None:
            return None
        return Reading(self, self._source, decode=decode, size=size)

    def _begin_waiting(self, size: int | None = None, *, decode: bool = True) -> Reading | None:
        """`_begin_reading`, for code that waits: where that is refused, nothing is taken."""

        async def begin() -> Reading | None:
            return self._begin_reading(size, decode=decode)

        source = self._source or Received(b"")
        return source.run(begin())  # type: ignore[no-any-return]

    def _give_away_content(self) -> Source:
        """The source of the content, for a file that reads it; ours is read from `raw` then."""
        if self._content_consumed or self._is_closed:
            return Received(b"")
        source = self._source
        if source is None:
            whole = self._received if self._received is not None else self._content
            source = Received(whole or b"")
        self._source = self._received = None
        self._content = False
        return source

    def _iterate(self, chunk_size: int | None, steps: list[Step]) -> Iterator[Any]:
        reading = self._begin_waiting(chunk_size)
        if reading is None:
            yield from through(self._iterate_raw(chunk_size), *steps)
            return
        source = reading.source

        def pieces() -> Iterator[bytes]:
            while piece := source.run(reading.next()):
                yield piece

        try:
            yield from through(pieces(), Sized(chunk_size, exact=source.has_length), *steps)
        except BaseException:
            source.abort()
            raise
        self._source = None

    def _iterate_raw(self, chunk_size: int | None) -> Iterator[bytes]:
        """Content of a response somebody else made: `raw` is any file-like object."""
        raw = self._raw
        if raw is None:
            return
        if hasattr(raw, "stream"):
            yield from raw.stream(chunk_size, decode_content=True)
            return
        while chunk := raw.read(chunk_size):
            yield chunk

    @overload
    def iter_lines(
        self,
        chunk_size: int = 512,
        decode_unicode: Literal[False] | None = None,
        delimiter: str | bytes | None = None,
    ) -> Iterator[bytes]: ...

    @overload
    def iter_lines(
        self,
        chunk_size: int = 512,
        decode_unicode: bool | None = None,
        delimiter: str | bytes | None = None,
    ) -> Iterator[str | bytes]: ...

    def iter_lines(
        self,
        chunk_size: int = 512,
        decode_unicode: bool | None = None,
        delimiter: str | bytes | None = None,
    ) -> Iterator[Any]:
        """The content line by line, without line ends; a CRLF split over two reads is one end."""
        return through(self.iter_content(chunk_size, decode_unicode), _splitting(delimiter))

    def events(self) -> "Iterator[ServerSentEvent]":
        """The content as server-sent events (`text/event-stream`), each when it is whole.

        `Session.events` also connects again when a stream ends.

        Raises:
            RemoteProtocolError: an event is larger than 16 MiB.
        """
        from gofer.messages.events import EventReader

        return through(self.iter_content(None), EventReader())

    @property
    def text(self) -> str:
        """The content as str: by `encoding`, else guessed; what does not decode is replaced."""
        content = self.content
        if not content:
            return ""
        from gofer.messages.text import decode

        return decode(content, self.encoding or self.apparent_encoding)

    @property
    def apparent_encoding(self) -> str:
        """The charset the content itself suggests."""
        from gofer.messages.media import guess_encoding

        return guess_encoding(self.content or b"")

    def json(self, **kwargs: Any) -> Any:
        """The content read as JSON; `kwargs` go to `json.loads`.

        Raises:
            JSONDecodeError: it is not JSON.
        """
        content = self._content or self.content
        if content and not kwargs and self._encoding is _UNSET:
            # What nearly all JSON is: UTF-8 from the first byte to the last. 3 µs in place of 5.
            try:
                value, end = _scan_json(text := str(content, "utf-8"), 0)
                if end == len(text):
                    return value
            except (StopIteration, ValueError, RecursionError):
                pass
        try:
            if content and self._encoding is _UNSET:
                try:
                    return json_library.loads(content, **kwargs)  # UTF-8, -16 or -32 by itself
                except UnicodeDecodeError:
                    pass
            return json_library.loads(self.text, **kwargs)
        except json_library.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos, response=self) from error
        except (ValueError, RecursionError) as error:  # a number, or nesting, without end
            if kwargs:  # may be that of a function of the caller's
                raise
            raise JSONDecodeError(str(error), self.text, 0, response=self) from error

    # The content, where it has to be awaited -----------------------------------------------------

    async def aread(self) -> bytes:
        """`content`, awaited: bytes, read once and then kept."""
        await self._load()
        return self.content

    @overload
    def aiter_content(
        self, chunk_size: int | None = None, decode_unicode: Literal[False] | None = None
    ) -> AsyncIterator[bytes]: ...

    @overload
    def aiter_content(
        self, chunk_size: int | None = None, decode_unicode: bool | None = None
    ) -> AsyncIterator[str | bytes]: ...

    def aiter_content(
        self, chunk_size: int | None = None, decode_unicode: bool | None = None
    ) -> AsyncIterator[Any]:
        """`iter_content`, for `async for`; pieces as they come unless a size is given."""
        _check_chunk_size(chunk_size)
        self._refuse_if_handed_out()
        return self._aiterate(chunk_size, *self._decoding(decode_unicode))

    @overload
    def aiter_lines(
        self,
        chunk_size: int | None = None,
        decode_unicode: Literal[False] | None = None,
        delimiter: str | bytes | None = None,
    ) -> AsyncIterator[bytes]: ...

    @overload
    def aiter_lines(
        self,
        chunk_size: int | None = None,
        decode_unicode: bool | None = None,
        delimiter: str | bytes | None = None,
    ) -> AsyncIterator[str | bytes]: ...

    def aiter_lines(
        self,
        chunk_size: int | None = None,
        decode_unicode: bool | None = None,
        delimiter: str | bytes | None = None,
    ) -> AsyncIterator[Any]:
        """`iter_lines`, for `async for`."""
        _check_chunk_size(chunk_size)
        self._refuse_if_handed_out()
        steps = [*self._decoding(decode_unicode), _splitting(delimiter)]
        return self._aiterate(chunk_size, *steps)

    def aevents(self) -> "AsyncIterator[ServerSentEvent]":
        """`events`, for `async for`."""
        from gofer.messages.events import EventReader

        self._refuse_if_handed_out()
        return self._aiterate(None, EventReader())

    def _aiterate(self, chunk_size: int | None, *steps: Step) -> AsyncIterator[Any]:
        reading = self._begin_reading(chunk_size)
        if reading is None:
            raise TypeError("the content of a response that an adapter made cannot be awaited")
        sized = Sized(chunk_size, exact=reading.source.has_length)
        return AwaitedThrough(reading.next, sized, *steps)

    async def aclose(self) -> None:
        """`close`, which never waits, for those who await everything."""
        self.close()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    # Its life -----------------------------------------------------------------------------------

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

        What was read stays available as `content`; it is not decoded here.
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
            self._received = received

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


def _check_chunk_size(chunk_size: int | None) -> None:
    if chunk_size is not None and not isinstance(chunk_size, int):
        raise TypeError(f"chunk_size must be an int, it is instead a {type(chunk_size)}.")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError("chunk_size must be at least 1, or None")


def _splitting(delimiter: Any) -> Step:
    from gofer.messages.text import Lines, SplitBy

    return SplitBy(delimiter) if delimiter else Lines()
