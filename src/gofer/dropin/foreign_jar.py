"""A user's own `http.cookiejar.CookieJar` in place of gofer's store.

`ForeignJar` gives it the interface of a `CookieStore`. Jars want requests and responses as urllib
makes them: `MockRequest` and `MockResponse` are ours dressed up as those, under Requests' names.
"""

from collections.abc import Iterable
from http.cookiejar import CookieJar
from types import SimpleNamespace
from typing import Any

from gofer.messages.cookies import field_value, overridden
from gofer.messages.url import URL, parse

__all__ = [
    "ForeignJar",
    "MockRequest",
    "MockResponse",
    "effective_host",
    "request_to",
    "response_with",
    "set_cookie_values",
    "url_of",
]


class ForeignJar:
    """A user's own `http.cookiejar.CookieJar` with the interface of a `CookieStore`.

    The jar's rules and clock decide, not ours.
    """

    __slots__ = ("jar",)

    def __init__(self, jar: CookieJar) -> None:
        self.jar = jar

    def store(self, url: URL, set_cookie_values: Iterable[str | bytes], now: float) -> None:
        """Hands the Set-Cookie fields to the jar."""
        values = [v.decode("latin-1") if isinstance(v, bytes) else v for v in set_cookie_values]
        self.jar.extract_cookies(response_with(values), request_to(url))  # type: ignore[arg-type]

    def field_for(self, url: URL, now: float, *, overrides: Any = None) -> str | None:
        """The Cookie field value for a request to `url`, as `CookieStore.field_for`."""
        request = request_to(url)
        self.jar.add_cookie_header(request)
        field: str | None = request.get_new_headers().get("Cookie")
        if overrides is None:
            return field
        pairs = []
        for pair in field.split("; ") if field else ():
            name, equals, value = pair.partition("=")
            pairs.append((name, value) if equals else ("", pair))
        pairs = overridden(pairs, overrides, url, now)
        return field_value(pairs) if pairs else None

    def __bool__(self) -> bool:
        return next(iter(self.jar), None) is not None


class MockRequest:
    """A prepared request with the methods of `urllib.request.Request` that jars call."""

    def __init__(self, request: Any) -> None:
        self._r = request
        self._new_headers: dict[str, str] = {}
        url = getattr(request, "url_parsed", None)
        self.url_parsed: URL = parse(request.url) if url is None else url
        self.type = self.url_parsed.scheme

    def get_type(self) -> str:
        return self.type

    def get_host(self) -> str:
        return self.url_parsed.authority

    def get_origin_req_host(self) -> str:
        return self.url_parsed.host

    def get_full_url(self) -> str:
        # Without userinfo, which http.cookiejar takes for a part of the host.
        url = self.url_parsed
        return f"{url.scheme}://{url.authority}{url.target.decode('ascii')}"

    def is_unverifiable(self) -> bool:
        return True

    def has_header(self, name: str) -> bool:
        return name in self._r.headers or name in self._new_headers

    def get_header(self, name: str, default: Any = None) -> Any:
        return self._r.headers.get(name, self._new_headers.get(name, default))

    def add_header(self, key: str, val: str) -> None:
        raise NotImplementedError("cookie fields are added with add_unredirected_header()")

    def add_unredirected_header(self, name: str, value: str) -> None:
        self._new_headers[name] = value

    def get_new_headers(self) -> dict[str, str]:
        return self._new_headers

    @property
    def unverifiable(self) -> bool:
        return self.is_unverifiable()

    @property
    def origin_req_host(self) -> str:
        return self.get_origin_req_host()

    @property
    def host(self) -> str:
        return self.get_host()


class MockResponse:
    """Fields with the methods of a urllib response that jars call."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def info(self) -> Any:
        return self._headers

    def getheaders(self, name: str) -> Any:
        return self._headers.getheaders(name)


def request_to(url: URL) -> Any:
    """A request to `url`, for a jar."""
    return MockRequest(SimpleNamespace(url_parsed=url, headers={}))


def response_with(values: Iterable[str]) -> MockResponse:
    """A response with these Set-Cookie fields, for a jar."""
    values = list(values)

    def get_all(name: str, missing: Any = None) -> Any:
        return values if values and name.lower() == "set-cookie" else missing

    return MockResponse(SimpleNamespace(get_all=get_all))


def url_of(request: Any) -> URL:
    """The target URI of a request in urllib's shape."""
    url = getattr(request, "url_parsed", None)
    return parse(request.get_full_url()) if url is None else url


def set_cookie_values(response: Any) -> list[str]:
    """The Set-Cookie fields of a response in urllib's shape."""
    return [str(value) for value in response.info().get_all("Set-Cookie") or ()]


def effective_host(url: URL) -> str:
    """What http.cookiejar calls the host: "localhost" is "localhost.local" (RFC 2965, 1)."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if "." in host else host + ".local"
