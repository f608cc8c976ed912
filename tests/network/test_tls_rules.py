"""What is asked of TLS beside trust: versions, ciphers, revoked certificates; and client
certificates that no file holds."""

import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.exceptions import CertificateError, ConnectionLost, LocalProtocolError, SSLError
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import always, response, serve
from servers.web2 import Web2
from worlds import world

__all__ = ["world"]

pytestmark = pytest.mark.usefixtures("world")

ANSWER = always(response(b"hello"))


def only_tls_1_2(certificates: Certificates) -> ssl.SSLContext:
    context = certificates.server(certificates.authority.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def test_the_oldest_version(certificates: Certificates) -> None:
    with serve(ANSWER, tls=only_tls_1_2(certificates)) as server:
        with gofer.Session(verify=certificates.ca_file) as session:
            assert session.get(server.url).tls.version == "TLSv1.2"
            with pytest.raises(SSLError, match="version"):
                session.get(server.url, config={"tls_minimum": "1.3"})
            session.config["tls_minimum"] = "1.3"
            with pytest.raises(SSLError, match="version"):
                session.get(server.url)


def test_ciphers(certificates: Certificates) -> None:
    with serve(ANSWER, tls=only_tls_1_2(certificates)) as server:
        with gofer.Session(verify=certificates.ca_file) as session:
            for name in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
                answer = session.get(server.url, config={"tls_ciphers": name})
                assert answer.tls.cipher == name
        assert server.accepted == 2  # what one may speak, the other may not
        with pytest.raises(SSLError, match=r"tls_ciphers 'nonsense': no such cipher"):
            gofer.get(server.url, config={"tls_ciphers": "nonsense"})


def test_revoked_certificates(certificates: Certificates) -> None:
    config = {"crl_file": certificates.crl_file}
    with serve(ANSWER, tls=certificates.revoked) as server:
        with gofer.Session(verify=certificates.ca_file) as session:
            assert session.get(server.url).ok
            with pytest.raises(CertificateError, match="revoked"):
                session.get(server.url, config=config)
    with serve(ANSWER, tls=certificates.good) as server:
        assert gofer.get(server.url, verify=certificates.ca_file, config=config).ok


def test_a_list_that_says_nothing_of_the_authority(certificates: Certificates) -> None:
    """Nobody knows then, and that is not good enough."""
    certificates.other_authority.issue_cert("127.0.0.1")
    context = certificates.server(certificates.other_authority.issue_cert("127.0.0.1"))
    with serve(ANSWER, tls=context) as server:
        with pytest.raises(CertificateError, match="CRL"):
            gofer.get(
                server.url,
                verify=certificates.other_ca_file,
                config={"crl_file": certificates.crl_file},
            )


def test_a_proxy_is_held_to_them_too(certificates: Certificates) -> None:
    with Proxy(tls=certificates.revoked) as proxy, serve(ANSWER) as server:
        with pytest.raises(gofer.exceptions.ProxyError, match="revoked"):
            gofer.get(
                server.url,
                proxies={"all": proxy.url},
                verify=certificates.ca_file,
                config={"crl_file": certificates.crl_file},
            )


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_they_count_whatever_is_spoken(certificates: Certificates, version: str) -> None:
    context = only_tls_1_2(certificates)
    context.set_alpn_protocols(["h2", "http/1.1"])
    name = "ECDHE-ECDSA-AES256-GCM-SHA384"
    config = {"http2": version == "HTTP/2", "tls_ciphers": name}
    with Web2(tls=context) as server:
        with gofer.Session(verify=certificates.ca_file, config=config) as session:
            answer = session.get(server.url + "/get")
            assert (version, name) == (answer.version, answer.tls.cipher)
            with pytest.raises(SSLError, match="version"):
                session.get(server.url, config={"tls_minimum": "1.3"})
    with Web2(tls=certificates.revoked) as server:
        with gofer.Session(verify=certificates.ca_file, config=config) as session:
            with pytest.raises(CertificateError, match="revoked"):
                session.get(server.url, config={"crl_file": certificates.crl_file})


@pytest.mark.parametrize("is_tls", [False, True])
def test_through_a_tunnel_it_is_the_origin_that_counts(
    certificates: Certificates, is_tls: bool
) -> None:
    """It is shown the client certificate and held to the pins, whatever the proxy has."""
    with serve(ANSWER, tls=certificates.good) as other:
        of_proxy = gofer.get(other.url, verify=certificates.ca_file).tls.certificate
    with (
        Proxy(tls=certificates.good if is_tls else None) as proxy,
        serve(ANSWER, tls=certificates.asking_for_client) as server,
        gofer.Session(
            verify=certificates.ca_file, cert=certificates.client_cert, proxies={"all": proxy.url}
        ) as session,
    ):
        of_origin = session.get(server.url).tls.certificate
        assert of_origin != of_proxy
        session.pins = hashlib.sha256(of_origin).hexdigest()
        assert session.get(server.url).ok
        session.pins = hashlib.sha256(of_proxy).hexdigest()
        with pytest.raises(CertificateError, match="pinned"):
            session.get(server.url)
        assert 2 == len(server.requests)
        session.cert = session.pins = None
        # The server's alert, unless its reset has overtaken that on the way through the proxy.
        with pytest.raises((SSLError, ConnectionLost)):
            session.get(server.url)
        assert 4 == len(proxy.tunnels)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tls_minimum", "1.1"), ("tls_minimum", 1.3), ("tls_ciphers", ""), ("tls_ciphers", 1),
        ("crl_file", ""), ("crl_file", 1),
    ],
)  # fmt: skip
def test_values_that_are_none(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"config '{key}'.*expected"):
        gofer.Session(config={key: value})


