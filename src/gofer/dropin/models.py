"""Requests' models: `Request`, `PreparedRequest` with its steps of preparation, `Response`.

The messages themselves live in `gofer.messages`; here stands what Requests' users call on them
that reaches up into auth, cookies and sessions.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gofer.exceptions import InvalidMethod
from gofer.messages import request as messages_request
from gofer.messages import response as messages_response
from gofer.messages.fields import Headers, given_fields
from gofer.messages.request import WithHooks, check_hooks, default_hooks
from gofer.messages.response_head import REDIRECT_STATUS_CODES
from gofer.messages.url import encode_form, parse, with_params
from gofer.protocols.http1_request import check_content_length
from gofer.stages.auth import NoAuth, claim_fields, from_argument

if TYPE_CHECKING:
    from gofer.dropin.cookies import RequestsCookieJar

__all__ = ["PreparedRequest", "Request", "Response"]

CONTENT_CHUNK_SIZE = 10 * 1024
REDIRECT_STATI = REDIRECT_STATUS_CODES
DEFAULT_REDIRECT_LIMIT = 30
ITER_CHUNK_SIZE = 512


class Response(messages_response.Response):
    __doc__ = messages_response.Response.__doc__

    if TYPE_CHECKING:
        request: "PreparedRequest"

        @property
        def next(self) -> "PreparedRequest | None": ...

    @property
    def cookies(self) -> "RequestsCookieJar":
        """The cookies this response set, as a `RequestsCookieJar`."""
        jar = self.__dict__.get("_cookies")
        if jar is None:
            from gofer.dropin.cookies import RequestsCookieJar, extract_cookies_to_jar

            jar = self.__dict__["_cookies"] = RequestsCookieJar()
            if self.request is not None and self.fields.has(b"set-cookie"):
                extract_cookies_to_jar(jar, self.request, self)
        return jar

    @cookies.setter
    def cookies(self, value: Any) -> None:
        self.__dict__["_cookies"] = value

    @property
    def _retries(self) -> Any:
        """The policy of retries in urllib3's words, for `raw`."""
        from gofer.dropin.adapters import in_words_of_urllib3

        settings = getattr(self.request, "settings", None)
        return in_words_of_urllib3(0 if settings is None else settings.max_retries)

    def _iterate_raw(self, chunk_size: int | None) -> Iterator[bytes]:
        try:
            yield from super()._iterate_raw(chunk_size)
        except Exception as error:
            from gofer.dropin.urllib3_pools import error_from, is_theirs

            if not is_theirs(error):
                raise
            raise error_from(error, self.request, is_reading=True) from error


RequestHooksMixin = WithHooks


class RequestEncodingMixin:
    """How parameters and files are written, for those who call that by itself."""

    @staticmethod
    def _encode_params(data: Any) -> Any:
        """A form of a mapping or pairs, as text; text, bytes and files as they are."""
        if isinstance(data, str | bytes) or hasattr(data, "read") or not hasattr(data, "__iter__"):
            return data
        return encode_form(data)

    @staticmethod
    def _encode_files(files: Any, data: Any) -> tuple[Any, str | None]:
        """multipart/form-data of files and fields: content and media type.

        Raises:
            ValueError: there are no files, or `data` is text.
        """
        from gofer.messages.content import encode

        if not files:
            raise ValueError("Files must be provided.")
        return encode(data, files, None)


