"""The store: what is kept, what is sent back, what is dropped."""

import json
import pickle
import threading
from http.cookiejar import CookieJar
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofer.messages.cookies import MAX_COOKIES, MAX_FIELD, MAX_PER_DOMAIN, Cookie, CookieStore

NOW = 1_700_000_000.0
YEAR = 365 * 86400


def target(url: str) -> Any:
    """What cookies look at in a URL."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return SimpleNamespace(
        scheme=parts.scheme, host=parts.hostname, port=port, path=parts.path or "/"
    )


def store_after(url: str, *fields: str, **options: Any) -> CookieStore:
    """A store that has seen these Set-Cookie fields from `url`."""
    store = CookieStore(**options)
    store.store(target(url), fields, NOW)
    return store


def sent(store: CookieStore, url: str, now: float = NOW, **options: Any) -> str | None:
    """The Cookie field of a request to `url`."""
    return store.field_for(target(url), now, **options)


# The working group's cases ------------------------------------------------------------------------

# RFC 6265bis keeps cookies without a name, and refuses control characters instead of cutting there.
NAMELESS = {
    "0004": "foo", "0021": "a=b; x; c=d", "0023": "foo", "0024": "foo", "0025": "foo",
    "0026": "foo", "0027": "bar", "0028": "foo", "CHROMIUM0009": "BLAHHH",
    "CHROMIUM0010": '"BLA\\"HHH"', "CHROMIUM0012": "ABC",
    "MOZILLA0012": 'test="fubar! = foo; five', "MOZILLA0014": "six", "MOZILLA0015": "seven",
    "MOZILLA0016": "eight", "MOZILLA0017": "eight; test=six", "NAME0017": "a=bar",
    "NAME0023": "foo", "NAME0025": "==a=bar", "NAME0028": "a", "NAME0031": '"foo',
    "NAME0032": '"foo\\"bar', "NAME0033": "aaa",
}  # fmt: skip


def test_cases_of_the_working_group(vectors: Path) -> None:
    """The http-state cases give the Cookie field they ask for, where RFC 6265bis agrees."""
    cases = json.loads((vectors / "cookies-http-state" / "parser.json").read_text())
    origin = "http://home.example.org:8888"
    expected, got = {}, {}
    for case in cases:
        test = case["test"]
        if test.startswith("DISABLED"):
            continue  # the group gave them up; CHROMIUM0022 and 0023 are control characters
        store = CookieStore()
        fields = [field.encode() for field in case["received"]]
        store.store(target(f"{origin}/cookie-parser?{test.lower()}"), fields, 1.3e9)
        url = urljoin(origin, case.get("sent-to", f"/cookie-parser-result?{test.lower()}"))
        got[test] = store.field_for(target(url), 1.3e9) or ""
        pairs = "; ".join(f"{pair['name']}={pair['value']}" for pair in case["sent"])
        expected[test] = NAMELESS.get(test, pairs).encode().decode("latin-1")

    assert expected == got


# Scope --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "url", "expected"),
    [
        ("a=b", "https://www.example.com/", "a=b"),
        ("a=b", "https://www.example.com:8443/", "a=b"),
        ("a=b", "http://www.example.com/", "a=b"),
        ("a=b", "https://sub.www.example.com/", None),
        ("a=b", "https://example.com/", None),
        ("a=b", "https://other.example/", None),
        ("a=b; Domain=example.com", "https://www.example.com/", "a=b"),
        ("a=b; Domain=example.com", "https://example.com/", "a=b"),
        ("a=b; Domain=example.com", "https://x.y.example.com/", "a=b"),
        ("a=b; Domain=example.com", "https://notexample.com/", None),
        ("a=b; Domain=www.example.com", "https://sub.www.example.com/", "a=b"),
        ("a=b; Secure", "http://www.example.com/", None),
        ("a=b; Secure", "https://www.example.com/", "a=b"),
        ("a=b; Path=/foo", "https://www.example.com/foo/bar", "a=b"),
        ("a=b; Path=/foo", "https://www.example.com/foobar", None),
    ],
)
def test_where_a_cookie_goes(field: str, url: str, expected: str | None) -> None:
    """A cookie goes to its host or domain, below its path, and to https only if it is Secure."""
    store = store_after("https://www.example.com/", field)

    assert expected == sent(store, url)


def test_a_cookie_of_an_address_stays_there() -> None:
    """What 127.0.0.1 sets is not sent to localhost, nor to an address that ends the same."""
    store = store_after("http://127.0.0.1/", "a=b")

    assert sent(store, "http://127.0.0.1:8000/") == "a=b"
    assert sent(store, "http://localhost/") is None
    assert sent(store, "http://1.127.0.0.1/") is None


def test_a_public_suffix_that_is_a_host() -> None:
    """A host that is a public suffix may set a cookie for itself, not for the names below it."""
    store = store_after("https://github.io/", "a=b; Domain=github.io")

    assert sent(store, "https://github.io/") == "a=b"
    assert sent(store, "https://me.github.io/") is None


def test_longest_path_first_then_the_oldest() -> None:
    """Cookies are sent from the most special path on, and in the order they were first set."""
    url = "https://a.example.com/x/y"
    store = store_after(
        url, "one=1; Path=/", "two=2; Path=/x/y", "three=3; Path=/; Domain=example.com", "four=4"
    )
    store.store(target(url), ["one=9; Path=/"], NOW)

    assert sent(store, url) == "two=2; four=4; one=9; three=3"


@pytest.mark.parametrize("field", ["c=d=e", 'q="a b"', "a=%0d%0a", "bytes=\xe6\x98\xa5\xff", "x="])
def test_sent_back_to_the_octet(field: str) -> None:
    """A value goes back exactly as it came."""
    assert field == sent(store_after("https://example.com/", field), "https://example.com/")


def test_loopback_is_secure_by_option() -> None:
    """With the option, Secure cookies work over http to this machine."""
    store = store_after("http://localhost/", "a=b; Secure", loopback_is_secure=True)

    assert sent(store, "http://localhost:8000/") == "a=b"
    assert sent(store_after("http://localhost/", "a=b; Secure"), "http://localhost/") is None


# Secure cookies are left alone --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("http://www.example.com/", "sid=evil; Path=/"),
        ("http://www.example.com/", "sid=evil; Path=/login/deeper"),
        ("http://www.example.com/", "sid=evil; Path=/login; Domain=example.com"),
        ("http://example.com/", "sid=evil; Path=/login; Domain=example.com"),
        ("http://x.www.example.com/", "sid=evil; Path=/login"),
        ("http://www.example.com/", "sid=; Path=/login; Max-Age=0"),
        ("http://www.example.com/", "sid=evil; Path=/login; Secure"),
    ],
)
def test_plain_http_does_not_touch_a_secure_cookie(url: str, field: str) -> None:
    """Over http nobody replaces, deletes or covers a Secure cookie of the same name."""
    store = store_after("https://www.example.com/", "sid=good; Path=/login; Secure")
    store.store(target(url), [field], NOW)
    got = sent(store, "https://www.example.com/login/deeper") or ""

    assert "sid=good" in got
    assert not got.startswith("sid=evil")


def test_plain_http_sets_other_cookies() -> None:
    """The rule is about the same name, in the same domain, below the same path."""
    store = store_after("https://www.example.com/", "sid=good; Path=/login; Secure")
    store.store(target("http://www.example.com/"), ["other=1", "sid=2; Path=/shop"], NOW)
    store.store(target("http://www.example.org/"), ["sid=3; Path=/login"], NOW)

    assert sent(store, "http://www.example.com/shop") == "sid=2; other=1"
    assert sent(store, "http://www.example.org/login") == "sid=3"


def test_https_may_replace_a_secure_cookie() -> None:
    """The server itself, over https, changes its Secure cookie as it likes."""
    store = store_after("https://example.com/", "sid=1; Secure", "sid=2", "x=1; Secure")
    store.store(target("http://example.com/"), ["sid=3"], NOW)

    assert sent(store, "http://example.com/") == "sid=3"


# Time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "expected"), [(59, "a=b"), (60, None), (61, None)])
def test_expiry(age: int, expected: str | None) -> None:
    """A cookie is sent until its time is over."""
    store = store_after("https://example.com/", "a=b; Max-Age=60")

    assert expected == sent(store, "https://example.com/", NOW + age)


@pytest.mark.parametrize(
    "attribute", ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
)
def test_a_server_deletes_its_cookie(attribute: str) -> None:
    """An expired cookie takes the place of the same one, and is gone."""
    store = store_after("https://example.com/", "a=b", "c=d", f"a=; {attribute}")

    assert sent(store, "https://example.com/") == "c=d"
    assert len(store) == 1


def test_expired_cookies_leave_the_store() -> None:
    """A look-up throws out what it finds expired."""
    store = store_after("https://example.com/", "a=b; Max-Age=60", "c=d")
    sent(store, "https://example.com/", NOW + 60)

    assert len(store) == 1


@pytest.mark.parametrize("jump", [-10 * YEAR, 10 * YEAR, -1e300, 1e300, float("inf")])
def test_a_clock_that_jumps(jump: float) -> None:
    """A wrong clock expires cookies too early or too late, and does nothing worse."""
    url = target("https://example.com/")
    store = store_after("https://example.com/", "a=b; Max-Age=60", "session=1")
    store.field_for(url, NOW + jump)
    store.store(url, ["c=d; Max-Age=60", "e=f; Expires=Thu, 01 Jan 2026 00:00:00 GMT"], NOW + jump)

    assert "session=1" in (store.field_for(url, NOW) or "")


# Limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [MAX_PER_DOMAIN - 1, MAX_PER_DOMAIN, MAX_PER_DOMAIN + 1])
def test_cookies_of_a_domain(count: int) -> None:
    """A domain has 180 cookies at most; the one not used for longest goes."""
    store = store_after("https://example.com/", *[f"n{i}=v; Path=/p{i}" for i in range(count - 1)])
    sent(store, "https://example.com/p0")  # now n0 is in use
    store.store(target("https://example.com/"), ["last=v"], NOW)
    names = {cookie.name for cookie in store}

    assert min(count, MAX_PER_DOMAIN) == len(store)
    assert {"n0", "last"} <= names
    assert ("n1" in names) == (count <= MAX_PER_DOMAIN)


def test_what_is_evicted_first() -> None:
    """Expired cookies are evicted first, then those that are not Secure."""
    url = target("https://example.com/")
    store = store_after("https://example.com/", "short=1; Secure; Max-Age=10", "plain=1")
    store.store(url, [f"n{i}=v; Secure" for i in range(MAX_PER_DOMAIN - 2)], NOW)
    store.store(url, ["one=1; Secure"], NOW + 10)
    first = {cookie.name for cookie in store}
    store.store(url, ["two=1; Secure"], NOW + 10)
    second = {cookie.name for cookie in store}

    assert ("short" in first, "plain" in first) == (False, True)
    assert ("plain" in second, "n0" in second) == (False, True)


@pytest.mark.parametrize("count", [MAX_COOKIES - 1, MAX_COOKIES, MAX_COOKIES + 1])
def test_cookies_of_all_domains(count: int) -> None:
    """The store has 3000 cookies at most; a tenth goes at once, the longest unused first."""
    store = CookieStore()
    for number in range(count):
        store.store(target(f"https://h{number}.example/"), ["a=b"], NOW)

    assert len(store) == (count if count <= MAX_COOKIES else count - MAX_COOKIES // 10)
    assert sent(store, f"https://h{count - 1}.example/") == "a=b"
    assert (count <= MAX_COOKIES) == (sent(store, "https://h0.example/") is not None)


def test_what_the_user_gave_is_never_evicted() -> None:
    """Servers cannot push out the cookies of the user."""
    url = "https://example.com/"
    store = CookieStore()
    for number in range(MAX_PER_DOMAIN):
        store.set(f"mine{number}", "1", domain="example.com")
    store.store(target(url), [f"n{i}=v; Secure" for i in range(MAX_PER_DOMAIN)], NOW)

    assert {f"mine{i}" for i in range(MAX_PER_DOMAIN)} == {cookie.name for cookie in store}


def test_a_field_that_servers_still_take() -> None:
    """After 1800 cookies of 3 kB the Cookie field is within 16 KiB, the oldest kept in it."""
    store = store_after("https://example.com/", "login=1", "tiny=" + "x" * 10)
    value = "v" * 3000
    for number in range(1800):
        store.store(target("https://example.com/"), [f"n{number}={value}"], NOW)
        if number % 100 == 0:
            sent(store, "https://example.com/")
    field = sent(store, "https://example.com/") or ""

    assert MAX_FIELD - 3100 < len(field) <= MAX_FIELD


@pytest.mark.parametrize(("extra", "taken"), [(-1, True), (0, True), (1, False)])
def test_size_of_the_field(extra: int, taken: bool) -> None:
    """The field is filled to 16384 octets; a cookie that does not fit stays behind."""
    value = "v" * 4094  # with "a=": 4096
    store = store_after("https://example.com/", *[f"{name}={value}" for name in "abc"])
    rest = MAX_FIELD - 3 * (4096 + 2)
    store.store(target("https://example.com/"), ["d=" + "v" * (rest - 2 + extra)], NOW)
    field = sent(store, "https://example.com/") or ""

    assert taken == ("; d=" in field)
    assert len(field) == (MAX_FIELD + extra if taken else 3 * 4096 + 2 * 2)


def test_what_the_user_gave_is_always_sent() -> None:
    """The limit of the field is for servers; a large cookie of the user is sent."""
    store = CookieStore()
    store.set("big", "v" * MAX_FIELD, domain="example.com")

    assert sent(store, "https://example.com/") == "big=" + "v" * MAX_FIELD


# What users give ----------------------------------------------------------------------------------


def test_an_unbound_cookie_belongs_to_its_first_host() -> None:
    """A cookie without a domain goes to the first host that is asked, and to no other after."""
    store = CookieStore()
    store.update({"a": "1"})

    assert sent(store, "http://one.example:8000/x") == "a=1"
    assert sent(store, "http://two.example/") is None
    assert sent(store, "http://sub.one.example/") is None
    assert sent(store, "http://one.example/") == "a=1"


def test_an_unbound_cookie_that_went_by_https_stays_there() -> None:
    """What was bound over https is not sent in the clear afterwards."""
    store = CookieStore()
    store.update({"a": "1"})

    assert sent(store, "https://one.example/") == "a=1"
    assert sent(store, "http://one.example/") is None


def test_an_unbound_cookie_waits_for_its_path() -> None:
    """A cookie that a request does not carry is not bound by it."""
    store = CookieStore()
    store.set("a", "1", path="/x")

    assert sent(store, "http://one.example/") is None
    assert sent(store, "http://two.example/x") == "a=1"


def test_giving_a_cookie_again_replaces_it() -> None:
    """A name given a second time is one cookie, free to be bound anew."""
    store = CookieStore()
    store.update({"a": "1"})
    sent(store, "http://one.example/")
    store.update({"a": "2"})

    assert sent(store, "http://two.example/") == "a=2"
    assert sent(store, "http://one.example/") is None
    assert len(store) == 1


def test_a_given_cookie_takes_the_place_of_the_servers() -> None:
    """What the user gives replaces the server's cookie of that name when it is bound."""
    store = store_after("http://one.example/", "a=theirs; Path=/")
    store.update({"a": "ours"})

    assert sent(store, "http://one.example/") == "a=ours"
    store.store(target("http://one.example/"), ["a=newer; Path=/"], NOW)
    assert sent(store, "http://one.example/") == "a=newer"


