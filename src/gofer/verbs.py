"""The methods of HTTP as functions, over one `request`: written once for every face."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from typing import Unpack

    from gofer.arguments import (
        Data,
        GetOptions,
        Params,
        PostOptions,
        PutOptions,
        RequestOptions,
        Url,
    )

__all__ = ["Answer", "Verbs"]

Answer = TypeVar("Answer")  # what a call gives: a Response, something to await, a Request


class Verbs(Generic[Answer]):
    """`get` and its kin, for what has a `request`."""

    def request(self, method: str | bytes, url: "Url", *args: Any, **kwargs: Any) -> Answer:
        """Send a request."""
        raise NotImplementedError

    def get(
        self, url: "Url", params: "Params | None" = None, **options: "Unpack[GetOptions]"
    ) -> Answer:
        """Send a GET: ask for a representation of what is at `url` (RFC 9110, 9.3.1).

        Args:
            params: added to the URL's query: a dict, pairs, str or bytes.
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        if not options:  # 1 % of a request the less
            return self.request("GET", url, params=params, allow_redirects=True)
        options.setdefault("allow_redirects", True)
        return self.request("GET", url, params=params, **options)

    def options(self, url: "Url", **options: "Unpack[RequestOptions]") -> Answer:
        """Send an OPTIONS: ask what can be done at `url` (RFC 9110, 9.3.7).

        Args:
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        options.setdefault("allow_redirects", True)
        return self.request("OPTIONS", url, **options)

    def head(self, url: "Url", **options: "Unpack[RequestOptions]") -> Answer:
        """Send a HEAD: a GET whose answer has no content (RFC 9110, 9.3.2).

        Redirects are not followed unless `allow_redirects=True`.

        Args:
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(
        self,
        url: "Url",
        data: "Data | None" = None,
        json: Any = None,
        **options: "Unpack[PostOptions]",
    ) -> Answer:
        """Send a POST: have `url` process the content (RFC 9110, 9.3.3).

        Args:
            data: the content: a dict or pairs become a form; bytes, str, a file or an iterator are
                sent as they are.
            json: a value to send as JSON in its place.
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        return self.request("POST", url, data=data, json=json, **options)

    def put(
        self, url: "Url", data: "Data | None" = None, **options: "Unpack[PutOptions]"
    ) -> Answer:
        """Send a PUT: make the content the representation at `url` (RFC 9110, 9.3.4).

        Args:
            data: the content: a form, bytes, str, a file or an iterator.
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        return self.request("PUT", url, data=data, **options)

    def patch(
        self, url: "Url", data: "Data | None" = None, **options: "Unpack[PutOptions]"
    ) -> Answer:
        """Send a PATCH: change what is at `url` as the content says (RFC 5789).

        Args:
            data: the content: a form, bytes, str, a file or an iterator.
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: "Url", **options: "Unpack[RequestOptions]") -> Answer:
        """Send a DELETE: have what is at `url` removed (RFC 9110, 9.3.5).

        Args:
            options: as in `request`; times are seconds.

        Raises:
            RequestException, ValueError, TypeError: as `request`; a 4xx or 5xx raises nothing.
        """
        return self.request("DELETE", url, **options)
