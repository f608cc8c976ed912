"""What Requests' own documentation shows, one idiom after the other, with the import changed.

The order is that of its pages: the first steps, then the advanced ones, then authentication.
"""

import io
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer as requests
from gofer.adapters import HTTPAdapter
from gofer.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth, HTTPProxyAuth
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import Peer, answers, refused_port, response, serve
from servers.web import Web

# First steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["get", "post", "put", "delete", "head", "options"])
def test_a_function_for_each_verb(web: Web, verb: str) -> None:
    r = getattr(requests, verb)(web.url + "/anything")

    assert (200, verb.upper()) == (r.status_code, web.requests[0].method)


def test_parameters_of_a_url(web: Web) -> None:
    """A dict, where None leaves a key out and a list repeats it."""
    payload = {"key1": "value1", "key2": ["value2", "value3"], "nothing": None}
    r = requests.get(web.url + "/get", params=payload)

    assert web.url + "/get?key1=value1&key2=value2&key2=value3" == r.url


def test_text_and_its_encoding(web: Web) -> None:
    """`encoding` is guessed, and may be set."""
    r = requests.get(web.url + "/encoding/latin1")
    assert "ISO-8859-1" == r.encoding
    before = r.text
    r.encoding = "utf-8"

    assert before != r.text


def test_binary_content(web: Web) -> None:
    """Decoded, as a file in memory if need be."""
    r = requests.get(web.url + "/gzip")

    assert json.loads(r.content) == json.load(io.BytesIO(r.content)) == r.json()


def test_json_that_is_none(web: Web) -> None:
    """Its error is a ValueError and a RequestException."""
    r = requests.get(web.url + "/html")

    with pytest.raises(requests.exceptions.JSONDecodeError) as caught:
        r.json()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, requests.RequestException)


def test_raw_and_saving_to_a_file(web: Web, tmp_path: Path) -> None:
    """`raw.read` gives what came, `iter_content` what it means."""
    raw = requests.get(web.url + "/gzip", stream=True).raw
    assert b"\x1f\x8b\x08" == raw.read(3)
    raw.close()

    r = requests.get(web.url + "/bytes/1000", stream=True)
    path = tmp_path / "saved"
    with open(path, "wb") as file:
        for chunk in r.iter_content(chunk_size=128):
            file.write(chunk)
    assert 1000 == path.stat().st_size


def test_header_fields_of_a_request(web: Web) -> None:
    r = requests.get(web.url + "/headers", headers={"user-agent": "my-app/0.0.1"})

    assert "my-app/0.0.1" == r.json()["headers"]["User-Agent"]


def test_forms(web: Web) -> None:
    """A dict, pairs, a dict of lists: the last two are the same."""
    url = web.url + "/post"
    assert {"a": "1", "b": "2"} == requests.post(url, data={"a": "1", "b": "2"}).json()["form"]
    r1 = requests.post(url, data=[("key1", "value1"), ("key1", "value2")])
    r2 = requests.post(url, data={"key1": ["value1", "value2"]})

    assert r1.json()["form"] == r2.json()["form"] == {"key1": ["value1", "value2"]}


def test_content_that_is_no_form(web: Web) -> None:
    """A string as it is; JSON by hand or by `json`, which says so."""
    by_hand = requests.post(web.url + "/post", data=json.dumps({"some": "data"}))
    by_name = requests.post(web.url + "/post", json={"some": "data"})

    assert by_hand.json()["json"] == by_name.json()["json"] == {"some": "data"}
    assert "application/json" == by_name.request.headers["Content-Type"]
    assert "Content-Type" not in by_hand.request.headers


