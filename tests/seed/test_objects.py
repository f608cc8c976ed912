"""Signatures and objects of 2012, where today's Requests says nothing else (SPEC 1.10)."""

import inspect
from typing import Any

import pytest

import gofer
from gofer import utils
from servers.raw import response, serve
from servers.web import Web

ERA = (
    "method url params data headers cookies files auth timeout allow_redirects proxies hooks"
    " return_response prefetch config"
).split()


def test_request_takes_the_words_of_2012(web: Web, session: gofer.Session) -> None:
    """All of them by keyword, on a session and (with `session=`) on the package."""
    words: dict[str, Any] = {
        "method": "post", "url": web.url + "/post", "params": {"a": "1"}, "data": {"k": "v"},
        "headers": {"X-Test": "1"}, "cookies": {"c": "1"}, "files": {"f": b"file"},
        "auth": ("user", "pass"), "timeout": 9, "allow_redirects": False, "proxies": {},
        "hooks": {"response": lambda r: None}, "return_response": True, "prefetch": True,
        "config": {"max_redirects": 3},
    }  # fmt: skip
    assert set(ERA) == set(words)
    for answer in (session.request(**words), gofer.request(session=session, **words)):
        sent = answer.json()
        assert ({"a": "1"}, {"k": "v"}, {"f": "file"}) == (
            sent["args"], sent["form"], sent["files"],
        )  # fmt: skip


def test_requests_order_of_today() -> None:
    """By position, `request` has today's order; what 2012 adds comes by keyword."""
    parameters = inspect.signature(gofer.Session.request).parameters
    positional = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD][1:]

    assert (
        "method url params data headers cookies files auth timeout allow_redirects proxies hooks"
        " stream verify cert json"
    ).split() == positional
    assert set(ERA) <= set(parameters)


@pytest.mark.parametrize("verb", ["get", "options", "post", "put", "patch", "delete"])
def test_verbs_follow_redirects(web: Web, verb: str) -> None:
    """All verbs do unless told otherwise."""
    followed = getattr(gofer, verb)(web.url + "/redirect-to?status_code=307&url=/anything")
    left = getattr(gofer, verb)(
        web.url + "/redirect-to?status_code=307&url=/anything", allow_redirects=False
    )

    assert (200, 307) == (followed.status_code, left.status_code)


def test_head_does_not_follow(web: Web) -> None:
    """HEAD stays where it is, unless told otherwise."""
    assert 302 == gofer.head(web.url + "/redirect/1").status_code
    assert 200 == gofer.head(web.url + "/redirect/1", allow_redirects=True).status_code


def test_data_comes_second() -> None:
    """`post`, `put` and `patch` take data by position."""
    for verb in ("post", "put", "patch"):
        for owner, skipped in ((gofer, 0), (gofer.Session, 1)):
            assert ["url", "data"] == [*inspect.signature(getattr(owner, verb)).parameters][
                skipped : skipped + 2
            ]


def test_the_method_is_in_capitals(web: Web) -> None:
    """As it was given, in capitals; bytes will do."""
    assert "GET" == gofer.request("get", web.url + "/get").request.method
    assert "POST" == gofer.request(b"post", web.url + "/post").request.method
    assert (
        "GET"
        == gofer.request(b"get", web.url + "/get", hooks={"args": lambda args: None}).request.method
    )


def test_a_request_has_the_attributes_of_2012(session: gofer.Session) -> None:
    """What was given, and full_url, path_url, response, sent and session."""
    request = gofer.Request(
        url="http://example.com/path", headers={"X-Test": "1"}, files={"f": b"1"}, method="POST",
        data={"k": "v"}, params={"a": "1"}, auth=("user", "pass"), cookies={"c": "1"}, timeout=9,
        allow_redirects=False, proxies={"http": "http://localhost:1"}, hooks={"response": print},
        config={"max_redirects": 3}, session=session,
    )  # fmt: skip

    assert ("POST", "http://example.com/path", {"a": "1"}, 9, False, {"max_redirects": 3}) == (
        request.method, request.url, request.params, request.timeout, request.allow_redirects,
        request.config,
    )  # fmt: skip
    assert ("http://example.com/path?a=1", "/path?a=1") == (request.full_url, request.path_url)
    assert (None, False, session) == (request.response, request.sent, request.session)
    assert "<Request [POST]>" == repr(request)


