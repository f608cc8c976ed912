"""Alt-Svc fields (RFC 7838, 3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gofer.messages.alt_svc import MAX_AGE, MAX_ALTERNATIVES, Alternative, parse_alt_svc

DAY = 24 * 60 * 60


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('h3=":443"', [("h3", "", 443, DAY)]),
        ('h3=":443"; ma=60', [("h3", "", 443, 60)]),
        ('h3=":443";ma="60"', [("h3", "", 443, 60)]),
        ('h3=":443"; persist=1; MA=60', [("h3", "", 443, 60)]),
        ('h3=":443"; ma=0', [("h3", "", 443, 0)]),
        ('h3=":443"; ma=-1', [("h3", "", 443, DAY)]),
        ('h3=":443"; ma=99999999999999999999', [("h3", "", 443, MAX_AGE)]),
        ('h3="Alt.Example:8443"', [("h3", "alt.example", 8443, DAY)]),
        ('h3="[2001:DB8::1]:8443"', [("h3", "2001:db8::1", 8443, DAY)]),
        ('h3-29=":443", h3=":444", h2="a:1"', [("h3-29", "", 443, DAY), ("h3", "", 444, DAY), ("h2", "a", 1, DAY)]),
        (' ,h3=":443" ,, h2=":1"', [("h3", "", 443, DAY), ("h2", "", 1, DAY)]),
        ('w%3Dx%3Ay=":443"', [("w=x:y", "", 443, DAY)]),
        (r'h3="a\.example:443"', [("h3", "a.example", 443, DAY)]),
        ("", []),
        ("h3", []),
        ("h3=:443", []),
        ('h3=":0"', []),
        ('h3=":65536"', []),
        ('h3="443"', []),
        ('h3="user@host:443"', []),
        ('h3="a b:443"', []),
        ('h3=":443', []),
        ("clear; x", []),
        ('h2=":1", nonsense, h3=":443"', [("h2", "", 1, DAY)]),
    ],
)  # fmt: skip
def test_what_a_field_says(value: str, expected: list[tuple[str, str, int, int]]) -> None:
    """What cannot be understood is left out."""
    assert [Alternative(*one) for one in expected] == parse_alt_svc([value])


def test_clear_says_that_there_are_none() -> None:
    """It is a value of its own."""
    assert parse_alt_svc(["clear"]) is None
    assert parse_alt_svc(['h3=":443"', " clear "]) is None


def test_several_lines_are_one_field() -> None:
    """Their order is that of preference."""
    found = parse_alt_svc(['h3=":1"', 'h3=":2"'])
    assert found is not None
    assert [1, 2] == [one.port for one in found]


@given(some.lists(some.text(alphabet='h3=":4;ma,\\ clear[]%\t', max_size=60), max_size=4))
def test_any_text_is_read(values: list[str]) -> None:
    """Whatever it is, it has an end, and what is found can be connected to."""
    found = parse_alt_svc(values)
    assert found is None or len(found) <= MAX_ALTERNATIVES * len(values)
    for one in found or ():
        assert 0 < one.port < 65536
        assert 0 <= one.max_age <= MAX_AGE


def test_a_hostile_field_takes_no_time() -> None:
    """Neither an endless list nor one that could be read in many ways."""
    assert MAX_ALTERNATIVES == len(parse_alt_svc(['h3=":443",' * 30_000]) or ())
    assert [] == parse_alt_svc(['h3=":443"' + "  ;  " * 100_000 + "!"])
    assert [] == parse_alt_svc(['h3="' + "\\" * 200_001])
    assert [] == parse_alt_svc([";" * 200_000])