class PreparedRequest(RequestEncodingMixin, messages_request.PreparedRequest):
    __doc__ = messages_request.PreparedRequest.__doc__

    response_class = Response
    _measured: Any = None  # a file, and the Content-Length that was declared for it

    def prepare(
        self,
        method: Any = None,
        url: Any = None,
        headers: Any = None,
        files: Any = None,
        data: Any = None,
        params: Any = None,
        auth: Any = None,
        cookies: Any = None,
        hooks: Any = None,
        json: Any = None,
    ) -> None:
        """Prepare everything, in the order in which one part needs another."""
        self.prepare_method(method)
        self.prepare_url(url, params)
        self.prepare_headers(headers)
        self.prepare_cookies(cookies)
        given = self.headers.get("Content-Length")
        self.prepare_body(data, files, json)
        if given is not None and self.body is not None:  # otherwise it is looked at when sent
            self.check_length(given)
        self.prepare_auth(auth, url)
        self.prepare_hooks(hooks)

    def prepare_method(self, method: Any) -> None:
        """The method, in upper case.

        Raises:
            InvalidMethod: it is neither str nor bytes.
        """
        if method is None:
            self.method = None
            return
        if isinstance(method, bytes):
            method = method.decode("latin-1")
        if not isinstance(method, str):
            raise InvalidMethod(
                f"the method must be str such as 'GET', not {type(method).__name__}"
            )
        self.method = method.upper()

    def prepare_url(self, url: Any, params: Any = None, *, requote: bool = True) -> None:
        """Read the URL, and add `params` to its query.

        Raises:
            MissingSchema, InvalidURL: it cannot be understood.
        """
        self._url = self._parsed(url, requote=requote, params=params)

    def prepare_headers(self, headers: Any) -> None:
        """The header section, from a mapping or pairs.

        Raises:
            InvalidHeader: a field cannot be sent.
        """
        prepared = Headers()
        for name, value in given_fields(headers):
            prepared[name] = value
        prepared.encode()  # refuses what cannot be sent
        self.headers = prepared

    def prepare_cookies(self, cookies: Any) -> None:
        """Set the Cookie field from a jar or a dict; has no effect on a second call."""
        from gofer.dropin.cookies import cookiejar_from_dict, get_cookie_header

        if not hasattr(cookies, "add_cookie_header"):
            cookies = cookiejar_from_dict(cookies)
        self._cookies = cookies
        value = get_cookie_header(cookies, self)
        if value is not None:
            self.headers["Cookie"] = value

    def prepare_body(self, data: Any, files: Any, json: Any = None) -> None:
        """Turn data, files or json into content, and describe it in the header section."""
        if not data and not files and json is None:
            self.body = None
        else:
            from gofer.messages.content import encode, position

            body, media_type = encode(data, files, json)
            self.body = body
            self._body_position = position(body) if body is not None else None
            if media_type and not self.has_field("content-type"):
                self.headers["Content-Type"] = media_type
        self.prepare_content_length(self.body)

    def prepare_content_length(self, body: Any) -> None:
        """Content-Length where the length is known, chunked coding where it is not."""
        if body is not None:
            from gofer.messages.content import length

            known = length(body)
            if known is None:
                if not self.has_field("content-length"):
                    self.headers["Transfer-Encoding"] = "chunked"
            elif not self.has_field("transfer-encoding"):
                self.headers["Content-Length"] = str(known)
                if hasattr(body, "read"):
                    self._measured = body, str(known)
        elif self.method not in ("GET", "HEAD") and not (
            self.has_field("content-length") or self.has_field("transfer-encoding")
        ):
            self.headers["Content-Length"] = "0"

    def check_length(self, given: Any) -> None:
        """Refuse the Content-Length a caller gave if the content has another.

        One that was measured here stays: of a file that has grown since, so much is sent.

        Raises:
            LocalProtocolError: it has, or the value is not a number.
        """
        from gofer.messages.content import length

        text = given.decode("latin-1") if isinstance(given, bytes) else str(given)
        actual = length(self.body)
        if actual and self._measured == (self.body, text) and actual > int(text):
            actual = int(text)
        check_content_length(text, actual)

    def prepare_auth(self, auth: Any, url: Any = "") -> None:
        """Apply credentials: those given, else those in the URL."""
        if auth is None and self._url is not None and self._url.username is not None:
            auth = (self._url.username, self._url.password or "")
        scheme = from_argument(auth)
        if scheme is None:
            return
        before = self.sent_headers.copy()
        result = scheme(self)
        if result is not None and result is not self:
            self.__dict__.update(result.__dict__)
        claim_fields(self, before)
        # A plain callable has done its work now, once and for all.
        is_done = getattr(scheme, "flow", None) is None and not isinstance(scheme, NoAuth)
        self.auth = None if is_done else scheme
        self.prepare_content_length(self.body)

    def prepare_hooks(self, hooks: Any) -> None:
        """Register callbacks, given by event."""
        for event, callbacks in (hooks or {}).items():
            if callbacks is not None:
                self.register_hook(event, callbacks)


