"""``multicam evaluate all``: every protocol whose data is there, and its figures as files that the tables come from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.evaluation_options import DATA, OUTPUT, Quiet
from apps.network_options import NetworkOptions
from apps.option_groups import with_option_groups

if TYPE_CHECKING:
    from apps.notices import Notices

__all__ = ["PROTOCOLS", "Protocol", "all_protocols", "found_data"]

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Protocol:
    """A command, the data it needs, and with what options it runs.

    Args:
        name: of the files that it gives.
        command: words of the command.
        folders: where the data may lie below the root; the first that fits is taken.
        needs: what such a folder has, as patterns, all of them.
        options: returns the options for a folder; the second argument asks for a subset.
        sequence: what the only sequence is called, where the command would name all alike.
        has_networks: the command takes the options of :class:`apps.network_options.NetworkOptions`, and uses them.
    """

    name: str
    command: tuple[str, ...]
    folders: tuple[str, ...]
    needs: tuple[str, ...]
    options: Callable[[Path, bool], list[str]]
    sequence: str | None = None
    has_networks: bool = False


def _places(name: str) -> tuple[str, ...]:
    return name, f"data/{name}"


def _mot(folder: Path, quick: bool) -> list[str]:
    from benchmarks.mot_challenge import mot_sequences

    names = ",".join([sequence.name for sequence in mot_sequences(folder)][:2])
    return [
        "--root",
        str(folder),
        *(("--sequences", names, "--tracker", "bytetrack") if quick else ("--tracker", "all", "--oracle")),
    ]


def _mot_offline(folder: Path, quick: bool) -> list[str]:
    options = _mot(folder, quick)
    return [*options[: options.index("--tracker")], "--tracker", "multicam", "--offline"]


def _cmc(folder: Path, quick: bool) -> list[str]:
    from benchmarks.floor_scenes import cmc_sequence_folders

    subset = ("--sequences", cmc_sequence_folders(folder)[0].name, "--runs", "1", "--online") if quick else ()
    return ["--root", str(folder), *subset]


def _wildtrack(folder: Path, quick: bool) -> list[str]:
    from benchmarks.wildtrack import wildtrack, wildtrack_frame_range

    if not quick:
        return ["--root", str(folder)]
    first, last = wildtrack_frame_range(wildtrack(folder), "easy")
    subset = f"{first}-{min(last, first + 9)}"
    return ["--root", str(folder), "--detections", "easy", "--frames", subset, "--online"]


def _lab(folder: Path, quick: bool) -> list[str]:
    return ["--root", str(folder), *(("--embedder", "none") if quick else ())]


def _aicity(folder: Path, quick: bool) -> list[str]:
    truth, results = (next(folder.glob(f"{name}.txt*")) for name in ("ground_truth", "results"))
    return ["--ground-truth", str(truth), "--results", str(results), "--scenes", str(folder / "scenes.json")]


def _reid(folder: Path, quick: bool) -> list[str]:
    return ["osnet_x0_25", "--data", "market1501", "--root", str(folder), "--offline"]


_MOT, _TRUTH = ("evaluate", "mot16"), ("**/gt/*.txt*",)
_MOT16, _MOT17 = ("MOT16/train", "MOT16", *_places("mot16")), ("MOT17/train", *_places("mot17-frcnn"))

PROTOCOLS: tuple[Protocol, ...] = (
    Protocol("mot16", _MOT, _MOT16, _TRUTH, _mot),
    Protocol("mot16-offline", _MOT, _MOT16, _TRUTH, _mot_offline),
    Protocol("mot17-frcnn", _MOT, _MOT17, _TRUTH, _mot),
    Protocol("mot17-frcnn-offline", _MOT, _MOT17, _TRUTH, _mot_offline),
    Protocol("cmc", ("evaluate", "cmc"), _places("cmc"), ("*/gt_world.txt",), _cmc),
    Protocol("wildtrack", ("evaluate", "wildtrack"), _places("wildtrack"), ("positions.csv*",), _wildtrack),
    Protocol("lab", ("evaluate", "lab"), _places("lab"), ("**/cameras.yaml",), _lab, has_networks=True),
    Protocol(
        "aicity",
        ("evaluate", "aicity"),
        _places("aicity"),
        ("ground_truth.txt*", "results.txt*", "scenes.json"),
        _aicity,
    ),
)


def found_data(root: Path) -> tuple[list[tuple[Protocol, Path]], list[Protocol]]:
    """Return the protocols whose data is below a folder, with where it is, and those whose data is not.

    Every folder of Market-1501's layout below ``reid`` is a protocol of its own.
    """
    found, missing = [], []
    for protocol in PROTOCOLS:
        places = [root / name for name in protocol.folders]
        fitting = [place for place in places if all(any(place.glob(pattern)) for pattern in protocol.needs)]
        if fitting:
            found.append((protocol, fitting[0]))
        else:
            missing.append(protocol)
    reid = _reid_protocols(root)
    if not reid:
        missing.append(Protocol("reid", ("reid", "evaluate"), _places("reid"), ("*/query",), _reid))
    return [*found, *reid], missing


@with_option_groups
def all_protocols(
    root: Annotated[
        Path,
        typer.Option(
            envvar="MULTICAM_DATA",
            help="Folder with mot16, mot17-frcnn, cmc, wildtrack, lab, aicity and reid, or with these in data.",
            rich_help_panel=DATA,
        ),
    ],
    only: Annotated[
        list[str] | None, typer.Option(help="Only this protocol; repeatable.", rich_help_panel=DATA)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few frames or sequences of each, to see that all works.")
    ] = False,
    *,
    networks: NetworkOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for NAME.json and NAME.md; benchmarks/results by default, from which "
            "python -m benchmarks.results_tables makes the tables of README and docs.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run every protocol whose data is there; say which are missing; write the figures of each."""
    from rich.console import Console

    import benchmarks
    from apps.notices import Notices
    from benchmarks.report_files import check_files
    from tracker.errors import InputError

    if quick and output is None:
        raise InputError("--quick would replace the figures of full runs in benchmarks/results: give --output DIR")
    networks.settings()
    if not root.is_dir():
        raise InputError(f"no folder {root}; give the one that holds the data")
    folder = output or Path(benchmarks.__file__).parent / "results"
    found, missing = found_data(root.expanduser().resolve())
    found = _chosen(found, missing, only or ())
    if not found:
        raise InputError(f"no data of any protocol in {root}; looked for {', '.join(p.name for p in missing)}")
    check_files(folder, [f"{protocol.name}.{kind}" for protocol, _ in found for kind in ("json", "md")])
    notices = Notices(None if quiet else Console(stderr=True))
    for protocol in missing if not only else ():
        notices.say(f"{protocol.name}: no data, looked for {' and '.join(protocol.folders)} in {root}")
    failed = [
        protocol.name
        for protocol, place in found
        if not _run(protocol, place, root.resolve(), folder, quick, networks, notices, quiet)
    ]
    if failed:
        raise InputError(f"could not be evaluated: {', '.join(failed)}; the others are in {folder}")
    notices.say(f"Written to {folder}: {', '.join(protocol.name for protocol, _ in found)}")


