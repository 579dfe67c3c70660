"""``python -m benchmarks.speed embedders``, ``crops`` and ``detector``: networks in every runtime, turn by turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.console import StepBars, print_table
from tracker.errors import InputError

__all__ = ["crops", "detector", "embedders"]

_PACKAGES = ("torch", "openvino", "onnxruntime")

_Repeats = Annotated[int, typer.Option(min=1, help="How often each side is measured, in turn.")]
_Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads of every side [default: its own choice].")]
_Json = Annotated[Path | None, typer.Option(help="Write the report as JSON.")]
_Markdown = Annotated[Path | None, typer.Option(help="Write the table and its bars as Markdown.")]
_Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
_Seed = Annotated[int, typer.Option(help="Of what is measured on.")]


def embedders(
    models: Annotated[str | None, typer.Option(help="Names, separated by commas [default: all thirteen].")] = None,
    runtimes: Annotated[
        str | None,
        typer.Option(
            help="Some of: torch eager, torch channels-last, openvino float32, openvino bfloat16, openvino int8, "
            "onnxruntime; separated by commas [default: all that this machine has]."
        ),
    ] = None,
    batches: Annotated[str, typer.Option(help="Crops per call, separated by commas.")] = "1,8,32",
    repeats: _Repeats = 5,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds-per-measurement",
            min=0.0,
            help="For all sides of a model and batch; after it no further repeat is begun, once there are three.",
        ),
    ] = 20.0,
    threads: _Threads = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the report in --json: models that it has are not measured again."),
    ] = False,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """ReID networks in every runtime and batch size; floor: multiply-adds over the machine's measured rate.

    --json and --markdown are written after each model, too.
    """
    from benchmarks.embedder_speed import compare_embedders

    if resume and json is None:
        raise InputError("--resume goes on with the report in --json: give the file")
    known = _report_before(json) if resume and json is not None and json.exists() else None

    def report(found: Mapping[str, Any]) -> _Report:
        rate = found["settings"]["multiply_adds_per_second"] / 1e9
        return _Report(
            "speed embedders", "ReID networks, random weights", found,
            f"Times faster: than eager PyTorch. Floor: multiply-adds over {rate:.1f} G/s, a matrix product's rate "
            "here. Cosine: lowest with eager PyTorch's vectors in float32.",
        )  # fmt: skip

    with _Counted(quiet, "measurements") as advance:
        found = compare_embedders(
            _names(models), _names(runtimes), _whole_numbers(batches), repeats=repeats, seconds=seconds,
            threads=threads, known=known, advance=advance, after_model=lambda part: report(part).write(json, markdown),
        )  # fmt: skip
    whole = report(found)
    whole.write(json, markdown)
    whole.show()


def crops(
    model: Annotated[str, typer.Option(help="Network that the crops go into.")] = "osnet_x1_0",
    crops: Annotated[int, typer.Option(min=1, help="Crops of different sizes in a batch.")] = 32,
    precision: Annotated[
        str,
        typer.Option(help="auto, float32 or bfloat16: which of ours is held against the target; both are measured."),
    ] = "auto",
    repeats: _Repeats = 7,
    threads: _Threads = None,
    seed: _Seed = 0,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """Crops to vectors, preparation included: ours beside PyTorch crop by crop, and the preparation alone."""
    from benchmarks.crop_speed import compare_crop_preparation

    with _Counted(quiet, "measurements") as advance:
        found = compare_crop_preparation(
            model, crops, precision=precision, repeats=repeats, threads=threads, seed=seed, advance=advance
        )
    report = _Report(
        "speed crops", f"{crops} crops of different sizes into {model}", found,
        "Times faster: than torchvision's resize and normalisation of each crop, stacked, into eager PyTorch. "
        "Cosine (lowest) and difference (largest): of vectors of length 1 with those of the side with normalisation in "
        f"NumPy; torchvision resizes with another filter. --precision {precision} is {found['settings']['chosen']}.",
    )  # fmt: skip
    report.write(json, markdown)
    report.show()


def detector(
    detector: Annotated[
        str, typer.Option(help="As for multicam track; a .yaml of ultralytics is a network with random weights.")
    ] = "yolo11n.yaml",
    sizes: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of the pictures, separated by commas.")
    ] = "640x480,1920x1080",
    frames: Annotated[int, typer.Option(min=1, help="Pictures of each repeat, one by one.")] = 4,
    image_size: Annotated[int, typer.Option(min=32, help="Side of the network's input.")] = 640,
    repeats: _Repeats = 7,
    seed: _Seed = 0,
    offline: Annotated[bool, typer.Option("--offline", help="Never download the model.")] = False,
    json: _Json = None,
    markdown: _Markdown = None,
    quiet: _Quiet = False,
) -> None:
    """One detector in every runtime, letterboxing and suppression included, beside ultralytics' own."""
    from benchmarks.detector_speed import compare_detectors

    with _Counted(quiet, "measurements") as advance:
        found = compare_detectors(
            detector, _sizes(sizes), frames=frames, repeats=repeats, image_size=image_size, seed=seed,
            offline=offline or None, advance=advance,
        )  # fmt: skip
    report = _Report("speed detector", f"{detector} on pictures, one by one", found,
                     "Milliseconds per frame. Times faster: than ultralytics' predict in PyTorch.")  # fmt: skip
    report.write(json, markdown)
    report.show()


