"""DNS over HTTPS (RFC 8484): names are looked up by requests of our own, on connections of our own.

The server's own name, literal addresses, and names that are this machine's or this network's
business (RFC 6761, RFC 6762) are left to the system. HTTPS records (RFC 9460) say where an origin
can be reached by HTTP/3.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gofer.exceptions import ConnectionLost, NameResolutionError, RequestException
from gofer.messages.fields import Headers
from gofer.messages.request import PreparedRequest
from gofer.messages.url import URL, parse
from gofer.network.environment import read as read_environment
from gofer.network.names import Address, Remembered, is_literal
from gofer.network.routes import Route, Router
from gofer.protocols.dns import MAX_MESSAGE, Answer, NoAnswer, question, read, services
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from gofer.network.exchange import Network

__all__ = ["DnsOverHttps", "check_server"]

MEDIA_TYPE = "application/dns-message"
NO_RECORD = 60.0  # seconds for which a name without HTTPS records is not asked for them again
SHORTEST, LONGEST = 1.0, 24 * 3600.0  # seconds that an answer counts, whatever it says


def check_server(url: str) -> URL:
    """The URL of a server, read.

    Raises:
        ValueError: it is none.
    """
    try:
        server = parse(url)
    except RequestException as error:
        raise ValueError(f"resolve: got {url!r:.60}: {error}") from None
    if server.scheme != "https":
        raise ValueError(f"resolve: got {url!r:.60}, expected https: DNS over HTTPS")
    return server


class DnsOverHttps:
    """A resolver, for as long as a network lives.

    It asks with the settings of whoever needs a name, and answers by what came the way that they
    lead: past another proxy, or to a server that is trusted for other reasons, it asks anew.

    Args:
        url: the server's.
        network: to send by; for nothing else, since its connections must not wait for ours.
    """

    def __init__(self, url: str, network: "Network") -> None:
        self._url = check_server(url)
        self._network = network
        self._remembered = Remembered(network.runtime)
        self._settings: tuple[Any, Any] = None, None  # those given last, and ours made of them

    async def resolve(
        self, host: str, port: int, deadline: float | None, *, settings: Any
    ) -> list[Address]:
        """As `Runtime.resolve`.

        Args:
            settings: of the request that needs it.

        Raises:
            NameResolutionError: there is no address, or the server does not say.
            TimedOut: `deadline` passed first.
        """
        look_up = self._network.runtime.resolve
        if is_literal(host) or _is_local(host):
            return await look_up(host, port, deadline)
        way = self._way(settings)
        addresses: list[Address] = []
        problem: NameResolutionError | None = None
        for kind in ("AAAA", "A"):
            try:
                answer = await self._answer(way, host, kind, deadline)
            except NameResolutionError as error:
                problem = problem or error
                continue
            for record in answer.records:
                addresses += await look_up(record.address, port, deadline)
        if not addresses:
            raise problem or NameResolutionError(f"resolving {host}: it has no address")
        return addresses

    async def http3_place(
        self, host: str, port: int, deadline: float | None, *, settings: Any
    ) -> tuple[tuple[str, int], float] | None:
        """Where HTTP/3 is spoken for an origin, (host, port), and for how many seconds that counts.

        None if nobody says so. `settings` as in `resolve`.
        """
        name = host if port == 443 else f"_{port}._https.{host}"  # RFC 9460, 9.1
        if is_literal(host) or _is_local(host):
            return None
        try:
            answer = await self._answer(self._way(settings), name, "HTTPS", deadline)
        except (NameResolutionError, TimedOut):
            return None
        for priority, target, protocols, other_port in services(answer.records):
            if priority and "h3" in protocols:
                return (target or host, other_port or port), answer.seconds
        return None

    def _way(self, given: Any) -> "_Way":
        """How to ask for requests with the settings `given`."""
        known, settings = self._settings
        if known is not given:
            settings = given.replace(
                resolve=None, unix_socket=None, cert=None, pins=None, http3=False
            )
            settings.router = Router(settings)
            self._settings = given, settings
        environment = read_environment() if settings.trust_env else None
        return _Way(settings.router.route(self._url, environment), settings, environment)

    async def _answer(self, way: "_Way", name: str, kind: str, deadline: float | None) -> Answer:
        """What is known, or what the server says."""
        answer: Answer = await self._remembered.get(
            (way.route, name, kind), deadline, partial(self._ask, way, name, kind)
        )
        return answer

    async def _ask(
        self, way: "_Way", name: str, kind: str, deadline: float | None
    ) -> tuple[Answer, float]:
        try:
            asked = question(name, kind)
            answer = read(await self._exchange(way, asked.to_wire(), deadline), asked)
        except NoAnswer as error:
            if kind == "HTTPS" and error.is_final:
                return Answer([], NO_RECORD), NO_RECORD  # most names have none
            raise NameResolutionError(
                f"resolving {name}, asking {self._url.authority}: {error}"
            ) from error
        except NameResolutionError:
            raise
        except RequestException as error:
            raise NameResolutionError(
                f"resolving {name}, asking {self._url.authority}: {error}"
            ) from error
        return answer, min(max(answer.seconds, SHORTEST), LONGEST)

    async def _exchange(self, way: "_Way", content: bytes, deadline: float | None) -> bytes:
        """The server's answer to a message.

        Raises:
            NoAnswer: it answers with something else.
            RequestException: it cannot be reached.
        """
        request = PreparedRequest()
        request.method = "POST"
        request._url = self._url
        request.settings = way.settings
        request.environment = way.environment
        request.deadline = deadline
        request.body = content
        request.headers = Headers(
            {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(content))}
        )
        try:
            response = await self._network.send(request, way.route)
        except ConnectionLost as error:
            if not error.is_reused:
                raise
            request.fresh_connection = True
            response = await self._network.send(request, way.route)
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200 or media_type != MEDIA_TYPE:
            response.close()
            raise NoAnswer(f"got {response.status_code} and {media_type[:40]!r}, expected DNS")
        reading = response._begin_reading()
        received = bytearray()
        while reading is not None and (piece := await reading.next()):
            received += piece
            if len(received) > MAX_MESSAGE:
                response.close()
                raise NoAnswer(f"the answer has over {MAX_MESSAGE} bytes")
        return bytes(received)


class _Way(NamedTuple):
    """How a question goes to the server."""

    route: Route
    settings: Any
    environment: Any


def _is_local(host: str) -> bool:
    last = host.removesuffix(".").rpartition(".")[2]
    return last in ("localhost", "local") or "%" in host
