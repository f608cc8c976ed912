"""Connections that are refused, swallowed, cut or slow (rows 1 to 18)."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import HEAD, NEXT, PATIENCE, ask, chunked, plain, scripted, session_for
from gofer.exceptions import (
    BodyReadTimeout,
    ConnectionError,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    DeadlineExceeded,
    IncompleteContent,
    ReadTimeout,
    WriteTimeout,
)
from servers.raw import Peer, always, answers, black_hole, refused_port, response, serve

CUT = [Peer.half_close, Peer.reset]
CUTS = pytest.mark.parametrize("end", CUT, ids=["FIN", "RST"])
LARGE = 32 * 1024 * 1024  # bytes; more than the buffers of loopback hold


def addresses(*ports: int) -> Callable[..., Any]:
    """A resolver that knows loopback ports as the addresses of every name."""

    async def resolve(self: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        return [(socket.AF_INET, ("127.0.0.1", one)) for one in ports]

    return resolve


def test_row_01_connection_refused(session: gofer.Session):
    """A refused connection is an error that names the address."""
    port = refused_port()

    with pytest.raises(ConnectionRefused, match="127.0.0.1"):
        session.get(f"http://127.0.0.1:{port}/")


def test_row_01_every_address_is_tried(
    session: gofer.Session, monkeypatch: pytest.MonkeyPatch, world: Any
):
    """The address that answers is found behind those that refuse."""
    with serve(always(NEXT)) as server:
        resolve = addresses(refused_port(), refused_port(), server.port)
        monkeypatch.setattr(type(world), "resolve", resolve)

        assert b"next" == session.get("http://name.test/").content


def test_row_02_a_black_hole():
    """An address that never answers ends in ConnectTimeout."""
    with black_hole() as port, session_for() as session:
        with pytest.raises(ConnectTimeout, match="connecting"):
            session.get(f"http://127.0.0.1:{port}/")


def test_row_02_the_next_address_is_started_beside_a_black_hole(
    monkeypatch: pytest.MonkeyPatch, world: Any
):
    """A dead first address does not eat the time of the second (RFC 8305)."""
    with black_hole() as port, serve(always(NEXT)) as server, session_for(timeout=5) as session:
        monkeypatch.setattr(type(world), "resolve", addresses(port, server.port))

        assert b"next" == session.get("http://name.test/").content


@CUTS
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_row_03_closed_before_any_answer(end: Any, method: str):
    """A fresh connection that is closed unanswered is an error; nothing is sent twice."""
    with serve(scripted(b"", end)) as server, session_for() as session:
        with pytest.raises(ConnectionLost):
            session.request(method, server.url + "/first", data=b"x" if method == "POST" else None)
        assert 1 == len(server.requests)
        assert b"next" == session.get(server.url + "/next").content


def test_row_03_closed_as_soon_as_accepted():
    """A server that hangs up without reading gives an error."""
    with serve(Peer.reset) as server, session_for() as session:
        with pytest.raises(ConnectionError):
            session.get(server.url)
        with pytest.raises(ConnectionError):
            session.post(server.url, data=b"x" * 100_000)


def test_row_04_never_an_answer():
    """Silence after the request is ReadTimeout."""
    with pytest.raises(ReadTimeout, match="waiting for the response head"):
        ask(b"")


def test_a_slow_way_takes_nothing_of_the_answers_time():
    """The limit of connecting and the one of the answer are two, though they be equal."""

    def slowly(host: str, port: int) -> str:
        time.sleep(1)
        return "127.0.0.1"

    def answer(peer: Peer) -> None:
        time.sleep(1)
        peer.send(response(b"hello"))

    with serve(always(answer)) as server, gofer.Session(resolve=slowly, timeout=1.9) as session:
        assert session.get(f"http://a.test:{server.port}/").text == "hello"


@pytest.mark.parametrize("start", [b"", HEAD + b"X: "], ids=["status line", "field"])
def test_row_05_a_dripping_head(start: bytes):
    """The time for the head is limited as a whole: a byte now and then does not prolong it."""

    def drip(peer: Peer) -> None:
        peer.send(start)
        for byte in HEAD * 10:
            peer.send(bytes([byte]))
            time.sleep(PATIENCE / 5)

    with pytest.raises(ReadTimeout):
        ask(drip)


def dripping_content(peer: Peer) -> None:
    peer.send(HEAD + b"Content-Length: 6\r\n\r\n")
    for byte in b"hello!":
        time.sleep(PATIENCE / 5)
        peer.send(bytes([byte]))


def test_row_06_dripping_content():
    """Content may be slow as long as it moves."""
    assert b"hello!" == ask(dripping_content).content


def test_row_06_dripping_content_and_a_total():
    """A deadline for the whole call ends it."""
    with pytest.raises(DeadlineExceeded, match="content"):
        ask(dripping_content, deadline=PATIENCE / 2)
    with pytest.raises(DeadlineExceeded):
        ask(dripping_content, timeout=gofer.Timeouts(total=PATIENCE / 2))


@pytest.mark.parametrize("method", ["content", "iter_content"])
def test_row_07_half_the_content_and_silence(method: str):
    """The error says how much is missing."""
    with serve(scripted(HEAD + b"Content-Length: 10\r\n\r\nhello")) as server:
        with session_for() as session, session.get(server.url) as got:
            with pytest.raises(BodyReadTimeout, match="5 bytes missing"):
                got.content if method == "content" else list(got.iter_content(100))


@CUTS
@pytest.mark.parametrize(
    "answer",
    [b"H", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r", HEAD, HEAD + b"Content-Le", HEAD + b"X: a",
     HEAD + b"Content-Length: 5\r\n", HEAD + b"Content-Length: 5\r\n\r",
     b"HTTP/1.1 103 Early\r\n\r\n", b"HTTP/1.1 103 Early\r\n\r\n" + HEAD],
)  # fmt: skip
def test_row_08_cut_in_the_head(answer: bytes, end: Any):
    """Half a head is no response."""
    with pytest.raises(ConnectionLost):
        ask(answer, end=end)


@CUTS
@pytest.mark.parametrize(
    "answer",
    [HEAD + b"Content-Length: 5\r\n\r\n", HEAD + b"Content-Length: 5\r\n\r\nhell",
     chunked(b""), chunked(b"5"), chunked(b"5\r"), chunked(b"5\r\n"), chunked(b"5\r\nhe"),
     chunked(b"5\r\nhello"), chunked(b"5\r\nhello\r\n"), chunked(b"5\r\nhello\r\n0"),
     chunked(b"5\r\nhello\r\n0\r\n"), chunked(b"5\r\nhello\r\n0\r\nX: a\r\n")],
)  # fmt: skip
@pytest.mark.parametrize("how", ["content", "iter_content", "raw"])
def test_row_08_cut_in_the_content(answer: bytes, end: Any, how: str):
    """Short content is an error, however it is read."""
    with serve(scripted(answer, end)) as server, session_for() as session:
        got = session.get(server.url)
        with pytest.raises(IncompleteContent):
            if how == "content":
                got.content  # noqa: B018
            elif how == "raw":
                while got.raw.read(2):
                    pass
            else:
                list(got.iter_content(2))
        got.close()
        assert b"next" == session.get(server.url + "/next").content


def test_row_09_content_up_to_the_end_of_the_connection():
    """FIN ends content without a length, RST breaks it."""
    assert b"hello" == ask(HEAD + b"\r\nhello", end=Peer.half_close).content
    with pytest.raises(IncompleteContent):
        ask(HEAD + b"\r\nhello", end=Peer.reset)


@CUTS
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_row_10_closed_while_idle(end: Any, method: str):
    """A connection that was closed while idle is noticed: the request is sent once, elsewhere."""

    def script(peer: Peer) -> None:
        peer.receive_request()
        peer.send(NEXT)
        if peer.index == 0:
            peer.wait("idle")
            end(peer)
            peer.open("closed")

    with serve(script) as server, session_for() as session:
        session.get(server.url + "/first").content  # noqa: B018
        server.gates["idle"].set()
        server.gates["closed"].wait()
        assert b"next" == session.request(method, server.url + "/second", data=b"x").content

        assert 2 == len(server.requests)
        assert 2 == server.accepted


@CUTS
@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("PUT", 2), ("POST", 1), ("PATCH", 1)])
def test_row_11_closed_while_we_write(end: Any, method: str, times: int):
    """What is idempotent is repeated once; what is not was seen at most once, and is an error."""
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.receive_request()
            if b"/race" in head:
                seen.append(head)
                if peer.index == 0:
                    end(peer)
                    return
            peer.send(NEXT)

    with serve(script) as server, session_for() as session:
        session.get(server.url).content  # noqa: B018
        if times == 2:
            assert b"next" == session.request(method, server.url + "/race").content
        else:
            with pytest.raises(ConnectionLost):
                session.request(method, server.url + "/race", data=b"x")
        assert b"next" == session.get(server.url).content

    assert times == len(seen)


@CUTS
@pytest.mark.parametrize(("method", "times"), [("PUT", 2), ("POST", 1)])
@pytest.mark.parametrize("kind", ["bytes", "file", "expect"])
def test_row_11_closed_in_the_middle_of_the_content(
    end: Any, method: str, times: int, kind: str, tmp_path: Path
):
    """Where the server had a part of it, only what is idempotent is sent a second time."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 5_000_000)
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        while True:
            head = peer.receive_head()
            if b"/race" in head:
                seen.append(head)
                if peer.index == 0:
                    peer.receive_exactly(0 if kind == "expect" else 100_000)
                    end(peer)
                    return
                if kind == "expect":
                    peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.receive_content()
            peer.send(NEXT)

    fields = {"Expect": "100-continue"} if kind == "expect" else {}
    with serve(script) as server, session_for(timeout=5) as session, path.open("rb") as file:
        session.get(server.url).content  # noqa: B018
        data = file if kind == "file" else b"x" * 5_000_000
        if times == 2:
            answer = session.request(method, server.url + "/race", data=data, headers=fields)
            assert b"next" == answer.content
        else:
            with pytest.raises(ConnectionLost):
                session.request(method, server.url + "/race", data=data, headers=fields)

    assert times == len(seen)


