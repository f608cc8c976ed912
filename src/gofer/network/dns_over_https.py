"""DNS over HTTPS (RFC 8484): names are looked up by requests of our own, on connections of our own.

The server's own name, literal addresses, and names that are this machine's or this network's
business (RFC 6761, RFC 6762) are left to the system. HTTPS records (RFC 9460) say where an origin
can be reached by HTTP/3.

A is asked for first. What can be done without, AAAA and HTTPS, has a little more time than A took,
and is given up then. To ask for all at once (RFC 8305, 3) would save a round trip where a name is
new, but takes somebody who asks beside us and may be left behind: where everything blocks, a thread
that nobody can stop; in trio, a task that nobody waits for. One question after the other is right
everywhere and leaves nothing behind.
"""

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gofer.exceptions import (
    ConnectionLost,
    ConnectTimeout,
    NameResolutionError,
    RequestException,
    Timeout,
)
from gofer.messages.fields import Headers
from gofer.messages.request import PreparedRequest
from gofer.messages.url import URL, parse
from gofer.network.deadlines import earlier
from gofer.network.environment import read as read_environment
from gofer.network.names import Address, Remembered, is_literal
from gofer.network.router import Router
from gofer.network.routes import Route
from gofer.protocols.dns import MAX_MESSAGE, Answer, NoAnswer, question, read, services
from gofer.runtime.base import TimedOut

if TYPE_CHECKING:
    from gofer.network.exchange import Network

__all__ = ["DnsOverHttps", "check_server"]

