"""A finished run on the floor looked at again: all its results are made anew, as if the end had been known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from apps.interrupts import StopRequest
from apps.progress import CameraProgress
from apps.track_run import TrackRun
from tracker.floor.pipeline import FloorPipeline
from tracker.storage.floor_results import FloorSpool
from tracker.storage.results import ObservationSpool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.floor.people import FloorPeople
    from tracker.pipeline import CameraResult
    from tracker.video.frames import Frame

__all__ = ["look_again"]

#: what ``multicam track`` does with an instant's frames and what they showed
Take = Callable[["Sequence[Frame]", "list[CameraResult]"], None]


class _Enough(Exception):
    """Somebody does not want to wait until all is looked at again."""


def look_again(run: TrackRun, stop: StopRequest, stack: contextlib.ExitStack, take: Take) -> None:
    """Put into ``run`` what is known of a finished run at its end, in place of what was known at each instant.

    A run that cannot be looked at again, or was broken off, stays as it is; so does one during whose looking again
    somebody interrupts. Identities are not settled for the last time yet.

    Args:
        run: after its last frame.
        stop: asked all the time.
        stack: takes what must be closed.
        take: is called with every instant once more; its images are not known any longer.

    Raises:
        InputError: the disk is full or went away.
    """
    pipeline = run.pipeline
    if not isinstance(pipeline, FloorPipeline) or pipeline.remembered is None:
        return
    if run.interrupted or run.failure is not None or not len(pipeline.remembered):
        return
    people = _people(run, pipeline, stop)
    if people is None:
        run.notices.say("Interrupted: people are where they were followed at first. Interrupt again to stop at once.")
        return
    run.spool = stack.enter_context(ObservationSpool(run.folder.staging))
    run.floor = stack.enter_context(FloorSpool(run.folder.staging))
    if run.detections is not None:
        run.detections = stack.enter_context(ObservationSpool(run.folder.staging))
    run.events.begin_again()
    if run.zones is not None:
        run.zones.begin_again()
    run.frame_counts.clear()
    pipeline.begin_again()
    if run.gallery is not None:
        run.gallery.load()
    wanted = set() if run.crops is None else run.crops.boxes()
    owners: dict[tuple[int, int, int], int] = {}
    numbers = {name: number for number, name in enumerate(run.names)}
    for frames, results, events in pipeline.replayed(people):
        run.events.add(events)
        take(frames, results)
        for result in results:
            camera, frame = numbers[result.frame.camera], result.frame.index
            for track, row in zip(result.tracks.ids.tolist(), result.tracks.detection_indices.tolist()):
                if (camera, frame, row) in wanted:
                    owners[camera, frame, row] = track
    if run.crops is not None:
        run.crops.give_to(owners)
    pipeline.remembered.close()


def _people(run: TrackRun, pipeline: FloorPipeline, stop: StopRequest) -> list[FloorPeople] | None:
    """Return who was where at every instant; ``None`` if somebody interrupts."""
    assert pipeline.remembered is not None
    total, done = 3 * len(pipeline.remembered), 0
    with CameraProgress("look again at", {"all people": total}, run.console) as progress:

        def advance() -> None:
            nonlocal done
            if stop.requested:
                raise _Enough
            done += 1
            progress.reach("all people", done)

        try:
            return pipeline.look_again(advance)
        except _Enough:
            run.interrupted = True
            return None
