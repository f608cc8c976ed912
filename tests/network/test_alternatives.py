"""What is remembered of where origins can be reached by HTTP/3."""

import pickle
from pathlib import Path
from typing import Any

import pytest

import gofer
from gofer.network.alternatives import BROKEN_SECONDS, MAX_ORIGINS, Alternatives

ORIGIN = ("https", "shop.example", 443)
SAYS = ['h3=":8443"; ma=60']


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gofer.network.alternatives.time.time", clock.time)
    return clock


@pytest.fixture
def known(clock: Clock) -> Alternatives:
    known = Alternatives()
    known.heed(ORIGIN, SAYS)
    return known


def test_the_place_that_an_origin_named(known: Alternatives) -> None:
    """The host is the origin's own if none is named."""
    assert ("shop.example", 8443) == known.find(ORIGIN)
    known.heed(ORIGIN, ['h2="x:1", h3="cdn.example:443"'])
    assert ("cdn.example", 443) == known.find(ORIGIN)
    assert known.find(("https", "other.example", 443)) is None
    assert known.find(("https", "shop.example", 444)) is None


def test_its_time_ends(known: Alternatives, clock: Clock) -> None:
    """`ma` seconds after it was named."""
    clock.now += 59
    assert known.find(ORIGIN)
    clock.now += 2
    assert known.find(ORIGIN) is None
    assert 0 == len(known)


def test_what_is_said_again_is_good_for_longer(known: Alternatives, clock: Clock) -> None:
    """By as much as has passed since, but for the second in which it is no news."""
    clock.now += 50
    known.heed(ORIGIN, SAYS)
    clock.now += 50
    assert known.find(ORIGIN)
    clock.now += 11
    assert known.find(ORIGIN) is None
    known.heed(ORIGIN, SAYS)
    assert known.find(ORIGIN)
    known.forget(ORIGIN)
    known.heed(ORIGIN, SAYS)
    assert known.find(ORIGIN)


@pytest.mark.parametrize("values", [["clear"], ['h3=":8443"; ma=0'], ['h2=":443"'], ["nonsense"]])
def test_what_is_said_anew_replaces_what_was_said(known: Alternatives, values: list[str]) -> None:
    """Also if nothing is left of it."""
    known.heed(ORIGIN, values)
    assert known.find(ORIGIN) is None


def test_a_place_that_failed_is_left_alone_for_longer_each_time(
    known: Alternatives, clock: Clock
) -> None:
    """Five minutes, then ten; until it works."""
    known.heed(ORIGIN, ['h3=":8443"; ma=100000'])
    for times in (1, 2, 4):
        known.failed(ORIGIN, ("shop.example", 8443))
        clock.now += BROKEN_SECONDS * times - 1
        assert known.find(ORIGIN) is None
        clock.now += 2
        assert known.find(ORIGIN)
    known.worked(ORIGIN, ("shop.example", 8443))
    known.failed(ORIGIN, ("shop.example", 8443))
    clock.now += BROKEN_SECONDS + 1
    assert known.find(ORIGIN)


def test_another_place_takes_over(known: Alternatives) -> None:
    """The next that the origin named, where somebody said that it is not there."""
    known.heed(ORIGIN, ['h3=":1", h3=":2"'])
    known.failed(ORIGIN, ("shop.example", 1))
    assert ("shop.example", 2) == known.find(ORIGIN)


def test_silence_at_one_place_is_silence_at_all(known: Alternatives, clock: Clock) -> None:
    """After 5 minutes the next is tried, after 10 more the first again; one that works ends it."""
    first, second = ("shop.example", 1), ("shop.example", 2)
    known.heed(ORIGIN, ['h3=":1"; ma=100000, h3=":2"; ma=100000'])
    for times, place in ((1, first), (2, second), (4, first)):
        assert place == known.find(ORIGIN)
        known.failed(ORIGIN, place, is_silent=True)
        clock.now += BROKEN_SECONDS * times - 1
        assert known.find(ORIGIN) is None
        clock.now += 2
    assert second == known.find(ORIGIN)
    known.worked(ORIGIN, second)
    known.failed(ORIGIN, second)
    assert first == known.find(ORIGIN)