def test_row_11_not_repeated_twice():
    """A repeat that is cut too is an error."""
    with serve(scripted(b"", Peer.reset)) as server, session_for() as session:
        session.get(server.url + "/next").content  # noqa: B018
        with pytest.raises(ConnectionLost):
            session.get(server.url + "/first")

        assert 3 == len(server.requests)


def test_row_13_a_whole_answer_and_a_half_close():
    """FIN behind a whole answer is of no importance to it."""
    for answer in (plain(), chunked(b"5\r\nhello\r\n0\r\n\r\n")):
        assert b"hello" == ask(answer, end=Peer.half_close).content


def upload(size: int = LARGE) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b"x" * 65536


CONTENTS = pytest.mark.parametrize(
    "content", [lambda: b"x" * LARGE, upload], ids=["bytes", "generator"]
)


@CONTENTS
@pytest.mark.parametrize("status", ["413 Content Too Large", "401 Unauthorized"])
def test_row_14_an_answer_while_we_send(content: Any, status: str):
    """The answer is returned, sending stops, and the connection is not used again."""

    def script(peer: Peer) -> None:
        head = peer.receive_head()
        if b"/next" in head:
            peer.send(NEXT)
            return
        peer.send(response(b"enough", status))
        peer.wait("answered")

    with serve(script) as server, session_for() as session:
        got = session.post(server.url + "/first", data=content())
        assert (int(status[:3]), b"enough") == (got.status_code, got.content)
        server.gates["answered"].set()
        assert b"next" == session.get(server.url + "/next").content

        assert 2 == server.accepted


