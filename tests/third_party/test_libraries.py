"""Libraries built around Requests, each doing what it is for."""

import gzip
import hashlib
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests

import gofer
from servers.certificates import Certificates
from servers.raw import always, response, serve
from servers.web import Web


def test_it_is_gofer() -> None:
    """What the libraries import as requests."""
    assert requests.Session is gofer.Session


# Mocks ------------------------------------------------------------------------------------------


def test_responses(web: Web) -> None:
    """responses: answers by URL, a callback, an error; and no network."""
    import responses

    with responses.RequestsMock() as mock:
        mock.get("http://api.example/things", json=[1, 2], headers={"X-Page": "1"})
        mock.post("http://api.example/things", status=201)
        mock.get("http://api.example/broken", body=requests.ConnectionError("no way"))

        answer = requests.get("http://api.example/things", params={"q": "a"})
        assert ([1, 2], "1") == (answer.json(), answer.headers["x-page"])
        with requests.Session() as session:
            assert 201 == session.post("http://api.example/things", json={}).status_code
        with pytest.raises(requests.ConnectionError, match="no way"):
            requests.get("http://api.example/broken")
        with pytest.raises(requests.ConnectionError, match="refused by Responses"):
            requests.get(web.url + "/get")
        assert "http://api.example/things?q=a" == mock.calls[0].request.url
        assert b"{}" == mock.calls[1].request.body

    assert requests.get(web.url + "/get").ok


def test_responses_redirects_and_cookies() -> None:
    """What comes from the mock goes through the session as what comes from the network."""
    import responses

    with responses.RequestsMock() as mock, requests.Session() as session:
        mock.get("http://a.example/", status=302, headers={"Location": "http://a.example/to"})
        mock.get("http://a.example/to", body="there", headers={"Set-Cookie": "k=v; Path=/"})
        answer = session.get("http://a.example/")

        assert ("there", [302]) == (answer.text, [one.status_code for one in answer.history])
        assert "v" == session.cookies["k"]


def test_requests_mock() -> None:
    """requests-mock: an adapter in the place of all others."""
    import requests_mock

    with requests_mock.Mocker() as mock:
        mock.get("http://api.example/json", json={"a": 1})
        mock.get("http://api.example/list", [{"text": "one"}, {"status_code": 503}])
        assert {"a": 1} == requests.get("http://api.example/json", timeout=3).json()
        assert "one" == requests.get("http://api.example/list").text
        assert 503 == requests.get("http://api.example/list").status_code
        with pytest.raises(requests_mock.NoMockAddress):
            requests.get("http://api.example/else")
        assert (4, 3) == (mock.call_count, mock.request_history[0].timeout)

    session = requests.Session()
    adapter = requests_mock.Adapter()
    session.mount("mock://", adapter)
    adapter.register_uri("GET", "mock://test.com/path", text="data")
    assert "data" == session.get("mock://test.com/path").text


def test_betamax(web: Web, tmp_path: Path) -> None:
    """betamax: what was recorded is played again, without the server."""
    import betamax

    def ask() -> Any:
        session = requests.Session()
        with betamax.Betamax(session, cassette_library_dir=str(tmp_path)) as recorder:
            recorder.use_cassette("things")
            answer = session.get(web.url + "/get", params={"a": "1"})
            return answer.status_code, answer.json(), answer.headers["Content-Type"]

    web.reset_counts()
    first, second = ask(), ask()
    assert first == second
    assert {"a": "1"} == first[1]["args"]
    assert 1 == len(web.requests)


# Caches -----------------------------------------------------------------------------------------


def test_requests_cache(web: Web, tmp_path: Path) -> None:
    """requests-cache: a session that keeps answers."""
    import requests_cache

    web.reset_counts()
    with requests_cache.CachedSession(str(tmp_path / "cache.sqlite")) as session:
        first, second = (session.get(web.url + "/get?n=1") for _ in range(2))
        assert (False, True) == (first.from_cache, second.from_cache)
        assert first.json() == second.json()
        session.cache.clear()
        assert not session.get(web.url + "/get?n=1").from_cache
        assert session.get(web.url + "/redirect/1").history
        session.close()
    assert 4 == len(web.requests)


def test_cachecontrol() -> None:
    """CacheControl: an adapter that obeys Cache-Control."""
    from cachecontrol import CacheControl

    content = gzip.compress(b"mint tea")
    now = formatdate(usegmt=True)
    answer = response(content, cache_control="max-age=60", content_encoding="gzip", date=now)
    with serve(always(answer)) as server, requests.Session() as plain:
        session = CacheControl(plain)
        first, second = session.get(server.url), session.get(server.url)
        assert (False, True) == (first.from_cache, second.from_cache)
        assert "mint tea" == first.text == second.text
        assert 1 == len(server.requests)


# Sessions and content ---------------------------------------------------------------------------


