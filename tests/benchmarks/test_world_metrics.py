"""Metrics on the floor: cases counted by hand, and small ones computed by trying out every possibility."""

from __future__ import annotations

import json
import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.room_scores import ALL_CAMERAS
from benchmarks.world_metrics import FloorArea, FloorTracks, image_scores, score_floor, world_scores
from tracker.errors import InputError
from tracker.storage.mot_files import MotTracks

ENGINES = ["motmetrics", "trackeval"]
HERE, THERE, FAR = (1.0, 1.0), (5.0, 1.0), (20.0, 20.0)


def floor(*rows: tuple[int, int, tuple[float, float]]) -> FloorTracks:
    return FloorTracks([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


NOBODY = floor()
TWO_PEOPLE = floor(*[(frame, person, place) for frame in range(1, 11) for person, place in ((1, HERE), (2, THERE))])


@pytest.mark.parametrize("engine", ENGINES)
def test_perfect_results_in_another_order_and_with_other_names(engine) -> None:
    order = np.random.default_rng(0).permutation(len(TWO_PEOPLE))
    results = FloorTracks(TWO_PEOPLE.frames[order], 70 - TWO_PEOPLE.ids[order], TWO_PEOPLE.positions[order])
    scored = world_scores(TWO_PEOPLE, results, gate=1.0, engine=engine)
    shares = ["MOTA@1m", "IDF1@1m", "IDP@1m", "IDR@1m", "HOTA@1m", "DetA@1m", "AssA@1m"]
    assert [scored[name] for name in shares] == pytest.approx([100] * len(shares))
    assert [scored[name] for name in ("IDSW@1m", "FP@1m", "FN@1m", "TP@1m", "GT")] == [0, 0, 0, 20, 2]
    assert scored["MOTP@1m"] == pytest.approx(0, abs=1e-12)
    assert scored["engines"]["MOTA@1m"].startswith(engine)
    assert scored["engines"]["HOTA@1m"].startswith("trackeval")
    assert set(scored["engines"]) == set(scored) - {"engines"}


@pytest.mark.parametrize("engine", ENGINES)
def test_two_people_swap_identities_half_way(engine) -> None:
    """Two switches of 20; each identity is right for 5 of 10 frames, so IDF1 is a half.

    In HOTA each of the four pairs holds for 5 frames of a union of 15: A = 1/3 for every match.
    """
    swapped = np.where(TWO_PEOPLE.frames > 5, 3 - TWO_PEOPLE.ids, TWO_PEOPLE.ids)
    scored = world_scores(
        TWO_PEOPLE, FloorTracks(TWO_PEOPLE.frames, swapped, TWO_PEOPLE.positions), gate=1.0, engine=engine
    )
    assert (scored["IDSW@1m"], scored["FP@1m"], scored["FN@1m"], scored["TP@1m"]) == (2, 0, 0, 20)
    assert scored["MOTA@1m"] == pytest.approx(90)
    assert scored["IDF1@1m"] == pytest.approx(50)
    assert scored["DetA@1m"] == pytest.approx(100)
    assert scored["AssA@1m"] == pytest.approx(100 / 3)
    assert scored["HOTA@1m"] == pytest.approx(100 / math.sqrt(3))


@pytest.mark.parametrize("engine", ENGINES)
def test_misses_and_false_alarms(engine) -> None:
    """Person 2 is never found, person 1 in 8 frames of 10, and somebody is seen twice where nobody is."""
    results = floor(*[(frame, 4, HERE) for frame in range(1, 9)], (3, 5, FAR), (12, 5, FAR))
    scored = world_scores(TWO_PEOPLE, results, gate=1.0, engine=engine)
    assert (scored["TP@1m"], scored["FN@1m"], scored["FP@1m"], scored["IDSW@1m"]) == (8, 12, 2, 0)
    assert scored["MOTA@1m"] == pytest.approx(100 * (1 - 14 / 20))
    assert (scored["Rcll@1m"], scored["Prcn@1m"]) == pytest.approx((40, 80))
    assert scored["IDF1@1m"] == pytest.approx(100 * 2 * 8 / (20 + 10))
    assert scored["DetA@1m"] == pytest.approx(100 * 8 / 22)
    assert scored["AssA@1m"] == pytest.approx(80)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gate_itself_still_matches(engine) -> None:
    truth = floor(*[(frame, 1, (0.0, 0.0)) for frame in range(1, 6)])
    distances = [0.0, 0.5, 0.5001, 1.0, 1.0001]
    results = floor(*[(frame, 1, (0.0, d)) for frame, d in enumerate(distances, start=1)])
    row = score_floor({"a": (truth, results)}, gates=(1.0, 0.5), engine=engine)["rows"][0]
    assert (row["TP@1m"], row["FN@1m"], row["FP@1m"]) == (4, 1, 1)
    assert (row["TP@0.5m"], row["FN@0.5m"], row["FP@0.5m"]) == (2, 3, 3)
    assert row["MOTP@1m"] == pytest.approx((0 + 0.5 + 0.5001 + 1.0) / 4)
    assert row["MOTP@0.5m"] == pytest.approx(0.25)
    assert row["MOTA@0.5m"] == pytest.approx(100 * (1 - 6 / 5))
    assert row["IDF1@1m"] == pytest.approx(80)
    assert (row["TP"], row["FN"], row["FP"]) == (4, 1, 1)


def test_distance_lowers_hota_step_by_step() -> None:
    """0.32 m off, the similarity is 0.68 at 1 m (13 thresholds of 19 reached) and 0.36 at 0.5 m (7 of 19)."""
    truth = floor(*[(frame, 1, (0.0, 0.0)) for frame in range(1, 11)])
    results = floor(*[(frame, 1, (0.32, 0.0)) for frame in range(1, 11)])
    row = score_floor({"a": (truth, results)})["rows"][0]
    assert row["HOTA@1m"] == pytest.approx(100 * 13 / 19)
    assert row["HOTA@0.5m"] == pytest.approx(100 * 7 / 19)
    assert row["MOTA@0.5m"] == 100


def test_a_frame_range_restricts_both_sides() -> None:
    results = floor(*[(frame, 1, HERE) for frame in (*range(1, 11), 20)], (3, 8, FAR))
    scored = world_scores(TWO_PEOPLE, results, gate=1.0, frame_range=(3, 5))
    assert (scored["TP@1m"], scored["FN@1m"], scored["FP@1m"]) == (3, 3, 1)
    rows = score_floor(
        {"a": (TWO_PEOPLE, results), "b": (TWO_PEOPLE, TWO_PEOPLE)}, frame_ranges={"a": (3, 5)}, gates=(1.0,)
    )["rows"]
    assert [(row["sequence"], row["TP"], row["FN"], row["FP"]) for row in rows] == [
        ("a", 3, 3, 1),
        ("b", 20, 0, 0),
        ("combined", 23, 3, 1),
    ]
    assert rows[-1]["MOTA@1m"] == pytest.approx(100 * (1 - 4 / 26))
    with pytest.raises(InputError, match="5 to 3"):
        world_scores(TWO_PEOPLE, results, gate=1.0, frame_range=(5, 3))


@pytest.mark.parametrize("engine", ENGINES)
def test_nobody_there_and_nobody_found(engine) -> None:
    none_found = world_scores(TWO_PEOPLE, NOBODY, gate=1.0, engine=engine)
    assert (none_found["FN@1m"], none_found["MOTA@1m"], none_found["IDF1@1m"]) == (20, 0, 0)
    nobody_there = world_scores(NOBODY, TWO_PEOPLE, gate=1.0, engine=engine)
    assert (nobody_there["FP@1m"], nobody_there["GT"]) == (20, 0)
    far = world_scores(floor((1, 1, HERE)), floor((1, 1, FAR)), gate=1.0, engine=engine)
    assert far["MOTA@1m"] == -100
    for scored in (none_found, nobody_there, far):
        assert scored["MOTP@1m"] is None
        json.dumps(scored, allow_nan=False)


def matchings(allowed: np.ndarray) -> list[list[tuple[int, int]]]:
    """Return every set of pairs (row, column) that are allowed and share no row and no column."""
    rows, columns = allowed.shape
    return [
        list(zip(chosen, others))
        for size in range(min(rows, columns) + 1)
        for chosen in combinations(range(rows), size)
        for others in permutations(range(columns), size)
        if all(allowed[pair] for pair in zip(chosen, others))
    ]


def counted_by_hand(truth: FloorTracks, results: FloorTracks, gate: float) -> tuple[float, float, float]:
    """Return MOTA, the mean distance of its matches, and IDF1 from their definitions, by exhaustive search."""
    partner: dict[int, int] = {}
    mistakes, distances = 0, list[float]()
    together: dict[tuple[int, int], int] = {}
    for frame in sorted({*truth.frames.tolist(), *results.frames.tolist()}):
        people, found = truth[truth.frames == frame], results[results.frames == frame]
        distance = np.array([[math.dist(a, b) for b in found.positions] for a in people.positions], float).reshape(
            len(people), len(found)
        )
        near = distance <= gate
        for person, identity in zip(*(side.ids[place] for side, place in zip((people, found), np.nonzero(near)))):
            together[int(person), int(identity)] = together.get((int(person), int(identity)), 0) + 1
        # Bernardin and Stiefelhagen's first step: who can keep the partner of before does.
        kept: list[tuple[int, int]] = []
        for row, person in enumerate(people.ids.tolist()):
            column = found.ids.tolist().index(partner[person]) if partner.get(person) in found.ids.tolist() else None
            if column is not None and near[row, column] and column not in [pair[1] for pair in kept]:
                kept.append((row, column))
        free = near.copy()
        free[[row for row, _ in kept], :] = False
        free[:, [column for _, column in kept]] = False
        best = min(matchings(free), key=lambda pairs: (-len(pairs), sum(distance[pair] for pair in pairs)))
        for row, column in best:
            person, identity = int(people.ids[row]), int(found.ids[column])
            mistakes += person in partner and partner[person] != identity
            partner[person] = identity
        matched = kept + best
        distances += [float(distance[pair]) for pair in matched]
        mistakes += len(people) + len(found) - 2 * len(matched)
    people_ids, identity_ids = np.unique(truth.ids).tolist(), np.unique(results.ids).tolist()
    everything = np.ones((len(people_ids), len(identity_ids)), bool)
    right = max(
        sum(together.get((people_ids[row], identity_ids[column]), 0) for row, column in pairs)
        for pairs in matchings(everything)
    )
    mean_distance = float(np.mean(distances)) if distances else math.nan
    return 100 * (1 - mistakes / len(truth)), mean_distance, 100 * 2 * right / (len(truth) + len(results))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 6),
    people=st.integers(1, 3),
    identities=st.integers(0, 4),
    gate=st.sampled_from([0.5, 1.0, 1.7]),
)
def test_small_cases_by_exhaustive_search(seed: int, frames: int, people: int, identities: int, gate: float) -> None:
    generator = np.random.default_rng(seed)

    def wanderers(count: int, share: float) -> FloorTracks:
        present = np.argwhere(generator.random((frames, count)) < share)
        return FloorTracks(present[:, 0], present[:, 1] + 10, generator.uniform(0, 2, (len(present), 2)))

    truth, results = wanderers(people, 0.8), wanderers(identities, 0.8)
    scored = world_scores(truth, results, gate=gate)
    if not len(truth):
        assert scored[f"FP@{gate:g}m"] == len(results)
        return
    mota, distance, idf1 = counted_by_hand(truth, results, gate)
    assert scored[f"MOTA@{gate:g}m"] == pytest.approx(mota)
    assert scored[f"IDF1@{gate:g}m"] == pytest.approx(idf1)
    if math.isnan(distance):
        assert scored[f"MOTP@{gate:g}m"] is None
    else:
        assert scored[f"MOTP@{gate:g}m"] == pytest.approx(distance)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_wider_gate_finds_no_fewer_and_metres_can_be_rescaled(seed: int) -> None:
    generator = np.random.default_rng(seed)
    frames, ids = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    places = generator.uniform(0, 4, (18, 2))
    truth = FloorTracks(frames, ids, places)
    results = FloorTracks(frames, ids, places + generator.normal(0, 0.6, (18, 2)))
    row = score_floor({"a": (truth, results)}, gates=(1.0, 0.5), engine="trackeval")["rows"][0]
    assert row["TP@1m"] >= row["TP@0.5m"]
    double = score_floor(
        {"a": (FloorTracks(frames, ids, 2 * truth.positions), FloorTracks(frames, ids, 2 * results.positions))},
        gates=(2.0,),
        engine="trackeval",
    )["rows"][0]
    for name in ("MOTA", "IDF1", "HOTA", "DetA", "AssA"):
        assert double[f"{name}@2m"] == pytest.approx(row[f"{name}@1m"])


