"""Whatever a person gives that cannot be used: one line that names it and the remedy, exit code 2, nothing left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.apps.command import Command, assert_one_line, files_in
from tests.apps.conftest import Studio
from tests.tracker.detectors.onnx_graphs import write_network, yolox_output
from tracker.video.writers import VideoWriter


def text_file(folder: Path) -> Path:
    path = folder / "text.mp4"
    path.write_text("this is no video\n" * 50)
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "nothing.mp4"
    path.touch()
    return path


def sound_only(folder: Path) -> Path:
    """A video file in which there is only sound."""
    import av

    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def truncated_video(folder: Path) -> Path:
    """A video whose pictures are missing: the index says they are there."""
    path = folder / "cut.mp4"
    with VideoWriter(path, (64, 48), 10) as writer:
        for number in range(5):
            writer.write(np.full((48, 64, 3), number * 20, np.uint8), number / 10)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 4])
    return path


def folder_without_images(folder: Path) -> Path:
    path = folder / "pictures"
    path.mkdir()
    (path / "notes.txt").write_text("none here")
    return path


def cameras(text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "cameras.yaml"
        path.write_text(text)
        return path

    return write


SOURCES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing file": (lambda folder: folder / "missing.mp4", ("missing.mp4", "does not exist", "check the path")),
    "zero bytes": (empty_file, ("nothing.mp4", "is empty (0 bytes)", "copy it again")),
    "text named mp4": (text_file, ("text.mp4 is not a video", "copy it again")),
    "only sound": (sound_only, ("sound.mp4", "only audio", "give a file with pictures")),
    "no frame decodes": (truncated_video, ("cut.mp4", "no frame that can be decoded", "play it to check")),
    "no images": (folder_without_images, ("pictures", "no images", "check the path")),
    "no such webcam": (lambda folder: 9876, ("webcam 9876 cannot be opened", "check that it is connected")),
    "nobody answers": (
        lambda folder: "rtsp://user:secret@127.0.0.1:9/live",
        ("rtsp://***@127.0.0.1:9/live", "check the address"),
    ),
    "empty name": (lambda folder: " ", ("a source is empty", "give a path")),
    "missing yaml": (lambda folder: folder / "cameras.yaml", ("cameras.yaml", "does not exist", "check the path")),
    "no yaml": (cameras("cameras: [{name: a, source: b\n  - x: ]"), ("cameras.yaml line 2", "not valid YAML")),
    "binary yaml": (cameras("\x00\x01\x02"), ("cameras.yaml", "not valid YAML")),
    "empty yaml": (cameras(""), ("cameras.yaml", "no list of cameras", "write cameras:")),
    "cameras are no list": (cameras("cameras: 3"), ("cameras.yaml", "cameras: is a number, not a list")),
    "wrong type": (
        cameras("cameras: [{name: a, source: b.mp4, start_offset: soon}]"),
        ("cameras.yaml", "camera 'a'", "start_offset is 'soon'", "number"),
    ),
    "unknown field": (
        cameras("cameras: [{name: a, source: b.mp4, start_ofset: 3}]"),
        ("cameras.yaml", "camera 'a'", "'start_ofset'", "did you mean 'start_offset'?"),
    ),
    "no source": (cameras("cameras: [{name: a}]"), ("cameras.yaml", "camera 'a' has no source", "add source:")),
    "a name that is no file name": (cameras("cameras: [{name: a/b, source: c.mp4}]"), ("a/b", "file name", "'a-b'")),
    "a name of a result": (cameras("cameras: [{name: mosaic, source: c.mp4}]"), ("mosaic", "another output")),
    "two of one name": (cameras("cameras: [{name: a, source: b}, {name: A, source: c}]"), ("called 'A'",)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_sources(multicam: Command, studio: Studio, tmp_path: Path, name: str) -> None:
    make, fragments = SOURCES[name]
    source = make(tmp_path)
    before = files_in(tmp_path)
    # A good source before it does not help.
    outcome = multicam("track", studio.hall, source, "-o", tmp_path / "out", "--detector", studio.detections)
    assert_one_line(outcome, *fragments)
    assert "secret" not in outcome.err
    assert not (tmp_path / "out").exists() and files_in(tmp_path) == before


OPTIONS: list[tuple[tuple[object, ...], tuple[str, ...]]] = [
    (("--tracker", "bytetrak"), ("unknown tracker 'bytetrak'", "did you mean 'bytetrack'?")),
    (("--tracker", "ByteTrack"), ("unknown tracker 'ByteTrack'", "did you mean 'bytetrack'?")),
    (("--tracker-option", "lost_track_second=2"), ("'lost_track_second'", "did you mean 'lost_track_seconds'?")),
    (("--tracker-option", "lost_track_seconds"), ("'lost_track_seconds' is not NAME=VALUE", "write for example")),
    (("--tracker-option", "=2"), ("--tracker-option '=2' is not NAME=VALUE",)),
    (("--tracker-option", "lost_track_seconds=soon"), ("lost_track_seconds is 'soon'", "give a number")),
    (("--tracker-option", "lost_track_seconds=-1"), ("lost_track_seconds is -1", "at least 0")),
    (("--tracker-option", "lost_track_seconds=.nan"), ("lost_track_seconds is nan",)),
    (("--tracker-option", "high_confidence=[1, 2]"), ("high_confidence is [1, 2]", "give a number")),
    (("--tracker-option", "high_confidence="), ("high_confidence is None", "give a number")),
    (("--tracker-option", "frame_rate=25"), ("frame_rate=25", "leave it out")),
    (("--tracker-option", "name=sort"), ("name=sort", "--tracker sort")),
    (("--embedder", "osnet_x0_24"), ("unknown embedder 'osnet_x0_24'", "did you mean 'osnet_x0_25'?")),
    (("--embedder", "color_histogramm"), ("did you mean 'color_histogram'?",)),
    (("--embedder", "osnet_x0_5"), ("osnet_x0_5 was given no weights", "--embedder-weights FILE")),
    (("--embedder", "osnet_x0_25", "--embedder-weights", "missing.pth"), ("missing.pth", "does not exist")),
    (("--embedder", "missing.onnx"), ("missing.onnx does not exist",)),
    (("--embedder", ""), ("embedder", "''")),
    (("--detector", "missing.onnx"), ("missing.onnx does not exist",)),
    (("--detector", "mot:missing"), ("detections missing do not exist", "give a det.txt")),
    (("--detector", "mot:"), ("mot: names no file", "give mot:PATH")),
    (("--detector", ""), ("detector", "give a model")),
    (("--runtime", "openvin"), ("--runtime is 'openvin'", "auto, openvino, onnxruntime or torch")),
    (("--views", "apart"), ("--views is 'apart'", "give auto or separate")),
    (("--classes", "persn"), ("unknown class 'persn'", "did you mean 'person'?")),
    (("--classes", "person,"), ("unknown class ''",)),
    (("--stride", 0), ("--stride is 0", "greater than or equal to 1")),
    (("--stride", "two"), ("--stride is 'two'", "valid integer", "multicam track --help")),
    (("--stride", 1.5), ("--stride is '1.5'", "valid integer")),
    (("--vid-stride", "-3"), ("--stride is -3", "greater than or equal to 1")),
    (("--max-frames", 0), ("--max-frames is 0", "greater than or equal to 1")),
    (("--image-size", 8), ("--image-size is 8", "greater than or equal to 32")),
    (("--iou", 1.2), ("--iou is 1.2", "less than or equal to 1")),
    (("--iou", "nan"), ("--iou is nan",)),
    (("--confidence", "nan"), ("--confidence is nan", "finite number")),
    (("--conf", "high"), ("--confidence is 'high'", "valid number")),
    (("--false-match-rate", 0), ("--false-match-rate is 0", "greater than 0")),
    (("--false-match-rate", 0.5), ("--false-match-rate is 0.5", "less than 0.5")),
    (("--false-match-rate=lots",), ("--false-match-rate is 'lots'", "valid number")),
    (("--seed", "x"), ("--seed is 'x'", "valid integer")),
    (("--trackr", "sort"), ("no such option: --trackr", "--tracker", "multicam track --help")),
    (("--seed",), ("option '--seed' requires an argument", "multicam track --help")),
    (("--quiet=yes",), ("option '--quiet' does not take a value",)),
]


@pytest.mark.parametrize(("options", "fragments"), OPTIONS, ids=lambda value: " ".join(map(str, value)))
def test_options(
    multicam: Command,
    studio: Studio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    fragments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = multicam("track", studio.hall, "-o", tmp_path / "out", "--detector", studio.detections, *options)
    assert_one_line(outcome, *fragments)
    assert files_in(tmp_path) == {} and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("track",), ("missing argument 'sources'", "multicam track --help")),
        (("track", "a.mp4"), ("missing option '--output'", "multicam track --help")),
        (("trak", "a.mp4"), ("no such command 'trak'", "Did you mean 'track'?", "multicam --help")),
        (("--versio",), ("no such option: --versio", "multicam --help")),
    ],
    ids=lambda value: " ".join(value),
)
def test_command_lines(multicam: Command, arguments: tuple[str, ...], fragments: tuple[str, ...]) -> None:
    assert_one_line(multicam(*arguments), *fragments)


def test_an_unknown_detector(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    outcome = multicam("track", studio.hall, "-o", tmp_path / "out", "--detector", "yolo26x2.pt")
    assert_one_line(outcome, "unknown detector 'yolo26x2.pt'", "did you mean 'yolo26", "mot:PATH")
    assert not (tmp_path / "out").exists()


DETECTIONS = {
    "nan": ("1,-1,10,10,30,60,0.9\n2,-1,nan,10,30,60,0.9\n", ("line 2", "left is nan", "remove the line")),
    "infinite": ("1,-1,10,10,inf,60,0.9\n", ("line 1", "width is inf")),
    "words": ("1,-1,10,10,30,sixty,0.9\n", ("line 1", "'sixty' is not a number")),
    "too few columns": ("1,2,3\n", ("line 1", "3 columns", "frame,id,left")),
    "frame zero": ("0,-1,10,10,30,60,0.9\n", ("line 1", "frame 0", "from 1")),
    "binary": ("\x00\udcff\udcfe", ("is not text",)),
}


@pytest.mark.parametrize("name", DETECTIONS)
@pytest.mark.parametrize("offset", [0, 5], ids=["at once", "when the camera starts late"])
def test_detections(multicam: Command, studio: Studio, tmp_path: Path, name: str, offset: float) -> None:
    """Also those of a camera that starts late are refused before the work."""
    text, fragments = DETECTIONS[name]
    path = tmp_path / "boxes.txt"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    setup = tmp_path / "cameras.yaml"
    setup.write_text(
        f"cameras:\n- {{name: corridor, source: {studio.corridor}}}\n"
        f"- {{name: hall, source: {studio.hall}, start_offset: {offset}, detections: boxes.txt}}\n"
    )
    outcome = multicam("track", setup, "-o", tmp_path / "out", "--detector", studio.detections, "--overwrite")
    assert_one_line(outcome, str(path), *fragments)
    assert not (tmp_path / "out").exists()


def test_detections_that_are_not_there_for_every_camera(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    arguments = ("track", studio.hall, studio.corridor, "-o", tmp_path / "out", "--detector")
    one = f"mot:{studio.folder / 'det' / 'hall.txt'}"
    assert_one_line(multicam(*arguments, one), "one file of detections", "'corridor'", "{camera}")
    pattern = f"mot:{studio.folder / 'det'}/{{camera}}.det"
    assert_one_line(multicam(*arguments, pattern), "no detections for camera 'hall'", "hall.det")


def test_networks_of_another_task(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    detector = write_network(tmp_path / "detector.onnx", yolox_output())
    classifier = write_network(tmp_path / "classifier.onnx", np.zeros((1, 1000), np.float32))
    (tmp_path / "text.onnx").write_text("no network")
    arguments: tuple[object, ...] = ("track", studio.hall, "-o", tmp_path / "out")
    assert_one_line(multicam(*arguments, "--detector", classifier), "classifier.onnx", "YOLOX")
    assert_one_line(multicam(*arguments, "--detector", tmp_path / "text.onnx"), "text.onnx", "not an ONNX network")
    arguments = (*arguments, "--detector", studio.detections, "--embedder")
    assert_one_line(multicam(*arguments, detector), "detector.onnx", "another task", "person re-identification")
    assert_one_line(multicam(*arguments, tmp_path / "text.onnx"), "text.onnx", "not an ONNX network")
    outcome = multicam(*arguments, detector, "--embedder-weights", tmp_path / "text.onnx")
    assert_one_line(outcome, "detector.onnx holds its own weights", "leave --embedder-weights")
    assert not (tmp_path / "out").exists()


def write_embedder(path: Path, broken: str) -> Path:
    """A network whose vectors are well for the grey picture it is tried with, but not for colourful people."""
    brightest = helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0)
    nodes = [
        brightest,
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Concat", ["flat", "flat", "flat", "flat"], ["long"], axis=1),
    ]
    constants = {"zero": np.array([0]), "axis": np.array([1]), "least": np.array([4]), "one": np.array(1.0, np.float32)}
    if broken == "length":
        nodes += [
            helper.make_node("Cast", ["brightest"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Add", ["whole", "least"], ["end"]),
            helper.make_node("Slice", ["long", "zero", "end", "axis"], ["vectors"]),
        ]
    else:
        nodes += [
            # The square root of what is below zero: not a number.
            helper.make_node("Sub", ["one", "brightest"], ["left"]),
            helper.make_node("Sqrt", ["left"], ["root"]),
            helper.make_node("Mul", ["long", "root"], ["vectors"]),
        ]
    graph = helper.make_graph(
        nodes,
        "embedder",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 32])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", "any" if broken == "length" else 12])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(
    ("broken", "fragments"),
    [("length", ("must not change", "export the network again")), ("values", ("not finite", "use other weights"))],
)
def test_an_embedder_that_goes_wrong_in_the_middle(
    multicam: Command, studio: Studio, tmp_path: Path, broken: str, fragments: tuple[str, ...], runtime: str
) -> None:
    embedder = write_embedder(tmp_path / "odd.onnx", broken)
    outcome = multicam(
        "track", studio.hall, "-o", tmp_path / "out", "--detector", studio.detections, "--embedder", embedder,
        "--runtime", runtime, "--quiet",
    )  # fmt: skip
    # The hall is empty at first: what was done until somebody came is kept, and the line says where.
    assert_one_line(outcome, "odd.onnx", *fragments, f"is in {tmp_path / 'out'}")


@pytest.mark.parametrize("what", ["detector", "embedder"])
def test_offline_what_would_be_downloaded_is_named(
    multicam: Command, studio: Studio, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    models = {"detector": studio.detections, "embedder": "none"}
    models[what] = {"detector": "yolo26n.pt", "embedder": "osnet_x1_0:msmt17"}[what]
    outcome = multicam(
        "track", studio.hall, "-o", tmp_path / "out", "--detector", models["detector"], "--embedder",
        models["embedder"], "--offline", "--quiet",
    )  # fmt: skip
    assert_one_line(outcome, models[what].partition(":")[0], "not in the cache", "downloads are off (--offline")
    assert not (tmp_path / "out").exists()
