"""The examples of "Advanced Usage", one after the other, in today's Python.

    make demo

A small web server is started on loopback; nothing else is talked to. Each example prints what was
asked and what came back, and checks it. The exit status is the number of examples that failed.
"""

import io
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import gofer  # noqa: E402  (found through the line above)
from gofer.auth import AuthBase, HTTPDigestAuth  # noqa: E402
from servers.web import Web  # noqa: E402

Example = Callable[[Web], None]
EXAMPLES: list[Example] = []


def example(function: Example) -> Example:
    """Register an example; its docstring is its title."""
    EXAMPLES.append(function)
    return function


def show(asked: str, came: object) -> None:
    print(f"    asked   {asked}")
    print(f"    came    {came}")


def check(expected: object, actual: object) -> None:
    if expected != actual:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


# Session objects ----------------------------------------------------------------------------------


@example
def cookies_persist(web: Web) -> None:
    """A session keeps the cookies that the server sets."""
    with gofer.session() as s:
        s.get(f"{web.url}/cookies/set/sessioncookie/123456789")
        r = s.get(f"{web.url}/cookies")

        show("/cookies/set/sessioncookie/123456789, then /cookies", r.json())
        check({"cookies": {"sessioncookie": "123456789"}}, r.json())


@example
def session_defaults(web: Web) -> None:
    """A session gives its values to every request; those of the call are merged over them."""
    headers = {"x-test": "true"}
    auth = ("user", "pass")
    with gofer.session(auth=auth, headers=headers) as c:
        sent = c.get(f"{web.url}/headers", headers={"x-test2": "true"}).json()["headers"]

    seen = {name: sent.get(name) for name in ("X-Test", "X-Test2", "Authorization")}
    show("/headers with x-test from the session, x-test2 from the call", seen)
    check({"X-Test": "true", "X-Test2": "true", "Authorization": "Basic dXNlcjpwYXNz"}, seen)


@example
def none_removes_a_value(web: Web) -> None:
    """None leaves a session's value out of one request."""
    with gofer.session(params={"a": "1", "b": "2"}) as s:
        without = s.get(f"{web.url}/get", params={"a": None}).json()["args"]
        afterwards = s.get(f"{web.url}/get").json()["args"]

    show("/get with params={'a': None}, then without", f"{without}, then {afterwards}")
    check(({"b": "2"}, {"a": "1", "b": "2"}), (without, afterwards))


# Body content workflow ----------------------------------------------------------------------------


@example
def content_comes_when_asked_for(web: Web) -> None:
    """By default the call returns with the head; the content is read when it is looked at."""
    r = gofer.get(f"{web.url}/gate/lazy/content")
    early = r.status_code  # the server has not sent a byte of content so far
    web.gates["lazy"].set()

    show("/gate/lazy/content, held back by the server", f"{early} first, then {r.content!r}")
    check((200, b"open"), (early, r.content))
    check(True, r.content is r.content)


@example
def prefetch_reads_at_once(web: Web) -> None:
    """With prefetch=True the call returns when all of the content is there."""
    r = gofer.get(f"{web.url}/bytes/100000", prefetch=True)

    show("/bytes/100000 with prefetch=True", f"{len(r.content)} bytes")
    check(100_000, len(r.content))


# Configuration and keep-alive ---------------------------------------------------------------------


@example
def connections_are_kept(web: Web) -> None:
    """Within a session a connection is used again, without any doing."""
    with gofer.session() as s:
        seen = [s.get(f"{web.url}/connection").json() for _ in range(2)]

    show("/connection, twice", seen)
    check([(seen[0]["connection"], 1), (seen[0]["connection"], 2)], connections(seen))


@example
def keep_alive_can_be_switched_off(web: Web) -> None:
    """config['keep_alive'] = False gives every request a connection of its own."""
    with gofer.session() as s:
        s.config["keep_alive"] = False
        seen = [s.get(f"{web.url}/connection").json() for _ in range(2)]

    show("/connection, twice, with keep_alive off", seen)
    check([1, 1], [one["request"] for one in seen])


def connections(seen: list[dict[str, int]]) -> list[tuple[int, int]]:
    return [(one["connection"], one["request"]) for one in seen]


