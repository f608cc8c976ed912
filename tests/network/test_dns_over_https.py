"""Names looked up by DNS over HTTPS (RFC 8484), and what HTTPS records say (RFC 9460)."""

import ssl
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import gofer
from gofer.exceptions import ConnectTimeout, DeadlineExceeded, NameResolutionError
from servers.certificates import Certificates
from servers.names import NameServer
from servers.proxy import Proxy
from servers.raw import Peer, refused_port, serve
from servers.web import Reply, Web
from servers.web3 import Web3
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

ALONE = {"keep_alive": False}


@pytest.fixture(scope="module")
def lasting(certificates: Certificates) -> Iterator[NameServer]:
    with NameServer(tls=certificates.good_http2) as server:
        yield server
        server.raise_errors()


@pytest.fixture
def names(lasting: NameServer) -> Iterator[NameServer]:
    """A server that knows a.test."""
    lasting.reset_counts()
    lasting.asked.clear()
    lasting.reply, lasting.seconds, lasting.age = None, 60, 0
    lasting.zone = {("a.test", "A"): ["127.0.0.1"]}
    yield lasting
    for kind in lasting.held:
        lasting.gates[kind].set()
    lasting.held = set()


@pytest.fixture
def session(certificates: Certificates, names: NameServer) -> Iterator[gofer.Session]:
    with gofer.Session(
        resolve=f"{names.url}/dns-query", verify=certificates.ca_file, timeout=20
    ) as session:
        yield session


def test_a_name_is_looked_up(web: Web, names: NameServer, session: gofer.Session) -> None:
    answer = session.get(f"http://a.test:{web.port}/get")
    assert answer.json()["headers"]["Host"] == f"a.test:{web.port}"
    assert names.asked == [("a.test", "A"), ("a.test", "AAAA")]


def test_on_connections_that_are_kept(
    web: Web, names: NameServer, certificates: Certificates
) -> None:
    """Beside those of the requests: they do not wait for each other's limits."""
    names.zone = {(f"{n}.test", "A"): ["127.0.0.1"] for n in range(5)}
    with gofer.Session(
        resolve=f"{names.url}/dns-query",
        verify=certificates.ca_file,
        config={"max_connections": 1, "pool_timeout": 5},
    ) as session:
        for n in range(5):
            assert session.get(f"http://{n}.test:{web.port}/get").ok
        assert names.accepted == 1
        session.close()
        names.wait_for(lambda: names.open == 0)
        assert session.get(f"http://0.test:{web.port}/get").ok


def test_answers_count_as_long_as_they_say(web: Web, names: NameServer, session: Any) -> None:
    session.config["keep_alive"] = False
    for _ in range(3):
        assert session.get(f"http://a.test:{web.port}/get").ok
    assert names.asked == [("a.test", "A"), ("a.test", "AAAA")]


def test_aliases_are_followed(web: Web, names: NameServer, session: gofer.Session) -> None:
    names.zone = {
        ("www.test", "CNAME"): ["a.test."],
        ("a.test", "A"): ["127.0.0.1"],
    }
    assert session.get(f"http://www.test:{web.port}/get").ok


def test_of_several_addresses_one_answers(web: Web, names: NameServer, session: Any) -> None:
    names.zone["a.test", "A"] = ["127.0.0.9", "127.0.0.1"]
    assert session.get(f"http://a.test:{web.port}/get").ok


def test_addresses_and_local_names_are_not_asked_for(
    web: Web, names: NameServer, session: gofer.Session
) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert session.get(f"http://{host}:{web.port}/get").ok
    with pytest.raises(NameResolutionError):
        session.get("http://printer.local/")
    assert names.asked == []


def test_a_name_that_does_not_exist(names: NameServer, session: gofer.Session) -> None:
    with pytest.raises(NameResolutionError, match="missing.test.*does not exist"):
        session.get("http://missing.test/")


def test_a_name_without_an_address(names: NameServer, session: gofer.Session) -> None:
    names.zone["bare.test", "TXT"] = ["x"]
    with pytest.raises(NameResolutionError, match="no address"):
        session.get("http://bare.test/")


