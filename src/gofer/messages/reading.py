"""Content on its way from a connection to the caller, decoded piece by piece.

A `Source` is the rest of a response's content, wherever it is; a `Reading` takes the content
codings off in bounded steps (RFC 9110, 8.4), so that memory stays flat whatever it grows to.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gofer.exceptions import ContentDecodingError

if TYPE_CHECKING:
    from gofer.codings import Decoder
    from gofer.messages.response_content import ResponseContent

__all__ = ["Reading", "Received", "Source", "decode_whole"]

PIECE = 64 * 1024  # bytes of decoded content handed on at a time


class Source(Protocol):
    """The rest of a response's content. One that is dropped lets go of its connection."""

    has_length: bool  # the number of bytes to come is known

    def run(self, coroutine: Any) -> Any:
        """Drive a coroutine that reads from here, for synchronous code."""

    async def receive(self) -> bytes:
        """The next piece, b"" at the end; raises the named exceptions."""

    async def receive_all(self) -> bytes: ...

    def abort(self) -> None:
        """Let go of the connection at once, without reading on."""


class Received:
    """Content that has come already, as a source."""

    __slots__ = ("_content",)

    has_length = True

    def __init__(self, content: bytes) -> None:
        self._content = content

    def run(self, coroutine: Any) -> Any:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value

    async def receive(self) -> bytes:
        content, self._content = self._content, b""
        return content

    receive_all = receive

    def abort(self) -> None:
        self._content = b""


class Reading:
    """One pass over a response's content.

    Args:
        decode: take the content codings off.
        size: bytes that are wanted at a time, if that matters; content that needs no decoding
            then comes so, where its source can.
    """

    __slots__ = ("_decoder", "_receive", "_response", "source")

    def __init__(
        self, response: "ResponseContent", source: Source, *, decode: bool, size: int | None = None
    ) -> None:
        self.source = source
        self._response = response
        self._receive = source.receive
        if size is not None and size > PIECE and hasattr(source, "receive_exactly"):
            # Smaller pieces would be joined to `size`, then cut from that: 2.9 s for 2 GB, not 0.5.
            self._receive = partial(source.receive_exactly, size)
        self._decoder: Any = _NOT_LOOKED_FOR if decode else None

    async def next(self) -> bytes:
        """The next piece, decoded ones of at most 64 KiB; b"" at the end.

        Raises:
            ContentDecodingError: it does not decode, or ends early.
            BodyReadTimeout, ChunkedEncodingError, ConnectionError: from the source.
        """
        source = self.source
        try:
            decoder = self._decoder
            if decoder is _NOT_LOOKED_FOR:
                decoder = self._decoder = _new_decoder(self._response)
            if decoder is None:
                return await self._receive()
            while True:
                if decoder.pending:
                    piece = decoder.decode(b"", PIECE)
                else:
                    data = await source.receive()
                    if not data:
                        decoder.finish()
                        return b""
                    piece = decoder.decode(data, PIECE)
                if piece:
                    return piece  # type: ignore[no-any-return]
        except BaseException as error:
            if isinstance(error, Exception) or not getattr(source, "outlives_cancelling", False):
                source.abort()  # a piece may be lost
            if isinstance(error, OSError):
                error.response = self._response  # type: ignore[attr-defined]
                error.request = self._response.request  # type: ignore[attr-defined]
            raise


_NOT_LOOKED_FOR: Any = object()


def decode_whole(response: "ResponseContent", received: bytes) -> bytes:
    """`received` without its content codings; as it is if one of them is unknown here."""
    from gofer.codings import MAX_RATIO

    settings = getattr(response.request, "settings", None)
    ratio = MAX_RATIO if settings is None else settings.max_decoded_ratio
    try:
        decoder = _new_decoder(response)
        if decoder is None:
            return received
        return decoder.decode_whole(received, max_ratio=float("inf") if ratio is None else ratio)
    except ContentDecodingError as error:
        error.response = response  # type: ignore[assignment]  # a face's, as is the request
        error.request = response.request
        raise


def _new_decoder(response: "ResponseContent") -> "Decoder | None":
    """What takes the content codings of `response` off; None if there is nothing to do."""
    fields = response.fields
    if fields.is_plain or not fields.has(b"content-encoding"):
        return None
    from gofer.codings import MAX_LAYERS, decoder_for, parse_codings

    settings = getattr(response.request, "settings", None)
    layers = MAX_LAYERS if settings is None else settings.max_coding_layers
    return decoder_for(parse_codings(fields.get_all("content-encoding"), max_layers=layers))
