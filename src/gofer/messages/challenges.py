"""Challenges (RFC 9110, 11.3 and 11.6.1) and what Authentication-Info says (RFC 7616, 3.5).

What a server asks for in WWW-Authenticate or Proxy-Authenticate, read in one pass from left to
right. Servers write this field in many ways, so commas may be missing and values may lack their
quotes; what cannot be understood is skipped and never raises. Text is held as it travels, one
character an octet (latin-1). Answering a challenge is left to `stages/auth`.
"""

import re
from collections.abc import Iterable

__all__ = ["Challenge", "parse_authentication_info", "parse_challenges", "quote"]

MAX_CHALLENGES = 64  # real servers offer up to five; more only cost time and memory

# Quantifiers are possessive: every octet is looked at a fixed number of times.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_SEPARATOR = re.compile(r"[ \t,]++")
_SPACE = re.compile(r"[ \t]++")
# token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=", and nothing behind it
_TOKEN68 = re.compile(r"([A-Za-z0-9\-._~+/]++=*+)[ \t]*+(?=,|\Z)")
_EQUALS = re.compile(r"[ \t]*+=[ \t]*+")
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_UNQUOTED = re.compile(r'[^\x00-\x20\x7f",]*+')  # a token; bare Base64 and paths are common too
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_NOISE = re.compile(r'(?:[^",]|"(?:[^"\\]++|\\.)*+"?+)++', re.DOTALL)


class Challenge:
    """One way the server offers to prove who is asking.

    Attributes:
        scheme: lower case, for instance "basic" or "digest".
        parameters: by lower-case name; the first wins if one comes twice.
        token68: what stands in place of parameters, for instance with Negotiate, or None.
    """

    __slots__ = ("parameters", "scheme", "token68")

    def __init__(
        self, scheme: str, parameters: dict[str, str] | None = None, token68: str | None = None
    ) -> None:
        self.scheme = scheme
        self.parameters = {} if parameters is None else parameters
        self.token68 = token68

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Challenge):
            return NotImplemented
        return (self.scheme, self.parameters, self.token68) == (
            other.scheme, other.parameters, other.token68,
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]  # parameters is a dict

    def __repr__(self) -> str:
        return f"<Challenge {self.scheme} {', '.join(self.parameters)}>"


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges of all WWW-Authenticate (or Proxy-Authenticate) fields, in their order.

    After MAX_CHALLENGES in one field the rest of it is not looked at.
    """
    challenges: list[Challenge] = []
    for value in values:
        challenges += _parse(value)
    return challenges


def parse_authentication_info(values: Iterable[str]) -> dict[str, str]:
    """The parameters of Authentication-Info: nextnonce, qop, rspauth, cnonce and nc."""
    parameters: dict[str, str] = {}
    for value in values:
        parameters = _parse(value, Challenge("", parameters))[0].parameters
    return parameters


def quote(text: str) -> str:
    """`text` as a quoted-string (RFC 9110, 5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _parse(value: str, current: Challenge | None = None) -> list[Challenge]:
    """The challenges in one field value; parameters at its start belong to `current`."""
    found = [] if current is None else [current]
    position = 0
    while position < len(value):
        if separator := _SEPARATOR.match(value, position):
            position = separator.end()
            continue
        name = _TOKEN.match(value, position)
        if name is None:
            noise = _NOISE.match(value, position)
            assert noise is not None  # there is always one character for it
            position = noise.end()
            continue
        position = name.end()

        # A token is a parameter's name if "=" stands behind it, else a scheme.
        if equals := _EQUALS.match(value, position):
            text, position = _parse_value(value, equals.end())
            if found and text is not None:
                found[-1].parameters.setdefault(name[0].lower(), text)
            continue
        if len(found) == MAX_CHALLENGES:
            break
        challenge = Challenge(name[0].lower())
        found.append(challenge)
        space = _SPACE.match(value, position)
        if space and (token68 := _TOKEN68.match(value, space.end())):
            challenge.token68 = token68[1]
            position = token68.end()
    return found


def _parse_value(value: str, position: int) -> tuple[str | None, int]:
    """A parameter's value and where it ends; None for a quoted-string without an end."""
    if value[position : position + 1] != '"':
        unquoted = _UNQUOTED.match(value, position)
        assert unquoted is not None  # it may be empty
        return unquoted[0], unquoted.end()
    quoted = _QUOTED.match(value, position)
    if quoted is None:
        return None, len(value)  # where it should have ended is anybody's guess
    text = quoted[1]
    if "\\" in text:
        text = _QUOTED_PAIR.sub(r"\1", text)
    return text, quoted.end()
