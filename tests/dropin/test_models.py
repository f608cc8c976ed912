"""`Request`, as Requests' users make one, with the options of gofer's calls."""

import inspect

import pytest

import gofer
from gofer.dropin.models import _OPTIONS
from servers.web import Web


def test_a_request_takes_what_a_call_takes():
    """Every argument of `Session.request`, but for what says that it is not to be sent."""
    taken = {*inspect.signature(gofer.Request).parameters, *_OPTIONS} - {"session", "options"}
    call = inspect.signature(gofer.Session.request).parameters

    assert taken == set(call) - {"self", "return_response"}


def test_what_no_call_takes_is_refused():
    """A misspelt option is told at once."""
    with pytest.raises(TypeError, match="does not know timout"):
        gofer.Request("GET", "http://example.com/", timout=3)


def test_a_priority_is_sent(web: Web):
    """By its own `send`, by `prepare`, by `prepare_request`, and in bulk."""
    unsent = [gofer.Request("GET", web.url + "/get", priority=1) for _ in range(4)]
    with gofer.Session() as session:
        unsent[0].send()
        session.send(unsent[1].prepare())
        session.send(session.prepare_request(unsent[2]))
        gofer.map(unsent[3:], session=session)

    assert ["u=1"] * 4 == [request.field("priority") for request in web.requests]
