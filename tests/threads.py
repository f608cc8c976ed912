"""What a test does in a thread beside its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["beside"]

PATIENCE = 20.0  # seconds; never reached when all is well


@contextmanager
def beside(*works: Callable[[], Any]) -> Iterator[None]:
    """Each work runs beside the block, and is over when the block is; its error is raised here."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]
