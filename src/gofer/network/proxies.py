"""Proxies: what their URLs mean, and which one a URL goes through.

To add a kind of proxy: its handshake in `protocols/`, its scheme in `Proxy.parse`, asking it in
`network/tunnels.py`.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from gofer.callers import level_of_caller
from gofer.exceptions import (
    ConfigWarning,
    InvalidProxyURL,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
)
from gofer.messages.hosts import authority
from gofer.messages.url import URL, parse
from gofer.network.environment import Environment, NoProxy

__all__ = ["Alone", "Proxy", "choose_proxy", "key_for", "key_of", "merged", "proxy_headers"]

SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
SOCKS_PORT = 1080

# The words of keys, and what they are looked for by
_SCHEMES = {"http": "http", "https": "https", "all": "all", "ws": "http", "wss": "https"}
_USUAL = frozenset(("http", "https", "all", "no_proxy"))
_IS_WORD = re.compile(r"[a-z][a-z0-9+\-_]*").fullmatch
_IS_AUTHORITY = re.compile(r"[^/?#@*\s]+").fullmatch

Fields = tuple[tuple[str, str], ...]

# Where a message goes and where it ends is not for those to say who add fields to it.
_OURS = frozenset(("host", "content-length", "transfer-encoding"))


class Proxy:
    """A proxy: HTTP, in plain or, with scheme "https", over TLS; or SOCKS. Immutable.

    Attributes:
        scheme: "http" or "https"; "socks4" and "socks5", for which names are looked up here;
            "socks4a" and "socks5h", which look them up themselves.
        authorization: value of Proxy-Authorization, for the eyes of this proxy only.
        fields: more (name, value) pairs for it; they count before those of the request.
        is_authorized: Proxy-Authorization is one of them.
        login: user name and password, for SOCKS and Digest.
        via: the proxy that leads to this one; None if it is reached directly.
    """

    __slots__ = (
        "authorization", "fields", "host", "is_authorized", "is_socks", "key", "login", "port",
        "scheme", "via",
    )  # fmt: skip

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int,
        authorization: str | None,
        login: tuple[str, str] = ("", ""),
        via: "Proxy | None" = None,
        fields: "Fields" = (),
    ) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.authorization = authorization
        self.login = login
        self.via = via
        self.fields = fields
        self.is_authorized = any(name.lower() == "proxy-authorization" for name, _ in fields)
        self.is_socks = scheme.startswith("socks")
        self.key: Hashable = (
            scheme, host, port, authorization, login, fields, None if via is None else via.key,
        )  # fmt: skip

    @classmethod
    def of(cls, given: Any) -> "Proxy":
        """The proxy that `given` stands for: a URL, or several, each reached by the one before.

        Raises:
            InvalidSchema, InvalidProxyURL: as `parse`.
        """
        if not isinstance(given, list | tuple):
            return cls.parse(given)
        if not given:
            raise InvalidProxyURL("reading a chain of proxies: got an empty list")
        proxy = None
        for text in given:
            proxy = cls.parse(text, via=proxy)
        return proxy  # type: ignore[return-value]

    @classmethod
    def parse(cls, text: str, via: "Proxy | None" = None) -> "Proxy":
        """The proxy of a URL such as `http://user:password@proxy.example:3128`.

        Without a scheme it is http, as in Requests and curl. The port defaults to the scheme's;
        1080 for SOCKS.

        Raises:
            InvalidSchema: the scheme is none that gofer knows proxies of.
            InvalidProxyURL: anything else that is no URL of a proxy.
        """
        if not isinstance(text, str):
            raise InvalidProxyURL(f"reading a proxy URL: got {type(text).__name__}, expected str")
        text = text.strip()
        scheme, separator, _ = text.partition("://")
        if not separator:
            if ":/" in text:
                raise _invalid(text, "expected two slashes behind the scheme")
            scheme = "http"
            text = f"http://{text.removeprefix('//')}"
        scheme = scheme.lower()
        is_socks = scheme in SOCKS
        if not is_socks and scheme.startswith("socks"):
            raise InvalidSchema(
                f"reading a proxy URL: got {scheme[:40]!r}, expected one of {', '.join(SOCKS)}"
            )
        if not is_socks and scheme not in ("http", "https"):
            raise _invalid(text, f"expected the scheme http, https, {', '.join(SOCKS)}")

        try:
            url = parse(f"http{text[len(scheme) :]}" if is_socks else text)
        except (InvalidURL, InvalidSchema, MissingSchema) as exc:
            # The reason could quote a piece of the password when that holds "/", "#" or "?".
            reason = "" if "@" in text else str(exc)
            raise _invalid(text, reason) from None
        if is_socks:
            port = url.port if re.search(r":\d+/*$", text) else SOCKS_PORT
            login = (url.username or "", url.password or "")
            return cls(scheme, url.host, port, None, login, via)
        login = (url.username or "", url.password or "")
        return cls(scheme, url.host, url.port, _basic_authorization(url), login, via)

    def showing(self, authorization: str) -> "Proxy":
        """The same proxy, shown other credentials than those of its URL."""
        return Proxy(
            self.scheme, self.host, self.port, authorization, via=self.via, fields=self.fields
        )

    def with_fields(self, fields: "Fields") -> "Proxy":
        """The same proxy, shown `fields` too; Proxy-Authorization in the place of its URL's."""
        fields = tuple(field for field in fields if field[0].lower() not in _OURS)
        given = [value for name, value in fields if name.lower() == "proxy-authorization"]
        if given == [self.authorization]:
            fields = tuple(field for field in fields if field[1] is not given[0])
            given = []
        if not fields:
            return self
        return Proxy(
            self.scheme, self.host, self.port, given[0] if given else self.authorization,
            ("", "") if given else self.login, self.via, fields,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Proxy {self}>"

    def __str__(self) -> str:
        return f"{self.scheme}://{authority(self.host, self.port)}"


def _invalid(text: str, reason: str) -> InvalidProxyURL:
    """The error for a proxy's URL; shows none of it if there may be credentials in it."""
    shown = "a URL with credentials" if "@" in text else repr(text[:40])
    form = "http://[user:password@]host[:port], reserved characters percent-encoded"
    return InvalidProxyURL(f"reading a proxy URL: got {shown}, {reason or f'expected {form}'}")


def _basic_authorization(url: URL) -> str | None:
    """Basic credentials (RFC 7617) from the userinfo, percent-decoded; None without it."""
    username, password = url.username or "", url.password or ""
    if not username and not password:
        return None
    if ":" in username:
        raise InvalidProxyURL(
            "reading a proxy URL: the user name holds a colon, which Basic cannot send"
            " (RFC 7617, 2)"
        )
    credentials = f"{username}:{password}"
    try:
        data = credentials.encode("latin-1")  # as Requests
    except UnicodeEncodeError:
        data = credentials.encode()
    return "Basic " + b2a_base64(data, newline=False).decode("ascii")


def proxy_headers(proxy_url: Any) -> dict[str, str]:
    """The fields that a proxy wants of every request sent to it, by the credentials in its URL.

    Of a chain, the last proxy.

    Raises:
        InvalidSchema, InvalidProxyURL: as `Proxy.parse`.
    """
    authorization = Proxy.of(proxy_url).authorization
    return {} if authorization is None else {"Proxy-Authorization": authorization}


def choose_proxy(url: URL, proxies: Mapping[str, Any], environment: Environment | None) -> Any:
    """The URL of the proxy for `url`, or a list of them, or None to go directly.

    What the caller says comes first: `scheme://host`, `scheme`, `all://host`, `all`, in this
    order, each `host` with the port before that without (how keys may be spelled: `plain_key`). A
    value that is empty or None switches the proxy off, and a callable is asked, with the URL.
    `proxies["no_proxy"]` holds for those and replaces NO_PROXY. (In Requests it holds for the
    environment's proxies only, and the environment's http_proxy beats an explicit "all".)
    """
    listed = proxies.get("no_proxy")
    if listed is None and not proxies.keys() <= _USUAL:
        listed = proxies.get(_spellings(proxies).get("no_proxy", ""))
    if listed is not None and NoProxy(listed).matches(url.host, url.port):
        return None
    key = key_for(url, proxies)
    if key is not None:
        chosen = proxies[key]
        return (_ask(chosen, url) if callable(chosen) else chosen) or None

    if environment is None or not environment.proxies:
        return None
    proxy = environment.proxies.get(url.scheme) or environment.proxies.get("all")
    if proxy is None or (listed is None and environment.bypasses_proxies(url.host, url.port)):
        return None
    return proxy


def key_for(url: URL, proxies: Mapping[str, Any]) -> str | None:
    """The key of `proxies` that counts for `url`, as it is spelled there; None if it has none."""
    spelled = proxies if proxies.keys() <= _USUAL else _spellings(proxies)
    origin, all_like_it = key_of(url), key_of(url, "all")
    host, scheme = url.host, url.scheme
    for key in (
        origin, f"{scheme}://{host}", scheme, all_like_it, f"all://{host}", "all",
    ):  # fmt: skip
        if key in spelled:
            return key if spelled is proxies else spelled[key]
    return None


def key_of(url: URL, scheme: str | None = None) -> str:
    """The key that counts before all others: the origin."""
    return f"{scheme or url.scheme}://{authority(url.host, url.port)}"


class Alone(dict[str, Any]):
    """Proxies beside which no others count: all that was said is one, for everything."""


def merged(own: Mapping[str, Any], proxies: Mapping[str, Any]) -> dict[str, Any]:
    """`proxies` over `own`, where two spellings of a key are one."""
    if isinstance(proxies, Alone):
        return proxies
    if not own.keys() | proxies.keys() <= _USUAL:
        known = {plain_key(key) for key in proxies} - {None}
        own = {key: value for key, value in own.items() if plain_key(key) not in known}
    return {**own, **proxies}


def plain_key(key: Any) -> str | None:
    """A key of proxies as it is looked for; None if nothing ever looks for it.

    Case does not matter, nor a slash at the end, nor brackets; a WebSocket's scheme is that of the
    request which opens it.
    """
    if not isinstance(key, str):
        return None
    scheme, _, rest = key.strip().lower().partition("://")
    scheme = _SCHEMES.get(scheme, scheme)
    rest = rest.rstrip("/")
    if not rest:
        scheme = _SCHEMES.get(scheme.rstrip(":/"), scheme)
        return scheme if _IS_WORD(scheme) else None
    if not _IS_WORD(scheme) or not _IS_AUTHORITY(rest):
        return None
    if rest.count(":") > 1 and not rest.startswith("["):
        rest = f"[{rest}]"  # as Requests writes it
    try:
        place = parse(f"http://{rest}/")
    except InvalidURL:
        return None
    has_port = re.search(r":\d+$", rest.rpartition("]")[2])
    return f"{scheme}://{authority(place.host, place.port) if has_port else place.host}"


def _spellings(proxies: Mapping[str, Any]) -> dict[str, str]:
    """The keys of `proxies` as they are looked for, with how they are spelled.

    What is spelled right counts first. What is never looked for is warned about: the traffic that
    it is for goes directly, which is seldom meant.
    """
    spelled = {}
    for key in proxies:
        plain = plain_key(key)
        known = None if plain is not None and "://" in plain else _nearest(key, plain)
        if known is not None:
            _warn_of(key, known)
        if plain is not None and (plain == key or plain not in proxies):
            spelled[plain] = key
    return spelled


def _nearest(key: Any, plain: str | None) -> str | None:
    """What may be meant by a key that is not known; None if it may well be meant as it is.

    It may be the scheme of an adapter's, or from the environment, where others have variables that
    end in _proxy.
    """
    if plain in _USUAL:
        return None
    if plain is None:
        word = str(key).partition("://")[0] if "://" in str(key) else "all"
        word = _SCHEMES.get(word.lower(), "all")
        return f"{word}://host" if str(key).strip("*/:") else "all"
    from difflib import get_close_matches

    word = plain.removesuffix("_proxy") if plain != "no_proxy" else plain
    if word in _SCHEMES:
        return word
    found = get_close_matches(plain, [*_SCHEMES, "no_proxy"], n=1, cutoff=0.75)
    return found[0] if found else None


def _warn_of(key: Any, known: str) -> None:
    import warnings

    shown = "a URL with credentials" if "@" in str(key) else f"{key!r:.60}"
    warnings.warn(
        f"proxies: the key {shown} is for no URL, so its proxy is not used; expected {known!r}",
        ConfigWarning,
        stacklevel=level_of_caller(),
    )


def _ask(choose: Callable[[str], Any], url: URL) -> Any:
    """What a callable of the user's chooses; it is shown neither userinfo nor fragment.

    Raises:
        TypeError: it would have to be awaited.
    """
    shown = url.href
    if url.userinfo is not None or url.fragment is not None:
        shown = f"{url.scheme}://{url.authority}{url.target.decode('ascii')}"
    chosen = choose(shown)
    if hasattr(chosen, "__await__"):
        if hasattr(chosen, "close"):
            chosen.close()  # or Python would warn that nobody has awaited it
        raise TypeError(
            "proxies: the callable is an `async def`, expected a plain function that returns a"
            " proxy's URL, a list of them, or None"
        )
    return chosen