MEDIA_TYPE = "application/dns-message"
NO_RECORD = 60.0  # seconds for which what is not there, or does not come, is not asked for again
SPARE = 0.2  # seconds more than twice what A took, for what can be done without: machines are busy
MAX_ALIASES = 8  # HTTPS records that lead to others' HTTPS records (RFC 9460, 2.4.2)
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
            ConnectTimeout: it does not say so in time.
        """
        look_up = self._network.runtime.resolve
        if is_literal(host) or _is_local(host):
            return await look_up(host, port, deadline)
        records, _ = await self._addresses(self._way(settings), host, deadline)
        found: list[Address] = []
        for record in records:
            found += await look_up(record.address, port, deadline)
        return found

    async def http3_place(
        self, host: str, port: int, deadline: float | None, *, settings: Any
    ) -> tuple[tuple[str, int], float] | None:
        """Where HTTP/3 is spoken for an origin, (host, port), and for how many seconds that counts.

        None if nobody says so, or not soon after the addresses, which are asked for first: they
        are needed anyhow. `settings` as in `resolve`.

        Raises:
            ConnectTimeout: there are no addresses by then.
        """
        if is_literal(host) or _is_local(host):
            return None
        way = self._way(settings)
        try:
            _, patience = await self._addresses(way, host, deadline)
        except NameResolutionError:
            return None  # whoever connects says so
        name = host if port == 443 else f"_{port}._https.{host}"  # RFC 9460, 9.1
        end = math.inf
        for _ in range(MAX_ALIASES):
            known = await self._beside(way, name, "HTTPS", patience, deadline)
            end = min(end, known.end)
            found = services(known.answer)
            if not found:
                return None
            if found[0].priority:
                break
            name = found[0].target
            if not name:
                return None
        for service in found:
            if service.priority and "h3" in service.protocols:
                seconds = end - self._network.runtime.now()
                return (service.target, service.port or port), max(seconds, 0.0)
        return None

    async def _addresses(
        self, way: "_Way", host: str, deadline: float | None
    ) -> tuple[list[Any], float]:
        """AAAA and A records, at least one, and the time that something else may take beside them.

        A may take half of the time, so that there is some left where nothing comes but AAAA.

        Raises:
            NameResolutionError, ConnectTimeout: there are none.
        """
        problem: RequestException | None = None
        first = second = NOTHING
        now = self._network.runtime.now()
        try:
            middle = None if deadline is None else (now + deadline) / 2
            first = await self._answer(way, host, "A", middle)
        except (NameResolutionError, ConnectTimeout) as error:
            problem = error
        if first.answer.records:
            second = await self._beside(way, host, "AAAA", first.patience, deadline)
        else:
            try:
                second = await self._answer(way, host, "AAAA", deadline)
            except (NameResolutionError, ConnectTimeout) as error:
                problem = problem or error
        records = [*second.answer.records, *first.answer.records]
        if not records:
            raise problem or NameResolutionError(f"resolving {host}: it has no address")
        return records, max(first.patience, second.patience)

    async def _beside(
        self, way: "_Way", name: str, kind: str, patience: float, deadline: float | None
    ) -> "_Known":
        """What is known, or what the server says within `patience` seconds, or nothing.

        Raises:
            ConnectTimeout: `deadline` passed.
        """
        now = self._network.runtime.now()
        try:
            return await self._answer(way, name, kind, earlier(deadline, now, patience))
        except NameResolutionError:
            return NOTHING
        except ConnectTimeout:
            if deadline is not None and self._network.runtime.now() >= deadline:
                raise
            # Or it would be waited for at each connection.
            self._remembered.keep((way.route, name, kind), NOTHING, NO_RECORD)
            return NOTHING

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

    async def _answer(self, way: "_Way", name: str, kind: str, deadline: float | None) -> "_Known":
        """What is known, or what the server says.

        Raises:
            NameResolutionError: it says nothing that can be used.
            ConnectTimeout: nor anything in time.
        """
        try:
            known: _Known = await self._remembered.get(
                (way.route, name, kind), deadline, partial(self._ask, way, name, kind)
            )
        except (TimedOut, Timeout) as error:
            over = deadline is not None and self._network.runtime.now() >= deadline - 0.001
            problem = "no answer in time" if over else error
            raise ConnectTimeout(
                f"resolving {name}, asking {self._url.authority}: {problem}"
            ) from error
        return known

    async def _ask(
        self, way: "_Way", name: str, kind: str, deadline: float | None
    ) -> tuple["_Known", float]:
        started = self._network.runtime.now()
        try:
            asked = question(name, kind)
            content, age = await self._exchange(way, asked.to_wire(), deadline)
            answer = read(content, asked)
        except NoAnswer as error:
            if kind == "HTTPS" and error.is_final:
                return NOTHING, NO_RECORD  # most names have none
            raise NameResolutionError(
                f"resolving {name}, asking {self._url.authority}: {error}"
            ) from error
        except (NameResolutionError, Timeout):
            raise
        except RequestException as error:
            raise NameResolutionError(
                f"resolving {name}, asking {self._url.authority}: {error}"
            ) from error
        now = self._network.runtime.now()
        seconds = min(max(answer.seconds - age, SHORTEST), LONGEST)
        return _Known(answer, now + seconds, 2 * (now - started) + SPARE), seconds

    async def _exchange(
        self, way: "_Way", content: bytes, deadline: float | None
    ) -> tuple[bytes, int]:
        """The server's answer to a message, and how old it is, in seconds (RFC 8484, 5.1).

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
        age = response.headers.get("age", "")
        return bytes(received), int(age) if re.fullmatch("[0-9]{1,10}", age) else 0


class _Known(NamedTuple):
    """An answer.

    Attributes:
        end: until when it counts, monotonic seconds.
        patience: the seconds that another question may take beside this one.
    """

    answer: Answer
    end: float
    patience: float


NOTHING = _Known(Answer([], 0.0), 0.0, 0.0)


class _Way(NamedTuple):
    """How a question goes to the server."""

    route: Route
    settings: Any
    environment: Any


def _is_local(host: str) -> bool:
    last = host.removesuffix(".").rpartition(".")[2]
    return last in ("localhost", "local") or "%" in host
