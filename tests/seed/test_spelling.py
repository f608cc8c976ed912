"""The spelling of 2012 beside today's: both work, and mean the same (SPEC 2.3)."""

import io
import logging
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import pytest

import gofer
from gofer.adapters import HTTPAdapter
from gofer.cookies import RequestsCookieJar
from servers.raw import refused_port
from servers.web import Web

USER_PASS = "Basic dXNlcjpwYXNz"

# Adapters are called by synchronous code: Requests' contract knows no other.
ADAPTERS = pytest.mark.only_in("blocking", "hub", "gevent")


def test_session_with_keywords(web: Web) -> None:
    """`session(headers=h, auth=a)` and a session whose attributes are set."""
    then = gofer.session(headers={"X-Test": "1"}, auth=("user", "pass"))
    now = gofer.Session()
    now.headers.update({"X-Test": "1"})
    now.auth = ("user", "pass")
    for session in (then, now):
        with session:
            session.get(web.url + "/get")

    first, second = web.requests
    assert [f for f in first.fields if f[0] != "Host"] == [
        f for f in second.fields if f[0] != "Host"
    ]
    assert ("1", USER_PASS) == (first.field("x-test"), first.field("authorization"))


@pytest.mark.parametrize("words", [{"prefetch": True}, {"stream": False}])
def test_prefetch_is_stream_the_other_way_round(web: Web, words: dict[str, Any]) -> None:
    """The content is there after the call."""
    with gofer.Session() as session:
        answer = session.get(web.url + "/drip/9", **words)
        web.hang_up()

    assert b"*********" == answer.content


@pytest.mark.parametrize("words", [{"prefetch": False}, {"stream": True}])
def test_no_prefetch_is_stream(web: Web, words: dict[str, Any]) -> None:
    """The connection is still held after the call."""
    with gofer.Session(prefetch=True) as session:
        with session.get(web.url + "/drip/9?gate=never", **words) as answer:
            assert 200 == answer.status_code
        web.gates["never"].set()


def test_max_redirects(web: Web, session: gofer.Session) -> None:
    """`config={"max_redirects": n}` and `s.max_redirects = n`."""
    with pytest.raises(gofer.TooManyRedirects):
        session.get(web.url + "/redirect/3", config={"max_redirects": 2})
    session.max_redirects = 2
    with pytest.raises(gofer.TooManyRedirects):
        session.get(web.url + "/redirect/3")
    assert 2 == session.config["max_redirects"]


