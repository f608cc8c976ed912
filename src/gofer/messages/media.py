"""Media types, charsets, and the Link field: what the content says about itself.

Media types are parsed as browsers do (WHATWG MIME Sniffing), charset labels mean what they mean
to browsers (WHATWG Encoding). The answers to short field values are kept in small caches; there
is no other state.
"""

import re
from collections.abc import Mapping, Sequence
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache
from typing import Any

__all__ = [
    "charset_of",
    "encoding_from_headers",
    "encoding_of",
    "extract_media_type",
    "guess_encoding",
    "guess_json_encoding",
    "parse_link_header",
    "parse_media_type",
    "python_codec",
]

_SPACE = "\t\n\r "  # HTTP whitespace
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_QUOTED_TEXT = re.compile(r"[\t -~\x80-\xff]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\[\s\S])*+)(\\?)"?')  # the end may be missing
_QUOTED_PAIR = re.compile(r"\\([\s\S])")
_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\[\s\S])*+\\?(?:"|\Z))*+')  # of a list, up to a comma

_Parameters = tuple[tuple[str, str], ...]


# Media types --------------------------------------------------------------------------------------


def parse_media_type(value: str) -> tuple[str, dict[str, str]]:
    """The type/subtype in lower case and the parameters, names in lower case.

    ("", {}) if it is not a media type. Of a parameter that comes twice the first counts.
    """
    media_type, parameters = _parse_media_type(value)
    return media_type, dict(parameters)


def extract_media_type(values: Sequence[str]) -> tuple[str, dict[str, str]]:
    """What several Content-Type fields, or one with commas, mean together.

    The last one that is a media type counts; it inherits the charset of those of the same type
    before it (WHATWG Fetch, "extract a MIME type"). ("", {}) if there is none.
    """
    media_type, parameters = _extract_media_type(", ".join(values))
    return media_type, dict(parameters)


@lru_cache(maxsize=256)
def _parse_media_type(value: str) -> tuple[str, _Parameters]:
    value = value.strip(_SPACE)
    essence, _, rest = value.partition(";")
    main, slash, sub = essence.partition("/")
    sub = sub.rstrip(_SPACE)
    if not slash or not _TOKEN.fullmatch(main) or not _TOKEN.fullmatch(sub):
        return "", ()
    return f"{main}/{sub}".lower(), tuple(_parse_parameters(rest).items())


def _parse_parameters(text: str) -> dict[str, str]:
    """`name=value; name="value"`, skipping what is not so."""
    parameters: dict[str, str] = {}
    at = 0
    while at < len(text):
        end = _find(text, ";", at)
        name, _, value = text[at:end].partition("=")
        is_quoted = value.startswith('"')
        if is_quoted:
            match = _QUOTED.match(text, at + len(name) + 1)
            assert match is not None
            value = _QUOTED_PAIR.sub(r"\1", match[1]) + match[2]
            end = _find(text, ";", match.end())
        else:
            value = value.rstrip(_SPACE)
        name = name.lstrip(_SPACE).lower()
        is_valid = (value or is_quoted) and _TOKEN.fullmatch(name) and _QUOTED_TEXT.fullmatch(value)
        if is_valid and name not in parameters:
            parameters[name] = value
        at = end + 1
    return parameters


def _find(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found


@lru_cache(maxsize=256)
def _extract_media_type(value: str) -> tuple[str, _Parameters]:
    found: tuple[str, _Parameters] = ("", ())
    charset: str | None = None
    for member in _members(value):
        media_type, parameters = _parse_media_type(member)
        if not media_type or media_type == "*/*":
            continue
        if media_type != found[0]:
            charset = None
        own = dict(parameters).get("charset")
        if own is not None:
            charset = own
        elif charset is not None:
            parameters = (*parameters, ("charset", charset))
        found = (media_type, parameters)
    return found


def _members(value: str) -> list[str]:
    """A field value split at the commas that are not in quotes."""
    members = []
    at = 0
    while at <= len(value):
        match = _MEMBER.match(value, at)
        assert match is not None
        members.append(match[0])
        at = match.end() + 1
    return members


# Charsets -----------------------------------------------------------------------------------------


def encoding_from_headers(headers: Mapping[str, Any]) -> str | None:
    """`encoding_of` the Content-Type field in `headers`, None if there is none."""
    value = headers.get("content-type")
    return encoding_of(value) if value else None


@lru_cache(maxsize=256)
def encoding_of(content_type: str) -> str | None:
    """The charset that a Content-Type declares or implies, as Requests has it.

    Without a charset parameter text/* is ISO-8859-1 and application/json is utf-8.
    """
    charset = charset_of(content_type)
    if charset:
        return charset
    media_type = _extract_media_type(content_type)[0] or content_type.strip(_SPACE).lower()
    if media_type.startswith("text"):
        return "ISO-8859-1"
    if media_type == "application/json":
        return "utf-8"
    return None


@lru_cache(maxsize=256)
def charset_of(content_type: str | None) -> str | None:
    """The charset parameter, as it is written, without quotes of either kind.

    It is found even if the media type itself is not one: "text; charset=utf-8" is common.
    """
    if not content_type:
        return None
    media_type, pairs = _extract_media_type(content_type)
    parameters = dict(pairs) if media_type else _parse_parameters(content_type.partition(";")[2])
    return parameters.get("charset", "").strip("'\" ") or None


# Where labels mean something else to browsers than to Python, or nothing to Python. What has no
# codec here (x-user-defined, "replacement") must not be decoded.
_LABELS: dict[str, str] = {
    label: codec
    for codec, labels in {
        "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
        "utf-8-sig": "utf-8-sig",
        "cp1252": "ansi_x3.4-1968 ascii cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1"
        " iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii x-cp1252",
        "iso8859-2": "iso88592",
        "iso8859-3": "iso88593",
        "iso8859-4": "iso88594",
        "iso8859-5": "iso88595",
        "iso8859-6": "csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i iso88596",
        "iso8859-7": "iso88597 sun_eu_greek",
        "iso8859-8": "csiso88598e csiso88598i iso-8859-8-e iso-8859-8-i iso88598 logical visual",
        "iso8859-10": "iso885910",
        "iso8859-13": "iso885913",
        "iso8859-14": "iso885914",
        "iso8859-15": "csisolatin9 iso885915",
        "koi8-r": "koi koi8",
        "koi8-u": "koi8-ru koi8-u",
        "mac-roman": "csmacintosh mac x-mac-roman",
        "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
        "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
        "cp1250": "x-cp1250",
        "cp1251": "x-cp1251",
        "cp1253": "x-cp1253",
        "cp1254": "csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989"
        " l5 latin5 x-cp1254",
        "cp1255": "x-cp1255",
        "cp1256": "x-cp1256",
        "cp1257": "x-cp1257",
        "cp1258": "x-cp1258",
        "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
        "big5hkscs": "big5 cn-big5 csbig5 x-x-big5",
        "euc_jp": "cseucpkdfmtjapanese x-euc-jp",
        "cp932": "csshiftjis shift-jis shift_jis sjis windows-31j x-sjis",
        "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989"
        " ksc5601 ksc_5601 windows-949",
        "utf-16-be": "unicodefffe",
        "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff",
        "": "csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr replacement utf-7",
    }.items()
    for label in labels.split()
}

_CODECS = frozenset(aliases.values()) - {
    "base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13", "utf_7",
    "uu_codec", "zlib_codec",
}  # fmt: skip


@lru_cache(maxsize=256)
def python_codec(label: str) -> str | None:
    """The name of the codec that decodes what is labelled so, or None.

    ISO-8859-1 is windows-1252, GBK is GB 18030, as for every browser. Only codecs of charsets
    are named, whatever else Python may have under that label.
    """
    label = label.strip(_SPACE + "\f").lower()
    known = _LABELS.get(label)
    if known is not None:
        return known or None
    if not label.isascii() or len(label) > 40:
        return None
    # Not codecs.lookup(): it remembers each label that it did not find, for ever.
    name = normalize_encoding(label)
    name = aliases.get(name, name)
    return name.replace("_", "-") if name in _CODECS else None


_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),  # before UTF-16, whose mark it begins with
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

SAMPLE = 64 * 1024  # bytes looked at for statistics
LONGEST_CHARACTER = 4  # bytes: GB 18030


def guess_encoding(data: bytes) -> str:
    """The charset `data` is probably in.

    By its byte order mark; else utf-8 if it is that; else by statistics if charset-normalizer
    is installed (extra `charset`); else windows-1252.
    """
    marked = _marked_encoding(data)
    if marked is not None:
        return marked
    if data.isascii():
        return "iso2022_jp" if b"\x1b$" in data else "ascii"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _statistical_encoding(data) or "cp1252"
    return "utf-8"


def _marked_encoding(data: bytes) -> str | None:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    return None


def _statistical_encoding(data: bytes) -> str | None:
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return None
    # Where a sample ends in the middle of a character, no encoding fits it.
    last = min(len(data), SAMPLE)
    for end in range(last, last - (LONGEST_CHARACTER if len(data) > SAMPLE else 1), -1):
        best = from_bytes(data[:end]).best()
        if best is not None:
            return best.encoding
    return None


def guess_json_encoding(data: bytes) -> str | None:
    """Which of the Unicode encodings a JSON text is in.

    By the byte order mark, else by where the zero bytes are: a JSON text begins with an ASCII
    character (RFC 8259, 2). None if they are nowhere they can be.
    """
    marked = _marked_encoding(data)
    if marked is not None:
        return marked
    start = data[:4]
    if 0 not in start[:2]:
        return "utf-8"
    if start[0]:
        return "utf-32-le" if start[1:] == b"\0\0\0" else "utf-16-le"
    if start[1:2] != b"\0":
        return "utf-16-be"
    return "utf-32-be" if start[2:3] == b"\0" and start[3:4] not in (b"", b"\0") else None


# Links --------------------------------------------------------------------------------------------

_LINK_TARGET = re.compile(r"[\s,'\"]*(?:<([^>]*)>?|([^;,]*))")
_LINK_PARAMETER = re.compile(r'\s*;\s*([^;,="\s]*)\s*(?:=\s*("(?:[^"\\]|\\[\s\S])*+\\?"?|[^;,]*))?')
_LINK_END = re.compile(r"[^,]*,?")


def parse_link_header(value: str) -> list[dict[str, str]]:
    """The links of a Link field, each a dict of "url" and its parameters (RFC 8288, 3).

    As Requests gives them: names as they are written, values without quotes.
    """
    links = []
    at = 0
    while at < len(value):
        match = _LINK_TARGET.match(value, at)
        assert match is not None
        target = match[2].strip(" '\"") if match[1] is None else match[1].strip(" '\"")
        link = {"url": target}
        at = match.end()
        while parameter := _LINK_PARAMETER.match(value, at):
            at = parameter.end()
            name, text = parameter[1].strip(" '\""), parameter[2]
            if name and text is not None:
                link.setdefault(name, _link_value(text.strip()))
        if target or len(link) > 1:
            links.append(link)
        ending = _LINK_END.match(value, at)
        assert ending is not None
        at = max(ending.end(), at + 1)
    return links


def _link_value(text: str) -> str:
    if text.startswith('"'):
        return _QUOTED_PAIR.sub(r"\1", text[1:].removesuffix('"'))
    return text.strip(" '\"")
