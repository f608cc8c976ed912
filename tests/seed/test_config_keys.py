"""Every `config` key of 2012, on a call and on a session (SPEC 1.9)."""

import io
from collections.abc import Callable
from typing import Any

import pytest

import gofer
from gofer.auth import HTTPBasicAuth
from servers.listener import Gate
from servers.proxy import Proxy
from servers.raw import refused_port, response, serve
from servers.web import Web

Get = Callable[..., Any]


@pytest.fixture(params=["call", "session"])
def get(request: pytest.FixtureRequest) -> Any:
    """`get(config, url, **kwargs)`: with that config given to the call, or to the session."""
    sessions = []

    def getter(config: dict[str, Any], url: str, verb: str = "get", **kwargs: Any) -> Any:
        on_call = request.param == "call"
        session = gofer.session(config=None if on_call else config)
        sessions.append(session)
        if on_call:
            kwargs["config"] = config
        return getattr(session, verb)(url, **kwargs)

    yield getter
    for session in sessions:
        session.close()


def test_base_headers(web: Web, get: Get) -> None:
    """They replace the whole set of default fields, and fill in what a request lacks."""
    base = {"X-Base": "1", "Accept": "text/plain", "x-own": "base"}
    get({"base_headers": base}, web.url + "/get", headers={"X-Own": "own"})

    (request,) = web.requests
    assert ("1", "text/plain", None) == (
        request.field("x-base"), request.field("accept"), request.field("user-agent"),
    )  # fmt: skip
    assert ["own"] == request.lines("x-own")


def test_base_headers_do_not_replace_the_sessions(web: Web) -> None:
    """A field that somebody set on the session stays."""
    with gofer.session(headers={"User-Agent": "mine"}) as session:
        session.get(web.url + "/get", config={"base_headers": {"User-Agent": "base"}})

    assert ["mine"] == web.requests[0].lines("user-agent")


def test_base_headers_belong_to_one_session(web: Web) -> None:
    """Editing one session's base headers changes no other session (B19)."""
    with gofer.session() as one, gofer.session() as other:
        one.config["base_headers"]["X-Base"] = "1"
        one.get(web.url + "/get")
        other.get(web.url + "/get")

    assert ["1", None] == [request.field("x-base") for request in web.requests]
    assert web.requests[0].field("user-agent") == web.requests[1].field("user-agent")


def test_verbose(web: Web, get: Get) -> None:
    """A stream that gets a line per request."""
    log = io.StringIO()
    get({"verbose": log}, web.url + "/redirect/1")

    assert 2 == len(log.getvalue().splitlines())


def test_timeout(web: Web, gate: Gate, get: Get) -> None:
    """Honoured where neither call nor session give one."""
    with pytest.raises(gofer.ReadTimeout):
        get({"timeout": (5, 0.1)}, web.url + "/gate/late")


def test_timeout_comes_last(web: Web, gate: Gate) -> None:
    """Call, then session, then config."""
    url = web.url + "/gate/late"
    with gofer.session(config={"timeout": 30}, timeout=(5, 0.1)) as session:
        with pytest.raises(gofer.ReadTimeout):
            session.get(url)
        with pytest.raises(gofer.ReadTimeout):
            session.get(url, config={"timeout": 30})
        session.timeout = 30
        with pytest.raises(gofer.ReadTimeout):
            session.get(url, timeout=(5, 0.1), config={"timeout": 30})


@pytest.mark.parametrize("limit", [0, 1, 2, 30])
def test_max_redirects(web: Web, get: Get, limit: int) -> None:
    """As many hops succeed, one more does not."""
    url = f"{web.url}/redirect/"
    if limit:
        assert limit == len(get({"max_redirects": limit}, f"{url}{limit}").history)
    with pytest.raises(gofer.TooManyRedirects) as caught:
        get({"max_redirects": limit}, f"{url}{limit + 1}")

    assert limit == len(caught.value.response.history)


def test_max_redirects_is_30(web: Web) -> None:
    """The default of all times."""
    assert 30 == len(gofer.get(web.url + "/redirect/30").history)
    with pytest.raises(gofer.TooManyRedirects):
        gofer.get(web.url + "/redirect/31")


def test_decode_unicode(web: Web, get: Get) -> None:
    """The default of iteration's `decode_unicode`; content stays bytes."""
    answer = get({"decode_unicode": True}, web.url + "/encoding/utf8")
    lines = list(answer.iter_lines())

    assert all(isinstance(line, str) for line in lines)
    assert "STARGΛ̊TE" in lines[0]
    assert isinstance(get({"decode_unicode": True}, web.url + "/html").content, bytes)
    answer = get({"decode_unicode": True}, web.url + "/html")
    assert isinstance(next(answer.iter_content(9, decode_unicode=False)), bytes)
    answer.close()


