"""HTTP/3 as datagrams in and values out: whatever a server says has an end and a name.

The server is qh3 in memory, which sends what it is told as it is.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from servers.certificates import Certificates

pytest.importorskip("qh3", reason="HTTP/3 needs qh3: pip install gofer[http3]")

from qh3._hazmat import QpackEncoder
from qh3._hazmat import encode_uint_var as number
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection

HERE, THERE = ("127.0.0.1", 1), ("127.0.0.1", 2)
REQUEST = [
    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"x"), (b":path", b"/"),
]  # fmt: skip


class Pair:
    """A client's protocol, and a server that says what it is told."""

    def __init__(self, files: tuple[Path, Path], ca_file: str, *, talks: bool = True) -> None:
        from gofer.protocols.http1 import Limits
        from gofer.protocols.http3 import Http3Protocol

        mine = QuicConfiguration(alpn_protocols=["h3"], server_name="localhost", cafile=ca_file)
        self.client = Http3Protocol(mine, Limits(), "peer", THERE, 0.0)
        theirs = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
        theirs.load_cert_chain(*files)
        first = self.client.quic.original_destination_connection_id
        self.server = QuicConnection(configuration=theirs, original_destination_connection_id=first)
        self.now = 0.0
        if not talks:
            return
        self.talk()
        assert self.client.handshake.complete
        for kind in (0, 2, 3):  # control, QPACK encoder and decoder
            self.say(3 + 4 * (0, 2, 3).index(kind), number(kind))

    def say(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.server.send_stream_data(stream, data, end)

    def talk(self) -> None:
        """Until nobody has anything to say."""
        for _ in range(200):
            self.now += 0.001
            sent = []
            while datagram := self.client.output(1, self.now):
                sent.append(datagram)
            for datagram in sent:
                self.server.receive_datagram(datagram, HERE, self.now)
            while self.server.next_event() is not None:
                pass
            received = [data for data, _ in self.server.datagrams_to_send(self.now)]
            if received:
                self.client.feed(received, self.now)
            if not sent and not received:
                return


@pytest.fixture(scope="module")
def files(certificates: Certificates, tmp_path_factory: Any) -> tuple[Path, Path]:
    return certificates.pem_files(tmp_path_factory.mktemp("quic"))


def head(*lines: tuple[bytes, bytes]) -> bytes:
    return frame(1, QpackEncoder().encode(0, list(lines))[1])


def frame(kind: int, payload: bytes) -> bytes:
    return number(kind) + number(len(payload)) + payload


GOOD = [
    head((b":status", b"200"), (b"content-length", b"5")),
    head((b":status", b"103"), (b"link", b"</x>")),
    head((b"trailer", b"1")),
    frame(0, b"12345"),
    frame(0, b""),
    frame(4, b""),
    frame(7, number(4)),
    frame(0x21, b"unknown"),
]
PIECE = some.sampled_from(GOOD) | some.builds(
    frame, some.integers(0, 40), some.binary(max_size=30)
) | some.binary(max_size=20)  # fmt: skip
SAID = some.lists(
    some.tuples(some.sampled_from([0, 0, 0, 4, 3, 7, 11, 15, 1]), PIECE, some.booleans()),
    max_size=10,
)


@settings(max_examples=150, deadline=None)
@given(said=SAID)
def test_whatever_is_said(
    files: tuple[Path, Path], certificates: Certificates, said: list[tuple[int, bytes, bool]]
) -> None:
    """It becomes responses, or errors of gofer; nothing that was said is counted twice."""
    from gofer.exceptions import RequestException

    pair = Pair(files, certificates.ca_file)
    client = pair.client
    streams = [client.begin(REQUEST, has_content=False) for _ in range(2)]
    pair.talk()
    ended = set()
    for number_, data, end in said:
        if number_ not in ended:
            pair.say(number_, data, end=end)
            ended |= {number_} if end else set()
            pair.talk()

    assert client.failure is None or isinstance(client.failure, RequestException)
    assert client._unread == sum(stream.unread for stream in client.streams.values())
    for stream in streams:
        if stream.complete:
            assert 200 <= stream.status < 1000
            assert stream.error_code is None
        client.take_pieces(stream)
        client.forget(stream)
    pair.talk()
    assert (0, {}) == (client._unread, client.streams)


@settings(max_examples=150, deadline=None)
@given(datagrams=some.lists(some.binary(max_size=1500), max_size=5))
def test_whatever_comes(
    files: tuple[Path, Path], certificates: Certificates, datagrams: list[bytes]
) -> None:
    """Datagrams that nobody could have meant are nothing, before the handshake and after it."""
    pair = Pair(files, certificates.ca_file)
    pair.client.feed(datagrams, pair.now)
    stream = pair.client.begin(REQUEST, has_content=False)
    pair.talk()
    pair.say(stream.number, GOOD[0] + GOOD[3], end=True)
    pair.talk()

    assert (True, 200, [b"12345"]) == (stream.complete, stream.status, stream.pieces)


def test_who_is_heard(files: tuple[Path, Path], certificates: Certificates) -> None:
    """Who can say what only the reader of our first packet can: a Retry, or a packet that decrypts."""
    from qh3.quic.packet import encode_quic_retry

    def begun() -> Any:
        client = Pair(files, certificates.ca_file, talks=False).client
        client.output(1, 0.0)
        return client

    def retry(client: Any, first: bytes) -> bytes:
        quic = client.quic
        return encode_quic_retry(quic._version, b"x" * 8, quic.host_cid, first, b"token")

    for junk in (b"x", b"", b"\xc0" + b"\x01" * 1200, b"\x40" * 50):
        client = begun()
        client.feed([junk], 0.0)
        assert not client.has_heard
    client = begun()
    client.feed([retry(client, b"another")], 0.0)
    assert not client.has_heard
    client.feed([retry(client, client.quic.original_destination_connection_id)], 0.0)
    assert client.has_heard
    assert Pair(files, certificates.ca_file).client.has_heard


@given(
    some.lists(
        some.tuples(some.binary(min_size=1, max_size=9000), some.binary(max_size=9000)), max_size=3
    )
)
def test_fields_that_are_written_literally(lines: list[tuple[bytes, bytes]]) -> None:
    """A decoder of QPACK reads what was meant, as far as it takes it."""
    from qh3._hazmat import QpackDecoder

    from gofer.protocols.http3_fields import literally

    plain = [(name.hex().encode(), value.hex().encode()) for name, value in lines]
    if plain:
        assert plain == QpackDecoder(0, 0).feed_header(0, literally(plain))[1]


@pytest.mark.parametrize(("said", "expected"), [("", "the server requires a"), ("why", "why")])
def test_an_alert_after_the_handshake(
    files: tuple[Path, Path], certificates: Certificates, said: str, expected: str
) -> None:
    """For want of a client certificate, for instance: an error of TLS, in words."""
    from gofer.exceptions import SSLError

    pair = Pair(files, certificates.ca_file)
    pair.server.close(error_code=0x100 + 116, frame_type=6, reason_phrase=said)
    pair.talk()

    assert type(pair.client.failure) is SSLError
    assert f"connecting to peer: {expected}" in str(pair.client.failure)
