"""When to try again: what a policy decides, and what the stage does with it."""

import pickle
import random
import re
from types import SimpleNamespace
from typing import Any

import pytest

import gofer
from gofer.exceptions import (
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    DeadlineExceeded,
    NameResolutionError,
    ReadTimeout,
    RemoteProtocolError,
    RequestException,
    RetryError,
    SSLError,
)
from gofer.stages.retries import Retry, policy_from, repeats_silently, retry_after
from servers.raw import Peer, answers, refused_port, response, serve

NOW = 1_700_000_000.0  # wall clock, as it is told


def request(method: str = "GET", *, replayable: bool = True, fresh: bool = False) -> Any:
    return SimpleNamespace(
        method=method, is_replayable=lambda: replayable, fresh_connection=fresh
    )  # fmt: skip


def lost(*, reused: bool = True, unanswered: bool = True, unsent: bool = False) -> ConnectionLost:
    error = ConnectionLost("it broke")
    error.is_reused, error.is_unanswered, error.is_unsent = reused, unanswered, unsent
    return error


def answer(status: int) -> Any:
    return SimpleNamespace(status_code=status)


# The policy -----------------------------------------------------------------------------------------


def test_a_policy_does_not_change() -> None:
    """Each attempt gives another one; equal ones are equal, and pickled ones too."""
    policy = Retry(total=2, connect=1)
    spent = policy.after_error(request(), ConnectionRefused("no"))
    with pytest.raises(AttributeError, match="replace"):
        policy.total = 5
    with pytest.raises(AttributeError, match="replace"):
        del policy.total

    assert (2, 1) == (policy.total, policy.connect)
    assert spent is not None
    assert (1, 0) == (spent.total, spent.connect)
    assert policy.replace(total=1, connect=0) == spent == pickle.loads(pickle.dumps(spent))
    assert hash(spent) == hash(policy.replace(total=1, connect=0))


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"methods": "GET"}, "['GET']"), ({"methods": [b"GET"]}, "['GET']"),
     ({"methods": 5}, "['GET']"), ({"statuses": "503"}, "[503]"), ({"statuses": 503}, "[503]"),
     ({"statuses": ["503"]}, "[503]"), ({"total": 2.5}, "a whole number"),
     ({"total": None}, "a whole number"), ({"connect": "1"}, "a whole number"),
     ({"backoff": float("nan")}, "seconds"), ({"max_backoff": None}, "seconds")],
    ids=str,
)  # fmt: skip
def test_what_would_never_match_is_refused(values: dict[str, Any], expected: str) -> None:
    """At once, and with what to write instead."""
    with pytest.raises(
        ValueError, match=f"{next(iter(values))}=.* expected .*{re.escape(expected)}"
    ):
        gofer.Retry(**values)


@pytest.mark.parametrize("name", ["total", "connect", "read", "status", "backoff", "max_backoff"])
def test_negative_numbers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=-1"):
        Retry(**{name: -1})


@pytest.mark.parametrize(
    ("error", "method", "is_repeated"),
    [
        (ConnectionRefused("no"), "POST", True),
        (ConnectTimeout("late"), "POST", True),
        (NameResolutionError("who"), "POST", True),
        (lost(), "GET", True),
        (lost(), "PUT", True),
        (lost(), "DELETE", True),
        (lost(), "POST", False),
        (lost(), "PATCH", False),
        (lost(unsent=True), "POST", True),
        (ReadTimeout("late"), "GET", True),
        (ReadTimeout("late"), "POST", False),
        (DeadlineExceeded("over"), "GET", False),
        (SSLError("who are you"), "GET", False),
        (RemoteProtocolError("what"), "GET", False),
        (RequestException("else"), "GET", False),
    ],
)
def test_errors_that_are_worth_another_try(
    error: RequestException, method: str, is_repeated: bool
) -> None:
    """Where no server can have seen it, any method; where one may have, idempotent ones."""
    policy = Retry(total=1)

    assert is_repeated is (policy.after_error(request(method), error) is not None)
    assert policy.after_error(request(method, replayable=False), error) is None
    assert Retry(total=0).after_error(request(method), error) is None