def test_a_given_domain_covers_the_names_below() -> None:
    """A domain the user names is taken as a Domain attribute, without asking whose it is."""
    store = CookieStore()
    store.set("a", "1", domain=".Corp")
    store.set("b", "2", domain="127.0.0.1")

    assert sent(store, "http://intranet.corp/") == "a=1"
    assert sent(store, "http://127.0.0.1/") == "b=2"


def test_update_with_none_removes() -> None:
    """None takes the cookies of that name out."""
    store = store_after("http://one.example/", "a=1", "b=2")
    store.update([("a", None), ("c", 3), (b"d", b"\xe9")])

    assert sent(store, "http://one.example/") == "b=2; c=3; d=\xe9"


def test_characters_outside_latin_1_go_as_utf_8() -> None:
    """A user's text that the wire cannot hold as latin-1 is sent as UTF-8, the rest untouched."""
    store = CookieStore()
    store.update({"a": "\xe9", "b": "春"})

    assert sent(store, "http://one.example/") == "a=\xe9; b=\xe6\x98\xa5"


def test_a_port_the_user_asked_for() -> None:
    """A cookie with a list of ports goes to those only."""
    store = CookieStore()
    store.set("a", "1", domain="one.example", port="80,8080")

    assert sent(store, "http://one.example/") == "a=1"
    assert sent(store, "http://one.example:8080/") == "a=1"
    assert sent(store, "http://one.example:808/") is None


