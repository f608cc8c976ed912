"""The witnesses are right themselves: asked with the standard library's clients."""

import base64
import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from servers import digest, raw
from servers.certificates import Certificates
from servers.multipart import parse_multipart
from servers.proxy import Proxy
from servers.web import Web


def connect(server: raw.Server | Web | Proxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)


def fetch(
    server: Web, target: str, method: str = "GET", body: bytes | None = None, **fields: str
) -> http.client.HTTPResponse:
    """One request on a connection of its own; the response has been read into `.data`."""
    connection = connect(server)
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, target, body, named)
    response = connection.getresponse()
    response.data = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


# raw ----------------------------------------------------------------------------------------------


def test_a_script_says_every_byte():
    """What a script sends comes as it is, and what the client sent is on record."""
    with raw.serve(raw.answers(raw.response(b"hello"))) as server:
        client = connect(server)
        client.request("POST", "/x", b"content")
        answer = client.getresponse().read()
        client.close()
        server.wait_for(lambda: server.open == 0)

    assert b"hello" == answer
    assert 1 == len(server.requests)
    assert server.requests[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert [server.requests[0] + b"content"] == server.received
    assert (1, 0, 1) == (server.accepted, server.open, server.peak)


def test_a_failing_script_fails_the_test():
    """An assertion in a script is raised at the end of the block."""

    def script(peer: raw.Peer) -> None:
        assert peer.receive_head() == b"something else"

    with pytest.raises(AssertionError), raw.serve(script) as server:
        client = connect(server)
        client.request("GET", "/")
        with pytest.raises(http.client.HTTPException):
            client.getresponse()
        client.close()


def test_a_peer_that_goes_away_is_no_failure():
    """A client that leaves in the middle ends the script quietly."""
    with raw.serve(lambda peer: peer.send(peer.receive_exactly(100))) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"few")
        server.wait_for(lambda: server.accepted == 1 and server.open == 0)

    assert [b"few"] == server.received


def test_one_step_after_the_other():
    """Steps are taken in the order of the requests, over all connections."""
    script = raw.answers(raw.response(b"1"), raw.Peer.reset, raw.Peer.close, raw.response(b"4"))
    with raw.serve(script) as server:
        first = connect(server)
        first.request("GET", "/")
        assert b"1" == first.getresponse().read()
        first.request("GET", "/")
        with pytest.raises(ConnectionResetError):
            first.getresponse()
        first.close()
        for expected in (None, b"4"):
            again = connect(server)
            again.request("GET", "/")
            if expected is None:
                with pytest.raises(http.client.RemoteDisconnected):
                    again.getresponse()
            else:
                assert expected == again.getresponse().read()
            again.close()

    assert 3 == server.accepted


def test_chunked_content_is_understood():
    """`receive_content` takes the chunked coding off."""
    contents = []

    def script(peer: raw.Peer) -> None:
        contents.append(peer.receive_request()[1])
        peer.send(raw.response())

    with raw.serve(script) as server:
        client = connect(server)
        client.request("POST", "/", iter([b"one", b"two"]), encode_chunked=True)
        client.getresponse().read()
        client.close()

    assert [b"onetwo"] == contents


def test_a_waiting_script_does_not_hold_the_end():
    """A server stops at once although its scripts still wait."""
    with raw.serve(lambda peer: peer.wait("never")) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        server.wait_for(lambda: server.gates["never"].waiting == 1)
    client.close()

    assert 0 == server.open


def test_gates_open_both_ways():
    """The test waits for the script, and the script for the test."""

    def script(peer: raw.Peer) -> None:
        peer.open("arrived")
        peer.wait("go")
        peer.send(b"gone")

    with (
        raw.serve(script) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        server.gates["arrived"].wait()
        server.gates["go"].set()

        assert b"gone" == client.recv(10)


def test_every_way_to_split():
    """Whole, byte by byte, and in two at every place."""
    assert [[b"abc"], [b"a", b"b", b"c"], [b"a", b"bc"], [b"ab", b"c"]] == list(
        raw.split_every_way(b"abc")
    )


def test_a_unix_socket():
    """The same over a unix socket."""
    with raw.serve(lambda peer: peer.send(b"hi"), family=socket.AF_UNIX) as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path)
            assert b"hi" == client.recv(10)


