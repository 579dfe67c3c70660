"""Read the data sets that a ``multicam reid`` command names, with a bar while images are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from reid_models.training.data import LoadedData
    from reid_models.training.recipe import Recipe

__all__ = ["counting", "load_with_progress"]


@contextmanager
def counting(what: str, console: Console | None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar while the block runs; what it yields is told (done, total)."""
    if console is None or not console.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def load_with_progress(
    recipe: Recipe,
    names: Sequence[str],
    roots: Sequence[Path],
    skip_broken: bool,
    console: Console | None,
    test_names: Sequence[str] = (),
    test_roots: Sequence[Path] = (),
) -> LoadedData:
    """Return what the recipe is run on; its own data sets where none is named.

    Raises:
        InputError: a data set cannot be used.
    """
    from reid_models.training.data import load_data

    with counting("checking images", console) as progress:
        if not names and not test_names and recipe.test_dataset is not None:
            test_names = (recipe.test_dataset,)
        return load_data(
            recipe,
            names or (recipe.dataset,),
            roots,
            test_names=test_names,
            test_roots=test_roots,
            skip_broken=skip_broken,
            progress=progress,
        )
