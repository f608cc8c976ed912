"""HTTP/3: when it is spoken, and what is its own about it.

That everything else is as over HTTP/1.1 is shown by the behaviour suite itself (`make test-http3`).
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.exceptions import (
    CertificateError,
    ConnectionRefused,
    ConnectTimeout,
    LocalProtocolError,
    ReadTimeout,
    SSLError,
)
from servers.certificates import Certificates
from servers.raw import refused_port
from servers.web import Web
from servers.web2 import Web2
from servers.web3 import Web3
from worlds import world

__all__ = ["world"]

pytest.importorskip("qh3", reason="HTTP/3 needs qh3: pip install gofer[http3]")

PLAIN_PYTHON = pytest.mark.only_in("blocking")
KNOWN = {"http3": "prior knowledge"}


@pytest.fixture(scope="module")
def files(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Any:
    chain, key = certificates.pem_files(tmp_path_factory.mktemp("quic"))
    return {"tls": certificates.good_http2, "chain": chain, "key": key}


@pytest.fixture(scope="module")
def lasting(files: Any) -> Iterator[Web3]:
    with Web3(**files, advertises=True) as web:
        yield web
        web.raise_errors()


class Boasting(Web2):
    """Says of itself in Alt-Svc what is not true."""

    boast = 'h3=":1"'

    def answer(self, request: Any) -> Any:
        reply = super().answer(request)
        reply.fields.append(("Alt-Svc", self.boast))
        return reply


@pytest.fixture
def web3(lasting: Web3) -> Web3:
    """Speaks HTTP/3, and says so."""
    lasting.reset_counts()
    lasting.by_http3 = 0
    lasting.alt_svc = f'h3=":{lasting.port}"; ma=600'
    lasting.is_slow = lasting.is_lossy = False
    return lasting


@pytest.fixture
def trusting(certificates: Certificates, web3: Web3, world: Any) -> Iterator[gofer.Session]:
    """Trusts the server, and finds out by itself what it speaks."""
    with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
        yield session


@pytest.fixture
def knowing(certificates: Certificates, web3: Web3, world: Any) -> Iterator[gofer.Session]:
    """Speaks nothing but HTTP/3."""
    with gofer.Session(verify=certificates.ca_file, config=KNOWN, timeout=20) as session:
        yield session


@pytest.fixture
def silence(files: Any) -> Iterator["Boasting"]:
    """An https server that speaks of HTTP/3 where datagrams vanish."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        with Boasting(tls=files["tls"]) as web:
            web.boast = f'h3=":{hole.getsockname()[1]}"'
            yield web


# When it is spoken --------------------------------------------------------------------------------


def test_a_server_says_that_it_speaks_it(trusting: gofer.Session, web3: Web3) -> None:
    """From the second request on it is spoken, on one connection."""
    versions = [trusting.get(web3.url + "/get").version for _ in range(4)]

    assert ["HTTP/2", "HTTP/3", "HTTP/3", "HTTP/3"] == versions
    assert 1 == web3.by_http3
    assert ["2", "3", "3", "3"] == [request.http_version for request in web3.requests]
    assert [(web3.url, "127.0.0.1", web3.port)] == list(trusting.alternatives)


def test_it_can_be_asked_for(knowing: gofer.Session, web3: Web3) -> None:
    """By whoever knows that the server speaks it."""
    response = knowing.get(web3.url + "/get")

    assert ("HTTP/3", 30) == (response.version, response.raw.version)
    assert (1, 1) == (web3.accepted, web3.by_http3)


def test_without_keep_alive_every_request_has_its_own_connection(
    knowing: gofer.Session, web3: Web3
) -> None:
    """Where nothing but HTTP/3 will do; else it goes by TCP."""
    off = {"keep_alive": False}
    held = knowing.get(web3.url + "/bytes/2000000", stream=True, config=off)
    assert ["HTTP/3"] * 2 == [knowing.get(web3.url, config=off).version for _ in range(2)]
    assert 2_000_000 == len(held.content)
    web3.wait_for(lambda: web3.open == 0)
    assert (0, 0, 0) == knowing.network.pool.counts
    assert 3 == web3.by_http3
    assert "HTTP/1.1" == knowing.get(web3.url, config={**off, "http3": True}).version


