"""What the web server answers: routes like httpbin's, and some that a test opens step by step.

A route is a function of the request and of the parts of its path; it gives a `Reply`. To add one,
write the function under its pattern.
"""

import base64
import binascii
import functools
import gzip
import json
import random
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from servers import digest
from servers.multipart import parse_multipart
from servers.web import Fields, Reply, Request

Handler = Callable[..., Reply]
Register = Callable[[Handler], Handler]

READING = ("GET", "HEAD", "OPTIONS")
ANY = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")

_routes: list[tuple[re.Pattern[str], tuple[str, ...], Handler]] = []


def route(pattern: str, methods: tuple[str, ...] = READING) -> Register:
    """Register a function for a path: `{name}` is one part of it, `{name*}` all that is left."""
    expression = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.*)", pattern)
    expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]*)", expression)

    def register(function: Handler) -> Handler:
        _routes.append((re.compile(expression), methods, function))
        return function

    return register


def answer(request: Request) -> Reply:
    """The reply of the first route whose pattern and method fit."""
    status = 404
    for pattern, methods, function in _routes:
        if not (match := pattern.fullmatch(request.path)):
            continue
        if request.method in methods:
            return function(request, **match.groupdict())
        status = 405
    return Reply.text(f"nothing for {request.method} {request.path}\n", status=status)


# Echo ---------------------------------------------------------------------------------------------


@route("/", ANY)
@route("/anything", ANY)
@route("/anything/{rest*}", ANY)
def anything(request: Request, rest: str = "") -> Reply:
    return Reply.json(echo(request))


@route("/get")
def get(request: Request) -> Reply:
    return Reply.json(echo(request))


@route("/post", ("POST",))
@route("/put", ("PUT",))
@route("/patch", ("PATCH",))
@route("/delete", ("DELETE",))
def write(request: Request) -> Reply:
    return Reply.json(echo(request))


