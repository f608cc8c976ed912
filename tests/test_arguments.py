"""What type checkers are told of a call's arguments is what the call takes."""

import inspect
from typing import Any

import pytest

import gofer
from gofer import arguments
from gofer.client import Client
from gofer.precedence import settings_for_call

NAMED = {"self", "method", "url"}
UNTYPED = {"return_response"}  # changes what comes back, so only `gofer.request` tells of it


def parameters(function: Any) -> set[str]:
    return {
        name
        for name, one in inspect.signature(function).parameters.items()
        if one.kind is not one.VAR_KEYWORD
    }


def keys(options: Any) -> set[str]:
    return set(options.__optional_keys__)


def test_request_options_are_those_of_a_request():
    """Every argument of `Session.request` has its key, and there is no other."""
    taken = parameters(gofer.Session.request) - NAMED - UNTYPED

    assert taken == keys(arguments.RequestOptions)
    assert taken | {"method"} == keys(arguments.EventOptions)


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("get", arguments.GetOptions),
        ("options", arguments.RequestOptions),
        ("head", arguments.RequestOptions),
        ("post", arguments.PostOptions),
        ("put", arguments.PutOptions),
        ("patch", arguments.PutOptions),
        ("delete", arguments.RequestOptions),
    ],
)
@pytest.mark.parametrize("owner", [gofer, gofer.Session, gofer.aio, gofer.async_])
def test_an_option_has_one_place(owner: Any, verb: str, options: Any):
    """What a method takes by its own name is not among its other options, and nothing is left out."""
    function = getattr(owner, verb)
    named = parameters(function) - NAMED - {"session"}

    assert inspect.signature(function).parameters["options"].annotation == (
        f"Unpack[{options.__name__}]"
    )
    assert keys(arguments.RequestOptions) == named | keys(options)
    assert set() == named & keys(options)


def test_send_options_are_those_of_send():
    """Every argument of `send` has its key."""
    ours = {"self", "request", "adapter_arguments"}

    assert parameters(Client._send_) - ours == keys(arguments.SendOptions)


def test_opening_options_are_those_of_the_opening():
    """Every argument of a WebSocket's opening has its key; its content is read by nobody."""
    taken = parameters(Client._switch_) | parameters(settings_for_call)
    ours = NAMED | {"fields", "settings", "session_timeout", "stream", "prefetch"}

    assert taken - ours == keys(arguments.OpeningOptions)


def test_bulk_options_are_those_of_imap():
    """Every argument of `imap` has its key, but for those it names itself."""
    named = {"requests", "size", "ordered", "exception_handler"}

    assert parameters(gofer.imap) - named == keys(arguments.BulkOptions)
