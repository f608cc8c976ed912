"""Proxies behind proxies, and proxies that a function chooses."""

import io
from typing import Any

import pytest

import gofer
from gofer.auth import HTTPProxyDigestAuth
from gofer.exceptions import InvalidProxyURL, ProxyError, TunnelRefused
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import always, refused_port, response, serve
from servers.socks import Socks
from servers.web import Web
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_proxy_leads_to_the_next(
    web: Web, web_tls: Web, certificates: Certificates, scheme: str
) -> None:
    """The first is asked for the second, the last for the origin; one connection is kept."""
    origin = web_tls if scheme == "https" else web
    with Socks() as first, Proxy() as second, Proxy(credentials="ann:secret") as third:
        chain = [
            f"socks5://127.0.0.1:{first.port}",
            second.url,
            f"http://ann:secret@127.0.0.1:{third.port}",
        ]
        with gofer.Session(proxies={"all": chain}, verify=certificates.ca_file) as session:
            for _ in range(2):
                assert {} == session.get(origin.url + "/get").json()["args"]

        assert [second.port] == [asked[2] for asked in first.asked]
        assert [f"127.0.0.1:{third.port}"] == [asked.target for asked in second.asked]
        assert second.asked[0].field("proxy-authorization") is None
        if scheme == "https":
            assert [f"127.0.0.1:{origin.port}"] == [asked.target for asked in third.asked]
        else:
            assert ["GET", "GET"] == [asked.method for asked in third.asked]
    assert 1 == origin.accepted or scheme == "http"


def test_tls_to_a_proxy_behind_another(
    web_tls: Web, certificates: Certificates, proxy: Proxy
) -> None:
    """TLS with the second through the first, and TLS with the origin through both."""
    with Proxy(tls=certificates.good) as second:
        chain = [proxy.url, f"https://localhost:{second.port}"]
        with gofer.Session(proxies={"all": chain}, verify=certificates.ca_file) as session:
            assert 200 == session.get(web_tls.url + "/get").status_code
        assert ["CONNECT"] == [asked.method for asked in second.asked]
    assert [f"localhost:{second.port}"] == [asked.target for asked in proxy.asked]


def test_the_proxy_that_fails_is_named(web_tls: Web, proxy: Proxy) -> None:
    """The second of them is not there."""
    nobody = refused_port()
    chain = [proxy.url, f"http://127.0.0.1:{nobody}"]
    with gofer.Session(proxies={"all": chain}) as session:
        with pytest.raises(ProxyError, match=rf"{proxy.port} for a tunnel to 127.0.0.1:{nobody}"):
            session.get(web_tls.url + "/get")
    assert 0 == web_tls.accepted


def test_another_first_proxy_is_another_connection(web: Web) -> None:
    """Even if the last is the same."""
    with Proxy() as first, Proxy() as other, Proxy() as last, gofer.Session() as session:
        for start in (first, other):
            answer = session.get(web.url + "/get", proxies={"http": [start.url, last.url]})
            assert 200 == answer.status_code
        assert (1, 1, 2) == (len(first.asked), len(other.asked), last.accepted)


def test_a_chain_that_is_edited_in_place(web: Web, proxy: Proxy) -> None:
    """Counts from the next request on, as any other change of the session's dict."""
    with Proxy() as other, gofer.Session(proxies={"http": [proxy.url]}) as session:
        assert 200 == session.get(web.url + "/get").status_code
        session.proxies["http"][0] = other.url
        assert 200 == session.get(web.url + "/get").status_code
        session.proxies["http"].append(proxy.url)
        assert 200 == session.get(web.url + "/get").status_code
        assert ["GET", "CONNECT"] == [asked.method for asked in other.asked]
    assert ["GET", "GET"] == [asked.method for asked in proxy.asked]


