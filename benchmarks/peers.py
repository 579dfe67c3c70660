"""Other people's trackers behind one call, to compare with. Nothing here is used for tracking.

ultralytics is given what costs it least: boxes that already are centre and size, features as one array (its own way for
features that come with the detections, ``model="auto"``), no picture and so no camera motion. What it needs is made
before the clock starts, as our ``Detections`` are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.errors import InputError, nearest_name_hint

__all__ = ["PEERS", "AssociationSettings", "PeerFrame", "UltralyticsTracker", "UsualStack"]

#: trackers of ultralytics that can be compared with
PEERS = ("bytetrack", "botsort", "ocsort")


@dataclass(frozen=True, slots=True)
class AssociationSettings:
    """The thresholds that both sides run with, ByteTrack's and BoT-SORT's published ones.

    Args:
        high: detections from this score are matched first.
        low: detections above this score are matched second.
        new: a detection left over starts a track from this score.
        match: largest cost of the first association.
        lost_frames: frames that a lost track is kept.
        proximity: least IoU at which appearance counts.
        appearance: largest appearance cost that counts, half the cosine distance.
    """

    high: float = 0.6
    low: float = 0.1
    new: float = 0.7
    match: float = 0.8
    lost_frames: int = 30
    proximity: float = 0.5
    appearance: float = 0.25


class PeerFrame:
    """The detections of one frame as ultralytics' trackers read them (the part of its ``Boxes`` that they touch)."""

    def __init__(self, xywh: NDArray[np.float32], conf: NDArray[np.float32], cls: NDArray[np.float32]) -> None:
        self.xywh = xywh
        self.conf = conf
        self.cls = cls

    @staticmethod
    def from_detections(detections: Detections) -> PeerFrame:
        """Return the same detections with boxes as centre and size."""
        corners = detections.boxes
        size = corners[:, 2:] - corners[:, :2]
        centre_size = np.concatenate([corners[:, :2] + size / 2, size], axis=1)
        return PeerFrame(centre_size, detections.scores, detections.classes.astype(np.float32))

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, selection: Any) -> PeerFrame:
        return PeerFrame(self.xywh[selection], self.conf[selection], self.cls[selection])


class UltralyticsTracker:
    """A tracker of ultralytics.

    Args:
        name: one of :data:`PEERS`.
        settings: thresholds.
        with_features: BoT-SORT's association by appearance, from the features of the detections.

    Raises:
        InputError: another name, or ultralytics is not installed.
    """

    def __init__(self, name: str, settings: AssociationSettings, *, with_features: bool = False) -> None:
        if name not in PEERS:
            raise InputError(f"unknown peer {name!r}: {nearest_name_hint(name, PEERS)}")
        try:
            from ultralytics.trackers.bot_sort import BOTSORT
            from ultralytics.trackers.byte_tracker import BYTETracker
            from ultralytics.trackers.oc_sort import OCSORT
        except ImportError:
            raise InputError("ultralytics is not installed; there is nothing to compare with") from None
        arguments = SimpleNamespace(
            track_high_thresh=settings.high,
            track_low_thresh=settings.low,
            new_track_thresh=settings.new,
            match_thresh=settings.match,
            track_buffer=settings.lost_frames,
            fuse_score=True,
            gmc_method="none",
            proximity_thresh=settings.proximity,
            # ultralytics counts similarity here: it refuses costs above 1 - appearance_thresh.
            appearance_thresh=1 - settings.appearance,
            with_reid=with_features,
            model="auto",
        )
        self.with_features = with_features
        # OC-SORT's own settings (three frames, inertia 0.2, no second stage) are what it takes where none is given.
        self._tracker = {"botsort": BOTSORT, "bytetrack": BYTETracker, "ocsort": OCSORT}[name](arguments)

    def prepare(self, detections: Detections) -> tuple[PeerFrame, NDArray[np.float32] | None]:
        """Return what :meth:`update` takes, made from one frame's detections."""
        return PeerFrame.from_detections(detections), detections.features if self.with_features else None

    def update(self, frame: tuple[PeerFrame, NDArray[np.float32] | None]) -> NDArray[np.float32]:
        """Return (N, 8) rows ``x1, y1, x2, y2, track, score, class, detection``, or an empty array."""
        boxes, features = frame
        return self._tracker.update(boxes, None, features)


