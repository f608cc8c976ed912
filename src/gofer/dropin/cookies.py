"""Requests' `cookies` module: a jar that is a dict, over gofer's `CookieStore`.

`RequestsCookieJar` holds no cookies, it shows those of its store, each time as new
`http.cookiejar.Cookie` objects; what is set or removed here changes the store, and the other way
round. The opposite, a user's own jar with the store's interface, is in `foreign_jar.py`;
`store_for` picks the one that fits.

Cookies belong to the host of the URL; unlike in Requests, a Host field does not change that.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from http.cookiejar import Cookie as JarCookie
from http.cookiejar import CookieJar, CookiePolicy, DefaultCookiePolicy
from http.cookies import Morsel
from typing import Any

from gofer.dropin.foreign_jar import (
    ForeignJar,
    MockRequest,
    MockResponse,
    effective_host,
    request_to,
    response_with,
    set_cookie_values,
    url_of,
)
from gofer.messages.cookies import Cookie, CookieStore, parse_cookie_date
from gofer.messages.set_cookie import GIVEN
from gofer.messages.url import URL

__all__ = [
    "CookieConflictError",
    "ForeignJar",
    "MockRequest",
    "MockResponse",
    "RequestsCookieJar",
    "cookiejar_from_dict",
    "create_cookie",
    "extract_cookies_to_jar",
    "get_cookie_header",
    "merge_cookies",
    "morsel_to_cookie",
    "remove_cookie_by_name",
    "store_for",
]


class CookieConflictError(RuntimeError):
    """Two cookies fit; say which domain or path with `.get(name, domain=..., path=...)`."""


class RequestsCookieJar(CookieJar, MutableMapping[Any, Any]):
    """Cookies as a dict of values by name, and as an `http.cookiejar.CookieJar`.

    A domain shows as http.cookiejar writes it: with a leading dot if the cookie is for the names
    below it too, "" while it has no host yet.
    """

    store: CookieStore

    def __init__(self, policy: CookiePolicy | None = None) -> None:
        # CookieJar's own __init__ would make the dict of cookies that the store replaces.
        self._cookies_lock = threading.RLock()
        self._policy: CookiePolicy | None = None
        self.store = CookieStore()
        if policy is not None:
            self.set_policy(policy)

    @classmethod
    def over(cls, store: CookieStore) -> "RequestsCookieJar":
        """A jar that shows the cookies of `store`."""
        jar = cls()
        jar.store = store
        return jar

    # The dict

    def get(
        self, name: str, default: Any = None, domain: str | None = None, path: str | None = None
    ) -> Any:
        """The value of the cookie of that name, or `default`.

        Raises:
            CookieConflictError: there are several; give `domain` or `path`.
        """
        try:
            return self._find_no_duplicates(name, domain, path)
        except KeyError:
            return default

    def set(self, name: str, value: Any, **attributes: Any) -> JarCookie | None:
        """Sets a cookie, from a value or a `Morsel`; None removes those of that name.

        Args:
            attributes: those of `create_cookie`.
        """
        if value is None:
            remove_cookie_by_name(
                self, name, domain=attributes.get("domain"), path=attributes.get("path")
            )
            return None
        if isinstance(value, Morsel):
            cookie = morsel_to_cookie(value)
        else:
            cookie = create_cookie(name, value, **attributes)
        self.set_cookie(cookie)
        return cookie

    def __getitem__(self, name: str) -> Any:
        return self._find_no_duplicates(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        remove_cookie_by_name(self, name)

    def __contains__(self, name: object) -> bool:
        return any(cookie.name == name for cookie in self.store)

    def _find_no_duplicates(
        self, name: str, domain: str | None = None, path: str | None = None
    ) -> Any:
        found = self._matching(domain, path, name)
        if not found:
            raise KeyError(f"name={name!r}, domain={domain!r}, path={path!r}")
        if len(found) > 1:
            raise CookieConflictError(f"there are multiple cookies with name {name!r}")
        return found[0].value

    def _matching(
        self, domain: str | None = None, path: str | None = None, name: str | None = None
    ) -> list[Cookie]:
        fits = _chooser(domain, path, name)
        return [cookie for cookie in self.store if fits(cookie)]

    def iterkeys(self) -> Iterator[str]:
        """The names, as often as there are cookies."""
        return (cookie.name for cookie in self.store)

    def keys(self) -> list[str]:  # type: ignore[override]
        """A list of the names, as often as there are cookies."""
        return list(self.iterkeys())

    def itervalues(self) -> Iterator[Any]:
        """The values."""
        return (cookie.value for cookie in self.store)

    def values(self) -> list[Any]:  # type: ignore[override]
        """A list of the values."""
        return list(self.itervalues())

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        """(name, value) pairs."""
        return ((cookie.name, cookie.value) for cookie in self.store)

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]
        """A list of (name, value) pairs."""
        return list(self.iteritems())

    def list_domains(self) -> list[str]:
        """The domains, each once."""
        return list(dict.fromkeys(map(_shown_domain, self.store)))

    def list_paths(self) -> list[str]:
        """The paths, each once."""
        return list(dict.fromkeys(cookie.path for cookie in self.store))

    def multiple_domains(self) -> bool:
        """True if the cookies are of more than one domain."""
        return len(self.list_domains()) > 1

    def get_dict(self, domain: str | None = None, path: str | None = None) -> dict[str, Any]:
        """A plain dict of the values by name, of that domain and path if given."""
        return {cookie.name: cookie.value for cookie in self._matching(domain, path)}

    def update(self, other: Any = (), **values: Any) -> None:  # type: ignore[override]
        """Takes the cookies of another jar, a mapping or pairs."""
        if isinstance(other, CookieJar):
            for cookie in other:
                self.set_cookie(cookie)
            other = ()
        super().update(other, **values)

    def copy(self) -> "RequestsCookieJar":
        """A jar of its own with the same cookies and policy."""
        copied = type(self)()
        copied.store = self.store.copy()
        copied._policy = self._policy  # its rules are the store's, and copied with it
        return copied

    # The CookieJar

    def set_cookie(self, cookie: JarCookie, *args: Any, **kwargs: Any) -> None:
        """Sets a cookie without asking the policy; it replaces one of the same name, domain and
        path as shown. The other's being for one host only is kept."""
        del args, kwargs  # as http.cookiejar might call it
        new = Cookie.from_cookiejar(cookie)
        is_same = _chooser(_shown_domain(new), new.path, new.name)
        same = [known for known in self.store.of_domain(new.domain) if is_same(known)]
        if any(known.host_only for known in same):
            new.host_only = True
        if any(known.key != new.key for known in same):
            self.store.remove_where(lambda known: known in same)
        self.store.add(new)

    def set_cookie_if_ok(self, cookie: JarCookie, request: Any) -> None:
        """Sets a cookie if the policy agrees."""
        if self.get_policy().set_ok(cookie, request):
            self.set_cookie(cookie)

    def make_cookies(self, response: Any, request: Any) -> list[JarCookie]:
        """The cookies `response` wants to set and may, without setting them."""
        received = CookieStore()
        received.store(url_of(request), set_cookie_values(response), time.time())
        return [_jar_cookie(cookie) for cookie in received]

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Takes the Set-Cookie fields of `response` to `request` (urllib's kind of objects)."""
        self.store.store(url_of(request), set_cookie_values(response), time.time())

    def add_cookie_header(self, request: Any) -> None:
        """Adds the Cookie field to `request`, unless it has one."""
        field = self.store.field_for(url_of(request), time.time())
        if field is not None and not request.has_header("Cookie"):
            request.add_unredirected_header("Cookie", field)

    def clear(
        self, domain: str | None = None, path: str | None = None, name: str | None = None
    ) -> None:
        """Removes all cookies, or those of a domain, or of its path, or of that name there.

        Raises:
            KeyError: there was none.
            ValueError: `path` without `domain`, or `name` without both.
        """
        if name is not None and (domain is None or path is None):
            raise ValueError("domain and path must be given to remove a cookie by name")
        if path is not None and domain is None:
            raise ValueError("domain must be given to remove cookies by path")
        removed = self.store.remove_where(_chooser(domain, path, name))
        if not removed and domain is not None:
            raise KeyError(name or path or domain)

    def clear_session_cookies(self) -> None:
        """Removes the cookies that are not to outlive the session."""
        self.store.remove_where(lambda cookie: _jar_cookie(cookie).discard)

    def clear_expired_cookies(self) -> None:
        """Removes the cookies whose time is over."""
        now = time.time()
        self.store.remove_where(lambda cookie: cookie.is_expired(now))

    def get_policy(self) -> CookiePolicy:
        """The policy that is asked after the rules of RFC 6265bis have agreed.

        There is none until one is set or asked for here: the rules need no `http.cookiejar`.
        """
        if self._policy is None:
            self.set_policy(DefaultCookiePolicy())
        assert self._policy is not None
        return self._policy

    def set_policy(self, policy: CookiePolicy) -> None:
        """Sets the policy: it may refuse to take cookies and to send them."""
        self._policy = policy
        self.store.may_store, self.store.may_send = _rules_of(policy)

    def __iter__(self) -> Iterator[JarCookie]:
        return map(_jar_cookie, self.store)

    def __len__(self) -> int:
        return len(self.store)

    @property
    def _cookies(self) -> dict[str, dict[str, dict[str, JarCookie]]]:
        """What CookieJar keeps under this name, for those who look: a picture, not the store."""
        nested: dict[str, dict[str, dict[str, JarCookie]]] = {}
        for cookie in self:
            nested.setdefault(cookie.domain, {}).setdefault(cookie.path, {})[cookie.name] = cookie
        return nested

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "store": self.store.copy()}  # copy.copy() must not share it
        del state["_cookies_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        nested = state.pop("_cookies", {})  # a jar that Requests pickled
        self._cookies_lock = threading.RLock()
        self.store = CookieStore()
        vars(self).update(state)
        if self._policy is not None and not nested:
            self.set_policy(self._policy)
        for paths in nested.values():
            for names in paths.values():
                for cookie in names.values():
                    self.set_cookie(cookie)


# Between a cookie of the store and one of http.cookiejar ------------------------------------------


def _shown_domain(cookie: Cookie) -> str:
    if cookie.source == GIVEN and cookie.extra is not None:
        shown: str = cookie.extra["domain"]  # as the user wrote it
        return shown.lower()
    if cookie.host_only:
        return cookie.domain
    return "." + cookie.domain


def _jar_cookie(cookie: Cookie) -> JarCookie:
    extra = cookie.extra or {}
    domain = _shown_domain(cookie)
    rest = extra.get("rest")
    if rest is None:
        rest = {"HttpOnly": None} if cookie.http_only else {}
        if cookie.same_site is not None:
            rest["SameSite"] = cookie.same_site
    return JarCookie(
        version=extra.get("version", 0),
        name=cookie.name,
        value=cookie.value,
        port=cookie.port,
        port_specified=extra.get("port_specified", False),
        domain=domain,
        domain_specified=extra.get("domain_specified", not cookie.host_only),
        domain_initial_dot=domain.startswith("."),
        path=cookie.path,
        path_specified=extra.get("path_specified", True),
        secure=cookie.secure,
        expires=None if cookie.expires is None else int(cookie.expires),
        discard=extra.get("discard", cookie.expires is None),
        comment=extra.get("comment"),
        comment_url=extra.get("comment_url"),
        rest=rest,
        rfc2109=extra.get("rfc2109", False),
    )


def _chooser(domain: str | None, path: str | None, name: str | None) -> Callable[[Cookie], bool]:
    """A function that is true for cookies with these properties; None stands for any."""
    return lambda cookie: (
        (name is None or cookie.name == name)
        and (path is None or cookie.path == path)
        and (domain is None or _shown_domain(cookie) == domain)
    )


def _rules_of(
    policy: CookiePolicy,
) -> tuple[Callable[[Cookie, URL], bool], Callable[[Cookie, URL], bool]]:
    """`may_store` and `may_send` of a store, as the policy decides them."""

    def ask(cookie: Cookie, url: URL) -> tuple[JarCookie, Any]:
        request = request_to(url)
        jar_cookie = _jar_cookie(cookie)
        if cookie.host_only:
            jar_cookie.domain = effective_host(url)  # policies compare with that name
        policy._now = int(time.time())  # type: ignore[attr-defined]  # CookieJar sets it, too
        return jar_cookie, request

    def may_store(cookie: Cookie, url: URL) -> bool:
        return bool(policy.set_ok(*ask(cookie, url)))

    def may_send(cookie: Cookie, url: URL) -> bool:
        jar_cookie, request = ask(cookie, url)
        return bool(
            policy.domain_return_ok(jar_cookie.domain, request)
            and policy.path_return_ok(jar_cookie.path, request)
            and policy.return_ok(jar_cookie, request)
        )

    return may_store, may_send


# Requests' functions ------------------------------------------------------------------------------


def create_cookie(name: str, value: Any, **attributes: Any) -> JarCookie:
    """An `http.cookiejar.Cookie`; what is not given has the usual value.

    Raises:
        TypeError: an attribute that cookies do not have.
    """
    known: dict[str, Any] = {
        "version": 0,
        "name": name,
        "value": value,
        "port": None,
        "domain": "",
        "path": "/",
        "secure": False,
        "expires": None,
        "discard": True,
        "comment": None,
        "comment_url": None,
        "rest": {"HttpOnly": None},
        "rfc2109": False,
    }
    unknown = set(attributes) - set(known)
    if unknown:
        raise TypeError(f"create_cookie() got unexpected keyword arguments: {sorted(unknown)}")
    known.update(attributes)
    known["domain"] = known["domain"] or ""
    known["port_specified"] = bool(known["port"])
    known["domain_specified"] = bool(known["domain"])
    known["domain_initial_dot"] = known["domain"].startswith(".")
    known["path_specified"] = bool(known["path"])
    return JarCookie(**known)


def morsel_to_cookie(morsel: "Morsel[Any]") -> JarCookie:
    """The cookie that a `Morsel` of `http.cookies` describes.

    Raises:
        TypeError: its max-age is no number, or its expires no text.
        ValueError: its expires is no date.
    """
    expires = None
    if morsel["max-age"]:
        try:
            expires = int(time.time() + int(morsel["max-age"]))
        except ValueError:
            raise TypeError(f"max-age: {morsel['max-age']!r:.40} must be an integer") from None
    elif morsel["expires"]:
        if not isinstance(morsel["expires"], str):
            raise TypeError(f"expires: got {type(morsel['expires']).__name__}, expected a date")
        date = parse_cookie_date(morsel["expires"])
        if date is None:
            raise ValueError(f"expires: got {morsel['expires']!r:.40}, expected a date")
        expires = int(date)
    return create_cookie(
        morsel.key,
        morsel.value,
        comment=morsel["comment"],
        discard=False,
        domain=morsel["domain"],
        expires=expires,
        path=morsel["path"],
        rest={"HttpOnly": morsel["httponly"]} if morsel["httponly"] else {},
        secure=bool(morsel["secure"]),
        version=morsel["version"] or 0,
    )


def cookiejar_from_dict(
    cookie_dict: Mapping[str, Any] | None, cookiejar: Any = None, overwrite: bool = True
) -> Any:
    """A jar with the cookies of a dict, or `cookiejar` with them added.

    A value that is None removes the cookies of that name. With `overwrite` off, names that the
    jar has already stay as they are.
    """
    if cookiejar is None:
        cookiejar = RequestsCookieJar()
    known = {cookie.name for cookie in cookiejar}
    for name, value in (cookie_dict or {}).items():
        if name in known and not overwrite:
            continue
        if value is None:
            remove_cookie_by_name(cookiejar, name)
        else:
            cookiejar.set_cookie(create_cookie(name, value))
    return cookiejar


def merge_cookies(cookiejar: Any, cookies: Any) -> Any:
    """`cookiejar` with the cookies of a dict or of another jar added.

    Raises:
        ValueError: `cookiejar` is not a jar.
    """
    if not isinstance(cookiejar, CookieJar):
        raise ValueError("you can only merge into a CookieJar")
    if isinstance(cookies, CookieJar):
        for cookie in cookies:
            cookiejar.set_cookie(cookie)
    elif isinstance(cookies, Mapping):
        cookiejar_from_dict(cookies, cookiejar, overwrite=False)
    return cookiejar


def remove_cookie_by_name(
    cookiejar: CookieJar, name: str, domain: str | None = None, path: str | None = None
) -> None:
    """Removes the cookies of that name, of that domain and path if given; none is no error."""
    if isinstance(cookiejar, RequestsCookieJar):
        cookiejar.store.remove_where(_chooser(domain, path, name))
        return
    for cookie in list(cookiejar):
        if cookie.name != name:
            continue
        if domain is not None and domain != cookie.domain:
            continue
        if path is not None and path != cookie.path:
            continue
        cookiejar.clear(cookie.domain, cookie.path, cookie.name)


def extract_cookies_to_jar(jar: CookieJar, request: Any, response: Any) -> None:
    """Puts what `response` sets into `jar`.

    Args:
        request: a prepared request.
        response: gofer's response, or a raw one as urllib3 makes them.
    """
    fields = getattr(response, "fields", None)
    original = getattr(response, "_original_response", None)
    received: Any = None
    if fields is not None:
        received = response_with(fields.get_all("Set-Cookie"))
    elif original is not None:
        received = MockResponse(original.msg)
    if received is not None:
        jar.extract_cookies(received, MockRequest(request))  # type: ignore[arg-type]


def get_cookie_header(jar: CookieJar, request: Any) -> str | None:
    """The Cookie field value that `jar` has for `request`, None if the request has its own."""
    asked = MockRequest(request)
    jar.add_cookie_header(asked)  # type: ignore[arg-type]
    return asked.get_new_headers().get("Cookie")


def store_for(cookies: Any) -> Any:
    """Something with `store` and `field_for` for whatever a user gives as cookies.

    That is the store of our jar, the store itself, a `ForeignJar` over another's, or a new store
    for a mapping, pairs or None.
    """
    if isinstance(cookies, RequestsCookieJar):
        return cookies.store
    if isinstance(cookies, CookieJar):
        return ForeignJar(cookies)
    if hasattr(cookies, "field_for"):
        return cookies
    store = CookieStore()
    if cookies is not None:
        store.update(cookies)
    return store