def test_keep_alive(web: Web, get: Get) -> None:
    """Off: a connection for this request alone."""
    get({"keep_alive": False}, web.url + "/get")

    web.wait_for(lambda: web.open == 0)


def test_pool_connections(web: Web) -> None:
    """So many origins keep idle connections; the one used longest ago is dropped."""
    urls = [web.url, f"{web.scheme}://localhost:{web.port}"]
    with gofer.session(config={"pool_connections": 1}) as session:
        for url in (*urls, urls[1], urls[0]):
            session.get(url + "/get")

    assert [0, 1, 1, 2] == [request.connection for request in web.requests]


@pytest.mark.http1("a connection for each exchange")
def test_pool_maxsize(web: Web, gate: Gate) -> None:
    """So many idle connections are kept for an origin; open ones are not limited."""
    with gofer.session(config={"pool_maxsize": 1}) as session:
        waiting = [session.get(web.url + "/gate/late/content") for _ in range(3)]
        assert 3 == web.open
        gate.set()
        assert [b"open"] * 3 == [answer.content for answer in waiting]
        web.wait_for(lambda: web.open == 1)


@pytest.mark.parametrize("key", ["pool_connections", "pool_maxsize"])
def test_pool_keys_are_taken_by_a_call(web: Web, key: str) -> None:
    """On a call of the top level they are those of its session."""
    assert 200 == gofer.get(web.url + "/get", config={key: 1}).status_code


def test_max_retries(get: Get) -> None:
    """A connection that cannot be made is tried again; what was sent is not sent again."""
    with pytest.raises(gofer.ConnectionError):
        get({"max_retries": 2}, f"http://127.0.0.1:{refused_port()}/")

    with serve(lambda peer: peer.receive_request()) as server:
        with pytest.raises(gofer.ConnectionError):
            get({"max_retries": 2}, server.url, verb="post", data="once")
        assert 1 == len(server.requests)


def failing_urls(web: Web) -> dict[str, Any]:
    return {
        "refused": f"http://127.0.0.1:{refused_port()}/",
        "redirects": web.url + "/redirect/9",
        "scheme": "gopher://example.com/",
        "url": "http://[::1",
        "none": "example",
    }


@pytest.mark.parametrize("what", ["refused", "redirects", "scheme", "url", "none"])
def test_safe_mode(web: Web, get: Get, what: str) -> None:
    """An error is a falsy response with status code 0 and the error on it (B41)."""
    answer = get({"safe_mode": True, "max_redirects": 3}, failing_urls(web)[what])

    assert (0, None, False, False) == (
        answer.status_code, answer.content, answer.ok, bool(answer),
    )  # fmt: skip
    assert isinstance(answer.error, gofer.RequestException)
    with pytest.raises(type(answer.error)) as caught:
        answer.raise_for_status()
    assert caught.value is answer.error
    assert "" == answer.text
    assert [] == list(answer.iter_lines())


@pytest.mark.http1("nobody listens")
@pytest.mark.only_in("blocking", "hub", "gevent")  # adapters are called by synchronous code
@pytest.mark.parametrize("by_steps", [False, True])
@pytest.mark.parametrize("on_call", [False, True])
def test_safe_mode_covers_send(web: Web, by_steps: bool, on_call: bool) -> None:
    """A prepared request too, and the response says what was asked, by Requests' steps as well."""
    config = {"safe_mode": True}
    url = failing_urls(web)["refused"]
    with gofer.session(config=None if on_call else config) as session:
        if by_steps:
            session.mount("http://", gofer.adapters.HTTPAdapter())
        prepared = session.prepare_request(gofer.Request("GET", url))
        options: Any = {"config": config} if on_call else {}
        answers = [session.send(prepared, **options), session.get(url, **options)]

        for answer in answers:
            assert (0, False, url) == (answer.status_code, bool(answer), answer.url)
            assert isinstance(answer.error, gofer.ConnectionError)
            assert url == answer.request.url
        prepared.url = web.url + "/redirect/40"
        answer = session.send(prepared, **options)
        assert isinstance(answer.error, gofer.TooManyRedirects)


def test_safe_mode_covers_timeouts(web: Web, gate: Gate, get: Get) -> None:
    """The timeout of 2012 crashed."""
    answer = get({"safe_mode": True}, web.url + "/gate/late", timeout=(20, 0.1))

    assert isinstance(answer.error, gofer.ReadTimeout)


