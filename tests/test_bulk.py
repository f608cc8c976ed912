"""`map` and `imap`: many requests at once, each with an outcome of its own."""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice, repeat
from typing import Any

import pytest

import gofer
from gofer.adapters import BaseAdapter, HTTPAdapter
from servers.certificates import Certificates
from servers.raw import Peer, always, refused_port, response, serve
from servers.web import Web

OK = response(b"ok")


def test_inputs_of_every_kind(web: Web, session: gofer.Session) -> None:
    """URLs, pairs, dicts, Requests and prepared requests may be mixed."""
    prepared = session.prepare_request(gofer.Request("DELETE", web.url + "/delete"))
    responses = gofer.map(
        [
            web.url + "/get",
            ("HEAD", web.url + "/get"),
            {"method": "POST", "url": web.url + "/post", "json": {"n": 1}},
            {"url": web.url + "/get", "params": {"q": "tea"}},
            gofer.Request("PUT", web.url + "/put", data=b"bytes"),
            prepared,
        ],
        session=session,
    )

    assert ["GET", "HEAD", "POST", "GET", "PUT", "DELETE"] == [r.request.method for r in responses]
    assert [200] * 6 == [r.status_code for r in responses]
    assert {"n": 1} == responses[2].json()["json"]
    assert {"q": "tea"} == responses[3].json()["args"]


@pytest.mark.parametrize("item", [None, 7, 1.5, (), ("GET",), ("a", "b", "c"), {"no": "url"}, ""])
def test_an_item_that_is_no_request(web: Web, item: Any) -> None:
    """It gets its own error in its own place; the others are unaffected."""
    before, wrong, after = gofer.map([web.url + "/get", item, web.url + "/get"])

    assert (200, 0, 200) == (before.status_code, wrong.status_code, after.status_code)
    assert isinstance(wrong.error, (TypeError, ValueError, gofer.URLRequired))


def test_what_was_refused_says_what_it_was() -> None:
    """A failure can be matched to its input though there never was a request."""
    request = gofer.Request("GET", "ftp://h/")
    items = ["no url", b"no bytes", ("GET", "x:y"), {"url": "http://h/", "timeout": -1}, request, 7]
    responses = gofer.map(items)

    assert ["no url", "no bytes", "x:y", "http://h/", "ftp://h/", None] == [
        r.url for r in responses
    ]
    assert [None, None, None, None, request, None] == [r.request for r in responses]


@pytest.mark.parametrize(
    "one", ["http://h/", b"http://h/", {"url": "http://h/"}, gofer.Request("GET", "http://h/")]
)
def test_one_request_is_no_input(one: Any) -> None:
    """Whoever forgot the list is told at once."""
    with pytest.raises(TypeError, match="expected an iterable"):
        gofer.imap(one)


def test_an_input_that_raises(web: Web) -> None:
    """What was begun is completed, and the error has the place of the item that did not come."""

    def items() -> Iterator[str]:
        yield web.url + "/get"
        yield web.url + "/status/404"
        raise LookupError("no more")

    good, missing, failed = gofer.map(items())
    with pytest.raises(LookupError, match="no more"):
        gofer.map(items(), on_error="raise")

    assert (200, 404, 0) == (good.status_code, missing.status_code, failed.status_code)
    assert isinstance(failed.error, LookupError)


def test_results_come_while_the_input_takes_its_time(web: Web) -> None:
    """A slow input need not be at its end, nor `size` be reached, before the first result."""
    results: list[gofer.Response] = []
    unheard = []

    def items() -> Iterator[str]:
        for number in range(300):
            if results:
                return
            time.sleep(0.005)
            yield f"{web.url}/get?n={number}"
        unheard.append("all the time")

    results.extend(gofer.imap(items(), size=300))  # one by one

    assert {200} == {r.status_code for r in results}
    assert [] == unheard


@pytest.mark.http1("a handshake takes more than a turn")
def test_pages_of_an_input_are_sent_before_the_next_page(web: Web) -> None:
    """An input that waits after some quick items finds all of them sent."""
    missing = []

    def items() -> Iterator[str]:
        for page in range(3):
            time.sleep(0.03)
            deadline = time.monotonic() + 5
            while len(web.requests) < 10 * page and time.monotonic() < deadline:
                time.sleep(0.001)
            missing.append(10 * page - len(web.requests))
            for number in range(10):
                yield f"{web.url}/get?n={page}{number}"

    assert [200] * 30 == [r.status_code for r in gofer.imap(items())]
    assert [0, 0, 0] == missing