class UsualStack:
    """What people put together: ``YOLO.track`` with BoT-SORT, and OSNet in eager PyTorch, crop by crop.

    All settings of ultralytics are its defaults but for the tracker's ``with_reid``; the networks are those that
    ``multicam track`` is given: the same weights.

    Args:
        detector: an ONNX file of a YOLO11n made by ultralytics, whose weights are put back into PyTorch.
        embedder: ``MODEL:WEIGHTS`` of ours.
        image_size: height and width that the detector's letterbox has.

    Raises:
        InputError: ultralytics is not installed, or the file is of another network.
    """

    def __init__(self, detector: Path, embedder: str, image_size: tuple[int, int]) -> None:
        try:
            from ultralytics import YOLO
            from ultralytics.trackers import register_tracker
        except ImportError:
            raise InputError("ultralytics is not installed; there is nothing to compare with") from None
        self._model = YOLO("yolo11n.yaml", task="detect", verbose=False)
        self._model.model = _network_of(detector)
        # Its own callbacks come first: they make the trackers.
        register_tracker(self._model, persist=False)
        self._model.add_callback("on_predict_start", self._give_encoder)
        self._encoder = _EagerEncoder(embedder)
        self._image_size = list(image_size)
        self._folder = tempfile.TemporaryDirectory()
        self._settings = Path(self._folder.name) / "botsort.yaml"
        self._settings.write_text(_bot_sort_settings(), encoding="utf-8")
        self.crops = 0

    def _give_encoder(self, predictor: Any) -> None:
        """Put OSNet where BoT-SORT has the detector's own features."""
        if hasattr(predictor, "_hook"):
            predictor._hook.remove()
            predictor._feats = None
        for tracker in predictor.trackers:
            tracker.encoder = self._encoder

    def track(self, source: str | Path) -> Iterator[NDArray[np.float64]]:
        """Yield (N, 5) rows ``track, x1, y1, x2, y2`` of each frame of one video."""
        results = self._model.track(
            source=str(source), stream=True, tracker=str(self._settings), imgsz=self._image_size, device="cpu",
            verbose=False, persist=False, classes=[0],
        )  # fmt: skip
        for result in results:
            boxes = result.boxes
            if boxes is None or boxes.id is None:
                yield np.zeros((0, 5))
                continue
            yield np.column_stack([np.asarray(boxes.id), np.asarray(boxes.xyxy)]).astype(np.float64)


class _EagerEncoder:
    """OSNet as its users run it: every crop resized and normalised on its own, one batch of them, no gradient."""

    def __init__(self, spec: str) -> None:
        import torch
        from torchvision import transforms

        from reid_models.checkpoints import load_checkpoint
        from reid_models.registry import create_model
        from reid_models.weights import resolve_weights

        name, _, weights = spec.partition(":")
        file, _ = resolve_weights(name, weights)
        self._model = create_model(name, num_classes=1).eval()
        load_checkpoint(self._model, str(file))
        self._torch = torch
        self._transform = transforms.Compose([
            transforms.ToPILImage(),
            transforms.Resize((256, 128)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ])  # fmt: skip

    def __call__(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        """Return a vector for each of the boxes (N, 4+) centre and size."""
        height, width = image.shape[:2]
        crops = []
        for x, y, wide, high in boxes[:, :4]:
            left, top = int(max(x - wide / 2, 0)), int(max(y - high / 2, 0))
            right, bottom = int(min(x + wide / 2, width)), int(min(y + high / 2, height))
            crop = image[top : max(bottom, top + 1), left : max(right, left + 1), ::-1]
            crops.append(self._transform(np.ascontiguousarray(crop)))
        if not crops:
            return []
        with self._torch.no_grad():
            vectors = self._model(self._torch.stack(crops))
        return list(vectors.numpy())


def _bot_sort_settings() -> str:
    import yaml
    from ultralytics.utils import ROOT

    settings = yaml.safe_load((ROOT / "cfg" / "trackers" / "botsort.yaml").read_text(encoding="utf-8"))
    return yaml.safe_dump(settings | {"with_reid": True, "model": "auto"})


def _network_of(path: Path) -> Any:
    """Return a YOLO11n of one class in PyTorch with the weights that an export of it holds."""
    import onnx
    import torch
    from onnx import numpy_helper
    from ultralytics.nn.tasks import DetectionModel

    network = DetectionModel("yolo11n.yaml", ch=3, nc=1, verbose=False).eval().fuse(verbose=False)
    stored = {
        tensor.name.removesuffix(".half"): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in onnx.load(path).graph.initializer
        if tensor.name.startswith("model.")
    }
    missing = [name for name in network.state_dict() if name not in stored]
    if missing:
        raise InputError(f"{path} is no export of a YOLO11n of one class: it has no {missing[0]}")
    network.load_state_dict({name: stored[name] for name in network.state_dict()})
    network.names = {0: "person"}
    return network