def test_a_bare_request_can_be_sent(web: Web) -> None:
    """Without a session, too; a second `send` sends nothing unless `anyway`."""
    request = gofer.Request(url=web.url + "/get", params={"a": "1"})

    assert request.send() is True
    first = request.response
    assert (True, 200, "/get?a=1") == (request.sent, first.status_code, web.requests[0].target)
    assert request.send() is True
    assert 1 == len(web.requests)
    assert first is request.response
    assert request.send(anyway=True, prefetch=True) is True
    assert 2 == len(web.requests)
    assert first is not request.response


def test_a_url_as_method_is_a_mistake() -> None:
    """In 2012 the URL came first; the error says what to write."""
    with pytest.raises(TypeError, match="url"):
        gofer.Request("http://example.com/")


def test_a_response_has_the_attributes_of_2012(web: Web) -> None:
    """All names of then are there."""
    answer = gofer.get(web.url + "/get")
    names = (
        "status_code headers raw url error encoding history request cookies config ok content"
        " iter_content iter_lines raise_for_status"
    ).split()

    assert [] == [name for name in names if not hasattr(answer, name)]
    assert (None, True, [], "<Response [200]>") == (
        answer.error, answer.ok, answer.history, repr(answer),
    )  # fmt: skip
    assert answer.config["max_redirects"] == 30


@pytest.mark.parametrize("status", [200, 204, 302, 399, 400, 404, 500])
def test_the_truth_of_a_response(status: int) -> None:
    """It is what `ok` says: below 400."""
    answer = gofer.Response()
    answer.status_code = status

    assert (status < 400) is bool(answer) is answer.ok


def test_history_is_oldest_first(web: Web) -> None:
    """`request` is the last one; each hop has its own."""
    answer = gofer.get(web.url + "/redirect/2")

    assert [web.url + "/redirect/2", web.url + "/redirect/1"] == [r.url for r in answer.history]
    assert web.url + "/get" == answer.request.url == answer.url
    assert web.url + "/redirect/2" == answer.history[0].request.url
    assert answer.history[:1] == answer.history[1].history


def test_raise_for_status_is_for_errors(web: Web) -> None:
    """4xx and 5xx, not 3xx; the message says what and where."""
    gofer.get(web.url + "/redirect/1", allow_redirects=False).raise_for_status()
    gofer.get(web.url + "/status/304").raise_for_status()
    url = web.url + "/status/404"
    with pytest.raises(gofer.HTTPError) as caught:
        gofer.get(url).raise_for_status()

    assert f"404 Client Error: Not Found for url: {url}" == str(caught.value)
    assert 404 == caught.value.response.status_code
    assert url == caught.value.request.url


def test_raise_for_status_keeps_secrets(web: Web) -> None:
    """Neither the userinfo nor the query of a URL is in the message; both are on the request."""
    shown = web.url.replace("//", "//***@") + "/status/404"
    url = shown.replace("***", "ann:secret") + "?token=secret#secret"
    for config in ({}, {"danger_mode": True}):
        with pytest.raises(gofer.HTTPError) as caught:
            gofer.get(url, config=config).raise_for_status()

        assert f"404 Client Error: Not Found for url: {shown}" == str(caught.value)
        assert url == caught.value.request.url


def test_raise_for_status_with_an_at_sign_in_the_path(web: Web) -> None:
    """Behind the host it hides nothing."""
    with pytest.raises(gofer.HTTPError, match=f"{web.url}/@scope/package$"):
        gofer.get(web.url + "/@scope/package?mail=a@example.com").raise_for_status()


@pytest.mark.http1
def test_other_errors_keep_secrets(web: Web) -> None:
    """Nor does a WebSocket, a stream of events, or a scheme that nobody serves show them."""
    url = f"://ann:secret@127.0.0.1:{web.port}/get?token=secret"
    with gofer.Session() as session:
        for fails in (
            lambda: session.websocket("ws" + url),
            lambda: next(session.events("http" + url)),
            lambda: session.get("ftp" + url),
        ):
            with pytest.raises(gofer.RequestException) as caught:
                fails()

            assert "secret" not in str(caught.value)
            assert "***@127.0.0.1" in str(caught.value)


