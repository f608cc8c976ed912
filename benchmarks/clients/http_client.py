"""http.client of the standard library, with one connection."""

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    target = urlsplit(url)
    connection: http.client.HTTPConnection
    if trust is None:
        connection = http.client.HTTPConnection(target.netloc)
    else:
        context = ssl.create_default_context(cafile=trust)
        connection = http.client.HTTPSConnection(target.netloc, context=context)

    def fetch() -> Any:
        connection.request("GET", target.path)
        return json.loads(connection.getresponse().read())

    return fetch, connection.close


def download(url: str) -> int:
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc)
    connection.request("GET", target.path)
    return len(connection.getresponse().read())


def upload(url: str, path: str) -> int:
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc)
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        connection.request("PUT", target.path, body=file, headers={"Content-Length": str(size)})
        return int(connection.getresponse().read())