def test_ipv6():
    """The same over IPv6."""
    with raw.serve(lambda peer: peer.send(b"hi"), family=socket.AF_INET6) as server:
        with socket.create_connection(("::1", server.port)) as client:
            assert b"hi" == client.recv(10)

    assert server.url == f"http://[::1]:{server.port}"


@pytest.mark.parametrize(("end", "truncated"), [(raw.Peer.close, False), (raw.Peer.cut, True)])
def test_tls_ends_with_or_without_notice(certificates: Certificates, end, truncated):
    """`close` sends close_notify, `cut` does not."""

    def script(peer: raw.Peer) -> None:
        peer.send(b"hi")
        end(peer)

    context = certificates.client()
    with (
        raw.serve(script, tls=certificates.good) as server,
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        ) as client,
    ):
        assert b"hi" == client.recv(10)
        if truncated:
            with pytest.raises(ssl.SSLEOFError):
                client.recv(10)
        else:
            assert b"" == client.recv(10)


@pytest.mark.parametrize(
    "name", "wrong_host only_ip ip_as_name expired not_yet_valid untrusted self_signed".split()
)
def test_bad_certificates_are_bad(certificates: Certificates, name: str):
    """OpenSSL refuses each of them for localhost, or for 127.0.0.1."""
    asked = "127.0.0.1" if name == "ip_as_name" else "localhost"
    with raw.serve(lambda peer: None, tls=getattr(certificates, name)) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            with pytest.raises(ssl.SSLCertVerificationError):
                certificates.client().wrap_socket(plain, server_hostname=asked)


def test_a_client_certificate(certificates: Certificates):
    """The server that asks for one takes ours."""
    context = certificates.client()
    context.load_cert_chain(*certificates.client_cert)
    with (
        raw.serve(lambda peer: peer.send(b"hi"), tls=certificates.asking_for_client) as server,
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        assert b"hi" == client.recv(10)


def test_a_black_hole_never_answers():
    """A connection attempt into the black hole is not finished."""
    with raw.black_hole() as port, socket.socket() as client:
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", port))


# web ----------------------------------------------------------------------------------------------


def test_echo_of_a_form(web: Web):
    """A form comes back taken apart."""
    fields = {"Content_Type": "application/x-www-form-urlencoded"}
    reply = json.loads(fetch(web, "/post?a=1&a=2", "POST", b"x=y+z&empty=", **fields).data)

    assert {"a": ["1", "2"]} == reply["args"]
    assert {"x": "y z", "empty": ""} == reply["form"]
    assert ("POST", "") == (reply["method"], reply["data"])


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/get", 200),
        ("/status/418", 418),
        ("/status/204", 204),
        ("/redirect/3", 302),
        ("/nothing", 404),
        ("/post", 405),
        ("/basic-auth/u/p", 401),
        ("/digest-auth/auth/u/p", 401),
        ("/hidden-basic-auth/u/p", 404),
        ("/gzip", 200),
        ("/deflate", 200),
        ("/brotli", 200),
        ("/zstd", 200),
        ("/stream/3", 200),
        ("/bytes/100", 200),
        ("/drip/3", 200),
        ("/chunked", 200),
        ("/early-hints", 200),
        ("/robots", 200),
        ("/links", 200),
        ("/encoding/utf8", 200),
    ],
)
def test_routes_answer(web: Web, target: str, status: int):
    """Every kind of route gives its status code."""
    if target == "/early-hints":  # http.client knows no 103: it takes it for the answer
        status = 103

    assert status == fetch(web, target).status


def test_a_connection_is_kept(web: Web):
    """Two requests on one connection see the same connection id."""
    client = connect(web)
    seen = []
    for _ in range(2):
        client.request("GET", "/connection")
        seen.append(json.loads(client.getresponse().read()))
    client.close()

    assert [{"connection": 0, "request": 1}, {"connection": 0, "request": 2}] == seen
    assert 1 == web.accepted


