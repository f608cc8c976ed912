"""The driver's side of `client.py`: a client in a process of its own, which takes orders."""

import json
import subprocess
from typing import Any, NamedTuple

from environments import HERE, clean_environment, pinned, python_for
from tables import complain

__all__ = ["Child", "ClientFailed", "Cost", "start_clients"]


class ClientFailed(Exception):
    """A client's process ended where an answer was expected."""


class Cost(NamedTuple):
    """Seconds for one request (or call), and the bytes of memory that go with it."""

    wall: float
    cpu: float
    memory: int


class Child:
    """A client that is connected, warm, and waits for orders.

    Attributes:
        document: what its first request brought.
        calls: the functions that its file has.

    Raises:
        ClientFailed: the client could not make its first request.
    """

    def __init__(
        self,
        client: str,
        url: str,
        trust: str | None = None,
        *,
        cpu: int | None = None,
        under: tuple[str, ...] = (),
    ) -> None:
        """Start it: on processor `cpu`, or `under` a command such as strace."""
        self.client = client
        # -P: this folder stays out of sys.path, so no file of ours hides a package.
        command = [*under, python_for(client), "-P", str(HERE / "client.py"), client, url]
        if trust is not None:
            command.append(trust)
        self._process = subprocess.Popen(
            pinned(command, cpu),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        first = self._answer()
        self.document: Any = first["document"]
        self.calls: list[str] = first["calls"]

    def run(self, count: int) -> Cost:
        """`count` requests on a warm connection."""
        return self._cost(f"run {count}")

    def fresh(self, count: int) -> Cost:
        """`count` times a new session, one request, close."""
        return self._cost(f"fresh {count}")

    def many(self, size: int, count: int) -> Cost:
        """`count` requests, `size` of them at a time, in one order."""
        return self._cost(f"many {size} {count}")

    def call(self, function: str, *arguments: str) -> tuple[Cost, int]:
        """One call of a function of the client's file; the bytes that went over.

        The cost's memory is the peak above what was in use before.
        """
        answer = self._order(" ".join(("call", function, *arguments)))
        return Cost(answer["wall"], answer["cpu"], answer["above"]), answer["size"]

    def quit(self) -> None:
        """End the process and wait for it."""
        if self._process.poll() is None:
            self._process.communicate("quit\n")

    def _cost(self, order: str) -> Cost:
        answer = self._order(order)
        return Cost(answer["wall"], answer["cpu"], answer["peak"])

    def _order(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended before; reading its answer says why
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            last = errors.strip().rpartition("\n")[2] or f"exit code {self._process.returncode}"
            raise ClientFailed(f"{self.client} is left out: {last}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def start_clients(
    clients: list[str],
    url: str,
    trust: str | None = None,
    *,
    cpu: int | None = None,
    document: object,
) -> dict[str, Child]:
    """Those of `clients` that are there and bring `document`; the others are named on stderr."""
    children = {}
    for client in clients:
        try:
            child = Child(client, url, trust, cpu=cpu)
        except ClientFailed as error:
            complain(str(error))
            continue
        if child.document == document:
            children[client] = child
        else:
            complain(f"{client} is left out: what it brought is not what the server sent")
            child.quit()
    return children
