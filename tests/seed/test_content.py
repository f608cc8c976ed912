"""Body content workflow: when content is read, and who holds the connection (S14 to S20b)."""

from typing import Any

import pytest

import gofer
from servers.listener import Gate
from servers.web import Web

VERBS = ("get", "options", "post", "put", "patch", "delete")


def test_s14_a_call_returns_when_the_head_is_there(web: Web, gate: Gate) -> None:
    """By default content is not waited for: the server has not even sent it."""
    response = gofer.get(web.url + "/gate/late/content")

    assert 200 == response.status_code
    gate.set()
    assert b"open" == response.content


@pytest.mark.http1("chunks")
def test_s15_the_head_can_be_used_before_the_content(web: Web, gate: Gate) -> None:
    """Status code, headers, url, encoding, cookies and history need no content."""
    url = web.url + "/gate/late/content"
    response = gofer.get(web.url + "/redirect-to", params={"url": url})

    assert (200, url, None, {}) == (
        response.status_code, response.url, response.encoding, dict(response.cookies),
    )  # fmt: skip
    assert "chunked" == response.headers["transfer-encoding"]
    assert [302] == [hop.status_code for hop in response.history]
    response.close()


@pytest.mark.http1("a connection for each exchange")
def test_s16_no_content_is_consumed_by_the_call(web: Web, gate: Gate) -> None:
    """`raw` still yields all of the content, and the connection is held until then."""
    with gofer.Session() as session:
        response = session.get(web.url + "/gate/late/content")
        session.get(web.url + "/get")
        assert 2 == web.accepted
        gate.set()

        assert b"open" == response.raw.read()
        assert b"" == response.raw.read()


def test_s16_raw_yields_content_that_came_with_the_head(web: Web) -> None:
    """The same for content that was already there."""
    assert gofer.get(web.url + "/bytes/100").content == gofer.get(web.url + "/bytes/100").raw.read()


def test_s17_the_first_access_reads_everything(web: Web, gate: Gate) -> None:
    """The first access to `content` waits for the whole of it."""
    response = gofer.get(web.url + "/drip/1000?gate=late")
    gate.set()

    assert b"*" * 1000 == response.content


def test_s18_content_is_kept(web: Web) -> None:
    """Later accesses give the same object, without the network."""
    response = gofer.get(web.url + "/drip/1000")
    content = response.content
    web.hang_up()

    assert content is response.content
    assert content == response.content == b"*" * 1000


def test_s19_prefetch_reads_content_in_the_call(web: Web) -> None:
    """With `prefetch=True` the content is there when the call returns."""
    with gofer.Session() as session:
        response = session.get(web.url + "/drip/1000", prefetch=True)
        web.hang_up()

    assert b"*" * 1000 == response.content


def test_s19_prefetch_waits(web: Web, gate: Gate) -> None:
    """A call with `prefetch=True` does not return before the content is there."""
    with pytest.raises(gofer.ReadTimeout):
        gofer.get(web.url + "/gate/late/content", prefetch=True, timeout=0.1)


def test_s19_stream_is_the_other_name(web: Web) -> None:
    """`stream=False` says the same; the two must not contradict."""
    with gofer.Session() as session:
        response = session.get(web.url + "/drip/1000", stream=False)
        web.hang_up()
        assert b"*" * 1000 == response.content
        with pytest.raises(ValueError, match="contradict"):
            session.get(web.url + "/get", stream=False, prefetch=False)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("words", [{"prefetch": True}, {"stream": False}, {"prefetch": False}])
def test_s20_every_verb_takes_prefetch(web: Web, verb: str, words: dict[str, Any]) -> None:
    """All verbs, on the package and on a session, and `request()`, take it."""
    url = web.url + "/anything"
    with gofer.Session() as session:
        answers = [
            getattr(gofer, verb)(url, **words),
            getattr(session, verb)(url, **words),
            gofer.request(verb, url, **words),
            session.request(verb, url, **words),
        ]

    assert [verb.upper()] * 4 == [answer.json()["method"] for answer in answers]


def test_s20_prefetch_is_a_sessions_attribute(web: Web) -> None:
    """`session.prefetch` and `session.stream` are two views of one value; a call overrides it."""
    with gofer.Session() as session:
        assert (False, True) == (session.prefetch, session.stream)
        session.prefetch = True
        assert (True, False) == (session.prefetch, session.stream)
        session.stream = True
        assert (False, True) == (session.prefetch, session.stream)
        session.stream = False

        response = session.get(web.url + "/drip/9")
        web.hang_up()
    assert b"*********" == response.content


def test_s20_a_default_for_the_whole_program(web: Web) -> None:
    """`defaults["prefetch"] = True` makes every call read its content."""
    from gofer.defaults import defaults

    defaults["prefetch"] = True
    try:
        with gofer.Session() as session:
            response = session.get(web.url + "/drip/9")
            web.hang_up()
    finally:
        defaults["prefetch"] = False

    assert b"*********" == response.content


def test_s20a_iteration_walks_over_kept_content(web: Web) -> None:
    """After `content`, iteration hands it out again, as often as wanted."""
    response = gofer.get(web.url + "/stream/3")
    content = response.content

    for _ in range(2):
        assert content == b"".join(response.iter_content(7))
        assert content.splitlines() == list(response.iter_lines())


@pytest.mark.parametrize("path", ["/drip/1000", "/bytes/100"])
def test_s20b_content_is_handed_out_once_by_iteration(web: Web, path: str) -> None:
    """After iteration there is no content, and no second iteration."""
    response = gofer.get(web.url + path)
    assert b"".join(response.iter_content(9))

    with pytest.raises(RuntimeError):
        response.content  # noqa: B018
    with pytest.raises(gofer.exceptions.StreamConsumedError):
        next(response.iter_content(9))
    with pytest.raises(TypeError):
        next(response.iter_lines())
