"""Event hooks: which there are, what they get, what becomes of what they return (S39 to S46c)."""

import os
import subprocess
import sys
import warnings
from typing import Any

import pytest

import gofer
from gofer.auth import HTTPDigestAuth
from gofer.exceptions import HookWarning
from servers.web import Web

EVENTS = ("args", "pre_request", "pre_send", "post_request", "response")


def recorder(log: list[Any], *, result: Any = None) -> Any:
    """A callback that keeps what it gets."""

    def callback(data: Any) -> Any:
        log.append(data)
        return result

    return callback


# Names and data (S39 to S41) ----------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_s39_every_event_on_a_call_and_on_a_session(web: Web, event: str) -> None:
    """A callback of each name runs, given with the call or with the session."""
    log: list[Any] = []
    gofer.get(web.url + "/get", hooks={event: recorder(log)})
    with gofer.session(hooks={event: recorder(log)}) as session:
        session.get(web.url + "/get")

    assert 2 == len(log)


def test_s39_an_unknown_event_is_refused(web: Web) -> None:
    """There is no event of another name."""
    with pytest.raises(ValueError, match="pre_requests"):
        gofer.get(web.url + "/get", hooks={"pre_requests": print})
    with pytest.raises(ValueError, match="sent"):
        gofer.session(hooks={"sent": print})
    assert [] == web.requests


def test_s40_a_callback_gets_the_data_alone(web: Web) -> None:
    """The data are the first and only argument."""
    arguments: list[Any] = []

    def callback(*args: Any) -> None:
        arguments.append(args)

    gofer.get(web.url + "/get", hooks=dict.fromkeys(EVENTS, callback))

    assert [1] * 5 == [len(args) for args in arguments]


def test_s40a_args_gets_every_argument(web: Web) -> None:
    """A dict of all arguments after merging with the session; the method in capitals, headers a
    dict without the default ones."""
    log: list[Any] = []
    with gofer.session(
        headers={"X-One": "1"}, params={"a": "1"}, auth=("user", "pass"), timeout=9,
        hooks={"args": recorder(log)}, config={"strict_mode": True},
    ) as session:  # fmt: skip
        session.request("get", web.url + "/get", headers={"X-Two": "2"}, params={"b": "2"})

    (args,) = log
    assert set(
        "method url data params headers cookies files auth hooks timeout allow_redirects proxies"
        " config json verify cert prefetch".split()
    ) == set(args)
    assert ("GET", web.url + "/get", {"X-One": "1", "X-Two": "2"}) == (
        args["method"], args["url"], dict(args["headers"]),
    )  # fmt: skip
    assert ({"a": "1", "b": "2"}, ("user", "pass"), 9) == (
        args["params"], args["auth"], args["timeout"],
    )  # fmt: skip
    assert args["config"]["strict_mode"]


@pytest.mark.parametrize("method", [None, 5])
def test_s40a_a_method_that_is_none_stays_one(web: Web, method: Any) -> None:
    """It is no word in capitals: the call fails as it does without a hook."""
    with gofer.session() as session, pytest.raises(gofer.exceptions.InvalidMethod):
        session.request(method, web.url + "/get", hooks={"args": recorder([])})


def test_s40a_args_has_headers_to_update(web: Web) -> None:
    """`headers` is a dict even when nobody gave any; the hook runs once per call."""
    log: list[Any] = []
    gofer.get(web.url + "/redirect/1", hooks={"args": recorder(log)})

    assert [{}] == [args["headers"] for args in log]


def test_s40a_what_args_leaves_out_is_left_out(web: Web) -> None:
    """The hook sees the whole of a session's params and fields, and can take them away."""

    def hook(args: Any) -> None:
        del args["params"]["a"]
        del args["headers"]["X-One"]

    with gofer.session(params={"a": "1", "b": "2"}, headers={"X-One": "1"}) as session:
        session.get(web.url + "/get", hooks={"args": hook})

    assert "/get?b=2" == web.requests[0].target
    assert web.requests[0].field("x-one") is None


@pytest.mark.parametrize("added", [{"deadline": 20}, {"stream": True}, {"priority": 1}])
def test_s40a_what_args_adds_is_added(web: Web, added: dict[str, Any]) -> None:
    """Any argument of a call, also one that hooks are not shown."""
    with gofer.session() as session:
        answer = session.get(web.url + "/get", hooks={"args": lambda args: {**args, **added}})

    assert (200, "deadline" in added) == (answer.status_code, answer.request.deadline is not None)


