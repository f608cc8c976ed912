"""Known bugs of Requests, then and now, that must not come back (SPEC 3), and the acceptance tests
of SPEC 5 that no other file holds. Left out: what is about the async module."""

import copy
import gc
import io
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gofer
from gofer.auth import HTTPDigestAuth
from gofer.exceptions import (
    BodyReadTimeout,
    ConnectTimeout,
    InvalidHeader,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    SSLError,
)
from servers.certificates import Certificates
from servers.listener import Gate
from servers.proxy import Proxy
from servers.raw import Peer, black_hole, refused_port, response, serve
from servers.web import Web

VERBS = ("get", "options", "head", "post", "put", "patch", "delete")


def elsewhere(web: Web) -> str:
    """The same server as another origin."""
    return f"{web.scheme}://localhost:{web.port}"


# Connections --------------------------------------------------------------------------------------


def test_b01_lazy_responses_do_not_pin_sockets(web: Web, session: gofer.Session) -> None:
    """200 small responses in a list, never read, hold one connection."""
    kept = [session.get(web.url + "/get") for _ in range(200)]

    assert 1 == web.peak
    assert 200 == len({id(answer.content) for answer in kept})


@pytest.mark.http1("a connection for each exchange")
def test_b01_dropped_responses_free_their_sockets(web: Web, gate: Gate) -> None:
    """Responses whose content has not come are freed by `del`."""
    with gofer.Session() as session:
        kept = [session.get(web.url + "/gate/late/content") for _ in range(20)]
        assert 20 == web.open
        del kept
        gc.collect()
        gate.set()
        web.wait_for(lambda: web.open == 0)


@pytest.mark.http1("a connection for each exchange")
def test_b02_the_connection_used_last_is_used_first(
    web: Web, session: gofer.Session, gate: Gate
) -> None:
    """Ten requests do not open ten connections; the freshest one is taken."""
    waiting = [session.get(web.url + "/gate/late/content") for _ in range(3)]
    gate.set()
    for index in (0, 2, 1):
        assert b"open" == waiting[index].content

    assert [1] * 10 == [
        session.get(web.url + "/connection").json()["connection"] for _ in range(10)
    ]


@pytest.mark.http1("a connection for each exchange")
def test_b03_content_of_redirects_is_read(web: Web, session: gofer.Session) -> None:
    """Hops use one connection, and their content can still be seen."""
    answer = session.get(web.url + "/redirect/3")

    assert 1 == web.accepted
    assert [b"on your way\n"] * 3 == [hop.content for hop in answer.history]


