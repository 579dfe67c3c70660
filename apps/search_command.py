"""The options of ``multicam search``."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from apps.network_options import MODELS, NetworkOptions
from apps.option_groups import with_option_groups

__all__ = ["search"]

_OUTPUT = "Output"


@with_option_groups
def search(
    photos: Annotated[list[Path], typer.Argument(help="Pictures of one person each, or of scenes with --detector.")],
    store: Annotated[Path, typer.Option(help="A store.sqlite, or the folder of a run that has one.")],
    top: Annotated[int, typer.Option(min=1, max=1000, help="Identities shown for each query.")] = 10,
    embedder: Annotated[
        str | None,
        typer.Option(help="By default that of the store; another one's vectors are refused.", rich_help_panel=MODELS),
    ] = None,
    embedder_weights: Annotated[
        Path | None, typer.Option(help="Checkpoint of the embedder, if it is elsewhere now.", rich_help_panel=MODELS)
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help="Finds the people in each photo first: a model as for track.", rich_help_panel=MODELS),
    ] = None,
    *,
    networks: NetworkOptions,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never download models or weights.", rich_help_panel=MODELS)
    ] = False,
    sheet: Annotated[
        Path, typer.Option("--sheet", "-o", help="The contact sheet, a PNG.", rich_help_panel=_OUTPUT)
    ] = Path("search.png"),
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the answers as JSON.", rich_help_panel=_OUTPUT)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier sheet and JSON file.", rich_help_panel=_OUTPUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
) -> None:
    """Who is this? Find the people of photos in a store: a ranked table, and a contact sheet to look at."""
    from rich.console import Console

    from apps.search import SearchRequest, print_answers, run_search
    from apps.summary import run_by
    from tracker.errors import InputError
    from tracker.storage.atomic import atomic_path

    if json is not None and json.exists() and not overwrite:
        raise InputError(f"--json {json} is there already: choose another, or add --overwrite")
    request = SearchRequest(
        tuple(photos), store, top, embedder, embedder_weights, detector, networks.settings(), offline, sheet, overwrite
    )
    answers, models = run_search(request, None if quiet else Console(stderr=True))
    if json is not None:
        with atomic_path(json) as temporary:
            temporary.write_text(json_module.dumps(answers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if not quiet:
        print_answers(answers, sheet, Console())
        print(run_by(models))