def test_a_function_chooses(web: Web, proxy: Proxy) -> None:
    """For every request, by its URL; None goes directly. This is where a PAC file is evaluated."""
    asked: list[str] = []

    def choose(url: str) -> str | None:
        asked.append(url)
        return proxy.url if "through" in url else None

    with gofer.Session(proxies=choose) as session:
        for path in ("/get?through", "/get", "/get?through"):
            assert 200 == session.get(web.url + path).status_code
    assert [web.url + "/get?through", web.url + "/get", web.url + "/get?through"] == asked
    assert 2 == len(proxy.asked)


def test_a_function_for_one_scheme_or_one_call(web: Web, proxy: Proxy) -> None:
    """As a value of the dict, and on a call, where it counts before the session's."""
    with gofer.Session(proxies={"http": lambda url: proxy.url}) as session:
        assert 200 == session.get(web.url + "/get").status_code
        assert 200 == session.get(web.url + "/get", proxies=lambda url: None).status_code
    assert 1 == len(proxy.asked)


def test_a_function_is_not_shown_what_is_not_its_business(web: Web) -> None:
    """User name and password are the origin's, the fragment the caller's."""
    asked: list[str] = []
    url = web.url.replace("//", "//ann:secret@") + "/get?a=1#fragment"
    with gofer.Session(proxies=asked.append) as session:
        assert 200 == session.get(url).status_code
    assert [web.url + "/get?a=1"] == asked


def test_a_function_that_would_have_to_be_awaited(web: Web) -> None:
    """It is told so, and no warning comes of it."""

    async def choose(url: str) -> None:
        raise AssertionError(url)

    with gofer.Session(proxies=choose) as session:
        with pytest.raises(TypeError, match="async def"):
            session.get(web.url + "/get")


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("wrong", [[], [None], ["http://a", 5], ["ftp://a"]], ids=repr)
def test_a_chain_of_nothing_is_refused(web: Web, wrong: Any) -> None:
    """With an error that says so."""
    with gofer.Session(proxies={"all": wrong}) as session:
        with pytest.raises(InvalidProxyURL):
            session.get(web.url) if wrong else session.get(web.url, proxies={"all": lambda u: [()]})


# `proxy=` -----------------------------------------------------------------------------------------


def one_url(proxy: Proxy) -> Any:
    return proxy.url


def a_chain(proxy: Proxy) -> Any:
    return [proxy.url]


def a_function(proxy: Proxy) -> Any:
    return lambda url: proxy.url


WAYS = pytest.mark.parametrize("way", [one_url, a_chain, a_function])


@WAYS
def test_one_proxy_for_a_call(web: Web, proxy: Proxy, way: Any) -> None:
    """It counts before all that the session has, whatever its key."""
    nobody = f"http://127.0.0.1:{refused_port()}"
    proxies = {"http": nobody, "http://127.0.0.1": nobody, "no_proxy": "127.0.0.1"}
    with gofer.Session(proxies=proxies) as session:
        assert 200 == session.get(web.url + "/redirect/1", proxy=way(proxy)).status_code
    assert 2 == len(proxy.asked)


@WAYS
def test_one_proxy_for_a_session(web: Web, proxy: Proxy, way: Any) -> None:
    """Which a call's `proxies` are over, as ever."""
    with gofer.Session(proxy=way(proxy)) as session:
        assert 200 == session.get(web.url + "/get").status_code
        assert ["all"] == list(session.proxies)
        assert 200 == session.get(web.url + "/get", proxies={"http": None}).status_code
        assert 200 == session.get(web.url + "/get", proxy="").status_code
    assert 1 == len(proxy.asked)


@WAYS
def test_one_proxy_wherever_there_are_calls(web: Web, proxy: Proxy, way: Any) -> None:
    """With hooks, unsent, many at once, and for a WebSocket."""
    nobody = f"http://127.0.0.1:{refused_port()}"
    url, chosen = web.url + "/get", way(proxy)
    with gofer.Session(proxies={"http": nobody}) as session:
        assert session.get(url, proxy=chosen, hooks={"args": lambda arguments: None}).ok
        request = session.get(url, proxy=chosen, return_response=False)
        assert request.send()
        assert request.response.ok
        request = gofer.Request("GET", url, session=session, proxy=chosen)
        assert request.send()
        with session.websocket(web.url + "/websocket", proxy=chosen) as socket:
            socket.send("hi")
            assert "hi" == socket.receive()
    assert ["GET", "GET", "GET", "CONNECT"] == [asked.method for asked in proxy.asked]