def test_multi_camera_idf1_wants_one_identity_everywhere() -> None:
    """Both cameras alone are perfect, but the person has another number in the second, seen twice as long."""

    def boxes(identity: int, frames: range) -> MotTracks:
        return MotTracks.from_arrays(frames, [identity] * len(frames), [[0, 0, 10, 20]] * len(frames))

    truth = {"a": boxes(1, range(0, 10)), "b": boxes(1, range(3, 23))}
    results = {"a": boxes(7, range(0, 10)), "b": boxes(9, range(3, 23))}
    rows = image_scores(truth, results)["rows"]
    assert [row["sequence"] for row in rows] == ["a", "b", ALL_CAMERAS]
    assert [row["IDF1"] for row in rows] == pytest.approx([100, 100, 100 * 20 / 30])
    assert [row["MOTA"] for row in rows] == pytest.approx([100, 100, 100 * (1 - 1 / 30)])
    same = image_scores(truth, results | {"b": boxes(7, range(3, 23))})["rows"][-1]
    assert (same["IDF1"], same["IDSW"], same["GT"]) == (100, 0, 1)
    missing = image_scores(truth, {"a": results["a"]})["rows"]
    assert [row["FN"] for row in missing] == [0, 20, 20]
    with pytest.raises(InputError, match="'c'"):
        image_scores(truth, {"c": results["a"]})
    with pytest.raises(InputError, match="no sequence"):
        image_scores({}, {})


