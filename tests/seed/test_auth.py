"""Custom authentication: any callable, and the schemes that come with the package (S47 to S51d)."""

import functools
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth, HTTPProxyAuth
from servers.web import Web

USER_PASS = "Basic dXNlcjpwYXNz"


class PizzaAuth(AuthBase):
    """Attaches HTTP Pizza Authentication to the given Request object."""

    def __init__(self, username: str) -> None:
        self.username = username

    def __call__(self, r: Any) -> Any:
        r.headers["X-Pizza"] = self.username
        return r


def with_token(request: Any) -> Any:
    request.headers["X-Token"] = "1"
    return request


@pytest.mark.parametrize(
    "auth", [with_token, lambda r: with_token(r), functools.partial(with_token)]
)
def test_s47_any_callable_may_change_the_request(web: Web, auth: Any) -> None:
    """A function, a lambda or another callable; what it sets shows on the wire."""
    gofer.get(web.url + "/get", auth=auth)

    assert "1" == web.requests[0].field("x-token")


def test_s47_it_sees_the_request_as_it_will_be(web: Web) -> None:
    """Content, URL and fields are final, so that it can sign them."""
    seen: list[Any] = []

    def sign(request: Any) -> Any:
        seen.append((request.method, request.url, request.body, request.headers["Content-Length"]))
        return request

    gofer.post(web.url + "/post", params={"a": "1"}, data=b"content", auth=sign)

    assert [("POST", web.url + "/post?a=1", b"content", "7")] == seen


@pytest.mark.parametrize("how", ["call", "session", "prepared"])
def test_s47_it_is_called_once_a_call(web: Web, session: gofer.Session, how: str) -> None:
    """A redirect within the origin keeps the fields that were set, without a second call."""
    calls: list[str] = []

    def auth(request: Any) -> Any:
        calls.append(request.url)
        request.headers["X-Token"] = str(len(calls))
        return request

    url = web.url + "/redirect/1"
    if how == "call":
        session.get(url, auth=auth)
    else:
        session.auth = auth
        if how == "session":
            session.get(url)
        else:
            session.send(session.prepare_request(gofer.Request("GET", url)))

    assert [url] == calls
    assert ["1", "1"] == [request.field("x-token") for request in web.requests]


def test_s47_what_it_set_does_not_leave_the_origin(web: Web) -> None:
    """On a redirect to another origin an auth callable's Authorization is gone."""

    def auth(request: Any) -> Any:
        request.headers["Authorization"] = "Bearer secret"
        return request

    elsewhere = f"{web.scheme}://localhost:{web.port}/get"
    gofer.get(web.url + "/redirect-to", params={"url": elsewhere}, auth=auth)

    assert ["Bearer secret", None] == [r.field("authorization") for r in web.requests]


def test_s47a_returning_nothing_means_the_same_request(web: Web) -> None:
    """A callable that forgets its return has changed the request all the same."""

    def auth(request: Any) -> None:
        request.headers["X-Token"] = "1"

    gofer.get(web.url + "/get", auth=auth)

    assert "1" == web.requests[0].field("x-token")


def test_s47b_another_request_takes_the_place(web: Web) -> None:
    """The attributes of a different request that is returned replace the request's."""

    def auth(request: Any) -> Any:
        other = request.copy()
        other.headers["X-Token"] = "other"
        other.method = "OPTIONS"
        return other

    gofer.get(web.url + "/anything", auth=auth)

    assert ("OPTIONS", "other") == (web.requests[0].method, web.requests[0].field("x-token"))


def test_s48_auth_base_is_to_be_subclassed() -> None:
    """`AuthBase` itself does nothing."""
    with pytest.raises(NotImplementedError):
        gofer.auth.AuthBase()(gofer.Request())


@pytest.mark.parametrize(
    "auth", [HTTPBasicAuth("user", "pass"), ("user", "pass"), ["user", "pass"]]
)
def test_s49_basic_credentials_go_at_once(web: Web, auth: Any) -> None:
    """A pair is basic auth; the credentials are on the first request."""
    response = gofer.get(web.url + "/basic-auth/user/pass", auth=auth)

    assert (200, 1) == (response.status_code, len(web.requests))
    assert USER_PASS == web.requests[0].field("authorization")


@pytest.mark.parametrize("auth", [("user",), ("a", "b", "c"), "user:pass", 42])
def test_s49_nothing_else_is_auth(web: Web, auth: Any) -> None:
    """What is neither a pair nor callable is refused, before anything is sent."""
    with pytest.raises(TypeError, match="auth"):
        gofer.get(web.url + "/get", auth=auth)
    assert [] == web.requests


def test_s50_digest_answers_a_challenge(web: Web) -> None:
    """The first request is plain, the second has the answer; the 401 is in the history."""
    response = gofer.get(
        web.url + "/digest-auth/auth/user/pass", auth=HTTPDigestAuth("user", "pass")
    )

    assert 200 == response.status_code
    assert [401] == [earlier.status_code for earlier in response.history]
    first, second = web.requests
    assert first.field("authorization") is None
    assert (second.field("authorization") or "").startswith("Digest ")


def test_s51_the_pizza_example(web: Web) -> None:
    """The page's own scheme: `X-Pizza: kenneth` is on the wire."""
    response = gofer.get(web.url + "/anything/admin", auth=PizzaAuth("kenneth"))

    assert "kenneth" == response.json()["headers"]["X-Pizza"]


@pytest.mark.http1
def test_s51a_proxy_auth(web: Web) -> None:
    """`HTTPProxyAuth` sets Proxy-Authorization: in the clear, for who may be on the way."""
    gofer.get(web.url + "/get", auth=HTTPProxyAuth("user", "pass"))

    assert USER_PASS == web.requests[0].field("proxy-authorization")


def test_s51b_a_calls_auth_wins_and_can_be_none_at_all(web: Web) -> None:
    """The session's applies to all; None means the session's; False and NoAuth mean none."""
    with gofer.session(auth=("user", "pass")) as session:
        for auth in (None, ("a", "b"), False, gofer.NoAuth()):
            session.get(web.url + "/get", auth=auth)

    assert [USER_PASS, "Basic YTpi", None, None] == [
        request.field("authorization") for request in web.requests
    ]


def test_s51c_netrc_is_used_but_never_over_an_explicit_field(
    web: Web, session: gofer.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """netrc serves requests without credentials, unless `trust_env` is off."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session.get(web.url + "/get")
    session.get(web.url + "/get", headers={"Authorization": "Bearer own"})
    session.get(f"{web.scheme}://localhost:{web.port}/get")
    session.get(web.url + "/get", auth=False)
    session.trust_env = False
    session.get(web.url + "/get")

    assert [USER_PASS, "Bearer own", None, None, None] == [
        request.field("authorization") for request in web.requests
    ]


def test_s51c_no_auth_lasts_over_redirects(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for no credentials gets none on the next hop either."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    gofer.get(web.url + "/redirect/1", auth=False)

    assert [None, None] == [request.field("authorization") for request in web.requests]


def test_s51d_credentials_in_the_url(web: Web, session: gofer.Session) -> None:
    """They are used when no auth is given, and never part of the request target."""
    url = web.url.replace("//", "//user:pass@") + "/get"
    session.get(url)
    session.get(url, auth=("a", "b"))

    assert [USER_PASS, "Basic YTpi"] == [r.field("authorization") for r in web.requests]
    assert ["/get", "/get"] == [request.target for request in web.requests]