@pytest.mark.only_in("blocking")
def test_one_proxy_for_one_of_many(web: Web, proxy: Proxy) -> None:
    calls = [{"url": web.url + "/get", "proxy": proxy.url}, web.url + "/get"]
    assert [200, 200] == [answer.status_code for answer in gofer.map(calls)]
    assert 1 == len(proxy.asked)


@pytest.mark.only_in("blocking")
def test_two_ways_to_say_it_are_one_too_many(web: Web) -> None:
    for call in (gofer.Session, lambda **options: gofer.get(web.url, **options)):
        with pytest.raises(ValueError, match="proxy and proxies"):
            call(proxy="http://a", proxies={})
        with pytest.raises(TypeError, match="proxy: got dict"):
            call(proxy={"all": "http://a"})


# Digest -------------------------------------------------------------------------------------------


def asked_by(proxy: Proxy) -> list[str]:
    """How each CONNECT proved who it was."""
    schemes = [asked.field("proxy-authorization") for asked in proxy.asked]
    return [(field or "-").partition(" ")[0] for field in schemes]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_a_proxy_may_want_digest(web_tls: Web, certificates: Certificates, algorithm: str) -> None:
    """It is asked once more, on a connection of its own; and from then on told at once."""
    with Proxy(credentials="ann:open sesame", digest=algorithm) as proxy:
        url = f"http://ann:open%20sesame@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"https": url}, verify=certificates.ca_file) as session:
            for _ in range(3):
                session.close()  # so that there is another tunnel each time
                assert session.get(f"{web_tls.url}/get").ok
        assert asked_by(proxy) == ["Basic", "Digest", "Digest", "Digest"]
        assert proxy.counts == ["00000001", "00000002", "00000003"]


def test_a_nonce_may_grow_old(web_tls: Web, certificates: Certificates) -> None:
    with Proxy(credentials="ann:secret", digest="SHA-256") as proxy:
        url = f"http://ann:secret@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"https": url}, verify=certificates.ca_file) as session:
            assert session.get(f"{web_tls.url}/get").ok
            session.close()
            proxy.nonce = "nonce-2"
            proxy.counts.clear()
            assert session.get(f"{web_tls.url}/get").ok
        assert asked_by(proxy) == ["Basic", "Digest", "Digest", "Digest"]


def test_a_wrong_password_is_not_repeated_for_ever(web_tls: Web) -> None:
    with Proxy(credentials="ann:secret", digest="MD5") as proxy:
        url = f"http://ann:wrong@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"https": url}) as session:
            with pytest.raises(TunnelRefused, match="credentials sent") as caught:
                session.get(f"{web_tls.url}/get")
        assert caught.value.status_code == 407
        assert "wrong" not in str(caught.value)
        assert asked_by(proxy) == ["Basic", "Digest"]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_proxy_that_forwards_may_want_digest(web: Web, algorithm: str) -> None:
    """The same for http URLs, with or without content; `auth` stays the origin's."""
    with Proxy(credentials="ann:open sesame", digest=algorithm) as proxy:
        url = f"http://ann:open%20sesame@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"http": url}, auth=("bob", "1")) as session:
            assert session.get(f"{web.url}/get?a=1").json()["args"] == {"a": "1"}
            assert session.post(f"{web.url}/post", data=b"abc").json()["data"] == "abc"
            assert session.get(f"{web.url}/redirect/1").history[0].history == []
        assert asked_by(proxy) == ["Basic", "Digest", "Digest", "Digest", "Digest"]
        assert proxy.counts == [f"0000000{number}" for number in range(1, 5)]
    for request in web.requests:
        assert request.field("authorization") == "Basic Ym9iOjE="
        assert request.field("proxy-authorization") is None