def test_files_that_are_none(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="crl_file"):
        gofer.get("https://127.0.0.1:1/", config={"crl_file": tmp_path / "missing"})
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    with pytest.raises(SSLError, match="loading revoked certificates"):
        gofer.get("https://127.0.0.1:1/", config={"crl_file": nothing})


@pytest.mark.parametrize("key", ["tls_minimum", "tls_ciphers", "crl_file", "cert"])
def test_a_context_has_its_own_rules(certificates: Certificates, key: str) -> None:
    """What it would not obey is refused, whichever of the two comes first."""
    value = {
        "tls_minimum": "1.3", "tls_ciphers": "ECDHE", "crl_file": certificates.crl_file,
        "cert": certificates.client_cert,
    }[key]  # fmt: skip
    options: dict[str, Any] = {"cert": value} if key == "cert" else {"config": {key: value}}
    context = certificates.client()
    with gofer.Session(verify=context) as session:
        with pytest.raises(LocalProtocolError, match=f"{key}.*in.*the SSLContext"):
            session.get("https://127.0.0.1:1/", **options)
    with gofer.Session(**options) as session:
        with pytest.raises(LocalProtocolError, match=f"{key}.*in.*the SSLContext"):
            session.get("https://127.0.0.1:1/", verify=context)


@pytest.mark.parametrize("http3", [False, None, "prior knowledge"])
def test_nothing_is_revoked_where_nothing_is_checked(
    certificates: Certificates, http3: Any
) -> None:
    config = {"crl_file": certificates.crl_file, "http3": http3}
    with gofer.Session(config=config) as session:
        with pytest.raises(LocalProtocolError, match="crl_file: with verify=False"):
            session.get("https://127.0.0.1:1/", verify=False)


# Client certificates in memory --------------------------------------------------------------------


def in_memory(certificates: Certificates) -> dict[str, Any]:
    certificate, key = (Path(path).read_text() for path in certificates.client_cert)
    locked = Path(certificates.client_cert_encrypted[1]).read_bytes()
    return {
        "both": key + certificate,
        "bytes": (key + certificate).encode(),
        "two": (certificate, key),
        "mixed": (certificate, certificates.client_cert[1]),
        "locked": (certificate, locked, "open sesame"),
    }


@pytest.mark.parametrize("form", ["both", "bytes", "two", "mixed", "locked"])
def test_a_client_certificate_in_memory(certificates: Certificates, form: str) -> None:
    cert = in_memory(certificates)[form]
    with serve(ANSWER, tls=certificates.asking_for_client) as server:
        with gofer.Session(verify=certificates.ca_file, cert=cert) as session:
            assert session.get(server.url).text == "hello"
            assert session.get(server.url).text == "hello"
        assert server.accepted == 1