# Cookies of one call ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (None, "a=1; b=2"),
        ({}, "a=1; b=2"),
        ({"a": "9"}, "a=9; b=2"),
        ({"b": None}, "a=1"),
        ({"a": None, "b": None}, None),
        ({"c": 3, "x": None}, "a=1; b=2; c=3"),
        ([("c", "3"), ("b", "4")], "a=1; b=4; c=3"),
        ([("c", "3"), ("c", "4")], "a=1; b=2; c=3; c=4"),
        ({"a": "春"}, "a=\xe6\x98\xa5; b=2"),
    ],
)
def test_cookies_of_a_call(overrides: Any, expected: str | None) -> None:
    """They replace by name where the old one stood, None removes, and the store is unchanged."""
    url = "http://one.example/"
    store = store_after(url, "a=1", "b=2")

    assert expected == sent(store, url, overrides=overrides)
    assert sent(store, url) == "a=1; b=2"


def test_an_override_replaces_all_of_its_name() -> None:
    """Two cookies of different paths are both replaced by the one of the call."""
    url = "http://one.example/x/"
    store = store_after(url, "a=1; Path=/x", "b=2", "a=3; Path=/")

    assert sent(store, url, overrides={"a": "9"}) == "a=9; b=2"


def test_a_store_or_jar_as_the_cookies_of_a_call() -> None:
    """Of a jar only what fits the URL is sent, and the jar is not bound by it."""
    given = store_after("http://other.example/", "theirs=1")
    given.update({"a": "9"})
    url = "http://one.example/"
    store = store_after(url, "a=1", "b=2")

    assert sent(store, url, overrides=given) == "a=9; b=2"
    assert sent(store, url, overrides=CookieJar()) == "a=1; b=2"
    assert sent(given, "http://third.example/") == "a=9"


