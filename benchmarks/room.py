"""``python -m benchmarks.room NAME``: the simulated room as training data, and what it measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.console import StepBars, print_table, run_command
from tracker.errors import InputError

if TYPE_CHECKING:
    from benchmarks.room_detection import RoomImage
    from tracker.detections import Detections

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Write training data of the simulated room, or measure detectors, embedders and the renderer in it.",
)

_Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write; missing or empty.")]
_SetSeed = Annotated[int, typer.Option(help="0 to 99; sets of different seeds share nobody.")]
_Workers = Annotated[int | None, typer.Option(help="Processes that render [default: one per core].")]
_Detector = Annotated[str, typer.Option(help="An .onnx file, or a model of ultralytics.")]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda:0, …; .onnx files run on the processor.")]
_Seeds = Annotated[str, typer.Option(help="Scenes, test seeds separated by commas.")]
_Moments = Annotated[int, typer.Option(help="Images of each scene and camera, five seconds apart.")]
_Json = Annotated[Path | None, typer.Option(help="Write the report as JSON.")]
_Markdown = Annotated[Path | None, typer.Option(help="Write the table as Markdown.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
#: without those that the demo shows
_SEEDS = "0,1,3,4,5"


@app.command("reid-set")
def reid_set(
    output: _Output,
    identities: Annotated[int, typer.Option(help="To train on; 0: none.")] = 500,
    test_identities: Annotated[int, typer.Option(help="To choose among networks by; 0: none.")] = 100,
    seed: _SetSeed = 0,
    cameras: Annotated[int, typer.Option(help="That see each training scene, 2 to 8.")] = 6,
    images: Annotated[int, typer.Option(help="Of an identity and camera, at most.")] = 4,
    visibility: Annotated[float, typer.Option(help="Share of the figure that must be seen.")] = 0.5,
    box_jitter: Annotated[float, typer.Option(help="Error of a box's sides, as a share of its size.")] = 0.025,
    workers: _Workers = None,
    quiet: _Quiet = False,
) -> None:
    """Write crops of simulated people in the layout of Market-1501, to train re-identification on."""
    from benchmarks.simulation.reid_set import ReidSetSettings, write_reid_set

    settings = ReidSetSettings(
        cameras=cameras, images_per_camera=images, minimum_visibility=visibility, box_jitter=box_jitter
    )
    with StepBars(quiet) as bars:
        made = write_reid_set(
            output,
            identities=identities,
            test_identities=test_identities,
            seed=seed,
            settings=settings,
            workers=workers,
            progress=bars.of("identities"),
        )
    print(
        f"{made.folder}: {made.training_images} training images of {made.identities} identities, {made.query_images} "
        f"queries and {made.gallery_images} gallery images of {made.test_identities} others"
    )


@app.command("detector-set")
def detector_set(
    output: _Output,
    images: Annotated[int, typer.Option(help="To train on.")] = 2000,
    validation_images: Annotated[int | None, typer.Option(help="[default: a tenth of --images]")] = None,
    seed: _SetSeed = 0,
    cameras: Annotated[int, typer.Option(help="That see each training scene, 1 to 8.")] = 4,
    visibility: Annotated[float, typer.Option(help="Share of the figure that must be seen for a label.")] = 0.2,
    empty_share: Annotated[float, typer.Option(help="Of frames without people.")] = 0.05,
    workers: _Workers = None,
    quiet: _Quiet = False,
) -> None:
    """Write frames with labelled people in the layout of ultralytics, to train a detector on."""
    from benchmarks.simulation.detector_set import DetectorSetSettings, write_detector_set

    settings = DetectorSetSettings(cameras=cameras, minimum_visibility=visibility, empty_share=empty_share)
    with StepBars(quiet) as bars:
        made = write_detector_set(
            output,
            images=images,
            validation_images=validation_images,
            seed=seed,
            settings=settings,
            workers=workers,
            progress=bars.of("images"),
        )
    print(
        f"{made.data_file}: {made.training_images} training and {made.validation_images} validation images, "
        f"{made.boxes} people"
    )


@app.command()
def recall(
    detector: _Detector,
    confidence: Annotated[float, typer.Option(help="A box needs a higher score.")] = 0.3,
    seeds: _Seeds = _SEEDS,
    moments: _Moments = 10,
    minimum_height: Annotated[float, typer.Option(help="Of people who are asked for, pixels.")] = 80.0,
    device: _Device = "auto",
    workers: _Workers = None,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """Whom a detector finds of the people at least half visible, at an overlap of 0.5, by what they are doing."""
    from benchmarks.room_detection import recall_rows

    scenes = _whole_numbers(seeds)
    description, pictures, found = _looked_at(detector, confidence, device, scenes, moments, workers, quiet)
    rows = recall_rows(pictures, found, minimum_height=minimum_height)
    lines = [
        [
            row["name"],
            str(row["people"]),
            str(row["found"]),
            "" if row["recall"] is None else f"{row['recall']:.1f}",
            *_verdict(row["recall"], row.get("target")),
        ]
        for row in rows
    ]
    settings = {"detector": description, "confidence": confidence, "seeds": scenes, "moments": moments}
    settings |= {"images": len(pictures), "minimum_height": minimum_height, "minimum_visibility": 0.5, "iou": 0.5}
    header = ["people", "asked for", "found", "recall %", "target", "met"]
    _report("room recall", "Who is found in the simulated room", settings, rows, header, lines, json, markdown)


@app.command()
def detection(
    detector: _Detector,
    seeds: _Seeds = _SEEDS,
    moments: _Moments = 10,
    minimum_height: Annotated[float, typer.Option(help="Of people who are asked for, pixels.")] = 40.0,
    device: _Device = "auto",
    workers: _Workers = None,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """Average precision of a detector at an overlap of 0.5; who is hardly visible may be found or not."""
    from benchmarks.room_detection import precision_rows

    scenes = _whole_numbers(seeds)
    # The curve needs the unsure boxes as well.
    confidence = 0.01
    description, pictures, found = _looked_at(detector, confidence, device, scenes, moments, workers, quiet)
    rows = precision_rows(pictures, found, minimum_height=minimum_height)
    lines = [
        [
            row["sequence"],
            str(row["images"]),
            str(row["people"]),
            f"{row['AP50']:.1f}",
            f"{row['recall']:.1f}",
            *_verdict(row["AP50"], row.get("target")),
        ]
        for row in rows
    ]
    settings = {"detector": description, "confidence": confidence, "seeds": scenes, "moments": moments}
    settings |= {"minimum_height": minimum_height, "minimum_visibility": 0.5, "iou": 0.5}
    header = ["camera", "images", "people", "AP50 %", "highest recall %", "target", "met"]
    _report("room detection", "Detection in the simulated room", settings, rows, header, lines, json, markdown)


@app.command()
def reid(
    embedder: Annotated[list[str], typer.Option(help="A model name, NAME:WEIGHTS or a file; repeatable.")],
    identities: Annotated[int, typer.Option(help="Unseen people.")] = 100,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0, …")] = "auto",
    workers: _Workers = None,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """Rank-1 and mAP of embedders across the four corner cameras, on people that no network has learned from."""
    from benchmarks.room_reid import embedder_rows, open_embedders

    opened = open_embedders(embedder, device=device)
    with StepBars(quiet) as bars:
        rows = embedder_rows(
            opened,
            identities=identities,
            workers=workers,
            rendered=bars.of("identities"),
            embedded=bars.of("embedders"),
        )
    lines = [
        [
            row["name"],
            f"{row['rank1']:.1f}",
            *_verdict(row["rank1"], row["target"]),
            *(f"{row[metric]:.1f}" for metric in ("rank5", "mAP", "mINP")),
        ]
        for row in rows
    ]
    settings = {"identities": identities, "cameras": 4, "queries": rows[0]["queries"], "gallery": rows[0]["gallery"]}
    header = ["embedder", "rank-1 %", "target", "met", "rank-5", "mAP", "mINP"]
    _report("room reid", "Finding people again in another camera", settings, rows, header, lines, json, markdown)


@app.command()
def rendering(
    seconds: Annotated[float, typer.Option(help="Duration of the scene.")] = 20.0,
    cameras: Annotated[int, typer.Option(help="1 to 4.")] = 4,
    workers: Annotated[int, typer.Option(help="Processes that render.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the scene.")] = 0,
    repeats: Annotated[int, typer.Option(help="How often it is measured.")] = 1,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """How fast a room becomes videos, as a multiple of the time that passes in it."""
    from benchmarks.room_rendering import rendering_rows

    with StepBars(quiet) as bars:
        rows = rendering_rows(
            seconds=seconds,
            cameras=cameras,
            workers=workers,
            seed=seed,
            repeats=repeats,
            progress=bars.of("frames"),
        )
    lines = [
        [
            f"{row['name']}, {row['sequence']}",
            str(row["frames"]),
            f"{row['seconds']:.1f}",
            f"{row['frames_per_second']:.1f}",
            f"{row['times_real_time']:.2f}",
            *_verdict(row["times_real_time"], row["target"]),
        ]
        for row in rows
    ]
    settings = {"seconds": seconds, "cameras": cameras, "workers": workers, "seed": seed, "repeats": repeats}
    header = ["room", "frames", "seconds", "frames/s", "× real time", "target", "met"]
    _report("room rendering", "Rendering the simulated room", settings, rows, header, lines, json, markdown)


@app.command()
def scores(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of multicam track on the room's videos.")],
    room: Annotated[Path, typer.Option(help="Folder of multicam simulate: its truth is compared with.")],
    json: _Json = None,
    markdown: _Markdown = None,
) -> None:
    """Score runs of multicam track on a room's videos: in each image, and one identity per person over all images."""
    from benchmarks.room_scores import score_room

    cameras = sorted(path.stem for path in (room / "truth").glob("*.txt"))
    if not cameras:
        raise InputError(f"no truth in {room / 'truth'}: --room is a folder that multicam simulate wrote")
    rows: list[dict[str, Any]] = []
    lines = []
    for run in runs:
        scored = score_room(room, run, cameras)
        rows += [{"name": run.name, **row} for row in scored.rows]
        for row in scored.rows:
            figures = [f"{row[metric]:.1f}" for metric in ("MOTA", "IDF1", "HOTA")]
            lines.append([run.name, row["sequence"], *figures, str(row["IDSW"]), str(row["FP"]), str(row["FN"])])
        lines[-1].append(f"{scored.identities} for {scored.people}")
    header = ["run", "camera", "MOTA", "IDF1", "HOTA", "IDSW", "FP", "FN", "identities for people"]
    lines = [[*line, *[""] * (len(header) - len(line))] for line in lines]
    _report("room scores", "Runs against the room's truth, percent", {"room": room.name}, rows, header, lines,
            json, markdown)  # fmt: skip


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


