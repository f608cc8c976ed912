"""What the process's environment says: proxies, NO_PROXY, certificate bundles, netrc.

`read()` is called once per request, so what was understood is kept until a variable changes.
The only state is `_current` and `_none_of_ours`, immutable values that are replaced as a whole:
no lock is needed.

Only sessions with `trust_env` ask here; what the caller says explicitly is weighed against it in
`network/proxies.py` and `network/router.py`. The netrc file itself is read in
`stages/auth/netrc.py`.
"""

import os
import sys
from typing import Any

__all__ = ["Environment", "NoProxy", "read"]

# Lower case wins over upper case, as in curl and urllib.
_NAMES = (
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "REQUEST_METHOD",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
)
_BYTES_NAMES = frozenset(map(str.encode, _NAMES))
MAX_NAME = 253  # characters of a name in the DNS (RFC 1035, 2.3.4)

_IS_POSIX = os.name == "posix"

Snapshot = tuple[bytes | str | None, ...]  # in the order of _NAMES; bytes on POSIX


class NoProxy:
    """Which hosts are to be reached without a proxy: the value of NO_PROXY, parsed.

    Entries are separated by commas or white space:

        *                        every host
        example.com              that host and every name below it
        .example.com             the names below it only; so does *.example.com
        192.0.2.1, 2001:db8::1   an address; an IPv6 one may stand in brackets
        192.0.2.0/24, fe80::/10  a network
        entry:8080               the same, on that port only (IPv6 in brackets)

    A name never matches an address and an address is never matched by its text, so that
    `[::1%25.example.com]` is not below example.com (Go's CVE-2025-22870). Nothing is resolved.
    Loopback is not exempt unless it is listed: neither curl nor Requests does that, Go does.
    An entry that cannot be understood is skipped: the list is shared with other programs.
    """

    __slots__ = ("_domains", "_everything", "_networks")

    def __init__(self, text: str) -> None:
        self._everything = False
        self._domains: list[tuple[str, bool, int | None]] = []  # name, itself too?, port
        self._networks: list[tuple[Any, str, int | None]] = []  # ip_network, zone, port
        for entry in text.replace(",", " ").split():
            self._add(entry.lower())

    def _add(self, entry: str) -> None:
        if entry == "*":
            self._everything = True
            return

        network = _parse_network(entry)
        if network is not None:
            self._networks.append((*network, None))
            return

        name, colon, digits = entry.rpartition(":")
        if not colon:
            name, port = entry, None
        elif not digits.isdecimal() or not digits.isascii() or len(digits) > 5:
            return
        else:
            port = int(digits)
            network = _parse_network(name)
            if network is not None:
                self._networks.append((*network, port))
                return

        name = name.removeprefix("*")
        itself = not name.startswith(".")
        name = name.removeprefix(".").removesuffix(".")
        if 0 < len(name) <= MAX_NAME and not name.startswith("[") and "/" not in name:
            self._domains.append((_to_ascii(name), itself, port))

    def matches(self, host: str, port: int) -> bool:
        """True if `host`, ASCII, in lower case and without brackets, is to be reached directly."""
        if self._everything:
            return True
        if not self._domains and not self._networks:
            return False

        address = _parse_address(host)
        if address is not None:
            ip, zone = address
            return any(
                entry_port in (None, port) and entry_zone in ("", zone) and ip in network
                for network, entry_zone, entry_port in self._networks
            )

        host = host.removesuffix(".")
        return any(
            entry_port in (None, port) and (host.endswith("." + name) or (itself and host == name))
            for name, itself, entry_port in self._domains
        )

    def __repr__(self) -> str:
        if self._everything:
            return "<NoProxy *>"
        return f"<NoProxy {len(self._domains)} names, {len(self._networks)} networks>"


def _parse_address(text: str) -> tuple[Any, str] | None:
    """The address and the zone that `text` is, or None if it is a name.

    An IPv4 address written as an IPv6 one (::ffff:192.0.2.1) is the IPv4 address.
    """
    if ":" not in text and not text[-1:].isdigit():
        return None  # a name, without the 2 ms that importing ipaddress costs
    import ipaddress

    text, _, zone = text.partition("%")
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip, zone


def _parse_network(entry: str) -> tuple[Any, str] | None:
    """The network and the zone that `entry` stands for, or None if it is not one."""
    text, slash, length = entry.partition("/")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if ":" not in text:
            return None
    address = _parse_address(text)
    if address is None:
        return None
    import ipaddress

    ip, zone = address
    if not slash:
        return ipaddress.ip_network(ip), zone
    # ipaddress would also take a netmask here; curl, Go and Requests do not.
    if not (length.isascii() and length.isdecimal() and len(length) <= 3):
        return None
    bits = int(length)
    if ip.version == 4 and ":" in text:
        bits -= 96  # ::ffff:192.0.2.0/120 is 192.0.2.0/24
    if not 0 <= bits <= ip.max_prefixlen:
        return None
    return ipaddress.ip_network((ip, bits), strict=False), zone


def _to_ascii(name: str) -> str:
    if name.isascii():
        return name
    from gofer.exceptions import InvalidURL
    from gofer.messages.hosts import host_to_ascii

    try:
        return host_to_ascii(name)
    except InvalidURL:
        return name  # matches no host: those are ASCII


