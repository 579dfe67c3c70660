"""What commands that measure show a person: bars while they work, a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["StepBars", "print_table"]

#: wider than the 80 columns of a log file: figures that are cut would be useless
_LEAST_WIDTH = 120


class StepBars:
    """While active, a bar on standard error for each kind of step; all are gone at the end.

    Nothing is shown before a first step is done: of what is refused before it begins, the refusal is all that is seen.

    Args:
        quiet: show nothing at all.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._progress: Progress | None = None

    def __enter__(self) -> StepBars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def of(self, what: str) -> Callable[[int, int], None]:
        """Return what to call with the number of finished and of all ``what``."""
        task: TaskID | None = None

        def report(done: int, total: int) -> None:
            nonlocal task
            if self._quiet:
                return
            progress = self._started()
            if task is None:
                task = progress.add_task(what, total=total)
            progress.update(task, completed=done, total=total)

        return report

    def _started(self) -> Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        return self._progress


def print_table(title: str, header: Sequence[str], lines: Sequence[Sequence[str]], remarks: str) -> None:
    """Print a table, its first column aligned left and the others right, and remarks below it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console = Console(width=max(Console().width, _LEAST_WIDTH))
    console.print(table)
    console.print(remarks, highlight=False, markup=False, soft_wrap=True)