def test_trust_env(web: Web, session: gofer.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config={"trust_env": False}` and `s.trust_env = False`."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{refused_port()}")
    with pytest.raises(gofer.ConnectionError):
        session.get(web.url + "/get")
    assert 200 == session.get(web.url + "/get", config={"trust_env": False}).status_code
    session.trust_env = False
    assert 200 == session.get(web.url + "/get").status_code


@pytest.mark.http1("Connection: close")
@pytest.mark.parametrize("spelling", ["then", "now"])
def test_keep_alive(web: Web, session: gofer.Session, spelling: str) -> None:
    """`s.config["keep_alive"] = False` and a Connection field: the socket is closed."""
    if spelling == "then":
        session.config["keep_alive"] = False
    else:
        session.headers["Connection"] = "close"
    for _ in range(2):
        session.get(web.url + "/get")

    assert ["close", "close"] == [request.field("connection") for request in web.requests]
    assert 2 == len({request.connection for request in web.requests})
    web.wait_for(lambda: web.open == 0)


@ADAPTERS
def test_pool_and_retries(web: Web, session: gofer.Session) -> None:
    """In config, or on an adapter, which wins where it is mounted."""
    session.config.update({"pool_maxsize": 20, "max_retries": 3})
    adapter = HTTPAdapter(pool_maxsize=1, max_retries=1)
    session.mount(web.url, adapter)

    assert session.get_adapter(web.url + "/get") is adapter
    assert session.get_adapter("http://example.com/") is not adapter
    for _ in range(2):
        assert 200 == session.get(web.url + "/redirect/1").status_code
    assert 1 == len({request.connection for request in web.requests})


def test_verbose_and_logging(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """A stream in config, and the package's logger at DEBUG."""
    stream = io.StringIO()
    with caplog.at_level(logging.DEBUG, logger="gofer"):
        gofer.get(web.url + "/get?secret=1", config={"verbose": stream})

    assert "/get?secret=1" in stream.getvalue()
    assert f"GET {web.url}/get -> 200" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "words",
    [
        {"config": {"danger_mode": True}},
        {"hooks": {"response": lambda r, **keywords: r.raise_for_status()}},
    ],
)
def test_danger_mode(web: Web, words: dict[str, Any]) -> None:
    """The same exception from the config key and from today's hook."""
    with pytest.raises(gofer.HTTPError, match="404 Client Error"):
        gofer.get(web.url + "/status/404", **words)


def test_safe_mode() -> None:
    """The error that `except` would catch is on the response."""
    url = f"http://127.0.0.1:{refused_port()}/"
    with pytest.raises(gofer.RequestException) as caught:
        gofer.get(url)
    answer = gofer.get(url, config={"safe_mode": True})

    assert type(caught.value) is type(answer.error)


def test_store_cookies(web: Web, session: gofer.Session) -> None:
    """A key, or a jar whose policy accepts no domain."""
    session.get(web.url + "/cookies/set/a/1", config={"store_cookies": False})
    assert {} == dict(session.cookies)

    jar = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    session.cookies = jar
    session.get(web.url + "/cookies/set/a/1")
    assert {} == dict(session.cookies)


def test_encode_uri(web: Web, session: gofer.Session) -> None:
    """A key, or the `url` of a prepared request."""
    url = web.url + "/anything/%7euser?a=|"
    session.get(url, config={"encode_uri": False})
    prepared = session.prepare_request(gofer.Request("GET", web.url))
    prepared.url = url
    session.send(prepared)

    assert ["/anything/%7euser?a=|"] * 2 == [request.target for request in web.requests]


def test_args_hook_and_a_wrapped_request(web: Web) -> None:
    """A hook for arguments, or a subclass of Session."""

    class Wrapped(gofer.Session):
        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            return super().request(method, url + "?a=1", *args, **kwargs)

    gofer.get(web.url + "/get", hooks={"args": lambda args: {**args, "url": args["url"] + "?a=1"}})
    with Wrapped() as session:
        session.get(web.url + "/get")

    assert ["/get?a=1"] * 2 == [request.target for request in web.requests]


@ADAPTERS
def test_pre_request_hook_auth_and_adapter(web: Web) -> None:
    """A hook before the wire, a callable as auth, or an adapter's `send`."""

    def mark(request: Any) -> Any:
        request.headers["X-Mark"] = "1"
        return request

    class Marking(HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            return super().send(mark(request), *args, **kwargs)

    gofer.get(web.url + "/get", hooks={"pre_request": mark})
    gofer.get(web.url + "/get", auth=mark)
    with gofer.Session() as session:
        session.mount(f"{web.scheme}://", Marking())
        assert 200 == session.get(web.url + "/get").status_code

    assert ["1"] * 3 == [request.field("x-mark") for request in web.requests]


def test_post_request_and_response_hooks(web: Web) -> None:
    """Both see the answer."""
    seen: list[Any] = []
    answer = gofer.get(
        web.url + "/get",
        hooks={
            "post_request": lambda request: seen.append(request.response),
            "response": lambda r, **keywords: seen.append(r),
        },
    )

    assert [answer, answer] == seen


def test_an_unsent_request_and_a_prepared_one(web: Web) -> None:
    """`return_response=False`, then `send()`; `prepare_request`, then `s.send`."""
    with gofer.session(
        headers={"X-Test": "1"}, params={"a": "1"}, auth=("user", "pass")
    ) as session:
        request = session.get(web.url + "/get", return_response=False, cookies={"c": "1"})
        assert [] == web.requests
        assert isinstance(request, gofer.Request)
        assert request.send()
        prepared = session.prepare_request(
            gofer.Request("GET", web.url + "/get", cookies={"c": "1"})
        )
        answer = session.send(prepared)

    assert (200, 200) == (request.response.status_code, answer.status_code)
    for sent in web.requests:
        assert ("/get?a=1", "1", USER_PASS, "c=1") == (
            sent.target, sent.field("x-test"), sent.field("authorization"), sent.field("cookie"),
        )  # fmt: skip


def test_return_response_on_the_top_level(web: Web) -> None:
    """A function of the package returns the unsent request, too; it can be sent."""
    request = gofer.post(web.url + "/post", data={"k": "v"}, return_response=False)
    assert [] == web.requests
    request.send(prefetch=True)

    assert {"k": "v"} == request.response.json()["form"]
    web.wait_for(lambda: web.open == 0)


def test_auth_is_spelled_as_ever(web: Web) -> None:
    """A callable, a pair, a digest scheme: unchanged."""
    for path, auth in (
        ("/basic-auth/user/pass", ("user", "pass")),
        ("/digest-auth/auth/user/pass", gofer.auth.HTTPDigestAuth("user", "pass")),
        ("/get", lambda r: r),
    ):
        assert 200 == gofer.get(web.url + path, auth=auth).status_code
