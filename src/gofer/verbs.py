"""The methods of HTTP as functions, over one `request`: written once for every face."""

from typing import Any, Generic, TypeVar

__all__ = ["Answer", "Verbs"]

Answer = TypeVar("Answer")  # what a call gives: a Response, something to await, a Request


class Verbs(Generic[Answer]):
    """`get` and its kin, for what has a `request`."""

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Answer:
        """Send a request."""
        raise NotImplementedError

    def get(self, url: Any, params: Any = None, **kwargs: Any) -> Answer:
        """GET `url`; keywords as in `request`."""
        return self.request("GET", url, params=params, **kwargs)

    def options(self, url: Any, **kwargs: Any) -> Answer:
        """OPTIONS `url`; keywords as in `request`."""
        return self.request("OPTIONS", url, **kwargs)

    def head(self, url: Any, **kwargs: Any) -> Answer:
        """HEAD `url`, without following redirects unless asked to."""
        kwargs.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **kwargs)

    def post(self, url: Any, data: Any = None, json: Any = None, **kwargs: Any) -> Answer:
        """POST to `url`; keywords as in `request`."""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: Any, data: Any = None, **kwargs: Any) -> Answer:
        """PUT to `url`; keywords as in `request`."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: Any, data: Any = None, **kwargs: Any) -> Answer:
        """PATCH `url`; keywords as in `request`."""
        return self.request("PATCH", url, data=data, **kwargs)

    def delete(self, url: Any, **kwargs: Any) -> Answer:
        """DELETE `url`; keywords as in `request`."""
        return self.request("DELETE", url, **kwargs)