def test_content_is_sent_again_for_the_answer(web: Web) -> None:
    """From its start; what can be read only once is not, and the 407 is the answer."""
    with Proxy(credentials="ann:secret", digest="MD5") as proxy:
        proxies = {"http": f"http://ann:secret@127.0.0.1:{proxy.port}"}
        with gofer.Session(proxies=proxies) as session:
            answer = session.post(f"{web.url}/post", data=iter([b"once"]))
            assert answer.status_code == 407
            answer = session.post(f"{web.url}/post", data=iter([b"once"]))
            assert answer.json()["data"] == "once"
        with gofer.Session(proxies=proxies) as session:
            proxy.counts.clear()
            file = io.BytesIO(b"twice")
            assert session.post(f"{web.url}/post", data=file).json()["data"] == "twice"


def test_a_nonce_may_grow_old_where_a_proxy_forwards(web: Web) -> None:
    with Proxy(credentials="ann:secret", digest="SHA-256") as proxy:
        url = f"http://ann:secret@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"http": url}) as session:
            assert session.get(f"{web.url}/get").ok
            proxy.nonce = "nonce-2"
            proxy.counts.clear()
            assert session.get(f"{web.url}/get").ok
        assert asked_by(proxy) == ["Basic", "Digest", "Digest", "Digest"]


def test_a_wrong_password_is_not_repeated_where_a_proxy_forwards(web: Web) -> None:
    """The 407 is the answer; known to be asked for Digest, the proxy gets one answer only."""
    with Proxy(credentials="ann:secret", digest="MD5") as proxy:
        url = f"http://ann:wrong@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"http": url}) as session:
            assert session.get(f"{web.url}/get").status_code == 407
            assert session.get(f"{web.url}/get").status_code == 407
        assert asked_by(proxy) == ["Basic", "Digest", "Digest"]


def test_digest_for_a_proxy_as_auth(web: Web) -> None:
    """Made for the target that the proxy is asked for, which is the whole URL."""
    with Proxy(credentials="ann:secret", digest="MD5") as proxy:
        auth = HTTPProxyDigestAuth("ann", "secret")
        with gofer.Session(proxies={"http": proxy.url}, auth=auth) as session:
            assert session.get(f"{web.url}/get?a=1").ok
            assert session.get(f"{web.url}/get?a=2").ok
        assert asked_by(proxy) == ["-", "Digest", "Digest"]


@pytest.mark.parametrize("through", ["a tunnel", "nobody"])
def test_a_407_of_the_origin_is_not_answered(through: str) -> None:
    """It has no business to ask for what the proxy is to be shown."""
    challenge = 'Digest realm="x", nonce="n", qop="auth"'
    with (
        serve(always(response(b"", "407 Who", proxy_authenticate=challenge))) as origin,
        Socks(login=("ann", "secret")) as proxy,
    ):
        url = f"socks5h://ann:secret@127.0.0.1:{proxy.port}"
        proxies = {"http" if through == "a tunnel" else "https": url}
        with gofer.Session(proxies=proxies) as session:
            assert session.get(origin.url).status_code == 407
        (request,) = origin.requests
        assert b"proxy-authorization" not in request.lower()


def test_without_credentials_there_is_no_answer(web_tls: Web) -> None:
    with Proxy(credentials="ann:secret", digest="MD5") as proxy:
        with gofer.Session(proxies={"https": proxy.url}) as session:
            with pytest.raises(TunnelRefused, match="has no credentials"):
                session.get(f"{web_tls.url}/get")
        assert asked_by(proxy) == ["-"]


def test_each_proxy_of_a_chain_may_want_it(web_tls: Web, certificates: Certificates) -> None:
    with (
        Proxy(credentials="ann:1", digest="MD5") as first,
        Proxy(credentials="bob:2", digest="SHA-256") as second,
    ):
        chain = [f"http://ann:1@127.0.0.1:{first.port}", f"http://bob:2@127.0.0.1:{second.port}"]
        with gofer.Session(proxies={"all": chain}, verify=certificates.ca_file) as session:
            assert session.get(f"{web_tls.url}/get").ok
        assert asked_by(second) == ["Basic", "Digest"]
