"""Requests' cookie jar over gofer's store."""

import copy
import pickle
import time
from email.message import Message
from http.cookiejar import Cookie as JarCookie
from http.cookiejar import CookieJar, DefaultCookiePolicy, LWPCookieJar
from http.cookies import Morsel, SimpleCookie
from types import SimpleNamespace
from typing import Any
from urllib.request import Request

import pytest

from gofer.dropin.cookies import (
    CookieConflictError,
    ForeignJar,
    MockRequest,
    MockResponse,
    RequestsCookieJar,
    cookiejar_from_dict,
    create_cookie,
    extract_cookies_to_jar,
    get_cookie_header,
    merge_cookies,
    morsel_to_cookie,
    remove_cookie_by_name,
    store_for,
)
from gofer.messages.cookies import CookieStore
from gofer.messages.fields import FieldSection
from gofer.messages.url import parse

NOW = 1_700_000_000.0
URL = parse("http://www.example.com/x/y")


def request_to(url: str, **headers: str) -> Any:
    """A prepared request."""
    return SimpleNamespace(url=url, headers=headers)


def response_setting(*values: str) -> Any:
    """A response of gofer's."""
    lines = [(b"Set-Cookie", value.encode("latin-1")) for value in values]
    return SimpleNamespace(fields=FieldSection.of(lines))


@pytest.fixture
def jar() -> RequestsCookieJar:
    """A jar with a cookie for a host, one for a domain, and one without."""
    jar = RequestsCookieJar()
    jar.store.store(URL, ["host=1; HttpOnly; SameSite=Lax", "below=2; Domain=example.com"], NOW)
    jar["free"] = "3"
    return jar


# The dict -----------------------------------------------------------------------------------------


def test_a_jar_is_a_dict(jar: RequestsCookieJar) -> None:
    """Names and values can be read as from a dict, in lists that can be indexed."""
    assert {"host": "1", "below": "2", "free": "3"} == dict(jar)
    assert jar == {"free": "3", "host": "1", "below": "2"}
    assert (["host", "below", "free"], ["1", "2", "3"]) == (jar.keys(), jar.values())
    assert [("host", "1"), ("below", "2"), ("free", "3")] == jar.items() == list(jar.iteritems())
    assert (jar.keys(), jar.values()) == (list(jar.iterkeys()), list(jar.itervalues()))
    assert ("host" in jar, "nothing" in jar, len(jar), bool(jar)) == (True, False, 3, True)
    assert not RequestsCookieJar()


def test_items_are_set_got_and_removed(jar: RequestsCookieJar) -> None:
    """Item access works as on a dict; deleting what is not there is no error, as in Requests."""
    jar["free"] = "4"
    del jar["host"]
    del jar["nothing"]

    assert jar["free"] == "4"
    assert ("host" in jar, jar.get("host"), jar.get("host", "x")) == (False, None, "x")
    with pytest.raises(KeyError):
        jar["host"]
    assert jar.pop("free") == "4"
    assert jar.setdefault("new", "5") == "5"
    assert ["below", "new"] == jar.keys()


def test_two_domains_are_a_conflict() -> None:
    """A name that two domains have needs the domain to be said."""
    jar = RequestsCookieJar()
    jar.set("key", "1", domain="one.example")
    jar.set("key", "2", domain="two.example", path="/x")

    assert "key" in jar
    assert len(jar.items()) == 2
    for ask in (jar.get, jar.__getitem__):
        with pytest.raises(CookieConflictError) as caught:
            ask("key")
        assert isinstance(caught.value, RuntimeError)
    with pytest.raises(CookieConflictError):
        dict(jar)
    assert jar.get("key", domain="one.example") == "1"
    assert jar.get("key", path="/x") == "2"
    assert jar.get("key", "no", domain="three.example") == "no"
    assert jar.multiple_domains()
    assert (["one.example", "two.example"], ["/", "/x"]) == (jar.list_domains(), jar.list_paths())
    assert {"key": "1"} == jar.get_dict(domain="one.example")
    assert {"key": "2"} == jar.get_dict(path="/x")


def test_domains_show_as_in_http_cookiejar(jar: RequestsCookieJar) -> None:
    """A dot in front says that names below are meant, an empty domain that there is no host yet."""
    assert ["www.example.com", ".example.com", ""] == jar.list_domains()
    assert jar.get("below", domain=".example.com") == "2"
    assert jar.get("below", domain="example.com") is None
    assert not cookiejar_from_dict({"a": "1", "b": "2"}).multiple_domains()


