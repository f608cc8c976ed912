"""Field sections of one response together, whatever protocol brings them (rows 27, 28, 39, 40)."""

from typing import Any

import pytest

import gofer
from gofer.exceptions import FieldSectionTooLarge
from servers.web import Web


@pytest.fixture
def session(world: Any) -> Any:
    with gofer.Session(timeout=20) as session:
        yield session


@pytest.mark.parametrize(
    "sections", ["head=150&trailers=150", "interim=150", "interim=80&head=150", "interim=80&trailers=150"]
)  # fmt: skip
def test_all_sections_together_have_a_limit(
    web: Web, session: gofer.Session, sections: str
) -> None:
    """256 KiB, of which none alone has more than 150; the session goes on."""
    with pytest.raises(FieldSectionTooLarge, match="max_field_section"):
        session.get(f"{web.url}/sections?{sections}").content  # noqa: B018
    assert 200 == session.get(web.url + "/get").status_code


def test_sections_below_the_limit(web: Web, session: gofer.Session) -> None:
    """They are all there."""
    response = session.get(web.url + "/sections?interim=50&head=60&trailers=70")
    assert b"content" == response.content
    assert [50, 50] == [len(fields) for _, fields in response.interim]
    assert "x" * 1000 == response.headers["x-59"]
    assert 70 == len(response.trailers)


def test_trailers_that_have_no_business_there(web: Web, session: gofer.Session) -> None:
    """They are left out (RFC 9110, 6.5.1), and no cookie comes of them."""
    response = session.get(web.url + "/trailers/unfit")
    assert b"content" == response.content
    assert ["x-fit"] == [name.lower() for name in response.trailers]
    assert "set-cookie" not in response.headers
    assert {} == dict(response.cookies) == dict(session.cookies)
