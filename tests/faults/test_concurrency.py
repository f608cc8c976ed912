"""Threads, forks, interrupts, and callers who come back in the middle of things (rows 115 to 123)."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import NEXT, PATIENCE, chunked, plain, session_for, target
from gofer.exceptions import PoolTimeout
from servers.raw import Peer, always, response, serve
from servers.web import Web

SOURCE = Path(gofer.__file__).resolve().parents[1]
THREADS = pytest.mark.only_in("blocking")


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """`work(0)` to `work(count - 1)`, each in a thread of its own; the first error is raised."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def echo(peer: Peer) -> None:
    """Answers with the request target; every fifth answer is in chunks."""
    for count in range(1_000_000):
        head, _ = peer.receive_request()
        asked = target(head).encode()
        if count % 5 == 4:
            peer.send(chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(asked), asked)))
        else:
            peer.send(response(asked))


@THREADS
@pytest.mark.parametrize("limit", [None, 4])
def test_row_115_many_threads_on_one_session(limit: int | None):
    """Each gets its own answer; with a limit there are no more connections than that."""
    with serve(echo) as server:
        config = {"max_connections_per_host": limit, "pool_maxsize": 8}
        with session_for(config=config, timeout=20) as session:

            def work(number: int) -> None:
                for turn in range(10):
                    path = f"/{number}/{turn}"
                    assert path.encode() == session.get(server.url + path).content

            in_threads(64, work)

            assert (0, 0) == session.network.pool.counts[1:]
        assert len(server.requests) == 640
        if limit is not None:
            assert server.peak <= limit