def test_half_an_answer_is_enough(web: Web, names: NameServer, session: gofer.Session) -> None:
    names.zone["a.test", "AAAA"] = ["!SERVFAIL"]
    assert session.get(f"http://a.test:{web.port}/get").ok
    names.zone["b.test", "AAAA"] = ["!SERVFAIL"]
    with pytest.raises(NameResolutionError, match="SERVFAIL"):
        session.get("http://b.test/")


DNS = [("Content-Type", "application/dns-message")]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=500), "got 500"),
        (Reply.text("hello"), "got 200 and 'text/plain'"),
        (Reply(b"", fields=DNS), "no DNS"),
        (Reply(b"x" * 100, fields=DNS), "no DNS"),
        (Reply(b"x" * 70000, fields=DNS), "over 65535 bytes"),
        (Reply(bytes(12), fields=DNS), "another question"),
    ],
    ids=["error", "text", "nothing", "garbage", "endless", "unasked"],
)
def test_an_answer_that_is_none(
    names: NameServer, session: gofer.Session, reply: Reply, words: str
) -> None:
    names.reply = reply
    with pytest.raises(NameResolutionError, match=words):
        session.get("http://a.test/")
    names.reply = None
    names.zone["a.test", "A"] = ["127.0.0.1"]


def test_a_server_that_is_not_there() -> None:
    with gofer.Session(resolve=f"https://127.0.0.1:{refused_port()}/dns-query") as session:
        with pytest.raises(NameResolutionError, match=r"a\.test, asking 127"):
            session.get("http://a.test/")


def test_a_server_that_says_nothing(certificates: Certificates) -> None:
    with serve(Peer.wait_closed, tls=certificates.good) as server:
        with gofer.Session(
            resolve=f"{server.url}/dns-query", verify=certificates.ca_file, timeout=0.3
        ) as session:
            with pytest.raises(ConnectTimeout, match=r"resolving a\.test, asking 127"):
                session.get("http://a.test/")
            with pytest.raises(DeadlineExceeded, match=r"resolving a\.test, asking 127"):
                session.get("http://a.test/", timeout=5, deadline=0.3)
            with pytest.raises(ConnectTimeout, match=r"resolving a\.test, asking 127.*read"):
                session.get("http://a.test/", timeout=(5, 0.1))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_server_that_says_nothing_of_one_kind(
    web: Web, web_tls: Web, names: NameServer, session: Any, scheme: str, certificates: Any
) -> None:
    """What can be done without is given up soon, and not waited for again at each connection."""
    names.zone["example.com", "A"] = ["127.0.0.1"]
    names.held = {"AAAA", "HTTPS"}
    session.config["keep_alive"] = True
    session.config["http2"] = False
    url = (
        f"http://example.com:{web.port}"
        if scheme == "http"
        else f"https://example.com:{web_tls.port}"
    )
    started = time.monotonic()
    for _ in range(2):
        with session.get(f"{url}/get", stream=True), session.get(f"{url}/get", stream=True):
            pass
    assert time.monotonic() - started < 10  # seconds, of 20
    kinds = [kind for _, kind in names.asked]
    assert sorted(set(kinds)) == sorted(kinds)


def test_a_name_server_that_is_silent_of_the_other_kind(
    names: NameServer, session: gofer.Session
) -> None:
    """AAAA has the half of the time that A leaves."""
    names.held = {"A"}
    names.zone["a.test", "AAAA"] = ["::1"]
    with (
        gofer.Session(
            resolve=f"{names.url}/dns-query", verify=session.verify, timeout=0.6
        ) as patient,
        pytest.raises(gofer.exceptions.ConnectionRefused, match="::1"),
    ):
        patient.get(f"http://a.test:{refused_port()}/")
    with (
        gofer.Session(
            resolve=f"{names.url}/dns-query", verify=session.verify, timeout=0.3
        ) as patient,
        pytest.raises(ConnectTimeout, match="b.test"),
    ):
        patient.get(f"http://b.test:{refused_port()}/")


def test_who_has_more_time_asks_again(web: Web, names: NameServer, session: Any) -> None:
    """A call that gives up takes nobody's answer with it."""
    names.held = {"A"}
    with pytest.raises(ConnectTimeout):
        session.get(f"http://a.test:{web.port}/get", timeout=0.2)
    names.gates["A"].set()
    assert session.get(f"http://a.test:{web.port}/get").ok