def test_s40b_pre_request_sees_what_goes_out(web: Web) -> None:
    """The request as it is written: final URL, credentials, cookies and media type."""
    seen: list[Any] = []

    def callback(request: Any) -> None:
        seen.append((request.method, request.url, dict(request.headers), request.sent))

    gofer.post(
        web.url + "/post", params={"a": "1"}, data={"k": "v"}, auth=("user", "pass"),
        cookies={"c": "1"}, hooks={"pre_request": callback},
    )  # fmt: skip

    ((method, url, headers, sent),) = seen
    assert ("POST", web.url + "/post?a=1", False) == (method, url, sent)
    assert {"Authorization", "Cookie", "Content-Type", "User-Agent"} <= set(headers)


def test_s40b_pre_request_runs_for_every_wire_request(web: Web) -> None:
    """Redirect hops and a digest repeat are requests of their own; edits count."""
    log: list[Any] = []
    gofer.get(web.url + "/redirect/2", hooks={"pre_request": recorder(log)})
    assert [web.url + path for path in ("/redirect/2", "/redirect/1", "/get")] == [
        request.url for request in log
    ]

    log.clear()
    gofer.get(
        web.url + "/digest-auth/auth/user/pass",
        auth=HTTPDigestAuth("user", "pass"), hooks={"pre_request": recorder(log)},
    )  # fmt: skip
    assert 2 == len(log)
    assert "Authorization" in log[1].headers


def test_s40b_the_words_of_2012_are_on_the_request(web: Web, session: gofer.Session) -> None:
    """What hooks receive has session, config, sent, response, full_url, params, data, files and
    allow_redirects."""
    log: list[Any] = []
    session.post(
        web.url + "/post", params={"a": "1"}, data={"k": "v"}, config={"strict_mode": True},
        allow_redirects=False, hooks={"pre_request": recorder(log), "post_request": recorder(log)},
    )  # fmt: skip

    for request in log:
        assert request.session is session
        assert ({"a": "1"}, {"k": "v"}, False) == (
            request.params, request.data, request.allow_redirects,
        )  # fmt: skip
        assert web.url + "/post?a=1" == request.full_url
        assert request.config["strict_mode"] is True
        assert request.files is None
    assert log[1].sent


def test_s40b_edits_of_pre_request_count(web: Web) -> None:
    """Method, URL, fields and content can be changed on the way out."""

    def callback(request: Any) -> None:
        request.method = "PUT"
        request.url = web.url + "/anything/else"
        request.headers["X-Test"] = "1"
        request.prepare_body("changed", None)

    sent = gofer.post(web.url + "/post", data="was", hooks={"pre_request": callback}).json()

    assert ("PUT", web.url + "/anything/else", "1", "changed") == (
        sent["method"], sent["url"], sent["headers"]["X-Test"], sent["data"],
    )  # fmt: skip


def test_s40c_post_request_comes_after_the_response(web: Web) -> None:
    """It gets the request, which is sent and has its response."""
    log: list[Any] = []
    response = gofer.get(web.url + "/get", hooks={"post_request": recorder(log)})

    (request,) = log
    assert request.sent
    assert request.response is response


def test_s40d_response_runs_once_per_hop(web: Web) -> None:
    """Each answer, the redirects too, with the history that led to it (as today, B25)."""
    log: list[Any] = []
    gofer.get(web.url + "/redirect/2", hooks={"response": recorder(log)})

    assert [302, 302, 200] == [response.status_code for response in log]
    assert [0, 1, 2] == [len(response.history) for response in log]


def test_s41_the_order(web: Web) -> None:
    """args, pre_request, the wire, response, post_request."""
    order: list[str] = []

    def note(event: str) -> Any:
        return lambda data: order.append(f"{event} {len(web.requests)}")

    gofer.get(web.url + "/get", hooks={event: note(event) for event in reversed(EVENTS)})

    assert "args 0, pre_request 0, pre_send 0, response 1, post_request 1" == ", ".join(order)


# Errors (S42) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_s42_an_error_in_a_callback_is_a_warning(web: Web, event: str) -> None:
    """The request goes on; the warning names hook, callback, error, and has its traceback."""

    def failing(data: Any) -> None:
        raise KeyError("nothing there")

    with pytest.warns(HookWarning) as caught:
        response = gofer.get(web.url + "/get", hooks={event: failing})

    assert 200 == response.status_code
    (warning,) = caught
    text = str(warning.message)
    assert isinstance(warning.message, UserWarning)
    for part in (event, "failing", "KeyError", "nothing there", "Traceback", __file__):
        assert part in text


