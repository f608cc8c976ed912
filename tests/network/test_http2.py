"""HTTP/2: how it is chosen, and how many exchanges share a connection.

That everything else is as over HTTP/1.1 is shown by the behaviour suite itself (`make test-http2`).
"""

import asyncio
import gc
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectionLost, RemoteProtocolError
from servers.certificates import Certificates
from servers.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    WINDOW_UPDATE,
    Frames,
    frame,
)
from servers.listener import Listener
from servers.raw import Peer, serve
from servers.web import Web
from servers.web2 import Web2
from worlds import world

__all__ = ["world"]

pytest.importorskip("ngh2", reason="HTTP/2 needs ngh2: pip install gofer[http2]")

PLAIN_PYTHON = pytest.mark.only_in("blocking")
CHOSEN = {"http2": True}
KNOWN = {"http2": "prior knowledge"}
CANCEL = 8


def connections(web: Web) -> set[int]:
    return {request.connection for request in web.requests}


# Which protocol -----------------------------------------------------------------------------------


def test_the_server_chooses_by_alpn(web_tls: Web, certificates: Certificates) -> None:
    """Both are offered."""
    with gofer.Session(verify=certificates.ca_file) as session:
        response = session.get(web_tls.url + "/get")

    assert "HTTP/2" == response.version
    assert 20 == response.raw.version
    assert "2" == web_tls.requests[0].http_version


def test_http_1_can_be_asked_for(web_tls: Web, certificates: Certificates) -> None:
    """From a server that could do more."""
    with gofer.Session(verify=certificates.ca_file, config={"http2": False}) as session:
        assert "HTTP/1.1" == session.get(web_tls.url + "/get").version


def test_a_server_that_knows_http_1_only(certificates: Certificates, world: Any) -> None:
    """One connection for each exchange at a time, kept, as ever."""
    with Web(tls=certificates.good) as web:
        with gofer.Session(verify=certificates.ca_file, config=CHOSEN) as session:
            for _ in range(3):
                response = session.get(web.url + "/get")
                assert (200, "HTTP/1.1") == (response.status_code, response.version)
                response.content  # noqa: B018
        assert 1 == web.accepted


def test_in_the_clear_nobody_can_choose(web: Web) -> None:
    """True means HTTP/1.1 for http:// (RFC 9113, 3.2); who knows better says so."""
    with gofer.Session(config=CHOSEN) as session:
        assert "HTTP/1.1" == session.get(web.url + "/get").version
        known = session.get(web.url + "/get", config=KNOWN)
        assert ("HTTP/2", 200) == (known.version, known.status_code)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_keep_alive_every_request_has_its_own_connection(
    web: Web, web_tls: Web, certificates: Certificates, scheme: str, world: Any
) -> None:
    """Where nothing but HTTP/2 will do; where it may be, HTTP/1.1 does it for less."""
    server = web if scheme == "http" else web_tls
    options: Any = {"verify": certificates.ca_file, "timeout": 20}
    with gofer.Session(**options, config={**KNOWN, "keep_alive": False}) as session:
        held = session.get(server.url + "/bytes/2000000", stream=True)
        assert ["HTTP/2"] * 2 == [session.get(server.url + "/get").version for _ in range(2)]
        assert 2_000_000 == len(held.content)
        server.wait_for(lambda: server.open == 0)
        assert (0, 0, 0) == session.network.pool.counts
    assert 3 == server.accepted
    with gofer.Session(**options, config={"keep_alive": False}) as session:
        assert "HTTP/1.1" == session.get(server.url + "/get").version


def test_one_call_without_keep_alive_leaves_the_others_theirs(web: Web) -> None:
    """It takes no place on the connection that is there, and nobody takes one on its own."""
    with gofer.Session(config=KNOWN, timeout=20) as session:
        for keep_alive in (True, False, True):
            session.get(web.url + "/get", config={"keep_alive": keep_alive})
    assert [0, 1, 0] == [request.connection for request in web.requests]


