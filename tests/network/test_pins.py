"""Pinned certificates, and what a response tells of its TLS."""

import base64
import contextlib
import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as some

import gofer
from gofer.exceptions import CertificateError
from gofer.network.pins import public_key
from servers.certificates import Certificates
from servers.web import Web

OTHER = "0" * 64


@pytest.fixture
def certificate(web_tls: Web, certificates: Certificates) -> bytes:
    with gofer.Session(verify=certificates.ca_file) as session:
        return session.get(web_tls.url + "/get").tls.certificate  # type: ignore[no-any-return]


def key_of(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pins_of(certificate: bytes) -> dict[str, Any]:
    digits = hashlib.sha256(certificate).hexdigest()
    key = base64.b64encode(hashlib.sha256(key_of(certificate)).digest()).decode()
    return {
        "SHA-256": digits,
        "with colons": ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper(),
        "SHA-1": hashlib.sha1(certificate).hexdigest(),
        "of the key": f"sha256//{key}",
        "one of several": [OTHER, digits],
        "of this host": {"127.0.0.1": digits, "*": OTHER},
        "of another host": {"elsewhere.example": OTHER},
    }


KINDS = [
    "SHA-256", "with colons", "SHA-1", "of the key", "one of several", "of this host",
    "of another host",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_certificate_passes(
    web_tls: Web, certificates: Certificates, certificate: bytes, kind: str
) -> None:
    """By its fingerprint or its key's."""
    pins = pins_of(certificate)[kind]
    with gofer.Session(verify=certificates.ca_file, pins=pins) as session:
        assert 200 == session.get(web_tls.url + "/get").status_code


@pytest.mark.parametrize("verify", [True, False])
def test_another_certificate_is_refused(
    web_tls: Web, certificates: Certificates, verify: bool
) -> None:
    """Before anything of the request is sent, also where nothing else is checked."""
    with gofer.Session(verify=verify and certificates.ca_file, pins=OTHER) as session:
        with (
            pytest.warns() if not verify else _nothing(),
            pytest.raises(CertificateError, match="pinned"),
        ):
            session.get(web_tls.url + "/get")
    assert [] == web_tls.requests


KEYS = [
    "localhost", "LOCALHOST.", "localhost:{port}", "*", "xn--mnchen-3ya.example", "münchen.example",
    "::1", "[0:0::1]:{port}", "[::1]",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::gofer.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("key", KEYS)
def test_whom_a_pin_is_for(web_tls: Web, key: str) -> None:
    """A host in any of the ways to write it, or a host and a port."""
    host = {"x": "münchen.example", "m": "münchen.example", ":": "[::1]", "[": "[::1]"}.get(
        key[0], "localhost"
    )
    there = dict.fromkeys(("localhost", "xn--mnchen-3ya.example", "::1"), "127.0.0.1")
    with gofer.Session(verify=False, resolve=there) as session:
        session.pins = {key.format(port=web_tls.port): OTHER}
        with pytest.raises(CertificateError, match="pinned"):
            session.get(f"https://{host}:{web_tls.port}/get")
    assert [] == web_tls.requests


def test_pins_that_come_later_count_from_then_on(
    web_tls: Web, certificates: Certificates, certificate: bytes
) -> None:
    """Neither a connection nor a TLS session from before serves a request that has pins."""
    with gofer.Session(verify=certificates.ca_file) as session:
        assert session.get(web_tls.url + "/get").ok
        session.pins = OTHER
        for _ in range(2):
            with pytest.raises(CertificateError, match="pinned"):
                session.get(web_tls.url + "/get")
        session.pins = pins_of(certificate)["SHA-256"]
        assert session.get(web_tls.url + "/get").ok
        session.pins = None
        assert session.get(web_tls.url + "/get").ok


WRONG_KEYS = [
    "https://example.com", "https://example.com/", "*.example.com", "*.0.0.1", "ex*mple.com",
    "example.com/", "example.com:", "example.com:https", "example.com:99999", "user@example.com",
    "", " ", "::1:x", "[::1", ("example.com", 443), 5, None,
]  # fmt: skip


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("key", WRONG_KEYS)
def test_what_could_never_be_asked_for_is_named(key: Any) -> None:
    """A pin for nobody would protect nobody."""
    with pytest.raises(ValueError, match="expected a host such as"):
        gofer.Session(pins={key: OTHER})


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize("pins", [[], (), {"example.com": []}, {"*": [], "x": OTHER}])
def test_no_pin_at_all_is_named(pins: Any) -> None:
    """Of none none can fit; that must not mean that all do."""
    with pytest.raises(ValueError, match="got none.*expected one at least"):
        gofer.Session(pins=pins)
    session = gofer.Session()
    with pytest.raises(ValueError, match="got none"):
        session.pins = pins


def test_pins_for_one_host_in_two_ways_add_up(
    web_tls: Web, certificates: Certificates, certificate: bytes
) -> None:
    """One of them all must fit."""
    pins = {"LOCALHOST": pins_of(certificate)["SHA-256"], "localhost": OTHER}
    with gofer.Session(verify=certificates.ca_file, pins=pins) as session:
        assert session.get(f"https://localhost:{web_tls.port}/get").ok


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.only_in("blocking")
@pytest.mark.parametrize(
    "wrong", ["", "x", 5, "0" * 63, "sha256//abc", {"h": "x"}, [OTHER, "g" * 64]]
)
def test_what_is_no_pin_is_named(wrong: Any) -> None:
    """When the session is made."""
    with pytest.raises(ValueError, match="pins"):
        gofer.Session(pins=wrong)


@pytest.mark.only_in("blocking")
@given(some.binary(max_size=200))
def test_any_bytes_for_a_certificate(data: bytes) -> None:
    """Are a key, or a named error."""
    with contextlib.suppress(CertificateError):
        public_key(data)


@pytest.mark.only_in("blocking")
def test_the_key_is_found_in_every_certificate(certificate: bytes) -> None:
    """As another library finds it; cut anywhere, it is an error or the same key."""
    assert key_of(certificate) == public_key(certificate)
    for end in range(len(certificate)):
        with contextlib.suppress(CertificateError):
            assert key_of(certificate) == public_key(certificate[:end])


def test_a_response_tells_what_was_agreed_on(web_tls: Web, certificates: Certificates) -> None:
    """Version, suite, protocol, certificates; also when the session is closed."""
    with gofer.Session(verify=certificates.ca_file) as session:
        answer = session.get(web_tls.url + "/get")
        answer.content  # noqa: B018
    tls = answer.tls

    assert ("TLSv1.3", "h2") == (tls.version, tls.alpn)
    assert tls.cipher.startswith("TLS_")
    assert tls.certificate == tls.chain[0]
    assert ("DNS", "localhost") in tls.subject["subjectAltName"]


class Foreign:
    """A context whose certificates are of another kind: they know DER only, as those of rtls."""

    def __init__(self, context: Any) -> None:
        self._it = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._it, name)

    def wrap_bio(self, *arguments: Any, **options: Any) -> Any:
        return Foreign(self._it.wrap_bio(*arguments, **options))

    def get_unverified_chain(self) -> list[Any]:
        der = self._it.getpeercert(True)
        return [type("Certificate", (), {"public_bytes": lambda _self: der})()]


def test_certificates_of_another_kind(web_tls: Web, certificates: Certificates) -> None:
    """Are bytes as well."""
    with gofer.Session(verify=Foreign(certificates.client())) as session:
        tls = session.get(web_tls.url + "/get").tls

    assert [tls.certificate] == tls.chain


def test_without_tls_there_is_nothing_to_tell(web: Web) -> None:
    """None."""
    with gofer.Session() as session:
        assert session.get(web.url + "/get").tls is None
