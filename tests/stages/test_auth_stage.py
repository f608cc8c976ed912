"""The auth stage: from what the caller gave to requests on the wire, with hand-made responses."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gofer.dropin.models import PreparedRequest
from gofer.exceptions import RequestException
from gofer.messages.cookies import CookieStore
from gofer.messages.fields import FieldSection
from gofer.messages.response import Response
from gofer.messages.url import parse
from gofer.stages import auth as stage
from gofer.stages.auth import AuthBase, NoAuth, credentials_for, from_argument
from gofer.stages.auth.basic import HTTPBasicAuth

URL = "http://one.example/path?query"


class Answer(Response):
    """A response that knows what became of it."""

    fate = "handed out"

    async def discard(self, *_: Any) -> None:
        self.fate = "discarded"

    def close(self) -> None:
        self.fate = "closed"


class Server:
    """Answers with the given status codes in turn, and keeps the requests."""

    def __init__(self, *statuses: int, fields: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.statuses = list(statuses) or [200]
        self.fields = list(fields)
        self.requests: list[Any] = []

    async def send(self, request: Any) -> Answer:
        self.requests.append(request)
        answer = Answer()
        answer.request = request
        answer.status_code = self.statuses.pop(0)
        answer.fields = FieldSection.of(self.fields)
        return answer

    def sent(self, name: str) -> list[str | None]:
        """The field as each request had it."""
        return [request.headers.get(name) for request in self.requests]


def request_for(auth: Any, url: str = URL, **arguments: Any) -> Any:
    request = PreparedRequest()
    request.prepare(method="POST", url=url, **arguments)
    request.auth = from_argument(auth)
    request.settings = SimpleNamespace(  # type: ignore[assignment]
        cookie_store=CookieStore(), store_cookies=True, max_drain=1000
    )
    return request


def run(request: Any, server: Server) -> Any:
    """Drive the stage; it never waits, as `server` does not."""
    coroutine = stage.auth(request, server.send)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the stage waited")


# Which scheme -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [("user", "pass"), ["user", "pass"]])
def test_a_pair_is_basic(pair: Any) -> None:
    """A tuple or a list of two stands for HTTPBasicAuth."""
    assert HTTPBasicAuth("user", "pass") == from_argument(pair)


def test_what_can_be_called_stays_as_it_is() -> None:
    """Functions and objects are schemes; None is none; False is none on purpose."""

    def scheme(request: Any) -> Any:
        return request

    basic = HTTPBasicAuth("user", "pass")

    assert scheme is from_argument(scheme)
    assert basic is from_argument(basic)
    assert None is from_argument(None)
    assert NoAuth() == from_argument(False)


@pytest.mark.parametrize(
    "wrong", ["token", b"token", (), ("a",), ("a", "b", "c"), ["a"], True, 1, {"user": "pass"}]
)
def test_anything_else_is_a_type_error(wrong: Any) -> None:
    """The error says what is expected and does not show what came: it may be a secret."""
    with pytest.raises(TypeError, match="expected") as caught:
        from_argument(wrong)

    assert "token" not in str(caught.value)
    assert "username, password" in str(caught.value)


def test_schemes_are_found_by_name() -> None:
    """The registry knows every scheme, and nothing else."""
    for name in stage.SCHEMES:
        assert name == getattr(stage, name).__name__
        assert name in stage.__all__
    with pytest.raises(AttributeError, match="HTTPNoneAuth"):
        stage.HTTPNoneAuth  # noqa: B018


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://user:pass@one.example/", ("user", "pass")),
        ("http://us%40er:p%3Ass@one.example/", ("us@er", "p:ss")),
        ("http://token@one.example/", ("token", "")),
        ("http://:pass@one.example/", ("", "pass")),
        ("http://@one.example/", None),
        ("http://:@one.example/", None),
        ("http://one.example/", None),
    ],
)
def test_credentials_in_the_url(url: str, expected: tuple[str, str] | None) -> None:
    """Userinfo is Basic credentials unless it is empty."""
    auth = credentials_for(parse(url), None, 0.0)

    assert expected == (auth and (auth.username, auth.password))


@pytest.fixture
def environment(tmp_path: Path) -> Any:
    """An environment that names a netrc file."""
    path = tmp_path / "passwords"
    path.write_text("machine one.example login u password p\ndefault login d password p")
    return SimpleNamespace(netrc=str(path))


def test_netrc_is_asked_last(environment: Any) -> None:
    """The URL wins over netrc, if it has a password; the environment has to be trusted."""
    one, two = parse("http://one.example/"), parse("http://two.example/")
    named, half_named = parse("http://x:y@one.example/"), parse("http://x:@one.example/")

    assert HTTPBasicAuth("u", "p") == credentials_for(one, environment, 0.0)
    assert HTTPBasicAuth("d", "p") == credentials_for(two, environment, 0.0)
    assert HTTPBasicAuth("x", "y") == credentials_for(named, environment, 0.0)
    assert HTTPBasicAuth("u", "p") == credentials_for(half_named, environment, 0.0)
    assert HTTPBasicAuth("x", "") == credentials_for(half_named, None, 0.0)
    assert None is credentials_for(one, None, 0.0)


def test_a_server_cannot_make_use_of_the_default_entry(environment: Any) -> None:
    """After a redirect only an entry for that very host counts."""
    one, two = parse("http://one.example/"), parse("http://two.example/")

    assert HTTPBasicAuth("u", "p") == credentials_for(one, environment, 0.0, is_redirected=True)
    assert None is credentials_for(two, environment, 0.0, is_redirected=True)


def test_the_host_is_the_one_that_is_connected_to(environment: Any) -> None:
    """Userinfo that looks like a host gets no password out of netrc (CVE-2024-47081)."""
    url = parse("http://one.example:@evil.example/")

    assert HTTPBasicAuth("one.example", "") == credentials_for(url, environment, 0.0)


# Callables ----------------------------------------------------------------------------------------


class PizzaAuth(AuthBase):
    """The example of Requests' documentation."""

    def __init__(self, username: str) -> None:
        self.username = username

    def __call__(self, r: Any) -> Any:
        r.headers["X-Pizza"] = self.username
        return r


