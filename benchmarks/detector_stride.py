"""``python -m benchmarks.detector_stride``: what it costs to detect people in some frames only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.console import print_table, run_command
from benchmarks.end_to_end import Variant, run_track, score_of

__all__ = ["app", "main", "measure_strides", "stride_table"]

app = typer.Typer(add_completion=False)


@app.command()
def stride(
    room: Annotated[Path, typer.Option(help="Folder of multicam simulate.")],
    every: Annotated[str, typer.Option(help="Values of --detect-every, separated by commas.")] = "1,2,3,4,auto",
    floor: Annotated[bool, typer.Option("--floor/--views", help="On the floor, or view by view.")] = True,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
) -> None:
    """MOTA, IDF1 and the detector's time in the simulated room, by the frames that the detector looks at."""
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown

    values = [value.strip() for value in every.split(",") if value.strip()]
    found = measure_strides(room, values, calibrated=floor, advance=lambda step: typer.echo(step, err=True))
    report = make_report("detector stride", found["settings"], found["rows"])
    header, lines = stride_table(report["rows"])
    remarks = "MOTA, IDF1: means over the cameras, in percent; together: one identity per person in all cameras."
    print_table("Detecting in some frames only, simulated room", header, lines, remarks)
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(header, lines) + "\n" + remarks)


def measure_strides(
    room: Path, every: Sequence[str], *, calibrated: bool, advance: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Run ``multicam track`` once for each value of ``--detect-every`` and score it.

    Args:
        room: folder of ``multicam simulate``.
        every: values.
        calibrated: follow people on the floor.
        advance: called before each run.

    Raises:
        InputError: no room, or a run that failed.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for value in every:
            advance(f"--detect-every {value}")
            output = Path(folder) / value
            variant = Variant(value, ("--no-video", "--detect-every", value), calibrated)
            run = run_track(room, output, variant)
            stages = run.record["stages"]
            rows.append({
                "every": value,
                "looked_at": run.record["frames_detected"] / run.frames,
                "detect_milliseconds": 1000 * stages["detect"]["seconds"] / run.frames,
                "milliseconds": 1000 * run.seconds / run.frames,
                "identities": run.record["identities"],
                **score_of(room, output),
            })  # fmt: skip
    return {"settings": {"room": room.name, "calibrated": calibrated, "every": list(every)}, "rows": rows}


def stride_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed."""
    header = ["--detect-every", "frames looked at", "detector ms/frame", "ms/frame", "MOTA", "IDF1", "IDF1 together",
              "identities"]  # fmt: skip
    return header, [
        [
            row["every"],
            f"{100 * row['looked_at']:.0f} %",
            f"{row['detect_milliseconds']:.1f}",
            f"{row['milliseconds']:.1f}",
            f"{row['MOTA']:.1f}",
            f"{row['IDF1']:.1f}",
            f"{row['IDF1_together']:.1f}",
            str(row["identities"]),
        ]
        for row in rows
    ]


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