@PLAIN_PYTHON
def test_it_can_be_switched_off(trusting: gofer.Session, web3: Web3) -> None:
    """For a session or a call."""
    off = {"http3": False}
    assert ["HTTP/2"] * 3 == [trusting.get(web3.url, config=off).version for _ in range(3)]
    assert "HTTP/2" == trusting.get(web3.url).version
    assert "HTTP/3" == trusting.get(web3.url).version
    assert "HTTP/2" == trusting.get(web3.url, config=off).version


@PLAIN_PYTHON
def test_without_the_extra_nothing_is_different(
    trusting: gofer.Session, web3: Web3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is asked for: then the error names the extra."""
    monkeypatch.setitem(gofer.config._installed, "qh3", False)

    assert ["HTTP/2"] * 2 == [trusting.get(web3.url).version for _ in range(2)]
    for asked in (True, "prior knowledge"):
        with pytest.raises(ImportError, match=r"pip install gofer\[http3\]"):
            gofer.Session(config={"http3": asked})


@PLAIN_PYTHON
def test_an_origin_may_take_it_back(trusting: gofer.Session, web3: Web3) -> None:
    """`clear`, also over HTTP/3 itself."""
    for _ in range(2):
        trusting.get(web3.url)
    web3.alt_svc = "clear"
    assert "HTTP/3" == trusting.get(web3.url).version
    assert "HTTP/2" == trusting.get(web3.url).version


@PLAIN_PYTHON
def test_an_origin_may_say_so_later(trusting: gofer.Session, web3: Web3) -> None:
    """Not only in the first answer on a connection: after a change, and when all was forgotten."""
    web3.alt_svc = None
    assert "HTTP/2" == trusting.get(web3.url).version
    web3.alt_svc = f'h3=":{web3.port}"; ma=600'
    assert ["HTTP/2", "HTTP/3"] == [trusting.get(web3.url).version for _ in range(2)]
    trusting.alternatives.clear()
    assert ["HTTP/2", "HTTP/3"] == [trusting.get(web3.url).version for _ in range(2)]
    assert (2, 1) == (web3.accepted, web3.by_http3)


@PLAIN_PYTHON
def test_an_origin_may_say_it_again_when_its_time_is_over(
    trusting: gofer.Session, web3: Web3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the connection on which it has said so before."""
    real = time.time
    trusting.get(web3.url)
    monkeypatch.setattr("gofer.network.alternatives.time.time", lambda: real() + 700.0)
    assert ["HTTP/2", "HTTP/3"] == [trusting.get(web3.url).version for _ in range(2)]


@PLAIN_PYTHON
def test_http_1_1_says_so_too(certificates: Certificates, web3: Web3) -> None:
    """In every answer, and in whatever case."""
    web3.alt_svc = None
    with gofer.Session(verify=certificates.ca_file, config={"http2": False}) as session:
        assert "HTTP/1.1" == session.get(web3.url).version
        web3.alt_svc = f'h3=":{web3.port}"; ma=600'
        assert ["HTTP/1.1", "HTTP/3"] == [session.get(web3.url).version for _ in range(2)]


@PLAIN_PYTHON
def test_a_place_that_does_not_work_may_be_taken_back(
    certificates: Certificates, silence: Boasting
) -> None:
    """While it is left alone."""
    with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
        for _ in range(2):
            session.get(silence.url)
        assert 1 == len(session.alternatives)
        silence.boast = "clear"
        session.get(silence.url)
        assert 0 == len(session.alternatives)


@PLAIN_PYTHON
def test_only_an_authenticated_origin_is_believed(web3: Web3) -> None:
    """Not whoever answers where nobody looks at the certificate."""
    with gofer.Session(verify=False) as session:
        with pytest.warns(gofer.exceptions.InsecureRequestWarning):
            session.get(web3.url)
        assert "HTTP/2" == session.get(web3.url).version
        assert 0 == len(session.alternatives)


@PLAIN_PYTHON
def test_a_server_without_tls_is_not_believed() -> None:
    """It could be anybody."""
    with Boasting() as web, gofer.Session() as session:
        assert "alt-svc" in session.get(web.url).headers
        assert 0 == len(session.alternatives)


def test_what_is_known_can_be_kept(
    certificates: Certificates, web3: Web3, tmp_path: Path, world: Any
) -> None:
    """Another session speaks it from the first request on."""
    with gofer.Session(verify=certificates.ca_file) as session:
        session.get(web3.url)
        session.alternatives.save(tmp_path / "alt-svc")
    with gofer.Session(verify=certificates.ca_file) as session:
        session.alternatives.load(tmp_path / "alt-svc")
        assert "HTTP/3" == session.get(web3.url).version


def test_another_host_may_speak_for_the_origin(
    certificates: Certificates, web3: Web3, world: Any
) -> None:
    """It shows the origin's certificate, gets the origin's Host, and is told that it is meant."""
    here = f"127.0.0.1:{web3.port}"
    with gofer.Session(
        verify=certificates.ca_file, resolve={"example.com:443": here, "cdn.test:8443": here}
    ) as session:
        session.alternatives.heed(("https", "example.com", 443), ['h3="cdn.test:8443"'])
        response = session.get("https://example.com/get")

    assert "HTTP/3" == response.version
    (request,) = web3.requests
    assert ("example.com", "cdn.test:8443") == (request.field("host"), request.field("alt-used"))


def test_a_misdirected_request_goes_where_it_belongs(
    certificates: Certificates, web3: Web3, world: Any
) -> None:
    """After 421 the alternative is left alone, and what has no content is sent again."""
    with gofer.Session(verify=certificates.ca_file) as session:
        session.alternatives.heed(("https", "127.0.0.1", web3.port), [f'h3=":{web3.port}"'])
        response = session.get(web3.url + "/status/421")

        assert (421, "HTTP/2") == (response.status_code, response.version)
        assert ["3", "2"] == [request.http_version for request in web3.requests]
        assert 0 == len(session.alternatives)
        assert ["HTTP/2"] * 2 == [session.get(web3.url).version for _ in range(2)]


# Where there is no way ----------------------------------------------------------------------------


def test_where_datagrams_vanish_tcp_is_there(
    certificates: Certificates, silence: Boasting, world: Any
) -> None:
    """The place is left alone then, so that the wait comes once."""
    with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
        assert ["HTTP/2"] * 3 == [session.get(silence.url).version for _ in range(3)]
        assert session.alternatives.find(("https", "127.0.0.1", silence.port)) is None
    assert 1 == silence.accepted


@PLAIN_PYTHON
def test_of_many_at_once_one_finds_out_that_datagrams_vanish(
    certificates: Certificates, silence: Web
) -> None:
    """The others wait for it, not each in turn; and it is one failure."""

    async def main() -> None:
        async with gofer.AsyncSession(verify=certificates.ca_file, timeout=20) as session:
            assert "HTTP/2" == (await session.get(silence.url)).version
            answers = await asyncio.gather(*[session.get(silence.url) for _ in range(8)])
            assert {"HTTP/2"} == {answer.version for answer in answers}
            assert {1} == {failures for _, failures in session.alternatives._broken.values()}

    asyncio.run(main())


def test_of_many_places_where_datagrams_vanish_one_is_tried(
    certificates: Certificates, silence: Boasting, world: Any
) -> None:
    """It is UDP that does not get through, more likely than not."""
    with contextlib.ExitStack() as stack:
        holes = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)
        ]
        for hole in holes:
            hole.bind(("127.0.0.1", 0))
            hole.setblocking(False)
        silence.boast = ", ".join(f'h3=":{hole.getsockname()[1]}"' for hole in holes)
        with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
            assert ["HTTP/2"] * 5 == [session.get(silence.url).version for _ in range(5)]
        assert holes[0].recv(65536)
        for hole in holes[1:]:
            with pytest.raises(BlockingIOError):
                hole.recv(65536)


