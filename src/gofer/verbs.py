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
        """GET `url`; keywords as in `request`."""
        return self.request("GET", url, params=params, **options)

    def options(self, url: "Url", **options: "Unpack[RequestOptions]") -> Answer:
        """OPTIONS `url`; keywords as in `request`."""
        return self.request("OPTIONS", url, **options)

    def head(self, url: "Url", **options: "Unpack[RequestOptions]") -> Answer:
        """HEAD `url`, without following redirects unless asked to."""
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(
        self,
        url: "Url",
        data: "Data | None" = None,
        json: Any = None,
        **options: "Unpack[PostOptions]",
    ) -> Answer:
        """POST to `url`; keywords as in `request`."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(
        self, url: "Url", data: "Data | None" = None, **options: "Unpack[PutOptions]"
    ) -> Answer:
        """PUT to `url`; keywords as in `request`."""
        return self.request("PUT", url, data=data, **options)

    def patch(
        self, url: "Url", data: "Data | None" = None, **options: "Unpack[PutOptions]"
    ) -> Answer:
        """PATCH `url`; keywords as in `request`."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: "Url", **options: "Unpack[RequestOptions]") -> Answer:
        """DELETE `url`; keywords as in `request`."""
        return self.request("DELETE", url, **options)