def test_nothing_but_http_2_and_a_server_that_does_not_speak_it(
    certificates: Certificates, world: Any
) -> None:
    """Over TLS it says so, by what it chooses or by choosing nothing; it gets no request."""
    for offered in (["http/1.1"], None):
        context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
        if offered is not None:
            context.set_alpn_protocols(offered)
        with Web2(tls=context) as web:
            with gofer.Session(verify=certificates.ca_file, config=KNOWN, timeout=20) as session:
                with pytest.raises(RemoteProtocolError, match="expected h2"):
                    session.get(web.url + "/get")
                assert (0, 0, 0) == session.network.pool.counts
                assert "HTTP/1.1" == session.get(web.url, config=CHOSEN).version
            assert 1 == len(web.requests)


def test_one_call_can_differ(web_tls: Web, certificates: Certificates) -> None:
    """And never uses the other's connection."""
    with gofer.Session(verify=certificates.ca_file, config=CHOSEN) as session:
        versions = [
            session.get(web_tls.url + "/get", config={"http2": choice}).version
            for choice in (None, False, True, False)
        ]
    assert ["HTTP/2", "HTTP/1.1", "HTTP/2", "HTTP/1.1"] == versions


def test_without_the_extra_the_error_names_it(
    web_tls: Web, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, where it is asked for; who does not ask has HTTP/1.1."""
    for package in ("ngh2", "h2"):
        monkeypatch.setitem(gofer.config._installed, package, False)
    with gofer.Session(verify=certificates.ca_file) as session:
        assert "HTTP/1.1" == session.get(web_tls.url + "/get").version
    with pytest.raises(ImportError, match=r"pip install gofer\[http2\]"):
        gofer.Session(config=CHOSEN)


# Sharing ------------------------------------------------------------------------------------------


@PLAIN_PYTHON
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_forty_threads_share_one_connection(
    web: Web, web_tls: Web, certificates: Certificates, scheme: str
) -> None:
    """Each gets its own answer, small and large, and nobody opens another connection."""
    server = web if scheme == "http" else web_tls
    errors: list[BaseException] = []
    with gofer.Session(verify=certificates.ca_file, config=KNOWN, timeout=60) as session:

        def work(number: int) -> None:
            try:
                for turn in range(15):
                    value = f"{number}-{turn}"
                    if turn % 5 == 4:
                        size = 1000 * number + turn
                        assert size == len(session.get(f"{server.url}/bytes/{size}").content)
                    elif turn % 5 == 3:
                        sent = value.encode() * 3000
                        answer = session.post(server.url + "/post", data=sent)
                        assert sent.decode() == answer.json()["data"]
                    else:
                        answer = session.get(server.url + "/get", params={"value": value})
                        assert {"value": value} == answer.json()["args"]
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not errors
        assert (1, 0, 0) == session.network.pool.counts
    assert {0} == connections(server)


def test_bulk_shares_one_connection(web: Web) -> None:
    """`imap` with 50 at a time: one connection, all of them on it."""
    with gofer.Session(config=KNOWN) as session:
        urls = [f"{web.url}/get?n={n}" for n in range(200)]
        answers = gofer.map(urls, size=50, session=session)

    assert [{"n": str(n)} for n in range(200)] == [answer.json()["args"] for answer in answers]
    assert {0} == connections(web)


@PLAIN_PYTHON
def test_tasks_share_one_connection(web: Web) -> None:
    """Fifty tasks of one loop."""

    async def main() -> None:
        async with gofer.AsyncSession(config=KNOWN) as session:
            calls = [session.get(f"{web.url}/get?n={n}") for n in range(50)]
            answers = await asyncio.gather(*calls)
            assert [str(n) for n in range(50)] == [a.json()["args"]["n"] for a in answers]

    asyncio.run(main())
    assert {0} == connections(web)


@PLAIN_PYTHON
def test_what_tasks_have_to_say_goes_out_together(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty heads are no fifty writes, each of which would wake the server."""
    from gofer.runtime.asyncio_stream import AsyncioStream

    writes: list[int] = []
    send_now = AsyncioStream.send_now

    def counted(stream: AsyncioStream, data: memoryview) -> int:
        writes.append(len(data))
        return send_now(stream, data)

    async def main() -> None:
        async with gofer.AsyncSession(config=KNOWN) as session:
            await session.get(f"{web.url}/get")
            monkeypatch.setattr(AsyncioStream, "send_now", counted)
            tasks = [asyncio.ensure_future(session.get(f"{web.url}/get")) for _ in range(50)]
            while not writes:
                await asyncio.sleep(0)
            assert 50 == len(_shared_by(session).protocol.streams)
            await asyncio.gather(*tasks)

    asyncio.run(main())
    assert writes[0] > 50 * 9  # bytes of a frame's header


@PLAIN_PYTHON
@pytest.mark.ngh2  # h2 takes minutes for such fields
@pytest.mark.parametrize(("count", "size"), [(200, 60_000), (1, 900_000)])
def test_heads_that_do_not_fit_wait_until_the_server_reads(count: int, size: int) -> None:
    """All of them, in whatever pieces the socket takes them; also if it is only one."""
    may_read = threading.Event()

    def script(peer: Peer) -> None:
        server = Frames(peer, {3: 1000, 4: 2**31 - 1})  # MAX_CONCURRENT_STREAMS
        server.answer(server.receive_request())
        may_read.wait(20)
        while True:
            kind, flags, stream, _ = server.receive()
            if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
                server.answer(stream)

    async def main(url: str) -> None:
        small = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)]
        async with gofer.AsyncSession(config=KNOWN, timeout=20, socket_options=small) as session:
            await session.get(url)
            calls = [session.get(url, headers={"x-large": "x" * size}) for _ in range(count)]
            tasks = [asyncio.ensure_future(call) for call in calls]
            while not _shared_by(session)._unsent:
                await asyncio.sleep(0)
            may_read.set()
            assert {b"next"} == {response.content for response in await asyncio.gather(*tasks)}

    with serve(script) as server:
        asyncio.run(main(server.url))
        assert 1 == server.accepted


