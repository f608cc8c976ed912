"""`PreparedRequest`: a request with everything decided, on its way down the stages.

It shares its session's encoded header section until somebody touches `headers`, so a request that
needs nothing of its own copies nothing. How it is prepared in Requests' steps stands in
`gofer.dropin.models`; how it is written, in the network.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gofer.exceptions import InvalidSchema, URLRequired
from gofer.messages.fields import EncodedFields, Headers
from gofer.messages.response import Response
from gofer.messages.url import URL, parse, with_params

__all__ = ["HOOKS", "PreparedRequest", "WithHooks", "check_hooks", "default_hooks"]

HOOKS = ("args", "pre_request", "pre_send", "post_request", "response")

_NO_HEADERS = Headers()
_HAS_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.\-]*:").match


def default_hooks() -> dict[str, list[Callable[..., Any]]]:
    """An empty list of callbacks for each event Requests' users know: `response`."""
    return {"response": []}


def check_hooks(hooks: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of `hooks` with every value as it may be used: None or a list.

    Raises:
        ValueError: an event that does not exist, or a callback that cannot be called.
        TypeError: not a mapping.
    """
    checked: dict[str, Any] = {}
    if hooks is None:
        return checked
    if not isinstance(hooks, Mapping):
        raise TypeError(
            f"hooks: got {type(hooks).__name__}, expected a dict such as {{'response': callback}}"
        )
    for event, callbacks in hooks.items():
        if event not in HOOKS:
            raise ValueError(
                f'Unsupported event specified, with event name "{event}";'
                f" there are {', '.join(HOOKS)}"
            )
        if callbacks is None:
            checked[event] = None
            continue
        if callable(callbacks) or not hasattr(callbacks, "__iter__"):
            callbacks = [callbacks]
        callbacks = list(callbacks)
        for callback in callbacks:
            if not callable(callback):
                raise ValueError(f"hook {event!r}: {callback!r:.60} cannot be called")
        checked[event] = callbacks
    return checked


class WithHooks:
    """Registering callbacks, for both kinds of request."""

    hooks: dict[str, Any]

    def register_hook(self, event: str, hook: Any) -> None:
        """Add a callback, or several, to an event.

        Raises:
            ValueError: there is no such event.
        """
        if event not in HOOKS:
            raise ValueError(f'Unsupported event specified, with event name "{event}"')
        callbacks = self.hooks.setdefault(event, [])
        if callable(hook):
            callbacks.append(hook)
        elif hasattr(hook, "__iter__"):
            callbacks.extend(one for one in hook if callable(one))

    def deregister_hook(self, event: str, hook: Callable[..., Any]) -> bool:
        """Take a callback away; False if it was not there."""
        try:
            self.hooks[event].remove(hook)
        except (KeyError, ValueError):
            return False
        return True


class PreparedRequest(WithHooks):
    """A request with everything decided: method, URL, header fields, content.

    Attributes:
        method: str, as it goes on the wire.
        body: None, bytes, str, a file or an iterator: the content to send.
        sent: True once it was written to a connection.
        response: the answer, once there is one.
    """

    # Class-wide until somebody sets them: preparing a request costs only what differs.
    method: Any = None
    body: Any = None
    auth: Any = None
    auth_fields: Any = None  # what was there, by lower-case name, of fields a scheme has set
    settings: Any = None  # Settings | None
    deadline: float | None = None  # monotonic seconds
    outer_deadline: float | None = None  # of what its sending is a part of; the next one takes it
    environment: Any = None  # what the environment says, read once for the call; None: not trusted
    sent = False
    response: Response | None = None
    response_class = Response
    session: Any = None
    params: Any = None
    data: Any = None
    files: Any = None
    cookie_overrides: Any = None  # the call's `cookies`, for its first origin only
    stage_fields: frozenset[str] = frozenset()  # lower-case names of fields a stage has set
    redirect_history: Any = None  # the responses that led here, until they are on the answer
    adapter_arguments: Any = None  # dict: goes by an adapter, which is given them
    call_settings: Any = None  # what the call said, for a `send` that is given only a part of it
    protocol: bytes | None = None  # what is to be spoken from then on, if the server agrees
    proxy_credentials: str | None = None  # made for the proxy that forwards it
    fresh_connection = False  # do not use a kept one: the last turned out to be dead
    _url: URL | None = None
    _headers: Headers | None = None
    _shared_headers: Headers | None = None
    _body_position: Any = None
    _cookies: Any = None
    _hooks: dict[str, Any] | None = None

    # URL ----------------------------------------------------------------------------------------

    @property
    def url(self) -> Any:
        """The target URI, as str; None before there is one."""
        return None if self._url is None else self._url.href

    @url.setter
    def url(self, value: Any) -> None:
        self._url = None if value is None else self._parsed(value, requote=False)

    @staticmethod
    def _parsed(url: Any, *, requote: bool = True, params: Any = None) -> URL:
        """`url` read, with `params`; one of another scheme too: there may be an adapter for it."""
        try:
            parsed = url if isinstance(url, URL) else parse(url, requote=requote)
        except InvalidSchema:
            text = str(url, "utf-8") if isinstance(url, bytes) else str(url)
            if not _HAS_SCHEME(text):
                raise
            from gofer.messages.foreign_url import foreign

            return foreign(text.lstrip(), params)
        return with_params(parsed, params) if params else parsed

    @property
    def url_parsed(self) -> URL:
        """The target URI in its parts.

        Raises:
            URLRequired: there is none yet.
        """
        if self._url is None:
            raise URLRequired("a request needs a URL, expected for example https://example.com/")
        return self._url

    full_url = url

    # Words of 2012, for hooks

    @property
    def allow_redirects(self) -> bool:
        """Whether redirects of this request are followed."""
        return self.settings is None or self.settings.allow_redirects

    @property
    def config(self) -> dict[str, Any]:
        """What this request is sent with, by the keys of `config`; a copy, to be read."""
        return {} if self.settings is None else self.settings.as_config()

    @property
    def path_url(self) -> str:
        """The request target: path and query."""
        return self.url_parsed.target.decode("ascii")

    # Fields -------------------------------------------------------------------------------------

    @property
    def headers(self) -> Headers:
        """The header fields that will be sent, case-insensitive; may be edited."""
        headers = self._headers
        if headers is None:
            shared = self._shared_headers
            if shared is None:
                return None  # type: ignore[return-value]
            headers = self._headers = shared.copy()
        return headers

    @headers.setter
    def headers(self, value: Any) -> None:
        if value is not None and not isinstance(value, Headers):
            value = Headers(value)
        self._headers = value

    @property
    def sent_headers(self) -> Headers:
        """The header section as it stands, ours or shared: to be read, not edited."""
        headers = self._headers
        if headers is None:  # an empty section of our own is one, too
            headers = self._shared_headers
        return _NO_HEADERS if headers is None else headers

    def encoded_fields(self) -> EncodedFields:
        """The header section as it goes on the wire. Spelt out, for it is asked twice a request.

        Raises:
            InvalidHeader: as `Headers.encode`.
        """
        headers = self._headers
        if headers is None:
            headers = self._shared_headers
            if headers is None:
                headers = _NO_HEADERS
        return headers._encoded or headers.encode()

    def has_field(self, lowered_name: str) -> bool:
        """True if a field of that (lower-case) name will be sent. Makes no copy."""
        return lowered_name in self.sent_headers

    # Hooks --------------------------------------------------------------------------------------

    @property
    def hooks(self) -> dict[str, Any]:
        """Callbacks by event."""
        if self._hooks is None:
            self._hooks = default_hooks()
        return self._hooks

    @hooks.setter
    def hooks(self, value: dict[str, Any]) -> None:
        self._hooks = value

    # Content ------------------------------------------------------------------------------------

    def rewind(self) -> None:
        """Make the content ready to be sent again from its start.

        Raises:
            UnrewindableBodyError: its source cannot go back.
        """
        if self.body is None or isinstance(self.body, (bytes, str)):
            return
        from gofer.messages.content import rewind

        rewind(self.body, self._body_position)

    def is_replayable(self) -> bool:
        """True if the content can be sent a second time."""
        if self.body is None or isinstance(self.body, (bytes, str)):
            return True
        from gofer.messages.content import is_replayable

        return is_replayable(self.body)

    def copy(self) -> "PreparedRequest":
        """A copy whose fields and hooks can be edited by themselves."""
        copied = type(self)()
        copied.__dict__.update(self.__dict__)
        headers = self._headers
        if headers is not None:
            copied._headers = headers.copy()
        if self._hooks is not None:
            copied._hooks = {
                event: list(callbacks) if callbacks is not None else None
                for event, callbacks in self._hooks.items()
            }
        if self._cookies is not None and hasattr(self._cookies, "copy"):
            copied._cookies = self._cookies.copy()
        copied.__dict__.pop("response", None)
        copied.__dict__.pop("sent", None)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        # What belongs to this process or to the call that is over.
        for name in ("session", "settings", "call_settings", "adapter_arguments", "response",
                     "environment", "deadline", "outer_deadline"):  # fmt: skip
            state.pop(name, None)
        if self.sent and getattr(self.auth, "flow", None) is None:
            state.pop("auth", None)  # has done its work; may be a lambda
        return state

    def __repr__(self) -> str:
        return f"<PreparedRequest [{self.method}]>"