def test_floor_tracks_refuse_what_no_one_can_be() -> None:
    with pytest.raises(InputError, match="id 4 is in two places in frame 2"):
        floor((1, 4, HERE), (2, 4, HERE), (2, 4, THERE))
    with pytest.raises(InputError, match=r"frame 1, id 4.*nan"):
        floor((1, 4, (math.nan, 0)))
    with pytest.raises(InputError, match="2 floor positions come with 1 frames"):
        FloorTracks([1], [1, 2], [[0, 0], [1, 1]])
    with pytest.raises(InputError, match=r"frame 1\.5"):
        FloorTracks([1.5], [1], [[0, 0]])
    with pytest.raises(InputError, match="id nan"):
        FloorTracks([1], [math.nan], [[0, 0]])
    with pytest.raises(InputError, match=r"shape \(1, 3\)"):
        FloorTracks([1], [1], [[0, 0, 1]])
    tracks = FloorTracks([1.0, 2.0], [3.0, 3.0], [[0, 0], [1, 1]])
    assert tracks.frames.dtype == tracks.ids.dtype == np.int64
    assert tracks.positions.dtype == np.float64


def test_gates_that_cannot_be_are_refused() -> None:
    for gate in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="gate"):
            world_scores(TWO_PEOPLE, TWO_PEOPLE, gate=gate)
    with pytest.raises(InputError, match="no gate"):
        score_floor({"a": (TWO_PEOPLE, TWO_PEOPLE)}, gates=())
    with pytest.raises(InputError, match="no sequence"):
        score_floor({})


def test_an_area_has_its_edges_and_a_margin() -> None:
    area = FloorArea(x=(0, 2), y=(1, 3))
    places = [(0.0, 1.0), (2.0, 3.0), (2.1, 2.0), (1.0, 0.85), (-0.3, 2.0)]
    tracks = floor(*[(1, number, place) for number, place in enumerate(places)])
    assert tracks.inside(area).ids.tolist() == [0, 1]
    assert tracks.inside(area, margin=0.2).ids.tolist() == [0, 1, 2, 3]
    for x in ((2.0, 0.0), (0.0, math.nan), (1.0, 1.0)):
        with pytest.raises(InputError, match="area's x"):
            FloorArea(x=x, y=(0, 1))
