"""pycurl, one handle, its field lines parsed into a dict as every other client does."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pycurl


def connect(url: str, trust: str | None) -> tuple[Callable[[], Any], Callable[[], None]]:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate")
    if trust is not None:
        curl.setopt(pycurl.CAINFO, trust)

    def fetch() -> Any:
        fields: dict[str, str] = {}
        content = BytesIO()

        def take_line(line: bytes) -> None:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                fields[name.lower()] = value.strip()

        curl.setopt(pycurl.HEADERFUNCTION, take_line)
        curl.setopt(pycurl.WRITEDATA, content)
        curl.perform()
        return json.loads(content.getvalue())

    return fetch, curl.close


def connect_many(
    url: str, trust: str | None, size: int
) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Its multi interface, with as many handles as may be open, used again and again."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, size)
    handles = [pycurl.Curl() for _ in range(size)]
    for curl in handles:
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate")
        if trust is not None:
            curl.setopt(pycurl.CAINFO, trust)
            curl.setopt(pycurl.PIPEWAIT, 1)  # or each has a connection of its own over HTTP/2

    def begin(curl: Any) -> None:
        curl.lines, curl.content = [], BytesIO()
        curl.setopt(pycurl.HEADERFUNCTION, curl.lines.append)
        curl.setopt(pycurl.WRITEDATA, curl.content)
        multi.add_handle(curl)

    def finish(curl: Any) -> None:
        multi.remove_handle(curl)
        fields: dict[str, str] = {}
        for line in curl.lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                fields[name.lower()] = value.strip()
        json.loads(curl.content.getvalue())

    def run(count: int) -> None:
        for curl in handles[:count]:
            begin(curl)
        running = min(size, count)
        unsent = count - running
        while running:
            multi.perform()
            while True:
                queued, good, bad = multi.info_read()
                assert not bad, bad
                for curl in good:
                    finish(curl)
                    if unsent:
                        unsent -= 1
                        begin(curl)
                    else:
                        running -= 1
                if not queued:
                    break
            if running:
                multi.select(1.0)

    return run, multi.close


def download(url: str, trust: str | None = None) -> int:
    curl, content = pycurl.Curl(), BytesIO()
    if trust is not None:
        curl.setopt(pycurl.CAINFO, trust)
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEDATA, content)
    curl.perform()
    curl.close()
    return len(content.getvalue())


def upload(url: str, path: str) -> int:
    curl = pycurl.Curl()
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.UPLOAD, True)
        curl.setopt(pycurl.READDATA, file)
        curl.setopt(pycurl.INFILESIZE_LARGE, size)
        curl.setopt(pycurl.HTTPHEADER, ["Expect:"])
        received = int(curl.perform_rb())
    curl.close()
    return received


def stream_down(url: str) -> int:
    curl, size = pycurl.Curl(), 0

    def take(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEFUNCTION, take)
    curl.perform()
    curl.close()
    return size
