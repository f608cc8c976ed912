"""Content codings (RFC 9110, 8.4): which there are, and how a stack of them is taken off again.

    gzip.py         one member or several, each a deflate stream with a checksum
    deflate.py      the zlib format, or a bare deflate stream
    brotli.py       br, with the package brotli or brotlicffi
    zstd.py         zstd, with Python 3.14 or backports.zstd

Each file has one function, `new_layer()`. A new coding is a file here and a row in `_CODINGS`,
which says what has to be installed for it; then it is offered in Accept-Encoding. Libraries are
imported in the coding's own file, when content of that coding arrives.

What a server sends may grow a million times. So nothing here decodes more than it was asked
for, and what lies between two layers is a few pieces at most. No state but what `Decoder` holds.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

from gofer.exceptions import ContentDecodingError, DecompressionBomb, TruncatedContent

__all__ = ["Decoder", "Layer", "accept_encoding", "decoder_for", "parse_codings"]

MAX_LAYERS = 3  # urllib3, undici and curl allow 5; no honest server sends two
MAX_RATIO = 200  # decoded/received; text rarely reaches 20, but logs of one repeated line do
BOMB_FLOOR = 64 * 1024 * 1024  # bytes; below it any ratio is harmless

PIECE = 64 * 1024  # coded bytes handed to a layer at once: zlib copies what it leaves over
SMALLEST_STEP = 16 * 1024  # decoded bytes asked of a layer even if the reader wants fewer
WHOLE_STEP = 16 * 1024 * 1024  # decoded bytes asked of a layer when all of it is wanted
SALVAGE_PIECES = 4096

# name: (module in this folder, packages of which one is needed), in the order they are offered
_CODINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gzip": ("gzip", ()),
    "deflate": ("deflate", ()),
    "br": ("brotli", ("brotli", "brotlicffi")),
    "zstd": ("zstd", ("compression.zstd", "backports.zstd")),
}
_ALIASES = {"x-gzip": "gzip"}  # RFC 9110, 8.4.1.3


class Layer(Protocol):
    """One coding being taken off.

    Attributes:
        pending: more output may be had by `decode(b"", ...)`. Until it is False, no further
            data is handed in.
        is_complete: the coded stream has come to its own end, or nothing came at all.
    """

    @property
    def pending(self) -> bool: ...

    @property
    def is_complete(self) -> bool: ...

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """About `max_bytes` of what is decoded; a library may overshoot by as much again.

        Raises:
            ContentDecodingError: the data is not of this coding.
        """
        ...


# What is offered, what came -----------------------------------------------------------------------


@cache
def accept_encoding() -> str:
    """The Accept-Encoding field's value: the codings that can be decoded here."""
    return ", ".join(name for name in _CODINGS if _is_available(name))


@cache
def _is_available(name: str) -> bool:
    needed = _CODINGS[name][1]
    return not needed or any(_is_installed(package) for package in needed)


def _is_installed(package: str) -> bool:
    """True if there is such a package. It is not imported (but what it is nested in).

    As `importlib.util.find_spec`, without the ms that it takes to import that.
    """
    if package in sys.modules:
        return True
    outer = package.rpartition(".")[0]
    try:
        path = __import__(outer).__path__ if outer else None
        return any(finder.find_spec(package, path) for finder in sys.meta_path)
    except (ImportError, AttributeError):
        return False


def parse_codings(values: Sequence[str], max_layers: int = MAX_LAYERS) -> tuple[str, ...]:
    """The codings named by Content-Encoding fields, in the order they were applied.

    Names are in lower case, x-gzip is gzip, and identity is left out.

    Args:
        values: the field's values, one per field line.

    Raises:
        ContentDecodingError: more than `max_layers` codings (config: max_coding_layers).
    """
    if len(values) == 1 and values[0] in _CODINGS and max_layers > 0:
        return (values[0],)

    codings = []
    for value in values:
        for part in value.split(","):
            name = part.strip(" \t").lower()
            if name and name != "identity":
                codings.append(_ALIASES.get(name, name))
    if len(codings) > max_layers:
        raise ContentDecodingError(
            f"reading content-encoding: got {len(codings)} layers,"
            f" expected at most {max_layers} (config: max_coding_layers)"
        )
    return tuple(codings)


def decoder_for(codings: tuple[str, ...]) -> "Decoder | None":
    """A fresh decoder, or None if the content has to stay as it is.

    That is so if there are no codings, one is not known, or its library is not installed.
    """
    if not codings:
        return None
    for name in codings:
        if name not in _CODINGS or not _is_available(name):
            return None
    return Decoder(codings)


def _new_layer(name: str) -> Layer:
    return _constructor(name)()


@cache
def _constructor(name: str) -> Callable[[], Layer]:
    from importlib import import_module

    module = import_module(f"{__name__}.{_CODINGS[name][0]}")
    new_layer: Callable[[], Layer] = module.new_layer
    return new_layer


# Decoding -----------------------------------------------------------------------------------------


