"""``multicam reid``: the ReID networks — list, train, evaluate, export, search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.interrupts import stoppable

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
    typer.Option(min=1, help="Processor threads of PyTorch (default: its own choice).", rich_help_panel=_MACHINE),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)]
Offline = Annotated[bool, typer.Option("--offline", help="Never download weights.", rich_help_panel=_MACHINE)]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.", rich_help_panel=_OUTPUT)]
Markdown = Annotated[
    Path | None, typer.Option("--markdown", help="Write the figures as a Markdown table.", rich_help_panel=_OUTPUT)
]


@app.command()
@stoppable()
def train(
    recipe: Annotated[str, typer.Argument(help="Name (multicam reid list --recipes) or YAML file.")],
    data: Data = None,
    root: Root = None,
    test_data: Annotated[
        list[str] | None,
        typer.Option("--test-data", help="Evaluate on this instead (cross-domain); repeatable.", rich_help_panel=_DATA),
    ] = None,
    test_root: Annotated[
        list[Path] | None, typer.Option("--test-root", help="Where that is (default: --root).", rich_help_panel=_DATA)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run (default: runs/RECIPE).", rich_help_panel=_OUTPUT),
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
        typer.Option("--cache/--no-cache", help="Keep images decoded in memory (default: if they fit).",
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
        recipe, tuple(data or ()), tuple(root or ()), tuple(test_data or ()), tuple(test_root or ()), output,
        tuple(changes or ()), epochs_scale, seed, pretrained,
        resume, overwrite, device, precision, workers, threads, cache, evaluate, skip_broken, offline, quiet,
    )  # fmt: skip
    if run_train(request):
        raise typer.Exit(130)


@app.command(name="list")
@stoppable()
def list_command(
    pattern: Annotated[str, typer.Argument(help="Shell pattern of names, as 'osnet*'.")] = "*",
    weights: Annotated[bool, typer.Option("--weights", help="List weights that can be had by name.")] = False,
    recipes: Annotated[bool, typer.Option("--recipes", help="List training recipes.")] = False,
    datasets: Annotated[bool, typer.Option("--datasets", help="List data sets.")] = False,
    json: Json = None,
) -> None:
    """List models with parameters and multiply-adds (counted now), or weights, recipes, data sets."""
    from apps.reid_list import print_datasets, print_models, print_recipes, print_weights
    from reid_models.errors import InputError

    if weights + recipes + datasets > 1:
        raise InputError("--weights, --recipes and --datasets are lists of their own: give one of them")
    if weights:
        print_weights(pattern, json)
    elif recipes:
        print_recipes(pattern, json)
    elif datasets:
        print_datasets(pattern, json)
    else:
        print_models(pattern, json)


@app.command()
@stoppable()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name, NAME:WEIGHTS, a checkpoint or an .onnx file.")],
    weights: Annotated[
        str | None, typer.Option(help="Checkpoint, or name of published weights.", rich_help_panel=_DATA)
    ] = None,
    data: Data = None,
    root: Root = None,
    distance: Annotated[
        str | None, typer.Option(help="euclidean or cosine (default: the model's).", rich_help_panel=_RECIPE)
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Average with the mirrored image.", rich_help_panel=_RECIPE)
    ] = False,
    re_ranking: Annotated[
        bool, typer.Option("--re-ranking", help="Also rank by k-reciprocal neighbours.", rich_help_panel=_RECIPE)
    ] = False,
    multi_query: Annotated[
        str | None,
        typer.Option(help="average or max over the query identity's images of one camera.", rich_help_panel=_RECIPE),
    ] = None,
    input_size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH instead of the model's.", rich_help_panel=_RECIPE)
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--model-option", metavar="NAME=VALUE", help="Architectural option; repeatable.",
                     rich_help_panel=_RECIPE),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for --visualize.", rich_help_panel=_OUTPUT)
    ] = None,
    visualize: Annotated[
        bool,
        typer.Option("--visualize", help="Draw ranked lists, activation maps and OSNet's gate clusters.",
                     rich_help_panel=_OUTPUT),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is in --output.", rich_help_panel=_OUTPUT)
    ] = False,
    json: Json = None,
    markdown: Markdown = None,
    device: Device = "auto",
    threads: Threads = None,
    seed: Annotated[int, typer.Option(help="Of random draws.", rich_help_panel=_RECIPE)] = 0,
    skip_broken: SkipBroken = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Evaluate a network: rank-1/5/10, mAP and mINP, attributes or classes, by each data set's protocol."""
    from apps.reid_evaluate import EvaluateRequest, run_evaluate

    request = EvaluateRequest(
        model, weights, tuple(data or ()), tuple(root or ()), distance, flip, re_ranking, multi_query, input_size,
        tuple(changes or ()), output, visualize, overwrite, json, markdown, device, threads, seed, skip_broken,
        offline, quiet,
    )  # fmt: skip
    run_evaluate(request)