def test_a_late_word_that_is_none_takes_nothing_from_the_deadline(
    certificates: Certificates, files: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can send a datagram could hold up every call otherwise: here for an hour."""
    monkeypatch.setattr("gofer.network.quic.LATE", 3600.0)

    class Mean(Web2):
        def answer(self, request: Any) -> Any:
            hole.sendto(b"garbage", hole.recvfrom(65536)[1])
            return super().answer(request)

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole,
        Mean(tls=files["tls"]) as web,
        gofer.Session(verify=certificates.ca_file) as session,
    ):
        hole.bind(("127.0.0.1", 0))
        place = f'h3=":{hole.getsockname()[1]}"'
        session.alternatives.heed(("https", "127.0.0.1", web.port), [place])
        assert "HTTP/2" == session.get(web.url, deadline=3.0).version
        assert (1, 0, 0) == session.network.pool.counts
        assert session.alternatives._broken


@pytest.mark.parametrize("word", [b"x", b"", os.urandom(1200)], ids=["byte", "nothing", "noise"])
def test_words_that_are_no_answer_are_silence(
    certificates: Certificates, files: Any, world: Any, word: bytes
) -> None:
    """Whoever can send a datagram could keep every call from TCP otherwise."""
    with (
        noise(word) as port,
        Boasting(tls=files["tls"]) as web,
        gofer.Session(verify=certificates.ca_file) as session,
    ):
        web.boast = f'h3=":{port}"'
        assert ["HTTP/2"] * 3 == [session.get(web.url, deadline=3.0).version for _ in range(3)]
        assert session.alternatives._broken


@contextlib.contextmanager
def noise(word: bytes) -> Iterator[int]:
    """The port of somebody who answers each datagram with `word`."""

    def answer() -> None:
        while (said := socket_.recvfrom(65536))[0] != b"the end":
            socket_.sendto(word, said[1])

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as socket_:
        socket_.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield socket_.getsockname()[1]
        finally:
            socket_.sendto(b"the end", socket_.getsockname())
            thread.join()


def test_a_handshake_that_stops_half_way_leaves_time_for_tcp(
    trusting: gofer.Session, web3: Web3
) -> None:
    """Only the first datagram of the server gets through, as where large ones are lost."""
    trusting.get(web3.url)
    web3.is_lossy, web3.prompt = True, 1
    versions = [trusting.get(web3.url, deadline=3.0).version for _ in range(2)]

    assert ["HTTP/2"] * 2 == versions
    assert 0 == web3.prompt
    assert trusting.alternatives._broken


@PLAIN_PYTHON
def test_who_waits_for_anothers_handshake_has_time_for_tcp(
    certificates: Certificates, silence: Boasting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the other has."""
    for name in ("PATIENCE", "MOST"):
        monkeypatch.setattr(f"gofer.network.quic.{name}", 3600.0)

    async def main() -> None:
        async with gofer.AsyncSession(verify=certificates.ca_file, timeout=3600.0) as session:
            await session.get(silence.url)
            slow = asyncio.ensure_future(session.get(silence.url))
            await asyncio.sleep(0)
            assert "HTTP/2" == (await session.get(silence.url, deadline=3.0)).version
            assert not session.alternatives._broken
            slow.cancel()
            await asyncio.wait([slow])

    asyncio.run(main())


@pytest.mark.parametrize("prompt", [0, 1])
def test_who_answers_late_is_asked_the_next_time(
    trusting: gofer.Session, web3: Web3, prompt: int
) -> None:
    """Slow is not broken: the connection that was given up for TCP is used as soon as it is there."""
    trusting.get(web3.url)
    web3.is_slow, web3.prompt = True, prompt
    assert "HTTP/2" == trusting.get(web3.url).version
    assert not web3.is_slow
    assert "HTTP/3" == trusting.get(web3.url).version
    assert (2, 1) == (web3.accepted, web3.by_http3)
    assert not trusting.alternatives._broken


def test_where_nobody_listens_tcp_is_there(
    certificates: Certificates, web3: Web3, world: Any
) -> None:
    """The system says so at once."""
    web3.alt_svc = None
    with gofer.Session(verify=certificates.ca_file, timeout=20) as session:
        session.alternatives.heed(("https", "127.0.0.1", web3.port), [f'h3=":{refused_port()}"'])
        assert "HTTP/2" == session.get(web3.url).version


def test_a_place_with_another_certificate_is_none(
    certificates: Certificates, web3: Web3, world: Any
) -> None:
    """It may not speak for the origin; the origin itself may."""
    here = f"127.0.0.1:{web3.port}"
    web3.alt_svc = None
    with gofer.Session(
        verify=certificates.ca_file, resolve={"sub.example.com:443": here, "cdn.test:443": here}
    ) as session:
        session.alternatives.heed(("https", "sub.example.com", 443), ['h3="cdn.test:443"'])
        assert "HTTP/2" == session.get("https://sub.example.com/get").version
    assert ["2"] == [request.http_version for request in web3.requests]


@PLAIN_PYTHON
def test_an_origin_cannot_speak_ill_of_anothers_place(
    certificates: Certificates, web3: Web3
) -> None:
    """What shows no certificate of its own for it is broken for itself only."""
    here = f"127.0.0.1:{web3.port}"
    web3.alt_svc = None
    with gofer.Session(
        verify=certificates.ca_file, resolve={"sub.example.com:443": here}
    ) as session:
        for host, port in (("sub.example.com", 443), ("127.0.0.1", web3.port)):
            session.alternatives.heed(("https", host, port), [f'h3="{here}"'])
        versions = [session.get(url).version for url in ("https://sub.example.com/", web3.url)]
        assert ["HTTP/2", "HTTP/3"] == versions


def test_nothing_but_http_3_and_nobody_there(certificates: Certificates, world: Any) -> None:
    """Refused if the system says so, a timeout if nobody says anything."""
    with gofer.Session(verify=certificates.ca_file, config=KNOWN) as session:
        with pytest.raises(ConnectionRefused, match="by QUIC"):
            session.get(f"https://127.0.0.1:{refused_port()}/")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
            hole.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectTimeout, match="by QUIC"):
                session.get(f"https://127.0.0.1:{hole.getsockname()[1]}/", timeout=0.3)


