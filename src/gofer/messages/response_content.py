"""`ResponseContent`: a response's content, which may still be on its way, and every way to read it.

It comes from a *source*, piece by piece, and everything that waits goes through `source.run`, so
nothing here does I/O of its own. Whoever blocks and whoever awaits goes the same way through
`Reading`, which decodes, and the steps of `pieces.py`, which cut and join.
"""

import json as json_library
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

from gofer.exceptions import JSONDecodeError, StreamConsumedError
from gofer.messages.pieces import AwaitedThrough, Sized, Step, through
from gofer.messages.reading import Reading, Received, Source, decode_whole

if TYPE_CHECKING:
    from gofer.messages.events import ServerSentEvent
    from gofer.messages.fields import FieldSection, Headers

__all__ = ["ResponseContent"]

_UNSET: Any = object()

_scan_json: Any = json_library.JSONDecoder().scan_once  # type: ignore[attr-defined]


class ResponseContent:
    """What follows a response's head."""

    if TYPE_CHECKING:  # what a response is beside its content
        status_code: int
        fields: FieldSection
        request: Any

        @property
        def headers(self) -> Headers: ...

    _content: Any = False  # False: not read; None: nothing to read
    _content_consumed = False
    _is_closed = False  # with its content unread
    _source: Source | None = None
    _received: bytes | None = None  # content as it came, not decoded yet
    _raw: Any = None  # a file to read it from
    _encoding: Any = _UNSET

    # Whole ----------------------------------------------------------------------------------------

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
            received = decode_whole(self, received)
        self._content = received

    @property
    def text(self) -> str:
        """The content as str: by `encoding`, else guessed; what does not decode is replaced."""
        content = self.content
        if not content:
            return ""
        from gofer.messages.text import decode

        return decode(content, self.encoding or self.apparent_encoding)

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

    # In pieces ------------------------------------------------------------------------------------

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

    def _refuse_if_handed_out(self) -> None:
        if (self._content_consumed or self._is_closed) and self._content is False:
            raise StreamConsumedError("the content was already handed out by iteration")

    def _decoding(self, decode_unicode: bool | None) -> list[Step]:
        """The step to text, if that is wanted and there is an encoding."""
        if decode_unicode is None:
            settings = getattr(self.request, "settings", None)
            decode_unicode = bool(settings is not None and settings.decode_unicode)
        if not (decode_unicode and self.encoding):
            return []
        from gofer.messages.text import Decoded

        return [Decoded(self.encoding)]

    def _begin_waiting(self, size: int | None = None, *, decode: bool = True) -> Reading | None:
        """`_begin_reading`, for code that waits: where that is refused, nothing is taken."""

        async def begin() -> Reading | None:
            return self._begin_reading(size, decode=decode)

        source = self._source or Received(b"")
        return source.run(begin())  # type: ignore[no-any-return]

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

    # Awaited --------------------------------------------------------------------------------------

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


def _check_chunk_size(chunk_size: int | None) -> None:
    if chunk_size is not None and not isinstance(chunk_size, int):
        raise TypeError(f"chunk_size must be an int, it is instead a {type(chunk_size)}.")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError("chunk_size must be at least 1, or None")


def _splitting(delimiter: Any) -> Step:
    from gofer.messages.text import Lines, SplitBy

    return SplitBy(delimiter) if delimiter else Lines()
