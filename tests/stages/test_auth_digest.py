"""Digest credentials: against the RFC's examples, and against a judge that checks every one."""

import io
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Lock, Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from gofer.dropin.models import PreparedRequest
from gofer.exceptions import UnrewindableBodyError
from gofer.messages.challenges import parse_challenges
from gofer.messages.digest import ALGORITHMS, ProtectionSpace, choose
from gofer.messages.fields import FieldSection
from gofer.messages.response import Response
from gofer.messages.url import parse
from gofer.stages import auth as stage
from gofer.stages.auth import AuthBase
from gofer.stages.auth.digest import MAX_SPACES, HTTPDigestAuth, HTTPProxyDigestAuth
from servers import digest as judge

URL = "http://one.example/path;p=1?x=1&y"
OFFERED = ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"]


class Web:
    """What the judge remembers: nonces and their counts."""

    port = 80

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.changed = Lock()


class Arrived:
    """A request in the shape the judge looks at."""

    def __init__(self, web: Web, request: Any, options: dict[str, str]) -> None:
        self.web = web
        self.method = request.method
        self.target = request.url_parsed.target.decode("ascii")
        self.fields = request.headers
        self.options = {**options, **dict(parse_qsl(request.url_parsed.query or ""))}
        self.content = read(request.body)

    def field(self, name: str) -> Any:
        return self.fields.get(name)

    def option(self, name: str, default: str = "") -> str:
        return str(self.options.get(name, default))


