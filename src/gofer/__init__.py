"""gofer: an HTTP client for Python. A gofer runs your errands.

    >>> import gofer
    >>> gofer.get("https://example.com/").text  # doctest: +SKIP

Names are bound when they are first used (PEP 562), so that `import gofer` stays cheap.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__title__ = "gofer"
__description__ = "An HTTP client: Requests' API, safe and fast."
__author__ = "The gofer authors"
__license__ = "Apache-2.0"

# Each public name and the module it lives in.
_HOMES = {
    "aio": ("AsyncSession",),
    "api": ("delete", "get", "head", "options", "patch", "post", "put", "request"),
    "arguments": ("RequestOptions",),
    "bulk": ("imap", "map"),
    "dropin.install": ("install_as_requests", "uninstall_as_requests"),
    "dropin.models": ("PreparedRequest", "Request", "Response"),
    "exceptions": (
        "ConnectionError", "ConnectTimeout", "DeadlineExceeded", "FileModeWarning", "GoferError",
        "GoferWarning", "HTTPError", "HookWarning", "JSONDecodeError", "PoolTimeout",
        "ReadTimeout", "RequestException", "Timeout", "TooManyRedirects", "URLRequired",
        "WebSocketClosed", "WriteTimeout",
    ),
    "listening": ("AsyncEventStream", "EventStream"),
    "messages.events": ("ServerSentEvent",),
    "messages.status_codes": ("codes",),
    "sessions": ("Session", "session"),
    "stages.auth": ("NoAuth",),
    "stages.retries": ("Retry",),
    "timeouts": ("Timeouts",),
    "websocket": ("AsyncWebSocket", "WebSocket"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

# Requests' module names that are thin faces in dropin/: `gofer.auth`, `from gofer.auth import …`.
# This is the one place that binds them.
_FACES = (
    "adapters", "as_requests", "async", "auth", "certs", "compat", "cookies", "defaults", "help",
    "hooks", "models", "packages", "status_codes", "structures", "utils",
)  # fmt: skip
_MODULES = (*_FACES, "aio", "api", "async_", "config", "exceptions", "sessions")

# Without map: `from gofer import *` must not hide the builtin.
__all__ = sorted({*_HOME_OF, "__version__", "exceptions"} - {"map"})

if TYPE_CHECKING:  # and editors: the same names, as they stand
    from gofer import adapters as adapters
    from gofer import aio as aio
    from gofer import api as api
    from gofer import as_requests as as_requests
    from gofer import async_ as async_
    from gofer import auth as auth
    from gofer import certs as certs
    from gofer import compat as compat
    from gofer import config as config
    from gofer import cookies as cookies
    from gofer import defaults as defaults
    from gofer import exceptions as exceptions
    from gofer import help as help
    from gofer import hooks as hooks
    from gofer import models as models
    from gofer import packages as packages
    from gofer import sessions as sessions
    from gofer import status_codes as status_codes
    from gofer import structures as structures
    from gofer import utils as utils
    from gofer.aio import AsyncSession as AsyncSession
    from gofer.api import delete as delete
    from gofer.api import get as get
    from gofer.api import head as head
    from gofer.api import options as options
    from gofer.api import patch as patch
    from gofer.api import post as post
    from gofer.api import put as put
    from gofer.api import request as request
    from gofer.arguments import RequestOptions as RequestOptions
    from gofer.bulk import imap as imap
    from gofer.bulk import map as map
    from gofer.dropin.install import install_as_requests as install_as_requests
    from gofer.dropin.install import uninstall_as_requests as uninstall_as_requests
    from gofer.dropin.models import PreparedRequest as PreparedRequest
    from gofer.dropin.models import Request as Request
    from gofer.dropin.models import Response as Response
    from gofer.exceptions import ConnectionError as ConnectionError
    from gofer.exceptions import ConnectTimeout as ConnectTimeout
    from gofer.exceptions import DeadlineExceeded as DeadlineExceeded
    from gofer.exceptions import FileModeWarning as FileModeWarning
    from gofer.exceptions import GoferError as GoferError
    from gofer.exceptions import GoferWarning as GoferWarning
    from gofer.exceptions import HookWarning as HookWarning
    from gofer.exceptions import HTTPError as HTTPError
    from gofer.exceptions import JSONDecodeError as JSONDecodeError
    from gofer.exceptions import PoolTimeout as PoolTimeout
    from gofer.exceptions import ReadTimeout as ReadTimeout
    from gofer.exceptions import RequestException as RequestException
    from gofer.exceptions import Timeout as Timeout
    from gofer.exceptions import TooManyRedirects as TooManyRedirects
    from gofer.exceptions import URLRequired as URLRequired
    from gofer.exceptions import WebSocketClosed as WebSocketClosed
    from gofer.exceptions import WriteTimeout as WriteTimeout
    from gofer.listening import AsyncEventStream as AsyncEventStream
    from gofer.listening import EventStream as EventStream
    from gofer.messages.events import ServerSentEvent as ServerSentEvent
    from gofer.messages.status_codes import codes as codes
    from gofer.sessions import Session as Session
    from gofer.sessions import session as session
    from gofer.stages.auth import NoAuth as NoAuth
    from gofer.stages.retries import Retry as Retry
    from gofer.timeouts import Timeouts as Timeouts
    from gofer.websocket import AsyncWebSocket as AsyncWebSocket
    from gofer.websocket import WebSocket as WebSocket


class _Faces:
    """Finds `gofer.models` in `dropin/`: one module by two names, never two copies of it."""

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG004
        package, _, name = fullname.partition(".")
        if package != "gofer" or name.partition(".")[0] not in _FACES:
            return None
        from gofer.dropin.aliases import find

        return find(fullname, name)


sys.meta_path.append(_Faces)  # after all others: an import that succeeds costs no more


if not TYPE_CHECKING:  # to them, every name would be there

    def __getattr__(name: str) -> Any:
        home = _HOME_OF.get(name)
        if home is not None:
            value = getattr(import_module(f"gofer.{home}"), name)
        elif name in _MODULES:
            value = import_module(f"gofer.{name}")
        else:
            raise AttributeError(f"module 'gofer' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_MODULES})
