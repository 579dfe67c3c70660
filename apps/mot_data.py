"""MOTChallenge sequences and their boxes: the options that say which, and what they mean, for all who read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.evaluation_options import DATA

if TYPE_CHECKING:
    from apps.settings import NetworkSettings
    from benchmarks.mot_challenge import MotSequence
    from benchmarks.mot_input import MotTruth
    from benchmarks.mot_tracking import Preparation
    from tracker.protocols import Detector
    from tracker.storage.mot_files import MotDetections

__all__ = ["MotData"]

_DETECTOR_SUFFIXES = (".pt", ".onnx", ".xml", ".torchscript", ".engine")


@dataclass(frozen=True, slots=True)
class MotData:
    """Which sequences, and whose boxes; a group of options (see :mod:`apps.option_groups`)."""

    root: Annotated[
        Path,
        typer.Option(
            envvar="MULTICAM_DATA",
            help="Folder of MOTChallenge sequences (MOT15, 16, 17, 20, DanceTrack), as distributed or flat, one "
            "sequence, or a folder that has them as train, mot16 or data/mot16.",
            rich_help_panel=DATA,
        ),
    ]
    sequences: Annotated[
        list[str] | None,
        typer.Option(
            "--sequences",
            "--sequence",
            help="Names or numbers (02,05), with commas or repeatable; all that have a truth by default.",
            rich_help_panel=DATA,
        ),
    ] = None
    detections: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Whose boxes: dpm, frcnn, sdp, a file, a folder with SEQ.txt, or, with images, a detector as for "
            "track. By default those that come with the sequences.",
            rich_help_panel=DATA,
        ),
    ] = None
    confidence: Annotated[
        float | None, typer.Option(help="Boxes need a higher score, in the file's units.", rich_help_panel=DATA)
    ] = None
    iou: Annotated[
        float | None, typer.Option(help="Of boxes that overlap by more, the best stays.", rich_help_panel=DATA)
    ] = None
    margins: Annotated[
        str | None,
        typer.Option(
            metavar="SLOPE,CENTRE",
            help="Make scores of margins (DPM's): 1 / (1 + exp(-SLOPE (score - CENTRE))).",
            rich_help_panel=DATA,
        ),
    ] = None

    @property
    def preparation(self) -> Preparation:
        """What is done to boxes before a tracker sees them.

        Raises:
            InputError: a value that cannot be.
        """
        from benchmarks.mot_tracking import Preparation

        return Preparation(self.confidence, self.iou, _margins_of(self.margins))

    def chosen_sequences(self, *, with_boxes: bool = True) -> list[MotSequence]:
        """Return the sequences asked for.

        Args:
            with_boxes: of those, where a public detector is named, that have its boxes.

        Raises:
            InputError: there is no such folder, or not all of the sequences.
        """
        from benchmarks.mot_challenge import chosen_sequences, mot_sequences, of_detector

        found = mot_sequences(self.root)
        names = tuple(name for given in self.sequences or [] for name in given.split(","))
        return list(chosen_sequences(of_detector(found, self.detections) if with_boxes else found, names))

    def detector(self, sequences: list[MotSequence], networks: NetworkSettings) -> Detector | None:
        """Return the detector that ``--detections`` names, if it does not name boxes.

        Raises:
            InputError: it cannot be used, or there are no images.
        """
        from tracker.detectors.shipped import SHIPPED_DETECTORS

        given = self.detections
        if given is None or any(given.lower() in one.detections for one in sequences) or "{sequence}" in given:
            return None
        is_model = given.lower().endswith(_DETECTOR_SUFFIXES)
        if not is_model and not (given in SHIPPED_DETECTORS and not Path(given).exists()):
            return None
        from apps.mot_images import check_images
        from tracker.detectors import create_detector

        check_images(sequences, f"--detections {given} (a detector)")
        return create_detector(given, classes=[0], **networks.model_dump())

    def read_boxes(self, truths: list[MotTruth]) -> dict[str, MotDetections]:
        """Return sequence → boxes as they are in its file.

        Raises:
            InputError: a file is missing or broken.
        """
        from benchmarks.mot_input import detection_file, read_sequence_detections

        several = len(truths) > 1
        files = [detection_file(truth.sequence, self.detections, of_several=several) for truth in truths]
        return {
            truth.sequence.name: read_sequence_detections(truth, file)
            for truth, file in zip(truths, files, strict=True)
        }


def _margins_of(text: str | None) -> tuple[float, float] | None:
    """Return slope and centre of ``"SLOPE,CENTRE"``.

    Raises:
        InputError: another form.
    """
    from tracker.errors import InputError

    if text is None:
        return None
    try:
        slope, centre = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--margins is {text!r}; give SLOPE,CENTRE, for example 2,0.5") from None
    return slope, centre
