"""HTTP/3 connections and streams that are not what they should be (rows 98 to 100).

The server makes its frames by hand. What goes wrong on a stream is that stream's own; what goes
wrong on the connection ends it, and every exchange on it hears of it. Either way the session is
usable at once.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gofer
from gofer.exceptions import (
    ConnectionError,
    ConnectionLost,
    ConnectTimeout,
    FieldSectionTooLarge,
    IncompleteContent,
    RemoteProtocolError,
    SSLError,
)
from servers.certificates import Certificates
from servers.web3 import Conversation3, Web3

pytest.importorskip("qh3", reason="HTTP/3 needs qh3: pip install gofer[http3]")

from qh3._hazmat import encode_uint_var as number
from qh3.h3 import events as http

PLAIN_PYTHON = pytest.mark.only_in("blocking")
KNOWN = {"http3": "prior knowledge"}

DATA, HEADERS, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, UNKNOWN = 0, 1, 4, 5, 7, 13, 0x21
ID_ERROR, REJECTED, INTERNAL_ERROR = 0x108, 0x10B, 0x102
OK = (b":status", b"200")

Answer = Callable[["Scripted", int], object]


class Scripted(Conversation3):
    """Answers the first request of all by hand, and every other as ever."""

    def handle(self, event: Any) -> None:
        script = self.web.state.get("script")
        if script is not None and isinstance(event, http.HeadersReceived):
            del self.web.state["script"]
            self.contents[event.stream_id] = self.web.state["content"]
            script(self, event.stream_id)
        else:
            super().handle(event)

    def say(self, stream: int, *frames: bytes, end: bool = True) -> None:
        """Send `frames` on a stream as they are."""
        self.quic.send_stream_data(stream, b"".join(frames), end)

    def fields(self, *lines: tuple[bytes, bytes]) -> bytes:
        """A HEADERS frame."""
        from gofer.protocols.http3_fields import literally  # qh3 would not encode long ones

        is_long = any(len(value) > 4096 for _, value in lines)
        encoded = literally(lines) if is_long else self.http._encoder.encode(0, list(lines))[1]
        return frame(HEADERS, encoded)

    def control(self, *frames: bytes) -> None:
        """Send `frames` on the control stream."""
        self.say(self.http._local_control_stream_id, *frames, end=False)


def frame(kind: int, payload: bytes) -> bytes:
    return number(kind) + number(len(payload)) + payload


@pytest.fixture(scope="module")
def lasting(certificates: Certificates, tmp_path_factory: Any) -> Iterator[Web3]:
    chain, key = certificates.pem_files(tmp_path_factory.mktemp("quic"))
    with Web3(tls=certificates.good_http2, chain=chain, key=key) as web:
        web.conversation_class = Scripted
        yield web


@pytest.fixture
def server(lasting: Web3) -> Web3:
    import queue

    lasting.reset_counts()
    lasting.by_http3 = 0
    lasting.state["content"] = queue.SimpleQueue()
    return lasting


@pytest.fixture
def session(certificates: Certificates, server: Web3, world: Any) -> Iterator[gofer.Session]:
    with gofer.Session(verify=certificates.ca_file, config=KNOWN, timeout=20) as session:
        yield session


def ask(session: gofer.Session, server: Web3, answer: Answer, **options: Any) -> Any:
    """The content of the first response; then another has to be right."""
    server.state["script"] = answer
    try:
        got = session.request(options.pop("method", "GET"), server.url + "/get", **options)
        got.content  # noqa: B018  (it is read when it is looked at)
        return got
    finally:
        assert 200 == session.get(server.url + "/get").status_code


# What is wrong on a stream ------------------------------------------------------------------------

BAD_HEADS: dict[str, list[tuple[bytes, bytes]]] = {
    "no status": [(b"server", b"x")],
    "status of words": [(b":status", b"fine")],
    "signed status": [(b":status", b"+200")],
    "status 99": [(b":status", b"99")],
    "status 1000": [(b":status", b"1000")],
    "status twice": [OK, OK],
    "status last": [(b"server", b"x"), OK],
    "another pseudo-header": [OK, (b":path", b"/")],
    "upper case": [OK, (b"Server", b"x")],
    "space in a name": [OK, (b"a b", b"x")],
    "colon in a name": [OK, (b"a:b", b"x")],
    "empty name": [OK, (b"", b"x")],
    "newline in a value": [OK, (b"a", b"x\ny: z")],
    "return in a value": [OK, (b"a", b"x\rz")],
    "zero in a value": [OK, (b"a", b"x\0z")],
    "space around a value": [OK, (b"a", b" x")],
    "connection": [OK, (b"connection", b"close")],
    "keep-alive": [OK, (b"keep-alive", b"timeout=5")],
    "transfer-encoding": [OK, (b"transfer-encoding", b"chunked")],
    "upgrade": [OK, (b"upgrade", b"h2c")],
    "length of words": [OK, (b"content-length", b"five")],
    "signed length": [OK, (b"content-length", b"+5")],
    "two lengths": [OK, (b"content-length", b"5"), (b"content-length", b"6")],
}


@pytest.mark.parametrize("what", BAD_HEADS)
def test_heads_that_are_none(session: gofer.Session, server: Web3, what: str) -> None:
    """RFC 9114, 4.1.2 to 4.3.2."""

    def answer(peer: Scripted, stream: int) -> None:
        peer.say(stream, peer.fields(*BAD_HEADS[what]), frame(DATA, b"12345"))

    with pytest.raises(RemoteProtocolError):
        ask(session, server, answer)


@pytest.mark.parametrize(
    ("length", "content"), [(b"6", b"12345"), (b"4", b"12345"), (b"5", b""), (b"0", b"1")]
)
def test_content_that_is_not_as_long_as_it_says(
    session: gofer.Session, server: Web3, length: bytes, content: bytes
) -> None:
    """Too short and too long."""

    def answer(peer: Scripted, stream: int) -> None:
        head = peer.fields(OK, (b"content-length", length))
        peer.say(stream, head, *([frame(DATA, content)] if content else []))

    with pytest.raises((IncompleteContent, RemoteProtocolError)):
        ask(session, server, answer)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_content_where_there_is_none(session: gofer.Session, server: Web3, method: str) -> None:
    """It is nobody's: HEAD and 204."""

    def answer(peer: Scripted, stream: int) -> None:
        status = (b":status", b"200" if method == "HEAD" else b"204")
        peer.say(stream, peer.fields(status), frame(DATA, b"12345" * 1000), end=False)

    assert b"" == ask(session, server, answer, method=method).content