@PLAIN_PYTHON
@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("http://127.0.0.1:1/", {}, "https only"),
        ("https://127.0.0.1:1/", {"proxies": {"all": "http://127.0.0.1:1"}}, "proxy"),
        ("https://127.0.0.1:1/", {"verify": "context"}, "SSLContext"),
    ],
)
def test_what_leaves_no_way_is_said(
    certificates: Certificates, url: str, options: dict[str, Any], words: str
) -> None:
    """At once, and nothing is connected to."""
    if options.get("verify") == "context":
        options = {"verify": certificates.client()}
    with gofer.Session(config=KNOWN) as session:
        with pytest.raises(LocalProtocolError, match=words):
            session.get(url, **options)


@PLAIN_PYTHON
def test_what_leaves_no_way_goes_by_tcp(certificates: Certificates, web3: Web3, proxy: Any) -> None:
    """Where HTTP/3 is not insisted on."""
    with gofer.Session(verify=certificates.client()) as session:
        assert ["HTTP/1.1"] * 2 == [session.get(web3.url).version for _ in range(2)]
    with gofer.Session(verify=certificates.ca_file, proxies={"all": proxy.url}) as session:
        assert ["HTTP/2"] * 2 == [session.get(web3.url).version for _ in range(2)]


# Whom it trusts -----------------------------------------------------------------------------------


