"""The commands of ``multicam`` by name: where each is, and what the overview says of it, without importing it."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, NamedTuple

__all__ = ["COMMANDS", "CommandEntry", "LazyCommands"]


class CommandEntry(NamedTuple):
    """A command that has not been imported.

    Args:
        module: of :mod:`apps`.
        name: there: a function with options, or a ``typer.Typer`` with commands of its own.
        help: the first line of its help.
    """

    module: str
    name: str
    help: str


#: name → what it is, in the order of the overview
COMMANDS = {
    "track": CommandEntry(
        "apps.track_command",
        "track",
        "Track people through one or many videos and give each person one identity across all cameras.",
    ),
    "demo": CommandEntry(
        "apps.demo_commands",
        "demo",
        "Simulate a room, track the people in its videos, and score that against the exact truth.",
    ),
    "simulate": CommandEntry(
        "apps.demo_commands",
        "simulate",
        "Write videos of a simulated room, with detections, calibration and the exact truth.",
    ),
    "calibrate": CommandEntry(
        "apps.calibrate",
        "calibrate",
        "Calibrate a camera from places on the floor and the pixels where it sees them; see docs/calibration.md.",
    ),
    "align": CommandEntry(
        "apps.align",
        "align",
        "Calibrate a camera, and tell clocks, from people who walk about; see docs/calibration.md.",
    ),
    "search": CommandEntry(
        "apps.search_command",
        "search",
        "Who is this? Find the people of photos in a store: a ranked table, and a contact sheet to look at.",
    ),
    "live": CommandEntry(
        "apps.live_command",
        "live",
        "Show live cameras in a browser, with one identity for each person across all of them.",
    ),
    "tune": CommandEntry(
        "apps.tune",
        "tune",
        "Search a tracker's parameters on MOTChallenge sequences: pruned, kept, in parallel, and gone on with.",
    ),
    "compare": CommandEntry(
        "apps.compare",
        "compare",
        "Put runs of one protocol side by side, with differences from the first and their confidence intervals.",
    ),
    "reid": CommandEntry(
        "apps.reid", "app", "ReID networks: list them, train them by their papers' recipes, evaluate, export."
    ),
    "detector": CommandEntry("apps.detector", "app", "Detectors: export them for other runtimes."),
    "evaluate": CommandEntry(
        "apps.evaluate", "app", "Score the tracker against known truth: people in pictures, and on the floor in metres."
    ),
    "store": CommandEntry(
        "apps.store_commands", "app", "The store of a run: what it holds, export, retention, erasing a person."
    ),
}


class LazyCommands(MutableMapping[str, Any]):
    """Name → command as typer runs it; each is imported when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name, COMMANDS[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def get(self, name: str, default: Any = None) -> Any:
        """Return the command called ``name``; a KeyError in its module is not taken for an unknown name."""
        return self[name] if name in COMMANDS else default

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _made(name: str, entry: CommandEntry) -> Any:
    import importlib

    import typer

    from apps.interrupts import stoppable

    found = getattr(importlib.import_module(entry.module), entry.name)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
    else:
        alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
        alone.command(name)(stoppable()(found))
        command = typer.main.get_command(alone)
    command.name = name
    return command