def test_each_kind_has_its_budget() -> None:
    """The total counts for all of them, a budget of its own for one kind."""
    policy = Retry(total=3, connect=1, read=0)
    assert policy.after_error(request(), lost()) is None
    spent = policy.after_error(request(), ConnectionRefused("no"))

    assert spent is not None
    assert spent.after_error(request(), ConnectionRefused("no")) is None
    assert spent.after_response(request(), answer(503)) is not None


@pytest.mark.parametrize(
    ("status", "method", "is_repeated"),
    [(503, "GET", True), (429, "PUT", True), (503, "POST", False), (500, "GET", False), (200, "GET", False)],
)  # fmt: skip
def test_answers_that_are_worth_another_try(status: int, method: str, is_repeated: bool) -> None:
    policy = Retry(total=1)

    assert is_repeated is (policy.after_response(request(method), answer(status)) is not None)
    assert policy.after_response(request(method, replayable=False), answer(status)) is None
    any_method = Retry(total=1, methods=None)
    assert (status in (429, 503)) is (
        any_method.after_response(request(method), answer(status)) is not None
    )


@pytest.mark.parametrize("attempt", [1, 2, 5, 1000])
def test_pauses_are_random_and_bounded(attempt: int) -> None:
    """Full jitter: between 0 and backoff × 2^(n-1), never over `max_backoff`."""
    random.seed(1)
    policy = Retry(backoff=0.5, max_backoff=3)
    pauses = [policy.delay(attempt, None, 120) for _ in range(200)]
    most = min(3, 0.5 * 2 ** min(attempt - 1, 60))

    assert 0 <= min(pauses) < most / 4
    assert most * 3 / 4 < max(pauses) <= most


