"""When the store is asked, and when it is told."""

from types import SimpleNamespace
from typing import Any

import pytest

from gofer.messages.cookies import CookieStore
from gofer.messages.fields import FieldSection, Headers
from gofer.stages.cookies import cookie_field, cookies, keep_cookies

NOW = 1_700_000_000.0
ONE: Any = SimpleNamespace(scheme="http", host="one.example", port=80, path="/")
TWO: Any = SimpleNamespace(scheme="http", host="two.example", port=80, path="/")


def request_to(url: Any, store: Any, **fields: Any) -> Any:
    """A prepared request."""
    settings = SimpleNamespace(cookie_store=store, store_cookies=fields.pop("store_cookies", True))
    headers = Headers(fields.pop("headers", {}))
    return SimpleNamespace(
        url_parsed=url,
        settings=settings,
        cookie_overrides=fields.pop("overrides", None),
        headers=headers,
        has_field=headers.__contains__,
        stage_fields=frozenset(),
    )


def response_setting(*values: bytes) -> Any:
    """A response with these Set-Cookie fields."""
    return SimpleNamespace(fields=FieldSection.of([(b"Set-Cookie", value) for value in values]))


def run(request: Any, response: Any) -> Any:
    """Drives the stage over an exchange that answers with `response`."""

    async def send(_: Any) -> Any:
        return response

    with pytest.raises(StopIteration) as stop:
        cookies(request, send).send(None)
    return stop.value.value


def test_a_cookie_comes_and_goes_back() -> None:
    """What one response sets, the next request to that host carries."""
    store = CookieStore()
    first, second, third = (request_to(url, store) for url in (ONE, ONE, TWO))
    response = response_setting(b"a=1", b"b=\xff; Path=/")

    assert run(first, response) is response
    run(second, response_setting())
    run(third, response_setting())

    assert "Cookie" not in first.headers
    assert second.headers["Cookie"] == "a=1; b=\xff"
    assert "Cookie" not in third.headers


def test_the_users_own_field_stands() -> None:
    """A Cookie field the user wrote is neither replaced nor added to."""
    store = CookieStore()
    store.store(ONE, ["a=1"], NOW)
    request = request_to(ONE, store, headers={"cookie": "mine=1"}, overrides={"b": "2"})

    assert cookie_field(request, NOW) is None
    run(request, response_setting())
    assert request.headers["Cookie"] == "mine=1"


def test_a_field_of_ours_is_made_anew() -> None:
    """A request that is sent again carries the cookies of then, not those of the first time."""
    store = CookieStore()
    store.update({"a": "1"})
    request = request_to(ONE, store)
    run(request, response_setting(b"a=2; Path=/"))
    run(request, response_setting())

    assert request.headers["Cookie"] == "a=2"
    assert "cookie" in request.stage_fields


def test_cookies_of_the_call_are_not_kept() -> None:
    """Cookies of a call go out, over those of the session, and leave no trace in the store."""
    store = CookieStore()
    request = request_to(ONE, store, overrides={"a": "1"})
    run(request, response_setting())

    assert request.headers["Cookie"] == "a=1"
    assert not store


def test_store_cookies_off() -> None:
    """With `store_cookies` off, Set-Cookie is ignored; what is in the store is still sent."""
    store = CookieStore()
    store.update({"a": "1"})
    request = request_to(ONE, store, store_cookies=False)
    run(request, response_setting(b"b=2"))

    assert request.headers["Cookie"] == "a=1"
    assert len(store) == 1


def test_cookies_belong_to_the_host_of_the_url() -> None:
    """A Host field of the user's does not change whose cookies they are."""
    store = CookieStore()
    request = request_to(ONE, store, headers={"Host": "two.example"})
    keep_cookies(request, response_setting(b"a=1"), NOW)

    assert ["one.example"] == [cookie.domain for cookie in store]