def test_safe_mode_covers_content_that_is_read_in_the_call(get: Get) -> None:
    """With prefetch an error in the content is one of the call."""
    cut = response(b"12345")[:-2]
    with serve(lambda peer: (peer.receive_request(), peer.send(cut))) as server:
        answer = get({"safe_mode": True}, server.url, prefetch=True)

    assert isinstance(answer.error, gofer.exceptions.ChunkedEncodingError)


def test_safe_mode_does_not_touch_what_works(web: Web, get: Get) -> None:
    """A response without an error has none; 404 is an answer."""
    for path, status in (("/get", 200), ("/status/404", 404)):
        answer = get({"safe_mode": True}, web.url + path)
        assert (status, None) == (answer.status_code, answer.error)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_danger_mode(web: Web, get: Get, status: int) -> None:
    """4xx and 5xx raise by themselves."""
    with pytest.raises(gofer.HTTPError) as caught:
        get({"danger_mode": True}, f"{web.url}/status/{status}")

    assert status == caught.value.response.status_code


@pytest.mark.parametrize("status", [200, 204, 302, 304])
def test_danger_mode_is_content_with_the_rest(web: Web, get: Get, status: int) -> None:
    """2xx and 3xx do not raise."""
    answer = get({"danger_mode": True}, f"{web.url}/status/{status}", allow_redirects=False)

    assert status == answer.status_code


def test_danger_mode_and_safe_mode(web: Web, get: Get) -> None:
    """Safe mode wins: the error is stored."""
    answer = get({"danger_mode": True, "safe_mode": True}, web.url + "/status/404")

    assert isinstance(answer.error, gofer.HTTPError)
    assert not answer
    with pytest.raises(gofer.HTTPError):
        answer.raise_for_status()


def test_encode_uri(web: Web, get: Get) -> None:
    """Off: the URL is sent as it was given."""
    get({"encode_uri": False}, web.url + "/anything/%7euser?a=%7e|")
    get({}, web.url + "/anything/%7euser?a=%7e|")

    assert ["/anything/%7euser?a=%7e|", "/anything/~user?a=~%7C"] == [
        request.target for request in web.requests
    ]


def test_trust_env(web: Web, proxy: Proxy, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off: the environment's proxies are not used."""
    monkeypatch.setenv("http_proxy", proxy.url)
    get({"trust_env": False}, web.url + "/get")
    assert [] == proxy.asked
    get({"trust_env": True}, web.url + "/get")
    assert 1 == len(proxy.asked)


def test_trust_env_is_the_attribute(session: gofer.Session) -> None:
    """One value, two names; the same for max_redirects."""
    session.trust_env = False
    session.config["max_redirects"] = 7

    assert (False, 7) == (session.config["trust_env"], session.max_redirects)


@pytest.mark.parametrize(("status", "expected"), [(301, "POST"), (302, "POST"), (303, "GET")])
def test_strict_mode(web: Web, get: Get, status: int, expected: str) -> None:
    """On: 301 and 302 keep the method and the content."""
    url = f"{web.url}/redirect-to?status_code={status}&url=/anything"
    kept = get({"strict_mode": True}, url, verb="post", data=b"content").json()
    lost = get({}, url, verb="post", data=b"content").json()

    assert (expected, "content" if expected == "POST" else "") == (kept["method"], kept["data"])
    assert ("GET", "") == (lost["method"], lost["data"])


def test_store_cookies(web: Web) -> None:
    """Off: Set-Cookie is ignored, but cookies of one's own are sent."""
    with gofer.session(config={"store_cookies": False}, cookies={"own": "1"}) as session:
        session.get(web.url + "/cookies/set/a/1")
        assert {"own": "1"} == session.get(web.url + "/cookies").json()["cookies"]
    with gofer.session() as session:
        session.get(web.url + "/cookies/set/a/1", config={"store_cookies": False})
        assert {} == dict(session.cookies)


def test_hook_errors(web: Web, get: Get) -> None:
    """ "raise" lets a hook's error through."""
    with pytest.raises(ZeroDivisionError):
        get({"hook_errors": "raise"}, web.url + "/get", hooks={"response": lambda r: 1 / 0})


def test_keys_work_together(web: Web, get: Get) -> None:
    """Several keys in one dict."""
    log = io.StringIO()
    config = {"verbose": log, "danger_mode": True, "max_redirects": 1, "keep_alive": False}
    with pytest.raises(gofer.HTTPError):
        get(config, web.url + "/status/404", auth=HTTPBasicAuth("a", "b"))

    assert "/status/404" in log.getvalue()
