"""Digest credentials (RFC 7616): proof that one knows the password, without sending it.

`choose` picks a challenge and `ProtectionSpace` computes answers to it; both are plain and know
nothing of requests. `HTTPDigestAuth` is the flow: ask, be challenged, answer; afterwards answer
before being asked, as long as the nonce is good.

State: `HTTPDigestAuth._spaces`, by origin and realm, and the nonce counts in it, under one lock.
A space gets in there only after the server took an answer from it; until then it belongs to the
one request that was challenged, so that its first answer cannot be overtaken by another thread's.
"""

import os
import re
from collections.abc import Iterable
from threading import Lock
from typing import Any

from gofer.messages.challenges import (
    Challenge,
    parse_authentication_info,
    parse_challenges,
    quote,
)
from gofer.messages.url import parse
from gofer.stages.auth import AuthBase, Flow

__all__ = ["HTTPDigestAuth", "HTTPProxyDigestAuth", "ProtectionSpace", "choose"]

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

MAX_SPACES = 64  # of one HTTPDigestAuth; a server could name a new realm in every answer

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
        _new_hash(hash_name)
    except ValueError:
        return False
    return True


def _new_hash(hash_name: str) -> Any:
    import hashlib  # OpenSSL: 1.5 ms

    # The protocol is as strong as it is; FIPS builds would refuse MD5 without this.
    return hashlib.new(hash_name, usedforsecurity=False)


def _hexadecimal(digest: Any) -> bytes:
    text: str = digest.hexdigest()
    return text.encode("ascii")


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
        digest = _new_hash(self.hash_name)
        digest.update(b":".join(parts))
        return _hexadecimal(digest)

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


# The flow -------------------------------------------------------------------------------------


