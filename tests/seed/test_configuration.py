"""Configuration: where a `config` dict is taken, and which value wins (S21 to S24)."""

import copy
import io
import pickle
from typing import Any

import pytest

import gofer
from gofer.config import SETTINGS
from gofer.defaults import defaults
from gofer.exceptions import ConfigWarning
from servers.web import Web

VERBS = ("get", "options", "head", "post", "put", "patch", "delete")


@pytest.mark.parametrize("verb", VERBS)
def test_s21_every_call_takes_config(web: Web, session: gofer.Session, verb: str) -> None:
    """A `config` dict is accepted by every verb and by `request`."""
    log = io.StringIO()
    url = web.url + "/anything"
    for caller in (gofer, session):
        getattr(caller, verb)(url, config={"verbose": log})
        caller.request(verb, url, config={"verbose": log})  # type: ignore[attr-defined]

    assert 4 == len(log.getvalue().splitlines())


def test_s22_a_session_takes_config() -> None:
    """It is reachable as `s.config`, where keys can be read and set."""
    session = gofer.session(config={"max_redirects": 3})

    assert 3 == session.config["max_redirects"]
    assert 10 == session.config["pool_maxsize"]
    session.config["pool_maxsize"] = 20
    assert {"max_redirects": 3, "pool_maxsize": 20} == dict(session.config)
    with pytest.raises(KeyError):
        session.config["no such key"]


def test_s23_call_over_session_over_defaults(web: Web) -> None:
    """Each key is looked for in the call, then in the session, then in the defaults."""
    url = web.url + "/redirect/1"
    defaults["max_redirects"] = 0
    try:
        with gofer.session() as session:
            with pytest.raises(gofer.TooManyRedirects):
                session.get(url)
            session.config["max_redirects"] = 1
            assert 200 == session.get(url).status_code
            with pytest.raises(gofer.TooManyRedirects):
                session.get(url, config={"max_redirects": 0})
    finally:
        defaults["max_redirects"] = 30
    assert 200 == gofer.get(url).status_code


def test_s23_dicts_of_the_caller_are_never_changed(web: Web) -> None:
    """Neither the session's dict nor the call's is filled with anything."""
    on_session: dict[str, Any] = {"base_headers": {"X-Base": "1"}}
    on_call: dict[str, Any] = {"max_redirects": 3}
    before = copy.deepcopy((on_session, on_call))
    with gofer.session(config=on_session) as session:
        session.config["base_headers"]["X-More"] = "2"
        session.config["strict_mode"] = True
        session.get(web.url + "/redirect/1", config=on_call)

    assert before == (on_session, on_call)


def test_s24_every_setting_is_taken_on_call_and_session(web: Web) -> None:
    """No known key is warned about (warnings are errors here), and each has a default."""
    for setting in SETTINGS:
        value = gofer.Session().config[setting.name]
        with gofer.session(config={setting.name: value}) as session:
            assert 200 == session.get(web.url + "/get").status_code
        gofer.get(web.url + "/get", config={setting.name: value})


@pytest.mark.parametrize("key", [setting.name for setting in SETTINGS])
def test_s24_none_is_the_default_for_a_session_too(web: Web, key: str) -> None:
    """A key set to None on a session breaks nothing."""
    with gofer.session(config={key: None}) as session:
        assert 200 == session.get(web.url + "/redirect/1").status_code
        assert 200 == session.get(web.url + "/gzip").status_code
        session.config[key] = None
        assert 200 == session.get(web.url + "/get").status_code


def test_s24_an_unknown_key_is_warned_about(web: Web) -> None:
    """One warning names the key and the nearest known one."""
    with pytest.warns(ConfigWarning, match="'max_redirect'.*'max_redirects'") as caught:
        assert 200 == gofer.get(web.url + "/get", config={"max_redirect": 3}).status_code
    assert 1 == len(caught)
    with pytest.warns(ConfigWarning, match="'danger_mode'"):
        gofer.session(config={"danger": True})
    with pytest.warns(ConfigWarning, match="'verbose'"):
        gofer.session().config["verbos"] = None


def test_config_is_pickled_with_its_session() -> None:
    """A session that was pickled has its config."""
    session = pickle.loads(pickle.dumps(gofer.session(config={"max_redirects": 3})))

    assert {"max_redirects": 3} == dict(session.config)