def read(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    return bytes(body.read()) if hasattr(body, "read") else b"".join(body)


class Server:
    """Lets in whom the judge finds good; keeps (status code, Authorization) of each request.

    Options are the judge's: next_nonce, stale_after, userhash, opaque.
    """

    def __init__(
        self, algorithm: str = "MD5", qop: str = "auth", password: str = "pass", **options: str
    ) -> None:
        self.account = judge.Account(qop, "user", password, algorithm)
        self.options = options
        self.web = Web()
        self.seen: list[tuple[int, str | None]] = []
        self.reasons: list[str] = []
        self.contents: list[bytes] = []

    async def send(self, request: Any) -> Response:
        arrived: Any = Arrived(self.web, request, self.options)
        reply = judge.answer(arrived, self.account)
        self.seen.append((reply.status, arrived.field("Authorization")))
        self.reasons.append(json.loads(reply.content).get("reason", ""))  # type: ignore[arg-type]
        self.contents.append(arrived.content)
        return response_to(request, reply.status, *reply.fields)

    @property
    def statuses(self) -> list[int]:
        return [status for status, _ in self.seen]


class Script:
    """Answers in turn with a status and fields; keeps the requests."""

    def __init__(self, *answers: tuple[Any, ...]) -> None:
        self.answers = list(answers)
        self.requests: list[Any] = []

    async def send(self, request: Any) -> Response:
        self.requests.append(request)
        status, *fields = self.answers.pop(0)
        return response_to(request, status, *fields)

    @property
    def credentials(self) -> list[dict[str, str] | None]:
        """What each request said in Authorization."""
        values = [request.headers.get("Authorization") for request in self.requests]
        return [value and parse_challenges([value])[0].parameters for value in values]


def response_to(request: Any, status: int, *fields: tuple[str, str]) -> Response:
    response = Response()
    response.request = request
    response.url = request.url
    response.status_code = status
    response.fields = FieldSection.of([(n.encode(), v.encode("latin-1")) for n, v in fields])
    return response


def challenge(**parameters: str) -> tuple[int, tuple[str, str]]:
    """A 401 with a Digest challenge."""
    parameters = {"realm": "r", "nonce": "n", "qop": "auth", **parameters}
    value = "Digest " + ", ".join(f'{k}="{v}"' for k, v in parameters.items() if v is not None)
    return 401, ("WWW-Authenticate", value)


OK = (200,)


def fetch(auth: Any, server: Any, url: str = URL, method: str = "GET", **arguments: Any) -> Any:
    """The response to one request, through the stage."""
    request = PreparedRequest()
    request.prepare(method=method, url=url, **arguments)
    return send(request, auth, server)


def send(request: Any, auth: Any, server: Any) -> Any:
    request.auth = auth
    request.settings = SimpleNamespace(max_drain=1000)
    try:
        stage.auth(request, server.send).send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the stage waited")


# The computation ----------------------------------------------------------------------------------


def test_the_examples_of_the_rfcs(vectors: Path) -> None:
    """RFC 2617 and 7616 (with its erratum), and computed ones for what they leave out."""
    for case in json.loads((vectors / "auth" / "digest.json").read_text()):
        parameters = {
            "realm": f'"{case["realm"]}"',
            "nonce": f'"{case["nonce"]}"',
            "algorithm": case["algorithm"],
            "opaque": f'"{case["opaque"]}"',
            "charset": "UTF-8",
        }
        if case["qop"]:
            parameters["qop"] = f'"{case["qop"]}"'
        if case["userhash"]:
            parameters["userhash"] = "true"
        value = ", ".join(f"{name}={text}" for name, text in parameters.items())
        space = ProtectionSpace(parse_challenges([f"Digest {value}"])[0])
        space.cnonce = case["cnonce"] or ""

        content_hash = space.hash(case["body"].encode()) if case["body"] else b""
        credentials = space.credentials(
            case["username"], case["password"], case["method"], case["uri"],
            count=int(case["nc"] or "1", 16), content_hash=content_hash,
        )  # fmt: skip
        given = parse_challenges([credentials])[0].parameters

        assert case["response"] == given["response"], case["name"]
        assert case["username_field"] == given["username"], case["name"]
        assert case["uri"] == given["uri"]
        assert case["opaque"] == given["opaque"]
        assert case["qop"] == given.get("qop")
        assert case["nc"] == given.get("nc")
        assert ("true" if case["userhash"] else None) == given.get("userhash")


@pytest.mark.parametrize("qop", ["auth", "auth-int", "auth,auth-int", "none"])
@pytest.mark.parametrize("algorithm", OFFERED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_algorithm_and_quality(algorithm: str, qop: str, method: str) -> None:
    """Challenged once; then again and again without being asked."""
    server = Server(algorithm, qop, userhash="1" if method == "POST" else "")
    auth = HTTPDigestAuth("user", "pass")
    data = b"a=1&b=2" if method == "POST" else None

    for _ in range(3):
        fetch(auth, server, method=method, data=data)

    assert [401, 200, 200, 200] == server.statuses, server.reasons


def test_the_request_target_is_exact() -> None:
    """Parameters, an empty query and escapes are in the uri as they are in the request line."""
    for target in ("/", "/?", "/a;b=c?d=e&f", "/%7e%2F?%22", "/?a=b%20c"):
        server = Server()
        request = PreparedRequest()
        request.prepare_method("GET")
        request.prepare_url(f"http://one.example{target}#fragment", requote=False)
        request.prepare_headers({})

        assert 200 == send(request, HTTPDigestAuth("user", "pass"), server).status_code
        assert f'uri="{target}"' in str(server.seen[1][1])


def test_quotes_and_backslashes() -> None:
    """They are escaped in credentials, and hashed as the characters they stand for."""
    server = Script(challenge(realm='a \\"b\\" \\\\', opaque='\\"', nonce='x\\"'), OK)

    fetch(HTTPDigestAuth('us"er\\', "pass"), server)

    credentials = server.credentials[1]
    assert credentials is not None
    assert 'a "b" \\' == credentials["realm"]
    assert 'us"er\\' == credentials["username"]
    assert ('"', 'x"') == (credentials["opaque"], credentials["nonce"])


@pytest.mark.parametrize(
    ("username", "charset", "expected"),
    [
        ("Jäsøn", "UTF-8", "username*=UTF-8''J%C3%A4s%C3%B8n"),
        ("Jäsøn", "utf-8", "username*=UTF-8''J%C3%A4s%C3%B8n"),
        ("Jason", "UTF-8", 'username="Jason"'),
        ("Jä", None, 'username="JÃ¤"'),  # UTF-8 octets, as text travels
        ("Jä".encode("latin-1"), "UTF-8", 'username="Jä"'),
    ],
)
def test_user_names_beyond_ascii(username: Any, charset: Any, expected: str) -> None:
    """UTF-8; in username* for servers that name the charset (RFC 7616, 4)."""
    server = Script(challenge(charset=charset), OK)

    fetch(HTTPDigestAuth(username, "pass"), server)

    assert f"Digest {expected}, realm=" in server.requests[1].headers["Authorization"]
    server.requests[1].headers.encode()


def test_what_the_challenge_lacks_is_not_sent() -> None:
    """A server of RFC 2069 gets no word it does not know."""
    server = Script(challenge(qop=None), OK)  # type: ignore[arg-type]

    fetch(HTTPDigestAuth("user", "pass"), server)

    assert server.credentials[1] is not None
    assert {"username", "realm", "nonce", "uri", "response"} == set(server.credentials[1])


# Which challenge ----------------------------------------------------------------------------------


def digest(algorithm: str | None, **parameters: str) -> str:
    given = f', algorithm={algorithm}, qop="auth"' if algorithm else ""
    return f'Digest realm="r", nonce="{algorithm}"{given}' + "".join(
        f', {name}="{value}"' for name, value in parameters.items()
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([digest("MD5"), digest("SHA-256")], "SHA-256"),
        ([digest("SHA-512-256"), digest("SHA-256"), digest("MD5")], "SHA-512-256"),
        ([digest("MD5") + ", " + digest("sha-256-SESS")], "sha-256-SESS"),
        ([digest("MD5-sess"), digest("MD5")], "MD5-sess"),
        ([digest("SHA-999"), digest("MD5")], "MD5"),
        ([digest("SHA-999")], None),
        ([digest("SHA-256", x="y").replace("auth", "auth-conf"), digest("MD5")], "MD5"),
        (['Basic realm="r"', digest(None)], "None"),
        (['Basic realm="r", Negotiate'], None),
        (['Digest realm="r"'], None),
        (['Digest nonce="n"'], None),
        (['Digest realm="r", nonce=""'], None),
        ([], None),
    ],
)
def test_the_strongest_algorithm_wins(values: list[str], expected: str | None) -> None:
    """Of those that can be answered; among equals the server's order decides."""
    chosen = choose(parse_challenges(values))

    assert expected == (chosen and chosen.parameters["nonce"])


def test_a_challenge_that_cannot_be_answered_is_the_answer() -> None:
    """The 401 comes back after one request."""
    server = Script((401, ("WWW-Authenticate", digest("SHA-999"))))

    response = fetch(HTTPDigestAuth("user", "pass"), server)

    assert 401 == response.status_code
    assert [] == response.history


def test_a_hash_that_is_missing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenSSL without SHA-512/256 makes do with what is offered beside it."""
    monkeypatch.setitem(ALGORITHMS, "sha-512-256", "no such hash")

    chosen = choose(parse_challenges([digest("SHA-512-256"), digest("MD5")]))

    assert "MD5" == (chosen and chosen.parameters["nonce"])


# The flow -----------------------------------------------------------------------------------------


def test_one_repeat_and_its_history() -> None:
    """The first request goes out plain, and stays as it was."""
    server = Server()

    response = fetch(HTTPDigestAuth("user", "pass"), server)

    assert [401, 200] == server.statuses
    assert [401] == [earlier.status_code for earlier in response.history]
    assert "Authorization" not in response.history[0].request.headers
    assert "Authorization" in response.request.headers


def test_a_wrong_password_is_tried_once() -> None:
    """Two requests, not 197 (Requests before 0.13.4)."""
    server = Server(password="other")
    auth = HTTPDigestAuth("user", "pass")

    assert 401 == fetch(auth, server).status_code
    assert [401, 401] == server.statuses
    assert 401 == fetch(auth, server).status_code
    assert [401] * 4 == server.statuses


def test_a_password_that_no_longer_holds() -> None:
    """Credentials from a known nonce are refused: one repeat with the new nonce, then the end."""
    server = Server()
    auth = HTTPDigestAuth("user", "pass")
    fetch(auth, server)
    server.account.password = "changed"

    assert 401 == fetch(auth, server).status_code
    assert [401, 200, 401, 401] == server.statuses


@pytest.mark.parametrize("status", [200, 403, 407, 500])
def test_only_a_401_is_a_challenge(status: int) -> None:
    """The field means nothing with other status codes."""
    server = Script((status, challenge()[1]))

    response = fetch(HTTPDigestAuth("user", "pass"), server)

    assert status == response.status_code
    assert 1 == len(server.requests)


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        # challenged, then stale with a fresh nonce: once more
        ([challenge(), challenge(nonce="n2", stale="true"), OK], 3),
        ([challenge(), challenge(nonce="n2", stale="TRUE"), OK], 3),
        # ... never further
        (
            [
                challenge(),
                challenge(nonce="n2", stale="true"),
                challenge(nonce="n3", stale="true"),
            ],
            3,
        ),
        # stale, but nothing fresh
        ([challenge(), challenge(stale="true")], 2),
        # fresh, but not stale
        ([challenge(), challenge(nonce="n2")], 2),
        ([challenge(), challenge(nonce="n2", stale="false")], 2),
        # the repeat is answered by something else
        ([challenge(), (401, ("WWW-Authenticate", "Basic realm=r"))], 2),
        ([challenge(), (401,)], 2),
    ],
)
def test_stale_nonces(answers: list[Any], requests: int) -> None:
    """A second repeat needs stale=true and a fresh nonce; there is no third."""
    server = Script(*answers)

    response = fetch(HTTPDigestAuth("user", "pass"), server)

    assert requests == len(server.requests)
    assert requests - 1 == len(response.history)


def test_the_count_goes_up() -> None:
    """Each use of a nonce has its own count, over any number of requests and targets."""
    server = Script(challenge(), OK, OK, OK)
    auth = HTTPDigestAuth("user", "pass")

    fetch(auth, server)
    fetch(auth, server, "http://one.example/other")
    fetch(auth, server, method="HEAD")

    counts = [credentials and credentials["nc"] for credentials in server.credentials]
    assert [None, "00000001", "00000002", "00000003"] == counts


def test_a_nonce_that_went_stale() -> None:
    """The server's stale=true costs one more request, and the next nonce is used from there on."""
    server = Server(stale_after="2")
    auth = HTTPDigestAuth("user", "pass")

    for _ in range(4):
        assert 200 == fetch(auth, server).status_code

    assert [401, 200, 200, 401, 200, 200] == server.statuses


def test_the_next_nonce_is_used() -> None:
    """Authentication-Info's nextnonce saves the next challenge (RFC 7616, 3.5)."""
    server = Server(next_nonce="1", stale_after="1")
    auth = HTTPDigestAuth("user", "pass")

    for _ in range(4):
        fetch(auth, server)

    nonces = Counter(parse_challenges([v])[0].parameters["nonce"] for _, v in server.seen if v)
    assert [401, 200, 200, 200, 200] == server.statuses
    assert [1, 1, 1, 1] == list(nonces.values())


def test_a_fixed_nonce_is_counted_on() -> None:
    """A server that always gives the same nonce does not see a count twice."""
    server = Script(challenge(), OK, challenge(realm="other"), OK, challenge(), OK)
    auth = HTTPDigestAuth("user", "pass")

    for _ in range(3):
        fetch(auth, server)

    used = [(c["realm"], c["nc"]) for c in server.credentials if c]
    assert len(used) == len(set(used))


@pytest.mark.parametrize(
    "other", ["https://one.example/", "http://one.example:81/", "http://two.example/"]
)
def test_another_origin_knows_nothing(other: str) -> None:
    """A nonce of one origin never shows at another, be the realm the same."""
    server = Script(challenge(), OK, challenge(), OK, OK)
    auth = HTTPDigestAuth("user", "pass")

    fetch(auth, server)
    fetch(auth, server, other)
    fetch(auth, server)

    counts = [credentials and credentials["nc"] for credentials in server.credentials]
    assert [None, "00000001", None, "00000001", "00000002"] == counts


def test_credentials_for_another_target_do_not_go_out() -> None:
    """What a redirect copied along is taken off where nothing is known yet."""
    server = Script(OK)

    fetch(HTTPDigestAuth("user", "pass"), server, headers={"Authorization": "Digest uri=/old"})

    assert [None] == server.credentials


def test_memory_is_bounded() -> None:
    """A server that names a new realm in every challenge does not fill it."""
    auth = HTTPDigestAuth("user", "pass")
    for number in range(MAX_SPACES + 2):
        fetch(auth, Script(challenge(realm=str(number)), OK), f"http://{number}.example/")

    assert f"<HTTPDigestAuth {MAX_SPACES} known>" == repr(auth)


# Content ------------------------------------------------------------------------------------------


class Source(io.BytesIO):
    """A file."""


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_file_is_sent_again_from_where_it_started(qop: str) -> None:
    """The repeat has the whole content, and auth-int hashes just that."""
    server = Server(qop=qop)
    auth = HTTPDigestAuth("user", "pass")
    for _ in range(2):
        source = Source(b"skipped content")
        source.seek(8)
        assert 200 == fetch(auth, server, method="PUT", data=source).status_code

    assert [b"content"] * 3 == server.contents
    assert [401, 200, 200] == server.statuses, server.reasons


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_generator_cannot_be_sent_again(qop: str) -> None:
    """The error says so, with the challenge as its response; nothing is sent empty."""
    server = Server(qop=qop)
    auth = HTTPDigestAuth("user", "pass")

    def pieces() -> Iterator[bytes]:
        yield b"con"
        yield b"tent"

    with pytest.raises(UnrewindableBodyError) as caught:
        fetch(auth, server, method="PUT", data=pieces())

    assert 401 == caught.value.response.status_code
    assert [b"content"] == server.contents


def test_a_generator_is_fine_once_the_nonce_is_known() -> None:
    """Nothing has to be repeated then."""
    server = Server()
    auth = HTTPDigestAuth("user", "pass")
    fetch(auth, server)

    response = fetch(auth, server, method="PUT", data=iter([b"con", b"tent"]))

    assert 200 == response.status_code
    assert [b"", b"", b"content"] == server.contents


def test_a_generator_is_not_read_for_its_hash() -> None:
    """With auth-int it goes out plain, although a nonce is known, rather than being lost."""
    server = Server(qop="auth-int")
    auth = HTTPDigestAuth("user", "pass")
    fetch(auth, server)

    with pytest.raises(UnrewindableBodyError):
        fetch(auth, server, method="PUT", data=iter([b"con", b"tent"]))

    assert b"content" == server.contents[-1]


# Threads ------------------------------------------------------------------------------------------


def test_one_object_serves_many_threads() -> None:
    """Twenty threads share it against a server that wants counts to go up: all get in."""
    server = Server(stale_after="7")
    auth = HTTPDigestAuth("user", "pass")
    start = Barrier(20)
    statuses: list[int] = []

    def work() -> None:
        start.wait()
        statuses.extend(fetch(auth, server).status_code for _ in range(10))

    threads = [Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter({200: 200}) == Counter(statuses)


def test_a_repeat_cannot_be_overtaken() -> None:
    """A fresh nonce belongs to the request that was challenged until it was taken."""
    auth = HTTPDigestAuth("user", "pass")
    other = Script(challenge(nonce="theirs"), OK)
    ours = Script(challenge(nonce="ours"), OK)

    class Interrupted(Script):
        async def send(self, request: Any) -> Response:
            if request.headers.get("Authorization"):
                fetch(auth, other)  # another thread, between our challenge and our answer
            return await ours.send(request)

    fetch(auth, Interrupted())

    for server in (ours, other):
        counts = [credentials and credentials["nc"] for credentials in server.credentials]
        assert [None, "00000001"] == counts


def test_a_slow_response_does_not_bring_an_old_nonce_back() -> None:
    """What another thread learned while we waited stays in use."""
    auth = HTTPDigestAuth("user", "pass")
    fetch(auth, Script(challenge(nonce="old"), OK))
    other = Script(challenge(nonce="new", stale="true"), OK)

    class Slow(Script):
        async def send(self, request: Any) -> Response:
            fetch(auth, other)
            return await super().send(request)

    fetch(auth, Slow(OK))
    after = Script(OK)
    fetch(auth, after)

    assert after.credentials[0] is not None
    assert ("new", "00000002") == (after.credentials[0]["nonce"], after.credentials[0]["nc"])


# A proxy's 407 ------------------------------------------------------------------------------------


def through(proxy: str | None) -> Any:
    """Settings that send http URLs through a proxy, or directly."""
    route = SimpleNamespace(
        is_forwarding=proxy is not None, proxy=proxy and SimpleNamespace(key=("http", proxy, 80))
    )
    router = SimpleNamespace(route=lambda url, environment: route)
    return SimpleNamespace(max_drain=1000, router=router)


def proxied(auth: Any, server: Any, proxy: str | None, url: str = URL) -> Any:
    request = PreparedRequest()
    request.prepare(method="GET", url=url)
    request.auth, request.settings = auth, through(proxy)
    with pytest.raises(StopIteration) as stop:
        stage.auth(request, server.send).send(None)
    return stop.value.value


PROXY_CHALLENGE = (407, ("Proxy-Authenticate", challenge()[1][1]))


def test_a_proxy_is_answered() -> None:
    """Its nonce serves for every origin behind it, and for no other proxy."""
    auth = HTTPProxyDigestAuth("user", "pass")
    server = Script(PROXY_CHALLENGE, OK, OK, PROXY_CHALLENGE, OK)

    response = proxied(auth, server, "a.proxy")
    proxied(auth, server, "a.proxy", "http://two.example/")
    proxied(auth, server, "b.proxy")

    sent = [request.headers.get("Proxy-Authorization") for request in server.requests]
    counts = [value and parse_challenges([value])[0].parameters["nc"] for value in sent]
    assert [407] == [earlier.status_code for earlier in response.history]
    assert [None, "00000001", "00000002", None, "00000001"] == counts
    assert [None] * 5 == server.credentials


def test_an_origin_gets_no_proxy_credentials() -> None:
    """A 407 that comes without a proxy in between is not answered; a 401 neither."""
    auth = HTTPProxyDigestAuth("user", "pass")

    assert 407 == proxied(auth, Script(PROXY_CHALLENGE), None).status_code
    assert 401 == proxied(auth, Script(challenge()), "a.proxy").status_code


# Requests' face -----------------------------------------------------------------------------------


def test_requests_methods() -> None:
    """What code written for Requests calls is there."""
    auth = HTTPDigestAuth("user", "pass")
    request = PreparedRequest()
    request.prepare(method="GET", url=URL)
    response = response_to(request, *challenge())

    auth.init_per_thread_state()
    assert None is auth.build_digest_header("GET", URL)
    assert response is auth.handle_401(response, timeout=1)
    value = auth.build_digest_header("GET", URL)
    auth.handle_redirect(response)

    assert value is not None
    given = parse_challenges([value])[0].parameters
    assert ("n", parse(URL).target.decode()) == (given["nonce"], given["uri"])
    assert request is auth(request)
    assert isinstance(auth, AuthBase)


def test_equality_and_pickling() -> None:
    """Two are equal if they answer the same; a copy starts without nonces."""
    auth = HTTPDigestAuth("user", "pass")
    fetch(auth, Server())

    copied = pickle.loads(pickle.dumps(auth))

    assert auth == copied == HTTPDigestAuth("user", "pass")
    assert auth != HTTPDigestAuth("user", "other")
    assert auth != HTTPProxyDigestAuth("user", "pass")
    assert auth != ("user", "pass")
    assert ("<HTTPDigestAuth 1 known>", "<HTTPDigestAuth 0 known>") == (repr(auth), repr(copied))