ODD_ANSWERS: dict[str, Answer] = {
    "an end without a response": lambda p, s: p.say(s),
    "half a head": lambda p, s: p.say(s, p.fields(OK)[:-1]),
    "half of its content": lambda p, s: p.say(s, p.fields(OK), frame(DATA, b"12345")[:-1]),
    "content before the head": lambda p, s: p.say(s, frame(DATA, b"x"), p.fields(OK)),
    "an interim response only": lambda p, s: p.say(s, p.fields((b":status", b"103"))),
    "101": lambda p, s: p.say(s, p.fields((b":status", b"101")), p.fields(OK)),
    "seventeen interim responses": lambda p, s: p.say(
        s, *[p.fields((b":status", b"103"))] * 17, p.fields(OK)
    ),
    "bad trailers": lambda p, s: p.say(s, p.fields(OK), p.fields((b"a", b"b\n"))),
    "pseudo-header in trailers": lambda p, s: p.say(s, p.fields(OK), p.fields(OK)),
    "settings on it": lambda p, s: p.say(s, frame(SETTINGS, b"")),
    "a pushed request": lambda p, s: p.say(s, frame(PUSH_PROMISE, b"\0" + p.fields(OK)[2:])),
    "an empty head": lambda p, s: p.say(s, frame(HEADERS, b"")),
    "a head that is no QPACK": lambda p, s: p.say(s, frame(HEADERS, b"\xff" * 40)),
    "a head by the dynamic table": lambda p, s: p.say(s, frame(HEADERS, b"\x02\x00\x80")),
    "an unknown frame without end": lambda p, s: p.say(
        s, number(UNKNOWN) + number(1 << 40), b"x" * 3_000_000, end=False
    ),
    "a head without end": lambda p, s: p.say(
        s, number(HEADERS) + number(1 << 40), b"x" * 3_000_000, end=False
    ),
    "thousands of empty frames": lambda p, s: p.say(
        s, p.fields(OK), *[frame(DATA, b"")] * 5 + [frame(DATA, b"x"), frame(DATA, b"")[:1]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD_ANSWERS)
def test_answers_that_are_none(session: gofer.Session, server: Web3, what: str) -> None:
    """Each has an end, and a name."""
    with pytest.raises((RemoteProtocolError, IncompleteContent)):
        ask(session, server, ODD_ANSWERS[what])


@pytest.mark.parametrize(
    "lines",
    [[(b"a", b"x" * 60_000)] * 5, [(b"a", b"x")] * 1001, [(b"a%d" % n, b"x" * 999) for n in range(400)]],
    ids=["long ones", "many", "many long ones"],
)  # fmt: skip
def test_fields_beyond_the_limits(
    session: gofer.Session, server: Web3, lines: list[tuple[bytes, bytes]]
) -> None:
    """As over HTTP/1.1."""
    with pytest.raises(FieldSectionTooLarge):
        ask(session, server, lambda peer, stream: peer.say(stream, peer.fields(OK, *lines)))


def test_a_stream_that_is_reset(session: gofer.Session, server: Web3) -> None:
    """Before the head, and in the middle of the content; the connection goes on."""

    def before(peer: Scripted, stream: int) -> None:
        peer.quic.reset_stream(stream, INTERNAL_ERROR)

    def within(peer: Scripted, stream: int) -> None:
        peer.say(stream, peer.fields(OK), frame(DATA, b"12345"), end=False)
        peer.flush()
        peer.quic.reset_stream(stream, INTERNAL_ERROR)
        peer.quic._streams[stream].is_blocked = True

    with pytest.raises(ConnectionLost, match="reset the stream"):
        ask(session, server, before, method="POST", data=b"x")
    with pytest.raises(IncompleteContent):
        ask(session, server, within, method="POST", data=b"x")
    assert 1 == server.by_http3


def test_a_request_that_was_rejected_is_sent_again(session: gofer.Session, server: Web3) -> None:
    """Whatever its method: it was not looked at (RFC 9114, 4.1.1)."""

    def answer(peer: Scripted, stream: int) -> None:
        peer.quic.reset_stream(stream, REJECTED)

    server.state["script"] = answer
    assert 200 == session.post(server.url + "/post", data=b"x").status_code


def test_a_server_that_wants_no_more_of_an_upload(session: gofer.Session, server: Web3) -> None:
    """STOP_SENDING: what it has to say is heard, and the rest is not read."""
    left: list[int] = []

    def pieces() -> Iterator[bytes]:
        for n in range(1000, 0, -1):
            left[:] = [n]
            yield b"x" * 100_000

    def answer(peer: Scripted, stream: int) -> None:
        peer.quic.stop_stream(stream, 0x100)
        peer.say(stream, peer.fields((b":status", b"413")), frame(DATA, b"too much"))

    got = ask(session, server, answer, method="POST", data=pieces())
    assert (413, b"too much") == (got.status_code, got.content)
    assert left[0] > 1


# What is wrong on the connection ------------------------------------------------------------------

ODD_CONNECTIONS: dict[str, Answer] = {
    "settings twice": lambda p, s: p.control(frame(SETTINGS, b"")),
    "a reserved setting": lambda p, s: p.control(frame(SETTINGS, b"\x02\x00")),
    "content on the control stream": lambda p, s: p.control(frame(DATA, b"x")),
    "a frame that servers do not send": lambda p, s: p.control(frame(MAX_PUSH_ID, b"\1")),
    "goodbye to a stream of its own": lambda p, s: p.control(frame(GOAWAY, b"\x03")),
    "goodbye without a number": lambda p, s: p.control(frame(GOAWAY, b"")),
    "a control frame without end": lambda p, s: p.control(
        number(UNKNOWN) + number(1 << 40), b"x" * 3_000_000
    ),
    "the end of the control stream": lambda p, s: p.say(p.http._local_control_stream_id),
    "a second control stream": lambda p, s: p.say(
        p.quic.get_next_available_stream_id(is_unidirectional=True), number(0), end=False
    ),
    "a push": lambda p, s: p.say(
        p.quic.get_next_available_stream_id(is_unidirectional=True),
        number(1), number(0), p.fields(OK), frame(DATA, b"x"),
    ),
    "a request": lambda p, s: p.say(p.quic.get_next_available_stream_id(), p.fields(OK)),
    "a dynamic table": lambda p, s: p.say(
        p.http._local_encoder_stream_id, b"\x3f\xe1\x1f" + b"\x41a\x01b" * 100, end=False
    ),
    "an end": lambda p, s: p.close(INTERNAL_ERROR, "I am not well"),
    "an end without a reason": lambda p, s: p.close(0x100),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD_CONNECTIONS)
def test_connections_that_are_none(session: gofer.Session, server: Web3, what: str) -> None:
    """Whoever waits hears of it, and the next request has another connection."""
    with pytest.raises((RemoteProtocolError, ConnectionLost)):
        ask(session, server, ODD_CONNECTIONS[what], method="POST", data=b"x")
    assert 2 == server.by_http3


@pytest.mark.parametrize("is_looked_at", [True, False])
def test_goodbye(session: gofer.Session, server: Web3, is_looked_at: bool) -> None:
    """What was looked at is finished; what was not goes to another connection."""

    def answer(peer: Scripted, stream: int) -> None:
        peer.control(frame(GOAWAY, number(stream + 4 if is_looked_at else stream)))
        peer.say(stream, peer.fields(OK), frame(DATA, b"here"))

    server.state["script"] = answer
    got = session.post(server.url + "/post", data=b"x")
    assert (b"here" == got.content) is is_looked_at
    assert 200 == session.get(server.url + "/get").status_code
    assert 2 == server.by_http3


def test_a_flood_of_streams(
    session: gofer.Session, server: Web3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server has three of its own, and perhaps some that nobody knows."""
    monkeypatch.setattr("gofer.protocols.http3.MOST_OF_ITS_OWN", 50)

    def answer(peer: Scripted, stream: int) -> None:
        for _ in range(80):
            own = peer.quic.get_next_available_stream_id(is_unidirectional=True)
            peer.say(own, number(UNKNOWN) + b"x")

    with pytest.raises(RemoteProtocolError, match="nobody asked for"):
        ask(session, server, answer, method="POST", data=b"x")


def test_a_flood_of_frames_that_lead_nowhere(session: gofer.Session, server: Web3) -> None:
    """Interim responses on many streams, empty frames: a thousand are too many."""

    def answer(peer: Scripted, stream: int) -> None:
        peer.control(*[frame(GOAWAY, number(1 << 40))] * 1500)
        for _ in range(1500):
            peer.quic.send_datagram_frame(b"\0")

    with pytest.raises((RemoteProtocolError, ConnectionLost)):
        ask(session, server, answer, method="POST", data=b"x", timeout=3)


# What is too much ---------------------------------------------------------------------------------


def test_content_that_nobody_reads_has_an_end(
    session: gofer.Session, server: Web3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others are read it comes as well: too much of it ends its own stream."""
    monkeypatch.setattr("gofer.protocols.http3.MOST_UNREAD", 500_000)
    unread = session.get(server.url + "/bytes/3000000", stream=True)
    for _ in range(50):
        if unread._source._stream.is_over:
            break
        assert 100_000 == len(session.get(server.url + "/bytes/100000").content)
    with pytest.raises(IncompleteContent, match="nobody has read"):
        unread.content  # noqa: B018
    assert 1 == server.by_http3


def test_a_full_connection_takes_no_new_requests(
    session: gofer.Session, server: Web3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have another; the slow one loses nothing."""
    monkeypatch.setattr("gofer.protocols.http3.FULL", 100_000)
    slow = session.get(server.url + "/bytes/2000000", stream=True)
    for _ in range(50):
        session.get(server.url + "/bytes/100000").content  # noqa: B018
        if server.by_http3 > 1:
            break
    assert 2 == server.by_http3
    assert 2_000_000 == len(slow.content)


# What is no QUIC ----------------------------------------------------------------------------------


@pytest.fixture
def odd_peer() -> Iterator[Any]:
    """Answers each datagram with what `answer(datagram)` gives."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    bell = sock.getsockname()

    class Odd:
        url = f"https://127.0.0.1:{sock.getsockname()[1]}/"
        answer: Any = None

    def run() -> None:
        while True:
            data, address = sock.recvfrom(65536)
            if address == bell:
                return
            for piece in Odd.answer(data):
                with contextlib.suppress(OSError):  # the client has gone
                    sock.sendto(piece, address)

    thread = threading.Thread(target=run)
    thread.start()
    yield Odd
    sock.sendto(b"", bell)
    thread.join()
    sock.close()


def negotiation(data: bytes, *versions: int) -> bytes:
    """A Version Negotiation packet (RFC 9000, 17.2.1) in answer to an Initial."""
    if not data[0] & 0x80:
        return b""
    destination = data[6 : 6 + data[5]]
    rest = data[6 + data[5] :]
    source = rest[1 : 1 + rest[0]]
    return b"".join(
        (
            b"\x80\0\0\0\0", bytes([len(source)]), source, bytes([len(destination)]), destination,
            *(version.to_bytes(4, "big") for version in versions),
        )
    )  # fmt: skip


NO_QUIC: dict[str, Callable[[bytes], list[bytes]]] = {
    "empty datagrams": lambda data: [b""] * 10,
    "noise": lambda data: [bytes(range(256)) * 5] * 10,
    "an echo": lambda data: [data],
    "other versions only": lambda data: [negotiation(data, 0x0A0A0A0A)],
    "our version, which it did not take": lambda data: [negotiation(data, 1)],
    "a version that we do not know, again and again": lambda d: (
        [negotiation(d, 0x0A0A0A0A, 1)] * 50
    ),
    "a retry without a seal": lambda data: [b"\xf0\0\0\0\1\0\x08" + b"x" * 40] * 10,
    "a reset that is not ours": lambda data: [b"\x40" + b"r" * 60] * 10,
}


@PLAIN_PYTHON
@pytest.mark.parametrize("what", NO_QUIC)
def test_a_peer_that_speaks_no_quic(odd_peer: Any, what: str) -> None:
    """It is given up when its time is over, if not before."""
    odd_peer.answer = NO_QUIC[what]
    with gofer.Session(config=KNOWN) as session:
        with pytest.raises((ConnectTimeout, ConnectionError)):
            session.get(odd_peer.url, timeout=0.5)


@PLAIN_PYTHON
def test_a_peer_that_speaks_no_http_3(certificates: Certificates, tmp_path: Any) -> None:
    """QUIC, but another protocol on it."""
    chain, key = certificates.pem_files(tmp_path)
    with Web3(tls=certificates.good_http2, chain=chain, key=key) as web:
        web.configuration.alpn_protocols = ["doq"]
        with gofer.Session(verify=certificates.ca_file, config=KNOWN) as session:
            with pytest.raises((SSLError, ConnectionError)):
                session.get(web.url, timeout=5)
