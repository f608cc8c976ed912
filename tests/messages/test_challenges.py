"""What a server asks for, however it writes it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.messages.challenges import (
    MAX_CHALLENGES,
    Challenge,
    parse_authentication_info,
    parse_challenges,
    quote,
)

TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
VISIBLE = "".join(map(chr, [9, *range(0x20, 0x7F), *range(0x80, 0x100)]))

tokens = st.text(TOKEN, min_size=1, max_size=8)
names = tokens.map(str.lower)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("Basic", [Challenge("basic")]),
        ('Basic realm="simple"', [Challenge("basic", {"realm": "simple"})]),
        ('BASIC REALM="Simple"', [Challenge("basic", {"realm": "Simple"})]),
        ("Basic realm=bare", [Challenge("basic", {"realm": "bare"})]),
        ('Basic realm=""', [Challenge("basic", {"realm": ""})]),
        ('Basic realm = "x"', [Challenge("basic", {"realm": "x"})]),
        (r'Basic realm="a \"b\" \\ \c"', [Challenge("basic", {"realm": r'a "b" \ c'})]),
        ('Basic realm="a, b=c, Digest d"', [Challenge("basic", {"realm": "a, b=c, Digest d"})]),
        ("Negotiate", [Challenge("negotiate")]),
        ("Negotiate YWJj==", [Challenge("negotiate", token68="YWJj==")]),
        ("Bearer a/b+c~d", [Challenge("bearer", token68="a/b+c~d")]),
        (
            'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
            [
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
                Challenge("basic", {"realm": "simple"}),
            ],
        ),
        (
            'Negotiate,NTLM , Basic realm="x",,Digest nonce="y"',
            [
                Challenge("negotiate"),
                Challenge("ntlm"),
                Challenge("basic", {"realm": "x"}),
                Challenge("digest", {"nonce": "y"}),
            ],
        ),
    ],
)
def test_a_challenge_is_read(value: str, expected: list[Challenge]) -> None:
    """The grammar of RFC 9110, 11.6.1, with several challenges in one field."""
    assert expected == parse_challenges([value])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Digest realm="a" nonce="b"', [Challenge("digest", {"realm": "a", "nonce": "b"})]),
        ("Digest nonce=a/b+c==, qop=x", [Challenge("digest", {"nonce": "a/b+c==", "qop": "x"})]),
        ('Digest, realm="a"', [Challenge("digest", {"realm": "a"})]),
        ("Digest domain=/a?b=c", [Challenge("digest", {"domain": "/a?b=c"})]),
        (
            'Basic realm="a" Digest realm="b"',
            [Challenge("basic", {"realm": "a"}), Challenge("digest", {"realm": "b"})],
        ),
        ('Basic realm="a";x="y, z", b=c', [Challenge("basic", {"realm": "a", "b": "c"})]),
        ("Basic realm=x, realm=y", [Challenge("basic", {"realm": "x"})]),
        ('Basic a=b, realm="no end, Digest x=y', [Challenge("basic", {"a": "b"})]),
        ('realm="nobody\'s", Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("=, ;, @", []),
        ('"Basic realm=x", Digest', [Challenge("digest")]),
    ],
)
def test_bad_writing_is_borne(value: str, expected: list[Challenge]) -> None:
    """Missing commas and quotes are put up with; the rest is skipped."""
    assert expected == parse_challenges([value])


def test_fields_do_not_run_into_each_other() -> None:
    """Every field line starts anew, even behind one that has no end."""
    values = ['Basic realm="x', 'nonce="y"', "Digest nonce=z"]

    challenges = parse_challenges(values)

    assert [Challenge("basic"), Challenge("digest", {"nonce": "z"})] == challenges


@pytest.mark.parametrize("count", [MAX_CHALLENGES - 1, MAX_CHALLENGES, MAX_CHALLENGES + 1])
def test_no_more_than_a_number_of_challenges(count: int) -> None:
    """A field with a hundred thousand challenges is not worth the memory."""
    challenges = parse_challenges([", ".join(["Basic realm=x"] * count)])

    assert min(count, MAX_CHALLENGES) == len(challenges)
    assert {"realm": "x"} == challenges[-1].parameters


def test_authentication_info() -> None:
    """Authentication-Info is parameters without a scheme, perhaps on several lines."""
    values = ['nextnonce="a\\"b", qop=auth, RSPAUTH="0f"', "nc=00000001"]

    parameters = parse_authentication_info(values)

    assert {"nextnonce": 'a"b', "qop": "auth", "rspauth": "0f", "nc": "00000001"} == parameters
    assert {} == parse_authentication_info([])


def test_repr_shows_no_value() -> None:
    """A nonce or a realm does not get into a log by accident."""
    challenge = Challenge("digest", {"realm": "secret", "nonce": "secret"})

    assert "<Challenge digest realm, nonce>" == repr(challenge)
    assert challenge != ("digest", {}, None)


@given(st.text(VISIBLE))
def test_a_quoted_value_comes_back(value: str) -> None:
    """What `quote` writes is read as it was."""
    challenges = parse_challenges([f"Basic realm={quote(value)}, x=y"])

    assert [Challenge("basic", {"realm": value, "x": "y"})] == challenges


@given(
    st.lists(
        st.builds(
            Challenge, names, st.dictionaries(names, st.text(VISIBLE, max_size=8), max_size=4)
        ),
        max_size=4,
    )
)
def test_what_is_written_by_the_rules_is_read_as_it_was(challenges: list[Challenge]) -> None:
    """Any list of challenges with parameters survives being written and read."""
    written = ", ".join(
        f"{one.scheme} " + ", ".join(f"{k}={quote(v)}" for k, v in one.parameters.items())
        for one in challenges
    )

    assert challenges == parse_challenges([written])


@given(st.text(st.sampled_from('aA=," \t\\;/\x00\x80')) | st.text(), st.text())
def test_nothing_raises(value: str, other: str) -> None:
    """Whatever comes is a list of challenges, with names in lower case."""
    for challenge in parse_challenges([value, other]):
        assert challenge.scheme
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)
    assert isinstance(parse_authentication_info([value]), dict)


@pytest.mark.parametrize(
    "piece", ['"', "\\", '\\"', '"\\', "a ", "a=", "a= ", ' "', ";", "a=b ", ",", 'a="', " ", "a/"]
)
def test_a_long_value_is_read_in_one_pass(piece: str) -> None:
    """Half a megabyte of the worst takes no longer than its length says (the test ends)."""
    for start in ("", "Digest ", 'Digest a="', "Digest a"):
        parse_challenges([start + piece * (500_000 // len(piece))])