def test_its_certificate_counts(names: NameServer, web: Web) -> None:
    with gofer.Session(resolve=f"{names.url}/dns-query") as session:
        with pytest.raises(NameResolutionError, match="certificate"):
            session.get(f"http://a.test:{web.port}/get")


def test_what_is_asked_of_tls_counts_for_it_too(
    names: NameServer, web: Web, certificates: Certificates
) -> None:
    """Also where somebody who asked for less was answered before."""
    context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with NameServer(tls=context) as old:
        old.zone = names.zone
        with gofer.Session(resolve=f"{old.url}/dns-query", verify=certificates.ca_file) as session:
            for _ in range(2):
                url = f"http://a.test:{web.port}/get"
                assert session.get(url, config={**ALONE, "http2": False}).ok
                with pytest.raises(NameResolutionError, match="version"):
                    session.get(url, config={**ALONE, "tls_minimum": "1.3"})


def test_who_checks_is_not_answered_unchecked(names: NameServer, web: Web) -> None:
    """A call that checks nothing does not decide for the next."""
    with gofer.Session(resolve=f"{names.url}/dns-query", config=ALONE) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert session.get(f"http://a.test:{web.port}/get", verify=False).ok
        with pytest.raises(NameResolutionError, match="certificate"):
            session.get(f"http://a.test:{web.port}/get")


def test_each_call_asks_its_own_way(web: Web, names: NameServer, session: gofer.Session) -> None:
    """A proxy where nobody is fails the calls that name it, and no other, before it or after."""
    dead = {"https": f"http://127.0.0.1:{refused_port()}"}  # for the question alone
    names.zone["b.test", "A"] = ["127.0.0.1"]
    session.config["keep_alive"] = False
    with pytest.raises(NameResolutionError, match="reaching the proxy"):
        session.get(f"http://a.test:{web.port}/get", proxies=dead)
    assert session.get(f"http://a.test:{web.port}/get").ok
    session.proxies = dead
    for name in ("a", "b"):  # what is known came another way
        with pytest.raises(NameResolutionError, match="reaching the proxy"):
            session.get(f"http://{name}.test:{web.port}/get")
    session.proxies.clear()
    assert session.get(f"http://b.test:{web.port}/get").ok


def test_questions_take_the_proxy(
    web: Web, names: NameServer, session: gofer.Session, proxy: Proxy
) -> None:
    """Of the call that needs a name, though others needed none: nothing goes past it."""
    assert session.get(f"http://a.test:{web.port}/get").ok
    names.zone["b.test", "A"] = ["127.0.0.1"]
    tunnel = {"https": f"http://127.0.0.1:{proxy.port}"}
    assert session.get(f"http://b.test:{web.port}/get", proxies=tunnel).ok
    assert [f"127.0.0.1:{names.port}"] == [asked.target for asked in proxy.asked]


