"""``python -m benchmarks.speed NAME``: how fast the parts are, beside what others do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.console import print_table, run_command
from benchmarks.network_speed import crops, detector, embedders
from tracker.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure how fast the parts are, beside what others do, and write it down with the machine it ran on.",
)


@app.command()
def trackers(
    people: Annotated[str, typer.Option(help="People at once, one stream for each number.")] = "10,30,100,300",
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of each stream [default: by people].")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often each tracker is measured.")] = 5,
    trackers: Annotated[str | None, typer.Option(help="Names, separated by commas [default: all].")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the streams.")] = 0,
    peers: Annotated[bool, typer.Option(help="Also measure ultralytics' trackers.")] = True,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Association alone: ours and ultralytics' ByteTrack and BoT-SORT on the same synthetic streams, turn by turn."""
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown
    from benchmarks.tracker_speed import COMPARISONS, compare_trackers

    counts = _whole_numbers(people, "--people")
    names = None if trackers is None else [name.strip() for name in trackers.split(",") if name.strip()]
    with _progress_bar(quiet) as bar:
        task = bar.add_task("streams", total=len(counts) * repeats * len(COMPARISONS if names is None else names))

        def advance(step: str) -> None:
            bar.update(task, description=step, advance=1)

        found = compare_trackers(
            people=counts,
            frames=frames,
            repeats=repeats,
            trackers=names,
            seed=seed,
            with_peers=peers,
            advance=advance,
        )
    report = make_report("speed trackers", found["settings"] | {"engines": found["engines"]}, found["rows"])
    header, lines = tracker_table(report["rows"])
    print_table("Association alone, synthetic streams", header, lines, machine_line(report["machine"]))
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(header, lines) + "\n" + machine_line(report["machine"]))


