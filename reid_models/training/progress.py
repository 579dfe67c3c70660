"""What a person sees of a training run: a live line, TensorBoard, one printed line an epoch where nothing is live."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Progress of a run.

    Args:
        console: where it is shown; ``None``: nowhere. On a terminal a live line, elsewhere a line each epoch.
        logs: folder of TensorBoard files; ``None``: none.
    """

    def __init__(self, console: Console | None, logs: Path | None = None) -> None:
        self._console = console
        self._logs = logs
        self._writer: Any = None
        self._bar: Any = None
        self._loading: Any = None
        self._task: Any = None
        self._epochs = 1
        self._first = 0
        self._shown = 0.0

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._loading is not None:
            self._loading.stop()
        if self._bar is not None:
            self._bar.stop()
        if self._writer is not None:
            self._writer.close()

    def begin(self, epochs: int, first: int) -> None:
        """Begin to show a run of ``epochs``, of which ``first`` are done."""
        self._epochs, self._first = epochs, first
        if self._logs is not None and self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._logs), purge_step=first + 1)
        if self._console is not None and self._console.is_terminal and self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:3.0f} %"),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                TextColumn("{task.fields[speed]:5.0f} images/s"),
                TextColumn("{task.fields[terms]}"),
                console=self._console,
                speed_estimate_period=600,
            )
            self._task = self._bar.add_task("", total=float(epochs), completed=first, epoch="", speed=0.0, terms="")
            self._bar.start()

    def loading(self, total: int, size: tuple[int, int]) -> Callable[[int], None]:
        """Return what is to be told how many images are decoded, for a line of their own."""
        if self._console is None or not self._console.is_terminal:
            return lambda done: None
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        bar = Progress(
            TextColumn(f"decoding images to {size[0]}×{size[1]}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
        )
        if self._bar is not None:
            # One live display at a time.
            self._bar.stop()
        self._loading = bar
        task = bar.add_task("", total=total)
        bar.start()

        def show(done: int) -> None:
            bar.update(task, completed=done)
            if done == total:
                bar.stop()
                if self._bar is not None:
                    self._bar.start()

        return show

    def step(self, epoch: int, done: int, batches: int, terms: Mapping[str, Tensor], rate: float, speed: float) -> None:
        """Show one step; the losses are read a few times a second only, since that waits for a GPU."""
        if self._bar is None:
            return
        now = time.monotonic()
        if now - self._shown < 0.25 and done < batches:
            return
        self._shown = now
        text = "  ".join(f"{name.replace('_', ' ')} {float(value):.3f}" for name, value in terms.items())
        self._bar.update(
            self._task,
            completed=epoch + done / batches,
            epoch=f"{epoch + 1}/{self._epochs}",
            speed=speed,
            terms=f"{text}  lr {rate:.2g}",
        )

    def epoch(self, row: Mapping[str, float]) -> None:
        """Show and log a finished epoch."""
        number = int(row["epoch"])
        if self._writer is not None:
            for name, value in row.items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, number)
            self._writer.flush()
        if self._console is not None and self._bar is None:
            shown = [
                f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items() if name not in ("epoch", "loss")
            ]
            self._console.print(f"epoch {number}/{self._epochs}: {', '.join(shown)}", highlight=False, soft_wrap=True)
