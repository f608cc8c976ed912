"""DNS messages (RFC 1035) without I/O, by dnspython: questions out, answers in.

Attributes of a service come by HTTPS records (RFC 9460).
"""

import random
from typing import Any, NamedTuple

try:
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.rdatatype
    from dns.rdtypes.svcbbase import ParamKey
except ImportError as error:
    raise ImportError("DNS over HTTPS needs dnspython: pip install gofer[dns]") from error

__all__ = ["Answer", "NoAnswer", "Service", "question", "read", "services"]

MAX_MESSAGE = 65535  # bytes (RFC 8484, 6)
LONGEST_NOTHING = 300.0  # seconds that it counts that there are no records (RFC 2308, 5)

# What a record may demand that we know (RFC 9460, 8). Encrypted ClientHello is not among it.
_KNOWN = {
    ParamKey.MANDATORY, ParamKey.ALPN, ParamKey.NO_DEFAULT_ALPN, ParamKey.PORT, ParamKey.IPV4HINT,
    ParamKey.IPV6HINT,
}  # fmt: skip


class NoAnswer(Exception):
    """What came is no answer, or says that there is none. `is_final`: asking again is no use."""

    def __init__(self, problem: str, *, is_final: bool = False) -> None:
        super().__init__(problem)
        self.is_final = is_final


class Answer:
    """Records of one kind, maybe none, and the seconds for which they count.

    Attributes:
        owner: whose they are: the name that was asked for, or what its aliases lead to.
    """

    __slots__ = ("owner", "records", "seconds")

    def __init__(self, records: list[Any], seconds: float, owner: str = "") -> None:
        self.records = records
        self.seconds = seconds
        self.owner = owner


class Service(NamedTuple):
    """What an HTTPS record says. Priority 0 is an alias: ask for the records of `target`."""

    priority: int
    target: str  # "" for an alias that leads nowhere
    protocols: tuple[str, ...]  # by their ALPN names
    port: int | None


def question(name: str, kind: str) -> Any:
    """The question for records of a kind: "A", "AAAA", "HTTPS"; `to_wire()` are its bytes.

    Its number is 0, so that caches know it again (RFC 8484, 4.1).

    Raises:
        NoAnswer: the name cannot be asked for.
    """
    try:
        asked = dns.message.make_query(name, kind)
    except dns.exception.DNSException as error:
        raise NoAnswer(f"{type(error).__name__}", is_final=True) from error
    asked.id = 0
    return asked


def read(data: bytes, asked: Any) -> Answer:
    """The answer to `asked`, along its aliases.

    Raises:
        NoAnswer: it is none, or says that the name does not exist.
    """
    try:
        message: Any = dns.message.from_wire(data)
        if not asked.is_response(message):
            raise NoAnswer("the answer is to another question")
        code = message.rcode()
        if code == dns.rcode.NXDOMAIN:
            raise NoAnswer("the name does not exist", is_final=True)
        if code != dns.rcode.NOERROR:
            raise NoAnswer(f"the answer is {dns.rcode.to_text(code)}")
        chain = message.resolve_chaining()
    except NoAnswer:
        raise
    except Exception as error:  # whatever the parser says of what came
        raise NoAnswer(f"what came is no DNS: {type(error).__name__}") from error
    records = [] if chain.answer is None else list(chain.answer)
    seconds = float(chain.minimum_ttl)
    if not records:
        seconds = min(seconds, LONGEST_NOTHING)
    return Answer(records, seconds, _text(chain.canonical_name))


def services(answer: Answer) -> list[Service]:
    """What HTTPS records say, best first; those of equal priority in any order (RFC 9460, 2.4.1).

    If there is an alias, the others do not count. Nor does a record that demands what we do not
    know.
    """
    found = []
    for record in answer.records:
        demanded = record.params.get(ParamKey.MANDATORY)
        if demanded is not None and not _KNOWN.issuperset(demanded.keys):
            continue
        alpn = record.params.get(ParamKey.ALPN)
        port = record.params.get(ParamKey.PORT)
        target = _text(record.target)
        found.append(
            Service(
                record.priority,
                target or (answer.owner if record.priority else ""),
                () if alpn is None else tuple(str(name, "latin-1") for name in alpn.ids),
                None if port is None else port.port,
            )
        )
    random.shuffle(found)
    found.sort(key=lambda service: service.priority)
    if found and not found[0].priority:
        del found[1:]
    return found


def _text(name: Any) -> str:
    """A name without its final dot; "" for the root."""
    return str(name.to_text(omit_final_dot=True)).lower().removeprefix(".")
