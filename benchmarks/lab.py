"""``python -m benchmarks.lab NAME``: data of the LAB protocol; ``multicam evaluate lab`` measures on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.console import run_command
from tracker.errors import InputError

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Bring data into the form that multicam evaluate lab reads; docs/lab.md describes it.",
)


@app.callback()
def _lab() -> None:
    """Keep the name of the only command."""


@app.command()
def convert(
    positions: Annotated[Path, typer.Argument(help="Text, one line for each person and frame.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, for example LAB/world.txt.")],
    columns: Annotated[
        str,
        typer.Option(
            help="What stands in each column, with commas: frame, id, x, y; -x or -y where the axis points the other "
            "way; _ for one to leave out."
        ),
    ] = "frame,id,x,y",
    delimiter: Annotated[str, typer.Option(help="comma, semicolon, tab, space, or one character.")] = "comma",
    scale: Annotated[float, typer.Option(help="Metres of one unit of the file: 0.01 for centimetres.")] = 1.0,
    origin: Annotated[
        str, typer.Option(metavar="X,Y", help="What becomes 0,0, in the units and axes of the file.")
    ] = "0,0",
    frame_offset: Annotated[
        int, typer.Option(help="Added to frame numbers, so that the video's first frame is 1.")
    ] = 0,
    frame_step: Annotated[
        int, typer.Option(help="Frames of the video from one number of the file to the next; the offset comes after.")
    ] = 1,
    skip_lines: Annotated[int, typer.Option(help="Lines of a heading.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file.")] = False,
) -> None:
    """Write world.txt from positions in other units, axes, frame numbers or columns."""
    import numpy as np

    from benchmarks.lab_truth import TruthFormat, convert_truth, write_world

    if output.exists() and not overwrite:
        raise InputError(f"{output} exists: choose another name, or add --overwrite")
    described = TruthFormat(
        columns=tuple(name.strip() for name in columns.split(",")),
        delimiter=delimiter,
        scale=scale,
        origin=_point(origin),
        frame_step=frame_step,
        frame_offset=frame_offset,
        skip_lines=skip_lines,
    )
    tracks = convert_truth(positions, described)
    write_world(output, tracks)
    (left, near), (right, far) = tracks.positions.min(axis=0), tracks.positions.max(axis=0)
    people = len(np.unique(tracks.ids))
    print(
        f"{output}: {people} {'person' if people == 1 else 'people'}, frames {tracks.frames.min()} to "
        f"{tracks.frames.max()}, x {left:.2f} to {right:.2f} m, y {near:.2f} to {far:.2f} m"
    )


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--origin is {text!r}; give two numbers with a comma, as 250,300") from None
    return x, y


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what a person got wrong is one line and exit code 2."""
    run_command(app, arguments)


if __name__ == "__main__":
    main()
