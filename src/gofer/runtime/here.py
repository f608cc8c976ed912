"""Which asynchronous library is running here: asyncio (and uvloop, which is asyncio to us) or trio.

No library is imported that the program has not imported itself.
"""

import sys
from typing import Any

__all__ = ["runtime"]


def runtime() -> Any:
    """The runtime for the event loop that is running.

    Raises:
        RuntimeError: none is.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        from gofer.runtime.trio import runtime as found

        return found
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            from gofer.runtime.asyncio import runtime as loops

            return loops
    raise RuntimeError(
        "an AsyncSession is for use inside asyncio or trio, and neither is running here;"
        " elsewhere use gofer.Session"
    )