def test_toolbelt_multipart(web: Web) -> None:
    """requests-toolbelt: a multipart encoder that is read as it is sent, and watched."""
    from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

    seen = []
    encoder = MultipartEncoder(
        {"field": "value", "file": ("name.txt", b"x" * 50_000, "text/plain")}
    )
    monitor = MultipartEncoderMonitor(encoder, lambda one: seen.append(one.bytes_read))
    answer = requests.post(
        web.url + "/post", data=monitor, headers={"Content-Type": monitor.content_type}
    ).json()

    assert {"field": "value"} == answer["form"]
    assert 50_000 == len(answer["files"]["file"])
    assert seen[-1] == encoder.len


def test_toolbelt_sessions_and_adapters(web: Web) -> None:
    """A base URL, a source address, a host in TLS, guessed auth, and a dump of what went."""
    from requests_toolbelt.adapters.source import SourceAddressAdapter
    from requests_toolbelt.auth.guess import GuessAuth
    from requests_toolbelt.sessions import BaseUrlSession
    from requests_toolbelt.utils import dump

    with BaseUrlSession(web.url) as session:
        session.mount("http://", SourceAddressAdapter("127.0.0.3"))
        answer = session.get("/get", auth=GuessAuth("user", "pass"))
        assert answer.ok
        assert session.get("/basic-auth/user/pass", auth=GuessAuth("user", "pass")).ok
        assert b"GET /get HTTP/1.1" in dump.dump_all(answer)


def test_toolbelt_adapters_of_the_socket_and_of_the_certificate(
    web: Web, web_tls: Web, certificates: Certificates
) -> None:
    """Options of the socket, keep-alive probes, and a certificate's fingerprint."""
    import socket

    from requests_toolbelt.adapters.fingerprint import FingerprintAdapter
    from requests_toolbelt.adapters.socket_options import SocketOptionsAdapter, TCPKeepAliveAdapter

    with requests.Session() as session:
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        for adapter in (SocketOptionsAdapter(socket_options=options), TCPKeepAliveAdapter(idle=60)):
            session.mount("http://", adapter)
            assert session.get(web.url + "/get").ok
    with requests.Session() as session:
        session.verify = certificates.ca_file
        session.mount("https://", FingerprintAdapter("00" * 32))
        with pytest.raises(requests.exceptions.SSLError):
            session.get(web_tls.url + "/get")
        shown = hashlib.sha256(certificate_of(web_tls)).hexdigest()
        session.mount("https://", FingerprintAdapter(shown))
        assert session.get(web_tls.url + "/get").ok


def certificate_of(server: Web) -> bytes:
    import ssl

    text = ssl.get_server_certificate(("127.0.0.1", server.port))
    return ssl.PEM_cert_to_DER_cert(text)


def test_toolbelt_streams_to_a_file(web: Web, tmp_path: Path) -> None:
    """A download helper that reads `raw`."""
    from requests_toolbelt.downloadutils import stream

    answer = requests.get(web.url + "/bytes/70000", stream=True)
    path = stream.stream_response_to_file(answer, path=str(tmp_path / "file"))

    assert 70_000 == Path(path).stat().st_size


def test_requests_futures(web: Web) -> None:
    """requests-futures: calls in threads, with a hook that reads the answer there."""
    from requests_futures.sessions import FuturesSession

    def parse(response: Any, *args: Any, **kwargs: Any) -> None:
        response.data = response.json()

    with FuturesSession(max_workers=4) as session:
        futures = [
            session.get(web.url + f"/anything/{n}", hooks={"response": parse}) for n in range(8)
        ]
        paths = [future.result().data["url"] for future in futures]

    assert [f"{web.url}/anything/{n}" for n in range(8)] == paths


def test_requests_oauthlib(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests-oauthlib: OAuth 1 signs the request, OAuth 2 adds a token and fetches one."""
    import requests_mock
    from requests_oauthlib import OAuth1Session, OAuth2Session

    with OAuth1Session("key", "secret", "owner", "owner-secret") as one:
        answer = one.post(web.url + "/post", data={"status": "hello world"}).json()
    fields = {name.lower(): value for name, value in answer["headers"].items()}
    assert fields["authorization"].startswith("OAuth ")
    assert 'oauth_consumer_key="key"' in fields["authorization"]
    assert {"status": "hello world"} == answer["form"]

    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    token = {"access_token": "abc", "token_type": "Bearer", "expires_at": time.time() + 60}
    with OAuth2Session("client", token=token) as two:
        fields = two.get(web.url + "/headers").json()["headers"]
    assert "Bearer abc" == {name.lower(): value for name, value in fields.items()}["authorization"]

    with requests_mock.Mocker() as mock:
        mock.post("http://auth.example/token", json={"access_token": "new", "token_type": "Bearer"})
        with OAuth2Session("client", redirect_uri="http://here/") as two:
            fetched = two.fetch_token("http://auth.example/token", code="c", client_secret="s")
    assert "new" == fetched["access_token"]


def test_requests_unixsocket(tmp_path: Path) -> None:
    """requests-unixsocket: an adapter with connections of urllib3's own."""
    import socket
    import threading

    import requests_unixsocket

    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                assert b"GET /info HTTP/1.1" in connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        with requests_unixsocket.Session() as session:
            url = "http+unix://" + path.replace("/", "%2F") + "/info"
            assert "hello" == session.get(url).text
        thread.join()
