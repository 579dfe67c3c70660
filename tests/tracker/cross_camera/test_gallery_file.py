"""People who outlive a run: numbers kept, files that are refused, and what was never half-written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tracker.cross_camera.worlds import identity, seen, unit_vectors
from tracker.cross_camera.earlier_runs import KnownPeople
from tracker.cross_camera.events import Event
from tracker.cross_camera.gallery_file import EmbedderMark, embedder_mark, read_gallery, write_gallery
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import IdentitySettings
from tracker.errors import InputError
from tracker.storage.atomic import atomic_path

LOOKS = unit_vectors(8)
MARK = EmbedderMark("net", unit_vectors(4, seed=9))
EMPTY = KnownPeople([], 1, {})


class Constant:
    """An embedder whose vectors depend on the mean of a crop and on its weights."""

    description, dimension, default_threshold = "constant", 8, 0.5

    def __init__(self, weights: int) -> None:
        self.matrix = np.random.default_rng(weights).normal(size=(3, 8))

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.array([crop.reshape(-1, 3).std(axis=0) - crop.reshape(-1, 3).mean(axis=0) for crop in crops])
        vectors = rows @ self.matrix
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def day(
    people: Sequence[int], known: KnownPeople | None = None, *, cameras: Sequence[str] = ("a", "b"), **changes: Any
) -> tuple[Identities, dict[int, int], list[Event]]:
    """Show people in the first camera, all at once; return identities, person → number, and what happened."""
    identities = Identities(cameras, IdentitySettings(settle_seconds=2.0, **changes), 0.5)
    if known is not None:
        identities.load(known)
    rng = np.random.default_rng(0)
    events = []
    for tick in range(20):
        rows = []
        for place, person in enumerate(people):
            box = [150.0 * place, 100.0, 150.0 * place + 80, 300.0]
            crop = LOOKS[person] + 0.1 * rng.normal(size=32) / 6
            rows.append((person, box, (crop / np.linalg.norm(crop)).astype(np.float32), 0.8))
        events += identities.observe([seen(cameras[0], tick / 4, rows)])
    events += identities.finish()
    return identities, {person: identity(identities, cameras[0], person, 1.0) for person in people}, events


def kept(folder: Path, people: KnownPeople) -> KnownPeople:
    """Return people after they were a file."""
    write_gallery(folder / "people.npz", people, MARK)
    return read_gallery(folder / "people.npz", MARK)


def test_who_comes_back_has_the_old_number(tmp_path: Path) -> None:
    first, numbers, _ = day([0, 1, 2, 3])
    assert sorted(numbers.values()) == [1, 2, 3, 4]
    second, found, events = day([3, 5, 1], kept(tmp_path, first.known_people()), cameras=("door", "a"))
    assert found == {3: numbers[3], 1: numbers[1], 5: 5}
    recalled = [event for event in events if event.kind == "identity_recalled"]
    assert sorted(event.identity or 0 for event in recalled) == sorted([numbers[3], numbers[1]])
    assert [event.identity for event in events if event.kind == "identity_opened"] == [5]
    assert events.index(recalled[0]) < min(
        number for number, event in enumerate(events) if event.identity == recalled[0].identity and event.track
    )
    people = kept(tmp_path, second.known_people())
    assert people.next_number == 6
    by_number = {one.number: one for one in people.identities}
    assert set(by_number) == {1, 2, 3, 4, 5}, "who did not come is still known"
    assert set(by_number[numbers[3]].views) == {"a", "door"} and set(by_number[5].views) == {"door"}
    assert len(by_number[numbers[3]].views["door"].prototypes) > 1
    assert by_number[numbers[0]].unseen_seconds == pytest.approx(4.75, abs=0.01), "the second run's length"
    assert by_number[5].unseen_seconds == 0.0
    _, third, _ = day([0, 5, 7], people)
    assert third == {0: numbers[0], 5: 5, 7: 6}


def test_what_an_earlier_run_kept_apart_stays_apart(tmp_path: Path) -> None:
    """Twins seen side by side in one run: in the next one of them comes."""
    first, _, _ = day([0, 1])
    people = first.known_people()
    for one in people.identities:
        (summary,) = one.views.values()
        summary._mean_sum = LOOKS[0].astype(np.float64) * summary.weight
    second, found, events = day([0], kept(tmp_path, people))
    assert found[0] in (1, 2)
    assert {one.number for one in second.known_people().identities} == {1, 2}
    assert not [event for event in events if event.kind == "identities_merged"]


def test_a_gallery_is_bounded_and_keeps_who_was_seen_last(tmp_path: Path) -> None:
    first, numbers, _ = day([0, 1, 2, 3])
    second, _, _ = day([0, 1], kept(tmp_path, first.known_people()))
    third, found, _ = day([4], kept(tmp_path, second.known_people()), gallery_capacity=2)
    assert found[4] == 5, "numbers of the forgotten are not used again"
    left = {one.number for one in third.known_people().identities}
    assert 5 in left and left <= {5, numbers[0], numbers[1]} and len(left) <= 3


def test_an_empty_gallery_is_a_gallery(tmp_path: Path) -> None:
    people = kept(tmp_path, Identities(["a"], None, 0.5).known_people())
    assert (list(people.identities), people.next_number, dict(people.camera_means)) == ([], 1, {})
    _, found, _ = day([0], people)
    assert found == {0: 1}


def test_means_of_cameras_are_kept(tmp_path: Path) -> None:
    mean = LOOKS[0] / 2
    people = kept(tmp_path, KnownPeople([], 4, {"a": mean}))
    assert people.camera_means["a"] == pytest.approx(mean)
    assert people.next_number == 4


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "other zip", "pickle", "misfit", "number", "infinite"])
def test_a_broken_gallery_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "people.npz"
    write_gallery(path, day([0, 1])[0].known_people(), MARK)
    with np.load(path) as stored:
        arrays = dict(stored)
    if kind == "text":
        path.write_text("people\n" * 100)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-700])
    elif kind == "other zip":
        np.savez(path, something=np.zeros(3))
    elif kind == "pickle":
        np.savez(path, **(arrays | {"numbers": np.array([{}, {}], object)}))
    elif kind == "misfit":
        np.savez(path, **(arrays | {"view_counts": np.ones(1, np.int64)}))
    elif kind == "number":
        np.savez(path, **(arrays | {"numbers": np.array([7, 8])}))
    else:
        np.savez(path, **(arrays | {"view_totals": arrays["view_totals"] * np.float32(np.inf)}))
    with pytest.raises(InputError, match="is no gallery of multicam, or a broken one") as caught:
        read_gallery(path, MARK)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    write_gallery(path, EMPTY, MARK)
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["header"].tobytes()) | {"version": 2}
    np.savez(path, **(arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}))
    with pytest.raises(InputError, match="is of version 2"):
        read_gallery(path, MARK)


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    marks = [embedder_mark(Constant(weights)) for weights in (0, 0, 1)]
    write_gallery(path, EMPTY, marks[0])
    assert read_gallery(path, marks[1]).next_number == 1
    nearly = EmbedderMark("constant", (marks[0].vectors + np.float32(1e-3)))
    read_gallery(path, nearly)
    with pytest.raises(InputError, match="made by constant with other weights"):
        read_gallery(path, marks[2])
    with pytest.raises(InputError, match=r"embedder constant with vectors of 8, and net makes vectors of 32"):
        read_gallery(path, MARK)


def test_an_interrupted_write_leaves_the_old_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.npz"
    write_gallery(path, KnownPeople([], 3, {}), MARK)

    def stop(file: Any, **arrays: Any) -> None:
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", stop)
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        write_gallery(temporary, EMPTY, MARK)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["people.npz"]
    assert read_gallery(path, MARK).next_number == 3
