"""`util`: `Retry` and `Timeout` by urllib3's names.

    retry.py        `Retry`, as `max_retries` takes it

`Timeout` gives a `gofer.Timeouts`.
"""

from typing import Any

from gofer.dropin.urllib3_face.util.retry import Retry
from gofer.timeouts import Timeouts

__all__ = ["Retry", "Timeout"]


def Timeout(total: Any = None, connect: Any = None, read: Any = None) -> Timeouts:
    """`gofer.Timeouts`, by urllib3's arguments, in seconds."""
    return Timeouts(connect=connect, read=read, total=total)
