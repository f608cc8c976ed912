"""An interrupt at each point of a request at which CPython lets a signal handler run.

Ctrl-C, `signal.alarm` and the like raise in the middle of anything. Whoever catches that goes on
with the session: no lock may be held for good, no place on a connection lost, and nobody may wait
for somebody who is gone.
"""

import linecache
import opcode
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

import gofer
from servers.certificates import Certificates
from servers.web import Web
from servers.web2 import Web2

pytestmark = [
    pytest.mark.only_in("blocking"),
    # Coroutines that an interrupt kept from being begun, and what it did to a generator's close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]

# After these the interpreter looks whether a signal has come; after calls of C functions, that is.
LOOKING = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "RESUME"}
UNPROTECTED = "connection = idle.pop()"  # by then nobody has what it returns: nothing can be done
SOON = gofer.Timeouts(connect=5, read=5, pool=5)
BELOW_THE_FACES = ("network", "protocols", "runtime")


class Interrupt(BaseException):
    """What a signal handler raises."""


class Interrupter:
    """Counts the points at which a signal could be handled, and raises at one of them."""

    def __init__(self) -> None:
        self.points = 0
        self.target = -1
        self.where = ""
        self._last: dict[FrameType, int] = {}
        self._calling: set[FrameType | None] = set()  # Python functions

    @contextmanager
    def at(self, target: int) -> Iterator[None]:
        """Raise `Interrupt` at that point of what is done meanwhile; nowhere if it is -1."""
        self.points, self.target, self.where = 0, target, "nowhere"
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
            self._last.clear()
            self._calling.clear()

    def _trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        path = frame.f_code.co_filename
        if event == "call":
            self._calling.add(frame.f_back)
        if not any(f"/gofer/{room}/" in path for room in BELOW_THE_FACES):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event in ("return", "exception"):
            self._last.pop(frame, None)  # it looks after what went well
        if event == "opcode":
            last = self._last.get(frame)
            self._last[frame] = frame.f_lasti
            if last is not None and self._looks_after(last, frame):
                self.points += 1
                if self.points - 1 == self.target:
                    self.where = f"{path}:{frame.f_lineno} in {frame.f_code.co_name}"
                    raise Interrupt
            self._calling.discard(frame)
        return self._trace

    def _looks_after(self, last: int, frame: FrameType) -> bool:
        """True if the interpreter looks for signals after the instruction at `last`."""
        code = frame.f_code.co_code
        name, following = opcode.opname[code[last]], opcode.opname[code[frame.f_lasti]]
        if name not in LOOKING:
            return False
        if name.startswith("CALL") and (frame in self._calling or following == "GET_AWAITABLE"):
            return False
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        return line.strip() != UNPROTECTED


class OneAtATime(Web2):
    """Whoever loses a place on a connection of this one has lost them all."""

    most_streams = 1


@pytest.fixture(params=["HTTP/1.1", "HTTP/1.1 and TLS", "HTTP/2", "HTTP/2 and TLS"])
def site(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Web]:
    kind = OneAtATime if request.param.startswith("HTTP/2") else Web
    tls = None
    if request.param.endswith("TLS"):
        tls = certificates.good_http2 if kind is OneAtATime else certificates.good
    with kind(tls=tls) as server:
        yield server


@contextmanager
def warm_session(site: Web, certificates: Certificates) -> Iterator[gofer.Session]:
    """A session with one connection open, which is all that it may have."""
    how = "prior knowledge" if isinstance(site, Web2) else False
    config = {"http2": how, "max_connections_per_host": 1}
    with gofer.Session(verify=certificates.ca_file, config=config) as session:
        session.get(site.url + "/get")
        yield session


def get_small(session: gofer.Session, url: str) -> None:
    session.get(url + "/get")


def get_large(session: gofer.Session, url: str) -> None:
    assert 200_000 == len(session.get(url + "/bytes/200000").content)


def leave_large(session: gofer.Session, url: str) -> None:
    with session.get(url + "/bytes/200000") as response:
        next(response.iter_content(1000))


def post(session: gofer.Session, url: str) -> None:
    session.post(url + "/post", data=iter([b"x" * 1000] * 3))


@pytest.mark.parametrize("ask", [get_small, get_large, leave_large, post])
def test_the_next_request_is_right_wherever_an_interrupt_came(
    ask: Callable[[gofer.Session, str], None], site: Web, certificates: Certificates
):
    interrupter = Interrupter()
    with warm_session(site, certificates) as session, interrupter.at(-1):
        ask(session, site.url)
    assert interrupter.points > 20

    wrong = []
    for point in range(interrupter.points):
        with warm_session(site, certificates) as session:
            try:
                with interrupter.at(point):
                    ask(session, site.url)
            except Interrupt:
                pass
            try:
                for _ in range(2):
                    assert 200 == session.get(site.url + "/get", timeout=SOON).status_code
            except gofer.RequestException as error:
                wrong.append(f"after an interrupt at {interrupter.where}: {error!r:.120}")
    assert not wrong, "\n".join(wrong)
