"""DNS messages: what is asked, and what is made of whatever comes."""

import contextlib

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.protocols.dns import NoAnswer, question, read, services


def test_a_question_is_the_same_each_time() -> None:
    """RFC 8484, 4.1."""
    assert question("a.test", "A").to_wire() == question("a.test", "A").to_wire()
    assert question("a.test", "A").to_wire()[:2] == b"\0\0"


def test_an_answer_counts_as_long_as_its_shortest_part() -> None:
    asked = question("www.test", "A")
    message = dns.message.make_response(asked)
    message.answer.append(dns.rrset.from_text("www.test.", 10, "IN", "CNAME", "a.test."))
    message.answer.append(dns.rrset.from_text("a.test.", 300, "IN", "A", "192.0.2.1", "192.0.2.2"))
    answer = read(message.to_wire(), asked)
    assert sorted(record.address for record in answer.records) == ["192.0.2.1", "192.0.2.2"]
    assert answer.seconds == 10


def test_aliases_that_lead_in_a_circle() -> None:
    asked = question("a.test", "A")
    message = dns.message.make_response(asked)
    message.answer.append(dns.rrset.from_text("a.test.", 10, "IN", "CNAME", "b.test."))
    message.answer.append(dns.rrset.from_text("b.test.", 10, "IN", "CNAME", "a.test."))
    with pytest.raises(NoAnswer):
        read(message.to_wire(), asked)


@pytest.mark.parametrize("name", ["a..test", "a" * 64 + ".test", ".".join(["a" * 63] * 5)])
def test_names_that_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        question(name, "A")
    assert caught.value.is_final


def test_services_come_best_first() -> None:
    asked = question("a.test", "HTTPS")
    message = dns.message.make_response(asked)
    records = ["2 b.test. alpn=h2", "1 . alpn=h3,h2 port=8443", "3 c.test. key65000=abc"]
    message.answer.append(dns.rrset.from_text("a.test.", 10, "IN", "HTTPS", *records))
    assert services(read(message.to_wire(), asked).records) == [
        (1, "", ("h3", "h2"), 8443), (2, "b.test", ("h2",), None), (3, "c.test", (), None),
    ]  # fmt: skip


@given(st.binary(max_size=200))
def test_whatever_comes(data: bytes) -> None:
    """It is read, or there is one exception."""
    with contextlib.suppress(NoAnswer):
        read(data, question("a.test", "HTTPS"))


@given(st.data())
def test_an_answer_with_a_byte_changed(data: st.DataObject) -> None:
    asked = question("a.test", "HTTPS")
    message = dns.message.make_response(asked)
    message.answer.append(dns.rrset.from_text("a.test.", 10, "IN", "HTTPS", "1 . alpn=h3 port=1"))
    wire = bytearray(message.to_wire())
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NoAnswer):
        services(read(bytes(wire), asked).records)
