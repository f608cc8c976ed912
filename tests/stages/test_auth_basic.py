"""Basic credentials."""

import copy
import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gofer.dropin import auth as dropin
from gofer.exceptions import InvalidHeader
from gofer.messages.fields import Headers
from gofer.stages.auth.basic import HTTPBasicAuth, HTTPProxyAuth, basic_auth_value
from gofer.stages.auth.digest import HTTPDigestAuth


def sent_by(auth: Any) -> dict[str, str]:
    """The fields that `auth` adds to a request."""
    request = SimpleNamespace(headers=Headers())
    assert auth(request) is request
    return dict(request.headers)


def test_the_examples_of_the_rfc(vectors: Path) -> None:
    """The credentials of RFC 7617 come out as printed."""
    for case in json.loads((vectors / "auth" / "basic.json").read_text()):
        username, password = case["username"], case["password"]
        if case["charset"]:
            username, password = username.encode(case["charset"]), password.encode(case["charset"])

        assert case["header"] == basic_auth_value(username, password), case["name"]


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("user", "pass", "Basic dXNlcjpwYXNz"),
        ("", "", "Basic Og=="),
        ("", "token", "Basic OnRva2Vu"),
        ("é", "x", "Basic 6Tp4"),  # latin-1
        ("é", "ů", "Basic w6k6xa8="),  # UTF-8 for both
        ("имя".encode(), "пароль".encode(), "Basic 0LjQvNGPOtC/0LDRgNC+0LvRjA=="),
        (b"\xff", "é", "Basic /zrp"),
        ("x" * 100, "y" * 100, None),
    ],
)
def test_credentials_are_one_line_of_base64(
    username: Any, password: Any, expected: str | None
) -> None:
    """User name and password are latin-1 if they fit, else UTF-8; bytes stay as they are."""
    value = basic_auth_value(username, password)

    assert expected in (None, value)
    assert "\n" not in value


@pytest.mark.parametrize(
    ("username", "password", "what"),
    [
        ("a:b", "c", "user name"),
        (b"a:b", "c", "user name"),
        ("a\nb", "c", "user name"),
        ("a\x00", "c", "user name"),
        ("a\x7f", "ů", "user name"),
        ("a", "c\r", "password"),
    ],
)
def test_what_basic_cannot_say_is_refused(username: Any, password: Any, what: str) -> None:
    """A colon in the user name and control characters are errors, which do not quote the value."""
    with pytest.raises(InvalidHeader, match=f"{what} holds a") as caught:
        basic_auth_value(username, password)

    assert isinstance(caught.value, ValueError)
    assert "a:b" not in str(caught.value)


def test_other_types_are_on_their_way_out() -> None:
    """Numbers and None become text, with a warning, as in Requests."""
    with pytest.warns(DeprecationWarning, match="username is int"):
        assert "Basic NDI6NDI=" == basic_auth_value(42, "42")  # type: ignore[arg-type]
    with pytest.warns(DeprecationWarning, match="password is NoneType"):
        assert "Basic YTpOb25l" == basic_auth_value("a", None)  # type: ignore[arg-type]


def test_basic_goes_to_the_origin_and_proxy_to_the_proxy() -> None:
    """The two differ in their field only."""
    value = "Basic dXNlcjpwYXNz"

    assert {"Authorization": value} == sent_by(HTTPBasicAuth("user", "pass"))
    assert {"Proxy-Authorization": value} == sent_by(HTTPProxyAuth("user", "pass"))


def test_equality() -> None:
    """Two are equal if they send the same."""
    auth = HTTPBasicAuth("user", "pass")

    assert auth == HTTPBasicAuth("user", "pass")
    assert auth == pickle.loads(pickle.dumps(auth)) == copy.copy(auth)
    assert auth != HTTPBasicAuth("user", "other")
    assert auth != HTTPProxyAuth("user", "pass")
    assert auth != HTTPDigestAuth("user", "pass")
    assert auth != ("user", "pass")


def test_repr_keeps_the_secret() -> None:
    """Neither name nor password shows."""
    assert "<HTTPBasicAuth>" == repr(HTTPBasicAuth("user", "pass"))


def test_attributes_can_be_set() -> None:
    """`username` and `password` are read when a request is sent."""
    auth = HTTPBasicAuth("user", "pass")
    auth.password = "other"

    assert {"Authorization": "Basic dXNlcjpvdGhlcg=="} == sent_by(auth)


def test_requests_names() -> None:
    """Code that imports from `requests.auth` finds what it wants."""
    assert "Basic dXNlcjpwYXNz" == dropin._basic_auth_str("user", "pass")
    assert "application/x-www-form-urlencoded" == dropin.CONTENT_TYPE_FORM_URLENCODED
    assert "multipart/form-data" == dropin.CONTENT_TYPE_MULTI_PART
    assert dropin.HTTPBasicAuth is HTTPBasicAuth
    assert dropin.HTTPDigestAuth is HTTPDigestAuth
    assert all(hasattr(dropin, name) for name in dropin.__all__)
