"""DNS messages (RFC 1035) without I/O, by dnspython: questions out, answers in.

Attributes of a service come by HTTPS records (RFC 9460).
"""

from typing import Any

try:
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.rdatatype
    from dns.rdtypes.svcbbase import ParamKey
except ImportError as error:
    raise ImportError("DNS over HTTPS needs dnspython: pip install gofer[dns]") from error

__all__ = ["Answer", "NoAnswer", "question", "read", "services"]

MAX_MESSAGE = 65535  # bytes (RFC 8484, 6)


class NoAnswer(Exception):
    """What came is no answer, or says that there is none. `is_final`: asking again is no use."""

    def __init__(self, problem: str, *, is_final: bool = False) -> None:
        super().__init__(problem)
        self.is_final = is_final


class Answer:
    """Records of one kind, and the seconds for which they count; maybe none."""

    __slots__ = ("records", "seconds")

    def __init__(self, records: list[Any], seconds: float) -> None:
        self.records = records
        self.seconds = seconds


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
    return Answer(records, float(chain.minimum_ttl))


def services(records: list[Any]) -> list[tuple[int, str, tuple[str, ...], int | None]]:
    """What HTTPS records say, best first: (priority, host or "", ALPN names, port)."""
    found = []
    for record in records:
        alpn = record.params.get(ParamKey.ALPN)
        port = record.params.get(ParamKey.PORT)
        names = () if alpn is None else tuple(str(name, "latin-1") for name in alpn.ids)
        target = record.target.to_text(omit_final_dot=True).lower().removeprefix(".")
        found.append((record.priority, target, names, None if port is None else port.port))
    return sorted(found, key=lambda service: service[0])
