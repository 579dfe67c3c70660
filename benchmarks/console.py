"""What commands that measure share: how they end, bars while they work, a table at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from tracker.errors import InputError

if TYPE_CHECKING:
    import typer
    from rich.progress import Progress, TaskID

__all__ = ["StepBars", "print_table", "run_command"]

#: wider than the 80 columns of a log file: figures that are cut would be useless
_LEAST_WIDTH = 150


def run_command(
    app: typer.Typer, arguments: Sequence[str] | None = None, *, interrupted: str = "interrupted; nothing was written"
) -> None:
    """Run a command; what a person got wrong is one line and exit code 2, an interrupt exit code 130.

    Args:
        app: the command.
        arguments: ``None``: those of the process.
        interrupted: what is said of an interrupt.

    Raises:
        SystemExit: with the exit code, unless all went well.
    """
    from reid_models.errors import InputError as ReidInputError

    # So that nothing half-written is left by those who end it otherwise than by Ctrl-C, either.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(arguments, standalone_mode=False)
    except (InputError, ReidInputError) as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        # Typer's own errors, which derive from click's or from a copy of them, as the version has it.
        if type(error).__name__ == "NoArgsIsHelpError":
            raise SystemExit(2) from None
        if type(error).__name__ != "Abort" and not hasattr(error, "format_message"):
            raise
        code = 130
        if hasattr(error, "format_message"):
            _fail(" ".join(error.format_message().split()), 2)
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == 130:
        _fail(interrupted, 130)
    if isinstance(code, int) and code:
        raise SystemExit(code)


def _fail(message: str, code: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(code) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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
    needed = 1 + sum(3 + max(map(len, column)) for column in zip(header, *lines))
    console = Console(width=max(Console().width, _LEAST_WIDTH, needed))
    console.print(table)
    if remarks:
        console.print(remarks, highlight=False, markup=False, soft_wrap=True)