def test_certificates_count_as_over_tcp(certificates: Certificates, web3: Web3, world: Any) -> None:
    """Authority and name."""
    with gofer.Session(config=KNOWN, verify=certificates.other_ca_file) as session:
        with pytest.raises(CertificateError, match="issuer"):
            session.get(web3.url)
    with gofer.Session(
        config=KNOWN, verify=certificates.ca_file, resolve={"x.test": "127.0.0.1"}
    ) as session:
        with pytest.raises(CertificateError):
            session.get(f"https://x.test:{web3.port}/")
    assert [] == web3.requests


@PLAIN_PYTHON
def test_bad_certificates_are_refused(
    certificates: Certificates, files: Any, tmp_path: Path
) -> None:
    """Those of the TLS tests that QUIC can be shown: expired, not yet valid, for somebody else."""
    import datetime

    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    for number, leaf in enumerate(
        (
            certificates.authority.issue_cert("127.0.0.1", not_before=now - 9 * day, not_after=now - day),
            certificates.authority.issue_cert("127.0.0.1", not_before=now + day, not_after=now + 9 * day),
            certificates.authority.issue_cert("elsewhere.test"),
            certificates.other_authority.issue_cert("127.0.0.1"),
        )
    ):  # fmt: skip
        chain, key = tmp_path / f"{number}.pem", tmp_path / f"{number}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        with Web3(tls=files["tls"], chain=chain, key=key) as web:
            with gofer.Session(config=KNOWN, verify=certificates.ca_file) as session:
                with pytest.raises(CertificateError):
                    session.get(web.url)
            with gofer.Session(config=KNOWN, verify=False) as session:
                with pytest.warns(gofer.exceptions.InsecureRequestWarning):
                    assert 200 == session.get(web.url).status_code


