"""Proxies: what their URLs mean, and which one a URL goes through.

To add a kind of proxy: its handshake in `protocols/`, its scheme in `Proxy.parse`, asking it in
`network/tunnels.py`.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from gofer.exceptions import InvalidProxyURL, InvalidSchema, InvalidURL, MissingSchema
from gofer.messages.hosts import authority
from gofer.messages.url import URL, parse
from gofer.network.environment import Environment, NoProxy

__all__ = ["Proxy", "choose_proxy", "key_for", "key_of", "proxy_headers"]

SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
SOCKS_PORT = 1080

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
    order, each `host` with the port before that without; a value that is empty or None switches the
    proxy off, and a callable is asked, with the URL. `proxies["no_proxy"]` holds for those and
    replaces NO_PROXY. (In Requests it holds for the environment's proxies only, and the
    environment's http_proxy beats an explicit "all".)
    """
    listed = proxies.get("no_proxy")
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
    """The key of `proxies` that counts for `url`; None if it has none."""
    origin, all_like_it = key_of(url), key_of(url, "all")
    host, scheme = url.host, url.scheme
    for key in (
        origin, f"{scheme}://{host}", scheme, all_like_it, f"all://{host}", "all",
    ):  # fmt: skip
        if key in proxies:
            return key
    return None


def key_of(url: URL, scheme: str | None = None) -> str:
    """The key that counts before all others: the origin."""
    return f"{scheme or url.scheme}://{authority(url.host, url.port)}"


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
