"""Models of the ultralytics package: the boxes it would give itself, without what else it does to a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.thread_settings import without_thread_settings
from tracker.detectors import create_detector
from tracker.detectors.class_names import COCO_CLASS_NAMES
from tracker.errors import InputError
from tracker.protocols import Detector
from tracker.video.frames import Frame


@pytest.fixture(autouse=True, scope="module")
def one_thread(ultralytics: types.ModuleType) -> Iterator[None]:
    """One thread: on a machine that is busy otherwise, several wait for each other without end."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


#: run by PyTorch: the boxes are those of ultralytics itself
OPTIONS = {"confidence": 0.3, "iou": 0.5, "image_size": 96, "device": "cpu", "runtime": "torch"}


@pytest.fixture(scope="module")
def model(ultralytics: types.ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network made to find some people and some bicycles: it gets statistics and spread class scores."""
    import torch

    torch.manual_seed(0)
    network = ultralytics.YOLO("yolov8n.yaml")
    norms = [layer for layer in network.model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 1.0
    network.model.train()
    with torch.no_grad():
        network.model(torch.rand(4, 3, 96, 96))
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
    for branch in network.model.model[-1].cv3:
        torch.nn.init.normal_(branch[-1].weight, std=0.1)
        branch[-1].bias.data[:] = -20
        branch[-1].bias.data[:2] = -1
    network.model.names = dict(COCO_CLASS_NAMES)
    path = tmp_path_factory.mktemp("models") / "tiny.pt"
    network.save(path)
    return path


def pictures() -> list[Frame]:
    rng = np.random.default_rng(0)
    sizes = [(90, 160), (120, 120), (90, 160), (200, 90), (90, 160)]
    return [
        Frame("abcde"[n], n, 0.0, cv2.resize(rng.integers(0, 255, (9, 9, 3), np.uint8), size[::-1]))
        for n, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("classes", [(0,), None])
def test_boxes_equal_those_of_ultralytics_itself(
    ultralytics: types.ModuleType, model: Path, classes: tuple[int, ...] | None
) -> None:
    detector = create_detector(str(model), classes=classes, **OPTIONS)
    assert isinstance(detector, Detector)
    reference = ultralytics.YOLO(model)
    found = detector.detect(pictures())
    assert sum(len(detections) for detections in found) > 10
    for frame, detections in zip(pictures(), found):
        boxes = reference.predict(frame.image, conf=0.3, iou=0.5, imgsz=96, classes=classes, verbose=False)[0].boxes
        np.testing.assert_allclose(detections.boxes, boxes.xyxy.numpy(), atol=1e-3)
        np.testing.assert_allclose(detections.scores, boxes.conf.numpy(), atol=1e-6)
        np.testing.assert_array_equal(detections.classes, boxes.cls.numpy())
    assert detector.class_names[0] == "person"
    assert detector.description.startswith("tiny.pt (ultralytics ")
    assert detector.description.endswith(", size 96, cpu float32)")
    assert detector.detect([]) == []


@pytest.fixture
def no_notice_of_children() -> Iterator[None]:
    """No handler for ended children: PyTorch's loaders leave one, and after all other tests to run it may be fatal.

    Some library leaves the main thread with an alternate signal stack that is gone; the kernel ends a process to which
    it cannot deliver a signal.
    """
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGCHLD, handler)


@pytest.mark.usefixtures("no_notice_of_children")
def test_the_process_is_left_as_it_was(model: Path, tmp_path: Path) -> None:
    """In a fresh process: nothing printed, written to the current folder or changed, and nothing sent anywhere."""
    code = f"""
import os, socket, sys
import cv2, numpy as np
def refuse(*arguments, **options):
    raise AssertionError("the network was used")
socket.getaddrinfo = socket.create_connection = refuse
before = dict(os.environ), cv2.getNumThreads(), np.get_printoptions()
import torch
threads = torch.get_num_threads()
from tracker.detectors import create_detector
from tracker.video.frames import Frame
detector = create_detector({str(model)!r}, image_size=64, device="cpu", runtime="torch")
detector.detect([Frame("a", 0, 0.0, np.zeros((48, 64, 3), np.uint8))])
after = dict(os.environ), cv2.getNumThreads(), np.get_printoptions()
assert before[1:] == after[1:], (before[1:], after[1:])
changed = {{name for name in before[0].keys() | after[0].keys() if before[0].get(name) != after[0].get(name)}}
assert not {{name for name in changed if name.startswith(("YOLO", "OMP", "ULTRA"))}}, changed
assert torch.get_num_threads() == threads
from ultralytics.utils.events import events
assert not events.enabled
"""
    environment = without_thread_settings()
    environment |= {"MULTICAM_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[3])
    environment.pop("PYTEST_CURRENT_TEST", None)
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and "ltralytics" not in done.stderr
    assert list(here.iterdir()) == []


def test_files_that_are_no_detectors_are_refused_in_one_line(tmp_path: Path) -> None:
    import torch

    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").touch()
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "state.pt")
    (tmp_path / "notes.md").write_text("hello")
    for model, message in (
        (tmp_path / "text.pt", "is not a detector of ultralytics"),
        (tmp_path / "empty.pt", "is empty"),
        (tmp_path / "state.pt", "is not a detector of ultralytics"),
        (tmp_path / "notes.md", "is no detector"),
        (tmp_path, "is no detector"),
        (tmp_path / "missing.pt", "does not exist"),
        ("yolov8n-cls.yaml", "model for the task 'classify'"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            create_detector(str(model), device="cpu")
        assert str(model) in str(caught.value) and "\n" not in str(caught.value)


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    import torch
    from ultralytics.nn import tasks

    if not hasattr(tasks, "SAFE_LOAD"):
        pytest.skip("this ultralytics cannot restrict what a .pt file builds")

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"model": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(InputError, match="is not a detector of ultralytics"):
        create_detector(str(tmp_path / "trap.pt"), device="cpu")
    assert not (tmp_path / "sprung").exists()


def test_named_models_are_downloaded_once_into_our_cache(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.utils import downloads

    asked: list[Path] = []

    def download(path: Path, **options: object) -> str:
        if not Path(path).exists():  # ultralytics also asks for files that are there
            asked.append(Path(path))
            Path(path).write_bytes(model.read_bytes())
        return str(path)

    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "attempt_download_asset", download)
    for name in ("yolo26n.pt", "yolo26n"):
        assert create_detector(name, image_size=32, device="cpu", runtime="torch").description.startswith(
            "yolo26n.pt ("
        )
    assert [path.name for path in asked] == ["yolo26n.pt"]
    assert [path.name for path in (tmp_path / "cache" / "weights").iterdir()] == ["yolo26n.pt"]
    assert list(here.iterdir()) == []


def test_without_network_a_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import downloads

    def fail(path: Path, **options: object) -> str:
        raise ConnectionError("Environment may be offline.\nSecond line")

    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "attempt_download_asset", fail)
    with pytest.raises(InputError, match=r"yolo26n\.pt could not be downloaded into .*give a \.pt or \.onnx file"):
        create_detector("yolo26n.pt")
    assert list((tmp_path / "cache" / "weights").iterdir()) == []


def test_offline_nothing_is_asked_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import downloads

    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "attempt_download_asset", lambda *_, **__: pytest.fail("the network was used"))
    with pytest.raises(InputError, match=r"yolo26n\.pt is not in the cache, and downloads are off .*: copy it to .*"):
        create_detector("yolo26n.pt", offline=True)
    monkeypatch.setenv("MULTICAM_OFFLINE", "1")
    with pytest.raises(InputError, match="downloads are off"):
        create_detector("yolo26n.pt")
    assert not (tmp_path / "cache").exists()


def test_unknown_names_and_options_are_refused(model: Path) -> None:
    with pytest.raises(InputError, match=r"unknown detector 'yolo26m\.tp': did you mean 'yolo26m\.pt'\?"):
        create_detector("yolo26m.tp")
    with pytest.raises(InputError, match=r"tiny\.pt has no class 80: its 80 classes"):
        create_detector(str(model), classes=(80,), image_size=32, device="cpu", runtime="torch")
    with pytest.raises(InputError, match="device 'nonsense' cannot be used here"):
        create_detector(str(model), image_size=32, device="nonsense")
    with pytest.warns(RuntimeWarning, match="in float32 on cpu"):
        detector = create_detector(str(model), image_size=32, device="cpu", half=True, runtime="torch")
    assert detector.description.endswith("cpu float32)")
    with pytest.raises(InputError, match="frame 3 of camera 'hall' has no image"):
        detector.detect([Frame("hall", 3, 0.0, None)])


@pytest.mark.data
def test_yolov8n_finds_the_people_of_the_shop(data_root: Path) -> None:
    detector = create_detector(str(data_root / "weights" / "yolov8n_recovered.pt"), confidence=0.25, device="cpu")
    video = cv2.VideoCapture(str(data_root / "data" / "video" / "retail-3cam" / "cam2.mp4"))
    frames = people = 0
    while (picture := video.read())[0]:
        people += len(detector.detect([Frame("cam2", frames, 0.0, picture[1])])[0])
        frames += 1
    assert frames == 419
    assert people == pytest.approx(826, rel=0.01)