class Environment:
    """The environment variables gofer knows, understood once. Immutable.

    Attributes:
        snapshot: the raw values it was made from.
        proxies: the proxy's URL by scheme ("http", "https") and "all".
        no_proxy: the hosts to be reached without them.
        ca_bundle: REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE: a file or folder of certificates.
        ssl_cert_file, ssl_cert_dir: OpenSSL's own variables for the default trust.
        netrc: NETRC, the path of the netrc file; None means the usual places.
    """

    __slots__ = (
        "_uses_system_proxies",
        "ca_bundle",
        "netrc",
        "no_proxy",
        "proxies",
        "snapshot",
        "ssl_cert_dir",
        "ssl_cert_file",
    )

    def __init__(self, snapshot: Snapshot) -> None:
        value = {
            name: os.fsdecode(found)
            for name, found in zip(_NAMES, snapshot, strict=True)
            if found is not None
        }
        self.snapshot = snapshot
        self.proxies = _proxies(value)
        self._uses_system_proxies = False
        if sys.platform in ("darwin", "win32") and not self.proxies:
            self.proxies = _system_proxies()
            self._uses_system_proxies = bool(self.proxies)
        self.no_proxy = NoProxy(value.get("no_proxy") or value.get("NO_PROXY") or "")
        self.ca_bundle = value.get("REQUESTS_CA_BUNDLE") or value.get("CURL_CA_BUNDLE") or None
        self.ssl_cert_file = value.get("SSL_CERT_FILE") or None
        self.ssl_cert_dir = value.get("SSL_CERT_DIR") or None
        self.netrc = value.get("NETRC") or None

    def bypasses_proxies(self, host: str, port: int) -> bool:
        """True if `host` is to be reached without a proxy, by NO_PROXY or the system's list."""
        if self.no_proxy.matches(host, port):
            return True
        if not self._uses_system_proxies:
            return False
        from urllib.request import proxy_bypass

        return bool(proxy_bypass(host))

    def __repr__(self) -> str:
        return f"<Environment proxies for {', '.join(sorted(self.proxies)) or 'nothing'}>"


def _proxies(value: dict[str, str]) -> dict[str, str]:
    """The proxies that variables name, by scheme and "all".

    A lower-case variable that is set but empty hides the upper-case one: that is how one
    switches it off for a single command.
    """
    proxies = {}
    for scheme in ("http", "https", "all"):
        lower = f"{scheme}_proxy"
        upper = lower.upper()
        # httpoxy (CVE-2016-5385): in a CGI program HTTP_PROXY is the client's Proxy field.
        # Windows does not tell the two cases apart, so there neither can be trusted.
        if scheme == "http" and "REQUEST_METHOD" in value:
            url = value.get(lower) if _IS_POSIX else None
        else:
            url = value.get(lower, value.get(upper))
        if url:
            proxies[scheme] = url
    return proxies


def _system_proxies() -> dict[str, str]:
    """The proxies of the macOS or Windows settings: read once, until a variable changes."""
    from urllib.request import getproxies

    return {
        scheme: url for scheme, url in getproxies().items() if scheme in ("http", "https", "all")
    }


def read() -> Environment:
    """The environment as it is now; the same object as last time if nothing has changed.

    Called for every request: 0.1 µs where none of the variables is set, else 0.46, against 12 µs
    through `os.environ.get`, which encodes each name and decodes each value anew. Hence the look
    into the dict that `os.environ` keeps on POSIX, written out because `map` over the names takes
    0.7 µs.
    """
    global _current, _none_of_ours
    variables = None
    try:
        if _IS_POSIX:
            variables = os.environ._data  # type: ignore[attr-defined]
            # New names come to a dict's end: one that is as long as before and ends with the very
            # same object has no new ones. Half the price of looking for each of ours.
            known, count, last = _none_of_ours
            if variables is known and len(variables) == count and next(reversed(variables)) is last:
                return _NOTHING_SET
    except (AttributeError, RuntimeError, StopIteration):
        pass  # os.environ is empty, is being changed by another thread, or works differently here
    snapshot: Snapshot
    if variables is None:
        snapshot = tuple(map(os.environ.get, _NAMES))
    elif variables.keys().isdisjoint(_BYTES_NAMES):
        names = list(variables)
        if names and _BYTES_NAMES.isdisjoint(names):
            _none_of_ours = variables, len(names), names[-1]
        return _NOTHING_SET
    else:
        get = variables.get
        snapshot = (
            get(b"http_proxy"),
            get(b"HTTP_PROXY"),
            get(b"https_proxy"),
            get(b"HTTPS_PROXY"),
            get(b"all_proxy"),
            get(b"ALL_PROXY"),
            get(b"no_proxy"),
            get(b"NO_PROXY"),
            get(b"REQUEST_METHOD"),
            get(b"REQUESTS_CA_BUNDLE"),
            get(b"CURL_CA_BUNDLE"),
            get(b"SSL_CERT_FILE"),
            get(b"SSL_CERT_DIR"),
            get(b"NETRC"),
        )
    current = _current
    if current is not None and current.snapshot == snapshot:
        return current
    _current = current = Environment(snapshot)
    return current


_NOTHING_SET = Environment((None,) * len(_NAMES))
_current: Environment | None = None
_none_of_ours: tuple[Any, int, Any] = (None, 0, None)  # variables without one of ours, their end