def test_b03_a_hop_with_endless_content_is_closed(session: gofer.Session) -> None:
    """What is too much to be drained is not waited for."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        if peer.index == 0:
            peer.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 99999999\r\n\r\nxxx")
            peer.wait_closed()
        else:
            peer.send(response(b"there"))

    with serve(script) as server:
        assert b"there" == session.get(server.url).content


def test_b04_close_closes_idle_connections(web: Web) -> None:
    """At once, not when the garbage collector comes round."""
    session = gofer.Session()
    session.get(web.url + "/get")
    session.get(elsewhere(web) + "/get")
    session.close()

    web.wait_for(lambda: web.open == 0)


@pytest.mark.parametrize("verb", VERBS)
def test_b05_functions_close_their_session(web: Web, verb: str) -> None:
    """In all paths: an answer, an error status, an exception."""
    getattr(gofer, verb)(web.url + "/anything")
    with pytest.raises(gofer.HTTPError):
        getattr(gofer, verb)(web.url + "/status/500", config={"danger_mode": True})
    with pytest.raises(gofer.TooManyRedirects):
        getattr(gofer, verb)(
            web.url + "/redirect-to?status_code=307&url=/redirect/9",
            allow_redirects=True, config={"max_redirects": 1},
        )  # fmt: skip

    web.wait_for(lambda: web.open == 0)


@pytest.mark.parametrize("how", ["close", "with", "drop", "iteration", "error"])
def test_b06_every_path_gives_the_place_back(how: str) -> None:
    """With one connection allowed, the next request gets it however the last one ended."""

    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        if how == "error":
            peer.wait("head read")
            peer.send(b"zzz\r\n")
        peer.wait_closed()

    config = {"max_connections_per_host": 1, "pool_timeout": 5.0}
    with serve(script) as server, gofer.session(config=config) as session:
        for _ in range(3):
            server.gates.pop("head read", None)
            answer = session.get(server.url)
            if how == "close":
                answer.close()
            elif how == "with":
                with answer:
                    pass
            elif how == "iteration":
                pieces = answer.iter_content(3)
                assert b"abc" == next(pieces)
                pieces.close()  # type: ignore[attr-defined]
            elif how == "error":
                server.gates["head read"].set()
                with pytest.raises(gofer.exceptions.ChunkedEncodingError):
                    answer.content  # noqa: B018
            del answer
            gc.collect()
        assert 3 == server.accepted


def test_b07_connections_through_a_proxy_are_kept(
    web: Web, web_tls: Web, proxy: Proxy, certificates: Certificates
) -> None:
    """Forwarded requests share a connection, and so do those in a tunnel."""
    proxies = {"http": proxy.url, "https": proxy.url}
    with gofer.session(proxies=proxies, verify=certificates.ca_file) as session:
        for _ in range(3):
            assert session.get(web.url + "/get").content
            assert session.get(web_tls.url + "/get").content

    assert 1 == len(proxy.tunnels)
    assert 2 == proxy.accepted


@pytest.mark.parametrize("config", [{}, {"max_retries": 3}])
def test_b08_a_post_that_was_sent_is_not_repeated(config: dict[str, Any]) -> None:
    """Neither by itself nor with `max_retries`."""
    with serve(lambda peer: peer.receive_request()) as server:
        with pytest.raises(gofer.ConnectionError):
            gofer.post(server.url, data=b"once", config=config)
        assert 1 == len(server.requests)


# Digest and auth ----------------------------------------------------------------------------------


def test_b09_digest_and_a_users_hook(web: Web) -> None:
    """Both run; the hook sees the answer that counts."""
    seen: list[int] = []
    gofer.get(
        web.url + "/digest-auth/auth/user/pass", auth=HTTPDigestAuth("user", "pass"),
        hooks={"response": lambda r: seen.append(r.status_code)},
    )  # fmt: skip

    assert [200] == seen


def test_b10_a_wrong_password_is_two_requests(web: Web) -> None:
    """No recursion: one repeat, then the 401 is the answer."""
    answer = gofer.get(
        web.url + "/digest-auth/auth/user/pass", auth=HTTPDigestAuth("user", "wrong")
    )

    assert (401, 2) == (answer.status_code, len(web.requests))


def test_b10_the_uri_is_the_request_target(web: Web) -> None:
    """Query and all."""
    answer = gofer.get(
        web.url + "/digest-auth/auth/user/pass", params={"x": "1"},
        auth=HTTPDigestAuth("user", "pass"),
    )  # fmt: skip

    assert 200 == answer.status_code
    field = web.requests[1].field("authorization") or ""
    assert 'uri="/digest-auth/auth/user/pass?x=1"' in field


def test_b10_nonces_are_used_again(web: Web, session: gofer.Session) -> None:
    """The second request answers at once, with a higher count."""
    session.auth = HTTPDigestAuth("user", "pass")
    for _ in range(3):
        assert 200 == session.get(web.url + "/digest-auth/auth/user/pass").status_code

    assert 4 == len(web.requests)


@pytest.mark.parametrize("qop", ["auth", "auth-int", "auth,auth-int"])
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
def test_b10_qop_and_algorithms(web: Web, qop: str, algorithm: str) -> None:
    """Lists of qop and newer algorithms; content is sent again."""
    answer = gofer.get(
        f"{web.url}/digest-auth/{qop}/user/pass/{algorithm}", auth=HTTPDigestAuth("user", "pass")
    )

    assert 200 == answer.status_code


@pytest.mark.only_in("blocking")
def test_b11_one_digest_object_in_many_threads(web: Web) -> None:
    """Twenty threads share an auth object and a session; every request succeeds."""
    auth = HTTPDigestAuth("user", "pass")
    statuses: list[int] = []
    with gofer.session(auth=auth) as session:

        def work() -> None:
            for _ in range(3):
                answer = session.get(web.url + "/digest-auth/auth/user/pass", prefetch=True)
                statuses.append(answer.status_code)

        in_threads(20, work)

    assert [200] * 60 == statuses


def in_threads(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_b12_credentials_stay_with_their_origin(web: Web, session: gofer.Session) -> None:
    """Authorization, Proxy-Authorization, Cookie fields and auth callables do not follow."""
    session.params = {}
    for words in (
        {"auth": ("user", "pass")},
        {"auth": HTTPDigestAuth("user", "pass")},
        {
            "headers": {
                "Authorization": "Bearer 1",
                "Proxy-Authorization": "Basic 1",
                "Cookie": "a=1",
            }
        },
        {"cookies": {"a": "1"}},
    ):
        session.get(web.url + "/redirect-to", params={"url": elsewhere(web) + "/get"}, **words)
        last = web.requests[-1]
        assert "/get" == last.target
        for name in ("authorization", "proxy-authorization", "cookie"):
            assert last.field(name) is None, (words, name)


def test_b12_credentials_do_not_come_back(web: Web) -> None:
    """A chain that leaves the origin and returns to it has none."""
    back = elsewhere(web) + "/redirect-to?url=" + web.url + "/get"
    gofer.get(web.url + "/redirect-to", params={"url": back}, auth=("user", "pass"))

    assert [True, False, False] == [
        request.field("authorization") is not None for request in web.requests
    ]


def test_b13_auth_may_return_none(web: Web) -> None:
    """It stands for the same request."""
    assert 200 == gofer.get(web.url + "/get", auth=lambda r: None).status_code


# Cookies ------------------------------------------------------------------------------------------


def test_b14_cookies_do_not_go_to_other_hosts(web: Web, session: gofer.Session) -> None:
    """Neither those of the server nor those of a call, nor on redirects."""
    session.get(web.url + "/cookies/set/a/1")
    session.get(elsewhere(web) + "/get")
    assert web.requests[-1].field("cookie") is None
    session.get(
        web.url + "/redirect-to", params={"url": elsewhere(web) + "/get"}, cookies={"b": "2"}
    )
    assert "/get" == web.requests[-1].target
    assert web.requests[-1].field("cookie") is None


def test_b14_cookies_of_a_session_belong_to_the_first_origin(web: Web) -> None:
    """A dict given to a session is bound to the host it is first sent to."""
    with gofer.session(cookies={"a": "1"}) as session:
        for url in (web.url, elsewhere(web), web.url):
            session.get(url + "/get")

    assert ["a=1", None, "a=1"] == [request.field("cookie") for request in web.requests]


@pytest.mark.parametrize("attributes", ["Path=/elsewhere", "Secure", "Max-Age=0"])
def test_b14_path_secure_and_expiry_count(session: gofer.Session, attributes: str) -> None:
    """A cookie that is not for this request is not sent."""
    answer = response(b"", set_cookie=f"a=1; {attributes}")
    with serve(lambda peer: [(peer.receive_head(), peer.send(answer)) for _ in range(2)]) as server:
        for _ in range(2):
            session.get(server.url + "/here")
        assert b"cookie" not in server.requests[1].lower()


def test_b15_cookies_of_an_unsent_request_reach_the_session(
    web: Web, session: gofer.Session
) -> None:
    """`return_response=False` makes no difference."""
    session.get(web.url + "/cookies/set/a/1", return_response=False).send()

    assert {"a": "1"} == dict(session.cookies)


def test_b16_cookies_of_a_call_are_gone_after_it(web: Web, session: gofer.Session) -> None:
    """They never became the session's."""
    session.get(web.url + "/redirect/1", cookies={"a": "1"})
    session.get(web.url + "/get")

    assert ["a=1", "a=1", None] == [request.field("cookie") for request in web.requests]


