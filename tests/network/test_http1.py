"""Large content over HTTP/1.1: where it goes from the socket, and what comes out."""

import random

import pytest

import gofer
from gofer.exceptions import IncompleteContent
from servers.raw import Peer, serve

MIB = 1024 * 1024
CONTENT = random.Random(1).randbytes(3 * MIB + 7)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)


def answering(peer: Peer) -> None:
    while peer.receive_head():
        peer.send(HEAD + CONTENT)


def cut(peer: Peer) -> None:
    peer.receive_head()
    peer.send(HEAD + CONTENT[: 3 * MIB // 2])


def test_large_content_whole(session: gofer.Session):
    """Content of known length arrives to the byte, and its connection is used again."""
    with serve(answering) as server:
        for _ in range(2):
            assert CONTENT == session.get(server.url).content

        assert 1 == server.accepted


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 100_000, MIB, 10 * MIB])
def test_large_pieces(size: int, session: gofer.Session):
    """Pieces are as large as was asked for, but for the last; the connection is used again."""
    expected = [CONTENT[start : start + size] for start in range(0, len(CONTENT), size)]
    with serve(answering) as server:
        for _ in range(2):
            answer = session.get(server.url, stream=True)
            assert expected == list(answer.iter_content(size))

        assert 1 == server.accepted


def test_large_content_cut_short(session: gofer.Session):
    """An end before the end is an error, after the whole pieces that came before it."""
    with serve(cut) as server:
        with pytest.raises(IncompleteContent, match="bytes of content missing"):
            session.get(server.url).content  # noqa: B018
        pieces = session.get(server.url, stream=True).iter_content(MIB)

        assert CONTENT[:MIB] == next(pieces)
        with pytest.raises(IncompleteContent):
            next(pieces)
