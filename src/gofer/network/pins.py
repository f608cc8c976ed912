"""Pins: the certificates, or their keys, that a server must show beside whatever `verify` asks.

A pin is either the fingerprint of a whole certificate in hexadecimal digits, with colons or
without, of SHA-256 (64 digits), SHA-1 (40) or MD5 (32), as urllib3's `assert_fingerprint` has it;
or the SHA-256 of its public key (SubjectPublicKeyInfo, RFC 7469, 2.4) as "sha256//" and Base64, as
curl's `--pinnedpubkey` has it: that stays when a certificate is renewed.
"""

import binascii
import hashlib
from collections.abc import Iterable, Mapping
from hmac import compare_digest
from typing import Any

from gofer.exceptions import CertificateError, InvalidURL
from gofer.messages.hosts import authority, host_to_ascii

__all__ = ["check_certificate", "check_pins", "pins_for"]

_KEY = "sha256//"
_HASHES = {64: "sha256", 40: "sha1", 32: "md5"}  # by the number of hexadecimal digits


def check_pins(given: Any) -> dict[str, tuple[str, ...]] | None:
    """`pins` as a session keeps it: by host, or by "*" for all.

    Args:
        given: a pin, a list of pins, or {"host" or "host:port": pin or list}.

    Raises:
        ValueError: something in it is no pin, or could never count: nobody must believe in
            protection that is not there.
    """
    if given is None:
        return None
    by_host = given if isinstance(given, Mapping) else {"*": given}
    checked: dict[str, tuple[str, ...]] = {}
    for key, pins in by_host.items():
        several = list(pins) if isinstance(pins, list | tuple | set | frozenset) else [pins]
        if not several:
            raise ValueError(
                "pins: got none"
                + (f" for {key!r:.80}" if given is by_host else "")
                + ", expected one at least; leave out what is not to be pinned"
            )
        host = _checked_host(key)
        checked[host] = checked.get(host, ()) + tuple(_checked(pin) for pin in several)
    return checked


def _checked_host(key: Any) -> str:
    """Whom a pin is for, as `pins_for` looks it up."""
    if key == "*":
        return "*"
    if isinstance(key, str) and "*" not in key:
        is_address = key.count(":") > 1 and not key.startswith("[")
        host, colon, port = (key, "", "") if is_address else _split(key)
        try:
            host = host_to_ascii(host).rstrip(".")
            if not colon:
                return host
            if port.isascii() and port.isdigit() and int(port) <= 65535:
                return authority(host, int(port))
        except InvalidURL:
            pass
    raise ValueError(
        f"pins: got {key!r:.80}, expected a host such as 'example.com', host and port such as"
        " 'example.com:8443', or '*' for all that have no pins of their own; no URL, no pattern"
    )


def _split(key: str) -> tuple[str, str, str]:
    host, bracket, rest = key.rpartition("]")
    name, colon, port = rest.partition(":")
    return host + bracket + name, colon, port


def _checked(pin: Any) -> str:
    if isinstance(pin, str) and pin.startswith(_KEY):
        try:
            if len(binascii.a2b_base64(pin[len(_KEY) :], strict_mode=True)) == 32:
                return pin
        except ValueError:
            pass
    elif isinstance(pin, str):
        digits = pin.replace(":", "").lower()
        if len(digits) in _HASHES and set(digits) <= set("0123456789abcdef"):
            return digits
    raise ValueError(
        f"pins: got {pin!r:.80}, expected the certificate's SHA-256 in 64 hexadecimal digits, or"
        " 'sha256//' and the Base64 of its key's"
    )


def pins_for(host: str, port: int, pins: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Those that count for an origin; none if it has none."""
    plain = host.lower().rstrip(".")
    return pins.get(authority(plain, port)) or pins.get(plain) or pins.get("*") or ()


def check_certificate(certificate: bytes | None, pins: Iterable[str], origin: str) -> None:
    """Compare with what the server has shown.

    Args:
        certificate: in DER.

    Raises:
        CertificateError: it is none of those that are pinned.
    """
    shown = certificate or b""
    for pin in pins:
        if pin.startswith(_KEY):
            wanted = binascii.a2b_base64(pin[len(_KEY) :])
            got = hashlib.sha256(public_key(shown)).digest()
        else:
            wanted = bytes.fromhex(pin)
            got = hashlib.new(_HASHES[len(pin)], shown, usedforsecurity=False).digest()
        if compare_digest(wanted, got):
            return
    digest = hashlib.sha256(shown).hexdigest()
    raise CertificateError(f"{origin}: the certificate, SHA-256 {digest}, is none that is pinned")


def public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, both in DER (RFC 5280, 4.1).

    Raises:
        CertificateError: it is no certificate.
    """
    try:
        start, _, _ = _element(certificate, 0)  # Certificate
        start, _, _ = _element(certificate, start)  # TBSCertificate
        if certificate[start] == 0xA0:  # version, which may be left out
            start = _element(certificate, start)[1]
        for _ in range(5):  # serialNumber, signature, issuer, validity, subject
            start = _element(certificate, start)[1]
        _, end, tag = _element(certificate, start)
        if tag == 0x30 and end <= len(certificate):
            return certificate[start:end]
    except IndexError:
        pass
    raise CertificateError("the server's certificate cannot be read")


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Where the content of the DER element at `at` begins and ends, and its tag (X.690, 8.1)."""
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    return start, start + size, tag
