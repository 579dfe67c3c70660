"""One live line per camera: how far, how fast, how long still."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

__all__ = ["CameraProgress"]


class CameraProgress:
    """A progress line for each camera.

    Args:
        what: the word before the names, for example ``"tracking"``.
        totals: camera → number of frames, ``None`` when unknown (live cameras).
        console: where to print; ``None`` shows nothing.
    """

    def __init__(self, what: str, totals: Mapping[str, int | None], console: Console | None) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = None
        if console is None:
            return
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Task as ProgressTask
        from rich.text import Text

        class FramesPerSecond(ProgressColumn):
            def render(self, task: ProgressTask) -> Text:
                speed = task.finished_speed or task.speed
                return Text(f"{speed:5.1f} frames/s" if speed else "      frames/s", style="cyan")

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            FramesPerSecond(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        for name, total in totals.items():
            self._tasks[name] = self._progress.add_task(f"{what} [bold]{escape(name)}[/bold]", total=total)

    def __enter__(self) -> CameraProgress:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            # Of what did not begin there is nothing to show.
            self._progress.live.transient = not any(task.completed for task in self._progress.tasks)
            self._progress.stop()

    def advance(self, name: str) -> None:
        """Note one more frame of a camera."""
        if self._progress is not None:
            self._progress.advance(self._tasks[name])

    def reach(self, name: str, frames: int) -> None:
        """Note that ``frames`` frames are done."""
        if self._progress is not None:
            self._progress.update(self._tasks[name], completed=frames)

    def finish(self, name: str, frames: int) -> None:
        """Note that a camera has ended after ``frames`` frames, whatever its header promised."""
        if self._progress is not None:
            self._progress.update(self._tasks[name], total=frames, completed=frames)
