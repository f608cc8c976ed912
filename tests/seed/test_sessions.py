"""Session objects: what the page of 2012 says, sentence by sentence (S1 to S13)."""

import base64
import copy
import inspect
import io
import json
from pathlib import Path
from typing import Any

import pytest

import gofer
from servers.certificates import Certificates
from servers.listener import Gate
from servers.proxy import Proxy
from servers.web import Web

VERBS = ("get", "options", "head", "post", "put", "patch", "delete")
USER_PASS = "Basic dXNlcjpwYXNz"


# What a session holds applies to all its requests (S1) --------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("headers", {"X-Test": "true"}, "X-Test", "true"),
        ("cookies", {"a": "1"}, "Cookie", "a=1"),
        ("auth", ("user", "pass"), "Authorization", USER_PASS),
    ],
)
def test_s01_fields_of_a_session_are_on_every_request(
    web: Web, name: str, value: Any, field: str, expected: str
) -> None:
    """Headers, cookies and auth given to a session are sent with each of its requests."""
    with gofer.session(**{name: value}) as session:
        for path in ("/get", "/headers"):
            session.get(web.url + path)

    assert [expected, expected] == [request.field(field) for request in web.requests]


def test_s01_params_of_a_session_are_on_every_request(web: Web) -> None:
    """Params given to a session are in each query."""
    with gofer.session(params={"a": "1"}) as session:
        session.get(web.url + "/get")
        session.get(web.url + "/get?b=2")

    assert ["/get?a=1", "/get?b=2&a=1"] == [request.target for request in web.requests]


def test_s01_the_timeout_of_a_session_bounds_every_request(web: Web, gate: Gate) -> None:
    """A session's timeout holds where the call says nothing."""
    with gofer.session(timeout=0.1) as session:
        for _ in range(2):
            with pytest.raises(gofer.ReadTimeout):
                session.get(web.url + "/gate/late")


def test_s01_the_proxies_of_a_session_carry_every_request(web: Web, proxy: Proxy) -> None:
    """Proxies given to a session are used by each of its requests."""
    with gofer.session(proxies={"http": proxy.url}) as session:
        for _ in range(2):
            assert 200 == session.get(web.url + "/get").status_code

    assert [web.url + "/get"] * 2 == [asked.target for asked in proxy.asked]


def test_s01_the_hooks_of_a_session_run_for_every_request(web: Web) -> None:
    """Hooks given to a session run for each of its requests."""
    seen: list[str] = []
    with gofer.session(hooks={"response": lambda r: seen.append(r.url)}) as session:
        session.get(web.url + "/get")
        session.get(web.url + "/json")

    assert [web.url + "/get", web.url + "/json"] == seen


def test_s01_the_config_of_a_session_counts_for_every_request(web: Web) -> None:
    """Config given to a session counts for each of its requests."""
    log = io.StringIO()
    with gofer.session(config={"verbose": log}) as session:
        session.get(web.url + "/get")
        session.get(web.url + "/get")

    assert 2 == len(log.getvalue().splitlines())


def test_s01_verify_and_cert_of_a_session_count_for_every_request(
    web_tls: Web, certificates: Certificates
) -> None:
    """The keywords that joined later are a session's too."""
    with gofer.session(verify=certificates.ca_file, cert=certificates.client_cert) as session:
        statuses = [session.get(web_tls.url + "/get").status_code for _ in range(2)]

    assert [200, 200] == statuses


def test_s01_prefetch_of_a_session_counts_for_every_request(web: Web) -> None:
    """With `prefetch=True` on the session, calls return with their content."""
    with gofer.session(prefetch=True) as session:
        responses = [session.get(web.url + "/drip/3") for _ in range(2)]

        assert 1 == web.accepted
    assert [b"***", b"***"] == [response.content for response in responses]


# Cookies (S2, S4, S13) ----------------------------------------------------------------------------


def test_s02_cookies_of_the_server_come_back(web: Web, session: gofer.Session) -> None:
    """A cookie set by an answer, even on a redirect hop, is sent on later requests."""
    session.get(web.url + "/cookies/set/a/1")
    session.get(web.url + "/cookies/set?b=2", allow_redirects=False)

    assert {"a": "1", "b": "2"} == session.get(web.url + "/cookies").json()["cookies"]


def test_s02_cookies_stay_with_their_host(web: Web, session: gofer.Session) -> None:
    """A cookie of one host is not sent to another."""
    session.get(web.url + "/cookies/set/a/1")

    session.get(f"{web.scheme}://localhost:{web.port}/get")

    assert web.requests[-1].field("cookie") is None


