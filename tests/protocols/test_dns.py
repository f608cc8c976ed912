"""DNS messages: what is asked, and what is made of whatever comes."""

import contextlib

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.protocols.dns import NoAnswer, Service, question, read, services


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
    assert services(read(message.to_wire(), asked)) == [
        (1, "a.test", ("h3", "h2"), 8443), (2, "b.test", ("h2",), None), (3, "c.test", (), None),
    ]  # fmt: skip


def said(*records: str) -> list[Service]:
    """What HTTPS records of www.test say, which is an alias of a.test."""
    asked = question("www.test", "HTTPS")
    message = dns.message.make_response(asked)
    message.answer.append(dns.rrset.from_text("www.test.", 10, "IN", "CNAME", "a.test."))
    message.answer.append(dns.rrset.from_text("a.test.", 10, "IN", "HTTPS", *records))
    return services(read(message.to_wire(), asked))


def test_a_service_is_where_its_record_is() -> None:
    """Unless it says where: behind the aliases (RFC 9460, 2.5.2)."""
    assert said("1 . alpn=h3") == [(1, "a.test", ("h3",), None)]


def test_beside_an_alias_no_service_counts() -> None:
    """RFC 9460, 2.4.1; an alias to the root leads nowhere (2.5.1)."""
    assert said("1 . alpn=h3", "0 b.test.") == [(0, "b.test", (), None)]
    assert said("0 .") == [(0, "", (), None)]


def test_what_a_record_demands_has_to_be_known() -> None:
    """RFC 9460, 8. What it only offers may be passed over: encrypted ClientHello."""
    assert said("1 . alpn=h3 mandatory=key65000 key65000=abc") == []
    assert said('1 . alpn=h3 mandatory=ech ech="AAT+DQAA"') == []
    assert said('1 . alpn=h3 port=1 mandatory=alpn,port ech="AAT+DQAA"') == [
        (1, "a.test", ("h3",), 1)
    ]


def test_equals_take_turns() -> None:
    """RFC 9460, 2.4.1: the order says nothing, and each is the first sometimes."""
    firsts = {said("1 b.test. alpn=h3", "1 c.test. alpn=h3")[0].target for _ in range(100)}
    assert firsts == {"b.test", "c.test"}


@pytest.mark.parametrize(("minimum", "seconds"), [(20, 20), (100_000, 300), (None, 300)])
def test_nothing_does_not_count_for_long(minimum: int | None, seconds: float) -> None:
    """As the zone says, up to a limit, which is there for servers that do not say it."""
    asked = question("a.test", "AAAA")
    message = dns.message.make_response(asked)
    if minimum is not None:
        data = f"ns.test. x.test. 1 2 3 4 {minimum}"
        message.authority.append(dns.rrset.from_text("test.", 100_000, "IN", "SOA", data))
    answer = read(message.to_wire(), asked)
    assert (answer.records, answer.seconds) == ([], seconds)


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
        services(read(bytes(wire), asked))