def output_of(program: str, url: str) -> str:
    """What `program` printed, in a process of its own; it must succeed and complain of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), url],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


FORKING = """
    import os, sys, gofer

    url = sys.argv[1]
    session = gofer.Session(timeout=5)
    assert session.get(url + "/parent").content == b"/parent"
    held = session.get(url + "/held", stream=True)
    child = os.fork()
    if child == 0:
        try:
            assert session.network.pool.counts == (0, 0, 0), session.network.pool.counts
            for turn in range(3):
                path = f"/child/{turn}"
                assert session.get(url + path).content == path.encode()
        except BaseException as error:
            print("child:", repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    for turn in range(3):
        path = f"/parent/{turn}"
        assert session.get(url + path).content == path.encode()
    print(held.content.decode())
"""


@THREADS
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_row_116_a_fork_with_a_warm_pool():
    """The child speaks on connections of its own; the parent goes on with its own."""
    with serve(echo) as server:
        assert "/held\n" == output_of(FORKING, server.url)
    paths = [[target(line + b" x") for line in data.split(b"\r\n") if line.startswith(b"GET ")]
             for data in server.received]  # fmt: skip
    for of_one_connection in paths:
        assert 1 == len({path.split("/")[1] == "child" for path in of_one_connection}), paths


FORKING_IN_THE_MIDDLE = """
    import os, sys, gofer

    url = sys.argv[1]
    session = gofer.Session(timeout=5)
    held = session.get(url + "/large", stream=True)
    session.get(url + "/parent")
    child = os.fork()
    if child == 0:
        held.close()
        os._exit(session.get(url + "/child").status_code != 200)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    session.get(url + "/parent")
    print(len(held.content))
"""


@THREADS
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_row_116_what_a_child_closes_stays_open_in_the_parent():
    """The idle connection is used again, and the content that was on its way comes whole."""
    large = 20_000_000

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.receive_request()
            peer.send(response(b"x" * large if target(head) == "/large" else b"small"))

    with serve(script) as server:
        assert f"{large}\n" == output_of(FORKING_IN_THE_MIDDLE, server.url)
    assert 3 == len(server.received), "the parent's two connections, and one of the child's"


class Interrupted(BaseException):
    """As a Ctrl-C."""


@THREADS
@pytest.mark.parametrize("where", ["head", "content", "iteration", "upload"])
def test_row_117_an_interrupt(where: str):
    """Wherever it comes the connection is closed, the place is free, the next answer right."""

    def script(peer: Peer) -> None:
        while True:
            head = peer.receive_head()
            if target(head) == "/next":
                peer.send(NEXT)
                continue
            if where in ("content", "iteration"):
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            os.kill(os.getpid(), signal.SIGUSR1)
            peer.wait_closed()
            return

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with serve(script) as server, session_for(timeout=20) as session:
            with pytest.raises(Interrupted):
                data = endless() if where == "upload" else None
                answer = session.request("PUT", server.url + "/first", data=data)
                if where == "content":
                    answer.content  # noqa: B018
                for _ in answer.iter_content(2):
                    pass

            server.wait_for(lambda: server.open == 0)
            assert (0, 0, 0) == session.network.pool.counts
            assert b"next" == session.get(server.url + "/next").content
    finally:
        signal.signal(signal.SIGUSR1, before)


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 10_000


LEAVING: dict[str, Callable[[gofer.Response], object]] = {
    "dropped": lambda answer: None,
    "closed": lambda answer: answer.close(),
    "left": lambda answer: answer.__exit__(None, None, None),
    "raw closed": lambda answer: answer.raw.close(),
    "raw released": lambda answer: answer.raw.release_conn(),
    "iterator dropped": lambda answer: next(answer.iter_content(2)),
    "lines dropped": lambda answer: next(answer.iter_lines(2), None),
    "raw read in part": lambda answer: answer.raw.read(2),
    "raw stream dropped": lambda answer: next(answer.raw.stream(2)),
}


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_row_118_a_response_left_in_the_middle(how: str, is_chunked: bool):
    """Its descriptor comes back, and what was not read reaches nobody."""
    half = chunked(b"6\r\nhel\nlo\r\n") if is_chunked else plain(b"hel\nlo!")[:-1]

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.receive_request()
            if target(head) == "/next":
                peer.send(NEXT)
                continue
            peer.send(half)
            peer.wait_closed()
            return

    with serve(script) as server, session_for(timeout=5) as session:
        answer = session.get(server.url + "/half")
        LEAVING[how](answer)
        del answer
        gc.collect()

        server.wait_for(lambda: server.open == 0)
        assert (0, 0, 0) == session.network.pool.counts
        assert b"next" == session.get(server.url + "/next").content


class Failing(Exception):
    """The caller's own."""


def fail(*_: object, **__: object) -> Any:
    raise Failing


CALLBACKS: dict[str, dict[str, Any]] = {
    "auth": {"auth": fail},
    "response hook": {"hooks": {"response": fail}},
    "pre_request": {"hooks": {"pre_request": fail}, "config": {"hook_errors": "raise"}},
    "post_request": {"hooks": {"post_request": fail}, "config": {"hook_errors": "raise"}},
    "args": {"hooks": {"args": fail}, "config": {"hook_errors": "raise"}},
    "content": {"data": (fail() for _ in range(1))},
}


class Log:
    """A stream that cannot be written to."""

    write = staticmethod(fail)


CALLBACKS["verbose"] = {"config": {"verbose": Log()}}


@pytest.mark.parametrize("what", CALLBACKS)
@pytest.mark.parametrize("answer", [plain(), plain()[:-1]], ids=["whole", "half"])
def test_row_119_an_error_of_the_callers(what: str, answer: bytes):
    """It passes as it is; connection and place are not kept from anybody."""
    options = dict(CALLBACKS[what])
    if what == "content":
        options["data"] = (fail() for _ in range(1))

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.receive_request()
            peer.send(NEXT if target(head) == "/next" else answer)

    with serve(script) as server:
        limited = {"max_connections": 1}
        with session_for(config=limited, timeout=5) as session:
            for _ in range(3):
                with pytest.raises(Failing):
                    session.post(server.url + "/first", **options)
                if what == "content":
                    options["data"] = (fail() for _ in range(1))
                gc.collect()

            assert b"next" == session.get(server.url + "/next").content
            assert (1, 0, 0) == session.network.pool.counts


def test_row_119_an_error_in_a_digest_flow():
    """A flow that raises in the middle of its conversation, too."""

    class Flow(gofer.auth.AuthBase):
        def flow(self, request: Any) -> Any:
            yield request
            raise Failing

    with serve(always(plain()[:-1])) as server, session_for(timeout=5) as session:
        with pytest.raises(Failing):
            session.get(server.url, auth=Flow())

        server.wait_for(lambda: server.open == 0)
        assert (0, 0, 0) == session.network.pool.counts


def test_row_120_a_session_after_its_close():
    """It works again, and may be closed as often as anybody likes."""
    with serve(always(NEXT)) as server:
        session = session_for(timeout=5)
        session.close()
        for _ in range(2):
            assert b"next" == session.get(server.url).content
            session.close()
            session.close()
        server.wait_for(lambda: server.open == 0)


def test_row_120_closed_in_the_middle_of_a_response():
    """What is under way is read to its end; its connection is not kept."""
    with serve(always(chunked(b"5\r\nhello\r\n0\r\n\r\n"))) as server:
        session = session_for(timeout=5)
        answer = session.get(server.url)
        session.close()

        assert b"hello" == answer.content
        server.wait_for(lambda: server.open == 0)


@THREADS
def test_row_121_many_requests_half_of_them_failing():
    """Descriptors, threads and places are as before, whatever went wrong."""

    def script(peer: Peer) -> None:
        for count in range(1_000_000):
            peer.receive_request()
            kind = (peer.index + count) % 6
            if kind == 0:
                return
            if kind == 1:
                peer.reset()
                return
            if kind == 2:
                peer.send(b"HTTP/1.1 nonsense\r\n\r\n")
                return
            peer.send(plain()[: -1 if kind == 3 else None])
            if kind == 3:
                return

    with serve(script) as server, session_for(timeout=5) as session:
        outcomes = {"good": 0, "bad": 0}
        for _ in range(1500):
            try:
                assert b"hello" == session.get(server.url).content
                outcomes["good"] += 1
            except gofer.RequestException:
                outcomes["bad"] += 1
        idle, in_use, waiting = session.network.pool.counts

    assert (0, 0) == (in_use, waiting)
    assert idle <= 1
    assert outcomes["good"] > 100 < outcomes["bad"]


def test_row_122_an_exhausted_pool():
    """PoolTimeout in time, and the one who has the connection is not disturbed."""
    config = {"max_connections": 1, "pool_timeout": PATIENCE}
    with serve(always(plain()[:-1])) as server, session_for(config=config, timeout=5) as session:
        held = session.get(server.url)
        with pytest.raises(PoolTimeout, match="max_connections.* neither read nor closed"):
            session.get(server.url)
        held.close()
        session.get(server.url).close()

        assert (0, 0, 0) == session.network.pool.counts


@pytest.mark.parametrize("waiting", ["connect", "read", "write", "pool"])
def test_row_122_every_wait_ends(waiting: str, session: gofer.Session):
    """If nothing is said, too; a session that may wait for ever has been told so."""
    assert session.config[f"{waiting}_timeout"] <= 300


def test_row_122_a_deadline_covers_waiting():
    """The whole call has its end also where no connection comes free."""
    with serve(always(plain()[:-1])) as server:
        with session_for(config={"max_connections": 1}, timeout=5) as session:
            held = session.get(server.url)
            with pytest.raises(gofer.Timeout):
                session.get(server.url, deadline=PATIENCE)
            held.close()


@pytest.mark.only_in("blocking", "gevent")
@pytest.mark.parametrize(
    "where", ["args", "pre_request", "response", "post_request", "auth", "data"]
)
def test_row_123_a_request_inside_of_another(where: str):
    """On the same session, wherever the caller's code is called."""
    inner: list[bytes] = []
    with serve(echo) as server, session_for(timeout=5) as session:

        def ask(data: Any) -> None:
            inner.append(session.get(server.url + "/inner", hooks=quiet, auth=False).content)

        def pieces() -> Iterator[bytes]:
            ask(None)
            yield b"piece"

        quiet: dict[str, Any] = dict.fromkeys(("args", "pre_request", "response", "post_request"))
        options: dict[str, Any] = {"hooks": {where: ask}, "config": {"hook_errors": "raise"}}
        if where == "auth":
            options = {"auth": ask}
        elif where == "data":
            options = {"data": pieces()}
        for _ in range(2):
            if where == "data":
                options = {"data": pieces()}
            assert b"/outer" == session.post(server.url + "/outer", **options).content

        assert [b"/inner"] * 2 == inner
        assert (0, 0) == session.network.pool.counts[1:]


@pytest.mark.only_in("blocking", "gevent")
def test_row_123_a_request_while_iterating():
    """Between two pieces of a response that is not read to its end."""
    with serve(echo) as server, session_for(timeout=5) as session:
        for _ in range(6):
            with session.get(server.url + "/outer") as answer:
                pieces = []
                for piece in answer.iter_content(2):
                    pieces.append(piece)
                    assert b"/inner" == session.get(server.url + "/inner").content
                assert b"/outer" == b"".join(pieces)


@THREADS
def test_one_response_read_by_several_threads():
    """Not promised to work, but to end: each gets the content or an error, nobody hangs."""
    with serve(always(plain(b"x" * 500_000))) as server, session_for(timeout=5) as session:
        answer = session.get(server.url)

        def read(number: int) -> None:
            with contextlib.suppress(Exception):
                assert 500_000 == len(answer.content)

        in_threads(4, read)
        answer.close()

        assert (0, 0) == session.network.pool.counts[1:]
        assert 500_000 == len(session.get(server.url).content)


@THREADS
def test_a_session_changed_while_it_is_used(web: Web):
    """Headers, cookies, config and hooks of a session may be set while others send."""
    with session_for(timeout=20) as session:
        over = threading.Event()

        def change(number: int) -> None:
            if number:
                try:
                    for turn in range(60):
                        assert 200 == session.get(f"{web.url}/cookies/set/c{turn}/1").status_code
                finally:
                    over.set()
                return
            turn = 0
            while not over.is_set():
                turn += 1
                session.headers["X-Turn"] = str(turn)
                session.cookies.set(f"own{turn % 50}", "1")
                session.config["max_redirects"] = 5 + turn % 9
                session.hooks = {"response": [lambda r: None] * (turn % 3)}
                session.timeout = 10 + turn % 9
                session.proxies["ftp"] = f"http://p{turn % 3}"

        in_threads(3, change)
