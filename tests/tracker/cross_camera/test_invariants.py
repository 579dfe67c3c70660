"""What must hold of identities whatever the cameras report."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.cross_camera.worlds import Reader, Step, World, found, identity, random_world, run, seen
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import LONG_RUN, IdentitySettings

seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(["auto", "separate", "none"])


def make(cameras: list[str], mode: str, **changes: Any) -> Identities:
    settings = {"settle_seconds": 4.0, "views": "separate" if mode == "separate" else "auto"} | changes
    return Identities(cameras, IdentitySettings(**settings), None if mode == "none" else 0.5)


def assert_exclusive(identities: Identities, step: Step, mode: str) -> None:
    per_camera = {
        observed.camera: [identity(identities, observed.camera, track, observed.time) for track in observed.track_ids]
        for observed in step
    }
    groups = [chain.from_iterable(per_camera.values())] if mode == "separate" else per_camera.values()
    for group in groups:
        numbers = Counter(number for number in group if number)
        assert not numbers or max(numbers.values()) == 1, (step[0].time, per_camera)


@settings(max_examples=100, deadline=None)
@given(
    seed=seeds,
    mode=modes,
    cameras=st.integers(1, 3),
    forgets=st.booleans(),
    noise=st.sampled_from([0.1, 0.6, 3.0]),
    busy=st.sampled_from([1.0, 3.0]),
)
def test_exclusive_never_reused_and_told_in_events(
    seed: int, mode: str, cameras: int, forgets: bool, noise: float, busy: float
) -> None:
    world = random_world(seed, seconds=24, cameras=cameras, noise=noise, embedder=mode != "none", busy=busy)
    limits = {"remembered_tracklets": 10, "gallery_capacity": 3} if forgets else {}
    identities = make(world.cameras, mode, **limits)
    reader = Reader()
    for step in world.steps:
        reader.read(identities.observe(step))
        assert_exclusive(identities, step, mode)
        for observed in step:
            for track in observed.track_ids.tolist():
                assert reader.identity_of(observed.camera, track, observed.time) == identity(
                    identities, observed.camera, track, observed.time
                )
    reader.read(identities.finish())
    for step in world.steps:
        assert_exclusive(identities, step, mode)
    final = found(identities, world)
    assert {sight: reader.identity_of(*sight) for sight in final} == final
    assert set(final.values()) - {0} <= set(reader.opened) - set(reader.merged)
    assert reader.opened == sorted(reader.opened)
    assert {(camera, track) for camera, track, _ in world.truth} == reader.started


@settings(max_examples=8, deadline=None)
@given(seed=seeds, mode=modes, order=st.permutations(range(3)))
def test_repeatable_and_blind_to_the_order_of_cameras(seed: int, mode: str, order: list[int]) -> None:
    world = random_world(seed, seconds=20, cameras=3, embedder=mode != "none")
    mixed = World(
        [world.cameras[number] for number in order],
        [sorted(step, key=lambda observed: order.index(world.cameras.index(observed.camera))) for step in world.steps],
        world.truth,
    )
    results = []
    for same in (world, world, mixed):
        identities = make(same.cameras, mode)
        results.append((run(identities, same), found(identities, world), identities.threshold_record()))
    assert results[0] == results[1]
    assert results[0] == results[2]


def size_of(thing: Any, reached: set[int]) -> int:
    """Return how many values can be reached from an object through containers and attributes."""
    if id(thing) in reached or isinstance(thing, (str, type)) or thing is None:
        return 0
    reached.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.size
    if isinstance(thing, dict):
        return sum(1 + size_of(key, reached) + size_of(value, reached) for key, value in thing.items())
    if isinstance(thing, (list, tuple, set, frozenset)):
        return sum(1 + size_of(entry, reached) for entry in thing)
    if not type(thing).__module__.startswith("tracker."):
        return 0
    names = set(getattr(thing, "__dict__", {}))
    names |= {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
    return sum(size_of(getattr(thing, name, None), reached) for name in sorted(names))


@pytest.mark.parametrize("mode", ["auto", "separate", "none"])
def test_memory_is_bounded(mode: str) -> None:
    """Cameras that run for long, one of which falls silent with people in view, and a track that never ends."""
    parts = [random_world(seed, seconds=20, cameras=2, embedder=mode != "none") for seed in range(12)]
    limits = {"remembered_tracklets": 20, "gallery_capacity": 6, "settle_seconds": 2.0}
    identities = make(parts[0].cameras, mode, **LONG_RUN | limits)
    sizes, starts = [], []
    for part, world in enumerate(parts):
        for step in world.steps:
            shifted = []
            for observed in step:
                if part and observed.camera == parts[0].cameras[0]:
                    continue
                ids = observed.track_ids + 100_000 * part
                rows = [
                    (int(track), box, None, 0.0)
                    if observed.features is None
                    else (int(track), box, row if np.isfinite(row[0]) else None, float(quality))
                    for track, box, row, quality in zip(
                        ids,
                        observed.boxes,
                        observed.features if observed.features is not None else ids,
                        observed.qualities,
                        strict=True,
                    )
                ]
                rows.append((7, [600, 600, 640, 700], None, 0.0))
                shifted.append(
                    seen(
                        observed.camera,
                        observed.time + 20.0 * part,
                        rows,
                        ended=observed.ended + 100_000 * part,
                        embedder=mode != "none",
                    )
                )
            identities.observe(shifted)
        sizes.append(size_of(identities, set()))
        starts.append(len(identities._history))
    assert max(sizes[6:]) < 1.5 * max(sizes[1:5]), sizes
    assert max(starts[6:]) <= max(30, 2 * max(starts[1:4])), starts
    if mode != "none":
        assert len(identities._tracklets) < 60
        assert len(identities.archive) <= 6 + 20
        assert len(identities.gallery) <= 6 + 40