# Rules of the user --------------------------------------------------------------------------------


def test_rules_of_the_user() -> None:
    """`may_store` and `may_send` refuse what the RFC's rules would allow."""
    url = target("http://one.example/")
    store = CookieStore()
    store.may_store = lambda cookie, url: cookie.name != "a"
    store.may_send = lambda cookie, url: cookie.name != "b"
    store.store(url, ["a=1", "b=2", "c=3"], NOW)

    assert ["b", "c"] == [cookie.name for cookie in store]
    assert store.field_for(url, NOW) == "c=3"


# A collection -------------------------------------------------------------------------------------


def test_a_store_is_a_collection() -> None:
    """It has a length and a truth, is walked from the oldest on, and can be emptied."""
    store = store_after("https://example.com/", "a=1", "b=2; Secure", "c=3; Path=/x")

    assert (3, True) == (len(store), bool(store))
    assert ["a", "b", "c"] == [cookie.name for cookie in store]
    assert repr(store) == "<CookieStore 3 cookies, 1 domains>"
    assert ["a", "b", "c"] == [cookie.name for cookie in store.of_domain("example.com")]
    assert store.of_domain("www.example.com") == []
    assert store.remove("a", domain="other.example") == 0
    assert store.remove("c", domain="example.com", path="/x") == 1
    store.clear()
    assert (0, False) == (len(store), bool(store))
    assert sent(store, "https://example.com/") is None


