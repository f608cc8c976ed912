"""Redirects by the tables of web-platform-tests; where gofer goes another way, here is the list."""

import json
from pathlib import Path
from typing import Any

import pytest

import gofer
from faults.asking import NEXT, field, site, target
from gofer.exceptions import InvalidSchema, InvalidURL
from servers.raw import Peer, serve


@pytest.fixture
def tables(vectors: Path) -> Any:
    return json.loads((vectors / "redirects" / "redirects.json").read_text())


def redirect(status: int, location: bytes | None) -> bytes:
    line = b"" if location is None else b"Location: " + location + b"\r\n"
    return b"HTTP/1.1 %d Go On\r\n%bContent-Length: 0\r\n\r\n" % (status, line)


def test_methods_and_content(tables: Any, session: gofer.Session):
    """What a redirect leaves of a method, of content, and of the fields that describe it."""
    for case in tables["method"]:
        contents: list[tuple[bytes, bytes]] = []

        def script(peer: Peer, case: Any = case, contents: Any = contents) -> None:
            while True:
                contents.append(peer.receive_request())
                peer.send(redirect(case["status"], b"/end") if len(contents) == 1 else NEXT)

        with serve(script) as server:
            session.request(
                case["method"], server.url + "/start", data=case["body"],
                headers=dict.fromkeys(case["content_headers"], "x"), allow_redirects=True,
            )  # fmt: skip

        head, content = contents[1]
        assert case["expected_method"] == head.split(b" ")[0].decode(), case
        assert case["expected_body"] == content.decode(), case
        for name in case["content_headers"]:
            assert case["content_headers_kept"] is (field(head, name) is not None), (case, name)


def test_locations(tables: Any, session: gofer.Session):
    """Followed, an error, or the redirect itself. An empty Location is no reference to follow."""
    for case in tables["location"]:
        location = case["location"]
        pages = {
            "/start": redirect(case["status"], None if location is None else location.encode())
        }
        with serve(site(pages)) as server:
            if case["follow"] == 200:
                assert b"next" == session.get(server.url + "/start").content
            elif case["follow"] == "error":
                with pytest.raises((InvalidSchema, InvalidURL)):
                    session.get(server.url + "/start")
            else:
                answer = session.get(server.url + "/start")
                assert (case["status"], []) == (answer.status_code, answer.history)

            assert (2 if case["follow"] == 200 else 1) == len(server.requests)


# Fetch leaves what it does not understand; gofer sends what RFC 3986 allows. A lone % is escaped,
# and octets that are no UTF-8 are read as Latin-1, as Requests reads them.
OTHERWISE = {"top.txt?%%E2%98%83": "top.txt?%25%E2%98%83", "top.txt?%FF": "top.txt?%C3%BF"}


def test_octets_of_a_location(tables: Any, session: gofer.Session):
    """Octets above ASCII arrive percent-encoded; the case of escapes is normal (upper)."""
    for case in tables["location_bytes"]:
        location = case.get("location", case.get("location_latin1")).encode("latin-1")
        with serve(site({"/start": redirect(302, location)})) as server:
            answer = session.get(server.url + "/start")

        expected = OTHERWISE.get(case["final_url_ends"], case["final_url_ends"])
        expected = expected.replace("%e2", "%E2")
        assert "/" + expected == target(server.requests[1])
        assert answer.url == server.url + "/" + expected


def test_counts(tables: Any, session: gofer.Session):
    """As many as `max_redirects` says; browsers stop after twenty."""
    session.max_redirects = 20
    for case in tables["count"]:
        seen: list[bytes] = []

        def script(peer: Peer, case: Any = case, seen: Any = seen) -> None:
            while True:
                seen.append(peer.receive_request()[0])
                peer.send(redirect(case["status"], b"/on") if len(seen) <= case["hops"] else NEXT)

        with serve(script) as server:
            if case["fetch_follows"]:
                assert case["hops"] == len(session.get(server.url).history)
            else:
                with pytest.raises(gofer.TooManyRedirects):
                    session.get(server.url)