# Places -------------------------------------------------------------------------------------------


class Narrow(Web2):
    """Takes five streams at a time on a connection."""

    most_streams = 5


def test_over_the_servers_limit_there_is_another_connection() -> None:
    """Each is full before there is a next one."""
    with Narrow() as web, gofer.Session(config=KNOWN) as session:
        gofer.map([web.url + "/get"], session=session)  # its SETTINGS are here now
        urls = [f"{web.url}/gate/open" for _ in range(15)]
        opener = threading.Thread(target=open_when, args=(web, 15))
        opener.start()
        answers = gofer.map(urls, size=15, session=session)
        opener.join()

        assert [200] * 15 == [answer.status_code for answer in answers]
        assert 3 == web.accepted


def test_over_both_limits_the_requests_wait_in_line() -> None:
    """Nobody gets an error, and the server sees no more than it said."""
    with Narrow() as web:
        config = {**KNOWN, "max_connections_per_host": 1}
        with gofer.Session(config=config) as session:
            answers = gofer.map([web.url + "/get"] * 50, size=50, session=session)

            assert [200] * 50 == [answer.status_code for answer in answers]
        assert 1 == web.accepted
        assert web.in_flight_peak <= 5


ONE = {**KNOWN, "max_connections_per_host": 1}


def by_threads(urls: list[str]) -> None:
    with gofer.Session(config=ONE, timeout=20) as session:
        threads = [threading.Thread(target=session.get, args=(url,)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)


def by_map(urls: list[str]) -> None:
    with gofer.Session(config=ONE, timeout=20) as session:
        gofer.map(urls, session=session)


def by_tasks(urls: list[str]) -> None:
    async def main() -> None:
        async with gofer.AsyncSession(config=ONE, timeout=20) as session:
            await asyncio.gather(*[session.get(url) for url in urls])

    asyncio.run(main())


@PLAIN_PYTHON
@pytest.mark.parametrize("ask", [by_threads, by_map, by_tasks])
def test_a_request_that_takes_long_keeps_none_from_the_only_connection(ask: Any) -> None:
    """Not those either that came while it was being made."""
    with Web2() as web:
        opener = threading.Thread(target=open_when, args=(web, 1, 13))
        opener.start()
        ask([web.url + "/gate/open", *[web.url + "/get"] * 12])
        opener.join()

        assert 1 == web.accepted
        assert 13 == len(web.requests)


def open_when(web: Web, in_flight: int, in_all: int = 0) -> None:
    """Open the gate when so many wait at it, of so many that came."""

    def is_so() -> bool:
        return web.in_flight == in_flight and len(web.requests) >= in_all

    with web.changed:
        assert web.changed.wait_for(is_so, 20)
    web.gates["open"].set()


def test_the_limits_of_the_pool_end_what_idles(web: Web, certificates: Certificates) -> None:
    """A connection that idled too long is not used again."""
    with gofer.Session(config={**KNOWN, "idle_seconds": 0}) as session:
        for _ in range(3):
            session.get(web.url + "/get").content  # noqa: B018
    assert 3 == web.accepted


# Ending one of many -------------------------------------------------------------------------------


@PLAIN_PYTHON
def test_cancelling_one_disturbs_no_other(web: Web) -> None:
    """Every second of forty tasks is cancelled while all are under way."""

    async def main() -> None:
        async with gofer.AsyncSession(config=KNOWN, timeout=20) as session:

            async def one(number: int) -> int:
                response = await session.get(f"{web.url}/gate/late?n={number}")
                return response.status_code  # type: ignore[no-any-return]

            tasks = [asyncio.ensure_future(one(n)) for n in range(40)]
            while web.in_flight < 40:
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            web.gates["late"].set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [200] * 20 == results[1::2]
            assert all(isinstance(r, asyncio.CancelledError) for r in results[::2])
            assert (1, 0, 0) == session.network.pool.counts

    asyncio.run(main())
    assert {0} == connections(web)


@PLAIN_PYTHON
def test_what_a_cancelled_upload_leaves_is_sent_by_whoever_reads() -> None:
    """His own request is behind it, and nobody else is there."""
    is_heard = threading.Event()

    def script(peer: Peer) -> None:
        server = Frames(peer, {4: 2**31 - 1})  # INITIAL_WINDOW_SIZE: nothing will be said of it
        server.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))
        server.receive_until(HEADERS)
        is_heard.wait(20)
        while True:
            kind, flags, stream, _ = server.receive()
            if kind == HEADERS and flags & END_STREAM:
                server.answer(stream)

    async def main(url: str) -> None:
        async with gofer.AsyncSession(config=KNOWN, timeout=20) as session:
            upload, shared = await _stuck_upload(session, url)
            request = asyncio.ensure_future(session.get(url))
            while shared._reading_for is None:
                await asyncio.sleep(0)
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            is_heard.set()
            assert b"next" == (await request).content

    with serve(script) as server:
        asyncio.run(main(server.url))
        assert 1 == server.accepted