def test_what_is_not_http_fails_the_test():
    """A request that h11 refuses is an error of the client, and is raised."""
    with pytest.raises(AssertionError, match="not HTTP"), Web() as web:
        with socket.create_connection(("127.0.0.1", web.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nno host here\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_gate_holds_the_content(web: Web):
    """The head comes at once, the content when the gate opens."""
    client = connect(web)
    client.request("GET", "/gate/slow/content")
    response = client.getresponse()
    web.wait_for(lambda: web.gates["slow"].waiting == 1)
    web.gates["slow"].set()

    assert b"open" == response.read()
    client.close()


def test_requests_in_flight_are_counted(web: Web):
    """The peak of requests at the same time is known."""
    threads = [threading.Thread(target=fetch, args=(web, "/gate/all")) for _ in range(3)]
    for thread in threads:
        thread.start()
    web.wait_for(lambda: web.gates["all"].waiting == 3)
    web.gates["all"].set()
    for thread in threads:
        thread.join()

    assert (3, 3) == (web.in_flight_peak, web.peak)


def test_upload_count_takes_100_continue(web: Web):
    """A client that waits for 100 (Continue) gets it."""
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.sendall(
            b"POST /expect HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"abc")
        answer = client.recv(1000)

    assert answer.endswith(b'{"waited": true, "bytes": 3}')


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", "none"])
def test_digest_accepts_its_own_sums(web: Web, algorithm: str, qop: str):
    """The server takes a response calculated by the RFC's rules, once for a nonce count."""
    target = f"/digest-auth/{qop}/user/pass/{algorithm}"
    challenge = fetch(web, target).getheader("WWW-Authenticate", "")
    given = digest.parse(re.sub(r'^Digest |qop="[^"]*", ', "", challenge))
    account = digest.Account(qop, "user", "pass", algorithm)
    given |= {"uri": target, "username": "user", "cnonce": "c", "nc": "00000001"}
    if qop != "none":
        given["qop"] = qop
    else:
        del given["nc"]
    given["response"] = digest.expected_response(account, "GET", given, b"")
    authorization = "Digest " + ", ".join(
        f"{name}={value}" if name in digest.UNQUOTED else f'{name}="{value}"'
        for name, value in given.items()
    )

    assert 200 == fetch(web, target, Authorization=authorization).status
    again = 200 if qop == "none" else 401
    assert again == fetch(web, target, Authorization=authorization).status


def test_digest_by_the_rfc():
    """The example of RFC 7616, 3.9.1 gives the RFC's response."""
    given = {
        "uri": "/dir/index.html",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "qop": "auth",
    }
    account = digest.Account("auth", "Mufasa", "Circle of Life", "SHA-256")
    secret = "http-auth@example.org"
    old, digest.REALM = digest.REALM, secret
    try:
        response = digest.expected_response(account, "GET", given, b"")
    finally:
        digest.REALM = old

    assert "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" == response


def test_multipart_is_taken_apart():
    """Parts with their names, file names and contents."""
    content = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nline\r\nline\r\n--b--\r\n"
    )
    parts = parse_multipart("multipart/form-data; boundary=b", content)

    assert [("a", None, b"1"), ("f", "x.txt", b"line\r\nline")] == [
        (part.name, part.filename, part.content) for part in parts
    ]


def test_start_and_stop_are_fast():
    """A server for each test costs little: a hundred of them are no burden."""
    for _ in range(100):
        with Web():
            pass


# proxy --------------------------------------------------------------------------------------------


def test_a_request_through_the_proxy(web: Web, proxy: Proxy):
    """The absolute-form is passed on, and hosts are where the test says."""
    proxy.hosts["example.com:80"] = ("127.0.0.1", web.port)
    client = connect(proxy)
    client.request("GET", "http://example.com/get?x=1")
    reply = json.loads(client.getresponse().read())
    client.close()

    assert "http://example.com/get?x=1" == reply["url"]
    assert ["http://example.com/get?x=1"] == [asked.target for asked in proxy.asked]


@pytest.fixture
def guarded() -> Iterator[Proxy]:
    with Proxy(credentials="me:secret") as proxy:
        yield proxy


def test_a_tunnel_with_credentials(web_tls: Web, guarded: Proxy, certificates: Certificates):
    """CONNECT is refused with 407 until the credentials are right; TLS goes through."""
    refused = http.client.HTTPSConnection("127.0.0.1", guarded.port, context=certificates.client())
    refused.set_tunnel("localhost", web_tls.port)
    with pytest.raises(OSError, match="407"):
        refused.request("GET", "/get")
    refused.close()

    token = base64.b64encode(b"me:secret").decode()
    client = http.client.HTTPSConnection("127.0.0.1", guarded.port, context=certificates.client())
    client.set_tunnel("localhost", web_tls.port, {"Proxy-Authorization": f"Basic {token}"})
    client.request("GET", "/get")
    assert 200 == client.getresponse().status
    client.close()

    assert [f"localhost:{web_tls.port}"] * 2 == guarded.tunnels
