"""A server of DNS over HTTPS (RFC 8484), with a zone of its own; and what else it may answer."""

from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from servers.web import Reply
from servers.web2 import Web2

__all__ = ["NameServer"]


class NameServer(Web2):
    """The web server, and /dns-query.

    zone: records as text by (name, kind); "!" and a code for an answer with that code.
    asked: (name, kind) of every question.
    reply: what is answered instead, if it is not None.
    seconds, age: how long answers count, and how long a cache has had them.
    held: kinds whose answers wait for the gate of that name.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.reply: Reply | None = None
        self.held: set[str] = set()
        self.seconds = 60
        self.age = 0

    def answer(self, request: Any) -> Any:
        if request.path != "/dns-query":
            return super().answer(request)
        assert request.method == "POST"
        assert request.field("content-type") == "application/dns-message"
        question = dns.message.from_wire(request.content)
        assert question.id == 0
        [asked] = question.question
        key = asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(key)
        if key[1] in self.held:
            self.gates[key[1]].wait()
        if self.reply is not None:
            return self.reply
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        for name, kind in (key, (key[0], "CNAME")):
            records = self.zone.get((name, kind), [])
            if records and records[0].startswith("!"):
                answer.set_rcode(dns.rcode.from_text(records[0][1:]))
            elif records:
                answer.answer.append(
                    dns.rrset.from_text(name + ".", self.seconds, "IN", kind, *records)
                )
                for record in records if kind == "CNAME" else ():
                    more = self.zone.get((record.removesuffix("."), key[1]), [])
                    if more:
                        answer.answer.append(
                            dns.rrset.from_text(record, self.seconds, "IN", key[1], *more)
                        )
        if not answer.answer and not any(name == key[0] for name, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        fields = [("Content-Type", "application/dns-message"), ("Age", str(self.age))]
        return Reply(answer.to_wire(), fields=fields)