@pytest.mark.filterwarnings("error::gofer.exceptions.HookWarning")
def test_s42_the_warning_can_be_an_error(web: Web) -> None:
    """A filter turns it into an exception."""
    with pytest.raises(HookWarning):
        gofer.get(web.url + "/get", hooks={"args": lambda args: 1 / 0})


@pytest.mark.only_in("blocking")  # in a process of its own
def test_s42_every_failure_is_shown(web: Web) -> None:
    """Python's filter would show only the first from one place."""
    program = (
        "import gofer\n"
        "for _ in range(3):\n"
        f"    gofer.get({web.url + '/get'!r}, hooks={{'args': lambda args: 1 / 0}})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert 3 == done.stderr.count("HookWarning")


@pytest.mark.parametrize("event", EVENTS)
def test_s42_an_interrupt_is_no_error_of_a_hook(web: Web, event: str) -> None:
    """KeyboardInterrupt and its like always end the call."""

    def interrupted(data: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gofer.get(web.url + "/get", hooks={event: interrupted})


def test_s42_a_callback_with_keywords_raises(web: Web) -> None:
    """A response hook written for today's Requests gets its keywords, and its errors propagate."""
    seen: list[Any] = []

    def modern(response: Any, **keywords: Any) -> None:
        seen.append(set(keywords))
        response.raise_for_status()

    with pytest.raises(gofer.HTTPError):
        gofer.get(web.url + "/status/404", hooks={"response": modern})
    assert [{"timeout", "verify", "proxies", "stream", "cert"}] == seen


def test_s42_hook_errors_overrides(web: Web) -> None:
    """`hook_errors` says "raise" or "warn" whatever the signature."""

    def old(data: Any) -> None:
        raise KeyError("old")

    def modern(data: Any, **keywords: Any) -> None:
        raise KeyError("modern")

    with pytest.raises(KeyError, match="old"):
        gofer.get(web.url + "/get", hooks={"args": old}, config={"hook_errors": "raise"})
    with pytest.warns(HookWarning, match="modern"):
        gofer.get(web.url + "/get", hooks={"response": modern}, config={"hook_errors": "warn"})


headers: dict[str, str] = {}  # what the page's own example looks up by mistake


def test_s42a_the_pages_example_as_printed(web: Web) -> None:
    """`args[headers]` is a TypeError: a warning, and the request goes on without X-Testing."""

    def hack_headers(args: Any) -> Any:
        if not args[headers]:
            args["headers"] = dict()  # noqa: C408
        args["headers"].update({"X-Testing": "True"})
        return args

    hooks = dict(args=hack_headers)  # noqa: C408
    with pytest.warns(HookWarning, match="TypeError"):
        response = gofer.get(web.url + "/headers", hooks=hooks, headers={"yo": "dawg"})

    sent = response.json()["headers"]
    assert "dawg" == sent["Yo"]
    assert "X-Testing" not in sent


# What callbacks return (S43 to S46) ---------------------------------------------------------------


def test_s43_args_are_replaced(web: Web) -> None:
    """The dict that is returned is used."""
    gofer.get(
        web.url + "/get",
        hooks={"args": lambda args: {**args, "url": web.url + "/json", "method": "OPTIONS"}},
    )

    assert ("OPTIONS", "/json") == (web.requests[0].method, web.requests[0].target)


@pytest.mark.parametrize("kind", [gofer.Request, "prepared", "of the session"])
def test_s43_the_request_is_replaced(web: Web, session: gofer.Session, kind: Any) -> None:
    """The request that is returned is sent, prepared or not."""

    def callback(request: Any) -> Any:
        other = gofer.Request("PUT", web.url + "/put", data="other")
        if kind == "prepared":
            return other.prepare()
        return other if kind is gofer.Request else session.prepare_request(other)

    sent = session.get(web.url + "/get", hooks={"pre_request": callback}).json()

    assert ("PUT", "other") == (sent["method"], sent["data"])
    assert ["/put"] == [request.target for request in web.requests]


@pytest.mark.parametrize("kind", [gofer.Request, "prepared", "of the session"])
def test_s43_the_call_still_counts(web: Web, session: gofer.Session, kind: Any) -> None:
    """The request that is returned is sent by what the call said: in its time, and no longer."""

    def callback(request: Any) -> Any:
        other = gofer.Request("GET", web.url + "/gate/late")
        if kind == "prepared":
            return other.prepare()
        return other if kind is gofer.Request else session.prepare_request(other)

    with pytest.raises(gofer.ReadTimeout):
        session.get(web.url + "/get", hooks={"pre_request": callback}, timeout=(20, 0.1))
    web.gates["late"].set()


def test_s43_the_response_is_replaced(web: Web) -> None:
    """The response that is returned is what the caller gets."""
    other = gofer.Response()
    other.status_code = 299

    assert other is gofer.get(web.url + "/get", hooks={"response": lambda r: other})


@pytest.mark.parametrize("event", ["response", "post_request"])
def test_s43_a_falsy_response_counts(web: Web, event: str) -> None:
    """A 404 is falsy, and no less a replacement."""
    other = gofer.Response()
    other.status_code = 404

    def callback(data: Any) -> Any:
        if event == "response":
            return other
        data.response = other
        return data

    assert other is gofer.get(web.url + "/get", hooks={event: callback})


@pytest.mark.parametrize("event", EVENTS)
def test_s43_a_wrong_type_is_named(web: Web, event: str) -> None:
    """What cannot take the place of the data is a TypeError that names the hook."""
    with pytest.raises(TypeError, match=event):
        gofer.get(web.url + "/get", hooks={event: lambda data: 42})


def test_s44_none_changes_nothing_but_what_was_done_in_place(web: Web) -> None:
    """Changes to the object itself count."""

    def callback(args: Any) -> None:
        args["headers"]["X-Test"] = "1"

    gofer.get(web.url + "/get", hooks={"args": callback})
    gofer.get(web.url + "/get", hooks={"response": lambda r: None})

    assert ["1", None] == [request.field("x-test") for request in web.requests]


def test_s45_the_example_that_prints(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    """The URL is printed before the request is sent, then the response is returned."""

    def print_url(args: Any) -> None:
        print(args["url"], len(web.requests))  # noqa: T201

    response = gofer.get(web.url + "/get", hooks=dict(args=print_url))  # noqa: C408

    assert f"{web.url}/get 0\n" == capsys.readouterr().out
    assert 200 == response.status_code


def test_s46_the_example_that_hijacks(web: Web) -> None:
    """The page's example with its quotes put right: the server sees both fields."""

    def hack_headers(args: Any) -> Any:
        if not args["headers"]:
            args["headers"] = dict()  # noqa: C408
        args["headers"].update({"X-Testing": "True"})
        return args

    hooks = dict(args=hack_headers)  # noqa: C408
    response = gofer.get(web.url + "/headers", hooks=hooks, headers=dict(yo="dawg"))  # noqa: C408

    sent = response.json()["headers"]
    assert ("dawg", "True") == (sent["Yo"], sent["X-Testing"])


def test_s46a_a_calls_hook_replaces_the_sessions(web: Web) -> None:
    """Session hooks are used where the call has none of that name."""
    log: list[str] = []
    hooks = {event: lambda data, event=event: log.append(event) for event in ("args", "response")}
    with gofer.session(hooks=hooks) as session:
        session.get(web.url + "/get", hooks={"response": lambda r: log.append("call")})

    assert ["args", "call"] == log


@pytest.mark.parametrize("kind", [list, tuple])
def test_s46b_several_callbacks_in_order(web: Web, kind: Any) -> None:
    """Each receives what the one before returned."""

    def add(value: str) -> Any:
        return lambda args: {**args, "params": [*(args["params"] or ()), ("p", value)]}

    gofer.get(web.url + "/get", hooks={"args": kind([add("1"), add("2"), add("3")])})

    assert "/get?p=1&p=2&p=3" == web.requests[0].target


def test_s46c_hooks_are_registered_and_taken_away(web: Web, session: gofer.Session) -> None:
    """`register_hook` takes one callback or several; `deregister_hook` says if it was there."""
    log: list[Any] = []
    one, two = recorder(log), recorder(log)
    for request in (gofer.Request("GET", web.url + "/get"),
                    session.prepare_request(gofer.Request("GET", web.url + "/get"))):  # fmt: skip
        request.register_hook("response", one)
        request.register_hook("response", [two, two])
        assert [one, two, two] == request.hooks["response"]
        assert request.deregister_hook("response", one)
        assert not request.deregister_hook("response", one)
        with pytest.raises(ValueError):
            request.register_hook("never", one)
    session.send(request)

    assert 2 == len(log)


def test_no_hook_warns_by_itself(web: Web) -> None:
    """A call with hooks that work gives no warning at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gofer.get(web.url + "/get", hooks={event: recorder([]) for event in EVENTS})