@app.command()
def ranking(
    queries: Annotated[int, typer.Option(min=1, help="Query images.")] = 3368,
    gallery: Annotated[int, typer.Option(min=2, help="Gallery images.")] = 15913,
    dimension: Annotated[int, typer.Option(min=1, help="Length of the embeddings.")] = 512,
    repeats: Annotated[int, typer.Option(min=1, help="How often CMC and mAP are measured.")] = 5,
    re_ranking_repeats: Annotated[
        int, typer.Option(min=0, help="How often re-ranking is measured; 0 leaves it out.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the embeddings.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """CMC and mAP, and k-reciprocal re-ranking: ours and the usual loops on the same made-up embeddings, turn by turn.

    By default at Market-1501's size, where the usual re-ranking takes 7.4 GB of memory and about a minute a repeat.
    """
    from benchmarks.ranking_speed import RankingSizes, compare_ranking, ranking_table
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown

    with _progress_bar(quiet) as bar:
        task = bar.add_task("embeddings", total=repeats + re_ranking_repeats)

        def advance(step: str) -> None:
            bar.update(task, description=step, advance=1)

        found = compare_ranking(
            RankingSizes(queries, gallery, dimension, seed),
            repeats=repeats,
            re_ranking_repeats=re_ranking_repeats,
            advance=advance,
        )
    report = make_report("speed ranking", found["settings"], found["rows"])
    header, lines = ranking_table(report["rows"])
    remarks = f"{found['remarks']}\n\n{machine_line(report['machine'], 'Seconds')}"
    print_table(f"Ranking {gallery} made-up embeddings for {queries} queries", header, lines, remarks)
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(header, lines) + "\n" + remarks)


@app.command("end-to-end")
def end_to_end(
    room: Annotated[Path, typer.Option(help="Folder of multicam simulate.")],
    variants: Annotated[
        str, typer.Option(help="Ways to run multicam track, separated by commas; all: all of them.")
    ] = "views,floor,floor-auto,floor-video",
    repeats: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    usual: Annotated[bool, typer.Option(help="Also measure the usual stack.")] = True,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """From videos to results: multicam track and the usual stack on the simulated room, turn by turn."""
    from benchmarks.end_to_end import VARIANTS, compare_end_to_end, end_to_end_table
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown

    names = list(VARIANTS) if variants == "all" else [name.strip() for name in variants.split(",") if name.strip()]
    with _progress_bar(quiet) as bar:
        task = bar.add_task("runs", total=repeats * (len(names) + usual))

        def advance(step: str) -> None:
            bar.update(task, description=step, advance=1)

        found = compare_end_to_end(room, names, repeats=repeats, with_usual=usual, advance=advance)
    report = make_report("speed end-to-end", found["settings"], found["rows"])
    header, lines = end_to_end_table(report["rows"])
    remarks = (
        f"{found['settings']['video_seconds']:g} s of video per camera. Frames of all cameras; clocks start when the "
        "networks are loaded. IDF1, MOTA: means over the cameras, percent; together: one identity per person in all "
        f"cameras, which the usual stack does not attempt. × usual: median of the repeats' ratios.\n\n"
        f"{machine_line(report['machine'], 'Frames/s')}"
    )
    print_table("From videos to results, simulated room", header, lines, remarks)
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(header, lines) + "\n" + remarks)


@app.command()
def scaling(
    cameras: Annotated[str, typer.Option(help="Numbers of cameras.")] = "1,2,4,8,16",
    people: Annotated[str, typer.Option(help="Numbers of people in each camera.")] = "2,10,30,100,200",
    at_people: Annotated[int, typer.Option(min=1, help="People in each camera while cameras vary.")] = 10,
    at_cameras: Annotated[int, typer.Option(min=1, help="Cameras while people vary.")] = 4,
    instants: Annotated[int, typer.Option(min=20, help="Instants of a run.")] = 90,
    repeats: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the streams.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """How the time of an instant grows with cameras and people; neither pixels nor networks."""
    from benchmarks.pipeline_scaling import measure_scaling, scaling_table
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown

    counts, crowds = _whole_numbers(cameras, "--cameras"), _whole_numbers(people, "--people")
    points = {(count, at_people) for count in counts} | {(at_cameras, count) for count in crowds}
    with _progress_bar(quiet) as bar:
        task = bar.add_task("runs", total=repeats * len(points))

        def advance(step: str) -> None:
            bar.update(task, description=step, advance=1)

        found = measure_scaling(
            cameras=counts, people=crowds, at_people=at_people, at_cameras=at_cameras, instants=instants,
            repeats=repeats, seed=seed, advance=advance,
        )  # fmt: skip
    report = make_report("speed scaling", found["settings"], found["rows"])
    header, lines = scaling_table(report["rows"])
    ratio = found["settings"]["ratio_16_to_4"]
    said = "" if ratio is None else (
        f"16 cameras take {ratio:.2f} times as long as 4 (target: at most {found['settings']['ratio_target']:g}). "
    )  # fmt: skip
    remarks = f"{said}{machine_line(report['machine'])}"
    print_table("One instant of all cameras: tracks and identities", header, lines, remarks)
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(header, lines) + "\n" + remarks)


def tracker_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed: ours and the peer's side by side."""
    header = ["tracker", "people", "ms/frame", "peer ms/frame", "times faster", "target"]
    header += ["IDF1", "peer", "MOTA", "peer", "IDSW", "peer"]
    lines = []
    for row in rows:
        if "multicam" not in row["implementation"]:
            continue
        key = (row["name"], row["people"])
        peer = next((other for other in rows if (other["name"], other["people"]) == key and other is not row), None)
        target = row.get("speed_target")
        lines.append(
            [
                row["name"],
                str(row["people"]),
                _milliseconds(row),
                _milliseconds(peer) if peer else "",
                f"{row['speed_ratio']:.1f}" if peer else "",
                f"{target:g}" if target else "",
                *(
                    pattern.format(side[metric]) if side else ""
                    for metric, pattern in (("IDF1", "{:.1f}"), ("MOTA", "{:.1f}"), ("IDSW", "{}"))
                    for side in (row, peer)
                ),
            ]
        )
    return header, lines


def machine_line(machine: Mapping[str, Any], times: str = "Milliseconds") -> str:
    """Return one line on what a measurement ran on, and what its ``times`` are."""
    versions = machine["versions"]
    shown = [f"{name} {versions[name]}" for name in ("numpy", "scipy", "lap") if name in versions]
    threads = ", ".join(f"{name} {value}" for name, value in machine["threads"].items()) or "as the libraries choose"
    return (
        f"{machine['processor']}, {machine['cores_usable']} of {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, {', '.join(shown)}; threads: {threads}. "
        f"{times}: median over the repeats (lowest–highest)."
    )


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


def _milliseconds(row: Mapping[str, Any]) -> str:
    low, high = row["milliseconds_lowest"], row["milliseconds_highest"]
    return f"{row['milliseconds_per_frame']:.2f} ({low:.2f}–{high:.2f})"


def _whole_numbers(text: str, option: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} is {text!r}; give whole numbers separated by commas, as 10,100") from None
    if min(numbers) < 1:
        raise InputError(f"{option} is {text!r}; every number must be at least 1")
    return list(dict.fromkeys(numbers))


def _progress_bar(quiet: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet,
    )


for _command in (embedders, crops, detector):
    app.command()(_command)

if __name__ == "__main__":
    main()