def test_b17_cookies_are_removed_and_replaced(web: Web, session: gofer.Session) -> None:
    """None removes, a value replaces, and a jar does so too."""
    session.get(web.url + "/cookies/set?a=1&b=2")
    jar = gofer.cookies.cookiejar_from_dict({"a": "9"})
    for cookies in ({"b": None}, {"a": "9"}, jar):
        session.get(web.url + "/get", cookies=cookies)

    assert [{"a": "1"}, {"a": "9", "b": "2"}, {"a": "9", "b": "2"}] == [
        request.cookies for request in web.requests[-3:]
    ]
    assert all(len(request.lines("cookie")) == 1 for request in web.requests[-3:])


# Merging and mutation -----------------------------------------------------------------------------


def test_b18_nothing_of_the_callers_is_changed(web: Web) -> None:
    """Whatever is given to a session or a call is deeply as it was, after every verb."""
    on_session: dict[str, Any] = {
        "headers": {"X-One": "1"}, "params": {"a": ["1", "2"]}, "cookies": {"a": "1"},
        "proxies": {"ftp": "http://localhost:1"}, "hooks": {"response": [same], "args": same},
        "config": {"max_redirects": 3, "base_headers": {"Accept": "*/*"}, "secret_headers": ["x"]},
    }  # fmt: skip
    on_call: dict[str, Any] = {
        "headers": {"X-One": None, "User-Agent": "mine"}, "params": {"a": None, "b": ["2"]},
        "cookies": {"a": None, "b": "2"}, "proxies": {"ftp": None, "x": "y://z"},
        "hooks": {"response": same, "pre_request": [same]}, "data": {"k": ["v"]},
        "files": {"f": ("name", b"content", "text/plain", {"X-Part": "1"})},
        "config": {"max_redirects": None, "safe_mode": True}, "auth": ["user", "pass"],
    }  # fmt: skip
    before = copy.deepcopy((on_session, on_call))
    with gofer.session(**on_session) as session:
        for verb in VERBS:
            getattr(session, verb)(web.url + "/anything", **on_call)
            getattr(gofer, verb)(web.url + "/redirect-to?url=/anything", **on_call)
            session.request(verb, web.url + "/anything", return_response=False, **on_call).send()
            options = {name: on_call[name] for name in ("headers", "params", "cookies", "hooks",
                                                        "data", "files", "auth")}  # fmt: skip
            session.send(session.prepare_request(
                gofer.Request(verb, web.url + "/anything", **options)
            ))  # fmt: skip

        assert before == (on_session, on_call)