def test_s02_expired_cookies_go(web: Web, session: gofer.Session) -> None:
    """A server takes its cookie away again."""
    session.get(web.url + "/cookies/set/a/1")
    session.get(web.url + "/cookies/delete?a=")

    assert {} == session.get(web.url + "/cookies").json()["cookies"]
    assert {} == dict(session.cookies)


def test_s04_the_example_with_cookies(web: Web) -> None:
    """The page's first example, word by word."""
    s = gofer.session()
    first = s.get(web.url + "/cookies/set/sessioncookie/123456789")
    r = s.get(web.url + "/cookies")

    assert 200 == first.status_code
    assert [302] == [hop.status_code for hop in first.history]
    assert web.url + "/cookies" == first.url
    assert {"cookies": {"sessioncookie": "123456789"}} == json.loads(r.content)
    assert "123456789" == s.cookies["sessioncookie"]
    assert {"sessioncookie": "123456789"} == dict(s.cookies)
    s.close()


def test_s13_cookies_of_a_call_are_not_kept(web: Web, session: gofer.Session) -> None:
    """Cookies given on one call are sent with it alone."""
    session.get(web.url + "/get", cookies={"a": "1"})
    session.get(web.url + "/get")

    assert ["a=1", None] == [request.field("cookie") for request in web.requests]
    assert {} == dict(session.cookies)


# The API of a session (S3, S5, S6, S7) ------------------------------------------------------------


def test_s03_a_session_has_every_function_of_the_api() -> None:
    """What can be called on the package can be called on a session, with the same parameters."""
    for name in (*VERBS, "request"):
        function = inspect.signature(getattr(gofer, name)).parameters
        method = inspect.signature(getattr(gofer.Session, name)).parameters

        assert set(function) - set(method) <= {"session", "kwargs", "params"}
        assert "url" in method
    for name in ("close", "send", "prepare_request", "mount", "get_adapter",
                 "merge_environment_settings"):  # fmt: skip
        assert callable(getattr(gofer.Session, name))


@pytest.mark.parametrize("verb", VERBS)
def test_s03_every_verb_works_on_a_session(web: Web, session: gofer.Session, verb: str) -> None:
    """Each verb sends its method, with the keywords of `request`."""
    response = getattr(session, verb)(
        web.url + "/anything", params={"a": "1"}, headers={"X-Test": "1"}
    )

    assert 200 == response.status_code
    (request,) = web.requests
    assert (verb.upper(), "/anything?a=1", "1") == (
        request.method, request.target, request.field("x-test"),
    )  # fmt: skip


def test_s03_request_takes_any_method(web: Web, session: gofer.Session) -> None:
    """`request` sends the method it is given, in capitals."""
    assert "QUERY" == session.request("query", web.url + "/anything").json()["method"]


def test_s05_session_is_session() -> None:
    """`session(**kw)` is `Session(**kw)`, and takes the words of 2012 and of today."""
    words = {
        "headers": {"X-Test": "1"}, "cookies": {"a": "1"}, "auth": ("user", "pass"),
        "timeout": 3.0, "proxies": {"http": "http://localhost:1"}, "hooks": {"response": print},
        "params": {"a": "1"}, "config": {"max_redirects": 3}, "prefetch": True, "verify": False,
        "cert": "client.pem",
    }  # fmt: skip

    session = gofer.session(**words)

    assert type(session) is gofer.Session
    assert "1" == session.headers["x-test"]
    assert {"a": "1"} == dict(session.cookies)
    assert [print] == session.hooks["response"]
    assert 3 == session.config["max_redirects"]
    for name in ("auth", "timeout", "proxies", "params", "prefetch", "verify", "cert"):
        assert words[name] == getattr(session, name)


def test_s05_the_order_of_2012() -> None:
    """The keywords of 2012 may be given by position, in the order of 2012."""
    names = list(inspect.signature(gofer.Session).parameters)[:8]

    assert "headers cookies auth timeout proxies hooks params config".split() == names
    assert isinstance(gofer.Session(), gofer.Session)


def test_s05_prefetch_and_stream_must_not_contradict() -> None:
    """`prefetch` and `stream` are two names of one setting."""
    assert gofer.Session(stream=False).prefetch
    assert not gofer.Session(stream=True, prefetch=False).prefetch
    with pytest.raises(ValueError, match="contradict"):
        gofer.Session(stream=True, prefetch=True)


