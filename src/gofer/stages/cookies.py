"""The cookies stage: Cookie goes out, Set-Cookie comes in, once for each request on the wire.

The rules are the store's (`messages/cookies.py`); here is only when it is asked. `settings.
cookie_store` is a `CookieStore` or anything with `store` and `field_for`, for instance a foreign
jar. Stages below that send by themselves (auth) call `keep_cookies` for answers they swallow.
"""

from collections.abc import Awaitable, Callable
from time import time
from typing import Any

__all__ = ["cookie_field", "cookies", "keep_cookies"]


async def cookies(request: Any, send: Callable[[Any], Awaitable[Any]]) -> Any:
    """Sends `request` with the cookies that belong to it, and keeps those of the response."""
    if request.cookie_overrides is not None or request.settings.cookie_store:
        field = cookie_field(request, time())
        if field is not None:
            request.headers["Cookie"] = field
            request.stage_fields = {*request.stage_fields, "cookie"}  # redirects take it off again
    response = await send(request)
    fields = response.fields
    if not fields.is_plain and fields.has(b"set-cookie"):
        keep_cookies(request, response, time())
    return response


def cookie_field(request: Any, now: float) -> str | None:
    """The Cookie field value to add to `request`, or None.

    A Cookie field that the caller wrote is sent unchanged, and nothing is added to it (Requests
    does the same).
    """
    if request.has_field("cookie") and "cookie" not in request.stage_fields:
        return None
    field: str | None = request.settings.cookie_store.field_for(
        request.url_parsed, now, overrides=request.cookie_overrides
    )
    return field


def keep_cookies(request: Any, response: Any, now: float) -> None:
    """Hands the Set-Cookie fields to the store, whatever the status code, unless
    `store_cookies` is off. They belong to the URL's host, whatever a Host field said."""
    settings = request.settings
    if settings.store_cookies:
        values = response.fields.get_all("Set-Cookie")
        settings.cookie_store.store(request.url_parsed, values, now)