@app.command()
@stoppable()
def export(
    model: Annotated[str, typer.Argument(help="Name, NAME:WEIGHTS, or a checkpoint.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write: .onnx, .xml (OpenVINO), .torchscript, or .pt for "
                     "weights of 16 bits.",
                     rich_help_panel=_OUTPUT),
    ],
    weights: Annotated[
        str | None, typer.Option(help="Checkpoint, or name of published weights.", rich_help_panel=_DATA)
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--model-option", metavar="NAME=VALUE", help="Architectural option; repeatable.",
                     rich_help_panel=_RECIPE),
    ] = None,
    record: Annotated[
        list[str] | None,
        typer.Option("--record", metavar="NAME=VALUE", help="Say how the network is fed or compared, as "
                     "input_size=[192,96] or distance=cosine; repeatable.", rich_help_panel=_RECIPE),
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Allow random weights, for tests of speed.", rich_help_panel=_RECIPE)
    ] = False,
    precision: Annotated[
        str, typer.Option(help="float32, or int8 fitted to --calibration-images.", rich_help_panel=_MACHINE)
    ] = "float32",
    calibration_images: Annotated[
        Path | None, typer.Option(help="Folder with crops of people, for int8.", rich_help_panel=_MACHINE)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file.", rich_help_panel=_OUTPUT)
    ] = False,
    offline: Offline = False,
) -> None:  # fmt: skip
    """Export a network, checked against PyTorch on the same images before the file is kept."""
    from apps.reid_export import ReidExportRequest, run_export

    run_export(ReidExportRequest(
        model, weights, tuple(changes or ()), tuple(record or ()), output, untrained, overwrite, offline, precision,
        calibration_images,
    ))  # fmt: skip


@app.command(name="search-architecture")
@stoppable()
def search_architecture(
    recipe: Annotated[str, typer.Argument(help="Name or YAML file of a search recipe.")] = "msinet_search",
    data: Data = None,
    root: Root = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run (default: runs/RECIPE).", rich_help_panel=_OUTPUT),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.", rich_help_panel=_RECIPE),
    ] = None,
    epochs_scale: Annotated[float, typer.Option(help="Shorten the search.", rich_help_panel=_RECIPE)] = 1.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output.", rich_help_panel=_OUTPUT)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --output.", rich_help_panel=_OUTPUT)
    ] = False,
    device: Device = "auto",
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that prepare images.", rich_help_panel=_MACHINE)
    ] = None,
    threads: Threads = None,
    skip_broken: SkipBroken = False,
    quiet: Quiet = False,
) -> None:
    """Search MSINet's interactions by twins contrastive learning; writes a genotype to train with."""
    from apps.reid_search import SearchRequest, run_search

    request = SearchRequest(
        recipe, tuple(data or ()), tuple(root or ()), output, tuple(changes or ()), epochs_scale, resume, overwrite,
        device, workers, threads, skip_broken, quiet,
    )  # fmt: skip
    if run_search(request):
        raise typer.Exit(130)
