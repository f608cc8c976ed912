"""SOCKS proxies: what they are asked, and what comes of bad ones (rows 101, 104 and 105)."""

from typing import Any

import pytest

import gofer
from faults.asking import session_for
from gofer.exceptions import CertificateError, LocalProtocolError, NameResolutionError, ProxyError
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import Peer, refused_port, serve
from servers.socks import Socks
from servers.web import Web

SCHEMES = ("socks4", "socks4a", "socks5", "socks5h")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_row_101_through_each_version(
    web: Web, web_tls: Web, certificates: Certificates, names: list[str], scheme: str, is_tls: bool
) -> None:
    """The origin answers, over one connection; who looks the name up is in the scheme."""
    origin = web_tls if is_tls else web
    url = f"{origin.url.partition('://')[0]}://example.com:{origin.port}"
    with Socks() as proxy:
        proxy.hosts["example.com"] = "127.0.0.1"
        proxies = {"all": f"{scheme}://ann@127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies, verify=certificates.ca_file, timeout=5) as session:
            for _ in range(2):
                assert session.get(url + "/get").ok
        (asked,) = proxy.asked

    looks_up_itself = scheme in ("socks4a", "socks5h")
    host = "example.com" if looks_up_itself else "127.0.0.1"
    version = 4 if scheme.startswith("socks4") else 5
    assert (version, host, origin.port, "ann" if version == 4 else "") == asked
    assert ["127.0.0.1"] + ["example.com"] * (not looks_up_itself) == names


def test_credentials_of_socks_5(web: Web) -> None:
    """Percent-decoded; and those of the origin stay the origin's."""
    with Socks(login=("us@r", "pass/word")) as proxy:
        proxies = {"http": f"socks5h://us%40r:pass%2Fword@127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies) as session:
            headers = session.get(web.url + "/headers").json()["headers"]
        assert "us@r" == proxy.asked[0][3]

    assert not any("auth" in name.lower() for name in headers)


@pytest.mark.parametrize(
    ("userinfo", "words"), [("", "credentials"), ("us%40r:wrong@", "user name and password")]
)
def test_row_105_wrong_credentials(userinfo: str, words: str) -> None:
    """The error says so, and shows none of them."""
    with Socks(login=("us@r", "pass")) as proxy:
        proxies = {"http": f"socks5://{userinfo}127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies) as session, pytest.raises(ProxyError, match=words) as e:
            session.get("http://127.0.0.1:1/")

    assert "wrong" not in str(e.value)
    assert [] == proxy.asked


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_origin_that_the_proxy_cannot_reach(scheme: str) -> None:
    """What the proxy says is said in words."""
    port = refused_port()
    with Socks() as proxy:
        proxies = {"http": f"{scheme}://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies) as session:
            with pytest.raises(ProxyError, match=r"refused: (connection refused|rejected)"):
                session.get(f"http://127.0.0.1:{port}/")


BAD = {
    "nothing": (b"", "closed the connection"),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "expected an answer in SOCKS 5"),
    "half": (b"\5", "closed the connection"),
    "a way not offered": (b"\5\3", "not offered"),
    "no way": (b"\5\xff", "none of our ways"),
    "version 4 behind it": (b"\5\0\4\0\0\1\0", "expected an answer in SOCKS 5"),
    "a code of its own": (b"\5\0\5\x42\0\1\0\0\0\0\0\0", "refused: code 66"),
    "no such host": (b"\5\0\5\4\0\1\0\0\0\0\0\0", "refused: host unreachable"),
    "a kind of its own": (b"\5\0\5\0\0\7\0\0\0\0\0\0", "kind 7"),
    "a name cut short": (b"\5\0\5\0\0\3\xffhere", "closed the connection"),
}


@pytest.mark.parametrize("name", BAD)
def test_row_104_answers_that_are_none(name: str) -> None:
    """A named error in bounded time; nothing is taken for the origin's answer."""
    answer, words = BAD[name]

    def script(peer: Peer) -> None:
        peer.send(answer)

    with serve(script) as proxy:
        proxies = {"http": f"socks5h://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies, timeout=5) as session:
            with pytest.raises(ProxyError, match=words):
                session.get("http://origin.test/")


def test_row_104_a_proxy_that_says_nothing() -> None:
    """The connect limit holds for the handshake too."""

    def script(peer: Peer) -> None:
        peer.receive_to_end()

    with serve(script) as proxy:
        proxies = {"http": f"socks5h://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies, timeout=(0.3, 5)) as session:
            with pytest.raises(gofer.ConnectTimeout, match="tunnel"):
                session.get("http://origin.test/")


def test_no_byte_of_the_origin_is_lost(web: Web) -> None:
    """An origin that speaks at once, in the same segment as the proxy's answer."""
    answer = b"\5\0" + b"\5\0\0\1\0\0\0\0\0\0"
    early = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"

    def script(peer: Peer) -> None:
        peer.send(answer)
        peer.receive_head()
        peer.send(early)

    with serve(script) as proxy:
        proxies = {"http": f"socks5h://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies) as session:
            assert "early" == session.get("http://origin.test/").text


def test_the_certificate_is_the_origins_business(web_tls: Web, certificates: Certificates) -> None:
    """TLS inside of SOCKS is checked as anywhere (undici's CVE-2022-32210)."""
    with Socks() as proxy:
        proxies = {"https": f"socks5://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies, verify=certificates.other_ca_file) as session:
            with pytest.raises(CertificateError):
                session.get(web_tls.url + "/get")


def test_an_address_it_has_no_words_for() -> None:
    """Said before anything is asked, or instead of asking."""
    with Socks() as proxy:
        proxies = {"http": f"socks4://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies) as session:
            with pytest.raises(LocalProtocolError, match="no IPv6"):
                session.send(gofer.Request("GET", "http://[::1]:1/").prepare())
        assert [] == proxy.asked


def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch, world: Any) -> None:
    """With socks5:// it is this machine that does not know it."""

    async def resolve(self: Any, host: str, port: int, deadline: float | None) -> list[Any]:
        import socket

        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, (host, port))]

    monkeypatch.setattr(type(world), "resolve", resolve)
    with Socks() as proxy:
        proxies = {"http": f"socks5://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies) as session, pytest.raises(NameResolutionError):
            session.get("http://nowhere.test/")


def test_from_the_environment(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL_PROXY may name one, as it does for curl."""
    with Socks() as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{proxy.port}")
        with session_for() as session:
            assert session.get(web.url + "/get").ok
        assert 1 == len(proxy.asked)


def test_another_password_is_another_connection(web: Web) -> None:
    """A kept connection is not used for somebody else."""
    with Socks(login=("ann", "1")) as proxy:
        with session_for() as session:
            for password, is_right in (("1", True), ("2", False)):
                proxies = {"http": f"socks5h://ann:{password}@127.0.0.1:{proxy.port}"}
                if is_right:
                    assert session.get(web.url + "/get", proxies=proxies).ok
                    continue
                with pytest.raises(ProxyError):
                    session.get(web.url + "/get", proxies=proxies)


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
def test_the_port_of_an_address_counts(web: Web, scheme: str) -> None:
    """`resolve` says where a host is, and the proxy is asked for just that."""
    with Socks() as proxy:
        with session_for(
            proxies={"http": f"{scheme}://127.0.0.1:{proxy.port}"},
            resolve={"shop.example.com": f"127.0.0.1:{web.port}"},
        ) as session:
            assert session.get("http://shop.example.com/get").ok
        assert [("127.0.0.1", web.port)] == [asked[1:3] for asked in proxy.asked]


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
def test_the_next_address_is_tried(web: Web, scheme: str) -> None:
    """On another connection, for the proxy closes the first. Version 4 knows no IPv6."""
    addresses = [f"127.0.0.9:{web.port}", "[::1]:1", f"127.0.0.1:{web.port}", "192.0.2.1"]
    with Socks() as proxy:
        with session_for(
            proxies={"http": f"{scheme}://127.0.0.1:{proxy.port}"},
            resolve={"shop.example.com": addresses},
        ) as session:
            assert session.get("http://shop.example.com/get").ok
            assert (1, 0, 0) == session.network.pool.counts
        asked = [asked[1] for asked in proxy.asked]
    assert ["127.0.0.9", *["::1"] * (scheme == "socks5"), "127.0.0.1"] == asked


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
def test_when_no_address_is_left_the_last_is_named(scheme: str) -> None:
    nobody = refused_port()
    with Socks() as proxy:
        with session_for(
            proxies={"http": f"{scheme}://127.0.0.1:{proxy.port}"},
            resolve={"shop.example.com": [f"127.0.0.9:{nobody}", f"127.0.0.8:{nobody}"]},
        ) as session:
            with pytest.raises(ProxyError, match=rf"shop.example.com:80 at 127.0.0.8:{nobody}: re"):
                session.get("http://shop.example.com/get")
        assert 2 == len(proxy.asked)


@pytest.mark.parametrize("code", [1, 2, 6, 7])
def test_a_refusal_that_is_about_something_else_is_final(code: int) -> None:
    """Whoever may not go anywhere is not helped by another address."""

    def script(peer: Peer) -> None:
        peer.send(b"\5\0\5" + bytes((code,)) + b"\0\1\0\0\0\0\0\0")

    with serve(script) as proxy:
        with session_for(
            proxies={"http": f"socks5://127.0.0.1:{proxy.port}"},
            resolve={"shop.example.com": ["192.0.2.1", "192.0.2.2"]},
        ) as session:
            with pytest.raises(ProxyError, match="refused"):
                session.get("http://shop.example.com/get")
        assert 1 == proxy.accepted


def test_an_address_that_worked_is_used_again_for_an_answer(
    web_tls: Web, certificates: Certificates
) -> None:
    """Behind the proxy is one that wants Digest: asked once more, and by the same address."""
    with Socks() as first, Proxy(credentials="ann:secret", digest="SHA-256") as second:
        chain = [f"socks5://127.0.0.1:{first.port}", f"http://ann:secret@proxy.test:{second.port}"]
        with session_for(
            proxies={"all": chain}, resolve={"proxy.test": ["127.0.0.9", "127.0.0.1"]},
            verify=certificates.ca_file, timeout=5,
        ) as session:  # fmt: skip
            assert session.get(web_tls.url + "/get").ok
        assert ["127.0.0.9", "127.0.0.1", "127.0.0.1"] == [asked[1] for asked in first.asked]


def test_a_proxy_that_stalls_after_the_greeting_is_named() -> None:
    """It was not the look-up that took so long."""

    def script(peer: Peer) -> None:
        peer.send(b"\5\0")
        peer.receive_to_end()

    with serve(script) as proxy:
        proxies = {"http": f"socks5://127.0.0.1:{proxy.port}"}
        with session_for(proxies=proxies, timeout=(0.3, 5)) as session:
            with pytest.raises(gofer.ConnectTimeout, match="for a tunnel took longer"):
                session.get("http://127.0.0.1:1/")