def _chosen(
    found: Sequence[tuple[Protocol, Path]], missing: Sequence[Protocol], only: Sequence[str]
) -> list[tuple[Protocol, Path]]:
    from tracker.errors import InputError, nearest_name_hint

    names = [protocol.name for protocol, _ in found]
    for name in only:
        if name not in names:
            if any(protocol.name == name for protocol in missing):
                raise InputError(f"--only {name}: no data of it; there is {', '.join(names) or 'none of any'}")
            raise InputError(f"--only {name} is unknown: {nearest_name_hint(name, names)}")
    return [one for one in found if not only or one[0].name in only]


def _reid_protocols(root: Path) -> list[tuple[Protocol, Path]]:
    places = [root / name for name in _places("reid")]
    folders = [query.parent for place in places for query in sorted(place.glob("*/query"))]
    return [
        (Protocol(f"reid-{folder.name}", ("reid", "evaluate"), _places("reid"), (), _reid, folder.name), folder)
        for folder in folders
        if (folder / "bounding_box_test").is_dir()
    ]


def _run(
    protocol: Protocol,
    place: Path,
    root: Path,
    folder: Path,
    quick: bool,
    networks: NetworkOptions,
    notices: Notices,
    quiet: bool,
) -> bool:
    """Run one protocol and write its files; return whether that went well."""
    from apps.cli import app
    from benchmarks.report_files import read_report, report_files

    command = " ".join(protocol.command)
    with tempfile.TemporaryDirectory(prefix="multicam-all-") as temporary:
        written = Path(temporary) / "report.json"
        notices.say(f"{protocol.name}: multicam {command}")
        try:
            options = [
                *protocol.options(place, quick),
                *(networks.arguments() if protocol.has_networks else []),
                "--json",
                str(written),
                *(["--quiet"] if quiet else []),
            ]
            code = app([*protocol.command, *options], standalone_mode=False)
        except Exception as error:
            # What a person can mend is said, and the others go on.
            if type(error).__name__ != "InputError" and not hasattr(error, "format_message"):
                raise
            said = error.format_message() if hasattr(error, "format_message") else str(error)
            notices.warn(f"{protocol.name}: {said}")
            return False
        if code == _INTERRUPTED:
            raise typer.Exit(_INTERRUPTED)
        if code or not written.exists():
            notices.warn(f"{protocol.name}: multicam {command} ended with exit code {code}")
            return False
        report = read_report(written)
    report["settings"] = _without(report["settings"], str(root)) | ({"subset": True} if quick else {})
    if protocol.sequence is not None:
        report["rows"] = [{**row, "sequence": protocol.sequence} for row in report["rows"]]
        report["settings"] |= {"data": [protocol.sequence], "layout": report["settings"]["data"]}
    report_files(folder, protocol.name, report)
    return True


def _without(value: Any, root: str) -> Any:
    """Return settings in which the folder of the data is called DIR, wherever it lies."""
    if isinstance(value, dict):
        return {name: _without(one, root) for name, one in value.items()}
    if isinstance(value, list):
        return [_without(one, root) for one in value]
    return value.replace(root, "DIR") if isinstance(value, str) else value
