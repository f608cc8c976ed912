"""What the caller gets wrong: an error that has a name, before a byte is written (rows 108 to 114).

Whatever the caller passes can write no byte outside of its own field.
"""

import gofer
from faults.asking import NEXT
from servers.raw import Peer, serve


def test_row_113_chunked_content_of_the_callers_is_in_chunks(session: gofer.Session):
    """Transfer-Encoding: chunked beside bytes sends the bytes as chunks."""
    contents = []

    def script(peer: Peer) -> None:
        while True:
            _, content = peer.receive_request()
            contents.append(content)
            peer.send(NEXT)

    with serve(script) as server:
        for data in (b"hello", b"x" * 100_000, "text"):
            session.post(server.url, data=data, headers={"Transfer-Encoding": "chunked"})

    assert [b"hello", b"x" * 100_000, b"text"] == contents
