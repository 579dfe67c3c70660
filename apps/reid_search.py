"""``multicam reid search-architecture``: an architecture search by a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from apps.interrupts import StopRequest

__all__ = ["SearchRequest", "run_search"]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The options of the command, in its order."""

    recipe: str
    data: tuple[str, ...]
    roots: tuple[Path, ...]
    output: Path | None
    changes: tuple[str, ...]
    epochs_scale: float
    resume: bool
    overwrite: bool
    device: str
    workers: int | None
    threads: int | None
    skip_broken: bool
    quiet: bool


def run_search(request: SearchRequest) -> bool:
    """Search, and say how to train what was found; returns whether it was interrupted.

    Raises:
        InputError: something given cannot be used.
    """
    from reid_models.errors import InputError
    from reid_models.training.recipe import read_recipe

    recipe = read_recipe(request.recipe, request.changes).scaled(request.epochs_scale)
    if recipe.task != "search":
        raise InputError(f"the recipe {recipe.name} trains a network: multicam reid train {recipe.name}")
    if not request.roots:
        raise InputError("no data: add --root DIR, the folder that holds the data set")
    import torch

    if request.threads is not None:
        torch.set_num_threads(request.threads)
    from apps.reid_data import load_with_progress, print_warnings
    from reid_models.training.architecture_search import SearchReport
    from reid_models.training.run import create_accelerator
    from reid_models.training.run_files import RunFolder
    from reid_models.training.search_run import GENOTYPE_FILE, SearchStopped, run_architecture_search

    console = None if request.quiet else Console(stderr=True)
    device = create_accelerator(request.device).device
    output = request.output or Path("runs") / recipe.name
    if output.exists() or request.resume:
        # Before the images are looked at, which takes minutes.
        RunFolder(output, resume=request.resume, overwrite=request.overwrite)
    loaded = load_with_progress(recipe, request.data, request.roots, request.skip_broken, console)

    def show(epoch: SearchReport) -> None:
        if console is not None:
            console.print(
                f"epoch {epoch.epoch + 1}/{recipe.epochs}: train loss {epoch.train_loss:.3f}, validation loss "
                f"{epoch.validation_loss:.3f}, entropy {epoch.entropy:.3f}, {epoch.genotype}",
                highlight=False,
                soft_wrap=True,
            )

    def begin() -> None:
        if console is not None:
            print_warnings(loaded.warnings, console)
            console.print(
                f"{recipe.name}: {len(loaded.training.labels)} images, {loaded.training.num_classes} identities, "
                f"{recipe.epochs} epoch{'' if recipe.epochs == 1 else 's'}, on {device}, seed {recipe.seed}",
                highlight=False,
                soft_wrap=True,
            )

    with StopRequest() as stop:
        try:
            genotype = run_architecture_search(
                recipe, loaded.training, output, device=device, workers=request.workers or 0, resume=request.resume,
                overwrite=request.overwrite, report=show, stop=lambda: stop.requested, begin=begin,
            )  # fmt: skip
        except SearchStopped:
            if console is not None:
                again = f" Go on with --output {escape(str(output))} --resume." if (output / "last.pt").exists() else ""
                console.print(f"Stopped.{again}", highlight=False, soft_wrap=True)
            return True
    file = output / GENOTYPE_FILE
    if console is not None:
        console.print(f"{genotype}  ({escape(str(file))})", highlight=False, soft_wrap=True)
        console.print(
            f"Train it: multicam reid train msinet_scratch --set model.options.genotype={escape(str(file))}",
            highlight=False,
            soft_wrap=True,
        )
    return False