@PLAIN_PYTHON
def test_a_client_certificate_that_is_none(
    certificates: Certificates, web3: Web3, tmp_path: Path
) -> None:
    """Not there, or something else, or locked."""
    (tmp_path / "none").write_text("nothing")
    with gofer.Session(config=KNOWN, verify=certificates.ca_file) as session:
        with pytest.raises(OSError, match="certificate file"):
            session.get(web3.url, cert=str(tmp_path / "missing"))
        with pytest.raises(SSLError, match="no certificate"):
            session.get(web3.url, cert=str(tmp_path / "none"))
        with pytest.raises(SSLError, match="locked"):
            session.get(web3.url, cert=certificates.client_cert_encrypted)
    assert 0 == web3.by_http3


def test_pins_count(certificates: Certificates, web3: Web3, world: Any) -> None:
    """As over TCP."""
    with gofer.Session(config=KNOWN, verify=certificates.ca_file, pins="00" * 32) as session:
        with pytest.raises(CertificateError, match="pin"):
            session.get(web3.url)


def test_what_was_agreed_on(knowing: gofer.Session, web3: Web3) -> None:
    """`response.tls`, also when the connection is closed."""
    tls = knowing.get(web3.url).tls
    knowing.close()

    assert ("TLSv1.3", "h3") == (tls.version, tls.alpn)
    assert tls.cipher.startswith("TLS_")
    assert tls.chain[0] == tls.certificate
    assert tls.certificate.startswith(b"0\x82")
    assert ({}, None) == (tls.subject, tls.group)


