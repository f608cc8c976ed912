"""network/heartbeat.py: what counts is when something was last heard. The time is a number here."""

from gofer.network.heartbeat import LAST_LOOK, Heartbeat


def test_a_silent_peer_is_asked_once() -> None:
    """Not before it has been silent for long enough."""
    heartbeat = Heartbeat(20, now=100)

    assert not heartbeat.asks(119)
    assert heartbeat.asks(120)
    assert not heartbeat.asks(139)
    assert not heartbeat.asks(1000)


def test_a_peer_that_was_asked_and_stays_silent_is_dead() -> None:
    heartbeat = Heartbeat(20, now=100)
    heartbeat.asks(125)

    assert not heartbeat.is_over(144)
    assert heartbeat.is_over(145)


def test_one_that_was_never_asked_is_not_dead() -> None:
    """Nobody listened meanwhile."""
    assert not Heartbeat(20, now=100).is_over(1000)


def test_whatever_is_heard_is_a_sign_of_life() -> None:
    """And the silence begins anew."""
    heartbeat = Heartbeat(20, now=100)
    heartbeat.asks(120)
    heartbeat.heard(139)

    assert not heartbeat.is_over(140)
    assert not heartbeat.asks(158)
    assert heartbeat.asks(159)


def test_how_long_to_listen() -> None:
    """Until it is time to ask, then until it is dead; and no longer than the caller waits."""
    heartbeat = Heartbeat(20, now=100)

    assert 120 == heartbeat.listen_until(None, now=105)
    assert 110 == heartbeat.listen_until(110, now=105)
    heartbeat.asks(121)
    assert 141 == heartbeat.listen_until(None, now=130)


def test_what_came_while_nobody_listened_is_heard_first() -> None:
    """Also by a caller who does not wait."""
    heartbeat = Heartbeat(20, now=100)
    heartbeat.asks(121)

    assert 200 + LAST_LOOK == heartbeat.listen_until(200, now=200)


def test_there_may_be_none() -> None:
    heartbeat = Heartbeat(None, now=100)

    assert not heartbeat.asks(10_000)
    assert not heartbeat.is_over(10_000)
    assert heartbeat.listen_until(None, now=10_000) is None
    assert 10_001 == heartbeat.listen_until(10_001, now=10_000)
