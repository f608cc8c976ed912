"""Field sections (RFC 9110, 5 and 6.3): what was received, and what is to be sent.

`FieldSection` holds a received section as the bytes that came; nothing is split until somebody
asks. `Headers` is the mapping users read and edit: case-insensitive, Requests'
`CaseInsensitiveDict` with a few more questions to ask. `Headers.encode()` is the one place where
fields become bytes for a text protocol, so it is where injection is refused.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from gofer.exceptions import InvalidHeader

__all__ = [
    "FIELD_VALUE", "TOKEN", "EncodedFields", "FieldSection", "Headers", "check_field",
    "given_fields",
]  # fmt: skip

# field-name = token; field-value = no CTL but HTAB, no surrounding white space (RFC 9110, 5.1, 5.5)
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# (Sets without a range beyond ASCII: one up to \uffff takes 4 ms to compile.)
_FIELD_LINES = re.compile(rf"(?:{_TOKEN}: (?:[^\x00-\x20\x7f][^\x00-\x08\n-\x1f\x7f]*)?\r\n)*")
# Fields that make more of a response than its content: Set-Cookie, Content-Encoding, Alt-Svc. Most
# have none of them. Letter by letter for all, which lets through what is neither and costs nobody
# more than a second look: 0.8 us for nine fields, where two names in a branch take 1.1. The last
# letter tells Content-Type and its like from Content-Encoding. (An Alt-Svc that has one of these
# right behind its colon speaks of no protocol that we could take up.)
_NOTABLE = re.compile(rb"\n[sScCaA][eEoOlL][tTnN][-tT][cCeEsS][oOnNvV][oOtTcC][kK:-][^dDlLrRsStT]")
TOKEN = re.compile(_TOKEN)  # RFC 9110, 5.6.2
# uri-host [ ":" port ] (RFC 9110, 7.2), and the octets above ASCII that some servers take; compiled
# if the caller sets a Host
_HOST = (
    r"(?:\[[0-9A-Fa-f:.v]+\]|(?:[-._~!$&'()*+,;=0-9A-Za-z\x80-\xff]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)
FIELD_VALUE = re.compile(r"(?:[^\x00-\x20\x7f][^\x00-\x08\n-\x1f\x7f]*)?")


class FieldSection:
    """A received header or trailer section, immutable, exact to the byte.

    Args:
        data: a status line, field lines each preceded by CRLF, and an empty line; what stands
            behind that is ignored.
        size: where the section ends in `data`, if that is known already.

    Attributes:
        is_plain: there is no Set-Cookie, Content-Encoding or Alt-Svc: one search for all.
    """

    __slots__ = ("_data", "_lines", "_lowered", "_size", "is_plain")

    def __init__(self, data: bytes, size: int | None = None) -> None:
        self._data = data
        self._size = size
        self.is_plain = _NOTABLE.search(data, 0, size or len(data)) is None
        self._lowered: bytes | None = None
        self._lines: Sequence[tuple[bytes, bytes]] | None = None

    @property
    def size(self) -> int:
        """Bytes on the wire, the empty line included."""
        if self._size is None:
            end = self._data.find(b"\r\n\r\n")
            self._size = end + 4 if end >= 0 else len(self._data)
        return self._size

    @property
    def block(self) -> bytes:
        """The bytes as they came, up to the empty line."""
        size = self.size
        if size < len(self._data):
            self._data = self._data[:size]  # do not keep the content alive
        return self._data.removesuffix(b"\r\n")

    @classmethod
    def of(cls, lines: Sequence[tuple[bytes, bytes]], *, are_lower: bool = False) -> "FieldSection":
        """A section of ready (name, value) pairs; `are_lower` if all names are in lower case."""
        return _ReadyFields(lines, are_lower)

    def has(self, lowered_name: bytes) -> bool:
        """True if there is a field of that name, given in lower case. Cheap: nothing is split."""
        lowered = self._lowered
        if lowered is None:
            lowered = self._lowered = self.block.lower()
        return b"\r\n" + lowered_name + b":" in lowered

    @property
    def lines(self) -> Sequence[tuple[bytes, bytes]]:
        """(name, value) in the order they came, values without surrounding white space."""
        if self._lines is None:
            lines = []
            for line in self.block.split(b"\r\n")[1:]:
                name, colon, value = line.partition(b":")
                if colon:
                    lines.append((name, value.strip(b" \t")))
            self._lines = lines
        return self._lines

    def get_all(self, name: str) -> list[str]:
        """Every value of the fields called `name`, one per field line."""
        wanted = name.lower().encode("latin-1")
        if not self.has(wanted):
            return []
        return [value.decode("latin-1") for found, value in self.lines if found.lower() == wanted]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __repr__(self) -> str:
        return f"<FieldSection {[name.decode('latin-1') for name, _ in self.lines]}>"


class _ReadyFields(FieldSection):
    """A section that came as (name, value) pairs; its bytes are made when they are asked for."""

    __slots__ = ("_names",)

    def __init__(self, lines: Sequence[tuple[bytes, bytes]], are_lower: bool) -> None:
        self._lines = lines
        # A dict, for it takes pairs: two thirds less than a set of the names.
        names: Container[bytes] = dict(lines) if are_lower else {name.lower() for name, _ in lines}
        self._names = names
        self.is_plain = not (
            b"set-cookie" in names or b"content-encoding" in names or b"alt-svc" in names
        )

    @property
    def size(self) -> int:
        """As if it had come in HTTP/1.1."""
        return len(self.block) + 2

    @property
    def block(self) -> bytes:
        """The same."""
        parts = [part for name, value in self.lines for part in (b"\r\n", name, b": ", value)]
        parts.append(b"\r\n")
        return b"".join(parts)

    def has(self, lowered_name: bytes) -> bool:
        """True if there is a field of that name, given in lower case."""
        return lowered_name in self._names


class EncodedFields:
    """A header section ready for the wire, and what of it concerns the connection.

    Attributes:
        data: the field lines, each ended by CRLF; all but Proxy-Authorization.
        proxy_authorization: the value of that, which is nobody's business but a proxy's; or None.
        has_host, has_expect: there is a Host or an Expect field.
        is_framed: Content-Length or Transfer-Encoding is there, and wants checking.
        says_close: Connection has the option "close".
        other: what HTTP/2 and later make of it, when they first do (`network/shared_head.py`).
    """

    __slots__ = (
        "data", "has_expect", "has_host", "is_framed", "other", "proxy_authorization", "says_close",
    )  # fmt: skip

    def __init__(self, store: "Mapping[str, tuple[str, Any]]") -> None:
        self.proxy_authorization: str | None = None
        fields: Iterable[tuple[str, Any]] = store.values()
        if "proxy-authorization" in store:
            secret = store["proxy-authorization"]
            fields = [field for field in fields if field is not secret]
            if secret[1] is not None:
                self.proxy_authorization = check_field(*secret)[1].decode("latin-1")
        self.data = _encode(fields)
        self.other: Any = None
        self.has_host = _is_set(store, "host")
        if self.has_host:
            _check_host(store["host"][1])
        self.has_expect = _is_set(store, "expect")
        self.is_framed = _is_set(store, "content-length") or _is_set(store, "transfer-encoding")
        connection = store.get("connection", ("", ""))[1]
        self.says_close = connection is not None and "close" in str(connection).lower()


def _check_host(value: Any) -> None:
    """Refuse a Host that is no `host[:port]` (RFC 9110, 7.2); the empty one is allowed.

    Raises:
        InvalidHeader: another server would read another host out of it.
    """
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not re.fullmatch(_HOST, text):
        raise InvalidHeader("field 'Host': expected a host, or host:port, and nothing else")


def _is_set(store: "Mapping[str, tuple[str, Any]]", name: str) -> bool:
    return name in store and store[name][1] is not None


class Headers(MutableMapping[str, str]):
    """Field names to field values, names case-insensitive, the spelling set last is kept.

    Fields that came more than once are one value joined by ", " (RFC 9110, 5.3); `get_all`
    gives them apart.
    """

    __slots__ = ("__weakref__", "_encoded", "_section", "_store")

    def __init__(
        self,
        data: "Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None" = None,
        **kwargs: Any,
    ) -> None:
        self._store: dict[str, tuple[str, Any]] = {}
        self._section: FieldSection | None = None  # as received, until the first edit
        self._encoded: EncodedFields | None = None
        if type(data) is Headers:
            self._store.update(data._store)
        elif data is not None:
            self.update(field_pairs(data))
        if kwargs:
            self.update(kwargs)

    @classmethod
    def received(cls, section: FieldSection) -> "Headers":
        """The mapping over a received section."""
        headers = cls()
        store = headers._store
        for raw_name, raw_value in section.lines:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            lowered = name.lower()
            known = store.get(lowered)
            store[lowered] = (name, value) if known is None else (known[0], f"{known[1]}, {value}")
        headers._section = section
        return headers

    def get_all(self, name: str, failobj: Any = ()) -> Any:
        """The values of every field line called `name`; a list.

        Args:
            failobj: in its place if there is none, as `email.message.Message` has it.
        """
        if self._section is not None:
            values: list[Any] = self._section.get_all(name)
        else:
            found = self._store.get(name.lower())
            values = [] if found is None else [found[1]]
        return values if values or failobj == () else failobj

    getlist = get_all  # by urllib3's name

    def _lower(self, name: Any) -> str:
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        try:
            return name.lower()  # type: ignore[no-any-return]
        except AttributeError:
            raise InvalidHeader(
                f"a field name must be str or bytes, not {type(name).__name__}"
            ) from None

    def __setitem__(self, name: Any, value: Any) -> None:
        lowered = self._lower(name)
        self._store[lowered] = (name, value)
        self._section = self._encoded = None

    def __getitem__(self, name: Any) -> str:
        return self._store[self._lower(name)][1]  # type: ignore[no-any-return]

    def __delitem__(self, name: Any) -> None:
        del self._store[self._lower(name)]
        self._section = self._encoded = None

    def __contains__(self, name: object) -> bool:
        return self._lower(name) in self._store

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._store.values())

    def __len__(self) -> int:
        return len(self._store)

    def lower_items(self) -> Iterator[tuple[str, Any]]:
        """(lower-case name, value) pairs."""
        return ((lowered, value) for lowered, (_, value) in self._store.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.lower_items()) == dict(Headers(other).lower_items())

    def copy(self) -> "Headers":
        """A copy that can be edited by itself."""
        copied = type(self)()
        copied._store.update(self._store)
        copied._section = self._section
        copied._encoded = self._encoded
        return copied

    def changes_since(self, before: "Headers") -> "dict[str, tuple[str, Any] | None]":
        """What `before`, a copy made earlier, has of each field that has been set since.

        By lower-case name: name and value, or None.
        """
        known = before._store.get
        return {name: known(name) for name, now in self._store.items() if known(name) is not now}

    def __repr__(self) -> str:
        return str(dict(self.items()))

    def encode(self) -> EncodedFields:
        """The section as it goes on the wire; kept until the next edit.

        Values that are None are left out.

        Raises:
            InvalidHeader: a name is not a token, or a value holds CR, LF, NUL or another control
                character, starts with white space, or does not fit latin-1.
        """
        if self._encoded is None:
            self._encoded = EncodedFields(self._store)
        return self._encoded

    def __reduce__(self) -> Any:
        return type(self), (list(self.items()),)


def field_pairs(headers: Any) -> list[tuple[Any, Any]]:
    """The (name, value) pairs of what a caller gave as `headers`, names as text.

    Raises:
        TypeError: it is nothing that holds pairs.
    """
    try:
        if isinstance(headers, str | bytes):
            raise TypeError
        pairs = []
        for pair in headers.items() if hasattr(headers, "items") else headers:
            if isinstance(pair, str | bytes):
                raise TypeError
            name, value = pair
            pairs.append((name.decode("latin-1") if isinstance(name, bytes) else name, value))
        return pairs
    except (TypeError, ValueError):
        raise TypeError(
            f"headers: got {type(headers).__name__}, expected a dict such as {{'Accept': '*/*'}},"
            " or (name, value) pairs"
        ) from None


# Two of these in one message are what request smuggling is made of (RFC 9112, 3.2 and 6.3).
_ONCE = ("host", "content-length", "transfer-encoding")


def given_fields(headers: Any) -> list[tuple[Any, Any]]:
    """As `field_pairs`, for what is to be sent; nothing for None.

    Raises:
        InvalidHeader: a field comes twice of which the last must not quietly win.
        TypeError: it is nothing that holds pairs.
    """
    if not headers:
        return []
    pairs = field_pairs(headers)
    if len(pairs) > 1:
        lowered = [name.lower() for name, _ in pairs if isinstance(name, str)]
        for name in _ONCE:
            if lowered.count(name) > 1:
                raise InvalidHeader(f"field {name!r} is given twice; expected it once")
    return pairs


def _encode(fields: Iterable[tuple[Any, Any]]) -> bytes:
    """Accepts with one regex over all lines; explains field by field only when that fails."""
    pairs = [(name, value) for name, value in fields if value is not None]
    try:
        text = "".join([f"{name}: {value}\r\n" for name, value in pairs])
        whole = (
            all([type(v) is str and type(n) is str for n, v in pairs])  # noqa: C419  (0.4 µs less)
            and text.count("\n") == len(pairs)
            and _FIELD_LINES.fullmatch(text) is not None
        )
        if whole:
            return text.encode("latin-1")
    except (UnicodeError, BytesWarning):
        pass
    return b"".join([b"%s: %s\r\n" % check_field(name, value) for name, value in pairs])


def check_field(name: Any, value: Any) -> tuple[bytes, bytes]:
    """The field line's two parts as bytes.

    Raises:
        InvalidHeader: says which field cannot be sent and why; never shows the value.
    """
    shown = repr(name)[:40]
    texts = []
    for part, what in ((name, "name"), (value, "value")):
        if isinstance(part, bytes):
            part = part.decode("latin-1")
        elif not isinstance(part, str):
            raise InvalidHeader(
                f"field {shown}: its {what} must be str or bytes, not {type(part).__name__};"
                " write str(...) around it"
            )
        texts.append(part)
    field_name, field_value = texts
    if not TOKEN.fullmatch(field_name):
        raise InvalidHeader(f"field name {shown}: expected a token (RFC 9110, 5.1)")
    if field_value[:1] in (" ", "\t"):
        raise InvalidHeader(
            f"field {shown}: its value starts with white space; expected none (use .strip())"
        )
    if not FIELD_VALUE.fullmatch(field_value):
        raise InvalidHeader(
            f"field {shown}: its value holds a line break or another control character;"
            " expected one line of text (RFC 9110, 5.5)"
        )
    try:
        return field_name.encode("ascii"), field_value.encode("latin-1")
    except UnicodeError:
        raise InvalidHeader(
            f"field {shown}: its value does not fit latin-1; encode it yourself"
            " (value.encode('utf-8')) if the server expects that"
        ) from None
