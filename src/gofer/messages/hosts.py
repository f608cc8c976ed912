"""Hosts of URLs, in the one form in which they are looked up, compared and sent.

Names become A-labels in lower case (IDNA 2008 after UTS 46), addresses lose every other way to be
written. State: a cache of hosts.
"""

import re
from functools import lru_cache

from gofer.exceptions import InvalidURL
from gofer.messages.quoting import (
    ESCAPE,
    SUB_DELIMS,
    UNRESERVED,
    UNRESERVED_ESCAPES,
    percent_decoded,
)

__all__ = ["MAX_HOST", "MAX_LABEL", "authority", "host_to_ascii", "ipv6_literal"]

MAX_LABEL = 63  # octets (RFC 1035, 2.3.4)
MAX_HOST = 253  # octets: the 255 of RFC 1035, 2.3.4, in text form

_PLAIN_HOST = re.compile(r"(?:[a-z0-9_\-]{1,63}+\.)*+[a-z_][a-z0-9_\-]{0,62}+")
# For hosts that are not plain: text, which `re` compiles when one comes.
_REG_NAME = rf"(?!\*)[{UNRESERVED}{SUB_DELIMS}]++"
_NUMBER = r"[0-9]++|0[xX][0-9A-Fa-f]*+"
_ZONE = rf"[{UNRESERVED}]++"
_ZERO_GROUPS = r"\b0(?::0)++\b"


@lru_cache(maxsize=1024)
def host_to_ascii(host: str) -> str:
    """`host` as it is looked up and compared: A-labels in lower case, or an IP address.

    IDNA 2008 after the mapping of UTS 46. Every way to write an IPv4 address that a resolver
    takes (127.1, 0x7f000001, 2130706433) becomes a dotted quad before anybody compares it;
    IPv6, in brackets or not, becomes RFC 5952's form without them. One trailing dot stays.

    Raises:
        InvalidURL: if it is not a host.
    """
    if _PLAIN_HOST.fullmatch(host) and len(host) <= MAX_HOST:
        return host
    if ":" in host:
        in_brackets = host.startswith("[") and host.endswith("]")
        return ipv6_literal(host) if in_brackets else _ipv6(host)
    # Three characters of an escape for each of the four octets UTF-8 may take.
    if len(host) > 12 * MAX_HOST:
        raise InvalidURL("the host is too long")
    if "%" in host:
        host = _unescaped_host(host)
    if not host.isascii():
        host = _idna(host)
    host = host.lower()
    if not re.fullmatch(_REG_NAME, host):
        raise InvalidURL("a character in the host that no host has")
    if re.fullmatch(_NUMBER, host.removesuffix(".").rpartition(".")[2]):
        return _ipv4(host)
    _check_labels(host.removesuffix("."))
    return host


def _check_labels(name: str) -> None:
    if len(name) > MAX_HOST:
        raise InvalidURL(f"the host is over {MAX_HOST} octets")
    for label in name.split("."):
        if not label:
            raise InvalidURL("an empty label in the host")
        if len(label) > MAX_LABEL:
            raise InvalidURL(f"a label of the host is over {MAX_LABEL} octets")


def _unescaped_host(host: str) -> str:
    """`host` without escapes. Only letters, digits and "-._~" may hide in them, so that nothing
    turns into a delimiter afterwards."""
    for octet in re.findall(ESCAPE, host):
        escape = f"%{octet.upper()}"
        if escape < "%80" and escape not in UNRESERVED_ESCAPES:
            raise InvalidURL("an escaped delimiter in the host")
    try:
        return percent_decoded(host, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidURL("escapes in the host that are not UTF-8") from error


def _idna(host: str) -> str:
    import idna  # 18 ms

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError as error:
        raise InvalidURL("the host is not a name by IDNA 2008") from error


def _ipv4(host: str) -> str:
    """The dotted quad of a host whose last label is a number (WHATWG URL, 3.5, "IPv4 parser").

    A leading 0 means octal, as it does to inet_aton.
    """
    labels = host.removesuffix(".").split(".")
    try:
        *first, last = [_ipv4_number(label) for label in labels]
    except ValueError as error:
        raise InvalidURL("the host ends in a number but is not an IPv4 address") from error
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        raise InvalidURL("the host ends in a number but is not an IPv4 address")
    address = last
    for place, number in enumerate(first):
        address += number << (24 - 8 * place)
    return ".".join([str(octet) for octet in address.to_bytes(4, "big")])


def _ipv4_number(label: str) -> int:
    if not re.fullmatch(_NUMBER, label) or len(label) > MAX_LABEL:
        raise ValueError(label)
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if label.startswith("0") else 10)


def authority(host: str, port: int) -> str:
    """host:port, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ipv6_literal(literal: str) -> str:
    """The address in brackets. Its zone is written "%25eth0" (RFC 6874), by most "%eth0"."""
    address, percent, zone = literal[1:-1].partition("%")
    if zone.startswith("25"):
        zone = zone[2:]
    elif re.match(ESCAPE, percent + zone):
        raise InvalidURL("an escape in the IPv6 address; a zone begins with %25")
    return _ipv6(address + percent + zone)


def _ipv6(text: str) -> str:
    """The address in the form of RFC 5952, all in hexadecimal, and its zone behind "%"."""
    from ipaddress import IPv6Address

    address, percent, zone = text.partition("%")
    if percent and not re.fullmatch(_ZONE, zone):
        raise InvalidURL("a bad zone in the IPv6 address")
    try:
        octets = IPv6Address(address).packed
    except ValueError as error:
        raise InvalidURL("not an IPv6 address in the brackets") from error
    # By hand: Python 3.13 changed how it writes addresses that hold an IPv4 one.
    groups = ":".join([f"{octets[i] << 8 | octets[i + 1]:x}" for i in range(0, 16, 2)])
    longest = max(re.finditer(_ZERO_GROUPS, groups), key=lambda run: len(run[0]), default=None)
    if longest is not None:
        before, after = groups[: longest.start()], groups[longest.end() :]
        groups = f"{before.rstrip(':')}::{after.lstrip(':')}"
    return groups + percent + zone