def test_retry_after_is_obeyed_up_to_a_limit() -> None:
    """Unless the policy says otherwise."""
    assert 7 == Retry().delay(1, 7, 120)
    assert 120 == Retry().delay(1, 999_999_999, 120)
    assert 0 == Retry().delay(1, 0, 120)
    assert Retry(respect_retry_after=False, backoff=0.1).delay(1, 7, 120) <= 0.1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 5 ", 5), ("0", 0), ("9" * 400, 999_999_999_999), ("-5", None), ("1.5", None),
        ("²", None), ("soon", None), ("", None), (None, None),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10), ("Tue, 14 Nov 2023 22:13:10 GMT", 0),
        ("Tuesday, 14-Nov-23 22:13:30 GMT", 10), ("Wed, 32 Foo 2023 99:99:99 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """RFC 9110, 10.2.3; what is neither is as if there were none."""
    assert seconds == retry_after(value, NOW)


@pytest.mark.parametrize(
    ("error", "asked", "is_repeated"),
    [
        (lost(), request("GET"), True),
        (lost(), request("POST"), False),
        (lost(unsent=True), request("POST"), True),
        (lost(reused=False), request("GET"), False),
        (lost(unanswered=False), request("GET"), False),
        (lost(), request("GET", replayable=False), False),
        (lost(), request("GET", fresh=True), False),
    ],
)
def test_what_is_repeated_without_being_asked(
    error: ConnectionLost, asked: Any, is_repeated: bool
) -> None:
    """A dead kept connection, nothing answered, safe to send again, and only once."""
    assert is_repeated is repeats_silently(asked, error)


class Theirs:
    """The attributes of urllib3's Retry."""

    def __init__(self, **values: Any) -> None:
        self.total: Any = 3
        self.connect = self.read = self.status = None
        self.allowed_methods: Any = frozenset({"GET"})
        self.status_forcelist: Any = {503}
        self.backoff_factor = 0.5
        self.respect_retry_after_header = True
        self.raise_on_status = True
        self.__dict__.update(values)


def test_what_max_retries_means() -> None:
    """A number is for connecting alone; a policy is itself; urllib3's is understood."""
    number = policy_from(2)

    assert policy_from(0) is policy_from(None) is policy_from(False) is None
    assert number is not None
    assert (2, 0, 0) == (number.total, number.read, number.status)
    assert Retry(1) is not None
    policy = Retry(1)
    assert policy is policy_from(policy)
    theirs = policy_from(Theirs())
    assert theirs is not None
    assert (3, frozenset({503}), frozenset({"GET"}), 0.5, True) == (
        theirs.total, theirs.statuses, theirs.methods, theirs.backoff, theirs.raise_on_status,
    )  # fmt: skip
    for value in (-1, "x", 1.5):
        with pytest.raises(ValueError, match="max_retries"):
            policy_from(value)


@pytest.mark.parametrize("total", [False, 0])
def test_a_policy_of_urllib3_without_retries(total: Any) -> None:
    policy = policy_from(Theirs(total=total))

    assert policy is None or policy.after_error(request(), ConnectionRefused("no")) is None


# The stage ------------------------------------------------------------------------------------------

BUSY = response(b"busy", "503 Service Unavailable", retry_after="0")
OK = response(b"ok")


def test_answers_are_asked_for_again() -> None:
    """Until one is fine, on the same connection."""
    policy = Retry(total=3, backoff=0)
    with serve(answers(BUSY, BUSY, OK)) as server:
        with gofer.Session(config={"max_retries": policy}) as session:
            assert b"ok" == session.get(server.url).content

        assert (3, 1) == (len(server.requests), server.accepted)


@pytest.mark.parametrize("is_raised", [False, True])
def test_when_the_tries_are_used_up(is_raised: bool) -> None:
    """The last answer, or RetryError with it."""
    policy = Retry(total=1, backoff=0, raise_on_status=is_raised)
    with serve(answers(BUSY, BUSY)) as server:
        with gofer.Session(config={"max_retries": policy}) as session:
            if is_raised:
                with pytest.raises(RetryError, match="503 2 times") as caught:
                    session.get(server.url)
                assert 503 == caught.value.response.status_code
            else:
                assert b"busy" == session.get(server.url).content


def test_a_post_is_not_repeated_unless_named() -> None:
    """A policy names the methods that may be sent twice."""
    with serve(answers(BUSY, BUSY, OK)) as server, gofer.Session() as session:
        policy = Retry(total=1, backoff=0)
        got = session.post(server.url, b"x", config={"max_retries": policy})
        assert 503 == got.status_code
        policy = policy.replace(methods={"post"})
        assert b"ok" == session.post(server.url, b"x", config={"max_retries": policy}).content


def test_a_broken_answer_is_asked_for_again() -> None:
    """A new connection each time; the last error is the one that is raised.

    That a kept connection turned out to be dead is not counted among the retries.
    """
    policy = Retry(total=2, backoff=0)
    with serve(answers(Peer.reset, Peer.reset, OK, *[Peer.reset] * 4)) as server:
        with gofer.Session(config={"max_retries": policy}) as session:
            assert b"ok" == session.get(server.url).content
            with pytest.raises(ConnectionLost):
                session.get(server.url)
        assert 3 + 4 == len(server.requests)


def test_content_is_sent_from_its_start_again(tmp_path: Any) -> None:
    """A file too, from where it stood."""
    path = tmp_path / "file"
    path.write_bytes(b"skipped" + b"content")
    contents: list[bytes] = []

    def script(peer: Peer) -> None:
        while True:
            contents.append(peer.receive_request()[1])
            peer.send(BUSY if len(contents) < 3 else OK)

    policy = Retry(total=2, backoff=0)
    with serve(script) as server, path.open("rb") as file:
        file.seek(7)
        with gofer.Session(config={"max_retries": policy}) as session:
            assert b"ok" == session.put(server.url, file).content

    assert [b"content"] * 3 == contents


def test_a_deadline_ends_it() -> None:
    """A pause that would pass it is not begun: the answer that is there is returned."""
    patient = response(b"busy", "503 Service Unavailable", retry_after="100")
    with serve(answers(patient)) as server, gofer.Session() as session:
        config = {"max_retries": Retry(total=5)}
        assert 503 == session.get(server.url, deadline=5, config=config).status_code


def test_a_refused_connection_is_tried_so_often(
    monkeypatch: pytest.MonkeyPatch, world: Any
) -> None:
    """`max_retries=n`: n more."""
    tried = []
    connect = type(world).connect

    async def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        tried.append(args)
        return await connect(self, *args, **kwargs)

    monkeypatch.setattr(type(world), "connect", counting)
    with gofer.Session(config={"max_retries": 2}) as session, pytest.raises(ConnectionRefused):
        session.post(f"http://127.0.0.1:{refused_port()}/", b"x")

    assert 3 == len(tried)