def test_none_removes(jar: RequestsCookieJar) -> None:
    """Setting None removes, within the domain and path that are given."""
    assert jar.set("below", None, domain="www.example.com") is None
    assert "below" in jar
    jar.set("below", None, domain=".example.com")
    jar["host"] = None

    assert ["free"] == jar.keys()


def test_cookies_are_cookies(jar: RequestsCookieJar) -> None:
    """Walking over a jar gives http.cookiejar's cookies with all they have."""
    host, below, free = jar

    assert isinstance(host, JarCookie)
    assert (host.domain, host.domain_specified, host.path) == ("www.example.com", False, "/x")
    assert (below.domain, below.domain_specified) == (".example.com", True)
    assert (free.domain, free.path, free.discard) == ("", "/", True)
    assert host.has_nonstandard_attr("HttpOnly")
    assert host.get_nonstandard_attr("SameSite") == "Lax"
    assert (host.expires, host.discard, host.secure, host.version) == (None, True, False, 0)


def test_a_cookie_is_given_back_as_it_was_set() -> None:
    """Everything that was said about a cookie is there when it is read again."""
    jar = RequestsCookieJar()
    given = jar.set(
        "a", '"b c"', domain="Example.com", path="/x", secure=True, expires=2**31, port="80",
        discard=False, comment="c", comment_url="u", rest={"Own": "1"}, version=1, rfc2109=True,
    )  # fmt: skip
    (got,) = jar

    assert given is not None
    assert vars(given) == vars(got)


def test_changes_go_both_ways(jar: RequestsCookieJar) -> None:
    """The jar and the store are one: what happens to either is seen in the other."""
    other = RequestsCookieJar.over(jar.store)
    other["new"] = "4"
    jar.store.remove("host")
    del jar["below"]

    assert {"free": "3", "new": "4"} == dict(jar) == dict(other)
    assert jar.store.field_for(URL, NOW) == "free=3; new=4"
    assert (jar.list_domains(), len(jar.store)) == (["www.example.com"], 2)


def test_a_host_only_cookie_that_is_set_again_stays_so(jar: RequestsCookieJar) -> None:
    """Giving a shown cookie a new value replaces it and does not widen where it goes."""
    for cookie in list(jar):
        jar.set(cookie.name, "new", domain=cookie.domain, path=cookie.path)

    assert {"host": "new", "below": "new", "free": "new"} == dict(jar)
    below = parse("http://sub.www.example.com/x/y")
    assert jar.store.copy().field_for(below, NOW) == "below=new; free=new"


def test_update_takes_what_there_is(jar: RequestsCookieJar) -> None:
    """Jars, dicts, pairs, keywords and http.cookies can be put into a jar."""
    other = RequestsCookieJar()
    other.update(jar)
    other.update({"a": "1"})
    other.update([("b", "2")])
    other.update(c="3")
    other.update(SimpleCookie("d=4"))

    assert ["host", "below", "free", "a", "b", "c", "d"] == other.keys()
    assert jar.list_domains() == other.list_domains()
    field = other.store.field_for(parse("http://sub.www.example.com/x"), NOW)
    assert field == "below=2; free=3; a=1; b=2; c=3; d=4"


def test_quotes_are_left_alone() -> None:
    """A value in quotes is that value."""
    jar = RequestsCookieJar()
    jar["foo"] = '"bar:\\"baz"'

    assert jar["foo"] == '"bar:\\"baz"'
    assert jar.store.field_for(URL, NOW) == 'foo="bar:\\"baz"'


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy", "method"])
def test_a_copy_is_whole_and_its_own(jar: RequestsCookieJar, way: str) -> None:
    """However a jar is copied, cookies and policy come along, and it is another jar."""
    jar.set_policy(DefaultCookiePolicy(blocked_domains=["blocked.example"]))
    copied = {
        "pickle": lambda: pickle.loads(pickle.dumps(jar)),
        "copy": lambda: copy.copy(jar),
        "deepcopy": lambda: copy.deepcopy(jar),
        "method": jar.copy,
    }[way]()
    copied["new"] = "4"
    copied.store.store(parse("http://blocked.example/"), ["a=1"], NOW)

    assert type(copied) is RequestsCookieJar
    assert "new" not in jar
    assert ("a" in copied, "host" in copied) == (False, True)
    policy: Any = copied.get_policy()
    assert policy.blocked_domains() == ("blocked.example",)
    assert jar.store.dump() == copied.store.dump()[:-1]


