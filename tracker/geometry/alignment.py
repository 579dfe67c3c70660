"""Where a camera is, and how its clock goes, from people who are also followed on the floor by calibrated cameras.

Who is who is not known. Guesses of how the camera looks down (``view_guesses.py``) and single stretches of its tracks
laid onto people's paths (``registration.py``) give hypotheses; the best are improved by deciding who is who at every
instant (``box_explanation.py``) and fitting pose, focal length, clock and heights (``alignment_refinement.py``). The
one that explains most boxes is the answer, if no other explains nearly as many.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError, nearest_name_hint
from tracker.geometry.aligned_homography import aligned_homography
from tracker.geometry.alignment_checks import check_paths, checked_agreement, checked_offsets
from tracker.geometry.alignment_refinement import AlignedView, improved
from tracker.geometry.alignment_result import Alignment, fit_errors, who_is_who
from tracker.geometry.box_explanation import LOOK_SECONDS, explain
from tracker.geometry.camera import Camera
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.people_tracks import BoxTracks, FloorPaths
from tracker.geometry.registration import OFFSET_STEP, Registration, registrations
from tracker.geometry.view_guesses import PERSON_HEIGHT, Lens, view_guesses

__all__ = ["MODELS", "Alignment", "align_camera", "align_clock"]

Array = NDArray[np.float64]

MODELS = ("homography", "pose")

#: looks used to find hypotheses, and to choose among them; in windows of so many seconds, spread over the recording
_SEARCH_LOOKS, _CHOICE_LOOKS, _FINAL_LOOKS, _WINDOW_SECONDS = 900, 300, 4000, 12.0
#: numbers (offsets × looks × people) that are looked at together while hypotheses are found
_MOST_NUMBERS = 6_000_000
#: hypotheses that are improved, of those that are not near one that was
_IMPROVED = 5
#: tolerances while a rough hypothesis is improved
_NARROWING = (2.5, 1.5, 1.0)
#: two answers differ when their clocks (s), places (m) or directions (radians) do by more
_DIFFERENT = (0.7, 0.8, 0.2)


def align_camera(
    paths: FloorPaths,
    tracks: BoxTracks,
    *,
    name: str = "camera",
    model: str = "pose",
    intrinsics: Camera | None = None,
    offset_range: float = 5.0,
    advance: Callable[[int, int], None] | None = None,
) -> Alignment:
    """Return where a camera is, how it looks and how its clock goes.

    Args:
        paths: of people on the floor.
        tracks: of the camera; its ids need not be those of the paths.
        name: of the camera.
        model: ``"pose"``; or ``"homography"``, found from a pose by the boxes' feet, which is right on the floor where
            the principal point is not central.
        intrinsics: a camera whose K and distortion hold. Without it pixels are taken as square and the principal point
            as the image's centre, and the focal length is found.
        offset_range: seconds that the camera's clock may be wrong either way; 0: it is right to ``OFFSET_STEP``.
        advance: called with the number of finished and of all steps.

    Raises:
        InputError: tracks and paths share no time, are too few or on one line, or do not agree on one answer.
    """
    if model not in MODELS:
        raise InputError(f"unknown model {model!r}: {nearest_name_hint(model, MODELS)}")
    if model == "homography" and intrinsics is not None:
        raise InputError("a homography uses no intrinsics: leave them out, or choose the model pose")
    offsets = checked_offsets(offset_range, OFFSET_STEP)
    check_paths(paths, tracks, offset_range, name)
    lens = Lens(tracks.width, tracks.height, intrinsics)
    looks = tracks.looks(LOOK_SECONDS)
    guesses = view_guesses(looks, lens)
    if not guesses:
        raise InputError(
            f"camera {name} cannot be aligned: it has too few boxes of whole people; give point pairs with multicam "
            "calibrate"
        )
    steps = len(guesses) + _IMPROVED + 1
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if advance is not None:
            advance(min(done, steps), steps)

    most = min(_SEARCH_LOOKS, _MOST_NUMBERS // (len(offsets) * len(paths)))
    found = registrations(paths, _spread(looks, max(most, 200)), lens, guesses, offsets, step)
    choice = _spread(looks, _CHOICE_LOOKS)
    rough = [(_view(one, lens, len(paths)), one) for one in found]
    scores = [explain(view.camera(lens), paths, choice, view.offset, view.heights, 2.0).score for view, _ in rough]
    answers: list[tuple[AlignedView, float]] = []
    for index in np.argsort(-np.array(scores), kind="stable"):
        start = rough[index][0]
        if len(answers) == _IMPROVED:
            break
        if any(_alike(start, other) for other, _ in answers):
            continue
        view, explanation, _ = improved(start, lens, paths, choice, tolerances=_NARROWING)
        answers.append((view, explanation.score))
        step()
    answers.sort(key=lambda answer: -answer[1])
    best, runner_up = _first_and_other(answers)
    result = _finished(best, lens, paths, _spread(looks, _FINAL_LOOKS), runner_up, name, model)
    if advance is not None:
        advance(steps, steps)
    return checked_agreement(result, name, "give point pairs with multicam calibrate")


def align_clock(
    paths: FloorPaths,
    tracks: BoxTracks,
    camera: FloorCamera,
    *,
    offset_range: float = 5.0,
    advance: Callable[[int, int], None] | None = None,
) -> Alignment:
    """Return how the clock of a calibrated camera goes, by the paths of people that others saw.

    Args:
        paths: of people on the floor.
        tracks: of the camera.
        camera: as it was calibrated.
        offset_range: seconds that its clock may be wrong either way.
        advance: called with the number of finished and of all steps.

    Raises:
        InputError: as for ``align_camera``.
    """
    name = camera.name
    offsets = checked_offsets(offset_range, OFFSET_STEP)
    check_paths(paths, tracks, offset_range, name, on_line=True)
    lens = Lens(tracks.width, tracks.height)
    looks = tracks.looks(LOOK_SECONDS)
    choice = _spread(looks, _CHOICE_LOOKS)
    heights = np.full(len(paths), PERSON_HEIGHT)
    scores = []
    for number, offset in enumerate(offsets):
        scores.append(explain(camera, paths, choice, float(offset), heights, 1.5).score)
        if advance is not None:
            advance(number + 1, len(offsets))
    answers: list[tuple[AlignedView, float]] = []
    for index in np.argsort(-np.array(scores), kind="stable"):
        start = AlignedView(1.0, np.eye(3), np.zeros(3), float(offsets[index]), heights, known=camera)
        if len(answers) == 3:
            break
        if not any(_alike(start, other) for other, _ in answers):
            view, explanation, _ = improved(start, lens, paths, choice, tolerances=(1.5, 1.0))
            answers.append((view, explanation.score))
    answers.sort(key=lambda answer: -answer[1])
    best, runner_up = _first_and_other(answers)
    result = _finished(best, lens, paths, _spread(looks, _FINAL_LOOKS), runner_up, name)
    remedy = "check its calibration, or compare it with a camera that sees the same floor"
    return checked_agreement(result, name, remedy)


def _view(one: Registration, lens: Lens, people: int) -> AlignedView:
    camera = one.guess.camera(lens, "camera", one.place, one.turn, one.scale)
    return AlignedView(one.guess.focal, camera.rotation, camera.position, one.offset, np.full(people, PERSON_HEIGHT))


def _alike(first: AlignedView, second: AlignedView) -> bool:
    turn = np.arccos(np.clip((np.trace(first.rotation @ second.rotation.T) - 1) / 2, -1, 1))
    return bool(
        abs(first.offset - second.offset) <= _DIFFERENT[0]
        and np.linalg.norm(first.position - second.position) <= _DIFFERENT[1]
        and turn <= _DIFFERENT[2]
    )


def _first_and_other(answers: list[tuple[AlignedView, float]]) -> tuple[AlignedView | None, float]:
    """Return the best answer, and the score of the best that is not the same."""
    if not answers:
        return None, 0.0
    best = answers[0][0]
    return best, max((score for view, score in answers[1:] if not _alike(view, best)), default=0.0)


def _spread(looks: BoxTracks, most: int) -> BoxTracks:
    """Return the looks of evenly spread windows of time, about ``most`` of them."""
    if len(looks) <= most:
        return looks
    window = np.floor(looks.times / _WINDOW_SECONDS).astype(np.int64)
    counts = np.unique(window, return_counts=True)
    wanted = max(1, round(most / float(counts[1].mean())))
    chosen = counts[0][np.unique(np.linspace(0, len(counts[0]) - 1, wanted).round().astype(int))]
    return looks.subset(np.isin(window, chosen))


def _finished(
    view: AlignedView | None,
    lens: Lens,
    paths: FloorPaths,
    looks: BoxTracks,
    runner_up: float,
    name: str,
    model: str = "pose",
) -> Alignment | None:
    """Return an answer improved by all looks, with what is told of it; ``None`` when it explains nothing."""
    if view is None:
        return None
    view, pairs, deviations = improved(view, lens, paths, looks)
    if deviations is None or not len(pairs.looks):
        return None
    camera: FloorCamera
    if view.known is not None:
        camera = view.known
    else:
        camera = lens.camera(name, view.focal, view.rotation, view.position)
        if model == "homography":
            part = looks.subset(pairs.looks)
            camera = aligned_homography(camera, part, paths.places_of(pairs.people, part.times + view.offset))
    feet, heads, floor = fit_errors(camera, view, paths, looks, pairs)
    return Alignment(
        camera, view.offset, deviations, who_is_who(paths, looks, pairs), len(looks), len(pairs.looks), pairs.score,
        runner_up, feet, heads, floor,
    )  # fmt: skip
