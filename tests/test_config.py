"""What the tables of settings say, and what else has to say the same because types cannot."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer import config
from gofer.config import Setting, Settings, Timeouts
from gofer.network import routes
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

    assert annotated == vars(gofer.Session()._settings_now()).keys()
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
    """A setting that `network/routes.py` looks at is of the route, so a call can change it."""
    source = Path(routes.__file__).read_text(encoding="utf-8")
    looked_at = set(re.findall(r"settings\.(\w+)", source))

    assert {"http2", "tls_minimum", "verify"} <= looked_at
    assert looked_at & config.REQUEST.keys() <= config.ROUTE.keys()


def test_a_change_that_leads_elsewhere_is_asked_anew():
    """A call that says such a thing has a router of its own; another shares its session's."""
    settings = gofer.Session()._settings_now()

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
