"""`Session`, where it is no matter of the seed: its life."""

import gc
import inspect
import pickle
import subprocess
import sys
from typing import Any

import pytest

import gofer
from gofer.adapters import HTTPAdapter
from servers.web import Web


def test_a_dropped_session_closes_its_idle_connections(web: Web) -> None:
    """They are closed when the last reference goes, not when garbage is next collected."""
    session = gofer.Session()
    assert session.get(web.url + "/get").ok
    assert 1 == web.open
    gc.disable()
    try:
        del session
        web.wait_for(lambda: web.open == 0)
    finally:
        gc.enable()


def test_a_response_outlives_its_session(web: Web) -> None:
    """Content that is still coming can be read after its session was dropped."""
    response = gofer.Session().get(web.url + "/drip/3000")

    assert 3000 == len(response.content)


def test_a_program_that_closes_nothing_makes_no_noise(web: Web) -> None:
    """Neither a warning nor a traceback at the end of the interpreter."""
    program = f"""
import pytest

import gofer
session = gofer.Session()
session.get({web.url + "/get"!r})
held = session.get({web.url + "/drip/300000"!r})
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_a_session_in_a_cycle_closes_its_connections(web: Web) -> None:
    """The collector finds it, and its sockets are closed before it complains of them."""
    for is_mounted in (False, True):
        session = gofer.Session()
        if is_mounted:
            session.mount("http://", HTTPAdapter())
        session.itself = session  # type: ignore[attr-defined]
        assert session.get(web.url + "/get").ok
        del session
        gc.collect()

        web.wait_for(lambda: web.open == 0)


def test_what_a_session_was_given_is_pickled_with_it() -> None:
    """Each argument is in its state; some as an attribute, or as what they were turned into."""
    arguments = set(inspect.signature(gofer.Session).parameters)
    state = gofer.Session(runtime="blocking").__getstate__()
    elsewhere = {"headers", "cookies", "hooks", "runtime"}
    became_others = {"proxy", "prefetch", "stream", "deadline"}

    assert arguments == state["arguments"].keys() | elsewhere | became_others


class Based(gofer.Session):
    """As programs write them: another argument, and an attribute that is pickled."""

    __attrs__ = [*gofer.Session.__attrs__, "base"]

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base


def test_a_subclass_with_arguments_of_its_own_is_pickled() -> None:
    """What its `__attrs__` add is there again; its `__init__` is not called."""
    session = Based("http://example.com/")
    session.headers["X-Key"] = "1"
    session.verify = False
    session.cookies.set("a", "b")

    again = pickle.loads(pickle.dumps(session))

    assert ("http://example.com/", "1", False) == (again.base, again.headers["X-Key"], again.verify)
    assert {"a": "b"} == dict(again.cookies)


def test_a_session_waits_as_before_after_pickling() -> None:
    """Its runtime comes back with it."""
    pytest.importorskip("gevent")
    session = pickle.loads(pickle.dumps(gofer.Session(runtime="gevent")))

    assert "gevent" == session._runtime_.name


@pytest.mark.parametrize("face", [gofer.Session, gofer.AsyncSession])
def test_names_of_our_own_are_no_names_of_a_subclass(face: type[Any]) -> None:
    """What is private ends in an underscore, so that what subclasses are likely to have does not."""
    private = {name for name in {*dir(face), *vars(face())} if name.startswith("_")}

    assert {"_is_protocol"} == {name for name in private if not name.endswith("_")}  # of `Generic`


class Api(gofer.Session):
    """A client as many are: nothing of it is meant for gofer."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self._config = self._headers = self._timeout = self._proxies = self._verify = "its own"
        self._settings = self._runtime = self._road = self._limits = self._cert = None

    def _request(self, path: str) -> Any:
        return self._send("GET", path)

    def _send(self, method: str, path: str) -> Any:
        return self.request(method, self._base + path)

    def _prepare(self) -> None:
        raise NotImplementedError

    _call = _drive = _resolve = _exchange = _prepare


def test_a_subclass_has_private_names_of_its_own(web: Web) -> None:
    with Api(web.url) as api:
        assert 200 == api._request("/get").status_code
        assert [200, 200] == [r.status_code for r in gofer.map([web.url + "/get"] * 2, session=api)]


def test_the_collector_may_come_while_the_pool_is_locked(web: Web) -> None:
    """It runs anywhere, also where this very thread holds the lock of what it collects."""
    session = gofer.Session()
    assert session.get(web.url + "/get").ok
    lock = session.network.pool._lock
    with lock:
        del session
        web.wait_for(lambda: web.open == 0)