def test_an_origin_has_a_few_places(known: Alternatives) -> None:
    """Those that it named first."""
    known.heed(ORIGIN, [", ".join(f'h3=":{port}"' for port in range(1, 9))])
    assert [1, 2, 3, 4] == [port for _, _, port in known]


def test_what_fails_for_one_origin_may_work_for_another(known: Alternatives) -> None:
    """Whoever names another's place, with a certificate that does not fit, takes nothing from it."""
    mean = ("https", "mean.example", 443)
    known.heed(mean, ['h3="shop.example:8443"'])
    known.failed(mean, ("shop.example", 8443))
    assert known.find(mean) is None
    assert ("shop.example", 8443) == known.find(ORIGIN)


def test_memory_is_bounded(known: Alternatives) -> None:
    """Those that were heard of last stay."""
    for number in range(MAX_ORIGINS):
        known.heed(("https", f"{number}.example", 443), SAYS)
        known.failed(("https", f"{number}.example", 443), (f"{number}.example", 8443))
    assert MAX_ORIGINS == len(known)
    assert known.find(ORIGIN) is None


def test_it_can_be_saved_and_loaded(known: Alternatives, tmp_path: Path, clock: Clock) -> None:
    """In curl's form."""
    known.heed(("https", "2001:db8::1", 443), ['h3="[2001:db8::2]:443"; ma=60'])
    known.save(tmp_path / "alt-svc")
    text = (tmp_path / "alt-svc").read_text()
    assert 'h2 shop.example 443 h3 shop.example 8443 "20270115 08:01:00" 0 0\n' in text

    again = Alternatives()
    again.load(tmp_path / "alt-svc")
    assert list(known) == list(again)
    clock.now += 61
    assert again.find(ORIGIN) is None


def test_what_only_dns_has_said_is_not_saved(known: Alternatives, tmp_path: Path) -> None:
    """Nobody has signed it; what the origin says itself, or a file of its words, takes its place."""
    other = ("https", "other.example", 443)
    known.learn(ORIGIN, ("elsewhere.example", 1), 60)
    known.learn(other, ("other.example", 1), 60)
    assert ("shop.example", 8443) == known.find(ORIGIN)
    assert ("other.example", 1) == known.find(other)

    def saved(known: Alternatives) -> list[str]:
        known.save(tmp_path / "alt-svc")
        again = Alternatives()
        again.load(tmp_path / "alt-svc")
        return [url for url, _, _ in again]

    assert ["https://shop.example:443"] == saved(known)
    assert ["https://shop.example:443"] == saved(pickle.loads(pickle.dumps(known)))
    known.heed(other, SAYS)
    known.save(tmp_path / "both")
    assert ["https://shop.example:443", "https://other.example:443"] == saved(known)

    fresh = Alternatives()
    fresh.learn(other, ("other.example", 1), 60)
    fresh.load(tmp_path / "both")
    assert ("other.example", 8443) == fresh.find(other)
    assert 2 == len(saved(fresh))


def test_lines_that_make_no_sense_are_left_out(tmp_path: Path, clock: Clock) -> None:
    """The others count."""
    (tmp_path / "alt-svc").write_text(
        "# a comment\n\n h3\n"
        'h2 a.example 443 h3 a.example x "20300101 00:00:00" 0 0\n'
        'h2 a.example 443 h3 a.example 443 "20300199 00:00:00" 0 0\n'
        'h2 a.example 443 h3 a.example 70000 "20300101 00:00:00" 0 0\n'
        'h2 a.example 443 h2 a.example 443 "20300101 00:00:00" 0 0\n'
        'h2 b.example 443 h3 c.example 444 "20300101 00:00:00" 0 0\n'
    )
    known = Alternatives()
    known.load(tmp_path / "alt-svc")
    assert [("https://b.example:443", "c.example", 444)] == list(known)


def test_a_session_takes_them_along_when_pickled(known: Alternatives) -> None:
    """As its other state."""
    session: Any = gofer.Session()
    session.alternatives = known
    assert list(known) == list(pickle.loads(pickle.dumps(session)).alternatives)


def test_clear_forgets_everything(known: Alternatives) -> None:
    """Also what was broken."""
    known.failed(ORIGIN, ("shop.example", 8443))
    known.clear()
    known.heed(ORIGIN, SAYS)
    assert known.find(ORIGIN)
