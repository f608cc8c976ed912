"""A certificate authority of our own, and good and bad certificates signed by it, or not.

Made once for a whole run (keys are the slow part). `Certificates` holds contexts for servers and
for clients; every certificate is made when it is first asked for.
"""

import datetime
import ssl
from functools import cached_property
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)


class Certificates:
    """The authority, its files below `folder`, and contexts made from them.

    ca_file: the authority's certificate, for `verify=`.
    other_ca_file: an authority that signed nothing here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)

    @cached_property
    def other_authority(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def other_ca_file(self) -> str:
        path = str(self.folder / "other-ca.pem")
        self.other_authority.cert_pem.write_to_path(path)
        return path

    # Contexts for servers ---------------------------------------------------------------------

    @cached_property
    def good(self) -> ssl.SSLContext:
        """For localhost, 127.0.0.1, ::1, example.com and everything below it."""
        names = ("localhost", "127.0.0.1", "::1", "example.com", "*.example.com")
        return self.server(self.authority.issue_cert(*names))

    @cached_property
    def good_http2(self) -> ssl.SSLContext:
        """The same; HTTP/2 where the client offers it."""
        names = ("localhost", "127.0.0.1", "::1", "example.com", "*.example.com")
        context = self.server(self.authority.issue_cert(*names))
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def pem_files(self, folder: Path) -> tuple[Path, Path]:
        """A good certificate's chain and its key, as files for a server of another kind."""
        leaf = self.authority.issue_cert("localhost", "127.0.0.1", "example.com")
        chain, key = folder / "chain.pem", folder / "key.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        return chain, key

    @cached_property
    def wrong_host(self) -> ssl.SSLContext:
        """For a host that nobody asks for."""
        return self.server(self.authority.issue_cert("elsewhere.test"))

    @cached_property
    def only_ip(self) -> ssl.SSLContext:
        """For the address 127.0.0.1, without any name."""
        return self.server(self.authority.issue_cert("127.0.0.1"))

    @cached_property
    def ip_as_name(self) -> ssl.SSLContext:
        """With 127.0.0.1 as a DNS name, which does not count as an address (RFC 9110, 4.3.5)."""
        return self._self_made(x509.DNSName("127.0.0.1"), issuer=self.authority)

    def named(self, name: str) -> ssl.SSLContext:
        """With this one DNS name, however odd."""
        return self._self_made(x509.DNSName(name), issuer=self.authority)

    @cached_property
    def only_common_name(self) -> ssl.SSLContext:
        """With localhost as its common name only, which has not counted since RFC 6125."""
        return self._self_made(None, issuer=self.authority)

    @cached_property
    def expired(self) -> ssl.SSLContext:
        now = datetime.datetime.now(datetime.UTC)
        return self.server(
            self.authority.issue_cert(
                "localhost", "127.0.0.1", not_before=now - 9 * DAY, not_after=now - DAY
            )
        )

    @cached_property
    def not_yet_valid(self) -> ssl.SSLContext:
        now = datetime.datetime.now(datetime.UTC)
        return self.server(
            self.authority.issue_cert(
                "localhost", "127.0.0.1", not_before=now + DAY, not_after=now + 9 * DAY
            )
        )

    @cached_property
    def untrusted(self) -> ssl.SSLContext:
        """For the right names, from an authority that nobody was told to trust."""
        return self.server(self.other_authority.issue_cert("localhost", "127.0.0.1"))

    @cached_property
    def self_signed(self) -> ssl.SSLContext:
        return self._self_made(x509.DNSName("localhost"))

    @cached_property
    def asking_for_client(self) -> ssl.SSLContext:
        """Like `good`, and the client has to show a certificate of the same authority."""
        context = self.server(self.authority.issue_cert("localhost", "127.0.0.1"))
        context.load_verify_locations(self.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def server(self, leaf: trustme.LeafCert) -> ssl.SSLContext:
        """A server's context with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        leaf.configure_cert(context)
        return context

    @cached_property
    def revoked(self) -> ssl.SSLContext:
        """A good one that is in `crl_file`."""
        leaf = self.authority.issue_cert("localhost", "127.0.0.1")
        self._revoked = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        return self.server(leaf)

    # For clients ------------------------------------------------------------------------------

    def client(self) -> ssl.SSLContext:
        """A client's context that trusts the authority and nobody else."""
        return ssl.create_default_context(cafile=self.ca_file)

    @cached_property
    def crl_file(self) -> str:
        """The path of the authority's list of revoked certificates; `revoked` is on it."""
        self.revoked  # noqa: B018
        now = datetime.datetime.now(datetime.UTC)
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(self._revoked.serial_number)
            .revocation_date(now - DAY)
            .build()
        )
        key = serialization.load_pem_private_key(self.authority.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        revoked = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(x509.load_pem_x509_certificate(self.authority.cert_pem.bytes()).subject)
            .last_update(now - DAY)
            .next_update(now + 30 * DAY)
            .add_revoked_certificate(entry)
            .sign(key, hashes.SHA256())
        )
        path = self.folder / "revoked.pem"
        path.write_bytes(revoked.public_bytes(serialization.Encoding.PEM))
        return str(path)

    @cached_property
    def client_cert(self) -> tuple[str, str]:
        """The paths of a client certificate and of its key, for `cert=`."""
        leaf = self.authority.issue_cert("client@example.com")
        certificate, key = self.folder / "client.pem", self.folder / "client.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)

    @cached_property
    def client_cert_in_one_file(self) -> str:
        """The path of one file that holds the client's key and certificate."""
        certificate, key = (Path(path).read_bytes() for path in self.client_cert)
        path = self.folder / "client-both.pem"
        path.write_bytes(key + certificate)
        return str(path)

    @cached_property
    def client_cert_encrypted(self) -> tuple[str, str, str]:
        """Like `client_cert`, the key locked with the password that comes third."""
        certificate, key = self.client_cert
        opened = serialization.load_pem_private_key(Path(key).read_bytes(), None)
        path = self.folder / "client-locked.key"
        path.write_bytes(
            opened.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"open sesame"),
            )
        )
        return certificate, str(path), "open sesame"

    # What trustme refuses to make -------------------------------------------------------------

    def _self_made(
        self, name: x509.GeneralName | None, issuer: trustme.CA | None = None
    ) -> ssl.SSLContext:
        """A server's context with a certificate signed by `issuer`, or by its own key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        issuer_name, signing_key = subject, key
        if issuer is not None:
            issuer_name = x509.load_pem_x509_certificate(issuer.cert_pem.bytes()).subject
            loaded = serialization.load_pem_private_key(issuer.private_key_pem.bytes(), None)
            assert isinstance(loaded, ec.EllipticCurvePrivateKey)
            signing_key = loaded
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 30 * DAY)
        )
        if name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        certificate = builder.sign(signing_key, hashes.SHA256())
        path = self.folder / f"{certificate.serial_number:x}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