def echo(request: Request) -> dict[str, Any]:
    """Everything about a request, as httpbin spells it, and its field lines in order."""
    form: Fields = []
    files: Fields = []
    data = request.content
    media_type = (request.field("content-type") or "").split(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        form, data = parse_qsl(data.decode(), keep_blank_values=True), b""
    elif media_type == "multipart/form-data":
        parts = parse_multipart(request.field("content-type") or "", data)
        form = [(part.name, as_text(part.content)) for part in parts if part.filename is None]
        files = [(part.name, as_text(part.content)) for part in parts if part.filename is not None]
        data = b""
    return {
        "args": grouped(request.query),
        "form": grouped(form),
        "files": grouped(files),
        "data": as_text(data),
        "json": as_json(data),
        "headers": {name.title(): request.field(name) for name, _ in request.fields},
        "field_lines": request.fields,
        "method": request.method,
        "url": url_of(request),
        "origin": "127.0.0.1",
    }


def url_of(request: Request) -> str:
    scheme = "https" if request.web.tls else "http"
    return f"{scheme}://{request.field('host')}{request.target}"


def grouped(pairs: Fields) -> dict[str, str | list[str]]:
    """Pairs as a dict; a name that comes more than once has a list."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def as_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(data).decode("ascii")
        return f"data:application/octet-stream;base64,{encoded}"


def as_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


# What came ----------------------------------------------------------------------------------------


@route("/headers")
def headers(request: Request) -> Reply:
    fields = {name.title(): request.field(name) for name, _ in request.fields}
    return Reply.json({"headers": fields, "field_lines": request.fields})


@route("/ip")
def ip(request: Request) -> Reply:
    return Reply.json({"origin": "127.0.0.1"})


@route("/user-agent")
def user_agent(request: Request) -> Reply:
    return Reply.json({"user-agent": request.field("user-agent")})


@route("/connection")
def connection(request: Request) -> Reply:
    """Which connection this is, and which request on it."""
    return Reply.json({"connection": request.connection, "request": request.number})


@route("/close")
def close(request: Request) -> Reply:
    """The same, and the server closes the connection."""
    value = {"connection": request.connection, "request": request.number}
    return Reply.json(value, fields=[("Connection", "close")])


@route("/upload-count", ("POST", "PUT", "PATCH"))
def upload_count(request: Request) -> Reply:
    """How many bytes came, without keeping them."""
    return Reply.json({"bytes": sum(len(piece) for piece in request.pieces())})


@route("/expect", ("POST", "PUT"))
def expect(request: Request) -> Reply:
    """Whether the client waited for 100 (Continue), which it then gets."""
    waiting = request.conversation.http.they_are_waiting_for_100_continue
    return Reply.json({"waited": waiting, "bytes": len(request.content)})


@route("/expect/refused", ("POST", "PUT"))
def expect_refused(request: Request) -> Reply:
    """417 without reading the content."""
    return Reply.text("no\n", status=417)


# Cookies ------------------------------------------------------------------------------------------


@route("/cookies")
def cookies(request: Request) -> Reply:
    return Reply.json({"cookies": request.cookies})


@route("/cookies/set")
def set_cookies(request: Request) -> Reply:
    return Reply(status=302, fields=[("Location", "/cookies"), *cookie_lines(request.query)])


@route("/cookies/set/{name}/{value}")
def set_cookie(request: Request, name: str, value: str) -> Reply:
    return Reply(status=302, fields=[("Location", "/cookies"), *cookie_lines([(name, value)])])


@route("/cookies/delete")
def delete_cookies(request: Request) -> Reply:
    lines = [("Set-Cookie", f"{name}=; Path=/; Max-Age=0") for name, _ in request.query]
    return Reply(status=302, fields=[("Location", "/cookies"), *lines])


def cookie_lines(pairs: Fields) -> Fields:
    return [("Set-Cookie", f"{name}={value}; Path=/") for name, value in pairs]


# Redirects and status codes -----------------------------------------------------------------------


@route("/redirect/{count}", ANY)
def redirect(request: Request, count: str) -> Reply:
    """`count` redirects, then /get; `?absolute=1` writes whole URLs."""
    target = "/get" if count == "1" else f"/redirect/{int(count) - 1}"
    if request.option("absolute"):
        target = f"{request.web.url}{target}?absolute=1"
    return Reply(b"on your way\n", 302, [("Location", target)])


@route("/echo", ANY)
def echo_at_once(request: Request) -> Reply:
    """The content as it comes, while it comes; `?status=`, and `?first=` bytes before it."""
    first = request.option("first").encode()

    def pieces() -> Iterator[bytes]:
        if first:
            yield first
        yield from request.pieces()

    fields = [("Content-Type", "application/octet-stream")]
    return Reply(pieces(), int(request.option("status", "200")), fields)


@route("/redirect-to", ANY)
def redirect_to(request: Request) -> Reply:
    status = int(request.option("status_code", "302"))
    return Reply(status=status, fields=[("Location", request.option("url"))])


@route("/status/{code}", ANY)
def status(request: Request, code: str) -> Reply:
    fields: Fields = []
    if code in ("301", "302", "303", "307", "308"):
        fields = [("Location", "/redirect/1")]
    elif code == "401":
        fields = [("WWW-Authenticate", 'Basic realm="witness"')]
    elif code == "407":
        fields = [("Proxy-Authenticate", 'Basic realm="witness"')]
    content = b"" if code in ("204", "205", "304") else f"{code}\n".encode()
    return Reply(content, int(code), fields)


# Authentication -----------------------------------------------------------------------------------


@route("/basic-auth/{user}/{password}", ANY)
def basic_auth(request: Request, user: str, password: str) -> Reply:
    if credentials(request) == f"{user}:{password}":
        return Reply.json({"authenticated": True, "user": user})
    return Reply(
        status=401, fields=[("WWW-Authenticate", 'Basic realm="witness", charset="UTF-8"')]
    )


@route("/hidden-basic-auth/{user}/{password}", ANY)
def hidden_basic_auth(request: Request, user: str, password: str) -> Reply:
    if credentials(request) == f"{user}:{password}":
        return Reply.json({"authenticated": True, "user": user})
    return Reply(status=404)


@route("/bearer", ANY)
def bearer(request: Request) -> Reply:
    scheme, _, token = (request.field("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return Reply.json({"authenticated": True, "token": token})
    return Reply(status=401, fields=[("WWW-Authenticate", "Bearer")])


@route("/digest-auth/{qop}/{user}/{password}", ANY)
@route("/digest-auth/{qop}/{user}/{password}/{algorithm}", ANY)
def digest_auth(
    request: Request, qop: str, user: str, password: str, algorithm: str = "MD5"
) -> Reply:
    """Digest authentication. Options: `stale_after=n`, `next_nonce=1`, `userhash=1`, `opaque=x`."""
    return digest.answer(request, digest.Account(qop, user, password, algorithm))


def credentials(request: Request) -> str | None:
    """The user and the password of Basic credentials (RFC 7617)."""
    scheme, _, token = (request.field("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


# Content codings ----------------------------------------------------------------------------------


@route("/gzip")
def gzipped(request: Request) -> Reply:
    return coded(request, "gzip", gzip.compress)


@route("/deflate")
def deflated(request: Request) -> Reply:
    """zlib's format, as the RFC says; `?raw=1` without its frame, as some servers do."""
    if not request.option("raw"):
        return coded(request, "deflate", zlib.compress)
    return coded(request, "deflate", functools.partial(zlib.compress, wbits=-15))


@route("/brotli")
def brotlied(request: Request) -> Reply:
    import brotli

    return coded(request, "br", brotli.compress)


@route("/zstd")
def zstandard(request: Request) -> Reply:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return coded(request, "zstd", zstd.compress)


def coded(request: Request, coding: str, encode: Callable[[bytes], bytes]) -> Reply:
    content = encode(json.dumps({"coding": coding, **echo(request)}).encode())
    fields = [("Content-Type", "application/json"), ("Content-Encoding", coding)]
    return Reply(content, fields=fields)


# Content in pieces --------------------------------------------------------------------------------


@route("/stream/{count}")
def stream(request: Request, count: str) -> Reply:
    """`count` lines of JSON, a chunk each."""
    lines = (json.dumps({"id": index}).encode() + b"\n" for index in range(int(count)))
    return Reply(lines, fields=[("Content-Type", "application/json")])


@route("/bytes/{count}")
def some_bytes(request: Request, count: str) -> Reply:
    """`count` bytes, the same for the same `?seed=`."""
    content = pattern_bytes(int(count), request.option("seed", "0"))
    return Reply(content, fields=[("Content-Type", "application/octet-stream")])


@route("/range/{count}")
def in_ranges(request: Request, count: str) -> Reply:
    """Bytes of which a single range may be asked for (RFC 9110, 14)."""
    content = pattern_bytes(int(count), "0")
    fields = [("Accept-Ranges", "bytes"), ("ETag", f'"range-{count}"')]
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.field("range") or "")
    if not match or request.field("if-range") not in (None, f'"range-{count}"'):
        return Reply(content, fields=fields)
    first, last = int(match[1]), min(int(match[2] or count), len(content) - 1)
    if first > last:
        return Reply(status=416, fields=[("Content-Range", f"bytes */{count}")])
    fields.append(("Content-Range", f"bytes {first}-{last}/{count}"))
    return Reply(content[first : last + 1], 206, fields)


