"""Digest's arithmetic (RFC 7616): which challenge to answer, and how.

Plain functions of values; who is asked, and what is remembered, is `stages/auth/digest.py` for
origins and `network/tunnels.py` for proxies.
"""

import os
import re
from collections.abc import Iterable
from typing import Any

from gofer.messages.challenges import Challenge, quote

__all__ = ["ProtectionSpace", "choose", "hash_content", "hexadecimal", "new_hash"]

# Algorithms and hashlib's names for them, from the weakest on; each may end in "-sess". SHA and
# SHA-512 are not in the RFC: Requests takes them.
ALGORITHMS = {
    "md5": "md5",
    "sha": "sha1",
    "sha-256": "sha256",
    "sha-512-256": "sha512_256",
    "sha-512": "sha512",
}
STRENGTH = {name: strength for strength, name in enumerate(ALGORITHMS)}

# attr-char (RFC 8187, 3.2.1), beside letters and digits
_ATTR_CHAR = "!#$&+-.^_`|~"

_LIST_SEPARATOR = re.compile(r"[\s,]+")


# Challenges -----------------------------------------------------------------------------------


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The Digest challenge with the strongest algorithm, of those that can be answered.

    One with an algorithm or a quality of protection unknown here cannot; nor one without a nonce.
    """
    best = None
    for challenge in challenges:
        if not _can_answer(challenge):
            continue
        if best is None or _strength(challenge) > _strength(best):
            best = challenge
    return best


def _can_answer(challenge: Challenge) -> bool:
    parameters = challenge.parameters
    if challenge.scheme != "digest" or not parameters.get("nonce") or "realm" not in parameters:
        return False
    if parameters.get("qop") and _quality(challenge) is None:
        return False
    return _strength(challenge) >= 0 and _is_available(ALGORITHMS[_algorithm(challenge)])


def _algorithm(challenge: Challenge) -> str:
    return challenge.parameters.get("algorithm", "MD5").lower().removesuffix("-sess")


def _strength(challenge: Challenge) -> int:
    return STRENGTH.get(_algorithm(challenge), -1)


def _quality(challenge: Challenge) -> str | None:
    """The quality of protection to use: "auth" if there is a choice; None if none was offered."""
    offered = _LIST_SEPARATOR.split(challenge.parameters.get("qop", "").lower())
    return next((quality for quality in ("auth", "auth-int") if quality in offered), None)


def _is_available(hash_name: str) -> bool:
    """False for a hash that this Python's OpenSSL does not have, or forbids."""
    try:
        new_hash(hash_name)
    except ValueError:
        return False
    return True


def new_hash(hash_name: str) -> Any:
    import hashlib  # OpenSSL: 1.5 ms

    # The protocol is as strong as it is; FIPS builds would refuse MD5 without this.
    return hashlib.new(hash_name, usedforsecurity=False)


def hexadecimal(digest: Any) -> bytes:
    text: str = digest.hexdigest()
    return text.encode("ascii")


def hash_content(space: "ProtectionSpace", request: Any) -> bytes:
    """H(content), read from its start and put back there.

    Raises:
        UnrewindableBodyError: it can be read only once.
    """
    from gofer.messages.content import chunks

    digest = new_hash(space.hash_name)
    request.rewind()
    for chunk in chunks(request.body):
        digest.update(chunk)
    request.rewind()
    return hexadecimal(digest)


# Answers --------------------------------------------------------------------------------------


class ProtectionSpace:
    """A challenge, and how often its nonce was used: all it takes to compute credentials.

    The client nonce stays the same as long as the nonce: with -sess the server may have hashed
    the first one into the key it keeps (RFC 7616, 3.4.2).

    Attributes:
        quality: "auth", "auth-int", or None for the way of RFC 2069.
        count: how many credentials were made with the nonce.
        is_shared: every request may use it, not only the one that was challenged.
    """

    __slots__ = (
        "challenge", "cnonce", "count", "hash_name", "is_shared", "nonce", "quality", "realm",
    )  # fmt: skip

    def __init__(self, challenge: Challenge, nonce: str | None = None) -> None:
        self.challenge = challenge
        self.realm = challenge.parameters["realm"]
        self.nonce = challenge.parameters["nonce"] if nonce is None else nonce
        self.hash_name = ALGORITHMS[_algorithm(challenge)]
        self.quality = _quality(challenge)
        self.cnonce = os.urandom(16).hex()
        self.count = 0
        self.is_shared = False

    def hash(self, *parts: bytes) -> bytes:
        """H(parts joined by colons), in hexadecimal."""
        digest = new_hash(self.hash_name)
        digest.update(b":".join(parts))
        return hexadecimal(digest)

    def credentials(
        self,
        username: str | bytes,
        password: str | bytes,
        method: str,
        uri: str,
        *,
        count: int,
        content_hash: bytes = b"",
    ) -> str:
        """The value of the Authorization field for one request.

        Text is hashed and sent as UTF-8, which is what servers that name a charset ask for.

        Args:
            uri: the request target, exactly as in the request line.
            count: how many times the nonce was used, this time included.
            content_hash: of the content, with "auth-int".
        """
        given = self.challenge.parameters
        user, realm = _utf8(username), self.realm.encode("latin-1")
        name = _username(username, user, given.get("charset", ""))
        wants_user_hash = given.get("userhash", "").lower() == "true"
        if wants_user_hash:
            name = f"username={quote(self.hash(user, realm).decode('ascii'))}"

        response = self._response(
            self.hash(user, realm, _utf8(password)), method, uri, count, content_hash
        )
        parts = [
            name,
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(uri)}",
            f"response={quote(response)}",
        ]
        if "algorithm" in given:
            parts.append(f"algorithm={given['algorithm']}")
        if "opaque" in given:
            parts.append(f"opaque={quote(given['opaque'])}")
        if self.quality is not None:
            parts.append(f'qop={self.quality}, nc={count:08x}, cnonce="{self.cnonce}"')
        elif self._is_session:
            parts.append(f'cnonce="{self.cnonce}"')
        if wants_user_hash:
            parts.append("userhash=true")
        return "Digest " + ", ".join(parts)

    @property
    def _is_session(self) -> bool:
        return self.challenge.parameters.get("algorithm", "").lower().endswith("-sess")

    def _response(
        self, secret: bytes, method: str, uri: str, count: int, content_hash: bytes
    ) -> str:
        """RFC 7616, 3.4.1 to 3.4.3."""
        nonce, cnonce = self.nonce.encode("latin-1"), self.cnonce.encode("ascii")
        if self._is_session:
            secret = self.hash(secret, nonce, cnonce)
        a2 = [method.encode("latin-1"), uri.encode("latin-1")]
        if self.quality == "auth-int":
            a2.append(content_hash)
        middle = [nonce]
        if self.quality is not None:
            middle += [b"%08x" % count, cnonce, self.quality.encode("ascii")]
        return self.hash(secret, *middle, self.hash(*a2)).decode("ascii")


def _utf8(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("utf-8")


def _username(username: str | bytes, octets: bytes, charset: str) -> str:
    """The user name as a parameter: username* only for servers that show they know of charsets."""
    if charset.lower() == "utf-8" and not isinstance(username, bytes) and not octets.isascii():
        from urllib.parse import quote as percent_encode

        return f"username*=UTF-8''{percent_encode(octets, safe=_ATTR_CHAR)}"
    return f"username={quote(octets.decode('latin-1'))}"
