"""Functions and methods that tests replace, and what their replacements are called with."""

from typing import Any
from unittest import mock

import pytest

import gofer
from gofer import api
from servers.web import Web

URL = "http://example.com/"


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("get", {"params": None}),
        ("options", {}),
        ("head", {"allow_redirects": False}),
        ("post", {"data": None, "json": None}),
        ("put", {"data": None}),
        ("patch", {"data": None}),
        ("delete", {}),
    ],
)
def test_a_verb_calls_request(verb: str, given: dict[str, Any]) -> None:
    """With the method in lower case and nothing but what Requests gives it."""
    with mock.patch.object(api, "request") as replaced:
        getattr(gofer, verb)(URL, timeout=1)

    replaced.assert_called_once_with(verb, URL, timeout=1, **given)


def test_a_request_calls_that_of_a_session() -> None:
    """By names, so that a replacement finds them under those."""
    with mock.patch.object(gofer.Session, "request") as replaced:
        gofer.get(URL)

    replaced.assert_called_once_with(method="get", url=URL, params=None)


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("get", {"params": None, "allow_redirects": True}),
        ("options", {"allow_redirects": True}),
        ("head", {"allow_redirects": False}),
        ("post", {"data": None, "json": None}),
        ("put", {"data": None}),
        ("patch", {"data": None}),
        ("delete", {}),
    ],
)
def test_a_sessions_verb_calls_its_request(verb: str, given: dict[str, Any]) -> None:
    """With the method in its place; a GET says that redirects are followed, as in Requests."""
    with mock.patch.object(gofer.Session, "request") as replaced:
        getattr(gofer.Session(), verb)(URL)

    replaced.assert_called_once_with(verb.upper(), URL, **given)


def test_a_function_in_the_place_of_request(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes what Requests' own takes, and no session."""

    def request(method: str, url: str, **options: Any) -> Any:
        with gofer.Session() as session:
            return session.request(method=method, url=url, **options)

    monkeypatch.setattr(api, "request", request)

    assert {"a": "1"} == gofer.get(web.url + "/get", params={"a": "1"}).json()["args"]
