"""Read the data sets that a ``multicam reid`` command names, with a bar while images are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from reid_models.data.attributes import AttributeData
    from reid_models.training.data import LoadedData
    from reid_models.training.recipe import Recipe

__all__ = ["counting", "load_with_progress", "print_warnings", "usable_attributes"]


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
    *,
    evaluate: bool = False,
) -> LoadedData:
    """Return what the recipe is run on; its own data sets where none is named.

    With ``evaluate``, test images are checked too: nobody wants to learn of a broken one after the training.

    Raises:
        InputError: a data set cannot be used.
    """
    from reid_models.training.data import load_data

    with counting("checking images", console) as progress:
        if not names and not test_names and recipe.test_dataset is not None:
            test_names = (recipe.test_dataset,)
        loaded = load_data(
            recipe,
            names or (recipe.dataset,),
            roots,
            test_names=test_names,
            test_roots=test_roots,
            skip_broken=skip_broken,
            progress=progress,
        )
    return _with_usable_tests(loaded, skip_broken, console) if evaluate else loaded


def usable_attributes(
    data: AttributeData, skip_broken: bool, console: Console | None
) -> tuple[AttributeData, list[str]]:
    """Return ``data`` without test images that cannot be decoded, and what was left out.

    Raises:
        InputError: there are broken images and ``skip_broken`` is false.
    """
    from reid_models.training.data import usable_attribute_images

    with counting(f"checking images of {data.name}", console) as progress:
        test, warnings = usable_attribute_images(data.test, skip_broken, progress)
    return replace(data, test=test), warnings


def print_warnings(warnings: Sequence[str], console: Console | None) -> None:
    """Print each in a line of its own."""
    from rich.markup import escape

    if console is None:
        return
    for warning in warnings:
        console.print(f"[yellow]{escape(warning)}[/yellow]", highlight=False, soft_wrap=True)


def _with_usable_tests(loaded: LoadedData, skip_broken: bool, console: Console | None) -> LoadedData:
    from reid_models.data.checks import check_evaluation_rows
    from reid_models.training.data import usable_images

    warnings = list(loaded.warnings)
    sets = []
    for data in loaded.identity_sets:
        with counting(f"checking images of {data.name}", console) as progress:
            usable, skipped = usable_images(data, skip_broken, progress)
        check_evaluation_rows(usable)
        sets.append(usable)
        warnings += skipped
    attributes = loaded.attributes
    if attributes is not None:
        attributes, skipped = usable_attributes(attributes, skip_broken, console)
        warnings += skipped
    return replace(loaded, identity_sets=tuple(sets), attributes=attributes, warnings=tuple(warnings))