def pattern_bytes(count: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(count)


@route("/chunked")
def chunked(request: Request) -> Reply:
    """Three chunks and a trailer section."""
    return Reply([b"one ", b"two ", b"three"], trailers=[("Checksum", "11"), ("X-End", "yes")])


@route("/trailers/unfit")
def unfit_trailers(request: Request) -> Reply:
    """A trailer section of which one field has business there."""
    unfit = (
        "Set-Cookie", "Authorization", "Host", "WWW-Authenticate", "Proxy-Authenticate",
        "Content-Encoding", "Content-Type", "Trailer",
    )  # fmt: skip
    return Reply([b"content"], trailers=[*((name, "a=b") for name in unfit), ("X-Fit", "yes")])


@route("/sections")
def sections(request: Request) -> Reply:
    """So many field lines of a KiB in each of two interim heads, the head, and the trailers."""

    def lines(section: str) -> Fields:
        return [(f"X-{n}", "x" * 1000) for n in range(int(request.option(section, "0")))]

    interim = [(103, lines("interim"))] * 2 if request.option("interim") else []
    return Reply([b"content"], fields=lines("head"), trailers=lines("trailers"), interim=interim)


@route("/drip/{count}")
def drip(request: Request, count: str) -> Reply:
    """`count` bytes, each a chunk; with `?gate=name` the last one waits for that gate."""

    def drops() -> Iterator[bytes]:
        for left in reversed(range(int(count))):
            if left == 0 and (gate := request.option("gate")):
                request.web.gates[gate].wait()
            yield b"*"

    return Reply(drops())


@route("/sse")
def server_sent_events(request: Request) -> Reply:
    """`?count=` events (2), numbered; a client that has seen them all is told to go."""
    count = int(request.option("count", "2"))
    seen = int(request.field("last-event-id") or 0)
    if seen >= count:
        return Reply(status=204)
    pieces = [b"retry: 10\n\n"]
    pieces += [
        b'event: tick\nid: %d\ndata: {"n": %d}\n\n' % (n, n) for n in range(seen + 1, count + 1)
    ]
    return Reply(iter(pieces), fields=[("Content-Type", "text/event-stream")])


@route("/gate/{name}", ANY)
def before_the_head(request: Request, name: str) -> Reply:
    """Nothing at all until the test opens the gate."""
    request.web.gates[name].wait()
    return Reply.text("open\n")


@route("/gate/{name}/content")
def before_the_content(request: Request, name: str) -> Reply:
    """The head at once, the four bytes of content when the test opens the gate."""
    gate = request.web.gates[name]

    def content() -> Iterator[bytes]:
        gate.wait()
        yield b"open"

    return Reply(content())


@route("/early-hints")
def early_hints(request: Request) -> Reply:
    """103 (Early Hints) before the answer (RFC 8297)."""
    link = [("Link", "</style.css>; rel=preload; as=style")]
    return Reply(b"hinted\n", interim=[(103, link)])


# Representations ----------------------------------------------------------------------------------


@route("/json")
def some_json(request: Request) -> Reply:
    return Reply.json({"title": "a small thing", "numbers": [1, 2.5, None], "deep": {"er": True}})


@route("/html")
def html(request: Request) -> Reply:
    page = "<!doctype html><title>A page</title><h1>A page</h1><p>Grüße, 世界</p>\n"
    return Reply.text(page, "text/html")


@route("/robots")
@route("/robots.txt")
def robots(request: Request) -> Reply:
    return Reply.text("User-agent: *\nDisallow: /deny\n")


@route("/encoding/utf8")
def utf8(request: Request) -> Reply:
    return Reply.text("∮ E⋅da = Q, n → ∞, ∑ f(i) = ∏ g(i); STARGΛ̊TE; ⠓⠑⠇⠇⠕; 😀\n")


@route("/encoding/latin1")
def latin1(request: Request) -> Reply:
    fields = [("Content-Type", "text/plain; charset=ISO-8859-1")]
    return Reply("déjà vu\n".encode("latin-1"), fields=fields)


@route("/links")
def links(request: Request) -> Reply:
    value = f'<{request.web.url}/links?page=2>; rel="next", </links?page=9>; rel="last"'
    return Reply(b"pages\n", fields=[("Link", value)])
