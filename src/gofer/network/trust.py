"""Whom to trust in TLS, and what to show: the contexts that say so.

`context_for` makes and shares them; `identity` is what of `verify` and `cert` belongs into a
connection's pool key.

State: `_contexts`, one context per setting (making one that trusts the system costs 40 ms of
CPU). Nobody changes a context after it was made.
"""

import contextlib
import errno
import os
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gofer.exceptions import SSLError
from gofer.network.tls import HTTP11, reason

__all__ = [
    "check_key_log", "client_certificate", "context_for", "identity", "load_client_certificate",
    "must_be_file", "new_context", "shown_name", "trust_in", "trusted_file",
]  # fmt: skip

MAX_CONTEXTS = 64  # kept; a caller with a fresh CA file for each call must not fill the memory

_contexts: dict[Any, Any] = {}
_contexts_lock = threading.Lock()


def context_for(
    verify: Any,
    cert: Any,
    *,
    alpn: Sequence[str] = HTTP11,
    rules: tuple[str | None, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> Any:
    """The context for these settings: made at the first call, shared after it.

    Args:
        verify: True for the system's trust, False for none, the path of a CA file or directory
            (it replaces the system's trust), or a context (anything with `wrap_bio`), which is
            returned as it is: `cert`, `rules` and `alpn` are its owner's business then
            (`routes.tls_rules` refuses the first two).
        cert: None, the path of a PEM file with certificate and key, or (certificate, key), or
            (certificate, key, password); instead of a path what such a file would hold.
        rules: as `routes.tls_rules` gives them.
        environ: where SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE are looked up; None is
            `os.environ`.

    Raises:
        OSError: a path that does not exist or cannot be read; the message says which.
        SSLError: a file that is there does not hold what it should.
    """
    if hasattr(verify, "wrap_bio"):
        return verify
    environ = os.environ if environ is None else environ
    trust = trust_in(verify, environ)
    client = client_certificate(cert)
    key_log = environ.get("SSLKEYLOGFILE", "")  # a file for Wireshark
    stamps = _stamps(*trust[1:], *client[:2], *rules[2:])
    key = (trust, client, tuple(alpn), key_log, stamps, rules)
    # A look without the lock first: a dict answers atomically.
    context = _contexts.get(key)
    if context is not None:
        return context
    with _contexts_lock:
        context = _contexts.get(key)
        if context is None:
            context = _new_context(trust, client, alpn, key_log, rules)
            while len(_contexts) >= MAX_CONTEXTS:
                del _contexts[next(iter(_contexts))]
            _contexts[key] = context
    return context


def new_context(verify: Any, cert: Any, *, alpn: Sequence[str] = HTTP11) -> Any:
    """A context as `context_for` makes it, but of one's own: to be changed, and kept.

    Raises:
        OSError: a file that is not there or holds no certificates.
    """
    trust, client = trust_in(verify, os.environ), client_certificate(cert)
    return _new_context(trust, client, tuple(alpn), "", ())


def trusted_file() -> str:
    """The path of what `verify=True` trusts: the system's file or folder, else certifi's."""
    _, file, directory = _system_trust(os.environ)
    if file is None and directory is None:
        import certifi

        file = certifi.where()
    return file or directory or ""


def identity(verify: Any, cert: Any) -> Any:
    """What of `verify` and `cert` a pool key must hold: equal only if they mean the same.

    Cheap for the default. A context stands for itself, and is kept alive by the key.
    """
    if verify is True and cert is None:
        return True
    if hasattr(verify, "wrap_bio"):
        return ("context", id(verify), verify)
    if verify is None or isinstance(verify, bool):
        trust: Any = verify is not False
    else:
        trust = _path(verify, "verify")
    return trust, client_certificate(cert)


def trust_in(verify: Any, environ: Mapping[str, str]) -> tuple[str, str | None, str | None]:
    """What to trust: a kind, a CA file, a CA directory."""
    if verify is False:
        return "nobody", None, None
    if verify is None or verify is True:
        return _system_trust(environ)
    path = _path(verify, "verify")
    if os.path.isdir(path):
        return "given", None, path
    must_exist(path, "a suitable TLS CA certificate bundle")
    return "given", path, None


# Where systems keep their trusted certificates in one file.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, Alpine, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL 10
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, FreeBSD, OpenBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD with the package
    "/etc/openssl/certs/ca-certificates.crt",  # NetBSD
    "/etc/certs/ca-certificates.crt",  # illumos
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",  # Android with Termux
)


def _system_trust(environ: Mapping[str, str]) -> tuple[str, str | None, str | None]:
    """The environment's choice, else the system's store, else certifi's file."""
    file = environ.get("SSL_CERT_FILE") or None
    directory = environ.get("SSL_CERT_DIR") or None
    if file is not None or directory is not None:
        for path, name in (file, "SSL_CERT_FILE"), (directory, "SSL_CERT_DIR"):
            if path is not None:
                must_exist(path, f"the TLS CA certificates of {name}")
        return "given", file, directory
    if sys.platform in ("darwin", "win32"):
        return "system", None, None
    for path in _BUNDLES:
        if os.path.exists(path):
            return "given", path, None
    return "certifi", None, None


def client_certificate(cert: Any) -> tuple[Any, ...]:
    """`cert` as (certificate, key or None, password or None), () for none.

    Each is a path; or bytes, what the file would hold.
    """
    if cert is None:
        return ()
    if isinstance(cert, str | bytes | os.PathLike):
        cert = (cert,)
    elif not isinstance(cert, tuple | list):
        raise TypeError(
            f"cert: got {type(cert).__name__}, expected a path, (certificate, key) or"
            " (certificate, key, password)"
        )
    parts = tuple(cert)
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"cert has {len(parts)} parts, expected certificate, key, password")
    certificate, key, password = (*parts, None, None)[:3]
    return (
        _path_or_pem(certificate),
        None if key is None else _path_or_pem(key),
        password,
    )


