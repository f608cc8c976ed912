"""protocols/proxy.py: the bytes of CONNECT and of its answer."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.exceptions import InvalidHeader, LocalProtocolError, ProxyError
from gofer.protocols.proxy import MAX_HEAD, ConnectReader, ConnectResponse, connect_request
from servers.raw import split_every_way

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nVia: 1.1 p\r\n\r\n"


def read(pieces: list[bytes], reader: ConnectReader | None = None) -> ConnectResponse:
    """What is read from `pieces`, all of which may be needed, and then the end of the stream."""
    reader = reader or ConnectReader()
    for index, piece in enumerate(pieces):
        response = reader.feed(piece)
        if response is not None:
            response.leftover += b"".join(pieces[index + 1 :])
            return response
    response = reader.feed(b"")
    assert response is not None
    return response


# The question -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "port", "authority"),
    [
        ("example.com", 443, b"example.com:443"),
        ("under_score.example", 8443, b"under_score.example:8443"),
        ("192.0.2.1", 1, b"192.0.2.1:1"),
        ("2001:db8::1", 65535, b"[2001:db8::1]:65535"),
        ("fe80::1%eth0", 443, b"[fe80::1]:443"),
    ],
)
def test_connect_request(host: str, port: int, authority: bytes):
    """CONNECT has the authority-form, always with a port, in the target and in Host."""
    expected = b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (authority, authority)

    assert expected == connect_request(host, port)


def test_connect_request_fields():
    """Credentials for the proxy and the user agent are all that a proxy is told."""
    expected = (
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
        b"User-Agent: me/1\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
    )

    assert expected == connect_request("example.com", 443, "Basic eDp5", "me/1")


@pytest.mark.parametrize(
    "host",
    [
        "", "a b", "a\r\nX: 1", "a\n", "a\x00b", "a:80\r\n", "user@host", "a/b", "a?b", "a#b",
        "[::1]", "::1]", "::1\r\n", "::g", "bücher.example", "a%0d%0a", "x" * 256,
    ],
)  # fmt: skip
def test_connect_request_host_refused(host: str):
    """A host that would be read back differently is refused (CVE-2026-1502)."""
    with pytest.raises(LocalProtocolError, match=r"^writing CONNECT: got host"):
        connect_request(host, 443)


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_connect_request_port_refused(port: int):
    """A port is a number from 1 to 65535."""
    with pytest.raises(LocalProtocolError, match="port"):
        connect_request("example.com", port)


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\x00", "€", " a"])
def test_connect_request_field_refused(value: str):
    """A field value cannot bring a line of its own, and the error does not show it."""
    for authorization, user_agent in ((value, None), (None, value)):
        with pytest.raises(InvalidHeader) as caught:
            connect_request("example.com", 443, authorization, user_agent)
        assert value not in str(caught.value)


@given(st.text(), st.integers(), st.none() | st.text(), st.none() | st.text())
def test_connect_request_holds_one_request(
    host: str, port: int, authorization: str | None, user_agent: str | None
):
    """Whatever goes in, one well-formed request comes out, or a named error."""
    try:
        request = connect_request(host, port, authorization, user_agent)
    except (LocalProtocolError, InvalidHeader):
        return
    lines = request.split(b"\r\n")
    fields = (authorization is not None) + (user_agent is not None)

    assert request.endswith(b"\r\n\r\n")
    assert request.count(b"\n") == request.count(b"\r") == len(lines) - 1 == 3 + fields
    assert lines[0].count(b" ") == 2


# The answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_opens_the_tunnel(status: int):
    """Any 2xx is a tunnel, and its framing fields are not looked at."""
    data = b"HTTP/1.1 %d\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    for pieces in split_every_way(data):
        response = read(pieces)

        assert response.is_tunnel
        assert (status, b"", b"") == (response.status, response.reason, response.leftover)


def test_http_1_0_answers():
    """Proxies answer CONNECT in HTTP/1.0 to this day."""
    assert read([b"HTTP/1.0 200 OK\r\n\r\n"]).is_tunnel


def test_a_refusal():
    """A refusal has status, reason and fields; its content is left over, unread."""
    for pieces in split_every_way(REFUSED + b"<html>"):
        response = read(pieces)

        assert not response.is_tunnel
        assert (403, b"Forbidden") == (response.status, response.reason)
        assert ["1.1 p"] == response.fields.get_all("via")
        assert b"<html>" == response.leftover


@pytest.mark.parametrize("status", [300, 302, 401, 407, 502, 599])
def test_every_other_status_is_a_refusal(status: int):
    """A redirect of the proxy, or a challenge, is no tunnel."""
    assert not read([b"HTTP/1.1 %d X\r\n\r\n" % status]).is_tunnel


def test_interim_responses_are_skipped():
    """1xx responses before the answer are not the answer."""
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK
    for pieces in split_every_way(data):
        assert 200 == read(pieces).status


def test_switching_protocols():
    """101 is not an answer to CONNECT."""
    with pytest.raises(ProxyError, match="101"):
        read([b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])


@pytest.mark.parametrize("injected", [b"\x16", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n"])
def test_bytes_behind_the_200(injected: bytes):
    """Nothing may come through the tunnel before TLS was asked for (CVE-2021-22947)."""
    with pytest.raises(ProxyError, match="came behind the 200, expected none"):
        ConnectReader().feed(OK + injected)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 +20 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_is_not_http(data: bytes):
    """A head that is not exactly HTTP/1 is refused, however it is split."""
    for pieces in split_every_way(data):
        with pytest.raises(ProxyError, match=r"^reading the answer to CONNECT from the proxy: "):
            read(pieces)


def test_a_line_without_cr_is_refused_at_once():
    """A proxy that ends its lines with LF alone is not waited for until the deadline."""
    with pytest.raises(ProxyError, match="without CR"):
        ConnectReader().feed(b"HTTP/1.1 200 OK\n\n")


@pytest.mark.parametrize("data", [b"", b"H", OK[:-1]])
def test_the_proxy_closes(data: bytes):
    """The end of the stream before the end of the head is an error that says how much came."""
    with pytest.raises(ProxyError, match=f"closed the connection after {len(data)} bytes"):
        read([data] if data else [])


@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_head_limit(interim: bytes, excess: int):
    """The head and the interim ones before it are bounded together."""
    start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\n\r\n"
    room = MAX_HEAD + excess - len(interim) - len(start) - len(end)
    data = interim + start + b"x" * room + end
    for pieces in ([data], [data[i : i + 1000] for i in range(0, len(data), 1000)]):
        if excess <= 0:
            assert read(pieces).is_tunnel
        else:
            with pytest.raises(ProxyError, match=f"head over {MAX_HEAD} bytes"):
                read(pieces)


def test_a_head_without_end():
    """Endless fields, and endless interim responses, are cut off at the limit."""
    for piece in (b"X: y\r\n", b"HTTP/1.1 100 C\r\n\r\n"):
        reader = ConnectReader(max_head=1000)
        start = b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
        with pytest.raises(ProxyError, match="head over 1000 bytes"):
            read([start, *[piece] * 1000] if start else [piece] * 1000, reader)


def test_content_does_not_count_as_head():
    """A long page behind a short refusal is not an oversized head."""
    assert 403 == read([REFUSED + b"x" * 2000], ConnectReader(max_head=1000)).status


def test_the_proxy_is_named():
    """The error says which proxy misbehaved, and quotes at most 40 bytes of it."""
    reader = ConnectReader("http://proxy.example:3128")
    with pytest.raises(ProxyError) as caught:
        reader.feed(b"\x1b[31m" * 100)

    assert "http://proxy.example:3128" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20))
def test_any_bytes(pieces: list[bytes]):
    """Any bytes are an answer or a ProxyError, nothing else."""
    with contextlib.suppress(ProxyError):
        read(pieces)


TOKENS = st.sampled_from([
    b"HTTP/1.1 ", b"HTTP/1.0 ", b"200", b"100", b"403", b" ", b"OK", b"\r\n", b"\r", b"\n",
    b"A: b\r\n", b"Via: x", b":", b"\r\n\r\n", b"x", b"\x00", b"\xff",
])  # fmt: skip


@given(st.lists(TOKENS, max_size=14), st.data())
def test_the_split_makes_no_difference(tokens: list[bytes], data: st.DataObject):
    """However the bytes of an answer are cut, the outcome is the same."""
    whole = b"HTTP/1.1 " + b"".join(tokens)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    def outcome(pieces: list[bytes]) -> object:
        try:
            response = read(pieces)
        except ProxyError:
            return "refused"
        if response.is_tunnel and response.leftover:
            return "refused"  # behind the head, in a piece of its own, it is for TLS to refuse
        return response.status, response.reason, response.fields.block, response.leftover

    assert outcome([whole]) == outcome(pieces)