def test_a_wrong_one_in_memory(certificates: Certificates) -> None:
    certificate, key = in_memory(certificates)["two"]
    other = certificates.authority.issue_cert("other@example.com").private_key_pem.bytes()
    for cert in ((certificate, other), (certificate, key[:60] + key), certificate):
        with pytest.raises(SSLError, match="client certificate from memory") as caught:
            gofer.get("https://127.0.0.1:1/", cert=cert)
        assert "BEGIN" not in str(caught.value)


def test_it_is_not_shown_to_another_origin(certificates: Certificates) -> None:
    """As one from a file."""
    cert = in_memory(certificates)["both"]
    with serve(ANSWER, tls=certificates.asking_for_client) as there:
        moved = response(status="302 Found", location=there.url)
        with serve(always(moved), tls=certificates.asking_for_client) as server:
            with pytest.raises(gofer.exceptions.ConnectionError):
                gofer.get(server.url, verify=certificates.ca_file, cert=cert)


# What a program was given that is of no use -------------------------------------------------------

WRONG_CERT: dict[str, tuple[Any, str]] = {
    # name: what is `cert`; what the error says
    "no password": (lambda made: made.client_cert_encrypted[:2], r"locked.*key, password\)"),
    "wrong password": (
        lambda made: (*made.client_cert_encrypted[:2], "guess"), "password does not open",
    ),
    "wrong password in memory": (
        lambda made: (*in_memory(made)["locked"][:2], "guess"), "password does not open",
    ),
    "no key": (lambda made: made.client_cert[0], "the key to it"),
    "no certificate": (lambda made: made.client_cert[1], "expected a certificate in PEM"),
}  # fmt: skip


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("name", WRONG_CERT)
def test_a_client_certificate_that_cannot_be_loaded(certificates: Certificates, name: str) -> None:
    """Says why, and what to write, in no words of OpenSSL's."""
    make, words = WRONG_CERT[name]
    with pytest.raises(SSLError, match=words) as caught:
        gofer.get("https://127.0.0.1:1/", cert=make(certificates))
    assert "PEM lib" not in str(caught.value)
    assert "guess" not in str(caught.value)


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("http3", [False, "prior knowledge"])
def test_a_folder_where_a_file_should_be(
    certificates: Certificates, tmp_path: Path, http3: Any
) -> None:
    """Is named."""
    certificate, _ = certificates.client_cert
    config = {"http3": http3}
    for cert in (tmp_path, (tmp_path, tmp_path), (certificate, tmp_path)):
        with pytest.raises(IsADirectoryError, match="it is a folder") as caught:
            gofer.get("https://127.0.0.1:1/", cert=cert, config=config)
        assert str(tmp_path) == caught.value.filename
    if not http3:
        with pytest.raises(IsADirectoryError, match="crl_file: it is a folder"):
            gofer.get("https://127.0.0.1:1/", config={"crl_file": tmp_path})


@pytest.mark.only_in("blocking")
def test_trust_in_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    with pytest.raises(SSLError, match=r"ca\.pem: the file is not what PEM has to be"):
        gofer.get("https://127.0.0.1:1/", verify=path)


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("http3", [False, "prior knowledge"])
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.filterwarnings("ignore::gofer.exceptions.InsecureRequestWarning")
def test_a_key_log_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http3: Any, verify: bool
) -> None:
    """The variable is named, which somebody else may have set."""
    for place in (tmp_path / "missing" / "keys", tmp_path):
        monkeypatch.setenv("SSLKEYLOGFILE", str(place))
        with pytest.raises(OSError, match="SSLKEYLOGFILE") as caught:
            gofer.get("https://127.0.0.1:1/", verify=verify, config={"http3": http3})
        assert str(place) == caught.value.filename


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_keys_are_logged(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """For Wireshark."""
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    config = {"http2": protocol == "h2"}
    with Web2(tls=certificates.good_http2) as server, monkeypatch.context() as patch:
        patch.setattr("gofer.network.trust._contexts", {})  # they keep the file open
        assert gofer.get(f"{server.url}/get", verify=certificates.ca_file, config=config).ok
    assert "CLIENT_TRAFFIC_SECRET_0 " in keys.read_text()