def _looked_at(
    detector: str, confidence: float, device: str, seeds: Sequence[int], moments: int, workers: int | None, quiet: bool
) -> tuple[str, list[RoomImage], list[Detections]]:
    """Return the detector's description, the images of the scenes, and what it reports of each."""
    from benchmarks.room_detection import detected, room_images
    from tracker.detectors import create_detector

    # A detector that cannot be opened shows before anything is rendered.
    opened = create_detector(detector, confidence=confidence, device=device)
    if not opened.needs_images:
        raise InputError(f"{detector} reads detections from files; give a network, which looks at images")
    with StepBars(quiet) as bars:
        images = room_images(seeds, moments=moments, workers=workers, progress=bars.of("scenes"))
        found = detected(opened, images, progress=bars.of("images"))
    return opened.description, images, found


def _verdict(value: float | None, target: float | Sequence[float] | None) -> list[str]:
    """Return the cells that say what is wanted, and whether it is so."""
    if target is None:
        return ["", ""]
    low, high = (target, float("inf")) if isinstance(target, (int, float)) else target
    wanted = f"≥ {low:g}" if high >= 100 else f"{low:g} to {high:g}"
    return [wanted, "" if value is None else "yes" if low <= value <= high else "NO"]


def _report(
    protocol: str,
    title: str,
    settings: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    json: Path | None,
    markdown: Path | None,
) -> None:
    """Print the table and write what was asked for."""
    from benchmarks.report import make_report, markdown_table, write_json, write_markdown

    report = make_report(protocol, settings, rows)
    machine = report["machine"]
    told = ", ".join(f"{name} {_told(value)}" for name, value in settings.items())
    remarks = f"{told}. {machine['processor']}, {machine['cores_usable']} of {machine['cores']} cores."
    print_table(title, header, lines, remarks)
    if json is not None:
        write_json(json, report)
    if markdown is not None:
        write_markdown(markdown, markdown_table(header, lines) + "\n" + remarks)


def _told(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds is {text!r}; give whole numbers separated by commas, as {_SEEDS}") from None


if __name__ == "__main__":
    main()
