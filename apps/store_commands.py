"""``multicam store``: what a store holds, out of it, and away with it."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from apps.interrupts import stoppable

__all__ = ["app"]

app = typer.Typer(
    help="The store of a run: what it holds, export, retention, erasing a person.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Result = TypeVar("Result")
Store = Annotated[Path, typer.Option(help="A store.sqlite, or the folder of a run that has one.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


@app.command()
@stoppable()
def stats(
    store: Store,
    people: Annotated[bool, typer.Option("--people", help="List everybody, too.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.")] = None,
) -> None:
    """Say how much a store holds, of when, and who is in it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from apps.search import store_file
    from apps.store_times import moment
    from tracker.storage.atomic import atomic_path
    from tracker.storage.store_reader import StoreReader

    with StoreReader(store_file(store)) as opened:
        found = opened.stats()
        everybody = opened.people() if people else []
    console = Console()
    table = Table(show_header=False, title=escape(str(store_file(store))))
    for name, value in {
        "people": str(found.people),
        "sightings": f"{found.sightings}, {found.nameless_sightings} of nobody known",
        "boxes": str(found.boxes),
        "crops": f"{found.crops}, {found.crop_bytes / 1e6:.1f} MB",
        "vectors": f"{found.vectors} of {found.embedder or 'no embedder'}",
        "cameras": ", ".join(found.cameras),
        "from": moment(found.first_time, None),
        "to": moment(found.last_time, None),
        "file": f"{found.file_bytes / 1e6:.1f} MB",
    }.items():
        table.add_row(name, escape(value))
    console.print(table)
    for person in everybody:
        name = f" {person.name}" if person.name else ""
        line = f"{person.number}{name}: {', '.join(person.cameras)}, last seen {moment(person.last_seen, None)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if json is not None:
        with atomic_path(json) as temporary:
            record = asdict(found) | ({"list": [asdict(person) for person in everybody]} if people else {})
            temporary.write_text(json_module.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@app.command()
@stoppable()
def purge(
    store: Store,
    keep_days: Annotated[float, typer.Option(min=0, help="What is older goes: sightings, crops, looks, people.")] = 30,
    yes: Yes = False,
    quiet: Quiet = False,
) -> None:
    """Take away what is older than some days, and people of whom then nothing is left."""
    from apps.search import store_file
    from tracker.storage.track_store import TrackStore

    path = store_file(store)
    with TrackStore(path) as opened:
        before = opened.stats()
        _confirm(f"Take everything older than {keep_days:g} days out of {path} ({before.people} people)?", yes)
        gone = _working("purging", quiet, lambda: opened.purge(time.time() - 86400 * keep_days))
        after = opened.stats()
    if not quiet:
        print(f"Gone: {gone.identities} people, {gone.sightings} sightings, {gone.crops} crops, {gone.vectors} "
              f"vectors; {after.people} people are left in {after.file_bytes / 1e6:.1f} MB.")  # fmt: skip


@app.command()
@stoppable()
def erase(
    identities: Annotated[list[int], typer.Argument(help="Numbers of those to be erased.")],
    store: Store,
    yes: Yes = False,
    quiet: Quiet = False,
) -> None:
    """Erase people wholly: crops, looks, sightings and names. Their numbers are not used again."""
    from apps.search import store_file
    from tracker.storage.track_store import TrackStore

    path, numbers = store_file(store), sorted(set(identities))
    with TrackStore(path) as opened:
        people = [opened.person(number) for number in numbers]
        names = ", ".join(f"{person.number} {person.name or ''}".strip() for person in people)
        crops = sum(person.crops for person in people)
        _confirm(f"Erase {names} ({crops} crops) from {path}? It cannot be undone.", yes)
        done = _working("erasing", quiet, lambda: opened.erase(numbers))
    if not quiet:
        print(f"Erased: {names}.")
    if not done:
        typer.echo("Another process reads the store: the bytes leave the file when it has ended.", err=True)


@app.command()
@stoppable()
def export(
    store: Store,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for CSV and JSON files, and crops; new or empty.")
    ],
    quiet: Quiet = False,
) -> None:
    """Write people, sightings and boxes as CSV, everything as JSON, and crops in a folder for each person."""
    from apps.output_folder import OutputFolder
    from apps.search import store_file
    from tracker.errors import InputError
    from tracker.storage.store_export import export_store
    from tracker.storage.store_reader import StoreReader

    path = store_file(store)
    if output.is_dir() and any(output.iterdir()):
        # What an earlier export left may show people who were erased since.
        raise InputError(f"output folder {output} is not empty: choose another")
    with StoreReader(path) as opened, OutputFolder(output, inputs=[path]) as folder:
        if quiet:
            count = export_store(opened, folder.file)
        else:
            from rich.console import Console
            from rich.progress import Progress

            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("people", total=None)
                count = export_store(
                    opened, folder.file, lambda done, total: bar.update(task, completed=done, total=total)
                )
        folder.publish()
    if not quiet:
        print(f"{count} people: {output}")


def _confirm(question: str, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        print("Nothing was changed.")
        raise typer.Exit(1)


def _working(what: str, quiet: bool, work: Callable[[], Result]) -> Result:
    if quiet:
        return work()
    from rich.console import Console

    with Console(stderr=True).status(what):
        return work()
