"""Proxies on Requests' road, step by step: each hop goes where it would go on gofer's own."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

import gofer
from gofer.adapters import HTTPAdapter
from servers.proxy import Proxy
from servers.raw import refused_port
from servers.web import Web


@pytest.fixture(params=["plain", "mounted"])
def session(request: pytest.FixtureRequest) -> Iterator[gofer.Session]:
    """A session that goes one of the two roads."""
    with gofer.Session() as session:
        if request.param == "mounted":
            session.mount("http://", HTTPAdapter())
        yield session


def localhost(web: Web) -> str:
    """The web server by its other name."""
    return web.url.replace("127.0.0.1", "localhost")


def through(proxy: Proxy) -> list[str]:
    """Whom the proxy was asked for."""
    return [asked.target.split("/")[2].split(":")[0] for asked in proxy.asked]


def test_no_proxy_counts_for_each_hop(
    web: Web, proxy: Proxy, session: gofer.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's proxy of one hop is not the next one's."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "localhost")

    there = {"url": localhost(web) + "/get"}
    assert 1 == len(session.get(web.url + "/redirect-to", params=there).history)
    assert ["127.0.0.1"] == through(proxy)

    back = {"url": web.url + "/get"}
    assert 1 == len(session.get(localhost(web) + "/redirect-to", params=back).history)
    assert ["127.0.0.1"] * 2 == through(proxy)


def test_what_is_said_counts_before_the_environment(
    web: Web, proxy: Proxy, session: gofer.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever key it is said."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{refused_port()}")
    session.proxies = {"all": proxy.url}

    assert session.get(web.url + "/redirect/1").ok
    assert ["127.0.0.1"] * 2 == through(proxy)


def test_a_function_chooses_for_each_hop(web: Web, proxy: Proxy, session: gofer.Session) -> None:
    """There, around the proxy, and back again: it is asked once for each."""
    asked: list[str] = []

    def choose(url: str) -> str | None:
        asked.append(url.split("/")[2].split(":")[0])
        return proxy.url if url.startswith(web.url) else None

    session.proxies["http"] = choose
    back = f"{localhost(web)}/redirect-to?url={web.url}/get"
    assert 2 == len(session.get(web.url + "/redirect-to", params={"url": back}).history)
    assert ["127.0.0.1", "localhost", "127.0.0.1"] == asked
    assert ["127.0.0.1"] * 2 == through(proxy)


def test_a_function_that_takes_turns(web: Web, proxy: Proxy, session: gofer.Session) -> None:
    """It is asked once for a request, so that each gets its turn."""
    with Proxy() as other:
        turns = cycle([proxy.url, other.url, None])
        for _ in range(6):
            answer = session.get(web.url + "/get", proxies=lambda url: next(turns))
            assert answer.ok
        assert (2, 2) == (len(proxy.asked), len(other.asked))


def test_a_chain_of_proxies(web: Web, proxy: Proxy, session: gofer.Session) -> None:
    with Proxy(credentials="ann:secret") as last:
        chain = [proxy.url, last.url.replace("//", "//ann:secret@")]
        for proxies in ({"all": chain}, {"http": tuple(chain)}, lambda url: chain):
            assert session.get(web.url + "/redirect/1", proxies=proxies).ok
        assert 6 == len(last.asked)


def test_one_proxy_for_a_call(web: Web, proxy: Proxy, session: gofer.Session) -> None:
    """It counts before all that the session has, whatever its key."""
    nobody = f"http://127.0.0.1:{refused_port()}"
    session.proxies = {"http": nobody, "http://127.0.0.1": nobody, "no_proxy": "127.0.0.1"}
    for chosen in (proxy.url, [proxy.url], lambda url: proxy.url):
        assert session.get(web.url + "/redirect/1", proxy=chosen).ok
    assert ["127.0.0.1"] * 6 == through(proxy)


def test_settings_that_were_asked_for(
    web: Web, proxy: Proxy, session: gofer.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`send(prepared, **settings)`, the way it stands in Requests' documentation."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "localhost")
    url = f"{web.url}/redirect-to?url={localhost(web)}/get"
    prepared = session.prepare_request(gofer.Request("GET", url))
    settings = session.merge_environment_settings(prepared.url, {}, None, None, None)

    assert {"http": proxy.url} == settings["proxies"]
    session.mount("http://", HTTPAdapter())
    assert session.send(prepared, **settings).ok
    assert ["127.0.0.1"] == through(proxy)


def test_what_a_subclass_adds_counts_for_each_hop(web: Web, proxy: Proxy) -> None:
    """A step that changes what it was given by the original."""

    class Through(gofer.Session):
        def merge_environment_settings(self, *args: Any) -> dict[str, Any]:
            settings = super().merge_environment_settings(*args)
            settings["proxies"]["http"] = proxy.url
            return settings

    with Through() as session:
        assert session.get(web.url + "/redirect/1").ok
    assert ["127.0.0.1"] * 2 == through(proxy)