def test_s06_with_binds_the_session_and_closes_it(web: Web) -> None:
    """The end of a `with` block closes idle connections; the session works again after it."""
    session = gofer.session()
    with session as bound:
        bound.get(web.url + "/get")
        assert 1 == web.open

    assert bound is session
    web.wait_for(lambda: web.open == 0)
    assert 200 == session.get(web.url + "/get").status_code
    session.close()


def test_s06_an_unread_response_survives_its_session(web: Web, gate: Gate) -> None:
    """Content that has not come yet can be read after the session's `with` block."""
    with gofer.session() as session:
        response = session.get(web.url + "/gate/late/content")
    gate.set()

    assert b"open" == response.content
    web.wait_for(lambda: web.open == 0)


def test_s07_the_example_with_defaults(web: Web) -> None:
    """The page's second example: both fields are sent, and the credentials."""
    headers = {"x-test": "true"}
    auth = ("user", "pass")

    with gofer.session(auth=auth, headers=headers) as c:
        sent = c.get(web.url + "/headers", headers={"x-test2": "true"}).json()["headers"]

    assert ("true", "true", USER_PASS) == (
        sent["X-Test"], sent["X-Test2"], sent["Authorization"],
    )  # fmt: skip
    assert b"user:pass" == base64.b64decode(sent["Authorization"].split()[1])


# Merging (S8 to S11) ------------------------------------------------------------------------------


def test_s08_params_are_merged(web: Web, session: gofer.Session) -> None:
    """Params of a call come after the session's."""
    session.params = {"a": "1"}
    session.get(web.url + "/get", params={"b": "2"})

    assert "/get?a=1&b=2" == web.requests[0].target


def test_s08_headers_and_cookies_are_merged(web: Web, session: gofer.Session) -> None:
    """Headers and cookies of a call are added to the session's."""
    session.headers["X-One"] = "1"
    session.cookies.set("a", "1")
    session.get(web.url + "/get", headers={"X-Two": "2"}, cookies={"b": "2"})

    (request,) = web.requests
    assert ("1", "2") == (request.field("X-One"), request.field("X-Two"))
    assert {"a": "1", "b": "2"} == request.cookies


def test_s08_proxies_are_merged(web: Web, proxy: Proxy, session: gofer.Session) -> None:
    """Proxies of a call are added to the session's."""
    session.proxies = {"http": proxy.url}
    session.get(web.url + "/get", proxies={"https": "http://127.0.0.1:1"})

    assert 1 == len(proxy.asked)


def test_s08_hooks_and_config_are_merged(web: Web, session: gofer.Session) -> None:
    """Hooks and config of a call are added to the session's."""
    seen: list[str] = []
    log = io.StringIO()
    session.hooks = {"response": lambda r: seen.append("response")}
    session.config["verbose"] = log
    session.get(
        web.url + "/redirect/1",
        hooks={"pre_request": lambda r: seen.append("pre_request")},
        config={"max_redirects": 3},
    )

    assert ["pre_request", "response"] * 2 == seen
    assert 2 == len(log.getvalue().splitlines())


def test_s09_on_a_clash_the_call_wins(web: Web, session: gofer.Session) -> None:
    """Params, headers (whatever their case) and cookies of a call replace the session's."""
    session.params = {"a": "1"}
    session.headers["X-Test"] = "session"
    session.cookies.set("c", "1")
    session.get(web.url + "/get", params={"a": "9"}, headers={"x-TEST": "call"}, cookies={"c": "9"})

    (request,) = web.requests
    assert "/get?a=9" == request.target
    assert ["call"] == request.lines("x-test")
    assert ["c=9"] == request.lines("cookie")


def test_s09_a_cookie_of_the_server_is_replaced_by_the_calls(
    web: Web, session: gofer.Session
) -> None:
    """A call's cookie takes the place of one the server set, for this call."""
    session.get(web.url + "/cookies/set/k/v")
    session.get(web.url + "/get", cookies={"k": "z"})
    session.get(web.url + "/get")

    assert ["k=z", "k=v"] == [request.field("cookie") for request in web.requests[-2:]]