def test_a_subclass_keeps_what_is_its_own() -> None:
    """A user's subclass is copied and pickled with its own attributes."""
    jar = _OwnJar()
    jar.label = "mine"
    jar["a"] = "1"
    loaded = pickle.loads(pickle.dumps(jar))

    assert (type(loaded), loaded.label, dict(loaded)) == (_OwnJar, "mine", {"a": "1"})
    assert type(jar.copy()) is _OwnJar


class _OwnJar(RequestsCookieJar):
    label: str


def test_a_jar_that_requests_pickled() -> None:
    """The state of a jar of Requests' is understood."""
    cookie = create_cookie("a", "1", domain="example.com")
    jar = RequestsCookieJar.__new__(RequestsCookieJar)
    state = {"_policy": DefaultCookiePolicy(), "_now": 1}
    jar.__setstate__({**state, "_cookies": {"example.com": {"/": {"a": cookie}}}})

    assert {"a": "1"} == jar.get_dict(domain="example.com")


# The CookieJar ------------------------------------------------------------------------------------


def test_with_urllib() -> None:
    """A jar works with urllib's requests and responses."""
    jar = RequestsCookieJar()
    fields = Message()
    fields["Set-Cookie"] = "a=1; Path=/"
    fields["Set-Cookie"] = "b=2; Domain=com"
    request = Request("http://www.example.com/x")
    jar.extract_cookies(MockResponse(fields), request)
    jar.add_cookie_header(request)

    assert request.get_header("Cookie") == "a=1"
    assert [("a", "www.example.com")] == [
        (cookie.name, cookie.domain)
        for cookie in RequestsCookieJar().make_cookies(MockResponse(fields), request)
    ]


def test_a_cookie_field_is_not_replaced() -> None:
    """A request that has a Cookie field keeps it."""
    jar = cookiejar_from_dict({"a": "1"})

    assert get_cookie_header(jar, request_to("http://example.com/")) == "a=1"
    assert get_cookie_header(jar, request_to("http://example.com/", Cookie="b=2")) is None
    assert get_cookie_header(jar, request_to("http://other.example/")) is None


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ((), []),
        (("www.example.com",), ["below", "free"]),
        ((".example.com", "/x"), ["host", "free"]),
        (("", "/", "free"), ["host", "below"]),
    ],
)
def test_clear(jar: RequestsCookieJar, arguments: tuple[str, ...], left: list[str]) -> None:
    """clear() removes everything, a domain, a path of it, or a name there."""
    jar.clear(*arguments)

    assert left == jar.keys()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("nowhere.example",), KeyError),
        (("www.example.com", "/y"), KeyError),
        (("www.example.com", "/x", "y"), KeyError),
        ((None, "/"), ValueError),
        (("www.example.com", None, "host"), ValueError),
    ],
)
def test_clear_what_is_not_there(
    jar: RequestsCookieJar, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    """clear() complains, as http.cookiejar does, and removes nothing."""
    with pytest.raises(error):
        jar.clear(*arguments)
    assert len(jar) == 3


def test_clear_by_time(jar: RequestsCookieJar) -> None:
    """Cookies of the session and expired ones can be removed."""
    jar.set("old", "1", expires=1)
    jar.set("long", "1", expires=time.time() + 1000, discard=False)
    jar.clear_expired_cookies()
    assert ["host", "below", "free", "long"] == jar.keys()
    jar.clear_session_cookies()
    assert ["long"] == jar.keys()


def test_a_look_inside(jar: RequestsCookieJar) -> None:
    """Those who look at `_cookies` find what CookieJar would have there."""
    assert {"www.example.com", ".example.com", ""} == set(jar._cookies)
    assert jar._cookies[""]["/"]["free"].value == "3"
    assert str(cookiejar_from_dict({"a": "1"})) == "<RequestsCookieJar[<Cookie a=1 for />]>"


# Policies -----------------------------------------------------------------------------------------


class _RefuseAll(DefaultCookiePolicy):
    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False

    def return_ok(self, cookie: Any, request: Any) -> bool:
        return False


@pytest.mark.parametrize("policy", [DefaultCookiePolicy(allowed_domains=[]), _RefuseAll()])
def test_a_policy_that_accepts_nothing(policy: Any) -> None:
    """The store under a jar takes and sends only what the jar's policy accepts."""
    jar = RequestsCookieJar(policy)
    jar.store.store(URL, ["a=1"], NOW)
    jar.set("b", "2", domain="www.example.com")

    assert ["b"] == jar.keys()
    assert jar.store.field_for(URL, NOW) is None
    assert jar.get_policy() is policy


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/", "http://127.0.0.1/", "http://[::1]/", "http://a.example.com/"]
)
def test_the_default_policy_agrees(url: str) -> None:
    """The default policy of http.cookiejar, once asked for, does not stand in the way."""
    jar = RequestsCookieJar()
    jar.get_policy()
    jar.store.store(parse(url), ["a=1", "b=2; Domain=example.com"], NOW)

    field = "a=1; b=2" if "example" in url else "a=1"
    assert jar.store.field_for(parse(url), NOW) == field


