"""The tree of exceptions: Requests' names and their places in it (SPEC 4.8), and what they carry."""

import json
import pickle
from typing import Any

import pytest

import gofer
from gofer import exceptions

# Name: the classes it has to be a subclass of, as users of Requests catch them.
TREE: dict[str, tuple[type[Any], ...]] = {
    "RequestException": (OSError,),
    "HTTPError": (), "URLRequired": (), "TooManyRedirects": (), "RetryError": (),
    "UnrewindableBodyError": (), "ChunkedEncodingError": (), "ConnectionError": (), "Timeout": (),
    "ProxyError": (exceptions.ConnectionError,),
    "SSLError": (exceptions.ConnectionError,),
    "ConnectTimeout": (exceptions.ConnectionError, exceptions.Timeout),
    "ReadTimeout": (exceptions.Timeout,),
    "MissingSchema": (ValueError,), "InvalidSchema": (ValueError,), "InvalidHeader": (ValueError,),
    "InvalidURL": (ValueError,),
    "InvalidProxyURL": (exceptions.InvalidURL,),
    "ContentDecodingError": (),
    "StreamConsumedError": (TypeError,),
    "InvalidJSONError": (),
    "JSONDecodeError": (exceptions.InvalidJSONError, json.JSONDecodeError),
    # gofer's finer ones
    "NameResolutionError": (exceptions.ConnectionError,),
    "ConnectionRefused": (exceptions.ConnectionError,),
    "TunnelRefused": (exceptions.ProxyError,),
    "CertificateError": (exceptions.SSLError,),
    "RemoteProtocolError": (exceptions.ConnectionError,),
    "FieldSectionTooLarge": (exceptions.RemoteProtocolError,),
    "IncompleteHead": (exceptions.ConnectionLost, exceptions.ChunkedEncodingError),
    "UncertainFraming": (exceptions.RemoteProtocolError, exceptions.InvalidHeader),
    "ConnectionLost": (exceptions.ConnectionError,),
    "WebSocketClosed": (exceptions.ConnectionError,),
    "PoolTimeout": (exceptions.ConnectionError, exceptions.Timeout),
    "BodyReadTimeout": (exceptions.ReadTimeout, exceptions.ConnectionError),
    "WriteTimeout": (exceptions.Timeout,), "DeadlineExceeded": (exceptions.Timeout,),
    "IncompleteContent": (exceptions.ChunkedEncodingError,),
    "TruncatedContent": (exceptions.ContentDecodingError,),
    "DecompressionBomb": (exceptions.ContentDecodingError,),
    "InvalidMethod": (ValueError,), "LocalProtocolError": (ValueError,),
}  # fmt: skip

NOT = [  # what must not be caught by the other's name
    ("ConnectionError", "Timeout"), ("Timeout", "ConnectionError"), ("ReadTimeout", "ConnectionError"),
    ("HTTPError", "ConnectionError"), ("ChunkedEncodingError", "ConnectionError"),
    ("SSLError", "ProxyError"), ("InvalidURL", "MissingSchema"), ("DeadlineExceeded", "ReadTimeout"),
]  # fmt: skip


@pytest.mark.parametrize("name", TREE)
def test_every_exception_has_its_place(name: str) -> None:
    """Below RequestException, and below what its users catch."""
    error = getattr(exceptions, name)

    assert issubclass(error, gofer.RequestException)
    for parent in TREE[name]:
        assert issubclass(error, parent)


def test_the_tree_is_complete() -> None:
    """Each exception of the module is in the table above."""
    found = {
        name for name in exceptions.__all__
        if issubclass(getattr(exceptions, name), Exception)
        and not issubclass(getattr(exceptions, name), Warning)
    }  # fmt: skip

    assert found - {"GoferError"} == set(TREE)
    assert exceptions.GoferError is exceptions.RequestException


@pytest.mark.parametrize(("name", "other"), NOT)
def test_exceptions_that_are_not_each_other(name: str, other: str) -> None:
    assert not issubclass(getattr(exceptions, name), getattr(exceptions, other))


@pytest.mark.parametrize("name", TREE)
def test_what_they_carry(name: str) -> None:
    """`request` and `response`, by keyword; class and message survive pickling."""
    error = getattr(exceptions, name)
    arguments = ("message", "{", 0) if name == "JSONDecodeError" else ("message",)
    request, response = gofer.Request("GET", "http://a/"), gofer.Response()
    raised = error(*arguments, request=request, response=response)
    bare = pickle.loads(pickle.dumps(error(*arguments)))

    assert (request, response) == (raised.request, raised.response)
    assert type(bare) is error
    assert str(error(*arguments)) == str(bare)
    assert (None, None) == (bare.request, bare.response)


WARNINGS = {
    "HookWarning": UserWarning, "ConfigWarning": UserWarning, "FileModeWarning": DeprecationWarning,
    "InsecureRequestWarning": Warning, "RequestsDependencyWarning": Warning,
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name: str) -> None:
    """Below gofer's own warning, which Requests' name is another name of."""
    warning = getattr(exceptions, name)

    assert issubclass(warning, exceptions.GoferWarning)
    assert issubclass(warning, WARNINGS[name])
    assert exceptions.RequestsWarning is exceptions.GoferWarning
