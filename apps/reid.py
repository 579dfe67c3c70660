"""``multicam reid``: the ReID networks — list, train, evaluate, export, search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="ReID networks: list them, train them by their papers' recipes, evaluate, export.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_DATA = "Data"
_MACHINE = "Machine"
_OUTPUT = "Output"
_RECIPE = "Recipe"

Data = Annotated[
    list[str] | None,
    typer.Option("--data", help="Data set: market1501, dukemtmc, msmt17, … or a folder's name under --root; "
                 "NAME:OPTION=VALUE sets its options; repeatable.", rich_help_panel=_DATA),
]  # fmt: skip
Root = Annotated[
    list[Path] | None,
    typer.Option("--root", help="Folder with the data sets; one for all --data, or one each.", rich_help_panel=_DATA),
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave images out that cannot be decoded.", rich_help_panel=_DATA)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …", rich_help_panel=_MACHINE)]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Processor threads of PyTorch [default: its own choice].", rich_help_panel=_MACHINE),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)]
Offline = Annotated[bool, typer.Option("--offline", help="Never download weights.", rich_help_panel=_MACHINE)]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.", rich_help_panel=_OUTPUT)]
Markdown = Annotated[
    Path | None, typer.Option("--markdown", help="Write the figures as a Markdown table.", rich_help_panel=_OUTPUT)
]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name (multicam reid list --recipes) or YAML file.")],
    data: Data = None,
    root: Root = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run [default: runs/RECIPE].", rich_help_panel=_OUTPUT),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as optimizer.lr=0.01; repeatable.",
                     rich_help_panel=_RECIPE),
    ] = None,
    epochs_scale: Annotated[
        float, typer.Option(help="Shorten the schedule, every milestone alike.", rich_help_panel=_RECIPE)
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", rich_help_panel=_RECIPE)] = None,
    pretrained: Annotated[
        Path | None, typer.Option(help="Initial weights from a file.", rich_help_panel=_RECIPE)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output, exactly.", rich_help_panel=_OUTPUT)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --output.", rich_help_panel=_OUTPUT)
    ] = False,
    device: Device = "auto",
    precision: Annotated[
        str, typer.Option(help="no (float32), bf16 or fp16.", rich_help_panel=_MACHINE)
    ] = "no",
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that prepare images.", rich_help_panel=_MACHINE)
    ] = None,
    threads: Threads = None,
    cache: Annotated[
        bool | None,
        typer.Option("--cache/--no-cache", help="Keep images decoded in memory [default: if they fit].",
                     rich_help_panel=_MACHINE),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Evaluate at the end.", rich_help_panel=_OUTPUT)
    ] = True,
    skip_broken: SkipBroken = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Train a network by a recipe; with `accelerate launch -m apps reid train …` on several GPUs or machines."""
    from apps.reid_train import TrainRequest, run_train

    request = TrainRequest(
        recipe, tuple(data or ()), tuple(root or ()), output, tuple(changes or ()), epochs_scale, seed, pretrained,
        resume, overwrite, device, precision, workers, threads, cache, evaluate, skip_broken, offline, quiet,
    )  # fmt: skip
    if run_train(request):
        raise typer.Exit(130)