def same(data: Any) -> Any:
    return data


def test_b18_hooks_registered_on_a_request_stay_there(web: Web) -> None:
    """A list of callbacks given by the caller is copied."""
    callbacks: list[Any] = [same]
    request = gofer.Request("GET", web.url + "/get", hooks={"response": callbacks})
    request.register_hook("response", same)
    with gofer.session(hooks={"response": callbacks}) as session:
        prepared = session.prepare_request(gofer.Request("GET", web.url + "/get"))
        prepared.register_hook("response", same)

        assert [same] == callbacks == session.hooks["response"]


def test_b19_defaults_are_not_shared() -> None:
    """Editing one session's values changes neither another session's nor the package's."""
    one, other = gofer.Session(), gofer.Session()
    one.headers["X-Test"] = "1"
    one.config["base_headers"]["X-Base"] = "1"
    one.hooks["response"].append(same)
    one.params["a"] = "1"
    one.proxies["http"] = "http://localhost:1"

    assert "X-Test" not in other.headers
    assert "X-Base" not in other.config["base_headers"]
    assert ([], {}, {}) == (other.hooks["response"], other.params, other.proxies)


@pytest.mark.parametrize(
    ("on_session", "on_call", "expected"),
    [
        ({"a": "1"}, "b=2", "a=1&b=2"),
        ({"a": "1"}, "b=2&c", "a=1&b=2&c"),
        ({"a": "1"}, b"b=2", "a=1&b=2"),
        ({"a": "1"}, [("b", "2"), ("b", "3")], "a=1&b=2&b=3"),
        ([("a", "1")], {"b": "2"}, "a=1&b=2"),
        ([("a", "1"), ("c", "1")], {"a": None}, "c=1"),
        ("a=1", {"b": "2"}, "a=1&b=2"),
        ("a=1", "b=2", "a=1&b=2"),
        ({"a": "1"}, {"b": ["2", "3"], "c": None}, "a=1&b=2&b=3"),
    ],
)
def test_b20_params_in_every_form(
    web: Web, session: gofer.Session, on_session: Any, on_call: Any, expected: str
) -> None:
    """Pairs are merged; a string comes after the session's params."""
    session.params = on_session
    session.get(web.url + "/get", params=on_call)

    assert "/get?" + expected == web.requests[0].target


