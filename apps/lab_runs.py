"""The long work of ``multicam evaluate lab``: rooms rendered, people detected once, tracked with each embedder.

Everything lies in one folder and is used again if it is complete and was made from the same::

    rooms/NAME                        of each seed, what ``multicam simulate`` writes
    runs/NAME/cameras.yaml            the cameras of a sequence without their own detections
    runs/NAME/detections/DETECTOR     what was detected, MOTChallenge text of each camera
    runs/NAME/tracks/EMBEDDER         what ``multicam track`` writes
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from apps.build import build_detector, build_embedder, input_files
from apps.interrupts import StopRequest
from apps.kept_results import KeptResult, code_fingerprint, file_stamps
from apps.notices import Notices
from apps.output_folder import RUN_RECORD, OutputFolder
from apps.progress import CameraProgress
from apps.run_record import write_run_record
from apps.settings import NetworkSettings, OutputSettings, TrackSettings
from apps.simulate import RoomSettings, render_room
from apps.track import run_track
from apps.validation import checked
from benchmarks.lab_sequence import LabSequence, lab_sequence
from tracker.errors import InputError
from tracker.floor.settings import FloorSettings
from tracker.storage.atomic import atomic_path
from tracker.storage.results import ObservationSpool, write_detections
from tracker.video.addresses import safe_name
from tracker.video.cameras import read_cameras
from tracker.video.sources import open_source
from tracker.video.synchronizer import synchronize

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["OWN_DETECTIONS", "LabWork", "file_name"]

#: the detections that come with a sequence
OWN_DETECTIONS = "own"
_LONGEST_NAME = 60


def file_name(name: str) -> str:
    """Return what a model or a sequence is called among files; long names that begin alike stay apart."""
    if len(name) <= _LONGEST_NAME:
        return safe_name(name)
    return f"{safe_name(name[-_LONGEST_NAME:])}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class LabWork:
    """What is done to each sequence, and where.

    Args:
        folder: where everything lies.
        detector: as for ``multicam track``; not asked if there are ``detections``.
        detections: MOTChallenge text: a file, a folder with ``NAME.txt`` of each camera, or with such a folder for each
            sequence, or :data:`OWN_DETECTIONS`.
        networks: what runs detector and embedders.
        floor: settings of the floor tracker.
        look_again: whether runs are looked at again from their end, where that is possible.
        stop: keeps an interrupt from coming between two files that belong together.
        notices: where a person is told what is done.
        console: where progress is shown; ``None``: nowhere.
    """

    folder: Path
    detector: str
    detections: str | None
    networks: NetworkSettings
    floor: FloorSettings
    look_again: bool
    stop: StopRequest
    notices: Notices
    console: Console | None

    def check_models(self, embedders: Sequence[str]) -> None:
        """Build what will be needed, so that a wrong name is noticed before hours of work.

        Raises:
            InputError: a name or a file cannot be used.
        """
        for embedder in embedders:
            build_embedder(self._settings(Path(), self.detector, embedder))
        if self.detections is None:
            build_detector(self._settings(Path(), self.detector, "none"), [])

    def room(self, settings: RoomSettings) -> LabSequence:
        """Return the simulated room, rendered unless it is there already.

        Raises:
            InputError: a setting is out of its range, or the folder cannot be written.
            KeyboardInterrupt: interrupted; nothing of the room is there.
        """
        folder = self.folder / "rooms" / f"seed{settings.seed}-{settings.seconds / 60:g}min"
        made_from = {**dataclasses.asdict(settings), "multicam": version("multicam-tracker")}
        kept = KeptResult(folder, {name: value for name, value in made_from.items() if name != "workers"})
        if kept.is_complete:
            self.notices.say(f"{folder.name}: rendered before")
        else:
            with kept.being_made(), OutputFolder(folder, overwrite=True) as output:
                render_room(output, "", settings, self.stop, self.console)
        return lab_sequence(folder)

    def detections_of(self, sequence: LabSequence, among: int) -> Path | None:
        """Return where the given detections of a sequence are; ``None``: a detector is to make them.

        Args:
            sequence: one of those evaluated.
            among: how many these are.

        Raises:
            InputError: there are none for this sequence.
        """
        if self.detections is None:
            return None
        if self.detections == OWN_DETECTIONS:
            own = sequence.folder / "detections"
            if not own.is_dir():
                raise InputError(f"no folder {own}; give --detector, or --detections PATH")
            return own
        given = Path(self.detections).expanduser()
        if not given.exists():
            raise InputError(f"no detections {given}; give a file, a folder with NAME.txt of each camera, or own")
        if (given / sequence.name).is_dir():
            return given / sequence.name
        if among > 1:
            raise InputError(f"{among} sequences, but {given} has no folder {sequence.name} with detections of its own")
        return given

    def detected(self, sequence: LabSequence) -> Path:
        """Return the folder of the detector's detections of a sequence, made unless they are there already.

        Raises:
            InputError: a video or the detector cannot be used, or the folder cannot be written.
            KeyboardInterrupt: interrupted; nothing of the detections is there.
        """
        settings = self._settings(self._cameras(sequence), self.detector, "none")
        folder = self._place(sequence) / "detections" / file_name(self.detector)
        wanted = {name: getattr(settings, name) for name in ("detector", "confidence", "iou", "classes")}
        wanted |= self.networks.model_dump(mode="json")
        kept = KeptResult(folder, {**wanted, "multicam": version("multicam-tracker"), "files": self._files(settings)})
        if kept.is_complete:
            self.notices.say(f"{sequence.name}: detected with {self.detector} before")
        else:
            self.notices.say(f"{sequence.name}: detecting with {self.detector}")
            with kept.being_made(), OutputFolder(folder, overwrite=True) as output:
                self._detect(settings, output)
        return folder

    def tracked(self, sequence: LabSequence, detections: Path, embedder: str) -> Path:
        """Return the folder of a run of ``multicam track``, made unless it is there already.

        Raises:
            InputError: something cannot be used, or the folder cannot be written.
            KeyboardInterrupt: interrupted; what was done so far is not used again.
        """
        settings = self._settings(self._cameras(sequence), f"mot:{detections}", embedder)
        folder = self._place(sequence) / "tracks" / file_name(embedder)
        described = {"settings": settings.model_dump(mode="json"), "files": self._files(settings)}
        kept = KeptResult(folder, described | {"code": code_fingerprint()})
        what = "by motion alone" if not settings.attempts_identities else f"with {embedder}"
        if kept.is_complete:
            self.notices.say(f"{sequence.name}: tracked {what} before")
            return folder
        self.notices.say(f"{sequence.name}: tracking {what}")
        with kept.being_made():
            outputs = OutputSettings(folder=folder, overwrite=True, video=False, quiet=self.console is None)
            report = run_track(settings, outputs, self.console)
            if report.interrupted:
                raise KeyboardInterrupt
        # They have been shown.
        self.notices.warnings += [f"{sequence.name}, {what}: {warning}" for warning in report.warnings]
        return folder

    def models(self, runs: Mapping[str, Mapping[str, Path]]) -> list[str]:
        """Return what detected and embedded, each with its runtime and precision, as the runs' records say.

        Args:
            runs: sequence → embedder → folder of ``multicam track``.
        """
        records = [folder / RUN_RECORD for found in runs.values() for folder in found.values()]
        if self.detections is None:
            detected = f"detections/{file_name(self.detector)}/{RUN_RECORD}"
            records = [*(self._place_of(name) / detected for name in runs), *records]
        known = [json.loads(path.read_text("utf-8")) for path in records]
        named = [record.get(kind) for record in known for kind in ("detector", "embedder")]
        # Boxes that were read from files were found before.
        return list(dict.fromkeys(name for name in named if name and not name.startswith("mot:")))

    def _place_of(self, sequence: str) -> Path:
        return self.folder / "runs" / file_name(sequence)

    def _place(self, sequence: LabSequence) -> Path:
        return self._place_of(sequence.name)

    def _settings(self, cameras: Path, detector: str, embedder: str) -> TrackSettings:
        return checked(
            TrackSettings,
            sources=[str(cameras)],
            detector=detector,
            embedder=embedder,
            **self.networks.model_dump(),
            look_again=self.look_again,
            pipeline={"floor_settings": self.floor},
        )

    def _cameras(self, sequence: LabSequence) -> Path:
        """Write the cameras without detections of their own, which would go before any other; return the file."""
        entries: list[dict[str, Any]] = []
        for camera in sequence.cameras:
            entry = camera.model_dump(mode="json", exclude={"detections"}, exclude_none=True)
            entries.append({name: value for name, value in entry.items() if name != "start_offset" or value})
        text = yaml.safe_dump({"cameras": entries}, sort_keys=False)
        path = self._place(sequence) / "cameras.yaml"
        # Its time tells whether results are of the same cameras.
        if not path.is_file() or path.read_text("utf-8") != text:
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return path

    def _files(self, settings: TrackSettings) -> dict[str, list[int]]:
        models = [Path(name).expanduser() for name in (settings.detector, settings.embedder)]
        cameras = read_cameras(settings.sources[0])
        return file_stamps([*input_files(settings, cameras), *(path for path in models if path.is_file())])

    def _detect(self, settings: TrackSettings, output: OutputFolder) -> None:
        cameras = read_cameras(settings.sources[0])
        with contextlib.ExitStack() as stack:
            sources = [stack.enter_context(open_source(camera)) for camera in cameras]
            detector = build_detector(settings, cameras)
            spool = stack.enter_context(ObservationSpool(output.staging))
            totals = {source.name: source.frame_count for source in sources}
            progress = stack.enter_context(CameraProgress("detect", totals, self.console))
            instants = synchronize(sources)
            stack.callback(instants.close)  # type: ignore[attr-defined]
            numbers = {source.name: number for number, source in enumerate(sources)}
            for frames in instants:
                for frame, found in zip(frames, detector.detect(frames), strict=True):
                    nobody = np.full(len(found), -1)
                    spool.append(
                        numbers[frame.camera], frame.index, frame.time, nobody, found.boxes, found.scores, found.classes
                    )
                    progress.advance(frame.camera)
            for source in sources:
                for warning in source.warnings:
                    self.notices.warn(warning)
            for name, number in numbers.items():
                write_detections(output.file(f"{name}.txt"), spool, number)
            write_run_record(output, {"command": "evaluate lab", "detector": detector.description})
        with self.stop.shielded():
            output.publish()