def test_s09_proxies_hooks_and_config_of_a_call_win(
    web: Web, proxy: Proxy, session: gofer.Session
) -> None:
    """The other dicts follow the same rule."""
    seen: list[str] = []
    session.proxies = {"http": "http://127.0.0.1:1"}
    session.hooks["response"] = [lambda r: seen.append("session")]
    session.config["max_redirects"] = 0
    session.get(
        web.url + "/redirect/1",
        proxies={"http": proxy.url},
        hooks={"response": lambda r: seen.append("call")},
        config={"max_redirects": 5},
    )

    assert ["call", "call"] == seen
    assert 2 == len(proxy.asked)


@pytest.mark.filterwarnings("ignore::gofer.exceptions.InsecureRequestWarning")
def test_s09_other_values_of_a_call_win(web: Web, web_tls: Web, gate: Gate) -> None:
    """Auth, timeout, verify and prefetch: the call's if it has one, else the session's."""
    with gofer.session(auth=("a", "b"), timeout=30, prefetch=True) as session:
        session.get(web.url + "/get", auth=("user", "pass"))
        assert USER_PASS == web.requests[0].field("authorization")
        with pytest.raises(gofer.ReadTimeout):
            session.get(web.url + "/gate/late", timeout=0.1)
        session.get(web.url + "/gate/late/content", prefetch=False).close()
        with pytest.raises(gofer.exceptions.SSLError):
            session.get(web_tls.url + "/get")
        assert 200 == session.get(web_tls.url + "/get", verify=False).status_code


def nothing(data: Any) -> None:
    """A hook that changes nothing."""


def test_s10_the_merge_never_writes_back(web: Web) -> None:
    """After a call the session's dicts and the caller's are as they were."""
    on_session: dict[str, Any] = {
        "headers": {"X-One": "1"}, "params": {"a": "1"}, "cookies": {"a": "1"},
        "proxies": {"ftp": "http://localhost:1"}, "hooks": {"response": [nothing]},
        "config": {"max_redirects": 3, "base_headers": {"Accept": "*/*"}},
    }  # fmt: skip
    on_call: dict[str, Any] = {
        "headers": {"X-One": None, "X-Two": "2"}, "params": {"a": None, "b": "2"},
        "cookies": {"a": None, "b": "2"}, "proxies": {"ftp": None},
        "hooks": {"args": [nothing], "response": None}, "config": {"max_redirects": None},
    }  # fmt: skip
    before = copy.deepcopy((on_session, on_call))

    with gofer.session(**on_session) as session:
        held = {name: copy.copy(getattr(session, name)) for name in on_session}
        session.post(web.url + "/post", data={"k": "v"}, **on_call)
        session.get(web.url + "/redirect/2", **on_call)

        assert before == (on_session, on_call)
        for name, value in held.items():
            shown = dict if name == "cookies" else type(value)
            assert shown(value) == shown(getattr(session, name)), name


def test_s11_none_leaves_a_param_out(web: Web, session: gofer.Session) -> None:
    """A param set to None is left out of this request only."""
    session.params = {"a": "1"}
    session.get(web.url + "/get", params={"a": None, "c": "3"})
    session.get(web.url + "/get")

    assert ["/get?c=3", "/get?a=1"] == [request.target for request in web.requests]


def test_s11_none_leaves_a_cookie_out(web: Web, session: gofer.Session) -> None:
    """A cookie set to None is left out of this request only, wherever it came from."""
    session.cookies = {"a": "1", "b": "2"}
    session.get(web.url + "/get", cookies={"b": None})
    session.get(web.url + "/cookies/set/c/3")
    session.get(web.url + "/get", cookies={"c": None, "a": None})
    session.get(web.url + "/get")

    assert "a=1" == web.requests[0].field("cookie")
    assert "b=2" == web.requests[-2].field("cookie")
    assert {"a": "1", "b": "2", "c": "3"} == web.requests[-1].cookies


def test_s11_none_leaves_a_field_out(web: Web, session: gofer.Session) -> None:
    """A field set to None is left out whatever its case, a default one too."""
    session.headers["X-Test"] = "1"
    session.get(web.url + "/get", headers={"x-tEST": None, "user-agent": None, "accept": None})
    session.get(web.url + "/get")

    first, second = web.requests
    assert [None, None, None] == [first.field(n) for n in ("x-test", "user-agent", "accept")]
    assert "1" == second.field("x-test")
    assert None not in (second.field("user-agent"), second.field("accept"))


def test_s11_none_switches_a_hook_off(web: Web) -> None:
    """A hook set to None does not run for this call."""
    seen: list[int] = []
    with gofer.session(hooks={"response": lambda r: seen.append(1)}) as session:
        session.get(web.url + "/get", hooks={"response": None})
        assert [] == seen
        session.get(web.url + "/get")
        assert [1] == seen