def test_pizza() -> None:
    """A custom scheme's fields show on the wire."""
    server = Server()

    response = run(request_for(PizzaAuth("kenneth")), server)

    assert ["kenneth"] == server.sent("X-Pizza")
    assert [] == response.history


def test_the_base_cannot_be_called() -> None:
    """A scheme without `__call__` and `flow` says so."""
    with pytest.raises(NotImplementedError, match=r"Auth hooks must be callable\."):
        run(request_for(AuthBase()), Server())


def test_no_auth_is_a_value() -> None:
    """Two of them are equal, so that settings can be compared."""
    assert {NoAuth()} == {NoAuth()}
    assert "<NoAuth>" == repr(NoAuth())


@pytest.mark.parametrize("auth", [None, False, NoAuth(), lambda r: r])
def test_nothing_to_add(auth: Any) -> None:
    """Without a scheme, or with one that adds nothing, the request goes as it is."""
    server = Server(401)
    request = request_for(auth)

    response = run(request, server)

    assert [request] == server.requests
    assert "Authorization" not in request.headers
    assert 401 == response.status_code


def test_none_stands_for_the_same_request() -> None:
    """A callable that forgets its `return` works all the same."""

    def scheme(request: Any) -> None:
        request.headers["X-Token"] = "t"

    server = Server()
    run(request_for(scheme), server)

    assert ["t"] == server.sent("X-Token")


def test_another_request_takes_its_place() -> None:
    """The attributes of a different request that is returned replace ours."""

    def scheme(request: Any) -> Any:
        other = request.copy()
        other.url = "http://one.example/other"
        other.headers["X-Token"] = "t"
        return other

    server = Server()
    request = request_for(scheme)
    run(request, server)

    assert [request] == server.requests
    assert "http://one.example/other" == request.url
    assert ["t"] == server.sent("X-Token")


@pytest.mark.parametrize("wrong", ["request", 1, False, Response(), {}])
def test_a_wrong_return_is_named(wrong: Any) -> None:
    """The error names the callable and what it returned."""

    def my_scheme(request: Any) -> Any:
        return wrong

    class MyScheme:
        def __call__(self, request: Any) -> Any:
            return wrong

    for scheme in (my_scheme, MyScheme()):
        with pytest.raises(TypeError, match=rf"(?i)my_?scheme\(\) returned {type(wrong).__name__}"):
            run(request_for(scheme), Server())


@pytest.mark.parametrize(("body", "expected"), [(b"longer", "6"), ("é", "2"), (None, "0")])
def test_the_length_follows_the_content(body: Any, expected: str) -> None:
    """Content-Length is true after a scheme has changed the content."""

    def scheme(request: Any) -> Any:
        request.body = body
        return request

    request = request_for(scheme, data=b"abc")
    assert "3" == request.headers["Content-Length"]
    run(request, Server())

    assert expected == request.headers["Content-Length"]


def test_the_callables_own_error_passes_untouched() -> None:
    """What a scheme raises is what the caller gets."""
    error = KeyError("mine")

    def scheme(request: Any) -> Any:
        raise error

    with pytest.raises(KeyError) as caught:
        run(request_for(scheme), Server())
    assert error is caught.value


# Flows --------------------------------------------------------------------------------------------


class FlowAuth(AuthBase):
    """A scheme made of a generator function; remembers whether it was closed."""

    def __init__(self, steps: Callable[[Any], Iterator[Any]]) -> None:
        self.steps = steps
        self.closed = 0

    def flow(self, request: Any) -> Any:
        try:
            yield from self.steps(request)
        finally:
            self.closed += 1


