"""Alt-Svc: where else an origin can be reached, and for how long (RFC 7838, 3)."""

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Alternative", "parse_alt_svc"]

DEFAULT_AGE = 24 * 60 * 60  # seconds, without `ma` (RFC 7838, 3.1)
MAX_AGE = 365 * DEFAULT_AGE  # longer lifetimes are cut to this
MAX_ALTERNATIVES = 16  # of one field that are looked at

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# What is optional is never given back (*+): what fits nowhere must not be read in many ways.
_VALUE = re.compile(
    rf"[ \t,]*+(?P<protocol>{_TOKEN})=(?P<authority>{_QUOTED})"
    rf"(?P<parameters>(?:[ \t]*+;[ \t]*+(?:{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))?+)*+)[ \t]*+(?:,|$)",
    re.S,
)
_PARAMETER = re.compile(rf"({_TOKEN})=({_QUOTED}|{_TOKEN})")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s/@]*):(?P<port>[0-9]{1,5})")
_ESCAPED = re.compile(r"\\(.)", re.S)
_PERCENT = re.compile("%([0-9A-Fa-f]{2})")


class Alternative(NamedTuple):
    """One place to reach an origin at.

    protocol: its ALPN name; host: "" for the origin's own; max_age: seconds that it is good for.
    """

    protocol: str
    host: str
    port: int
    max_age: int


def parse_alt_svc(values: Iterable[str]) -> list[Alternative] | None:
    """The alternatives in the fields of a response, best first; None for "clear".

    What cannot be understood is left out, and so is what follows it in the same field.
    """
    found: list[Alternative] = []
    for value in values:
        if value.strip(" \t") == "clear":
            return None
        position = 0
        while len(found) < MAX_ALTERNATIVES:
            match = _VALUE.match(value, position)
            if match is None:
                break
            position = match.end()
            place = _AUTHORITY.fullmatch(_unquoted(match["authority"]))
            if place is not None and 0 < int(place["port"]) < 65536:
                protocol = _PERCENT.sub(lambda m: chr(int(m[1], 16)), match["protocol"])
                host = place["host"].strip("[]").lower()
                age = _age(match["parameters"])
                found.append(Alternative(protocol, host, int(place["port"]), age))
    return found


def _age(parameters: str) -> int:
    for name, value in _PARAMETER.findall(parameters):
        digits = _unquoted(value)
        if name.lower() == "ma" and digits.isascii() and digits.isdigit():
            return min(int(digits[:12]), MAX_AGE)
    return DEFAULT_AGE


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text