def _path_or_pem(given: Any) -> str | bytes:
    text = given.encode() if isinstance(given, str) else given
    if isinstance(text, bytes) and b"-----BEGIN " in text:
        return text
    return _path(given, "cert")


def _stamps(*paths: str | bytes | None) -> tuple[Any, ...]:
    """What changes when one of the files does: certificates are renewed under running programs."""
    stamps = []
    for path in paths:
        try:
            status = os.stat(path) if isinstance(path, str) else None
        except OSError:
            status = None  # the one who opens it says what is wrong
        stamps.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(stamps)


def _path(path: Any, setting: str) -> str:
    """The absolute path; an empty one would quietly become the working directory."""
    if not path:
        raise FileNotFoundError(errno.ENOENT, f"no path in {setting}", path)
    if not isinstance(path, str | bytes | os.PathLike):
        more = ", True, False or an ssl.SSLContext" if setting == "verify" else ""
        raise TypeError(f"{setting}: got {type(path).__name__}, expected a path{more}")
    return os.path.abspath(os.fsdecode(path))


def must_exist(path: str, what: str) -> None:
    """Raises FileNotFoundError if there is nothing at `path`, and says what should be there."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"Could not find {what}, invalid path: {path}")  # as Requests does


def must_be_file(path: str, what: str) -> None:
    """As `must_exist`, for what is read as a file. OpenSSL does not say which it could not read.

    Raises:
        OSError: it is not there, a folder, or not to be read.
    """
    must_exist(path, what)
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        is_folder = error.errno == errno.EISDIR
        problem = "it is a folder, expected a file" if is_folder else error.strerror
        raise OSError(error.errno, f"reading {what}: {problem}", path) from error


def check_key_log(path: str) -> None:
    """See that the file of SSLKEYLOGFILE can be written to, if there is a path.

    Raises:
        OSError: it cannot; the message names the variable, which whoever calls may know nothing of.
    """
    if path:
        try:
            with open(path, "ab"):
                pass
        except OSError as error:
            problem = f"writing to the file that SSLKEYLOGFILE names: {error.strerror}"
            raise OSError(error.errno, problem, path) from error


def _new_context(
    trust: tuple[str, str | None, str | None],
    client: tuple[Any, ...],
    alpn: Sequence[str],
    key_log: str,
    rules: tuple[str | None, ...],
) -> Any:
    for path in {key_log, os.environ.get("SSLKEYLOGFILE", "")}:  # ssl asks for that one itself
        check_key_log(path)
    context = _trusting_context(*trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if rules:
        _apply(context, *rules)
    context.options |= getattr(ssl, "OP_NO_RENEGOTIATION", 0)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.keylog_filename = key_log or None
    if client:
        _load(context, *client)
        # HTTP/2 forbids it (RFC 9113, 9.2.3); servers that ask per resource need it in HTTP/1.1
        context.post_handshake_auth = "h2" not in alpn
    return context


def _trusting_context(kind: str, file: str | None, directory: str | None) -> Any:
    """A context that checks certificates against that trust, or not at all."""
    if kind == "nobody":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if kind == "system":
        context = _platform_context()
        if context is not None:
            return context
        kind = "certifi"
    if kind == "certifi":
        import certifi

        file = certifi.where()
    if file is not None:
        must_be_file(file, "the TLS CA certificates")
    try:
        context = ssl.create_default_context(cafile=file, capath=directory)
    except ssl.SSLError as error:
        raise SSLError(
            f"loading CA certificates from {file or directory}: {reason(error)}"
        ) from error
    context.hostname_checks_common_name = False  # only subjectAltName counts (RFC 9110, 4.3.4)
    return context


def _platform_context() -> Any:
    """A context that asks macOS or Windows itself; None without truststore.

    On Linux truststore reads the whole bundle again for each connection: 31 ms of CPU.
    """
    try:
        import truststore
    except ImportError:
        return None
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _apply(context: Any, minimum: str | None, ciphers: str | None, crl_file: str | None) -> None:
    """Hold `context` to the rules of `routes.tls_rules`."""
    if minimum == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if ciphers is not None:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise SSLError(f"config tls_ciphers {ciphers!r:.60}: no such cipher") from error
    if crl_file is not None:
        must_be_file(crl_file, "the revoked certificates of crl_file")
        try:
            context.load_verify_locations(crl_file)
        except ssl.SSLError as error:
            raise SSLError(
                f"loading revoked certificates from {crl_file}: {reason(error)}"
            ) from error
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def load_client_certificate(context: Any, cert: Any) -> None:
    """Make `context` show `cert`, which is as in `context_for` and not None.

    Raises:
        OSError, SSLError: as `context_for`.
    """
    _load(context, *client_certificate(cert))


def _load(
    context: ssl.SSLContext, certificate: str | bytes, key: str | bytes | None, password: Any
) -> None:
    name = shown_name(certificate)
    files_given = [
        (given, f"the TLS {what} file")
        for given, what in ((certificate, "certificate"), (key, "key"))
        if isinstance(given, str)
    ]
    for check in (must_exist, must_be_file):  # that one is missing is said first, as Requests does
        for given, what in files_given:
            check(given, what)
    asked = []

    def unlock() -> Any:
        # Without this OpenSSL would ask on the terminal for a key that is locked; an empty password
        # just fails.
        asked.append(True)
        given = password() if callable(password) else password
        return "" if given is None else given

    try:
        with contextlib.ExitStack() as files:
            certificate_path = files.enter_context(_as_file(certificate))
            key_path = None if key is None else files.enter_context(_as_file(key))
            context.load_cert_chain(certificate_path, key_path, unlock)
    except ssl.SSLError as error:
        problem = reason(error)
        if asked and password is None:
            problem = "its key is locked: expected cert=(certificate, key, password)"
        elif asked and not error.reason:
            problem = "the password does not open its key"
        elif not error.reason:
            problem = (
                "expected a certificate in PEM, and the key to it there or in a file of its own"
            )
        raise SSLError(f"loading the client certificate from {name}: {problem}") from error


def shown_name(certificate: str | bytes) -> str:
    """Where a client certificate comes from, for messages."""
    return certificate if isinstance(certificate, str) else "memory"


@contextlib.contextmanager
def _as_file(given: str | bytes) -> Iterator[str]:
    """A path for OpenSSL, which reads keys from files only; one in memory, where there are such."""
    if not isinstance(given, bytes):
        yield given
        return
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("certificate")
        try:
            os.write(descriptor, given)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    import tempfile

    descriptor, path = tempfile.mkstemp()  # nobody else can read it
    try:
        os.write(descriptor, given)
        os.close(descriptor)
        yield path
    finally:
        os.unlink(path)
