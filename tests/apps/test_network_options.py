"""What runs networks, said in the same way to every command; and what track and live share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer

from apps.commands import LazyCommands
from apps.network_options import NetworkOptions
from apps.option_groups import with_option_groups
from apps.settings import NetworkSettings
from reid_models.runtimes.openvino_backend import processor_has_bfloat16
from tests.apps.command import Command, assert_one_line, call, read_json, read_lines
from tests.apps.conftest import Studio
from tests.benchmarks.mot_scene import FRAMES, walkers, write_flat, write_sequence
from tracker.cross_camera.identity_settings import LONG_RUN
from tracker.detections import Detections
from tracker.video.frames import Frame

#: commands that detect or embed, with the least that they need
COMMANDS = {
    "track": ("a.mp4", "-o", "out"),
    "live": ("a.mp4",),
    "demo": ("-o", "out"),
    "search": ("a.png", "--store", "store.sqlite"),
    "tune": ("--root", "there", "-o", "best.yaml"),
    "evaluate mot16": ("--root", "there"),
    "evaluate lab": ("--root", "there"),
    "evaluate all": ("--root", "there", "-o", "out"),
}
OPTIONS = ("device", "runtime", "precision", "calibration_images")


def options_of(command: str) -> dict[str, Any]:
    first, *rest = command.split()
    found = LazyCommands()[first]
    for name in rest:
        found = found.commands[name]
    return {option.name: option for option in found.params}


def test_every_command_says_the_same_of_what_runs_networks() -> None:
    reference = options_of("track")
    for command in COMMANDS:
        found = options_of(command)
        for name in OPTIONS:
            one, other = found[name], reference[name]
            assert (one.opts, one.default, one.metavar) == (other.opts, other.default, other.metavar)
            assert one.help == other.help and one.help
            assert one.rich_help_panel == "Models"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_in_the_same_words(
    multicam: Command, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = (*command.split(), *COMMANDS[command])
    assert_one_line(
        multicam(*given, "--runtime", "tensorrt"),
        "--runtime is 'tensorrt': give auto, openvino, onnxruntime or torch",
    )
    assert_one_line(
        multicam(*given, "--precision", "int4"),
        "--precision is 'int4': give auto, float32, bfloat16, float16 or int8",
    )
    for half in (("--precision", "int8"), ("--calibration-images", "pictures")):
        assert_one_line(multicam(*given, *half), "--precision int8 and --calibration-images DIR go together")
    assert list(tmp_path.iterdir()) == []


def test_what_is_given_can_be_passed_on() -> None:
    assert NetworkOptions().arguments() == []
    given = NetworkOptions("cpu", "onnxruntime", "int8", Path("pictures"))
    assert given.arguments() == [
        "--device", "cpu", "--runtime", "onnxruntime", "--precision", "int8", "--calibration-images", "pictures",
    ]  # fmt: skip
    assert given.settings() == NetworkSettings(
        device="cpu", runtime="onnxruntime", precision="int8", calibration_images=Path("pictures")
    )
    assert tuple(NetworkSettings.model_fields) == OPTIONS


def test_a_group_stands_for_its_fields() -> None:
    seen: list[Any] = []

    def command(word: str, *, networks: NetworkOptions, count: Annotated[int, typer.Option()] = 3) -> None:
        seen.append((word, networks, count))

    command.__annotations__ = {"word": str, "networks": NetworkOptions, "count": Annotated[int, typer.Option()]}
    app = typer.Typer(add_completion=False)
    app.command()(with_option_groups(command))
    app(["x", "--precision", "float32", "--count", "4"], standalone_mode=False)
    assert seen == [("x", NetworkOptions(precision="float32"), 4)]


def test_track_and_live_make_the_same_settings_of_the_same_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import apps.live
    import apps.track

    seen: list[Any] = []

    class Seen(Exception):
        pass

    def note(settings: Any, *arguments: Any, **options: Any) -> None:
        seen.append(settings)
        raise Seen

    monkeypatch.setattr(apps.track, "run_track", note)
    monkeypatch.setattr(apps.live, "run_live", note)
    parameters = tmp_path / "best.yaml"
    parameters.write_text("tracker: ocsort\nparameters: {lost_track_seconds: 3.0}\ndetections: {iou: 0.6}\n")
    given = (
        "a.mp4", "--detector", "x.onnx", "--conf", "0.3", "--imgsz", "320", "--classes", "person,dog", "--embedder",
        "osnet_x1_0", "--embedder-weights", "w.pt", "--offline", "--half", "--device", "cpu", "--runtime",
        "onnxruntime", "--precision", "int8", "--calibration-images", "pictures", "--tracker-parameters",
        parameters, "--tracker-option", "lost_track_seconds=4", "--false-match-rate", "0.02", "--views", "separate",
        "--handover", "off", "--floor", "off",
    )  # fmt: skip
    for command in (("track", *given, "-o", tmp_path / "out"), ("live", *given)):
        with pytest.raises(Seen):
            call(*command)
    track, live = (one.model_dump() for one in seen)
    shared = {"sources", "detector", "confidence", "iou", "image_size", "classes", "half", "embedder",
              "embedder_weights", "offline", *OPTIONS}  # fmt: skip
    assert {name: track[name] for name in shared} == {name: live[name] for name in shared}
    assert (track["confidence"], track["iou"], track["classes"], track["half"]) == (0.3, 0.6, [0, 16], True)
    assert (track["runtime"], track["precision"], track["image_size"]) == ("onnxruntime", "int8", 320)
    differing = {name for name in track["pipeline"] if track["pipeline"][name] != live["pipeline"][name]}
    assert differing == {"embedding", "identities"}
    assert track["pipeline"]["tracker"] == "ocsort"
    assert track["pipeline"]["tracker_parameters"] == {"lost_track_seconds": 4}
    first, second = track["pipeline"]["identities"], live["pipeline"]["identities"]
    assert {name for name in first if first[name] != second[name]} == set(LONG_RUN)
    assert (first["false_match_rate"], first["views"], first["handover"]) == (0.02, "separate", "off")


def test_mot16_says_what_ran_and_in_what(multicam: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTICAM_DATA", raising=False)
    write_sequence(tmp_path / "MOT16-02", images=True)
    given = ("evaluate", "mot16", "--root", tmp_path, "--tracker", "deepsort", "--embedder", "osnet_x0_25")
    json = tmp_path / "m.json"
    outcome = multicam(*given, "--runtime", "onnxruntime", "--json", json)
    assert outcome.code == 0, outcome.err
    settings = read_json(json)["settings"]
    assert settings["models"] == ["osnet_x0_25:default (onnxruntime float32)"]
    assert (settings["runtime"], settings["precision"]) == ("onnxruntime", "auto")
    assert "Run by: osnet_x0_25:default (onnxruntime float32)." in " ".join(outcome.out.split())
    assert_one_line(multicam(*given, "--runtime", "onnxruntime", "--precision", "bfloat16"), "float32 only")


def test_tune_searches_on_what_a_detector_finds(
    multicam: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracker.detectors

    monkeypatch.delenv("MULTICAM_DATA", raising=False)
    asked: list[dict[str, Any]] = []
    seen: list[int] = []

    class Finder:
        needs_images, description = True, "finder (onnxruntime float32)"

        def detect(self, frames: list[Frame]) -> list[Detections]:
            (frame,) = frames
            assert frame.image is not None
            seen.append(frame.index)
            boxes = np.array([[x, y, x + w, y + h] for _, (x, y, w, h) in walkers(frame.index + 1)], np.float32)
            return [Detections(boxes, np.full(len(boxes), 0.9, np.float32))]

    def create(spec: str, **options: Any) -> Finder:
        asked.append({"spec": spec, **options})
        return Finder()

    monkeypatch.setattr(tracker.detectors, "create_detector", create)
    write_sequence(tmp_path / "MOT16-02", images=True)
    given = ("tune", "--tracker", "sort", "--trials", 2, "--workers", 1, "--detections", "yolo11n_room")
    outcome = multicam(*given, "--root", tmp_path, "-o", tmp_path / "a.yaml", "--json", tmp_path / "a.json",
                       "--runtime", "onnxruntime", "--precision", "float32")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert asked == [{"spec": "yolo11n_room", "classes": [0], "device": "auto", "runtime": "onnxruntime",
                      "precision": "float32", "calibration_images": None}]  # fmt: skip
    assert seen == list(range(FRAMES)), "once for all trials"
    assert "Run by: finder (onnxruntime float32)." in outcome.err
    report = read_json(tmp_path / "a.json")
    assert report["settings"]["models"] == ["finder (onnxruntime float32)"]
    # The public boxes have a false one in every frame, and miss some people.
    best = next(row for row in report["rows"] if (row["name"], row["sequence"]) == ("in sample", "combined"))
    assert best["FP"] == 0 and best["MOTA"] > 85
    without = write_flat(tmp_path / "without", ["MOT16-02"])
    outcome = multicam(*given, "--root", without, "-o", tmp_path / "b.yaml")
    assert_one_line(outcome, "--detections yolo11n_room (a detector) needs images, and MOT16-02 has none")


@pytest.mark.skipif(not processor_has_bfloat16(), reason="this processor has no bfloat16")
def test_bfloat16_changes_no_identity_of_a_run(studio: Studio, tmp_path: Path) -> None:
    rows = {}
    for precision in ("float32", "bfloat16"):
        folder = tmp_path / precision
        code = call(
            "track", studio.corridor, studio.hall, "-o", folder, "--detector", studio.detections, "--no-video",
            "--quiet", "--runtime", "openvino", "--precision", precision,
        )  # fmt: skip
        assert code == 0
        assert read_json(folder / "run.json")["embedder"] == f"osnet_x0_25:default (openvino {precision})"
        rows[precision] = read_lines(folder / "tracks.jsonl")
    assert len(rows["float32"]) > 100
    assert rows["bfloat16"] == rows["float32"]