class Decoder:
    """Takes the codings of one content off again, a bounded step at a time.

    Either `decode` as the content arrives, until `pending` is False each time, and `finish` at
    its end; or `decode_whole` for all of it at once. `received` and `decoded` count bytes.

    Args:
        codings: as `parse_codings` gives them; each must be available (see `decoder_for`).
    """

    __slots__ = (
        "_codings", "_data", "_layers", "_next", "_surplus", "_surplus_next", "decoded", "received",
    )  # fmt: skip

    def __init__(self, codings: tuple[str, ...]) -> None:
        self._codings = codings
        self._layers = [_new_layer(name) for name in reversed(codings)]  # outermost first
        self._data = b""  # what has come; from _next on it has not been handed to a layer yet
        self._next = 0
        self._surplus = b""  # decoded; from _surplus_next on it has not been given out yet
        self._surplus_next = 0
        self.received = 0
        self.decoded = 0

    @property
    def pending(self) -> bool:
        """True if `decode(b"", ...)` may give more."""
        if self._surplus or self._next < len(self._data):
            return True
        return any(layer.pending for layer in self._layers)

    def decode(self, data: bytes, max_bytes: int) -> bytes:
        """At most `max_bytes` of decoded content.

        Args:
            data: what has arrived, or b"" to go on with what is pending. What is handed in
                while something is pending is kept, whole.

        Raises:
            ContentDecodingError: the content is not of the coding that was announced.
        """
        if max_bytes < 1:
            raise ValueError(f"max_bytes is {max_bytes}, expected 1 or more")
        if data:
            self._feed(data)

        parts = []
        missing = max_bytes
        while missing:
            part = self._take_surplus(missing)
            if not part:
                part = self._pull(len(self._layers) - 1, max(missing, SMALLEST_STEP))
                if not part:
                    break
                if len(part) > missing:
                    self._surplus, self._surplus_next = part, missing
                    part = part[:missing]
            parts.append(part)
            missing -= len(part)
        self.decoded += max_bytes - missing
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> None:
        """Tells that all of the content has arrived and been decoded. Empty content is fine.

        Raises:
            TruncatedContent: a coding's own end mark has not come.
        """
        if self.pending:
            raise RuntimeError("finish() was called while decoded content is pending")
        for name, layer in zip(reversed(self._codings), self._layers, strict=True):
            if not layer.is_complete:
                raise TruncatedContent(
                    f"decoding {name}: the content ended after {self.received} bytes,"
                    f" expected {name}'s own end"
                )

    def decode_whole(
        self,
        data: bytes,
        *,
        max_ratio: float | None = MAX_RATIO,
        floor: int = BOMB_FLOOR,
    ) -> bytes:
        """All of the content decoded, `data` being all that was received.

        It may grow to `floor` bytes, and to `max_ratio` times what of `data` has been used up
        to there: so a bomb is found when it has filled `floor`, whatever else comes behind it.

        Raises:
            DecompressionBomb: it would grow further (config: max_decoded_ratio). `partial` is
                empty then.
            TruncatedContent: it has no end. `partial` is what it decodes to.
            ContentDecodingError: it is not of that coding. `partial` is what came before.
        """
        parts = []
        total = 0
        self._feed(data)
        top = len(self._layers) - 1
        try:
            while True:
                part = self._pull(top, WHOLE_STEP)
                if not part:
                    break
                parts.append(part)
                total += len(part)
                if total > floor and max_ratio is not None and total > max_ratio * self._next:
                    raise DecompressionBomb(
                        f"decoding {', '.join(self._codings)}: {self._next} bytes grew to over"
                        f" {total}, expected at most {max_ratio} times as many"
                        " (config: max_decoded_ratio)"
                    )
            self.finish()
        except DecompressionBomb:
            raise
        except TruncatedContent as error:
            error.partial = b"".join(parts)
            raise
        except ContentDecodingError as error:
            parts.clear()
            error.partial = _salvage(self._codings, data)
            raise
        self.decoded = total
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _feed(self, data: bytes) -> None:
        self.received += len(data)
        if self._next < len(self._data):
            data = self._data[self._next :] + data
        self._data = data
        self._next = 0

    def _take_surplus(self, max_bytes: int) -> bytes:
        if not self._surplus:
            return b""
        start = self._surplus_next
        part = self._surplus[start : start + max_bytes]
        self._surplus_next = start + len(part)
        if self._surplus_next == len(self._surplus):
            self._surplus = b""
        return part

    def _pull(self, index: int, max_bytes: int) -> bytes:
        """About `max_bytes` from the layer `index`, fed by those below; b"" if they are dry."""
        layer = self._layers[index]
        while True:
            if layer.pending:
                data = b""
            elif index:
                data = self._pull(index - 1, PIECE)
                if not data:
                    return b""
            else:
                data = self._data[self._next : self._next + PIECE]
                if not data:
                    return b""
                self._next += len(data)
            decoded = layer.decode(data, max_bytes)
            if decoded:
                return decoded

    def __repr__(self) -> str:
        state = ", pending" if self.pending else ""
        names = ", ".join(self._codings)
        return f"<Decoder {names}: {self.received} bytes in, {self.decoded} out{state}>"


def _salvage(codings: tuple[str, ...], data: bytes) -> bytes:
    """What can be decoded of broken content.

    A library that finds a mistake drops what the same call had decoded so far: all of it, where
    the checksum of a small content is wrong. So it is decoded again in small pieces.
    """
    decoder = Decoder(codings)
    size = max(1, len(data) // SALVAGE_PIECES)
    parts = []
    try:
        for start in range(0, len(data), size):
            parts.append(decoder.decode(data[start : start + size], SMALLEST_STEP))
            while decoder.pending:
                parts.append(decoder.decode(b"", WHOLE_STEP))
    except ContentDecodingError:
        pass  # the same as before
    return b"".join(parts)
