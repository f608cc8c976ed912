"""Proxies behind proxies, and proxies that a function chooses."""

from typing import Any

import pytest

import gofer
from gofer.exceptions import InvalidProxyURL, ProxyError, TunnelRefused
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import refused_port
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
