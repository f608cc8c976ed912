"""Showing how far a bulk run has come: a bar on a terminal, nothing on a pipe.

The bar is rich's (extra `progress`), imported only when there is a terminal to draw it on.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Protocol

__all__ = ["Run", "reporting"]

Report = Callable[[int, int, int | None], Any]  # done, failed, total


class Run(Protocol):
    """What is asked of a run while it goes on."""

    total: int | None
    failed: int


def reporting(
    results: Generator[Any, None, None], progress: bool | Report, run: Run
) -> Generator[Any, None, None]:
    """`results`, with `progress` told after each.

    Args:
        progress: a function of (done, failed, total or None), or True for a bar.

    Raises:
        ImportError: a bar is wanted, there is a terminal, and rich is not installed.
    """
    if callable(progress):
        return _telling(results, progress, run)
    if not sys.stderr.isatty():
        return results
    return _drawing(results, _new_bar(), run)


def _telling(
    results: Generator[Any, None, None], report: Report, run: Run
) -> Generator[Any, None, None]:
    with closing(results):
        for done, result in enumerate(results, 1):
            report(done, run.failed, run.total)
            yield result


def _drawing(results: Generator[Any, None, None], bar: Any, run: Run) -> Generator[Any, None, None]:
    """Redraws are rich's affair, ten a second, whatever the rate of results."""
    with bar, closing(results):
        task = bar.add_task("", total=run.total, failed=0)
        for result in results:
            bar.update(task, advance=1, failed=run.failed)
            yield result


def _new_bar() -> Any:
    """Count, rate, errors and the time that is left."""
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
    except ImportError as error:
        raise ImportError(
            "progress=True draws its bar with rich: pip install gofer[progress]"
        ) from error

    class Rate(TextColumn):
        def __init__(self) -> None:
            super().__init__("{task.speed}")

        def render(self, task: Any) -> Any:
            from rich.text import Text

            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    return Progress(
        MofNCompleteColumn(),
        BarColumn(),
        Rate(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