def test_a_policy_changed_later(jar: RequestsCookieJar) -> None:
    """What is changed in the policy that a jar shows is obeyed."""
    policy = jar.get_policy()
    assert isinstance(policy, DefaultCookiePolicy)
    policy.set_blocked_domains([".example.com"])
    jar.set_cookie_if_ok(create_cookie("no", "1", domain=".example.com"), _urllib_request())

    assert "no" not in jar
    assert jar.store.field_for(URL, NOW) is None


def _urllib_request() -> Any:
    return MockRequest(request_to("http://www.example.com/"))


# Requests' functions ------------------------------------------------------------------------------


def test_create_cookie_refuses_what_cookies_do_not_have() -> None:
    """An unknown attribute is a TypeError that names it."""
    with pytest.raises(TypeError, match=r"unexpected keyword arguments: \['color', 'size'\]"):
        create_cookie("a", "b", size=1, color=2)


@pytest.mark.parametrize(
    ("domain", "url", "sent"),
    [
        ("localhost.local", "http://localhost/", True),
        (".example.com", "http://www.example.com/", True),
        ("example.com", "http://www.example.com/", True),
        ("example.com", "http://example.org/", False),
        ("127.0.0.1", "http://127.0.0.1:8000/", True),
    ],
)
def test_where_a_created_cookie_goes(domain: str, url: str, sent: bool) -> None:
    """Domains mean what they mean in http.cookiejar, its name for localhost included."""
    jar = RequestsCookieJar()
    jar.set("a", "1", domain=domain)

    assert domain == next(iter(jar)).domain
    assert ("a=1" if sent else None) == jar.store.field_for(parse(url), NOW)


def _morsel(**attributes: Any) -> "Morsel[Any]":
    morsel: Morsel[Any] = Morsel()
    morsel.set("k", "v", "v")
    for name, value in attributes.items():
        morsel[name.replace("_", "-")] = value
    return morsel


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"expires": 100}, TypeError),
        ({"expires": "woops"}, ValueError),
        ({"max_age": "woops"}, TypeError),
    ],
)
def test_a_morsel_with_a_broken_time(attributes: dict[str, Any], error: type[Exception]) -> None:
    """A time that cannot be read is an error."""
    with pytest.raises(error):
        morsel_to_cookie(_morsel(**attributes))


def test_a_morsel_becomes_a_cookie() -> None:
    """All attributes of a morsel are taken over."""
    cookie = morsel_to_cookie(
        _morsel(
            expires="Thu, 01-Jan-1970 00:00:01 GMT",
            path="/x",
            domain="example.com",
            secure=True,
            httponly=True,
        )
    )
    lasting = morsel_to_cookie(_morsel(max_age=60))

    assert ("k", "v", "/x", "example.com") == (
        cookie.name,
        cookie.value,
        cookie.path,
        cookie.domain,
    )
    assert (1, True, False) == (cookie.expires, cookie.secure, cookie.discard)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert isinstance(lasting.expires, int)
    assert morsel_to_cookie(_morsel(expires=None)).expires is None