def test_a_flow_sends_what_it_yields() -> None:
    """The last response is the result; those before are discarded and become its history."""

    def steps(request: Any) -> Any:
        for number in count(1):
            repeat = request.copy()
            repeat.headers["X-Try"] = str(number)
            response = yield repeat
            if response.status_code == 200:
                return

    server = Server(401, 403, 200)
    auth = FlowAuth(steps)
    response = run(request_for(auth), server)

    assert ["1", "2", "3"] == server.sent("X-Try")
    assert 200 == response.status_code
    assert [401, 403] == [earlier.status_code for earlier in response.history]
    assert ["discarded", "discarded"] == [earlier.fate for earlier in response.history]
    assert "handed out" == response.fate
    assert 1 == auth.closed


def test_a_flow_may_look_at_the_content_before_it_is_discarded() -> None:
    """While the flow runs, its response is open."""
    fates = []

    def steps(request: Any) -> Any:
        response = yield request
        fates.append(response.fate)
        yield request

    run(request_for(FlowAuth(steps)), Server(401, 200))

    assert ["handed out"] == fates


def test_a_flow_that_yields_nothing_sends_the_request() -> None:
    """It has edited the request, as a callable would."""

    def steps(request: Any) -> Any:
        request.headers["X-Token"] = "t"
        yield from ()

    server = Server()
    auth = FlowAuth(steps)
    response = run(request_for(auth), server)

    assert ["t"] == server.sent("X-Token")
    assert [] == response.history
    assert 1 == auth.closed


def test_a_flow_may_ask_somebody_else_first() -> None:
    """A request made by the flow itself is sent with the settings of the one it serves."""

    def steps(request: Any) -> Any:
        token_request = PreparedRequest()
        token_request.prepare(method="POST", url="http://tokens.example/")
        yield token_request
        request.headers["Authorization"] = "Bearer t"
        yield request

    server = Server(200, 200)
    request = request_for(FlowAuth(steps))
    request.deadline = 5.0
    run(request, server)

    token_request, last = server.requests
    assert (request.settings, 5.0) == (token_request.settings, token_request.deadline)
    assert request is last
    assert [None, "Bearer t"] == server.sent("Authorization")


def test_an_error_of_a_flow_closes_its_response() -> None:
    """The flow's own error passes untouched; the connection is let go."""
    answers = []

    def steps(request: Any) -> Any:
        answers.append((yield request))
        raise KeyError("mine")

    auth = FlowAuth(steps)
    with pytest.raises(KeyError, match="mine"):
        run(request_for(auth), Server(401))

    assert "closed" == answers[0].fate
    assert 1 == auth.closed


def test_an_error_of_the_network_closes_the_flow() -> None:
    """A flow is never left hanging."""

    async def send(request: Any) -> Any:
        raise RequestException("no way")

    def steps(request: Any) -> Any:
        yield request

    auth = FlowAuth(steps)
    with pytest.raises(RequestException, match="no way"):
        stage.auth(request_for(auth), send).send(None)

    assert 1 == auth.closed


def test_gofers_errors_carry_request_and_response() -> None:
    """An error from inside a flow says what was asked and what came."""

    def steps(request: Any) -> Any:
        yield request
        raise RequestException("no way")

    server = Server(401)
    with pytest.raises(RequestException) as caught:
        run(request_for(FlowAuth(steps)), server)

    assert server.requests[0] is caught.value.request
    assert 401 == caught.value.response.status_code


# Cookies of answers that nobody sees --------------------------------------------------------------


def two_tries(request: Any) -> Any:
    yield request.copy()
    yield request.copy()


def test_cookies_of_a_challenge_are_kept_and_sent() -> None:
    """A server that ties its nonce to a cookie finds it in the repeat."""
    server = Server(401, 200, fields=((b"Set-Cookie", b"a=1"),))
    request = request_for(FlowAuth(two_tries))

    run(request, server)

    assert [None, "a=1"] == server.sent("Cookie")
    assert "a=1" == request.settings.cookie_store.field_for(parse(URL), 0.0)


def test_the_users_own_cookie_field_stays() -> None:
    """It is not replaced by what a challenge sets."""
    server = Server(401, 200, fields=((b"Set-Cookie", b"a=1"),))

    run(request_for(FlowAuth(two_tries), headers={"Cookie": "mine"}), server)

    assert ["mine", "mine"] == server.sent("Cookie")


def test_cookies_do_not_change_sides() -> None:
    """A cookie of one origin is not handed to the next one a flow asks."""

    def steps(request: Any) -> Any:
        yield request.copy()
        other = request.copy()
        other.url = "http://two.example/"
        yield other

    server = Server(401, 200, fields=((b"Set-Cookie", b"a=1"),))
    run(request_for(FlowAuth(steps)), server)

    assert [None, None] == server.sent("Cookie")
