"""grequests: Requests on gevent, which patches this process."""

from collections.abc import Callable
from typing import Any

import grequests
import requests
from requests.adapters import HTTPAdapter


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    session = _session(trust, 1)
    return lambda: session.get(url).json(), session.close


def connect_many(
    url: str, trust: str | None, size: int
) -> tuple[Callable[[int], None], Callable[[], None]]:
    session = _session(trust, size)

    def run(count: int) -> None:
        unsent = (grequests.get(url, session=session) for _ in range(count))
        for response in grequests.imap(unsent, size=size):
            response.json()

    return run, session.close


def _session(trust: str | None, size: int) -> requests.Session:
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=size)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    if trust is not None:
        session.verify = trust
    return session
