"""URIs of other schemes, for adapters that know them: `http+unix://…`, `file:…`, `mailto:…`.

gofer's own network sends to http and https only; here a URI is merely carried, and kept as it was
written. One whose scheme begins with http is normalised and takes params, as Requests has it.
"""

from urllib.parse import urlsplit

from gofer.messages.quoting import escape, normal_path, normal_query
from gofer.messages.url import URL, Authority, encode_form, url_of

__all__ = ["foreign"]

_NOT_VISIBLE = r"[^!-~]"


def foreign(text: str, params: object = None) -> URL:
    """The URL object of a URI whose scheme is neither http nor https.

    Raises:
        ValueError: its authority is broken, as `urllib.parse.urlsplit` sees it.
    """
    parts = urlsplit(text, allow_fragments=False)
    scheme = parts.scheme.lower()
    path, query = parts.path, parts.query or None
    if scheme.startswith("http"):
        path = normal_path(path or "/")
        query = None if query is None else normal_query(query)
        added = encode_form(params) if params is not None else ""
        if added:
            if isinstance(added, bytes):
                added = normal_query(added.decode("latin-1"), "latin-1")
            query = f"{query}&{added}" if query else added
    has_authority = text[len(parts.scheme) + 1 :].startswith("//")
    place = Authority.foreign(scheme, parts.netloc if has_authority else None)
    path = escape(path, _NOT_VISIBLE)
    return url_of(place, path, None if query is None else escape(query, _NOT_VISIBLE), None)
