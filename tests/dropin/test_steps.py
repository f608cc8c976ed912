"""The steps of a session that users replace: on one session, in a subclass, in the class itself."""

import gc
import weakref
from typing import Any
from urllib.parse import urlsplit

import pytest

import gofer
from gofer import sessions
from gofer.adapters import BaseAdapter, HTTPAdapter
from gofer.exceptions import InvalidSchema, TooManyRedirects
from gofer.structures import CaseInsensitiveDict
from servers.web import Web

STEPS = (
    "get_adapter",
    "get_redirect_target",
    "merge_environment_settings",
    "prepare_request",
    "rebuild_auth",
    "rebuild_method",
    "rebuild_proxies",
    "resolve_redirects",
    "send",
    "should_strip_auth",
)


def recording(name: str, calls: list[str]) -> Any:
    """The step of that name, which notes that it was called."""
    original = getattr(gofer.Session, name)

    def step(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return original(*args, **kwargs)

    return step


@pytest.mark.parametrize("name", STEPS)
def test_a_step_replaced_in_a_subclass_is_called(web: Web, name: str) -> None:
    """Each of them, on a call that is redirected, and the answer is the same."""
    calls: list[str] = []
    changed = type("Changed", (gofer.Session,), {name: recording(name, calls)})

    with changed() as session:
        response = session.post(web.url + "/redirect/2", data={"a": "b"}, auth=("u", "p"))

    assert (200, 2) == (response.status_code, len(response.history))
    assert name in calls


@pytest.mark.parametrize("name", STEPS)
def test_a_step_replaced_on_one_session_is_called(web: Web, name: str) -> None:
    """An attribute of the session, as tests and patches set it."""
    calls: list[str] = []
    with gofer.Session() as session:
        setattr(session, name, recording(name, calls).__get__(session))
        response = session.get(web.url + "/redirect/1", auth=("u", "p"))

    assert (200, 1) == (response.status_code, len(response.history))
    assert name in calls


@pytest.mark.parametrize("name", STEPS)
def test_a_step_replaced_in_the_class_is_called(
    web: Web, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions go the new way, and the old one when it is put back; those that mocking libraries
    patch even if the session was in use before."""
    calls: list[str] = []
    with gofer.Session() as session:
        if name in ("get_adapter", "merge_environment_settings", "send"):
            session.get(web.url + "/get")
        monkeypatch.setattr(gofer.Session, name, recording(name, calls))
        assert session.get(web.url + "/redirect/1", auth=("u", "p")).ok
        assert name in calls

        monkeypatch.undo()
        calls.clear()
        assert session.get(web.url + "/redirect/1").ok
        assert [] == calls


def test_the_class_of_adapters_patched(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """As mocking libraries do: a session whose adapters nobody looked at is mocked too."""

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        response = gofer.Response()
        response.status_code = 299
        response.url = request.url
        return response

    with gofer.Session() as session:
        assert session.get(web.url + "/get").ok
        monkeypatch.setattr(HTTPAdapter, "send", send)
        assert 299 == session.get(web.url + "/get").status_code
        assert 299 == gofer.get(web.url + "/get").status_code
        monkeypatch.undo()
        assert 200 == session.get(web.url + "/get").status_code


def test_sessions_that_replace_nothing_take_the_short_way(web: Web) -> None:
    """No step is called, and an adapter mounted elsewhere changes nothing for them."""
    with gofer.Session() as session, gofer.Session() as other:
        other.mount("http://", HTTPAdapter())
        assert session.get(web.url + "/redirect/1").ok
        assert not session._goes_by_steps_()
        assert other._goes_by_steps_()


def test_a_session_that_is_dropped_lets_go_of_its_connections(web: Web) -> None:
    """At once, not when cycles are looked for, though its steps are called by its chain."""
    session = gofer.Session()
    session.adapters  # noqa: B018  (whoever looks at them may change them)
    session.get(web.url + "/get")
    known = weakref.ref(session)
    gc.disable()
    try:
        del session
        assert known() is None
    finally:
        gc.enable()


# What programs do with them ---------------------------------------------------------------------


def test_a_default_timeout(web: Web) -> None:
    """The subclass that every second program has."""
    seen = []

    class Patient(gofer.Session):
        def send(self, request: Any, **kwargs: Any) -> Any:
            if kwargs.get("timeout") is None:
                kwargs["timeout"] = 7
            seen.append(kwargs["timeout"])
            return super().send(request, **kwargs)

    with Patient() as session:
        session.get(web.url + "/redirect/1")
        session.get(web.url + "/get", timeout=3)

    assert [7, 7, 3] == seen


def test_a_base_url(web: Web) -> None:
    """`request` replaced: every verb goes through it."""

    class Based(gofer.Session):
        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            return super().request(method, web.url + url, *args, **kwargs)

    with Based() as session:
        assert session.get("/get").ok
        assert session.post("/post", data=b"x").json()["data"] == "x"


def test_credentials_kept_on_a_redirect(web: Web) -> None:
    """`rebuild_auth` replaced: Authorization goes where the program says, other secrets do not."""

    class Trusting(gofer.Session):
        def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
            assert urlsplit(response.request.url).hostname == "127.0.0.1"

    other = web.url.replace("127.0.0.1", "localhost")
    headers = {"X-Api-Key": "secret"}
    with Trusting() as session:
        response = session.get(
            web.url + "/redirect-to", params={"url": other + "/headers"}, auth=("u", "p"),
            headers=headers,
        )  # fmt: skip
    fields = {name.lower() for name in response.json()["headers"]}

    assert "authorization" in fields
    assert "x-api-key" not in fields


def test_should_strip_auth_says_what_is_kept(web: Web) -> None:
    """The question alone can be answered in another way."""
    other = web.url.replace("127.0.0.1", "localhost")
    asked = []

    class Trusting(gofer.Session):
        def should_strip_auth(self, old_url: str, new_url: str) -> bool:
            asked.append((old_url.partition("?")[0], new_url))
            return False

    with Trusting() as session:
        response = session.get(
            web.url + "/redirect-to", params={"url": other + "/headers"}, auth=("u", "p")
        )

    assert [(web.url + "/redirect-to", other + "/headers")] == asked
    assert any("Authorization" == name.title() for name in response.json()["headers"])


def test_following_redirects_by_hand(web: Web) -> None:
    """`resolve_redirects` gives the responses one by one, and `yield_requests` the next request."""
    with gofer.Session() as session:
        first = session.get(web.url + "/redirect/3", allow_redirects=False)
        following = list(session.resolve_redirects(first, first.request))
        upcoming = next(session.resolve_redirects(first, first.request, yield_requests=True))

    assert [302, 302, 200] == [response.status_code for response in following]
    assert [1, 2] == [len(response.history) for response in following[:-1]]
    assert web.url + "/redirect/2" == upcoming.url


def test_too_many_redirects_by_steps(web: Web) -> None:
    """The limit holds, and the error has the last response."""
    with gofer.Session() as session:
        session.mount("http://", HTTPAdapter())
        session.max_redirects = 2
        with pytest.raises(TooManyRedirects) as caught:
            session.get(web.url + "/redirect/5")

    assert 302 == caught.value.response.status_code


def test_what_a_call_says_holds_by_steps_too(web: Web) -> None:
    """config, deadline and hooks of a call are not lost on the long way."""
    seen = []
    with gofer.Session() as session:
        session.mount("http://", HTTPAdapter())
        response = session.get(
            web.url + "/status/404", config={"safe_mode": True, "danger_mode": True}, deadline=20,
            hooks={"response": lambda r, **kwargs: seen.append(r.status_code)},
        )  # fmt: skip

    assert isinstance(response.error, gofer.HTTPError)
    assert [404] == seen


@pytest.mark.parametrize("own", [None, 20])
def test_a_deadline_is_for_all_hops_by_steps(own: float | None) -> None:
    """Sent as a call or prepared; a hop has what the first has left, and a call after it all of
    its own."""
    with gofer.Session(config={"deadline": own}) as session:
        hop, end = (302, {"Location": "/b"}, b""), (200, {}, b"")
        canned = Canned(hop, hop, end, hop, end, end)
        session.mount("http://", canned)
        session.get("http://a.example/", deadline=10)
        prepared = session.prepare_request(gofer.Request("GET", "http://a.example/"))
        session.send(prepared, deadline=5)
        session.send(prepared)

    first, second, third, fourth, fifth, sixth = canned.deadlines
    assert None not in (first, fourth)
    assert first == second == third
    assert fourth == fifth
    assert (sixth is None) == (own is None)
    assert sixth != fourth


def test_cookies_by_steps(web: Web) -> None:
    """Those that come on the way are kept and sent; a call's own are sent once."""
    with gofer.Session() as session:
        session.mount("http://", HTTPAdapter())
        response = session.get(web.url + "/cookies/set/a/1", cookies={"b": "2"})

        assert {"a": "1", "b": "2"} == response.json()["cookies"]
        assert {"a": "1"} == session.get(web.url + "/cookies").json()["cookies"]


@pytest.mark.parametrize("prepares", [True, False])
def test_a_hook_replaces_the_request_by_steps(web: Web, prepares: bool) -> None:
    """The one it returns goes by the adapter too."""
    other = gofer.Request("PUT", web.url + "/put")
    with gofer.Session() as session:
        session.mount("http://", HTTPAdapter())
        response = session.get(
            web.url + "/get",
            hooks={"pre_request": lambda request: other.prepare() if prepares else other},
        )

    assert "PUT" == response.json()["method"]


def test_a_flow_makes_its_own_request_by_steps(web: Web) -> None:
    """It goes by the adapter, within the deadline of the call."""
    seen = []

    class Tokens(gofer.auth.AuthBase):
        def __call__(self, request: Any) -> Any:
            return request

        def flow(self, request: Any) -> Any:
            token = session.prepare_request(gofer.Request("GET", web.url + "/uuid", auth=False))
            seen.append((yield token).request.deadline)
            yield request

    with gofer.Session() as session:
        session.mount("http://", HTTPAdapter())
        response = session.get(web.url + "/get", auth=Tokens(), deadline=20)

    assert (200, [response.request.deadline]) == (response.status_code, seen)


# Adapters of one's own --------------------------------------------------------------------------


class Canned(BaseAdapter):
    """Answers by itself."""

    def __init__(self, *responses: tuple[int, dict[str, str], bytes]) -> None:
        super().__init__()
        self.responses = list(responses)
        self.requests: list[Any] = []
        self.deadlines: list[float | None] = []
        self.arguments: list[dict[str, Any]] = []
        self.closed = False

    def send(self, request: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        self.requests.append(request)
        self.deadlines.append(request.deadline)
        self.arguments.append(kwargs)
        response = gofer.Response()
        status, headers, response._content = self.responses.pop(0)
        response.status_code, response.headers = status, CaseInsensitiveDict(headers)
        response.url, response.request = request.url, request
        return response

    def close(self) -> None:
        self.closed = True


def test_a_scheme_that_only_an_adapter_knows() -> None:
    """The URL reaches it as it was written; without it the scheme is refused."""
    adapter = Canned((200, {}, b"hello"))
    with gofer.Session() as session:
        session.mount("greeting:", adapter)
        assert "hello" == session.get("greeting:World?x=1").text
        assert "greeting:World?x=1" == adapter.requests[0].url
        with pytest.raises(InvalidSchema, match="connection adapters"):
            session.get("parting:World")
    with gofer.Session() as session, pytest.raises(InvalidSchema):
        session.get("greeting:World")

    assert adapter.closed


def test_redirects_between_an_adapter_and_the_network(web: Web) -> None:
    """Each hop is sent by the adapter of its own URL."""
    adapter = Canned((302, {"Location": web.url + "/get"}, b""))
    with gofer.Session() as session:
        session.mount("http://moved.example", adapter)
        response = session.get("http://moved.example/")

    assert (200, [302]) == (response.status_code, [r.status_code for r in response.history])


def test_an_adapter_is_given_what_requests_gives() -> None:
    """The five arguments, and those that `send` was given for it."""
    adapter = Canned((200, {}, b""), (200, {}, b""))
    with gofer.Session() as session:
        session.mount("http://", adapter)
        session.get("http://a.example/", timeout=(1, 2), verify=False, stream=True)
        session.send(session.prepare_request(gofer.Request("GET", "http://a.example/")), colour=1)

    assert {"stream", "timeout", "verify", "cert", "proxies"} == adapter.arguments[0].keys()
    assert ((1, 2), False, True) == tuple(
        adapter.arguments[0][name] for name in ("timeout", "verify", "stream")
    )
    assert 1 == adapter.arguments[1]["colour"]


def test_the_longest_prefix_wins() -> None:
    """Whatever the order in which adapters were mounted."""
    one, two = Canned((201, {}, b"")), Canned((202, {}, b""))
    with gofer.Session() as session:
        session.mount("http://a.example/deep", two)
        session.mount("http://a.example", one)

        assert 202 == session.get("http://A.example/deep/er").status_code
        assert 201 == session.get("http://a.example/").status_code


def test_netrc_patched_where_programs_patch_it(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests.sessions.get_netrc_auth` is not ours to hide."""
    monkeypatch.setattr(sessions, "get_netrc_auth", lambda url: ("user", "pass"))
    with gofer.Session() as session:
        assert session.get(web.url + "/basic-auth/user/pass").ok
    monkeypatch.undo()
    with gofer.Session() as session:
        assert not session.get(web.url + "/basic-auth/user/pass").ok