def test_files_of_a_form(web: Web, tmp_path: Path) -> None:
    """An open file; with its name, type and fields; a string in the place of a file; several."""
    path = tmp_path / "report.txt"
    path.write_text("some text")
    with open(path, "rb") as file:
        plain = requests.post(web.url + "/post", files={"file": file})
    with open(path, "rb") as file:
        full = {"file": ("report.xls", file, "application/vnd.ms-excel", {"Expires": "0"})}
        named = requests.post(web.url + "/post", files=full)
    text = requests.post(web.url + "/post", files={"file": ("report.csv", "some,data,to,send\n")})
    several = requests.post(
        web.url + "/post",
        files=[("images", ("a.png", b"a", "image/png")), ("images", ("b.png", b"b", "image/png"))],
    )

    assert {"file": "some text"} == plain.json()["files"] == named.json()["files"]
    assert {"file": "some,data,to,send\n"} == text.json()["files"]
    assert {"images": ["a", "b"]} == several.json()["files"]
    assert b"Expires: 0" in web.requests[1].content


def test_status_codes(web: Web) -> None:
    """By name; an error when it is asked for, None when all is well."""
    good = requests.get(web.url + "/get")
    assert good.status_code == requests.codes.ok
    assert good.raise_for_status() is None
    bad = requests.get(web.url + "/status/404")
    assert (404, requests.codes.not_found) == (bad.status_code, 404)
    with pytest.raises(requests.exceptions.HTTPError, match="404 Client Error"):
        bad.raise_for_status()


def test_header_fields_of_a_response(web: Web) -> None:
    """A dict whatever the case of its keys."""
    r = requests.get(web.url + "/json")

    assert "application/json" == r.headers["Content-Type"] == r.headers.get("content-type")


def test_cookies_of_a_response_and_of_a_request(web: Web) -> None:
    """Read by name, sent by dict, or from a jar with domains and paths."""
    r = requests.get(web.url + "/cookies/set/example_cookie/tea", allow_redirects=False)
    assert "tea" == r.cookies["example_cookie"]
    sent = requests.get(web.url + "/cookies", cookies={"cookies_are": "working"})
    assert {"cookies_are": "working"} == sent.json()["cookies"]

    jar = requests.cookies.RequestsCookieJar()
    jar.set("tasty_cookie", "yum", domain="127.0.0.1", path="/cookies")
    jar.set("gross_cookie", "blech", domain="127.0.0.1", path="/elsewhere")
    assert {"tasty_cookie": "yum"} == requests.get(web.url + "/cookies", cookies=jar).json()[
        "cookies"
    ]


def test_redirects_and_history(web: Web) -> None:
    """Followed, but not by HEAD; not at all with `allow_redirects=False`."""
    r = requests.get(web.url + "/redirect/1")
    assert (200, [302]) == (r.status_code, [one.status_code for one in r.history])
    stayed = requests.get(web.url + "/redirect/1", allow_redirects=False)
    assert (302, []) == (stayed.status_code, stayed.history)
    assert 302 == requests.head(web.url + "/redirect/1").status_code
    assert [302] == [
        one.status_code
        for one in requests.head(web.url + "/redirect/1", allow_redirects=True).history
    ]


def test_timeouts_and_other_errors(web: Web) -> None:
    """All below one class."""
    with pytest.raises(requests.exceptions.Timeout):
        requests.get(web.url + "/gate/never", timeout=0.05)
    web.gates["never"].set()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://127.0.0.1:{refused_port()}/")
    with pytest.raises(requests.exceptions.TooManyRedirects):
        requests.get(web.url + "/redirect/40")
    for kind in ("Timeout", "ConnectionError", "HTTPError", "TooManyRedirects"):
        assert issubclass(getattr(requests.exceptions, kind), requests.exceptions.RequestException)


# Advanced -----------------------------------------------------------------------------------------


def test_a_session_keeps_cookies_and_defaults(web: Web) -> None:
    """What a call adds is the call's alone; None takes a default away."""
    with requests.Session() as s:
        s.get(web.url + "/cookies/set/sessioncookie/123456789")
        assert {"sessioncookie": "123456789"} == s.get(web.url + "/cookies").json()["cookies"]
        s.auth = ("user", "pass")
        s.headers.update({"x-test": "true"})
        both = s.get(web.url + "/headers", headers={"x-test2": "true"}).json()["headers"]
        assert ("true", "true") == (both["X-Test"], both["X-Test2"])
        s.get(web.url + "/cookies", cookies={"from-my": "browser"})
        assert {"sessioncookie": "123456789"} == s.get(web.url + "/cookies").json()["cookies"]
        assert (
            "X-Test" not in s.get(web.url + "/headers", headers={"x-test": None}).json()["headers"]
        )


