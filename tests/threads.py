"""What a test does in a thread beside its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["beside"]

PATIENCE = 20.0  # seconds; never reached when all is well


@contextmanager
def beside(work: Callable[[], Any]) -> Iterator[None]:
    """`work` runs beside the block, and is over when the block is; its error is raised here."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE)
    assert not thread.is_alive()
    if errors:
        raise errors[0]