@PLAIN_PYTHON
def test_keys_can_be_logged(
    knowing: gofer.Session, web3: Web3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSLKEYLOGFILE, for Wireshark."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    knowing.get(web3.url)
    assert "CLIENT_TRAFFIC_SECRET_0 " in (tmp_path / "keys").read_text()


# Exchanges on one connection ----------------------------------------------------------------------


@PLAIN_PYTHON
def test_threads_share_a_connection(knowing: gofer.Session, web3: Web3) -> None:
    """Forty of them, without a wrong answer."""
    wrong: list[Any] = []

    def work(name: int) -> None:
        for number in range(10):
            got = knowing.get(f"{web3.url}/get", params={"n": f"{name}-{number}"}).json()["args"]
            if got != {"n": f"{name}-{number}"}:
                wrong.append(got)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ([], 400) == (wrong, len(web3.requests))
    assert 1 == web3.by_http3


@PLAIN_PYTHON
def test_tasks_share_a_connection(certificates: Certificates, web3: Web3) -> None:
    """And cancelling one leaves the others in peace."""

    async def main() -> list[Any]:
        async with gofer.AsyncSession(verify=certificates.ca_file, config=KNOWN) as session:
            tasks = [asyncio.ensure_future(session.get(f"{web3.url}/drip/{n}")) for n in range(30)]
            stuck = asyncio.ensure_future(session.get(web3.url + "/gate/never"))
            await asyncio.to_thread(web3.wait_for, lambda: web3.gates["never"].waiting)
            stuck.cancel()
            done = await asyncio.gather(*tasks)
            assert (0, 0) == session.network.pool.counts[1:]
            return [len(response.content) for response in done]

    assert list(range(30)) == asyncio.run(main())
    assert 1 == web3.by_http3


def test_a_timeout_ends_its_own_exchange_only(knowing: gofer.Session, web3: Web3) -> None:
    """The connection goes on."""
    with pytest.raises(ReadTimeout):
        knowing.get(web3.url + "/gate/never", timeout=0.2)
    assert 200 == knowing.get(web3.url).status_code
    assert 1 == web3.by_http3


def test_more_requests_than_quic_allows_at_first(knowing: gofer.Session, web3: Web3) -> None:
    """A connection's streams are counted over its whole life: the server allows more as they end."""
    assert {200} == {knowing.get(web3.url).status_code for _ in range(250)}
    assert 1 == web3.by_http3


@PLAIN_PYTHON
def test_many_at_once_take_another_connection(certificates: Certificates, web3: Web3) -> None:
    """The server allows 100 at first."""
    with gofer.Session(verify=certificates.ca_file, config=KNOWN) as session:
        responses = gofer.map([web3.url + "/get"] * 300, size=300, session=session)

    assert {200} == {response.status_code for response in responses}
    assert web3.by_http3 <= 6


@PLAIN_PYTHON
def test_long_fields(knowing: gofer.Session, web3: Web3) -> None:
    """A target and a cookie longer than what the encoder of QPACK takes."""
    fields = knowing.get(
        web3.url + "/get?q=" + "y" * 6000, headers={"Cookie": "a=" + "z" * 60_000}
    ).json()
    assert "y" * 6000 == fields["args"]["q"]
    assert 60_002 == len(fields["headers"]["Cookie"])


def test_a_large_upload_and_a_large_download(knowing: gofer.Session, web3: Web3) -> None:
    """Both ways through flow and congestion control."""
    assert 8_000_000 == len(knowing.get(web3.url + "/bytes/8000000").content)
    answer = knowing.post(web3.url + "/upload-count", data=iter([b"x" * 1_000_000] * 5))
    assert 5_000_000 == answer.json()["bytes"]


def test_a_connection_that_the_server_has_ended(knowing: gofer.Session, web3: Web3) -> None:
    """Whoever finds it so has another."""
    knowing.get(web3.url)
    web3.hang_up()
    web3.wait_for(lambda: web3.open == 0)
    assert 200 == knowing.post(web3.url + "/post", data=b"x").status_code
    assert 2 == web3.by_http3


@PLAIN_PYTHON
def test_a_peer_that_vanished_is_noticed(
    knowing: gofer.Session, web3: Web3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause it is asked for a sign of life."""
    monkeypatch.setattr("gofer.network.shared.UNTRUSTED_AFTER", 0.0)
    monkeypatch.setattr("gofer.network.shared.SIGN_OF_LIFE", 0.2)
    knowing.get(web3.url)
    for conversation in web3.conversations:
        conversation.is_closed = True  # says nothing more, not even goodbye
        web3.forget(conversation)
    assert 200 == knowing.post(web3.url + "/post", data=b"x").status_code
    assert 2 == web3.by_http3


def test_a_session_says_goodbye(knowing: gofer.Session, web3: Web3) -> None:
    """So that the server need not wait."""
    knowing.get(web3.url)
    knowing.close()
    web3.wait_for(lambda: web3.open == 0)


FORKING = """
import os, sys, gofer

url, verify = sys.argv[1:]
session = gofer.Session(timeout=10, verify=verify, config={"http3": "prior knowledge"})
held = session.get(url + "/bytes/2000000", stream=True)
session.get(url + "/get")
child = os.fork()
if child == 0:
    held.close()
    os._exit(session.get(url + "/get").status_code != 200)
_, status = os.waitpid(child, 0)
assert status == 0, status
session.get(url + "/get")
print(len(held.content))
"""


@PLAIN_PYTHON
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_leaves_the_parents_connection_alone(certificates: Certificates, web3: Web3) -> None:
    """The child says nothing on it, not even goodbye, and has one of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING, web3.url, certificates.ca_file],
        capture_output=True, text=True, timeout=50,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert (0, "2000000\n", "") == (done.returncode, done.stdout, done.stderr)
    assert 2 == web3.by_http3


@PLAIN_PYTHON
def test_a_response_that_nobody_read_or_closed(knowing: gofer.Session, web3: Web3) -> None:
    """Its stream ends when it is dropped, and its place is free."""
    response = knowing.get(web3.url + "/drip/100000", stream=True)
    assert 1 == knowing.network.pool.counts[1]
    del response
    assert (0, 0) == knowing.network.pool.counts[1:]
    assert 200 == knowing.get(web3.url).status_code
    assert 1 == web3.by_http3