def test_what_was_sent_and_what_came(web: Web) -> None:
    """The request is there with its response."""
    r = requests.get(web.url + "/get")

    assert "application/json" == r.headers["Content-Type"]
    assert ("GET", "*/*") == (r.request.method, r.request.headers["Accept"])


def test_prepared_requests(web: Web) -> None:
    """Prepared alone or by a session, changed, and sent with its options."""
    s = requests.Session()
    req = requests.Request("POST", web.url + "/post", data={"a": "b"}, headers={"X-Own": "1"})
    prepped = req.prepare()
    prepped.body = "No, I want exactly this as the body."
    prepped.headers["Content-Length"] = str(len(prepped.body))
    del prepped.headers["Content-Type"]
    r = s.send(prepped, stream=False, verify=True, proxies={}, cert=None, timeout=5)
    assert "No, I want exactly this as the body." == r.json()["data"]

    prepped = s.prepare_request(requests.Request("GET", web.url + "/get"))
    settings = s.merge_environment_settings(prepped.url, {}, None, None, None)
    assert 200 == s.send(prepped, **settings).status_code
    s.close()


def test_certificates(
    web_tls: Web, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked; by a file, by a session, by the environment, or not at all."""
    url = web_tls.url + "/get"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url)
    assert 200 == requests.get(url, verify=certificates.ca_file).status_code
    with requests.Session() as s:
        s.verify = certificates.ca_file
        assert 200 == s.get(url).status_code
    with monkeypatch.context() as variables:
        variables.setenv("REQUESTS_CA_BUNDLE", certificates.ca_file)
        assert 200 == requests.get(url).status_code
    with pytest.warns(requests.exceptions.RequestsWarning):
        assert 200 == requests.get(url, verify=False).status_code


def test_content_that_is_read_later(web: Web) -> None:
    """The head first, then the content or not; `with` closes it."""
    with requests.get(web.url + "/bytes/50", stream=True) as r:
        if int(r.headers["content-length"]) < 100:
            assert 50 == len(r.content)


def test_streamed_uploads(web: Web, tmp_path: Path) -> None:
    """A file with its length, a generator in chunks."""
    path = tmp_path / "massive-body"
    path.write_bytes(b"x" * 5000)
    with open(path, "rb") as file:
        sent = requests.post(web.url + "/post", data=file)
    assert "5000" == sent.request.headers["Content-Length"]

    def gen() -> Iterator[bytes]:
        yield b"hi"
        yield b"there"

    chunked = requests.post(web.url + "/post", data=gen())
    assert ("hithere", "chunked") == (
        chunked.json()["data"],
        chunked.request.headers["Transfer-Encoding"],
    )


def test_event_hooks(web: Web) -> None:
    """One or a list, on a call or a session; what one returns takes the place of the response."""
    urls: list[str] = []

    def print_url(r: Any, *args: Any, **kwargs: Any) -> None:
        urls.append(r.url)

    def record_hook(r: Any, *args: Any, **kwargs: Any) -> Any:
        r.hook_called = True
        return r

    r = requests.get(web.url + "/get", hooks={"response": [print_url, record_hook]})
    assert r.hook_called  # type: ignore[attr-defined]
    with requests.Session() as s:
        s.hooks["response"].append(print_url)
        s.get(web.url + "/get")
    assert [web.url + "/get"] * 2 == urls


def test_authentication_of_ones_own(web: Web) -> None:
    class PizzaAuth(AuthBase):
        """Attaches HTTP Pizza Authentication to the given Request object."""

        def __init__(self, username: str) -> None:
            self.username = username

        def __call__(self, r: Any) -> Any:
            r.headers["X-Pizza"] = self.username
            return r

    r = requests.get(web.url + "/headers", auth=PizzaAuth("kenneth"))

    assert "kenneth" == r.json()["headers"]["X-Pizza"]


def test_lines_of_a_stream(web: Web) -> None:
    """Bytes, or text where there is an encoding to go by."""
    r = requests.get(web.url + "/stream/3", stream=True)
    assert [0, 1, 2] == [json.loads(line)["id"] for line in r.iter_lines() if line]
    r = requests.get(web.url + "/stream/2", stream=True)
    if r.encoding is None:
        r.encoding = "utf-8"
    assert [0, 1] == [json.loads(line)["id"] for line in r.iter_lines(decode_unicode=True) if line]


def test_proxies(web: Web, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a call, by a session, by the environment."""
    url = web.url + "/get"
    requests.get(url, proxies={"http": proxy.url})
    with requests.Session() as s:
        s.proxies.update({"http": proxy.url})
        s.get(url)
    monkeypatch.setenv("http_proxy", proxy.url)
    requests.get(url)

    assert 3 == len(proxy.asked)


def test_a_verb_of_ones_own(web: Web) -> None:
    r = requests.request("MKCOL", web.url + "/anything")

    assert "MKCOL" == r.request.method


def test_link_header_fields() -> None:
    """By their relation, with their parameters."""
    link = "</things?page=2>; rel=next, </things?page=9>; rel=last"
    with serve(answers(response(b"ok", link=link))) as server:
        r = requests.get(server.url)

    assert {"url": "/things?page=2", "rel": "next"} == r.links["next"]
    assert "/things?page=9" == r.links["last"]["url"]


def test_transport_adapters(web_tls: Web, certificates: Certificates) -> None:
    """Mounted by prefix; one with a version of TLS."""

    class Tls13Adapter(HTTPAdapter):
        """Speaks TLS 1.3 only."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            context = ssl.create_default_context(cafile=certificates.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            super().init_poolmanager(*args, ssl_context=context, **kwargs)

    with requests.Session() as s:
        s.mount(web_tls.url, Tls13Adapter())
        assert 200 == s.get(web_tls.url + "/get").status_code


def test_retries_of_an_adapter() -> None:
    """`max_retries` is for connections that fail, or what a policy says."""
    steps = [response(b"busy", status="503 Service Unavailable"), response(b"ok")]

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(steps.pop(0))

    retry = requests.Retry(total=3, backoff=0.01, statuses=(502, 503, 504))
    with serve(script) as server, requests.Session() as s:
        s.mount("http://", HTTPAdapter(max_retries=retry))
        assert b"ok" == s.get(server.url).content


def test_timeouts_in_two(web: Web) -> None:
    """(connect, read), or None for as long as it takes."""
    assert 200 == requests.get(web.url + "/get", timeout=(3.05, 27)).status_code
    assert 200 == requests.get(web.url + "/get", timeout=None).status_code


# Authentication -----------------------------------------------------------------------------------


def test_basic_and_digest(web: Web) -> None:
    """By class, by a pair, by netrc."""
    basic, digest = web.url + "/basic-auth/user/pass", web.url + "/digest-auth/auth/user/pass"
    assert 200 == requests.get(basic, auth=HTTPBasicAuth("user", "pass")).status_code
    assert 200 == requests.get(basic, auth=("user", "pass")).status_code
    assert 200 == requests.get(digest, auth=HTTPDigestAuth("user", "pass")).status_code
    assert 401 == requests.get(basic).status_code


def test_netrc(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file of the environment, where nothing else is said."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login user password pass\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))

    assert 200 == requests.get(web.url + "/basic-auth/user/pass").status_code


def test_credentials_for_a_proxy(web: Web) -> None:
    """In the proxy's URL, or by a class."""
    with Proxy(credentials="user:pass") as proxy:
        inside = proxy.url.replace("//", "//user:pass@")
        assert 200 == requests.get(web.url + "/get", proxies={"http": inside}).status_code
        r = requests.get(
            web.url + "/get", proxies={"http": proxy.url}, auth=HTTPProxyAuth("user", "pass")
        )
        assert 200 == r.status_code
