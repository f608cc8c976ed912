"""`HTTPAdapter`: what its subclasses replace, and what they can ask of its connections."""

import pickle
import ssl
from typing import Any

import pytest

import gofer
from gofer.adapters import HTTPAdapter
from gofer.defaults import defaults
from gofer.exceptions import ConnectionRefused, SSLError
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import Peer, always, response, serve
from servers.web import Web


def mounted(adapter: Any) -> gofer.Session:
    """A session that sends everything by `adapter`."""
    session = gofer.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def test_each_step_of_an_adapter_is_asked(web: Web) -> None:
    """In the order in which Requests asks them."""
    calls: list[str] = []

    def recording(name: str) -> Any:
        original = getattr(HTTPAdapter, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        return step

    names = (
        "init_poolmanager", "get_connection_with_tls_context",
        "build_connection_pool_key_attributes", "cert_verify", "request_url", "add_headers",
        "build_response",
    )  # fmt: skip
    adapter = type("Recording", (HTTPAdapter,), {name: recording(name) for name in names})()
    with mounted(adapter) as session:
        response = session.get(web.url + "/get")

    assert list(names) == calls
    assert response.ok
    assert adapter is response.connection


def test_fields_added_at_the_last_moment(web: Web) -> None:
    """`add_headers` is given the request, and everything else."""

    class Adding(HTTPAdapter):
        def add_headers(self, request: Any, **kwargs: Any) -> None:
            assert {"stream", "timeout", "verify", "cert", "proxies"} == kwargs.keys()
            request.headers["X-Late"] = "yes"

    with mounted(Adding()) as session:
        assert "yes" == session.get(web.url + "/headers").json()["headers"]["X-Late"]


def test_a_response_built_in_another_way(web: Web) -> None:
    """`build_response` is given the request and the raw response."""

    class Building(HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> Any:
            built: Any = super().build_response(req, resp)
            built.seen = (req.url, resp.status, resp.version, resp.headers["Content-Type"])
            return built

    with mounted(Building()) as session:
        response: Any = session.get(web.url + "/json")

    assert (web.url + "/json", 200, 11, "application/json") == response.seen
    assert response.json()


def test_a_context_of_ones_own(web_tls: Web, certificates: Certificates) -> None:
    """`init_poolmanager` with an `ssl_context`, as every second answer on the web has it."""

    class OwnTLS(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            context = ssl.create_default_context(cafile=certificates.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            super().init_poolmanager(*args, **kwargs, ssl_context=context)

    with mounted(OwnTLS()) as session:
        assert session.get(web_tls.url + "/get").ok


def test_a_client_certificate_in_a_context_of_ones_own(certificates: Certificates) -> None:
    """What a session has as `cert` is put into it, as urllib3 does; and shown, once it is there."""
    context = ssl.create_default_context(cafile=certificates.ca_file)

    class OwnTLS(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, ssl_context=context)

    class Limited(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, ssl_minimum_version=ssl.TLSVersion.TLSv1_3)

    hello = always(response(b"hello"))
    with serve(hello, tls=certificates.asking_for_client) as server:
        for kind in (OwnTLS, Limited):
            with mounted(kind()) as session:
                session.verify, session.cert = certificates.ca_file, certificates.client_cert
                for _ in range(2):
                    assert b"hello" == session.get(server.url).content


def test_versions_of_tls(web_tls: Web, certificates: Certificates) -> None:
    """By urllib3's names; both kinds of number."""

    class Only12(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, ssl_version=ssl.PROTOCOL_TLSv1_2)

    class AtMost12(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            limits = {"ssl_maximum_version": ssl.TLSVersion.TLSv1_2}
            super().init_poolmanager(*args, **kwargs, **limits)

    for kind in (Only12, AtMost12):
        with mounted(kind()) as session:
            assert session.get(web_tls.url + "/get", verify=certificates.ca_file).ok


def test_a_name_that_the_certificate_must_have(web_tls: Web, certificates: Certificates) -> None:
    """`assert_hostname` and `server_hostname` take the place of the host in the URL."""

    class Named(HTTPAdapter):
        def __init__(self, **wishes: Any) -> None:
            self.wishes = wishes
            super().__init__()

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, **self.wishes)

    url, verify = web_tls.url + "/get", certificates.ca_file
    for wishes in ({"assert_hostname": "localhost"}, {"server_hostname": "localhost"},
                   {"assert_hostname": False}):  # fmt: skip
        with mounted(Named(**wishes)) as session:
            assert session.get(url, verify=verify).ok
    with mounted(Named(assert_hostname="other.example")) as session, pytest.raises(SSLError):
        session.get(url, verify=verify)


def test_a_wish_nobody_knows() -> None:
    """It is refused when the adapter is made, not overlooked."""

    class Wishing(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, socket_colour="red")

    with pytest.raises(TypeError, match="socket_colour"):
        Wishing()


def test_trust_decided_by_the_adapter(web_tls: Web) -> None:
    """`cert_verify` has the last word."""

    class Careless(HTTPAdapter):
        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            conn.cert_reqs = "CERT_NONE"

    with mounted(Careless()) as session, pytest.warns(gofer.exceptions.InsecureRequestWarning):
        assert session.get(web_tls.url + "/get").ok


def test_a_source_address() -> None:
    """As an adapter for it has it."""
    addresses = []

    def script(peer: Peer) -> None:
        addresses.append(peer.socket.getpeername()[0])
        peer.receive_head()
        peer.send(response(b"hello"))

    class From(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, source_address=("127.0.0.2", 0))

    with serve(script) as server, mounted(From()) as session:
        assert "hello" == session.get(server.url).text
    assert ["127.0.0.2"] == addresses


def test_retries_of_an_adapter(web: Web) -> None:
    """`max_retries`: a number, gofer's policy, or one with urllib3's attributes."""
    from gofer.dropin.urllib3_face.util.retry import Retry

    policies = (
        gofer.Retry(total=2, backoff=0),
        Retry(total=2, status_forcelist=[503], backoff_factor=0),
    )
    for policy in policies:
        web.reset_counts()
        with mounted(HTTPAdapter(max_retries=policy)) as session:
            with pytest.raises((gofer.exceptions.RetryError, AssertionError)):
                assert session.get(web.url + "/status/503").ok
        assert 3 == len(web.requests)


def test_number_of_retries_is_for_connecting_only() -> None:
    """And the error is Requests' own."""
    with mounted(HTTPAdapter(max_retries=2)) as session, pytest.raises(ConnectionRefused) as caught:
        session.get("http://127.0.0.1:1/")

    assert isinstance(caught.value, gofer.ConnectionError)
    assert "http://127.0.0.1:1/" == caught.value.request.url


def test_an_adapter_pickles(web: Web) -> None:
    """Without its connections."""
    adapter = pickle.loads(pickle.dumps(HTTPAdapter(pool_connections=3, max_retries=4)))

    assert (3, 4) == (adapter._pool_connections, adapter.max_retries.total)
    with mounted(adapter) as session:
        assert session.get(web.url + "/get").ok


def test_an_adapter_keeps_its_own_connections(web: Web) -> None:
    """One mounted in two sessions shares them; closing a session closes them."""
    adapter = HTTPAdapter()
    with mounted(adapter) as one, mounted(adapter) as two:
        web.reset_counts()
        for session in (one, two, one):
            assert session.get(web.url + "/get").ok
        assert 1 == web.accepted
    web.wait_for(lambda: web.open == 0)


def test_an_adapter_sends_by_itself(web: Web) -> None:
    """Without a session: no redirects, no cookies, no auth."""
    request = gofer.Request("GET", web.url + "/redirect/1").prepare()
    adapter = HTTPAdapter()
    response = adapter.send(request, timeout=5)

    assert 302 == response.status_code
    adapter.close()


def test_a_pool_of_somebody_elses_is_used_as_it_is(web: Web) -> None:
    """What urllib3's pools answer is turned into a response: here one that only looks like it."""

    class Answer:
        status, reason, version = 200, "Fine", 11
        headers = {"Content-Type": "text/plain; charset=utf-8"}

        def stream(self, size: int, decode_content: bool) -> Any:
            yield from (b"one ", b"two")

        def release_conn(self) -> None:
            pass

        def close(self) -> None:
            pass

    class Pool:
        cert_reqs = ca_certs = ca_cert_dir = cert_file = key_file = None

        def urlopen(self, **arguments: Any) -> Any:
            assert ("POST", "/path?q=1", b"data") == tuple(
                arguments[name] for name in ("method", "url", "body")
            )
            return Answer()

    class Foreign(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
            return Pool()

    pytest.importorskip("urllib3")
    with mounted(Foreign()) as session:
        response = session.post("http://pool.example/path?q=1", data=b"data")

    assert ("one two", "Fine", "utf-8") == (response.text, response.reason, response.encoding)


@pytest.mark.parametrize("module", ["urllib3", "gofer.packages.urllib3"])
def test_errors_of_urllib3_become_ours(module: str) -> None:
    """Whichever name it was imported by first; its classes are told by theirs."""
    error = type("SSLError", (Exception,), {"__module__": f"{module}.exceptions"})

    class Broken:
        def stream(self, *_arguments: Any, **_options: Any) -> Any:
            raise error

    response = gofer.models.Response()
    response.raw = Broken()
    with pytest.raises(gofer.exceptions.SSLError):
        next(response.iter_content(10))


def test_content_cut_short_behind_an_adapter() -> None:
    """The errors of the network pass as they are."""
    script = always(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour", close=True)
    with serve(script) as server, mounted(HTTPAdapter()) as session:
        with pytest.raises(gofer.exceptions.ChunkedEncodingError):
            session.get(server.url).content  # noqa: B018


# Fields for proxies ------------------------------------------------------------------------------


class Adding(HTTPAdapter):
    """Fields for the proxy by the method that is there for it: Bearer, and a region."""

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        fields = super().proxy_headers(proxy)
        fields.update({"Proxy-Authorization": "Bearer abc", "X-Region": "eu"})
        return fields


class Asking(HTTPAdapter):
    """The same as an argument."""

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        fields = {"Proxy-Authorization": "Bearer abc", "X-Region": "eu"}
        return super().proxy_manager_for(proxy, proxy_headers=fields, **kwargs)


def editing(proxy: str) -> HTTPAdapter:
    """The same in the manager's dict."""
    adapter = HTTPAdapter()
    fields = {"Proxy-Authorization": b"Bearer abc", "X-Region": "eu"}
    adapter.proxy_manager_for(proxy).proxy_headers.update(fields)
    return adapter


@pytest.mark.parametrize("userinfo", ["", "ann:secret@"])
@pytest.mark.parametrize("make", [lambda _: Adding(), lambda _: Asking(), editing])
def test_fields_for_the_proxy_alone(
    web: Web, web_tls: Web, certificates: Certificates, proxy: Proxy, make: Any, userinfo: str
) -> None:
    """In CONNECT and in the absolute-form, before what its URL and the request say."""
    url = proxy.url.replace("//", f"//{userinfo}")
    with mounted(make(url)) as session:
        for origin in (web, web_tls):
            answer = session.get(
                f"{origin.url}/redirect/1", proxies={"all": url}, verify=certificates.ca_file,
                headers={"X-Region": "us"},
            )  # fmt: skip
            assert answer.ok

    assert ["GET", "GET", "CONNECT"] == [asked.method for asked in proxy.asked]
    for asked in proxy.asked:
        assert ("Bearer abc", "eu") == (
            asked.field("proxy-authorization"), asked.field("x-region"),
        )  # fmt: skip
    for request in web_tls.requests:
        assert (None, "us") == (request.field("proxy-authorization"), request.field("x-region"))


def test_other_fields_are_another_tunnel(
    web_tls: Web, certificates: Certificates, proxy: Proxy
) -> None:
    """One that was asked for with others leads somewhere else, perhaps."""
    adapter = HTTPAdapter()
    fields = adapter.proxy_manager_for(proxy.url).proxy_headers
    with mounted(adapter) as session:
        for region in ("eu", "us", "eu"):
            fields["X-Region"] = region
            session.get(
                web_tls.url + "/get", proxies={"https": proxy.url}, verify=certificates.ca_file
            )
    assert ["eu", "us"] == [asked.field("x-region") for asked in proxy.asked]


def test_fields_for_the_proxy_do_not_frame_the_request(web: Web, proxy: Proxy) -> None:
    """Where it goes and where it ends is said by the request itself."""
    adapter = HTTPAdapter()
    adapter.proxy_manager_for(proxy.url).proxy_headers.update(
        {"Host": "elsewhere.test", "Content-Length": "5", "X-Region": "eu"}
    )
    with mounted(adapter) as session:
        assert session.get(web.url + "/get", proxies={"http": proxy.url}).ok
    assert (web.authority, None, "eu") == tuple(
        map(proxy.asked[0].field, ("host", "content-length", "x-region"))
    )


@pytest.mark.parametrize("is_mounted", [False, True])
def test_the_limits_of_responses_are_the_packages(is_mounted: bool) -> None:
    """`gofer.defaults` counts for the connections of an adapter as for those of a session."""
    many = response(b"x", **{f"x_{number}": "y" for number in range(20)})
    defaults["max_fields"] = 10
    try:
        session = mounted(HTTPAdapter()) if is_mounted else gofer.Session()
        with serve(always(many)) as server, session:
            with pytest.raises(gofer.RequestException, match="max_fields"):
                session.get(server.url)
    finally:
        del defaults["max_fields"]