def test_b21_fields_are_one_line_each(web: Web, session: gofer.Session) -> None:
    """Another case replaces or removes; bytes names too."""
    session.headers["X-Test"] = "1"
    session.get(web.url + "/get", headers={"x-test": "2", b"USER-AGENT": "mine"})
    session.get(web.url + "/get", headers={b"x-TEST": None})

    first, second = web.requests
    assert (["2"], ["mine"], []) == (
        first.lines("x-test"), first.lines("user-agent"), second.lines("x-test"),
    )  # fmt: skip


def test_b24_none_in_config_breaks_nothing(web: Web) -> None:
    """The first redirect raised TooManyRedirects."""
    assert 200 == gofer.get(web.url + "/redirect/2", config={"max_redirects": None}).status_code
    with gofer.session(config={"max_redirects": None}) as session:
        assert 200 == session.get(web.url + "/redirect/2").status_code


def test_b33_params_are_not_added_to_a_location(web: Web) -> None:
    """Neither the session's nor the call's; here or on another host."""
    with gofer.session(params={"key": "secret"}) as session:
        session.get(web.url + "/redirect/1")
        session.get(
            web.url + "/redirect-to", params={"url": elsewhere(web) + "/get?x=1", "call": "1"}
        )

    assert ["/get", "/get?x=1"] == [web.requests[1].target, web.requests[3].target]


# Hooks --------------------------------------------------------------------------------------------


def test_b22_a_swallowed_error_is_shown_whole(web: Web) -> None:
    """Not only str(error): the type and the traceback."""

    def failing(data: Any) -> None:
        raise KeyError

    with pytest.warns(gofer.HookWarning, match=r"(?s)KeyError.*Traceback.*in failing"):
        gofer.get(web.url + "/get", hooks={"response": failing})


def test_b23_pre_request_does_not_run_for_an_unsent_request(web: Web) -> None:
    """It runs when the request goes out."""
    seen: list[Any] = []
    request = gofer.get(web.url + "/get", return_response=False, hooks={"pre_request": seen.append})
    assert [] == seen
    request.send()

    assert 1 == len(seen)


def test_b25_hops_know_their_history(web: Web) -> None:
    """A response hook sees what led to each hop."""
    seen: list[list[str]] = []
    gofer.get(
        web.url + "/redirect/2",
        hooks={"response": lambda r: seen.append([h.url for h in r.history])},
    )

    one, two = web.url + "/redirect/2", web.url + "/redirect/1"
    assert [[], [one], [one, two]] == seen


# Sessions of others -------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [*VERBS, "request"])
def test_b29_session_is_an_argument_of_every_function(
    web: Web, session: gofer.Session, verb: str
) -> None:
    """The call runs on that session: its values, its cookies, its connection."""
    session.headers["X-Test"] = "1"
    arguments = ("get",) if verb == "request" else ()
    for _ in range(2):
        getattr(gofer, verb)(*arguments, web.url + "/anything", session=session)

    assert ["1", "1"] == [request.field("x-test") for request in web.requests]
    assert 1 == web.accepted


@pytest.mark.only_in("blocking")
def test_b30_one_session_in_many_threads(web: Web) -> None:
    """Cookies, hooks and connections survive eight threads on one session."""
    seen: list[int] = []
    failures: list[Exception] = []
    with gofer.session(hooks={"response": lambda r: seen.append(r.status_code)}) as session:

        def work() -> None:
            name = f"c{threading.get_ident()}"
            try:
                for index in range(10):
                    session.get(f"{web.url}/cookies/set/{name}/{index}", allow_redirects=False)
                    echoed = session.get(web.url + "/cookies", prefetch=True).json()["cookies"]
                    assert str(index) == echoed[name]
            except Exception as error:
                failures.append(error)

        in_threads(8, work)

    assert [] == failures
    assert 160 == len(seen)


# Responses and errors -----------------------------------------------------------------------------


def test_b31_errors_of_the_transport_have_their_names(
    web_tls: Web, certificates: Certificates
) -> None:
    """A refused connection is no timeout, nor is TLS."""
    with pytest.raises(gofer.ConnectionError) as refused:
        gofer.get(f"http://127.0.0.1:{refused_port()}/")
    with pytest.raises(SSLError) as untrusted:
        gofer.get(web_tls.url + "/get", verify=certificates.other_ca_file)
    with black_hole() as port, pytest.raises(ConnectTimeout):
        gofer.get(f"http://127.0.0.1:{port}/", timeout=0.2)

    assert not isinstance(refused.value, gofer.Timeout)
    assert not isinstance(untrusted.value, gofer.Timeout)