def test_a_copy_is_its_own() -> None:
    """A copy has the same cookies, and what happens to it does not reach the first."""
    store = store_after("https://example.com/", "a=1", "b=2; Path=/x")
    store.update({"c": "3"})
    copied = store.copy()
    copied.clear()

    assert ["a", "b", "c"] == [cookie.name for cookie in store]
    assert sent(store.copy(), "https://example.com/x") == "b=2; a=1; c=3"


# Persistence --------------------------------------------------------------------------------------


def _well_used_store() -> CookieStore:
    store = store_after(
        "https://www.example.com/x/y",
        "host=1; Secure; HttpOnly; SameSite=Lax; Max-Age=60",
        "below=2; Domain=example.com; Path=/",
        "bytes=\xe6\x98\xa5\xff; Path=/",
    )
    store.update({"bound": "3"})
    sent(store, "https://www.example.com/x/y")
    store.update({"free": "4"})
    return store


@pytest.mark.parametrize("way", ["json", "pickle"])
def test_saved_and_loaded(way: str) -> None:
    """A store that was saved behaves as before: host-only stays host-only."""
    store = _well_used_store()
    if way == "json":
        loaded = CookieStore()
        loaded.load(json.loads(json.dumps(store.dump())))
    else:
        loaded = pickle.loads(pickle.dumps(store))

    assert store.dump() == loaded.dump()
    for url in (
        "https://www.example.com/x/y",
        "https://sub.www.example.com/x/y",
        "http://www.example.com/x/",
        "https://example.com/",
    ):
        assert sent(store.copy(), url) == sent(loaded.copy(), url)
    assert "host=" not in (sent(loaded, "https://sub.www.example.com/x/y") or "")