@PLAIN_PYTHON
def test_what_never_went_out_is_asked_again_elsewhere() -> None:
    """Whatever its method: it waited behind an upload when the connection broke."""
    may_end = threading.Event()
    is_first = [False, True]

    def script(peer: Peer) -> None:
        server = Frames(peer, {4: 2**31 - 1})  # INITIAL_WINDOW_SIZE
        if not is_first.pop():
            server.answer(server.receive_request())
            return
        server.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))
        server.receive_until(HEADERS)
        may_end.wait(20)

    async def main(url: str) -> None:
        async with gofer.AsyncSession(config=KNOWN, timeout=20) as session:
            upload, shared = await _stuck_upload(session, url)
            request = asyncio.ensure_future(session.post(url))
            while shared._reading_for is None:
                await asyncio.sleep(0)
            may_end.set()
            assert b"next" == (await request).content
            with pytest.raises(ConnectionLost):
                await upload

    with serve(script) as server:
        asyncio.run(main(server.url))
        assert 2 == server.accepted


async def _stuck_upload(session: gofer.AsyncSession, url: str) -> tuple[asyncio.Task[Any], Any]:
    """An upload that fills the socket to its brim, and the connection that it is on."""
    upload = asyncio.ensure_future(session.post(url, data=b"x" * (16 << 20)))
    while not (shared := _shared_by(session)) or not shared._unsent:
        await asyncio.sleep(0)
    return upload, shared


