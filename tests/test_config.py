"""What the tables of settings say, and what else has to say the same because types cannot."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer import config
from gofer.config import Setting, Settings, Timeouts
from gofer.network import router
from gofer.network.pool import PoolLimits
from gofer.precedence import settings_for_call
from gofer.protocols.http1 import Limits

TABLES = (config.ARGUMENTS, config.REQUEST, config.TIMEOUTS, config.POOL, config.RESPONSE)

# What of a session's settings comes from its arguments, not from `config`
FROM_ARGUMENTS = {
    "allow_redirects", "base_headers", "cert", "cookie_store", "pins", "proxies", "resolve",
    "router", "socket_options", "source_address", "timeouts", "unix_socket", "verify",
}  # fmt: skip


def test_a_setting_stands_in_one_table():
    """So it takes effect in one place; those of the route are of requests, too."""
    assert len(config.SETTINGS) == sum(len(table) for table in TABLES)
    assert config.ROUTE.items() <= config.REQUEST.items()


def test_settings_of_requests_have_types():
    """The annotations of `Settings` are what a session's settings have."""
    annotated = set(inspect.get_annotations(Settings))

    assert annotated == vars(gofer.Session()._settings_now_()).keys()
    assert annotated == config.REQUEST.keys() | FROM_ARGUMENTS


@pytest.mark.parametrize(
    ("table", "made"),
    [(config.POOL, PoolLimits), (config.RESPONSE, Limits), (config.TIMEOUTS, Timeouts)],
)
def test_what_is_made_of_a_table_has_its_attributes(table: dict[str, Setting], made: type):
    """Each argument has its setting."""
    arguments = inspect.signature(made).parameters

    assert sorted(arguments) == sorted(setting.attribute for setting in table.values())


@pytest.mark.parametrize(("table", "made"), [(config.POOL, PoolLimits), (config.RESPONSE, Limits)])
def test_limits_are_the_same_by_default(table: dict[str, Setting], made: Any):
    """Those of an adapter, or of a connection that has none, are those of a session."""
    package = made(**{setting.attribute: setting.default for setting in table.values()})

    assert [getattr(made(), name) for name in made.__slots__] == [
        getattr(package, name) for name in made.__slots__
    ]


def test_what_a_route_is_made_of_leads_elsewhere():
    """A setting that `network/router.py` looks at is of the route, so a call can change it."""
    source = Path(router.__file__).read_text(encoding="utf-8")
    looked_at = set(re.findall(r"settings\.(\w+)", source))

    assert {"http2", "tls_minimum", "verify"} <= looked_at
    assert looked_at & config.REQUEST.keys() <= config.ROUTE.keys()


def test_a_change_that_leads_elsewhere_is_asked_anew():
    """A call that says such a thing has a router of its own; another shares its session's."""
    settings = gofer.Session()._settings_now_()

    def router(said: Mapping[str, Any]) -> Any:
        return settings_for_call(settings, None, config=said).router

    assert settings.router is router(dict.fromkeys(config.REQUEST.keys() - config.ROUTE))
    for name in config.ROUTE:
        assert settings.router is not router({name: None})


def test_every_default_is_a_value_that_may_be_given():
    """Checked by its own kind."""
    for setting in config.SETTINGS:
        if setting.default is not None:
            setting.kind.check(setting.name, setting.default)


def test_an_error_names_the_key_and_what_was_expected():
    """Also one about a limit of time."""
    with pytest.raises(ValueError, match=r"^config 'read_timeout': got -1, expected seconds gre"):
        gofer.Session(config={"read_timeout": -1})
    with pytest.raises(ValueError, match=r"^config 'max_fields': got 'x', expected a whole numb"):
        gofer.Session(config={"max_fields": "x"})


# The dictionary -----------------------------------------------------------------------------------


@pytest.fixture
def defaults() -> Iterator[config.Config]:
    """The package defaults, which are as they were afterwards."""
    before = dict(config.defaults)
    yield config.defaults
    config.defaults.clear()
    config.defaults.update(before)


def test_a_default_taken_away_is_that_of_the_table(defaults: config.Config):
    """Deleted, or None where that is no value; a limit of time that is None is no limit."""
    del defaults["max_redirects"], defaults["read_timeout"]
    defaults["max_drain"] = defaults["write_timeout"] = None

    settings = gofer.Session()._settings_now_()

    assert (30, 64 * 1024) == (settings.max_redirects, settings.max_drain)
    assert (300, None) == (settings.timeouts.read, settings.timeouts.write)
    assert 30 == gofer.Session(config={"max_redirects": None})._settings_now_().max_redirects


def test_every_way_to_change_it_counts():
    """Each is checked, and the next request knows of it."""
    session = gofer.Session()
    settings = session.config
    changes: list[tuple[Callable[[], Any], int]] = [
        (lambda: settings.update(max_redirects=1), 1),
        (lambda: settings.__ior__({"max_redirects": 2}), 2),
        (lambda: settings.pop("max_redirects"), 30),
        (lambda: settings.setdefault("max_redirects", 3), 3),
        (lambda: settings.popitem(), 30),
        (lambda: settings.__setitem__("max_redirects", 4), 4),
        (lambda: settings.clear(), 30),
    ]
    for change, expected in changes:
        session._settings_now_()
        change()
        assert expected == session._settings_now_().max_redirects

    with pytest.raises(ValueError, match="max_redirects"):
        settings |= {"max_redirects": "x"}
