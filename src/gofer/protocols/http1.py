"""HTTP/1.1 on the wire (RFC 9112), without I/O: bytes in, a response's parts out.

`ResponseReader` is fed what arrives on one connection. llhttp (httptools) is the judge of every
byte of the head and of the chunked coding; what it lets through and must not pass is checked
here: limits, interim responses, the framing decision for content that bypasses the parser, and
bytes that nobody asked for. Fields are not split here: `FieldSection` does that when asked.

A head that llhttp refuses is looked at a second time: line folding, lone CR and repeated equal
Content-Lengths are mended (`http1_mending`), everything else is explained. What is ordinary and
came whole never gets here: `http1_whole` reads it.
"""

import re
from typing import NoReturn

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from gofer.exceptions import (
    ChunkedEncodingError,
    ConnectionLost,
    FieldSectionTooLarge,
    IncompleteContent,
    IncompleteHead,
    RemoteProtocolError,
    UncertainFraming,
)
from gofer.messages.fields import TOKEN, FieldSection
from gofer.protocols.http1_mending import STATUS_LINE, mend

__all__ = ["Limits", "ResponseReader", "raise_from_callback"]

# How the end of the content is known (RFC 9112, 6.3)
NONE, LENGTH, CHUNKED, CLOSE = "none", "content-length", "chunked", "close"

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*([0-9]+)[ \t]*\r\n", re.I)

_MAX_LENGTH = 2**63 - 1

# Chunk sizes and extensions may outweigh the data so much, not more: 1-byte chunks need 5 bytes.
_CHUNK_OVERHEAD = 16