def _shared_by(session: gofer.AsyncSession) -> Any:
    """The connection that the exchanges of `session` share, if it is there yet."""
    for host in session.network.pool._hosts.values():
        for connection in host.shared:
            return connection
    return None


@PLAIN_PYTHON
def test_who_is_interrupted_while_sending_sends_nothing_twice(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how much has gone, so the connection goes too; the next request has another."""
    from gofer.runtime.sockets import SocketStream

    send_now = SocketStream.send_now

    def interrupted(stream: SocketStream, data: memoryview) -> int:
        monkeypatch.setattr(SocketStream, "send_now", send_now)
        send_now(stream, data)
        raise KeyboardInterrupt

    with gofer.Session(config=KNOWN, timeout=20) as session:
        session.get(web.url + "/get").content  # noqa: B018
        monkeypatch.setattr(SocketStream, "send_now", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.post(web.url + "/post", data=b"once")
        assert "again" == session.post(web.url + "/post", data=b"again").json()["data"]
        assert (1, 0, 0) == session.network.pool.counts
    assert 2 == web.accepted


def test_what_goes_wrong_at_the_end_of_a_turn_is_told_to_those_who_wait(
    world: Any, monkeypatch: pytest.MonkeyPatch, web: Web
) -> None:
    """And to nobody else: an event loop would only log it, trio would end the whole run."""
    from gofer.protocols.http2 import Http2Protocol

    output = Http2Protocol.output

    def broken(*_arguments: Any) -> bytes:
        raise ValueError("a fault of our own")

    with gofer.Session(config=KNOWN, timeout=20) as session:
        session.get(web.url + "/get").content  # noqa: B018
        monkeypatch.setattr(Http2Protocol, "output", broken)
        with pytest.raises((ConnectionLost, ValueError)) as caught:
            session.get(web.url + "/get")
        assert "a fault of our own" in f"{caught.value} {caught.value.__cause__}"
        monkeypatch.setattr(Http2Protocol, "output", output)
        assert 200 == session.get(web.url + "/get").status_code


def test_closing_a_response_early_tells_the_server(world: Any) -> None:
    """RST_STREAM with CANCEL; the connection goes on."""
    codes: list[int] = []

    def script(peer: Peer) -> None:
        server = Frames(peer)
        stream = server.receive_request()
        server.send_head(stream, 200)
        server.send(DATA, 0, stream, b"the beginning")
        kind, _, reset, payload = server.receive_until(RST_STREAM)
        assert (RST_STREAM, stream) == (kind, reset)
        codes.append(int.from_bytes(payload, "big"))
        while True:
            server.answer(server.receive_request())

    with serve(script) as server, gofer.Session(config=KNOWN, timeout=20) as session:
        with session.get(server.url, stream=True) as response:
            assert b"the beginning" == next(response.iter_content(100))
        assert b"next" == session.get(server.url).content
        assert 1 == server.accepted
    assert [CANCEL] == codes


def test_what_still_comes_on_an_ended_stream_is_passed_over(world: Any) -> None:
    """Without a word: to be told so of every frame is what a server takes for an attack."""
    kinds: list[int] = []

    def script(peer: Peer) -> None:
        server = Frames(peer)
        stream = server.receive_request()
        server.send_head(stream, 200)
        server.send(DATA, 0, stream, b"the beginning")
        server.receive_until(RST_STREAM)
        for _ in range(100):
            server.send(DATA, 0, stream, b"more")
        while True:
            kind, _, number, _ = server.receive()
            kinds.append(kind)
            if kind == HEADERS:
                server.answer(number)

    with serve(script) as server, gofer.Session(config=KNOWN, timeout=20) as session:
        with session.get(server.url, stream=True) as response:
            assert b"the beginning" == next(response.iter_content(100))
        for _ in range(2):
            assert b"next" == session.get(server.url).content
        assert 1 == server.accepted
    assert 2 == kinds.count(HEADERS)
    assert RST_STREAM not in kinds


def test_a_response_that_nobody_kept_gives_its_place_back(web: Web) -> None:
    """The collector ends its stream."""
    with gofer.Session(config=KNOWN) as session:
        for _ in range(3):
            session.get(web.url + "/drip/60", stream=True)
            gc.collect()
        assert b"" != session.get(web.url + "/get").content
        assert (1, 0, 0) == session.network.pool.counts
    assert {0} == connections(web)


# Windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_more_than_the_windows_hold_comes_and_goes(
    web: Web, web_tls: Web, certificates: Certificates, scheme: str, world: Any
) -> None:
    """20 MB down through windows of 1 and 16 MiB; 3 MB up through those of 64 kB."""
    server: Listener = web if scheme == "http" else web_tls
    size = 20_000_000
    with gofer.Session(verify=certificates.ca_file, config=KNOWN, timeout=60) as session:
        assert size == len(session.get(f"{server.url}/bytes/{size}").content)
        sent = b"0123456789" * 300_000
        assert sent.decode() == session.post(server.url + "/post", data=sent).json()["data"]


def test_content_that_nobody_reads_stops_at_its_window(world: Any) -> None:
    """The server may send 1 MiB ahead; more comes as it is read, and the whole is right."""
    sent = 0
    stopped = threading.Event()

    def script(peer: Peer) -> None:
        nonlocal sent
        server = Frames(peer)
        stream = server.receive_request()
        server.send_head(stream, 200)
        window, size = 1024 * 1024, 2 * 1024 * 1024
        while sent < size:
            piece = min(16_384, window, size - sent)
            if piece:
                server.send(DATA, END_STREAM if sent + piece == size else 0, stream, b"x" * piece)
                sent += piece
                window -= piece
                continue
            stopped.set()
            window += told(server, stream)
        while True:
            server.answer(server.receive_request())

    with serve(script) as server, gofer.Session(config=KNOWN, timeout=20) as session:
        with session.get(server.url, stream=True) as response:
            stopped.wait(20)
            assert sent < 2 * 1024 * 1024
            assert 2 * 1024 * 1024 == len(response.content)
        assert b"next" == session.get(server.url).content


def told(server: Frames, stream: int) -> int:
    """By how much the window of `stream` grows."""
    while True:
        kind, _, number, payload = server.receive()
        if kind == WINDOW_UPDATE and number == stream:
            return int.from_bytes(payload, "big")


@pytest.mark.parametrize(("held", "size", "read"), [(20, 2_000_000, 0), (2, 20_000_000, 3_000_000)])
def test_content_that_nobody_reads_keeps_nobody_from_theirs(
    held: int, size: int, read: int, world: Any
) -> None:
    """Held responses fill their streams' windows, and the connection's grows by as much."""
    with Web2() as web, gofer.Session(config=KNOWN, timeout=20) as session:
        responses = [session.get(f"{web.url}/bytes/{size}") for _ in range(held)]
        contents = [response.iter_content(65536) for response in responses]
        for content in contents:
            for _ in range(read // 65536):
                next(content)

        assert 100_000 == len(session.get(web.url + "/bytes/100000").content)
        assert 1 == web.accepted
        assert size - read // 65536 * 65536 == sum(map(len, contents[0]))
        for response in responses:
            response.close()


def test_with_too_much_unread_there_is_another_connection(world: Any) -> None:
    """Until it is read, or nobody has it any more."""
    with Web2() as web, gofer.Session(config=KNOWN, timeout=20) as session:
        web.most_streams = 200
        session.get(web.url + "/get")
        responses = [session.get(web.url + "/bytes/1500000") for _ in range(60)]
        while len(connections(web)) == 1 and len(responses) < 120:
            responses.append(session.get(web.url + "/bytes/1500000"))
        assert 2 == len(connections(web))
        responses.clear()
        gc.collect()
        before = len(web.requests)
        for _ in range(5):
            session.get(web.url + "/get")
        assert {web.requests[0].connection} == {r.connection for r in web.requests[before:]}


@pytest.mark.only_in("blocking", "hub", "gevent")
def test_an_upload_goes_on_while_another_is_answered(world: Any) -> None:
    """A generator that asks the same connection for something between its pieces."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        _, _, upload, _ = server.receive_until(HEADERS)
        flags = 0
        while not flags & END_STREAM:
            kind, flags, stream, _ = server.receive_until(HEADERS, DATA)
            if kind == HEADERS:
                server.answer(stream)
                flags = 0
        server.answer(upload, b"all")

    with serve(script) as server, gofer.Session(config=KNOWN, timeout=20) as session:

        def pieces() -> Iterator[bytes]:
            for _ in range(3):
                yield b"x" * 20_000
                yield session.get(server.url).content

        assert b"all" == session.post(server.url, data=pieces()).content
        assert 1 == server.accepted


def test_what_comes_for_cancelled_streams_is_no_flood(world: Any) -> None:
    """A server may fill their windows before it hears of it; thrice as much as a flood may be."""

    def script(peer: Peer) -> None:
        server = Frames(peer)
        streams = []
        for _ in range(3):
            streams.append(server.receive_request())
            server.send_head(streams[-1], 200)
            server.send(DATA, 0, streams[-1], b"x" * 16_384)
        for _ in streams:
            server.receive_until(RST_STREAM)
        for stream in streams:
            for _ in range(63):
                server.send(DATA, 0, stream, b"x" * 16_384)
        while True:
            server.answer(server.receive_request())

    with serve(script) as server, gofer.Session(config=KNOWN, timeout=20) as session:
        responses = [session.get(server.url, stream=True) for _ in range(3)]
        for response in responses:
            response.close()
        assert b"next" == session.get(server.url).content
        assert 1 == server.accepted


@PLAIN_PYTHON
def test_cancelling_in_the_middle_of_a_frame_takes_nothing_from_the_window() -> None:
    """However often: 1,200 times 16 kB would be all of the connection's window."""
    window = [0]

    def script(peer: Peer) -> None:
        server = Frames(peer)
        window[0] = 65_535
        while True:
            kind, _, stream, payload = server.receive_until(HEADERS, WINDOW_UPDATE)
            if kind == WINDOW_UPDATE:
                window[0] += int.from_bytes(payload, "big") if stream == 0 else 0
                continue
            server.send_head(stream, 200)
            half = frame(DATA, 0, stream, b"x" * 16_384)
            peer.send(half + half[:16_000])
            while (got := server.receive_until(RST_STREAM, WINDOW_UPDATE))[0] == WINDOW_UPDATE:
                window[0] += int.from_bytes(got[3], "big") if got[2] == 0 else 0
            peer.send(half[16_000:])
            window[0] -= 2 * 16_384

    with serve(script) as server, gofer.Session(config=KNOWN, timeout=20) as session:
        for _ in range(1200):
            with session.get(server.url, stream=True) as response:
                assert b"x" == next(response.iter_content(1))
        assert 1 == server.accepted
    assert window[0] > 7 * 1024 * 1024
