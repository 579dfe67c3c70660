"""The options that the commands which score against known truth share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DATA", "OUTPUT", "PROTOCOL", "FloorSettingOption", "Gates", "Json", "Overwrite", "Quiet", "Report"]

#: where these options stand in a command's help
DATA, PROTOCOL, OUTPUT = "Data", "Protocol", "Output"

Gates = Annotated[
    list[float] | None,
    typer.Option(
        "--gate",
        help="Metres up to which a result may stand for a person; 1 and 0.5 by default. Repeatable; the first is that "
        "of MOTP and counts.",
        rich_help_panel=PROTOCOL,
    ),
]
FloorSettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--setting", metavar="NAME=VALUE", help="A setting of the floor tracker; repeatable.", rich_help_panel=PROTOCOL
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the results of an earlier run.", rich_help_panel=OUTPUT)
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON.", rich_help_panel=OUTPUT)]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="DIR",
        help="Folder for report.json, report.md and report.html, a page with pictures.",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=OUTPUT)]