@pytest.mark.parametrize("make", [RequestsCookieJar, CookieJar, LWPCookieJar])
def test_dicts_and_jars_are_merged(make: type[CookieJar]) -> None:
    """Any jar takes the cookies of a dict; with `overwrite` off what it has stays."""
    jar = cookiejar_from_dict({"a": "1", "b": "2"}, make())
    assert cookiejar_from_dict({"a": "3", "c": "4", "b": None}, jar) is jar
    merge_cookies(jar, {"a": "5", "d": "6"})
    merge_cookies(jar, cookiejar_from_dict({"e": "7"}))

    assert {"a": "3", "c": "4", "d": "6", "e": "7"} == {c.name: c.value for c in jar}
    remove_cookie_by_name(jar, "a", domain="elsewhere")
    remove_cookie_by_name(jar, "c", domain="", path="/")
    assert ["a", "d", "e"] == sorted(cookie.name for cookie in jar)


def test_only_a_jar_can_be_merged_into() -> None:
    """Merging into anything else is a ValueError."""
    with pytest.raises(ValueError, match="CookieJar"):
        merge_cookies({}, {"a": "1"})
    assert len(cookiejar_from_dict(None)) == 0


@pytest.mark.parametrize("make", [RequestsCookieJar, CookieJar])
def test_extract_from_a_response(make: type[CookieJar]) -> None:
    """Set-Cookie fields of our responses and of urllib3's raw ones reach any jar."""
    jar = make()
    request = request_to("http://user:pw@www.example.com/")
    extract_cookies_to_jar(jar, request, response_setting("a=1; Path=/", "b=2"))
    fields = Message()
    fields["Set-Cookie"] = "c=3"
    extract_cookies_to_jar(
        jar, request, SimpleNamespace(_original_response=SimpleNamespace(msg=fields))
    )
    extract_cookies_to_jar(jar, request, SimpleNamespace(_original_response=None))
    extract_cookies_to_jar(jar, request, object())

    assert get_cookie_header(jar, request) == "a=1; b=2; c=3"


def test_a_host_field_changes_nothing() -> None:
    """Cookies are those of the URL's host, whatever Host the user sends."""
    jar = RequestsCookieJar()
    extract_cookies_to_jar(
        jar, request_to("http://one.example/", Host="two.example"), response_setting("a=1")
    )

    assert ["one.example"] == jar.list_domains()


def test_mock_request_looks_like_urllibs() -> None:
    """It has what jars and policies ask a request."""
    request = MockRequest(request_to("https://u:p@example.com:8443/x?y", Own="1"))
    request.add_unredirected_header("Cookie", "a=1")

    assert request.get_full_url() == "https://example.com:8443/x?y"
    assert (request.type, request.get_type()) == ("https", "https")
    assert (request.host, request.origin_req_host) == ("example.com:8443", "example.com")
    assert request.unverifiable
    assert request.has_header("Own")
    assert (request.get_header("Own"), request.get_header("Cookie")) == ("1", "a=1")
    assert request.get_new_headers() == {"Cookie": "a=1"}
    with pytest.raises(NotImplementedError):
        request.add_header("a", "b")


# What a session may be given ----------------------------------------------------------------------


def test_a_store_for_everything() -> None:
    """A session's cookies may be our jar, a store, anybody's jar, a dict, pairs or nothing."""
    jar, store, theirs = RequestsCookieJar(), CookieStore(), LWPCookieJar()

    assert store_for(jar) is jar.store
    assert store_for(store) is store
    assert store_for(theirs).jar is theirs
    for given in ({"a": "1"}, [("a", "1")]):
        assert store_for(given).field_for(URL, NOW) == "a=1"
    assert not store_for(None)


def test_a_foreign_jar_behaves_as_a_store() -> None:
    """A user's own jar takes, sends and lets itself be overridden like a store."""
    jar = LWPCookieJar()
    store = ForeignJar(jar)
    assert not store
    assert store.field_for(URL, NOW) is None
    store.store(URL, ["a=1; Path=/", b"b=\xe9; Path=/", "other=1; Domain=example.org"], NOW)

    assert store
    assert ["a", "b"] == [cookie.name for cookie in jar]
    assert store.field_for(URL, NOW) == "a=1; b=\xe9"
    assert store.field_for(parse("http://example.org/"), NOW) is None
    assert store.field_for(URL, NOW, overrides={"a": "9", "b": None, "c": "3"}) == "a=9; c=3"
    assert store.field_for(URL, NOW, overrides={"a": None, "b": None}) is None


def test_a_foreign_jar_obeys_its_own_policy() -> None:
    """The policy of a user's jar is asked as ever."""
    store = ForeignJar(CookieJar(DefaultCookiePolicy(allowed_domains=[])))
    store.store(URL, ["a=1"], NOW)

    assert not store
