"""`AsyncSession`: the face for asyncio (and uvloop) and trio."""

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio
import uvloop

import gofer
from gofer import aio
from servers.certificates import Certificates
from servers.raw import Peer, always, response, serve
from servers.web import Web

Run = Callable[[Callable[[], Awaitable[Any]]], Any]


def on_asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(main())  # type: ignore[arg-type]


def on_uvloop(main: Callable[[], Awaitable[Any]]) -> Any:
    return uvloop.run(main())  # type: ignore[arg-type]


RUNNERS: dict[str, Any] = {"asyncio": on_asyncio, "uvloop": on_uvloop, "trio": trio.run}


@pytest.fixture(params=RUNNERS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs an async function to its end in an event loop of its own."""
    return RUNNERS[request.param]  # type: ignore[no-any-return]


async def together(*functions: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Their results, run at the same time by whatever library is running."""
    results: list[Any] = [None] * len(functions)

    async def one(index: int) -> None:
        results[index] = await functions[index]()

    if trio.lowlevel.in_trio_run():
        async with trio.open_nursery() as nursery:
            for index in range(len(functions)):
                nursery.start_soon(one, index)
    else:
        await asyncio.gather(*[one(index) for index in range(len(functions))])
    return results


@pytest.mark.parametrize("verb", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_verbs(run: Run, web: Web, verb: str) -> None:
    """Every verb is a coroutine, on a session and as a function; content is there at once."""

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            answers = [
                await getattr(session, verb)(web.url + "/anything"),
                await getattr(aio, verb)(web.url + "/anything"),
                await session.request(verb, web.url + "/anything"),
                await aio.request(verb, web.url + "/anything", session=session),
            ]
        for answer in answers:
            assert 200 == answer.status_code
            assert (verb == "head") == (answer.content == b"")

    run(main)
    assert {verb.upper()} == {request.method for request in web.requests}


def test_a_request_is_prepared_and_sent(run: Run, web: Web) -> None:
    """By hand, or by a hook that returns one: with what the session holds."""
    other = gofer.Request("PUT", web.url + "/put")

    async def main() -> list[gofer.Response]:
        async with gofer.AsyncSession(headers={"X-Test": "1"}) as session:
            return [
                await session.send(session.prepare_request(other)),
                await session.get(web.url + "/get", hooks={"pre_request": lambda request: other}),
            ]

    for answer in run(main):
        assert ("PUT", "1") == (answer.json()["method"], answer.json()["headers"]["X-Test"])


def test_danger_mode_raises_with_the_content(run: Run) -> None:
    """What is read before a call returns is read before it raises: it could not be awaited then."""

    async def main() -> None:
        async with gofer.AsyncSession(config={"danger_mode": True}) as session:
            prepared = session.prepare_request(gofer.Request("GET", server.url))
            for send in (session.get(server.url), session.send(prepared)):
                with pytest.raises(gofer.HTTPError) as caught:
                    await send
                assert content == caught.value.response.content

    content = b"x" * 300_000
    with serve(always(response(content, "404 Not Found"))) as server:
        run(main)


def test_many_at_once(run: Run, web: Web) -> None:
    """Twenty requests are under way in one loop, on one session."""
    gate = web.gates["late"]

    async def main() -> None:
        async with gofer.AsyncSession() as session:

            async def opener() -> None:
                while web.in_flight < 20:
                    await (trio.sleep if trio.lowlevel.in_trio_run() else asyncio.sleep)(0.001)
                gate.set()

            async def fetch() -> int:
                return (await session.get(web.url + "/gate/late")).status_code  # type: ignore[no-any-return]

            assert [200] * 20 == (await together(opener, *[fetch] * 20))[1:]

    run(main)


def test_streams(run: Run, web: Web) -> None:
    """`stream=True` leaves the content to aread, aiter_content and aiter_lines."""

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            url = web.url + "/drip/5000"
            assert b"*" * 5000 == await (await session.get(url, stream=True)).aread()
            async with await session.get(url, stream=True) as answer:
                sizes = [len(piece) async for piece in answer.aiter_content(1000)]
                assert 5000 == sum(sizes)
                assert 1000 >= max(sizes)
            answer = await session.get(web.url + "/stream/5", stream=True)
            lines = [line async for line in answer.aiter_lines()]
            assert 5 == len(lines)
            answer = await session.get(url, stream=True)
            await answer.aclose()

    run(main)


WAITING: list[Callable[[Any], Any]] = [
    lambda answer: answer.content,
    lambda answer: answer.text,
    lambda answer: answer.json(),
    list,
    lambda answer: list(answer.iter_content(10)),
    lambda answer: next(answer.iter_lines()),
    lambda answer: answer.raw.read(),
    lambda answer: answer.raw.read(1),
    lambda answer: answer.raw.readline(),
    lambda answer: list(answer.raw.stream()),
]


@pytest.mark.parametrize("look", WAITING, ids=range(len(WAITING)))
def test_content_that_has_not_come(look: Callable[[Any], Any], run: Run, web: Web) -> None:
    """What cannot await says what to do, and the content can still be read."""
    gate = web.gates["late"]

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            answer = await session.get(web.url + "/gate/late/content", stream=True)
            with pytest.raises(RuntimeError, match="aread"):
                look(answer)
            gate.set()
            assert b"open" == await answer.aread()

    run(main)


def test_what_may_be_awaited(run: Run, web: Web) -> None:
    """Hooks, auth callables, auth flows and content may be `async def`."""
    log: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one ", b"two ", b"three"):
            yield piece

    async def seen(answer: Any, **kwargs: Any) -> None:
        log.append(answer.text)

    async def token(request: Any) -> Any:
        request.headers["X-Token"] = "t"
        return request

    class Flow(gofer.auth.AuthBase):
        async def flow(self, request: Any) -> Any:
            answer = yield request
            assert 401 == answer.status_code
            request.headers["Authorization"] = "Bearer key"
            yield request

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            answer = await session.post(
                web.url + "/post", data=pieces(), auth=token, hooks={"response": seen}
            )
            assert "one two three" == answer.json()["data"]
            assert "t" == answer.json()["headers"]["X-Token"]
            assert [answer.text] == log
            assert 200 == (await session.get(web.url + "/bearer", auth=Flow())).status_code

    run(main)


def test_async_content_needs_an_async_session() -> None:
    """A blocking session refuses what it cannot iterate over, before anything is sent."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(TypeError, match="AsyncSession"):
        gofer.post("http://127.0.0.1:9/", data=pieces())


# uvloop complains of connections that are open when a loop is closed, and hangs if that raises.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.http1("over QUIC a loop that has ended cannot say goodbye")
def test_one_session_in_several_loops(run: Run, web: Web) -> None:
    """A session survives the loop it was used in; connections do not go from one to another."""
    session = gofer.AsyncSession()

    async def main() -> str:
        await session.get(web.url + "/cookies/set/flavour/mint")
        return (await session.get(web.url + "/cookies")).json()["cookies"]["flavour"]  # type: ignore[no-any-return]

    assert ["mint"] * 3 == [run(main) for _ in range(3)]

    async def close() -> None:
        session.close()

    run(close)
    web.wait_for(lambda: web.open == 0)


def test_outside_an_event_loop(web: Web) -> None:
    """Without a loop the error says what to use."""
    with pytest.raises(RuntimeError, match="inside asyncio or trio"):
        gofer.AsyncSession().get(web.url).send(None)


def test_nothing_happens_before_it_is_awaited(web: Web) -> None:
    """A call that nobody awaits sends nothing, and complains of nothing but that."""
    unsent = gofer.AsyncSession().get("nothing://x")
    unsent.close()

    assert [] == web.requests


def test_errors_come_with_the_await(run: Run) -> None:
    """A bad URL is an error of the await, so that gather can collect it."""

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            call = session.get("nothing://x")
            with pytest.raises(gofer.exceptions.InvalidSchema):
                await call

    run(main)


@pytest.mark.http1("over HTTP/3 the environment says whom to trust")
def test_tls(run: Run, web_tls: Web, certificates: Certificates) -> None:
    """The same over TLS, and a bad certificate is refused."""

    async def main() -> None:
        async with gofer.AsyncSession(verify=certificates.ca_file) as session:
            assert b"x" * 0 == (await session.get(web_tls.url + "/bytes/0")).content
            assert 50_000 == len((await session.get(web_tls.url + "/bytes/50000")).content)
        async with gofer.AsyncSession() as session:
            with pytest.raises(gofer.exceptions.CertificateError):
                await session.get(web_tls.url + "/get")

    run(main)


def test_upload_that_begins_with_a_large_piece(
    run: Run, web_tls: Web, certificates: Certificates
) -> None:
    """It ends, though the server has spoken before (session tickets of TLS 1.3)."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 8_000_000
        yield b"y"

    async def main() -> None:
        async with gofer.AsyncSession(verify=certificates.ca_file) as session:
            answer = await session.post(web_tls.url + "/post", data=pieces(), timeout=20)
            assert 8_000_001 == len(answer.json()["data"])

    run(main)


@pytest.mark.parametrize("steps", range(1, 12))
def test_cancelled_asyncio(web: Web, steps: int) -> None:
    """Cancelled after any number of turns of the loop, a call leaves the session sound."""

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            task = asyncio.ensure_future(session.get(web.url + "/drip/3000"))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert (0, 0) == session.network.pool.counts[1:]
            assert 200 == (await session.get(web.url + "/get")).status_code

    asyncio.run(main())


def test_cancelled_trio(web: Web) -> None:
    """The same for trio's scopes, at whatever point the scope ends."""
    gate = web.gates["late"]

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            for path in ("/gate/late", "/gate/late/content"):
                with trio.move_on_after(0.05):
                    await session.get(web.url + path)
                assert (0, 0) == session.network.pool.counts[1:]
            gate.set()
            assert 200 == (await session.get(web.url + "/get")).status_code

    trio.run(main)


@pytest.mark.http1("over HTTP/2 nobody waits in line: a connection is shared")
def test_waiting_in_line_can_be_cancelled(run: Run, web: Web) -> None:
    """A call that waits for a connection times out, and the place goes on to the next."""
    gate = web.gates["late"]

    async def main() -> None:
        config = {"max_connections_per_host": 1}
        async with gofer.AsyncSession(config=config) as session:

            async def first() -> int:
                return (await session.get(web.url + "/gate/late")).status_code  # type: ignore[no-any-return]

            async def second() -> str:
                while not web.in_flight:
                    await (trio.sleep if trio.lowlevel.in_trio_run() else asyncio.sleep)(0.001)
                try:
                    await session.get(web.url + "/get", timeout=gofer.Timeouts(pool=0.05))
                except gofer.PoolTimeout:
                    gate.set()
                    return "timed out"
                return "?"

            assert [200, "timed out"] == await together(first, second)
            assert 200 == (await session.get(web.url + "/get")).status_code

    run(main)


def test_timeouts(run: Run) -> None:
    """The same limits as everywhere, with the same names."""

    def silent(peer: Peer) -> None:
        peer.wait_closed()

    async def main(url: str) -> None:
        async with gofer.AsyncSession() as session:
            with pytest.raises(gofer.ReadTimeout):
                await session.get(url, timeout=0.1)
            with pytest.raises(gofer.DeadlineExceeded):
                await session.get(url, deadline=0.1)

    with serve(silent) as server:
        run(lambda: main(server.url))


def test_content_that_never_comes_ends_at_the_deadline(run: Run, web: Web) -> None:
    """What makes it hears of it, and the session goes on."""
    heard: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"begun"
            await forever()
        finally:
            heard.append("it is over")

    async def main() -> None:
        async with gofer.AsyncSession() as session:
            with pytest.raises(gofer.exceptions.DeadlineExceeded):
                await session.post(web.url + "/post", data=pieces(), deadline=0.3)
            assert (await session.get(web.url + "/get")).ok

    run(main)
    assert ["it is over"] == heard


def test_a_name_is_looked_up_beside_the_loop(run: Run) -> None:
    """Names are resolved without standing in the loop's way."""

    async def main(port: int) -> None:
        async with gofer.AsyncSession() as session:
            assert b"ok" == (await session.get(f"http://localhost:{port}/")).content
            with pytest.raises(gofer.exceptions.NameResolutionError):
                await session.get("http://no-such-host.invalid/")

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(response(b"ok"))

    with serve(script) as server:
        run(lambda: main(server.port))


async def forever() -> None:
    """Wait as whatever library is running does."""
    if trio.lowlevel.in_trio_run():
        await trio.sleep_forever()
    await asyncio.get_running_loop().create_future()


def test_a_resolver_that_never_answers_is_cancelled(run: Run) -> None:
    """At the limit of connecting, or of the whole call."""
    ended: list[str] = []

    async def resolve(host: str, port: int) -> str:
        try:
            await forever()
        finally:
            ended.append(host)
        return "127.0.0.1"

    async def main() -> None:
        async with gofer.AsyncSession(resolve=resolve) as session:
            with pytest.raises(gofer.ConnectTimeout, match=r"resolving a\.test"):
                await session.get("http://a.test/", timeout=0.1)
            with pytest.raises(gofer.DeadlineExceeded, match=r"resolving b\.test"):
                await session.get("http://b.test/", deadline=0.1)

    run(main)
    assert ended == ["a.test", "b.test"]


@pytest.mark.http1("names that no certificate holds")
@pytest.mark.parametrize("limit", [5.0, None])
def test_a_resolver_may_wait(run: Run, web: Web, limit: float | None) -> None:
    """What it gives counts, and what it raises is the caller's, a timeout of its own too."""

    async def resolve(host: str, port: int) -> str:
        await (trio if trio.lowlevel.in_trio_run() else asyncio).sleep(0.001)
        if host == "late.test":
            raise TimeoutError("of its own")
        return "127.0.0.1"

    async def main() -> None:
        async with gofer.AsyncSession(resolve=resolve, timeout=limit) as session:
            assert (await session.get(f"http://a.test:{web.port}/get")).ok
            with pytest.raises(gofer.exceptions.NameResolutionError, match="of its own"):
                await session.get("http://late.test/")

    run(main)


@pytest.mark.http1("names that no certificate holds")
def test_a_slow_resolver_does_not_stop_the_loop(run: Run, web: Web) -> None:
    """A function that is not `async` is called beside it: others go on meanwhile."""
    others_went_on = threading.Event()

    def resolve(host: str, port: int) -> str:
        if host == "slow.test":
            assert others_went_on.wait(10)
        return "127.0.0.1"

    async def main() -> None:
        async with gofer.AsyncSession(resolve=resolve) as session:

            async def slow() -> None:
                assert (await session.get(f"http://slow.test:{web.port}/get")).ok

            async def fast() -> None:
                assert (await session.get(f"http://fast.test:{web.port}/get")).ok
                others_went_on.set()

            await together(slow, fast)

    run(main)


def test_a_loop_that_ends_with_open_connections(web: Web) -> None:
    """A session that nobody closed makes no noise when its loop and the interpreter end."""
    program = f"""
import asyncio, gofer
session = gofer.AsyncSession()
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no news
    held = await session.get({web.url + "/drip/300000"!r}, stream=True)
    await session.get({web.url + "/get"!r})
asyncio.run(main())
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (0, "") == (done.returncode, done.stderr)