def test_s11_none_switches_a_proxy_off(web: Web, proxy: Proxy) -> None:
    """A proxy set to None is not used for this call."""
    with gofer.session(proxies={"http": proxy.url}) as session:
        session.get(web.url + "/get", proxies={"http": None})
        assert [] == proxy.asked
        session.get(web.url + "/get")
        assert 1 == len(proxy.asked)


def test_s11_none_in_config_means_the_default(web: Web) -> None:
    """A config key set to None is at its package default for this call."""
    with gofer.session(config={"max_redirects": 0}) as session:
        assert (
            200 == session.get(web.url + "/redirect/2", config={"max_redirects": None}).status_code
        )
        with pytest.raises(gofer.TooManyRedirects):
            session.get(web.url + "/redirect/2")


def test_s11_none_for_base_headers_means_the_default(web: Web) -> None:
    """`base_headers` set to None on a call gives the package's defaults back."""
    with gofer.session(config={"base_headers": {"X-Base": "1"}}) as session:
        session.get(web.url + "/get", config={"base_headers": None})
        session.get(web.url + "/get", config={"strict_mode": True})

    assert [None, "1"] == [request.field("x-base") for request in web.requests]


# Attributes (S12) ---------------------------------------------------------------------------------


def test_s12_what_a_session_holds_can_be_read() -> None:
    """Every value is an attribute, under the names of 2012 and of today."""
    session = gofer.session()

    for name in ("headers cookies auth timeout proxies hooks params config verify cert stream "
                 "prefetch max_redirects trust_env adapters").split():  # fmt: skip
        assert hasattr(session, name), name
    assert (True, None, 30, True, {}) == (
        session.verify, session.cert, session.max_redirects, session.trust_env, session.params,
    )  # fmt: skip


def test_s12_what_a_session_holds_can_be_set(web: Web, proxy: Proxy) -> None:
    """A change of an attribute counts from the next request on; plain dicts will do."""
    with gofer.session() as session:
        session.get(web.url + "/get")
        session.headers = {"X-Test": "1"}
        session.cookies = {"a": "1"}
        session.auth = ("user", "pass")
        session.params = {"p": "1"}
        session.proxies = {"http": proxy.url}
        session.get(web.url + "/get")
        session.proxies.clear()
        session.headers["X-Test"] = "2"
        session.cookies["a"] = "2"
        session.auth = None
        session.params["p"] = "2"
        session.get(web.url + "/get")

    _, second, third = web.requests
    assert (["1"], "a=1", USER_PASS, "/get?p=1") == (
        second.lines("x-test"), second.field("cookie"), second.field("authorization"),
        second.target,
    )  # fmt: skip
    assert (["2"], "a=2", None, "/get?p=2") == (
        third.lines("x-test"), third.field("cookie"), third.field("authorization"), third.target,
    )  # fmt: skip
    assert 1 == len(proxy.asked)


def test_s12_timeout_hooks_and_config_can_be_set(web: Web, gate: Gate) -> None:
    """The same for the values that are no fields."""
    seen: list[int] = []
    log = io.StringIO()
    with gofer.session() as session:
        session.get(web.url + "/get")
        session.hooks = {"response": lambda r: seen.append(1)}
        session.config = {"verbose": log}
        session.max_redirects = 0
        session.timeout = 0.1
        session.get(web.url + "/get")
        with pytest.raises(gofer.TooManyRedirects):
            session.get(web.url + "/redirect/1")
        with pytest.raises(gofer.ReadTimeout):
            session.get(web.url + "/gate/late")

    assert 3 == len(log.getvalue().splitlines())
    assert [1, 1] == seen


def test_s12_a_dict_in_cookies_is_a_jar_afterwards() -> None:
    """A dict assigned to `cookies` becomes a jar, one assigned to `headers` ignores case."""
    session = gofer.session()
    session.cookies = {"a": "1"}
    session.headers = {"X-Test": "1"}

    assert "1" == session.cookies.get("a")
    assert ["a"] == [cookie.name for cookie in session.cookies]
    assert "1" == session.headers["x-test"]


def test_s12_a_netrc_file_does_not_touch_the_sessions_auth(
    web: Web, session: gofer.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says is used, not stored."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session.get(web.url + "/get")

    assert USER_PASS == web.requests[0].field("authorization")
    assert session.auth is None
