"""Digest credentials (RFC 7616): proof that one knows the password, without sending it.

`messages/digest.py` picks a challenge and computes answers to it. `HTTPDigestAuth` is the flow:
ask, be challenged, answer; afterwards answer before being asked, as long as the nonce is good.

State: `HTTPDigestAuth._spaces`, by origin and realm, and the nonce counts in it, under one lock.
A space gets in there only after the server took an answer from it; until then it belongs to the
one request that was challenged, so that its first answer cannot be overtaken by another thread's.
"""

from threading import Lock
from typing import Any

from gofer.messages.challenges import parse_authentication_info, parse_challenges
from gofer.messages.digest import ProtectionSpace, choose, hash_content
from gofer.messages.url import parse
from gofer.stages.auth import AuthBase, Flow

__all__ = ["HTTPDigestAuth", "HTTPProxyDigestAuth"]

MAX_SPACES = 64  # of one HTTPDigestAuth; a server could name a new realm in every answer


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

    def _target(self, url: Any) -> str:
        """The request target, as it is in the request line (RFC 7616, 3.4.6)."""
        return url.target.decode("ascii")  # type: ignore[no-any-return]

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
            content_hash = hash_content(space, request)
        target = self._target(request.url_parsed)
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
        return self._value(space, method, self._target(parsed))

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

    def _target(self, url: Any) -> str:
        return url.absolute.decode("ascii")  # type: ignore[no-any-return]