class _Counted:
    """A bar that counts measurements while the block runs."""

    def __init__(self, quiet: bool, what: str) -> None:
        self._bars, self._what, self._done = StepBars(quiet), what, 0

    def __enter__(self) -> Any:
        self._bars.__enter__()
        report = self._bars.of(self._what)

        def advance(step: str) -> None:
            self._done += 1
            report(self._done, self._done + 1)

        return advance

    def __exit__(self, *error: Any) -> None:
        self._bars.__exit__(*error)


class _Report:
    """What was measured, as a table on the screen and as files.

    Args:
        protocol: of the report.
        title: of the table.
        found: ``settings`` and ``rows``.
        remarks: what the columns are.
    """

    def __init__(self, protocol: str, title: str, found: Mapping[str, Any], remarks: str) -> None:
        from benchmarks.embedder_speed import embedder_table
        from benchmarks.report import make_report
        from benchmarks.speed import machine_line

        self.content = make_report(protocol, found["settings"], found["rows"])
        header, lines = embedder_table(self.content["rows"])
        kept = [column for column in range(len(header)) if any(line[column] for line in lines)]
        self._title = title
        self._header = [header[column] for column in kept]
        self._lines = [[line[column] for column in kept] for line in lines]
        versions = self.content["machine"]["versions"]
        used = ", ".join(f"{name} {versions[name]}" for name in _PACKAGES if name in versions)
        self._remarks = f"{remarks}\n\n{machine_line(self.content['machine'])} {used}."

    def write(self, json: Path | None, markdown: Path | None) -> None:
        """Write the files that are asked for, each complete or not at all."""
        from benchmarks.alternating import bars
        from benchmarks.report import markdown_table, write_json, write_markdown

        if json is not None:
            write_json(json, self.content)
        if markdown is not None:
            groups: dict[str, dict[str, float]] = {}
            for row in self.content["rows"]:
                groups.setdefault(f"{row['name']}, {row['sequence']}", {})[row["implementation"]] = 1e3 * row["seconds"]
            charts = "\n".join(f"**{name}**\n\n{bars(values, 'ms')}" for name, values in groups.items())
            write_markdown(markdown, f"{markdown_table(self._header, self._lines)}\n{self._remarks}\n\n{charts}")

    def show(self) -> None:
        """Print the table."""
        print_table(self._title, self._header, self._lines, self._remarks)


def _report_before(path: Path) -> dict[str, Any]:
    """Return the report in a file, if it is of these networks on this machine.

    Raises:
        InputError: it is not, or cannot be read.
    """
    from benchmarks.machine import describe_machine
    from benchmarks.report_files import read_report

    report, here = read_report(path), describe_machine()
    if report["protocol"] != "speed embedders":
        raise InputError(f"--resume: {path} is a report of {report['protocol']}, not of speed embedders: name another")
    for name in ("processor", "cores_usable", "versions"):
        if report["machine"].get(name) != here[name]:
            raise InputError(
                f"--resume: {path} was measured on another machine ({name} differs): write to another file"
            )
    return report


def _names(text: str | None) -> Sequence[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _whole_numbers(text: str) -> Sequence[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--batches is {text!r}; give whole numbers separated by commas, as 1,8,32") from None


def _sizes(text: str) -> Sequence[tuple[int, int]]:
    found = []
    for part in text.lower().split(","):
        width, _, height = part.strip().partition("x")
        if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 32):
            raise InputError(f"--sizes is {text!r}; give WIDTHxHEIGHT of at least 32 pixels, as 640x480")
        found.append((int(width), int(height)))
    return found