class HTTPDigestAuth(AuthBase):
    """Answers Digest challenges, and sends credentials unasked once a nonce is known.

    A request is repeated once for its challenge, and once more only if the server says that the
    nonce was stale and gives a fresh one. One object can serve any number of threads.
    """

    field = "Authorization"
    challenge_field = "WWW-Authenticate"
    info_field = "Authentication-Info"
    status_code = 401

    def __init__(self, username: Any, password: Any) -> None:
        self.username = username
        self.password = password
        self._lock = Lock()
        self._spaces: dict[tuple[Any, str], ProtectionSpace] = {}  # the latest used is the last

    def __call__(self, r: Any) -> Any:
        """The request as it is: credentials are made in `flow`, when it is sent."""
        return r

    def flow(self, request: Any) -> Flow:
        place = self._place(request)
        if place is None:
            yield request
            return

        space = self._known(place)
        if space is not None and space.quality == "auth-int" and not request.is_replayable():
            space = None  # its content would have to be read twice
        if space is None:
            response = yield self._without_credentials(request)
        else:
            response = yield self._with_credentials(request, space)

        for is_last in (False, True):
            if response.status_code != self.status_code:
                break
            challenged = self._challenged(place, response, refused=space, only_stale=is_last)
            if challenged is None:
                break
            space = challenged
            request.rewind()
            response = yield self._with_credentials(request, space)

        if space is not None and response.status_code != self.status_code:
            self._remember(place, space, response)

    def _place(self, request: Any) -> Any:
        """What the nonce belongs to; None if there is nobody to authenticate to."""
        return request.url_parsed.origin

    def _known(self, place: Any) -> ProtectionSpace | None:
        """The protection space used last at that place."""
        with self._lock:
            for (where, _), space in reversed(self._spaces.items()):
                if where == place:
                    return space
        return None

    def _challenged(
        self, place: Any, response: Any, *, refused: ProtectionSpace | None, only_stale: bool
    ) -> ProtectionSpace | None:
        """The space to answer from, or None if there is no use in answering.

        Args:
            refused: what the credentials were made from that got this response.
            only_stale: it was a repeat already; only a stale nonce excuses another.
        """
        challenge = choose(parse_challenges(response.headers.get_all(self.challenge_field)))
        if challenge is None:
            return None
        parameters = challenge.parameters
        realm, nonce = parameters["realm"], parameters["nonce"]
        if refused is not None and (refused.realm, refused.nonce) == (realm, nonce):
            return None  # the same question again: the password is wrong
        if only_stale and parameters.get("stale", "").lower() != "true":
            return None
        with self._lock:
            known = self._spaces.get((place, realm))
        if known is not None and known.nonce == nonce:
            return known  # its count goes on
        return ProtectionSpace(challenge)

    def _remember(self, place: Any, space: ProtectionSpace, response: Any) -> None:
        """Answer from `space` from now on, or from what the server wants next instead."""
        info = parse_authentication_info(response.headers.get_all(self.info_field))
        next_nonce = info.get("nextnonce")
        if next_nonce and next_nonce != space.nonce:
            space = ProtectionSpace(space.challenge, next_nonce)
        key = (place, space.realm)
        with self._lock:
            latest = self._spaces.pop(key, space)
            if space.is_shared:
                space = latest  # a slow response does not bring an older nonce back
            space.is_shared = True
            self._spaces[key] = space
            if len(self._spaces) > MAX_SPACES:
                del self._spaces[next(iter(self._spaces))]

    def _with_credentials(self, request: Any, space: ProtectionSpace) -> Any:
        """A copy, so that the request of the first response stays what it was."""
        content_hash = b""
        if space.quality == "auth-int":
            content_hash = _hash_content(space, request)
        target = request.url_parsed.target.decode("ascii")
        value = self._value(space, request.method, target, content_hash)
        answered = request.copy()
        answered.headers[self.field] = value
        answered.stage_fields = request.stage_fields | {self.field.lower()}
        return answered

    def _without_credentials(self, request: Any) -> Any:
        """The request; without credentials for another target that a redirect brought along."""
        value = request.sent_headers.get(self.field)
        if not isinstance(value, str) or not value.startswith("Digest "):
            return request
        bare = request.copy()
        del bare.headers[self.field]
        return bare

    def _value(
        self, space: ProtectionSpace, method: str, target: str, content_hash: bytes = b""
    ) -> str:
        with self._lock:
            space.count = count = space.count + 1
        return space.credentials(
            self.username, self.password, method, target, count=count, content_hash=content_hash
        )

    # Requests' methods, for code that calls them ------------------------------------------------

    def init_per_thread_state(self) -> None:
        """Nothing: one state serves all threads."""

    def build_digest_header(self, method: str, url: str) -> str | None:
        """The value of the Authorization field for a request, if its origin is known already."""
        parsed = parse(url)
        space = self._known(parsed.origin)
        if space is None or space.quality == "auth-int":
            return None
        return self._value(space, method, parsed.target.decode("ascii"))

    def handle_401(self, r: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Take note of the challenge in a response; nothing is sent."""
        challenge = choose(parse_challenges(r.headers.get_all(self.challenge_field)))
        if r.status_code == self.status_code and challenge is not None:
            self._remember(parse(r.url).origin, ProtectionSpace(challenge), r)
        return r

    def handle_redirect(self, r: Any, **kwargs: Any) -> None:
        """Nothing: every hop is a request of its own."""

    # Value --------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HTTPDigestAuth) or self.field != other.field:
            return NotImplemented
        return (self.username, self.password) == (other.username, other.password)

    __hash__ = None  # type: ignore[assignment]  # attributes may be set, as in Requests

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_lock", "_spaces")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()
        self._spaces = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._spaces)} known>"


class HTTPProxyDigestAuth(HTTPDigestAuth):
    """The same for a proxy that is asked for http URLs; an origin's 407 is not answered."""

    field = "Proxy-Authorization"
    challenge_field = "Proxy-Authenticate"
    info_field = "Proxy-Authentication-Info"
    status_code = 407

    def _place(self, request: Any) -> Any:
        route = request.settings.router.route(request.url_parsed, request.environment)
        return route.proxy.key if route.is_forwarding else None


def _hash_content(space: ProtectionSpace, request: Any) -> bytes:
    """H(content), read from its start and put back there.

    Raises:
        UnrewindableBodyError: it can be read only once.
    """
    from gofer.messages.content import chunks

    digest = _new_hash(space.hash_name)
    request.rewind()
    for chunk in chunks(request.body):
        digest.update(chunk)
    request.rewind()
    return _hexadecimal(digest)