READERS: dict[str, Callable[[gofer.Response], object]] = {
    "content": lambda answer: answer.content,
    "iteration": lambda answer: list(answer.iter_content(1)),
    "lines": lambda answer: list(answer.iter_lines()),
    "raw": lambda answer: answer.raw.read(),
}


@pytest.mark.parametrize("how", READERS)
def test_b31_silence_in_content_is_both(web: Web, gate: Gate, how: str) -> None:
    """A ReadTimeout and a ConnectionError, whichever way content is read."""
    answer = gofer.get(web.url + "/gate/late/content", timeout=0.1)
    with pytest.raises(BodyReadTimeout) as caught:
        READERS[how](answer)

    assert isinstance(caught.value, gofer.ReadTimeout)
    assert isinstance(caught.value, gofer.ConnectionError)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("example.com/path", MissingSchema),
        ("/path", MissingSchema),
        ("", MissingSchema),
        (None, MissingSchema),
        ("ftp://example.com/", InvalidSchema),
        ("http://", InvalidURL),
        ("http://*example.com", InvalidURL),
        ("http://[::1", InvalidURL),
        ("http://a:99999/", InvalidURL),
    ],
)
def test_b32_bad_urls_have_names(url: Any, error: type[Exception]) -> None:
    """Each is a ValueError and a RequestException, with words."""
    with pytest.raises(error) as caught:
        gofer.get(url)

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, gofer.RequestException)
    assert str(caught.value)


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"),
        (308, "POST", "POST"), (301, "PUT", "PUT"), (302, "PUT", "GET"), (303, "PUT", "GET"),
        (307, "PUT", "PUT"), (303, "HEAD", "HEAD"), (303, "DELETE", "GET"),
    ],
)  # fmt: skip
def test_b34_methods_and_content_over_redirects(
    web: Web, status: int, method: str, expected: str
) -> None:
    """303 is followed with GET; 307 and 308 keep the content; what loses it loses its fields."""
    data = None if method == "HEAD" else b"content"
    gofer.request(
        method, f"{web.url}/redirect-to?status_code={status}&url=/anything", data=data,
        headers={"Content-Type": "text/x"} if data else None,
    )  # fmt: skip

    last = web.requests[-1]
    assert (expected, "/anything") == (last.method, last.target)
    kept = status in (307, 308)
    assert (b"content" if kept else b"") == last.content
    assert ("text/x" if kept else None) == last.field("content-type")


@pytest.mark.http1("over HTTP/3 the environment says whom to trust")
@pytest.mark.filterwarnings("ignore::gofer.exceptions.InsecureRequestWarning")
def test_b35_certificates_are_verified(
    web_tls: Web, certificates: Certificates, session: gofer.Session
) -> None:
    """By default, and again after a call that did without."""
    url = web_tls.url + "/get"
    for _ in range(2):
        with pytest.raises(SSLError):
            session.get(url)
        assert 200 == session.get(url, verify=False).status_code
    assert 200 == session.get(url, verify=certificates.ca_file).status_code


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", " a", "\ta"])
def test_b36_fields_cannot_be_injected(web: Web, value: str) -> None:
    """Line breaks and leading blanks are refused before anything is sent."""
    with pytest.raises(InvalidHeader):
        gofer.get(web.url + "/get", headers={"X-Test": value})
    with pytest.raises(InvalidHeader):
        gofer.get(web.url + "/get", headers={"X-Te st": "1"})
    assert [] == web.requests


def test_b36_none_removes_for_real(web: Web) -> None:
    """Nobody puts a default field back."""
    names = ("User-Agent", "Accept-Encoding", "Accept", "Connection")
    gofer.get(web.url + "/get", headers=dict.fromkeys(names))

    assert ["Host"] == [name for name, _ in web.requests[0].fields]