@CONTENTS
def test_row_14_cut_while_we_send(content: Any):
    """Without an answer it is an error."""

    def script(peer: Peer) -> None:
        if b"/next" in peer.receive_head():
            peer.send(NEXT)
            return
        peer.reset()

    with serve(script) as server, session_for() as session:
        with pytest.raises(ConnectionLost):
            session.post(server.url + "/first", data=content())
        assert b"next" == session.get(server.url + "/next").content


@CONTENTS
def test_row_15_a_server_that_never_reads(content: Any):
    """The peer taking nothing any more is WriteTimeout."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.wait("end")

    with serve(script) as server, session_for() as session:
        with pytest.raises(WriteTimeout):
            session.post(server.url, data=content())
        server.gates["end"].set()


def test_row_15_a_server_that_never_reads_a_file(tmp_path: Path):
    """A file handed to the operating system is bounded in time like everything else."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(LARGE)

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.wait("end")

    with serve(script) as server, session_for() as session, path.open("rb") as file:
        with pytest.raises(WriteTimeout):
            session.post(server.url, data=file)
        server.gates["end"].set()


def test_row_16_an_answer_before_the_content_is_read():
    """The connection stays open, and the next request is not mixed with what was left to send."""

    def script(peer: Peer) -> None:
        head = peer.receive_head()
        if b"/next" in head:
            peer.send(NEXT)
            return
        peer.send(response(b"early"))
        peer.receive_content()
        assert peer.receive() in (b"", NEXT)

    with serve(script) as server, session_for() as session:
        assert b"early" == session.post(server.url + "/first", data=b"x" * LARGE).content
        assert b"next" == session.get(server.url + "/next").content


def test_row_17_connections_accepted_and_dropped():
    """Failures leave no file descriptor behind."""
    with serve(Peer.reset) as server, session_for() as session:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(200):
            with pytest.raises(ConnectionError):
                session.get(server.url)
        server.wait_for(lambda: server.open == 0)
        after = len(os.listdir("/proc/self/fd"))

    assert after <= before + 2


def test_row_18_keep_alive_of_tcp_is_on():
    """A peer that vanished is noticed at last, even without a timeout."""
    with serve(answers(HEAD + b"Content-Length: 1\r\n\r\n")) as server, session_for() as session:
        with session.get(server.url) as got:
            descriptor = got._source._connection.stream.fileno()
            with socket.socket(fileno=os.dup(descriptor)) as copied:
                assert copied.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