def test_a_missing_field_is_a_key_error(web: Web) -> None:
    """As today; `get` gives None."""
    headers = gofer.get(web.url + "/get").headers

    with pytest.raises(KeyError):
        headers["X-Missing"]
    assert headers.get("X-Missing") is None


def test_exceptions_of_2012() -> None:
    """The five of then are there; all are RequestException, and OSError as today."""
    for name in "HTTPError ConnectionError Timeout URLRequired TooManyRedirects".split():
        error = getattr(gofer, name)
        assert issubclass(error, gofer.RequestException)
        assert error is getattr(gofer.exceptions, name)
    assert issubclass(gofer.RequestException, OSError)


def test_names_of_2012() -> None:
    """The top level and its modules."""
    names = (
        "Request Response Session session request get head post patch put delete options codes"
        " RequestException Timeout URLRequired TooManyRedirects HTTPError ConnectionError utils"
        " api auth defaults exceptions hooks models sessions status_codes structures"
    ).split()

    assert [] == [name for name in names if not hasattr(gofer, name)]


def test_codes() -> None:
    """By attribute, by item, in any case."""
    codes = gofer.codes

    assert (200, 200, 200, 404, 418) == (
        codes.ok, codes["OK"], codes["\\o/"], codes.NOT_FOUND, codes["im_a_teapot"],
    )  # fmt: skip
    assert codes["no such code"] is None
    with pytest.raises(AttributeError):
        codes.no_such_code  # noqa: B018


def test_cookie_utilities() -> None:
    """A jar from a dict, a dict from a jar, and a dict added to a jar."""
    jar = utils.cookiejar_from_dict({"a": "1"})

    assert {"a": "1"} == utils.dict_from_cookiejar(jar)
    assert jar is utils.add_dict_to_cookiejar(jar, {"b": "2"})
    assert {"a": "1", "b": "2"} == utils.dict_from_cookiejar(jar)


def test_encoding_utilities() -> None:
    """Charsets from the header section and from the content."""
    assert "utf-8" == utils.get_encoding_from_headers({"content-type": "text/html; charset=utf-8"})
    assert "ISO-8859-1" == utils.get_encoding_from_headers({"content-type": "text/plain"})
    assert utils.get_encoding_from_headers({}) is None
    page = (
        "<html><meta charset='koi8-r'>"
        '<meta http-equiv="Content-Type" content="text/html; charset=big5">'
    )
    assert ["koi8-r", "big5"] == utils.get_encodings_from_content(page)
    assert ["latin-1"] == utils.get_encodings_from_content(
        '<?xml version="1.0" encoding="latin-1"?><a/>'
    )
    assert [] == utils.get_encodings_from_content("<meta" * 100_000)


@pytest.mark.parametrize(
    ("media_type", "content", "expected"),
    [
        ("text/plain; charset=utf-8", "é".encode(), "é"),
        ("text/plain; charset=utf-8", b"\xff", "\ufffd"),
        ("text/plain; charset=unknown", "é".encode(), "é"),
        ("image/png", b"\xff", b"\xff"),
    ],
)
def test_text_utility(media_type: str, content: bytes, expected: Any) -> None:
    """`get_unicode_from_response` goes by the header section."""
    answer = gofer.Response()
    answer.headers = {"content-type": media_type}
    answer._content = content

    assert expected == utils.get_unicode_from_response(answer)


def test_gzip_utility() -> None:
    """`decode_gzip` takes the coding off."""
    import gzip

    assert b"content" == utils.decode_gzip(gzip.compress(b"content"))
    with pytest.raises(gofer.exceptions.ContentDecodingError):
        utils.decode_gzip(b"no gzip at all")


def test_content_is_bytes_whatever_the_charset() -> None:
    """`text` is the str."""
    with serve(lambda peer: (
        peer.receive_head(), peer.send(response("é".encode(), content_type="text/x; charset=utf-8"))
    )) as server:  # fmt: skip
        answer = gofer.get(server.url)
        assert ("é".encode(), "é") == (answer.content, answer.text)
