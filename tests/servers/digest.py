"""The server's side of Digest authentication (RFC 7616), written from the RFC to judge gofer.

Every reason for a refusal is in the answer's JSON, so that a failing test says why.
"""

import hashlib
import hmac
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers.web import Fields, Reply, Request

REALM = "witness"
ALGORITHMS = {
    "MD5": "md5",
    "SHA-256": "sha256",
    "SHA-512-256": "sha512_256",
}
PARAMETER = re.compile(r'([\w-]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,\s*|$)')

# RFC 7616, 3.4: these go without quotes, the others with them.
UNQUOTED = {"algorithm", "qop", "nc", "userhash"}


@dataclass(slots=True)
class Account:
    """Who may come in, and by which rules. `qop` may be "none" for the way of RFC 2069."""

    qop: str
    user: str
    password: str
    algorithm: str

    def hash(self, data: str | bytes) -> str:
        raw = data.encode() if isinstance(data, str) else data
        name = ALGORITHMS[self.algorithm.upper().removesuffix("-SESS")]
        return hashlib.new(name, raw).hexdigest()

    @property
    def is_session(self) -> bool:
        return self.algorithm.upper().endswith("-SESS")


class Refused(Exception):
    """The credentials are wrong; the message says how."""

    def __init__(self, reason: str, *, stale: bool = False) -> None:
        super().__init__(reason)
        self.stale = stale


def answer(request: "Request", account: Account) -> "Reply":
    """200 for good credentials, else 401 with a challenge."""
    from servers.web import Reply

    try:
        fields = check(request, account)
    except Refused as refusal:
        value = {"authenticated": False, "reason": str(refusal)}
        challenge = ("WWW-Authenticate", new_challenge(request, account, stale=refusal.stale))
        return Reply.json(value, 401, [challenge])
    return Reply.json({"authenticated": True, "user": account.user}, 200, fields)


def new_challenge(request: "Request", account: Account, *, stale: bool) -> str:
    parts = [f'realm="{REALM}"', f'nonce="{new_nonce(request)}"', f"algorithm={account.algorithm}"]
    if account.qop != "none":
        parts.append(f'qop="{account.qop}"')
    if opaque := request.option("opaque", "0p4que"):
        parts.append(f'opaque="{opaque}"')
    if request.option("userhash"):
        parts.append("userhash=true")
    if stale:
        parts.append("stale=true")
    return "Digest " + ", ".join(parts)


def new_nonce(request: "Request") -> str:
    """A nonce and, with it, the highest nonce count seen so far."""
    with request.web.changed:
        counter = request.web.state.setdefault("nonce counter", itertools.count(1))
        nonce = f"nonce-{next(counter)}-{request.web.port}"
        request.web.state.setdefault("nonces", {})[nonce] = 0
    return nonce


def check(request: "Request", account: Account) -> "Fields":
    """The fields of a 200 answer, or `Refused`."""
    scheme, _, text = (request.field("authorization") or "").partition(" ")
    if not scheme:
        raise Refused("no credentials")
    if scheme.lower() != "digest":
        raise Refused(f"the scheme is {scheme[:20]!r}")
    given = parse(text)
    if given.get("realm") != REALM:
        raise Refused("the realm is not ours")
    if given.get("uri") != request.target:
        raise Refused("the uri is not the request target")
    if given.get("opaque", "") != request.option("opaque", "0p4que"):
        raise Refused("the opaque value did not come back")
    if given.get("algorithm", "MD5").upper() != account.algorithm.upper():
        raise Refused("another algorithm")
    check_user(request, account, given)
    expected = expected_response(account, request.method, given, request.content)
    if not hmac.compare_digest(expected, given.get("response", "")):
        raise Refused("the response does not match")
    check_count(request, account, given)
    return authentication_info(request, account, given)


def parse(text: str) -> dict[str, str]:
    """The parameters of the credentials, of which none may come twice."""
    given: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = PARAMETER.match(text, position)
        if not match:
            raise Refused("the credentials are not auth-params separated by commas")
        name, quoted, token = match[1].lower(), match[2], match[3]
        if name in given:
            raise Refused(f"{name} comes twice")
        if (quoted is None) != (name in UNQUOTED):
            raise Refused(f"{name} is quoted and should not be, or the other way round")
        given[name] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
        position = match.end()
    return given


def check_user(request: "Request", account: Account, given: dict[str, str]) -> None:
    expected = account.user
    if request.option("userhash"):
        if given.get("userhash") != "true":
            raise Refused("userhash was offered and not used")
        expected = account.hash(f"{account.user}:{REALM}")
    if given.get("username") != expected:
        raise Refused("another user")


def check_count(request: "Request", account: Account, given: dict[str, str]) -> None:
    """The nonce is ours and fresh, and its count goes up (RFC 7616, 3.3 and 3.4)."""
    nonce = given.get("nonce", "")
    with request.web.changed:
        nonces: dict[str, int] = request.web.state.setdefault("nonces", {})
        if nonce not in nonces:
            raise Refused("the nonce is not one of ours", stale=True)
        if account.qop == "none":
            return
        if not re.fullmatch("[0-9a-f]{8}", given.get("nc", "")):
            raise Refused("nc is not eight lower-case hexadecimal digits")
        count = int(given["nc"], 16)
        if count <= nonces[nonce]:
            raise Refused("the nonce count did not go up", stale=True)
        nonces[nonce] = count
    if count > int(request.option("stale_after", "1000000")):
        raise Refused("the nonce is stale", stale=True)


def expected_response(account: Account, method: str, given: dict[str, str], content: bytes) -> str:
    """RFC 7616, 3.4.1 to 3.4.3."""
    qop = check_qop(account, given)
    secret = account.hash(f"{account.user}:{REALM}:{account.password}")
    if account.is_session:
        secret = account.hash(f"{secret}:{given.get('nonce')}:{given.get('cnonce')}")
    a2 = f"{method}:{given.get('uri')}"
    if qop == "auth-int":
        a2 += f":{account.hash(content)}"
    if qop is None:
        return account.hash(f"{secret}:{given.get('nonce')}:{account.hash(a2)}")
    middle = f"{given.get('nonce')}:{given.get('nc')}:{given.get('cnonce')}:{qop}"
    return account.hash(f"{secret}:{middle}:{account.hash(a2)}")


def check_qop(account: Account, given: dict[str, str]) -> str | None:
    if account.qop == "none":
        if "qop" in given or "nc" in given:
            raise Refused("qop and nc must not be sent where no qop was offered")
        return None
    offered = [value.strip() for value in account.qop.split(",")]
    if given.get("qop") not in offered:
        raise Refused("the qop was not offered")
    if not given.get("cnonce"):
        raise Refused("no cnonce")
    return given["qop"]


def authentication_info(request: "Request", account: Account, given: dict[str, str]) -> "Fields":
    """Authentication-Info (RFC 7616, 3.5), with the next nonce where the test asks for it."""
    parts = []
    if request.option("next_nonce"):
        parts.append(f'nextnonce="{new_nonce(request)}"')
    if account.qop != "none":
        parts += [f"qop={given['qop']}", f'cnonce="{given["cnonce"]}"', f"nc={given['nc']}"]
    return [("Authentication-Info", ", ".join(parts))] if parts else []
