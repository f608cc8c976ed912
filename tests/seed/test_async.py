"""Asynchronous requests: the seed's `async` module (S30 to S38d)."""

import importlib
import subprocess
import sys
import threading
from typing import Any

import pytest

import gofer
from gofer import async_
from servers.listener import Gate
from servers.raw import refused_port
from servers.web import Web

# The module has an engine of its own; in which world the rest lives does not matter to it.
pytestmark = pytest.mark.only_in("blocking")

VERBS = ("get", "options", "head", "post", "put", "patch", "delete")


def test_s30_many_requests_are_under_way_at_once(web: Web, gate: Gate) -> None:
    """Twenty requests are at the server before the first is answered, from one thread."""
    requests = [async_.get(web.url + "/gate/late") for _ in range(20)]

    def open_when_all_are_there() -> None:
        web.wait_for(lambda: web.in_flight == 20)
        gate.set()

    opener = threading.Thread(target=open_when_all_are_there)
    opener.start()
    responses = async_.map(requests)
    opener.join()

    assert [200] * 20 == [response.status_code for response in responses]


def test_s31_the_module_exists_under_both_names() -> None:
    """`async` cannot be written in an import statement; everything else finds the same module."""
    assert async_ is importlib.import_module("gofer.async")
    assert async_ is getattr(gofer, "async")
    assert async_ is gofer.async_


def test_s31_nothing_is_patched() -> None:
    """Importing everything leaves socket, ssl, threading and select as they were."""
    program = """
import select, socket, ssl, sys, threading
before = [dict(vars(module)) for module in (select, socket, ssl, threading)]
import gofer, gofer.async_, gofer.aio, gofer.bulk
gofer.map(["http://127.0.0.1:1/"])
after = [dict(vars(module)) for module in (select, socket, ssl, threading)]
assert before == after
assert "gevent" not in sys.modules and "trio" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


@pytest.mark.parametrize("verb", VERBS)
def test_s32_the_functions_do_not_send(web: Web, verb: str) -> None:
    """Each function of the main API is there, and nothing reaches the server."""
    unsent = getattr(async_, verb)(web.url + "/anything", headers={"X-One": "1"})

    assert verb.upper() == unsent.method
    assert [] == web.requests
    assert async_.request("GET", web.url + "/get").method == "GET"


def test_s33_they_return_a_request(web: Web) -> None:
    """A Request that was not sent, with an empty response; only the `args` hook has run."""
    log: list[str] = []
    hooks = {
        "args": lambda args: log.append("args"),
        "pre_request": lambda request: log.append("pre_request"),
    }
    unsent = async_.get(web.url + "/get", hooks=hooks)

    assert "<Request [GET]>" == repr(unsent)
    assert not unsent.sent
    assert unsent.response.status_code is None
    assert ["args"] == log


def test_s34_send_sends_that_one(web: Web) -> None:
    """`send()` blocks, and sends once; `anyway` sends again."""
    request = async_.get(web.url + "/get")

    assert request.send() is True
    assert request.sent
    assert 200 == request.response.status_code
    assert request.send() is True
    assert 1 == len(web.requests)
    request.send(anyway=True)
    assert 2 == len(web.requests)


def test_s35_map_keeps_the_order_of_the_requests(web: Web) -> None:
    """A list in the order of the requests, whatever completes first; any iterable will do."""
    requests = [async_.get(f"{web.url}/drip/{1000 - 100 * n}") for n in range(8)]
    responses = async_.map(iter(requests))

    assert [1000 - 100 * n for n in range(8)] == [len(r.content) for r in responses]
    for request, response in zip(requests, responses, strict=True):
        assert request.response is response
    assert [] == async_.map([])


def test_s36_contents_are_read_by_default(web: Web) -> None:
    """`prefetch=True` is the default of map; `prefetch=False` leaves contents for later."""
    url = web.url + "/drip/5000"
    (read,) = async_.map([async_.get(url)])
    (lazy,) = async_.map([async_.get(url)], prefetch=False)
    (streamed,) = async_.map([async_.get(url)], stream=True)

    assert read._content is not False
    assert b"*" * 5000 == lazy.content == streamed.content == read.content


def test_s37_response_hooks_run_once_for_each(web: Web) -> None:
    """`map` runs the `response` hook of every request, once."""
    log: list[Any] = []
    requests = [
        async_.get(f"{web.url}/status/{code}", hooks={"response": log.append})
        for code in (200, 404, 500)
    ]
    responses = async_.map(requests)

    assert {id(response) for response in responses} == {id(response) for response in log}
    assert 3 == len(log)


@pytest.mark.http1("a server thread for each connection")
def test_s38_size_bounds_what_is_open(web: Web, gate: Gate) -> None:
    """Never more than `size` exchanges are open, contents included, and that many are."""
    requests = [async_.get(f"{web.url}/drip/3000?n={n}") for n in range(20)]
    responses = async_.map(requests, size=5)

    assert [3000] * 20 == [len(response.content) for response in responses]
    assert 5 == web.in_flight_peak
    assert 5 >= web.peak


def test_s38_size_is_used(web: Web, gate: Gate) -> None:
    """With more requests than `size`, `size` connections are in use."""

    def open_when_five_are_there() -> None:
        web.wait_for(lambda: web.in_flight == 5)
        gate.set()

    opener = threading.Thread(target=open_when_five_are_there)
    opener.start()
    responses = async_.map([async_.get(web.url + "/gate/late") for _ in range(12)], size=5)
    opener.join()

    assert [True] * 12 == [response.ok for response in responses]
    assert 5 == web.in_flight_peak


@pytest.mark.parametrize("size", [0, -1])
def test_s38_a_size_of_nothing(size: int) -> None:
    """A size that would never send anything is refused."""
    with pytest.raises(ValueError, match="size"):
        async_.map([async_.get("http://127.0.0.1/")], size=size)


def test_s38a_a_failure_keeps_its_place(web: Web) -> None:
    """It has a falsy response with the exception; the others are as they should be."""
    requests = [
        async_.get(web.url + "/get"),
        async_.get(f"http://127.0.0.1:{refused_port()}/"),
        async_.get(web.url + "/status/404"),
    ]
    good, failed, missing = async_.map(requests)

    assert (200, 0, 404) == (good.status_code, failed.status_code, missing.status_code)
    assert not failed
    assert isinstance(failed.error, gofer.exceptions.ConnectionRefused)
    assert missing.error is None
    assert requests[1].response is failed
    with pytest.raises(gofer.ConnectionError):
        failed.raise_for_status()


def test_s38a_a_handler_may_supply_another_value(web: Web) -> None:
    """`exception_handler` gets the request and the exception; None keeps the falsy response."""
    request = async_.get(f"http://127.0.0.1:{refused_port()}/")
    seen: list[Any] = []

    def instead(asked: Any, error: Exception) -> str:
        seen.append((asked, type(error).__name__))
        return "instead"

    assert ["instead"] == async_.map([request], exception_handler=instead)
    assert [(request, "ConnectionRefused")] == seen
    (kept,) = async_.map([request], exception_handler=lambda asked, error: None)
    assert 0 == kept.status_code


def test_s38b_send_gives_something_to_wait_for(web: Web) -> None:
    """`send` sends in the background: `get()` and `result()` wait, and raise what went wrong."""
    assert 200 == async_.send(async_.get(web.url + "/get")).get().status_code
    assert 404 == async_.send(async_.get(web.url + "/status/404")).result(20).status_code
    failing = async_.send(async_.get(f"http://127.0.0.1:{refused_port()}/"))
    with pytest.raises(gofer.ConnectionError):
        failing.get()


def test_s38b_send_in_a_pool(web: Web) -> None:
    """A pool with `spawn`, as gevent's, is asked to do it."""

    class Pool:
        def spawn(self, function: Any, *arguments: Any) -> Any:
            return "spawned", function(*arguments)

    how, response = async_.send(async_.get(web.url + "/get"), Pool())

    assert ("spawned", 200) == (how, response.status_code)