class Limits:
    """What a peer may make us keep.

    Args:
        max_field_section: bytes of head, interim heads and trailers of one response together.
        max_fields: field lines of one section.
        max_interim_responses: 1xx heads before the final one.
    """

    __slots__ = ("max_field_section", "max_fields", "max_interim_responses")

    def __init__(
        self,
        max_field_section: int = 256 * 1024,
        max_fields: int = 1000,
        max_interim_responses: int = 16,
    ) -> None:
        self.max_field_section = max_field_section
        self.max_fields = max_fields
        self.max_interim_responses = max_interim_responses


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    Call `begin`, then `feed` until `status` is set (the final head is there), then until
    `complete`. State that outlives a response: the parser, and `excess`, which says that the
    peer sent bytes nobody asked for: such a connection must not be used again.

    With `may_switch`, set after `begin`, 101 is a final status; `switched` is then what came
    behind its head, in another protocol.
    """

    __slots__ = (
        "_chunk_parser",
        "_data_bytes",
        "_fed_bytes",
        "_first_pieces",
        "_head",
        "_head_bytes",
        "_head_only",
        "_interim_seen",
        "_mending",
        "_parsed_status",
        "_parser",
        "_plain_size",
        "_tail",
        "_trailer_lines",
        "complete",
        "excess",
        "fields",
        "framing",
        "interim",
        "keep_alive",
        "limits",
        "may_switch",
        "on_body",
        "peer",
        "pieces",
        "remaining",
        "repaired",
        "status",
        "switched",
    )  # fmt: skip

    def __init__(self, limits: Limits, peer: str = "the server") -> None:
        self.limits = limits
        # A field line has 4 bytes at least, so no smaller head can have too many of them.
        self._plain_size = min(limits.max_field_section, 4 * limits.max_fields)
        self.peer = peer
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self._parser: HttpResponseParser | None = None
        self._chunk_parser = False
        self.excess = False
        self.begin("GET")

    def begin(self, method: str) -> None:
        """Expect the response to a request with `method`."""
        self._head_only = method == "HEAD"
        self._parsed_status = 0
        self.status = 0
        self.complete = False
        self._head = b""
        self._head_bytes = 0  # of interim heads, and then of trailers
        self._interim_seen = False
        self._mending = False
        self._trailer_lines: list[tuple[bytes, bytes]] = []
        self.fields: FieldSection | None = None
        self.interim: list[tuple[int, FieldSection]] = []
        self.framing = NONE
        self.remaining = 0
        self.keep_alive = False
        self.repaired = False
        self.may_switch = False
        self.pieces.clear()

    # Called by the parser ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        # A second message: nothing of it, or of a third, may be taken for the first.
        if self.complete and not self.excess:
            self.excess = True
            self._first_pieces = len(self.pieces)

    def on_headers_complete(self) -> None:
        if self.excess:
            return
        status = self._parsed_status = self._parser.get_status_code()  # type: ignore[union-attr]
        if status < 200:
            self._interim_seen = True

    def on_message_complete(self) -> None:
        if self.excess:
            return
        self.complete = True
        self.keep_alive = self._parser.should_keep_alive() and not self.repaired  # type: ignore[union-attr]

    def _on_header(self, name: bytes, value: bytes) -> None:
        if self._parsed_status:  # behind the head: a trailer
            self._trailer_lines.append((name, value))
            if len(self._trailer_lines) > self.limits.max_fields:
                raise FieldSectionTooLarge(self._over("trailer fields", "max_fields"))
            self._head_bytes += len(name) + len(value) + 4
            if self._head_bytes + self.fields.size > self.limits.max_field_section:  # type: ignore[union-attr]
                raise FieldSectionTooLarge(
                    self._over("heads and trailers together", "max_field_section")
                )

    # The head ---------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take what arrived; never call it with b"", that is `eof`.

        Raises:
            RemoteProtocolError: the bytes are not HTTP/1.x, or a limit was passed.
            ChunkedEncodingError: the chunked coding is broken.
        """
        if self.status:
            self._feed_content(data)
            return
        head = self._head + data if self._head else data
        if self._head_only or self._mending:
            self._feed_whole_head(head)
            return
        parser = self._parser
        if parser is None:
            parser = self._parser = HttpResponseParser(self)
        try:
            parser.feed_data(data)
        except HttpParserError as error:
            raise_from_callback(error)
            if not self._parsed_status:
                self._mend(head)
                return
            # The head was fine. What follows either is no part of this response or is broken
            # content: the second look below, or the excess mark, tells which.
            self._parser = None
            if not self.complete and not self._interim_seen:
                self._broken_content(head, error)
                return
            self.on_message_begin()
        except HttpParserUpgrade:
            self._parser = None
        if self._interim_seen:
            self._split_interim(head)
            return
        if not self._parsed_status:
            self._head = head
            self._check_head_size(len(head), head)
            return
        self._final_head(head)

    def _final_head(self, head: bytes) -> None:
        """The head is whole and good: decide how the content ends (RFC 9112, 6.3)."""
        if not head.startswith(b"HTTP/1."):
            head = head.removeprefix(b"\r\n")  # one empty line is tolerated (RFC 9112, 2.2)
            if not head.startswith(b"HTTP/1."):
                self._refuse_head(head)
        fields = FieldSection(head)
        if self._head_bytes + fields.size > self._plain_size:
            self._check_head_size(fields.size, head)
        self.fields = fields
        self._head = b""
        if fields.has(b"transfer-encoding") and not self._chunk_parser:
            self._start_over_chunked(head)
            return
        self.status = self._parsed_status
        if self._chunk_parser:
            if not self.complete:
                self.framing = CHUNKED
            return
        if self.complete:
            if self.excess:
                del self.pieces[self._first_pieces :]
            elif fields.size + sum(map(len, self.pieces)) < len(head):
                self.excess = True  # an empty line, which llhttp passes over
            return
        # Content the parser has not seen the end of goes past it from now on.
        self._parser = None
        length = _LENGTH.search(fields.block)
        if length is None:
            self.framing = CLOSE
            return
        if len(length[1]) > 19 or int(length[1]) > _MAX_LENGTH:  # 2^63 - 1 has 19 digits
            raise RemoteProtocolError(
                f"reading the response head from {self.peer}: a Content-Length over 2^63"
            )
        self.framing = LENGTH
        self.remaining = int(length[1]) - sum(map(len, self.pieces))
        self.keep_alive = self._says_keep_alive(fields)

    def _start_over_chunked(self, head: bytes) -> None:
        """Read the same bytes again with a parser that hands trailers on."""
        codings = ", ".join(self.fields.get_all("transfer-encoding")).lower()  # type: ignore[union-attr]
        no_content = self._parsed_status in (204, 304)
        if not no_content and (codings != "chunked" or head.startswith(b"HTTP/1.0")):
            raise RemoteProtocolError(
                f"reading the response head from {self.peer}: transfer coding {codings[:40]!r},"
                " expected chunked, in HTTP/1.1 (RFC 9112, 6.1)"
            )
        self._reset_parse()
        self._chunk_parser = True
        self._data_bytes = 0
        self._fed_bytes = 0
        self._tail = b""
        parser = self._parser = HttpResponseParser(_ChunkedProtocol(self))
        # The head has passed without this; now a Content-Length can only be a trailer, dropped.
        parser.set_dangerous_leniencies(lenient_chunked_length=True)
        try:
            parser.feed_data(head)
        except HttpParserError as error:
            self._after_chunk_error(error)
        self._final_head(head)
        self._account(len(head) - self.fields.size)  # type: ignore[union-attr]
        self._finish_chunked(head)

    def _reset_parse(self) -> None:
        self._parser = None
        self._parsed_status = 0
        self._interim_seen = False
        self.complete = False
        self.excess = False
        self.pieces.clear()

    def _feed_whole_head(self, head: bytes) -> None:
        """The slow road, for HEAD and for mended heads: wait for the end of the head first."""
        end = head.find(b"\r\n\r\n")
        if end < 0:
            self._head = head
            self._check_head_size(len(head), head)
            if head.startswith(b"\r"):  # an empty line is tolerated (RFC 9112, 2.2)
                head = head.removeprefix(b"\r\n" if len(head) > 1 else b"\r")
            bare = head.count(b"\n") != head.count(b"\r\n")
            first_end = head.find(b"\r\n")
            if (
                bare
                or not head.startswith(b"HTTP/1."[: len(head)])
                or (first_end >= 0 and not re.fullmatch(STATUS_LINE, head[: first_end + 2]))
            ):
                self._refuse_head(head)
            return
        section, rest = head[: end + 4], head[end + 4 :]
        self._reset_parse()
        if not self._head_only:
            mended = mend(section)
            if mended == section:
                self._refuse_head(section)
            self._head = b""
            self._mending = False
            self.repaired = True
            self._feed_mended(mended + rest)
            return
        parser = self._parser = HttpResponseParser(self)
        try:
            parser.feed_data(section)
        except HttpParserError as error:
            raise_from_callback(error)
            mended = mend(section)
            if mended == section:
                self._refuse_head(section)
            parser = self._parser = HttpResponseParser(self)
            try:
                parser.feed_data(mended)
            except HttpParserError:
                self._refuse_head(section)
            section = mended
        except HttpParserUpgrade:
            pass
        self._parser = None
        if self._interim_seen:
            self._split_interim(section + rest)
            return
        if not re.match(STATUS_LINE, section.removeprefix(b"\r\n")):
            self._refuse_head(section)
        self.fields = FieldSection(section)
        self._check_head_size(len(section), section)
        self.status = self._parsed_status
        self.complete = True
        self.keep_alive = self._says_keep_alive(self.fields)
        self.excess = bool(rest)
        self._head = b""

    def _split_interim(self, head: bytes) -> None:
        """Interim heads (1xx) came before the final one: keep them apart (RFC 9110, 15.2)."""
        head = head.removeprefix(b"\r\n")
        before = len(self.interim)
        while True:
            end = head.find(b"\r\n\r\n")
            if end < 0 or not head.startswith(b"HTTP/") or head[9:10] not in (b"0", b"1"):
                break  # what is behind is looked at as if it came later
            if not re.match(STATUS_LINE, head):
                self._refuse_head(head)
            section, head = head[: end + 4], head[end + 4 :]
            status = int(section[9:12])
            if status == 101 and self.may_switch:
                self._check_head_size(len(section), section)
                self.status, self.fields = status, FieldSection(section)
                self.complete = True
                self.switched = head
                return
            if status == 101:
                raise RemoteProtocolError(
                    f"{self.peer} switched protocols (101), expected an answer:"
                    " no upgrade was asked for"
                )
            self.interim.append((status, FieldSection(section)))
            self._head_bytes += len(section)
            if len(self.interim) > self.limits.max_interim_responses:
                raise FieldSectionTooLarge(self._over("interim responses", "max_interim_responses"))
        if len(self.interim) == before:  # llhttp passes over more than one empty line
            self._refuse_head(head)
        self._reset_parse()
        self._head = b""
        if head:
            self.feed(head)

    # When llhttp says no -----------------------------------------------------------------------

    def _mend(self, head: bytes) -> None:
        """llhttp refused the head: mend what may be mended, or say what is wrong."""
        self._parser = None
        self._mending = True
        self._feed_whole_head(head)

    def _feed_mended(self, head: bytes) -> None:
        parser = self._parser = HttpResponseParser(self)
        try:
            parser.feed_data(head)
        except HttpParserError as error:
            raise_from_callback(error)
            if not self._parsed_status:
                self._refuse_head(head, error)
            self._parser = None
            if not self.complete:
                self._broken_content(head, error)
                return
            self.on_message_begin()
        except HttpParserUpgrade:
            self._parser = None
        if self._interim_seen:
            self._split_interim(head)
            return
        self._final_head(head)

    def _broken_content(self, head: bytes, error: Exception) -> None:
        """The head is good and what follows is not: for chunked content that is its own error."""
        self._final_head(head)
        if not (self._chunk_parser or self.complete):
            raise RemoteProtocolError(
                f"reading content from {self.peer}: {error}, expected what the head promised"
            ) from error

    def _refuse_head(self, head: bytes, error: Exception | None = None) -> NoReturn:
        """Raise the error that says what is wrong with the head, and where."""
        where = f"reading the response head from {self.peer}: "
        line_end = head.find(b"\n")
        first = head[: line_end + 1] if line_end >= 0 else head
        if not head.startswith(b"HTTP/1."[: len(head)]) or (
            line_end >= 0 and not re.fullmatch(STATUS_LINE, first)
        ):
            raise RemoteProtocolError(
                f"{where}got {first[:40]!r}, expected HTTP/1.x SP status-code"
            ) from error
        uncertain = ""  # where the framing stands; it is to blame if nothing else is
        lines = list(enumerate(head.partition(b"\r\n\r\n")[0].split(b"\r\n")))[1:]
        lines.sort(key=lambda numbered: b"\n" not in numbered[1])  # it may be what hid the rest
        for number, line in lines:
            name, colon, value = line.partition(b":")
            here = f"{where}field line {number} ({name[:40]!r})"
            if b"\n" in line:
                problem = "has a line that ends without CR"
            elif line[:1] in b" \t" and number > 1:
                continue  # the line before goes on, which is an error where that is the framing
            elif not colon:
                problem = "has no colon"
            elif not TOKEN.fullmatch(name.decode("latin-1")):
                problem = "has a name that is not a token"
            elif re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", value):
                problem = "holds a control character"
            else:
                if name.lower() in (b"content-length", b"transfer-encoding"):
                    uncertain = uncertain or here
                continue
            raise RemoteProtocolError(f"{here} {problem}") from error
        if uncertain:
            raise UncertainFraming(f"{uncertain} makes the end of the content uncertain") from error
        reason = str(error) if error is not None else "a line that ends without CR"
        raise RemoteProtocolError(f"{where}{reason[:120]}") from error

    def _check_head_size(self, size: int, head: bytes) -> None:
        limits = self.limits
        if self._head_bytes + size > limits.max_field_section:
            raise FieldSectionTooLarge(
                self._over(f"a head of more than {limits.max_field_section} bytes",
                           "max_field_section")
            )  # fmt: skip
        if size > 4 * limits.max_fields and head.count(b"\n", 0, size) > limits.max_fields + 2:
            raise FieldSectionTooLarge(
                self._over(f"more than {limits.max_fields} fields", "max_fields")
            )

    def _over(self, what: str, setting: str) -> str:
        return f"reading from {self.peer}: {what}, over the limit (config: {setting})"

    def _says_keep_alive(self, fields: FieldSection) -> bool:
        """Persistence as the head states it (RFC 9112, 9.3)."""
        options = ",".join(fields.get_all("connection")).lower().replace(" ", "").split(",")
        if "close" in options or self.repaired:
            return False
        return not fields.block.startswith(b"HTTP/1.0") or "keep-alive" in options

    # The content ----------------------------------------------------------------------------------

    def _feed_content(self, data: bytes) -> None:
        if self.complete:
            self.excess = True
        elif self.framing is LENGTH:
            if len(data) > self.remaining:
                self.excess = True
                data = data[: self.remaining]
            self.pieces.append(data)
            self.took(len(data))
        elif self.framing is CLOSE:
            self.pieces.append(data)
        else:
            try:
                self._parser.feed_data(data)  # type: ignore[union-attr]
            except HttpParserError as error:
                self._after_chunk_error(error)
            self._account(len(data))
            self._finish_chunked(data)

    def took(self, count: int) -> None:
        """`count` bytes of content with a known length went past the reader."""
        self.remaining -= count
        if self.remaining <= 0:
            self.complete = True

    def _account(self, fed_bytes: int) -> None:
        """Hold the overhead of the chunked coding, extensions and trailers to its limit."""
        self._fed_bytes += fed_bytes
        self._data_bytes += sum(map(len, self.pieces))
        overhead = self._fed_bytes - self._data_bytes
        if overhead > _CHUNK_OVERHEAD * self._data_bytes + self.limits.max_field_section:
            raise FieldSectionTooLarge(
                self._over("chunk extensions or trailers without end", "max_field_section")
            )

    def _finish_chunked(self, data: bytes) -> None:
        tail = self._tail = (self._tail + data[-5:])[-5:]
        if self.complete:
            if self.excess:
                del self.pieces[self._first_pieces :]
            elif tail[-4:] != b"\r\n\r\n" or tail[:-4] == b"\n":
                self.excess = True  # behind the last line, an empty one, which llhttp passes over
            self._parser = None
            self._chunk_parser = False

    def _after_chunk_error(self, error: HttpParserError) -> None:
        raise_from_callback(error)
        if self.complete:
            self.on_message_begin()  # the error is in bytes behind the response
            return
        raise ChunkedEncodingError(
            f"reading chunked content from {self.peer}: {str(error)[:120]}"
        ) from error

    def eof(self) -> None:
        """The peer closed its side. The end of close-delimited content; an error elsewhere.

        Raises:
            ConnectionLost: before the final head was whole.
            IncompleteContent: in the middle of the content.
        """
        self.keep_alive = False
        if not self.status:
            if self._head or self.interim:
                raise IncompleteHead(
                    f"{self.peer} closed the connection inside the response head,"
                    f" after {self._head_bytes + len(self._head)} bytes"
                )
            raise ConnectionLost(f"{self.peer} closed the connection without an answer")
        if self.framing is CLOSE:
            self.complete = True
        elif self.framing is LENGTH:
            raise IncompleteContent(
                f"{self.peer} closed the connection with {self.remaining} bytes of content missing"
            )
        elif not self.complete:
            raise IncompleteContent(
                f"{self.peer} closed the connection before the last chunk,"
                f" after {self._data_bytes} bytes of content"
            )

    def take_pieces(self) -> list[bytes]:
        """The content that arrived since the last call."""
        pieces = self.pieces[:]
        self.pieces.clear()
        return pieces

    @property
    def has_received(self) -> bool:
        """True once any byte of this response has arrived."""
        return bool(self.status or self._head or self.interim)

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        """The trailer fields, as they came."""
        return self._trailer_lines


def raise_from_callback(error: HttpParserError) -> None:
    """Raise what came up in one of our callbacks: a limit, or a Ctrl-C at that very moment.

    Nothing if the parser itself has something to say.
    """
    if isinstance(error, HttpParserCallbackError) and error.__context__ is not None:
        raise error.__context__


class _ChunkedProtocol:
    """The reader's callbacks, and the one for field lines, which chunked content alone needs."""

    def __init__(self, reader: ResponseReader) -> None:
        self.on_message_begin = reader.on_message_begin
        self.on_headers_complete = reader.on_headers_complete
        self.on_message_complete = reader.on_message_complete
        self.on_body = reader.on_body
        self.on_header = reader._on_header
