"""gofer, and nothing but HTTP/3."""

import itertools
from collections.abc import Callable
from typing import Any

import gofer

KNOWN = {"http3": "prior knowledge"}


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    session = gofer.Session(verify=trust, config=KNOWN)
    return lambda: session.get(url).json(), session.close


def connect_many(
    url: str, trust: str | None, size: int
) -> tuple[Callable[[int], None], Callable[[], None]]:
    session = gofer.Session(verify=trust, config=KNOWN)
    responses = gofer.imap(itertools.repeat(url), size, session=session)

    def run(count: int) -> None:
        for response in itertools.islice(responses, count):
            response.json()

    return run, responses.close


def download(url: str, trust: str | None = None) -> int:
    with gofer.Session(verify=trust, config=KNOWN) as session:
        return len(session.get(url).content)