@example
def config_for_one_call(web: Web) -> None:
    """A `config` dictionary customises a call or a session."""
    try:
        gofer.get(f"{web.url}/redirect/3", config={"max_redirects": 2})
    except gofer.TooManyRedirects as error:
        show("/redirect/3 with max_redirects 2", f"TooManyRedirects: {error}")
    else:
        raise AssertionError("the third redirect was followed")


# Event hooks --------------------------------------------------------------------------------------


@example
def a_hook_sees_the_arguments(web: Web) -> None:
    """The `args` hook is given what Request() will be given."""
    seen: list[str] = []

    def print_url(args: dict[str, Any]) -> None:
        seen.append(args["url"])

    url = f"{web.url}/get"
    gofer.get(url, hooks={"args": print_url})
    show("/get with hooks=dict(args=print_url)", seen)
    check([url], seen)


@example
def a_hook_changes_the_arguments(web: Web) -> None:
    """What a hook returns replaces what it was given."""

    def hack_headers(args: dict[str, Any]) -> dict[str, Any]:
        if not args["headers"]:
            args["headers"] = {}
        args["headers"].update({"X-Testing": "True"})
        return args

    hooks = {"args": hack_headers}
    headers = {"yo": "dawg"}
    sent = gofer.get(f"{web.url}/headers", hooks=hooks, headers=headers).json()["headers"]
    show("/headers with hooks=dict(args=hack_headers)", sent)
    check(("dawg", "True"), (sent.get("Yo"), sent.get("X-Testing")))


@example
def a_failing_hook_warns(web: Web) -> None:
    """An error in a hook is a warning, and the request goes on."""

    def broken(args: dict[str, Any]) -> None:
        raise RuntimeError("my own mistake")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        r = gofer.get(f"{web.url}/get", hooks={"args": broken})

    told = [warning for warning in caught if warning.category is gofer.HookWarning]
    show("/get with a hook that raises", f"{r.status_code} and {len(told)} HookWarning")
    check((200, 1), (r.status_code, len(told)))


# Custom authentication ----------------------------------------------------------------------------


class PizzaAuth(AuthBase):
    """Attaches HTTP Pizza Authentication to the given Request object."""

    def __init__(self, username: str) -> None:
        self.username = username

    def __call__(self, r: Any) -> Any:
        r.headers["X-Pizza"] = self.username
        return r


@example
def an_own_authentication(web: Web) -> None:
    """Any callable given as `auth` may change the request before it is sent."""
    sent = gofer.get(f"{web.url}/headers", auth=PizzaAuth("kenneth")).json()["headers"]

    show("/headers with auth=PizzaAuth('kenneth')", f"X-Pizza: {sent.get('X-Pizza')}")
    check("kenneth", sent.get("X-Pizza"))


@example
def digest_authentication(web: Web) -> None:
    """Digest answers the server's challenge, with one more request."""
    url = f"{web.url}/digest-auth/auth/user/pass/SHA-256"
    r = gofer.get(url, auth=HTTPDigestAuth("user", "pass"))

    statuses = [*(hop.status_code for hop in r.history), r.status_code]
    show("/digest-auth/auth/user/pass/SHA-256", statuses)
    check([401, 200], statuses)


# Verbose logging ----------------------------------------------------------------------------------


@example
def verbose_logging(web: Web) -> None:
    """A stream in `config` gets a line for every request that is sent."""
    log = io.StringIO()
    url = f"{web.url}/headers"
    gofer.get(url, config={"verbose": log})

    show("/headers with config={'verbose': log}", log.getvalue().rstrip("\n"))
    line = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}   GET   " + re.escape(url) + r"\n"
    check(True, re.fullmatch(line, log.getvalue()) is not None)


# --------------------------------------------------------------------------------------------------


def main() -> int:
    """Run every example; the number of those that failed."""
    failed = 0
    started = time.perf_counter()
    with Web() as web:
        for function in EXAMPLES:
            print(f"\n{function.__doc__}")
            web.gates.clear()
            try:
                function(web)
                web.raise_errors()
            except Exception:
                failed += 1
                print("    FAILED", flush=True)
                traceback.print_exc(file=sys.stdout)
    seconds = time.perf_counter() - started
    print(f"\n{len(EXAMPLES) - failed} of {len(EXAMPLES)} examples work ({seconds:.2f} s)")
    return failed


if __name__ == "__main__":
    sys.exit(main())