def test_b37_an_explicit_field_beats_netrc_and_empty_entries_are_nothing(
    web: Web, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Authorization` of the caller stays; an empty login sends nothing."""
    netrc = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(netrc))
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    gofer.get(web.url + "/get", headers={"Authorization": "Bearer 1"})
    netrc.write_text('machine localhost login "" password ""\n')
    gofer.get(elsewhere(web) + "/get")

    assert ["Bearer 1", None] == [request.field("authorization") for request in web.requests]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 512])
def test_b38_lines_do_not_depend_on_pieces(size: int) -> None:
    """A CRLF cut in two is one line end; the last line needs none."""
    content = b"one\r\ntwo\n\nthree\rfour\r\n\r\nlast"
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in content) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serve(lambda peer: (peer.receive_head(), peer.send(head), peer.drip(pieces))) as server:
        lines = list(gofer.get(server.url).iter_lines(size))

    assert content.splitlines() == lines


def test_b39_set_cookie_lines_are_not_folded(session: gofer.Session) -> None:
    """Dates have commas; what cannot be understood is ignored."""
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
        b"Set-Cookie: a=1; Expires=Wed, 09 Jun 2100 10:18:14 GMT\r\n"
        b"Set-Cookie: b=2, c=3\r\nSet-Cookie: ;;;\r\nSet-Cookie: =\r\nSet-Cookie: d=4\r\n\r\n"
    )
    with serve(lambda peer: (peer.receive_head(), peer.send(answer))) as server:
        got = session.get(server.url)

    assert {"a": "1", "b": "2, c=3", "d": "4"} == dict(session.cookies) == dict(got.cookies)


def test_b40_verbose_masks_passwords_and_keeps_six_digits(web: Web) -> None:
    """The line is as it should be even with credentials in the URL."""
    log = io.StringIO()
    gofer.get(web.url.replace("//", "//user:secret@") + "/get?a=1", config={"verbose": log})

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}   [A-Z]+   \S+\n", log.getvalue())
    assert "secret" not in log.getvalue()


def test_b41_safe_mode_has_no_holes() -> None:
    """Whatever goes wrong comes back as a falsy response with its error."""
    for url in (f"http://127.0.0.1:{refused_port()}/", "ftp://example.com/", "nonsense", ""):
        answer = gofer.get(url, config={"safe_mode": True})
        assert (0, False) == (answer.status_code, answer.ok)
        assert isinstance(answer.error, gofer.RequestException)


# SPEC 5.14: today's idioms ------------------------------------------------------------------------


@pytest.mark.only_in("blocking", "hub", "gevent")  # adapters are called by synchronous code
def test_todays_idioms(web: Web) -> None:
    """Session() and attributes, stream, prepare and send, mount, pickling."""
    session = gofer.Session()
    session.headers.update({"X-Test": "1"})
    session.auth = ("user", "pass")
    with session.get(web.url + "/drip/100", stream=True) as answer:
        assert 100 == sum(len(piece) for piece in answer.iter_content(8))
    prepared = session.prepare_request(gofer.Request("POST", web.url + "/post", json={"a": 1}))
    assert {"a": 1} == session.send(prepared, timeout=9).json()["json"]
    session.mount("http://", gofer.adapters.HTTPAdapter())
    assert 200 == session.get(web.url + "/get").status_code
    copied = pickle.loads(pickle.dumps(session))
    assert ("1", ("user", "pass")) == (copied.headers["x-test"], copied.auth)
    assert 200 == copied.get(web.url + "/get").status_code
    for one in (session, copied):
        one.close()


def test_an_answer_to_any_auth_can_be_pickled(web: Web) -> None:
    """A callable that has done its work, even a lambda, is not in the way."""
    answer = gofer.get(web.url + "/get", auth=lambda r: r)
    copied = pickle.loads(pickle.dumps(answer))

    assert (answer.json(), web.url + "/get") == (copied.json(), copied.request.url)


def test_todays_names() -> None:
    """The names that `from requests import *` gives."""
    names = (
        "ConnectionError ConnectTimeout HTTPError JSONDecodeError PreparedRequest ReadTimeout"
        " Request RequestException Response Session Timeout TooManyRedirects URLRequired codes"
        " delete get head options patch post put request session utils"
    ).split()

    assert [] == [name for name in names if not hasattr(gofer, name)]


@pytest.mark.http1("chunks")
def test_a_generator_as_content_is_sent_in_chunks(web: Web) -> None:
    """Content of unknown length has a transfer coding."""

    def content() -> Iterator[bytes]:
        yield from (b"one ", b"", b"two")

    sent = gofer.post(web.url + "/post", data=content()).json()

    assert ("one two", "chunked") == (sent["data"], sent["headers"]["Transfer-Encoding"])