@pytest.mark.parametrize("url", ["http://127.0.0.1/dns-query", "ftp://a", "https://", "x"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="resolve: got"):
        gofer.Session(resolve=url)


# HTTPS records ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lasting3(certificates: Certificates, tmp_path_factory: Any) -> Iterator[Web3]:
    chain, key = certificates.pem_files(tmp_path_factory.mktemp("quic"))
    with Web3(tls=certificates.good_http2, chain=chain, key=key) as web:
        yield web
        web.raise_errors()


@pytest.fixture
def web3(lasting3: Web3, names: NameServer) -> Web3:
    """Speaks HTTP/3 and says nothing of it; its name is example.com."""
    lasting3.reset_counts()
    names.zone = {("example.com", "A"): ["127.0.0.1"]}
    return lasting3


def test_a_record_says_that_http3_is_spoken(
    names: NameServer, web3: Web3, session: gofer.Session
) -> None:
    """The first request goes by it."""
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = ["1 example.com. alpn=h3,h2"]
    for _ in range(2):
        assert session.get(f"https://example.com:{web3.port}/get").version == "HTTP/3"
    assert names.asked[2:] == [(f"_{web3.port}._https.example.com", "HTTPS")]


def test_it_may_be_elsewhere(names: NameServer, web3: Web3, session: gofer.Session) -> None:
    """Another host, another port; the certificate is still the origin's."""
    names.zone["_8443._https.example.com", "HTTPS"] = [
        f"2 . alpn=h3 port={refused_port()}",
        f"1 other.test. alpn=h3 port={web3.port}",
    ]
    names.zone["other.test", "A"] = ["127.0.0.1"]
    assert session.get("https://example.com:8443/get").version == "HTTP/3"


def test_an_alias_is_followed(names: NameServer, web3: Web3, session: gofer.Session) -> None:
    """To the HTTPS records of another name, which says where it is itself."""
    names.zone["_8443._https.example.com", "HTTPS"] = ["0 one.test.", "1 . alpn=h3 port=1"]
    names.zone["one.test", "HTTPS"] = ["0 two.test."]
    names.zone["two.test", "HTTPS"] = [f"1 . alpn=h3 port={web3.port}"]
    names.zone["two.test", "A"] = ["127.0.0.1"]
    assert session.get("https://example.com:8443/get").version == "HTTP/3"


def test_aliases_in_a_circle_lead_nowhere(
    names: NameServer, web3: Web3, session: gofer.Session
) -> None:
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = ["0 one.test."]
    names.zone["one.test", "HTTPS"] = ["0 two.test."]
    names.zone["two.test", "HTTPS"] = ["0 one.test."]
    assert session.get(f"https://example.com:{web3.port}/get").version == "HTTP/2"


def test_a_record_counts_as_long_as_it_says(
    names: NameServer, web3: Web3, session: gofer.Session
) -> None:
    """Less what it has spent in a cache of HTTP (RFC 8484, 5.1)."""
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = ["1 example.com. alpn=h3"]
    names.seconds, names.age = 3600, 3000
    assert session.get(f"https://example.com:{web3.port}/get").version == "HTTP/3"
    [[(_, end)]] = session.alternatives.places.values()
    assert end - time.time() <= 600


def test_who_checks_nothing_learns_nothing(
    names: NameServer, web3: Web3, session: gofer.Session
) -> None:
    """Where HTTP/3 is spoken would be remembered for calls that do check."""
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = ["1 example.com. alpn=h3"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = session.get(f"https://example.com:{web3.port}/get", verify=False)
    assert answer.version == "HTTP/2"
    assert len(session.alternatives) == 0


@pytest.mark.parametrize(
    "records", [[], ["1 . alpn=h2"], ["0 elsewhere.test."], ["1 . port=1"], ["!SERVFAIL"]], ids=str
)
def test_records_that_do_not_say_so(
    names: NameServer, web3: Web3, session: gofer.Session, records: list[str]
) -> None:
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = records
    assert session.get(f"https://example.com:{web3.port}/get").version == "HTTP/2"


def test_a_name_without_records_is_not_asked_for_them_again(
    names: NameServer, web3: Web3, session: gofer.Session
) -> None:
    session.config["http2"] = False  # a connection for each
    for _ in range(2):
        with session.get(f"https://example.com:{web3.port}/get", stream=True):
            assert session.get(f"https://example.com:{web3.port}/get").version == "HTTP/1.1"
    assert [kind for _, kind in names.asked] == ["A", "AAAA", "HTTPS"]


def test_a_place_where_nobody_is(names: NameServer, web3: Web3, session: gofer.Session) -> None:
    """Costs one attempt, and TCP has the request."""
    record = f"1 example.com. alpn=h3 port={refused_port()}"
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = [record]
    session.config["keep_alive"] = True
    for _ in range(2):
        assert session.get(f"https://example.com:{web3.port}/get").version == "HTTP/2"


def test_http3_may_be_off(names: NameServer, web3: Web3, session: gofer.Session) -> None:
    names.zone[f"_{web3.port}._https.example.com", "HTTPS"] = ["1 . alpn=h3"]
    answer = session.get(f"https://example.com:{web3.port}/get", config={"http3": False})
    assert answer.version == "HTTP/2"
    assert [kind for _, kind in names.asked] == ["A", "AAAA"]