def test_s38c_imap_yields_as_they_complete(web: Web, gate: Gate) -> None:
    """The quick one comes first though it was asked for second."""
    responses = async_.imap([async_.get(web.url + "/gate/late"), async_.get(web.url + "/get")])

    assert next(responses).url.endswith("/get")
    gate.set()
    assert next(responses).url.endswith("/gate/late")
    assert [] == list(responses)


def test_s38c_imap_reads_its_input_lazily(web: Web) -> None:
    """No more of the input is read than is needed to keep `size` under way."""
    asked: list[int] = []

    def requests() -> Any:
        for n in range(1000):
            asked.append(n)
            yield async_.get(web.url + "/get")

    responses = async_.imap(requests(), size=3)
    next(responses)
    responses.close()

    assert len(asked) < 20


def test_s38c_closing_stops_what_is_under_way(web: Web, gate: Gate) -> None:
    """Closing the iterator closes the connections of what has not been answered."""
    waiting = [async_.get(web.url + "/gate/late") for _ in range(3)]
    responses = async_.imap([async_.get(web.url + "/get"), *waiting], size=4)
    next(responses)
    web.wait_for(lambda: web.in_flight == 3)
    responses.close()
    gate.set()

    web.wait_for(lambda: web.open == 0)


def test_s38d_cookies_reach_the_session(web: Web) -> None:
    """Requests made with `session=s` use and fill its cookies."""
    session = gofer.Session(cookies={"first": "1"})
    urls = [f"{web.url}/cookies/set/c{n}/{n}" for n in range(5)]
    async_.map([async_.get(url, session=session) for url in urls])
    (response,) = async_.map([async_.get(web.url + "/cookies", session=session)])

    assert {"first": "1", **{f"c{n}": str(n) for n in range(5)}} == response.json()["cookies"]
    assert "3" == session.cookies["c3"]
    session.close()


def test_a_time_for_all_of_them(web: Web, gate: Gate) -> None:
    """`gtimeout` ends the wait; what is not done then has failed, the rest is there."""
    requests = [async_.get(web.url + "/get"), async_.get(web.url + "/gate/late")]
    good, late = async_.map(requests, gtimeout=0.3)

    assert 200 == good.status_code
    assert isinstance(late.error, gofer.DeadlineExceeded)