@pytest.mark.http1("a handshake takes more than a turn")
def test_the_first_is_sent_before_the_second_is_read(web: Web) -> None:
    """Nobody knows yet whether the input will take its time."""
    sent = []

    def items() -> Iterator[str]:
        yield web.url + "/get"
        with web.changed:
            web.changed.wait_for(lambda: bool(web.requests), 5)
        sent.append(len(web.requests))

    assert [200] == [r.status_code for r in gofer.imap(items())]
    assert [1] == sent


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_input_of_what_fails_at_once(ordered: bool) -> None:
    """Its results are handed out; it is not read to the end first."""
    responses = gofer.imap(repeat("no url"), size=2, ordered=ordered)

    assert [0] * 50 == [r.status_code for r in islice(responses, 50)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 0), ("size", -3), ("per_host", 0), ("rate", 0), ("rate_per_host", -1),
     ("deadline", 0)],
)  # fmt: skip
def test_limits_of_nothing(name: str, value: int) -> None:
    """A limit that would never let anything through is refused at once."""
    with pytest.raises(ValueError, match=name):
        gofer.imap(["http://127.0.0.1/"], **{name: value})  # type: ignore[arg-type]


def test_each_failure_is_its_own(web: Web) -> None:
    """A dead port, an unknown host, a bad URL, a server that dies half way: all in their places."""

    def dies(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        peer.reset()

    with serve(dies) as dying:
        items = [
            web.url + "/get",
            f"http://127.0.0.1:{refused_port()}/",
            "http://no-such-host.invalid/",
            "nothing://x",
            dying.url,
            web.url + "/get",
        ]
        responses = gofer.map(items)

    assert [200, 0, 0, 0, 0, 200] == [r.status_code for r in responses]
    assert ["ConnectionRefused", "NameResolutionError", "InvalidSchema", "IncompleteContent"] == [
        type(r.error).__name__ for r in responses[1:5]
    ]


def test_servers_that_hang(web: Web) -> None:
    """A tenth of the servers is silent: those time out, the others answer."""

    def silent(peer: Peer) -> None:
        peer.wait_closed()

    with serve(silent) as hanging:
        items = [hanging.url if n % 10 == 0 else f"{web.url}/get?n={n}" for n in range(50)]
        responses = gofer.map(items, session=gofer.Session(timeout=0.3), size=20)

    assert [0 if n % 10 == 0 else 200 for n in range(50)] == [r.status_code for r in responses]
    assert {"ReadTimeout"} == {type(r.error).__name__ for r in responses if r.error}


def test_what_waits_for_another_loop_fails(web: Web) -> None:
    """Nobody here would ever resume it: a resolver, or credentials, that are `async`."""

    async def resolve(host: str, port: int) -> str:
        await asyncio.sleep(0)
        return "127.0.0.1"

    async def sign(request: Any) -> None:
        await asyncio.sleep(0)

    url = f"{web.url}/get"
    with gofer.Session(resolve=resolve) as asking:
        results = gofer.map([url], session=asking)
    results += gofer.map([{"url": url, "auth": sign}])
    for result in results:
        assert isinstance(result.error, RuntimeError)
        assert "AsyncSession" in str(result.error)


def test_raising_stops_everything() -> None:
    """With on_error="raise" the first failure ends the run, and nothing is left open."""
    with Web() as web:  # of its own: it may find the connection when all is over
        gate = web.gates["late"]
        items = [web.url + "/gate/late", f"http://127.0.0.1:{refused_port()}/"]
        with pytest.raises(gofer.ConnectionError):
            gofer.map(items, on_error="raise")
        gate.set()

        web.wait_for(lambda: web.open == 0)


def test_an_error_of_the_handler_propagates(web: Web) -> None:
    """What an exception handler raises reaches the caller; everything else is stopped."""

    def handler(request: Any, error: Exception) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gofer.map([f"http://127.0.0.1:{refused_port()}/"], exception_handler=handler)


def test_sessions_and_their_features_work_inside(web: Web) -> None:
    """Cookies, auth, redirects, hooks and retries are those of every other face."""
    log: list[int] = []
    with gofer.Session(auth=("ann", "secret"), headers={"X-Team": "blue"}) as session:
        responses = gofer.map(
            [
                web.url + "/cookies/set/flavour/mint",
                web.url + "/basic-auth/ann/secret",
                web.url + "/redirect/2",
                {
                    "url": web.url + "/digest-auth/auth/bob/key",
                    "auth": gofer.auth.HTTPDigestAuth("bob", "key"),
                    "hooks": {"response": lambda r, **kw: log.append(len(r.content))},
                },
            ],
            session=session,
        )

        assert [200] * 4 == [r.status_code for r in responses]
        assert "mint" == session.cookies["flavour"]
    assert [1, 0, 2, 1] == [len(r.history) for r in responses]
    assert 1 == len(log)
    assert {"blue"} == {request.field("x-team") for request in web.requests}


def test_a_hook_may_read_content_that_is_still_coming(web: Web) -> None:
    """Inside a hook `content` waits for that response alone."""
    seen: list[int] = []
    hooks = {"response": lambda r, **kw: seen.append(len(r.content))}
    responses = gofer.map([{"url": f"{web.url}/drip/{n}000", "hooks": hooks} for n in range(1, 6)])

    assert [1000, 2000, 3000, 4000, 5000] == sorted(seen)
    assert [len(r.content) for r in responses] == [1000, 2000, 3000, 4000, 5000]


@pytest.mark.http1("it says itself what it speaks")
def test_a_hook_need_not_wait_for_another_that_reads_the_connection(web: Web) -> None:
    """The one who reads for all cannot go on while a hook waits: the hook takes its place."""
    seen: list[bytes] = []

    def read(response: Any, **_: Any) -> None:
        web.gates["second"].set()
        seen.append(response.content)
        web.gates["first"].set()

    first, second = gofer.map(
        [
            web.url + "/gate/first",
            {"url": web.url + "/gate/second/content", "hooks": {"response": read}},
        ],
        session=gofer.Session(config={"http2": "prior knowledge"}, timeout=20),
    )

    assert (200, second.content) == (first.status_code, seen[0])


def test_connections_are_reused(web: Web) -> None:
    """A hundred requests, four at a time, take four connections."""
    responses = gofer.map([web.url + "/get"] * 100, size=4)

    assert all(responses)
    assert 4 >= web.accepted


def test_tls(web_tls: Web, certificates: Certificates) -> None:
    """The same over TLS."""
    with gofer.Session(verify=certificates.ca_file) as session:
        responses = gofer.map([web_tls.url + f"/bytes/{n}" for n in range(40)], 8, session=session)

    assert list(range(40)) == [len(r.content) for r in responses]


def test_per_host_bounds_each_origin() -> None:
    """At most two to each of three servers, though nine are allowed in all."""
    with serve(always(OK)) as one, serve(always(OK)) as two, serve(always(OK)) as three:
        items = [server.url for server in (one, two, three) for _ in range(10)]
        responses = gofer.map(items, size=9, per_host=2)

        assert all(responses)
        assert [2, 2, 2] == [server.peak for server in (one, two, three)]


def test_a_full_host_does_not_hold_up_the_others(web: Web) -> None:
    """Items behind one whose host is at its limit are begun."""
    gate = web.gates["late"]
    with serve(always(OK)) as other:
        items = [web.url + "/gate/late"] * 3 + [other.url] * 3
        responses = gofer.imap(items, size=4, per_host=1)
        urls = [next(responses).url for _ in range(3)]
        gate.set()
        rest = [r.status_code for r in responses]

    assert [other.url + "/"] * 3 == urls
    assert [200] * 3 == rest


@pytest.mark.parametrize("limit", ["rate", "rate_per_host"])
def test_rates_space_the_beginnings(web: Web, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests begin no closer together than the rate allows (by the clock they are given)."""
    from gofer import bulk

    begun: list[float] = []
    begin = bulk._Bulk._exchange

    async def watched(self: Any, item: Any) -> None:
        begun.append(bulk.monotonic())
        await begin(self, item)

    monkeypatch.setattr(bulk._Bulk, "_exchange", watched)
    started = bulk.monotonic()
    responses = gofer.map([web.url + "/get"] * 6, **{limit: 50})  # type: ignore[arg-type]

    assert all(responses)
    assert all(when - started >= number / 50 - 0.001 for number, when in enumerate(begun))


def test_duplicates_under_way_share(web: Web) -> None:
    """With `dedupe` equal safe requests share a response; others do not."""
    url = web.url + "/get"
    items: list[Any] = [url, url, ("GET", url), ("POST", web.url + "/post"),
                        ("POST", web.url + "/post"), gofer.Request("GET", url)]  # fmt: skip
    responses = gofer.map(items, dedupe=True)

    assert responses[0] is responses[1] is responses[2]
    assert responses[3] is not responses[4]
    assert 2 == [request.method for request in web.requests].count("POST")
    assert 2 >= [request.method for request in web.requests].count("GET")


def test_order_is_kept_on_demand(web: Web) -> None:
    """`ordered=True` yields in the order of the requests, lazily."""
    items = (f"{web.url}/drip/{1000 - n * 20}" for n in range(40))
    sizes = [len(r.content) for r in gofer.imap(items, size=7, ordered=True)]

    assert [1000 - n * 20 for n in range(40)] == sizes


def test_order_is_kept_behind_a_slow_one() -> None:
    """When all that may be begun waits for the first, the rest is begun once that is handed out."""

    def script(peer: Peer) -> None:
        while True:
            if peer.receive_head().startswith(b"GET /0 "):
                with peer.server.changed:
                    peer.server.changed.wait_for(lambda: len(peer.server.requests) == 8)
            peer.send(OK)

    with serve(script) as server:
        items = [f"{server.url}/{n}" for n in range(20)]
        urls = [r.url for r in gofer.imap(items, size=2, ordered=True)]

    assert items == urls


def test_what_fails_at_once_is_handed_out_at_once(web: Web) -> None:
    """A result that needed no network waits for nobody."""
    gate = web.gates["closed"]
    # By its rate the second begins when the first has nothing more to do but wait.
    responses = gofer.imap([web.url + "/gate/closed", "no url"], size=2, rate=10)
    first = next(responses)
    gate.set()

    assert 0 == first.status_code
    assert [200] == [r.status_code for r in responses]


def test_memory_does_not_grow_with_the_input(web: Web) -> None:
    """What a run holds has a bound: items open, parked and done."""
    from gofer import bulk

    run: Any = None
    most = 0
    init = bulk._Bulk.__init__

    def remembered(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal run
        run = self
        init(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk._Bulk, "__init__", remembered)
        for response in gofer.imap((web.url + "/get" for _ in range(500)), 5, ordered=True):
            assert response
            most = max(most, len(run._pending) + len(run._done))

    assert most <= 20


def test_a_deadline_for_the_run(web: Web) -> None:
    """What is not done in time has failed, and what had not begun fails too."""
    gate = web.gates["late"]
    responses = gofer.map([web.url + "/gate/late"] * 6, size=2, deadline=0.3)
    gate.set()

    assert {"DeadlineExceeded"} == {type(r.error).__name__ for r in responses}


def test_a_deadline_for_prepared_requests(web: Web) -> None:
    """It is theirs too, and counts for this run alone."""
    gate = web.gates["late"]
    prepared = [gofer.Request("GET", web.url + "/gate/late").prepare() for _ in range(3)]
    responses = gofer.map(prepared, size=2, deadline=0.3)
    gate.set()

    assert {"DeadlineExceeded"} == {type(r.error).__name__ for r in responses}
    assert [200] * 3 == [r.status_code for r in gofer.map(prepared)]


def test_a_hook_replaces_a_request_of_a_run(web: Web) -> None:
    """By one that is not prepared, with what its session holds."""
    other = gofer.Request("PUT", web.url + "/put")
    with gofer.Session(headers={"X-Test": "1"}) as session:
        session.hooks = {"pre_request": [lambda request: other]}
        (response,) = gofer.map([web.url + "/get"], session=session)

    assert ("PUT", "1") == (response.json()["method"], response.json()["headers"]["X-Test"])


def test_progress_is_told(web: Web) -> None:
    """A function is called after each with the counts done and failed, and the total."""
    told: list[Any] = []
    items = [web.url + "/get", f"http://127.0.0.1:{refused_port()}/", web.url + "/get"]
    list(gofer.imap(items, 1, progress=lambda *counts: told.append(counts)))
    list(gofer.imap(iter(items[:1]), progress=lambda *counts: told.append(counts)))

    assert [(1, 0, 3), (2, 1, 3), (3, 1, 3), (1, 0, None)] == told


def test_progress_is_silent_on_a_pipe(web: Web, capfd: pytest.CaptureFixture[str]) -> None:
    """`progress=True` writes nothing where there is no terminal."""
    assert all(gofer.map([web.url + "/get"] * 3, progress=True))

    assert ("", "") == capfd.readouterr()


def test_progress_on_a_terminal(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar shows how many are done and how many failed."""
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    items = [web.url + "/get"] * 4 + [f"http://127.0.0.1:{refused_port()}/"]
    assert 4 == sum(map(bool, gofer.map(items, progress=True)))

    assert "5/5" in terminal.getvalue()
    assert "1 failed" in terminal.getvalue()


def test_ctrl_c_stops_at_once(web: Web) -> None:
    """KeyboardInterrupt in a hook ends the run; nothing is left open."""
    gate = web.gates["late"]

    def interrupt(r: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    items = [web.url + "/gate/late"] * 3 + [
        {"url": web.url + "/get", "hooks": {"response": interrupt}}
    ]
    with pytest.raises(KeyboardInterrupt):
        gofer.map(items)
    gate.set()

    web.wait_for(lambda: web.open == 0)


def test_runs_in_several_threads(web: Web) -> None:
    """Each thread has its own engine; they may share a session."""
    session = gofer.Session()
    results: list[int] = []

    def work() -> None:
        results.append(sum(map(bool, gofer.map([web.url + "/get"] * 20, 5, session=session))))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [20] * 6 == results
    session.close()


def test_the_session_is_not_changed(web: Web) -> None:
    """A run leaves the settings and the connections of its session alone."""
    with gofer.Session() as session:
        session.get(web.url + "/get").content  # noqa: B018
        gofer.map([web.url + "/get"] * 3, session=session)

        assert not session.prefetch
        assert (1, 0, 0) == session.network.pool.counts


def test_a_thousand_at_a_time() -> None:
    """A thousand connections are open at once, from one thread."""
    together = threading.Barrier(1000, timeout=20)

    def script(peer: Peer) -> None:
        peer.receive_head()
        together.wait()
        peer.send(OK)

    with serve(script) as server:
        responses = gofer.map([server.url] * 1000, size=1000)

        assert all(responses)
        assert 1000 == server.peak


# Connections that are there for the next run ------------------------------------------------------


def test_a_second_run_of_a_session_connects_no_more(session: gofer.Session) -> None:
    """What idles at the end of a run is kept with its session, whoever names the session."""
    with serve(always(OK)) as server:
        for run in range(3):
            if run < 2:
                responses = gofer.map([server.url] * 12, size=4, session=session)
            else:
                requests = [gofer.async_.get(server.url, session=session) for _ in range(12)]
                responses = gofer.async_.map(requests, size=4)
            assert [b"ok"] * 12 == [r.content for r in responses]
        assert 4 == server.accepted
        session.close()
        server.wait_for(lambda: server.open == 0)


@pytest.mark.http1("a connection for each exchange")
def test_a_second_run_over_tls_shakes_no_hands(web_tls: Web, certificates: Certificates) -> None:
    """The same over TLS."""
    config = {"http2": False}
    with gofer.Session(verify=certificates.ca_file, config=config) as session:
        for _ in range(2):
            assert all(gofer.map([web_tls.url + "/get"] * 9, size=3, session=session))

    assert 3 == web_tls.accepted


@pytest.mark.http1("a connection for each exchange")
def test_kept_connections_go_with_their_session(web: Web) -> None:
    """A session that nobody closes closes them when it is dropped."""
    session = gofer.Session()
    gofer.map([web.url + "/get"] * 4, size=2, session=session)
    assert 2 == web.open
    del session

    gc.collect()
    web.wait_for(lambda: web.open == 0)


def test_a_run_without_a_session_keeps_nothing(web: Web) -> None:
    """Everything is closed when it ends."""
    gofer.map([web.url + "/get"] * 4, size=2)

    web.wait_for(lambda: web.open == 0)


def test_a_kept_connection_that_the_server_closed(session: gofer.Session) -> None:
    """It is noticed, and another is made."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(OK)
        peer.wait("leave")
        peer.reset()

    with serve(script) as server:
        assert all(gofer.map([server.url] * 3, session=session))
        server.gates["leave"].set()
        server.wait_for(lambda: server.open == 0)
        assert all(gofer.map([server.url] * 3, session=session))
        assert 6 == server.accepted


def test_settings_of_the_next_run_are_those_of_the_session_then(
    web: Web, session: gofer.Session
) -> None:
    """Connections are kept, not defaults."""
    gofer.map([web.url + "/get"], session=session)
    session.headers["X-Team"] = "blue"
    [second] = gofer.map([web.url + "/get"], session=session)

    assert "blue" == second.json()["headers"]["X-Team"]
    assert 1 == web.accepted


def test_a_run_inside_a_run(web: Web, session: gofer.Session) -> None:
    """The second has a road of its own, and so has one in another thread."""
    gofer.map([web.url + "/get"] * 2, session=session)
    outer = gofer.imap([web.url + "/get"] * 6, size=2, session=session)
    codes = []
    for answer in outer:
        codes.append(answer.status_code)
        codes += [r.status_code for r in gofer.map([web.url + "/get"] * 2, session=session)]

    assert [200] * 18 == codes


def test_a_run_that_is_left_in_the_middle(web: Web, session: gofer.Session) -> None:
    """What was under way is closed; the next run is sound."""
    run = gofer.imap(
        [web.url + "/get"] * 3 + [web.url + "/gate/never"] * 3, size=6, session=session
    )
    assert [200] * 3 == [next(run).status_code for _ in range(3)]
    run.close()  # type: ignore[attr-defined]
    web.gates["never"].set()

    assert all(gofer.map([web.url + "/get"] * 6, session=session))


def test_responses_that_are_read_after_the_run(web: Web, session: gofer.Session) -> None:
    """Their connections are theirs, and not the next run's."""
    lazy = gofer.map([web.url + "/drip/3000"] * 2, prefetch=False, session=session)
    assert all(gofer.map([web.url + "/get"] * 4, session=session))

    assert [3000, 3000] == [len(r.content) for r in lazy]


# Sessions that go their own way -------------------------------------------------------------------


class Counting(gofer.Session):
    """A session whose `request` does more."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        self.asked.append(url)
        return super().request(method, url, *args, **kwargs)


class Marking(gofer.Session):
    """A session with a step of its own."""

    def prepare_request(self, request: gofer.Request) -> gofer.PreparedRequest:
        prepared = super().prepare_request(request)
        prepared.headers["X-Mark"] = "own"
        return prepared


class Stub(BaseAdapter):
    """Answers by itself."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> gofer.Response:
        answer = gofer.Response()
        answer.status_code = 299
        answer.url = request.url
        answer._content = b"stub"
        return answer

    def close(self) -> None:
        pass


def test_a_subclass_is_asked(web: Web) -> None:
    """Its `request` is called for every item, whatever its kind."""
    url = web.url + "/get"
    with Counting() as session:
        responses = gofer.map([url, ("GET", url), gofer.Request("GET", url)], session=session)

    assert [200] * 3 == [r.status_code for r in responses]
    assert [url] * 3 == session.asked


def test_a_replaced_step_is_taken(web: Web) -> None:
    """A step that a subclass replaced."""
    with Marking() as session:
        responses = gofer.map([web.url + "/get"] * 3, session=session)

    assert ["own"] * 3 == [r.json()["headers"]["X-Mark"] for r in responses]


def test_mounted_adapters_are_used(web: Web) -> None:
    """For the URLs they are mounted for."""
    with gofer.Session() as session:
        session.mount("stub://", Stub())
        session.mount(web.url, HTTPAdapter(max_retries=1))
        stubbed, real = gofer.map(["stub://here", web.url + "/get"], session=session)

    assert (299, b"stub") == (stubbed.status_code, stubbed.content)
    assert 200 == real.status_code


def test_sessions_of_their_own_way_run_at_the_same_time(web: Web) -> None:
    """Each call has a thread: the first waits for nothing but what it asked for."""
    gate = web.gates["slow"]
    with Counting() as session:
        run = gofer.imap([web.url + "/gate/slow", web.url + "/get"], size=2, session=session)
        first = next(run).url
        gate.set()
        rest = [r.url for r in run]

    assert [web.url + "/get", web.url + "/gate/slow"] == [first, *rest]


def test_a_deadline_for_sessions_of_their_own_way(web: Web) -> None:
    """Who is not back by then has failed; the thread ends with its call."""
    gate = web.gates["late"]
    with Counting() as session:
        run = gofer.imap(
            [web.url + "/gate/late", web.url + "/get"], size=2, session=session, deadline=0.5
        )
        by_url = {bool(r): r for r in run}
        gate.set()
    web.wait_for(lambda: web.open == 0)

    assert 200 == by_url[True].status_code
    assert isinstance(by_url[False].error, gofer.exceptions.DeadlineExceeded)