def test_host_only_if_a_file_does_not_say() -> None:
    """A loaded cookie that does not say so is for its host alone."""
    store = CookieStore()
    store.load([{"name": "a", "value": "b", "domain": "example.com"}])

    assert sent(store, "https://example.com/") == "a=b"
    assert sent(store, "https://www.example.com/") is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "got dict, expected a list"),
        (None, "got NoneType, expected a list"),
        ([1], "entry 0 is int, expected an object"),
        ([{"name": "a", "value": "b"}, {"name": "a"}], "entry 1 lacks its name or value"),
        ([{"name": "a", "value": 1}], "entry 0 has int for 'value', expected str"),
        ([{"name": "a", "value": "b", "host_only": 0}], "has int for 'host_only', expected bool"),
        ([{"name": "a", "value": "b", "__class__": 0}], "entry 0 has an unknown key '__class__'"),
    ],
)
def test_a_file_that_is_no_dump(data: Any, message: str) -> None:
    """Loading anything else is a ValueError that says where, and adds nothing."""
    store = CookieStore()

    with pytest.raises(ValueError, match=r"^loading cookies: ") as caught:
        store.load(data)
    assert message in str(caught.value)
    assert not store


# Everything at once -------------------------------------------------------------------------------

_urls = st.sampled_from(
    [
        f"{scheme}://{host}{path}"
        for scheme in ("http", "https")
        for host in ("example.com", "www.example.com", "127.0.0.1", "me.github.io")
        for path in ("/", "/x", "/x/y")
    ]
)
_fields = st.one_of(
    st.text(max_size=40),
    st.builds(
        "{}={}{}".format,
        st.sampled_from(["a", "b", "", "__Host-c"]),
        st.integers(),
        st.lists(
            st.sampled_from(
                [
                    "; Secure",
                    "; Path=/",
                    "; Path=/x",
                    "; Domain=example.com",
                    "; Max-Age=0",
                    "; Max-Age=9",
                    "; Domain=github.io",
                    "; Domain=com",
                ]
            ),
            max_size=4,
        ).map("".join),
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(_urls, st.lists(_fields, max_size=4), st.floats(0, 20), st.booleans()),
        max_size=12,
    )
)
def test_the_store_stays_whole(steps: list[tuple[str, list[str], float, bool]]) -> None:
    """Whatever comes, each cookie is there once, goes where it may, and survives saving."""
    store = CookieStore()
    for url, fields, now, given_too in steps:
        if given_too:
            store.update({"mine": str(now)})
        store.store(target(url), fields, now)
        secure = url.startswith("https:")
        expected = {cookie.name for cookie in store if secure or not cookie.secure}
        field = store.field_for(target(url), now)
        store_cookies = list(store)
        keys = [(cookie.domain, *cookie.key) for cookie in store_cookies]
        loaded = CookieStore()
        loaded.load(store.dump())

        assert len(keys) == len(set(keys)) == len(store)
        assert store.dump() == loaded.dump()
        if field is not None:
            names = {pair.partition("=")[0] for pair in field.split("; ") if "=" in pair}
            assert names & {"a", "b", "__Host-c", "mine"} <= expected
        assert not any(c.domain in ("com", "github.io") for c in store_cookies)


def test_many_threads() -> None:
    """A store that threads share loses nothing and counts right."""
    store = CookieStore()
    errors: list[Exception] = []

    def work(worker: int) -> None:
        try:
            url = target(f"https://h{worker}.example/")
            for number in range(100):
                store.store(url, [f"n{number}={worker}; Secure"], NOW)
                assert f"n{number}={worker}" in (store.field_for(url, NOW) or "")
                store.store(url, [f"n{number}=; Max-Age=0"] if number % 2 else [], NOW)
                list(store)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert len(list(store)) == len(store) == 6 * 50


def test_a_changed_cookie_is_another() -> None:
    """`changed` gives a new cookie and leaves the old one as it is."""
    cookie = Cookie("a", "1", domain="example.com")
    changed = cookie.changed(value="2")

    assert ("1", "2", "example.com") == (cookie.value, changed.value, changed.domain)