class Request(WithHooks):
    """What a user asks for; `send()` sends it, `prepare()` makes a `PreparedRequest` of it.

    Args:
        method: str; GET if left out and a url is given.
        url: str or anything str() makes a URL of.
        params: dict, pairs, str or bytes for the query.
        data, json, files: the content.
        session: the session to send it on; one of its own otherwise.
        timeout, deadline, allow_redirects, proxies, proxy, prefetch, stream, verify, cert, config,
            priority: as on a call.
    """

    def __init__(
        self,
        method: Any = None,
        url: Any = None,
        headers: Any = None,
        files: Any = None,
        data: Any = None,
        params: Any = None,
        auth: Any = None,
        cookies: Any = None,
        hooks: Any = None,
        json: Any = None,
        *,
        session: Any = None,
        **options: Any,
    ) -> None:
        if isinstance(method, str) and "://" in method:
            raise TypeError(
                "Request() takes the method first: Request('GET', url), or Request(url=...)"
            )
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise TypeError(f"Request() does not know {', '.join(sorted(unknown))}")
        if method is None and url is not None:
            method = "GET"
        self.method = method
        self.url = url
        self.headers = {} if headers is None else headers
        self.files = [] if files is None else files
        self.data = [] if data is None else data
        self.params = {} if params is None else params
        self.auth = auth
        self.cookies = cookies
        self.json = json
        self.hooks = default_hooks()
        for event, callbacks in check_hooks(hooks).items():
            self.hooks[event] = callbacks
        self.session = session
        self.options = options
        self.sent = False
        self.response: Response | None = None

    @property
    def full_url(self) -> str:
        """The URL with its params."""
        return with_params(parse(self.url), self.params).href

    @property
    def path_url(self) -> str:
        """Path and query of the URL with its params."""
        return with_params(parse(self.url), self.params).target.decode("ascii")

    def __getattr__(self, name: str) -> Any:
        if name in _OPTIONS:
            return self.__dict__.get("options", {}).get(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def prepare(self) -> PreparedRequest:
        """A `PreparedRequest` of this, without a session's values."""
        prepared = PreparedRequest()
        prepared.prepare(
            method=self.method,
            url=self.url,
            headers=self._headers_to_send(),
            files=self.files,
            data=self.data,
            json=self.json,
            params=self.params,
            auth=self.auth,
            cookies=self.cookies,
            hooks=self.hooks,
        )
        return prepared

    def _headers_to_send(self) -> Any:
        """`headers`, with the field that `priority` stands for, where no call makes it."""
        priority = self.options.get("priority")
        if priority is None:
            return self.headers
        from gofer.precedence import with_priority

        return with_priority(self.headers, priority)

    def send(self, anyway: bool = False, prefetch: bool | None = None) -> bool:
        """Send it and keep the answer as `response`; True.

        A request that was sent is not sent again, unless `anyway`.
        """
        if self.sent and not anyway:
            return True
        from gofer.sessions import Session

        options = dict(self.options)
        if prefetch is not None:
            options["prefetch"] = prefetch
        if self.session is not None:
            self.response = self.session.request(**self.as_arguments(), **options)
        else:
            with Session() as session:
                self.response = session.request(**self.as_arguments(), **options)
        self.sent = True
        return True

    def as_arguments(self) -> dict[str, Any]:
        """The arguments of `Session.request` that say the same."""
        return {
            "method": self.method or "GET",
            "url": self.url,
            "headers": self.headers or None,
            "files": self.files or None,
            "data": self.data or None,
            "params": self.params or None,
            "auth": self.auth,
            "cookies": self.cookies,
            "hooks": {event: hook for event, hook in self.hooks.items() if hook != []} or None,
            "json": self.json,
        }

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"


_OPTIONS = frozenset(
    ("allow_redirects", "cert", "config", "deadline", "prefetch", "priority", "proxies", "proxy",
     "stream", "timeout", "verify")
)  # fmt: skip
