"""Average precision: cases counted by hand, and a plain second computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.average_precision import TrueBoxes, average_precision, match_detections
from tracker.detections import Detections
from tracker.errors import InputError


def box(left: float, top: float = 0) -> list[float]:
    """A square of side 10."""
    return [left, top, left + 10, top + 10]


def found(*entries: tuple[float, float]) -> Detections:
    """Detections at the left edges and with the scores given."""
    return Detections([box(left) for left, _ in entries], [score for _, score in entries])


def value(truth: TrueBoxes, detections: Detections) -> float:
    return average_precision([truth], [detections]).value


TWO = TrueBoxes(np.array([box(0), box(100)]))


def test_all_found_and_nothing_else() -> None:
    assert value(TWO, found((0, 0.9), (100, 0.4))) == pytest.approx(1)


def test_false_alarms_below_all_hits_cost_nothing() -> None:
    assert value(TWO, found((0, 0.9), (100, 0.8), (300, 0.7), (400, 0.6))) == pytest.approx(1)


def test_a_false_alarm_between_two_hits() -> None:
    """Precision 1 up to a recall of 0.5 (levels 0 to 0.50: 51 of them), then 2/3 up to 1 (50 levels)."""
    assert value(TWO, found((0, 0.9), (300, 0.8), (100, 0.7))) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_false_alarm_above_all_hits() -> None:
    """Precisions 0, 1/2, 2/3: made falling, 2/3 everywhere."""
    assert value(TWO, found((300, 0.9), (0, 0.8), (100, 0.7))) == pytest.approx(2 / 3)


def test_who_is_missed_costs_the_levels_that_are_never_reached() -> None:
    assert value(TWO, found((0, 0.9))) == pytest.approx(51 / 101)
    assert value(TWO, Detections.empty()) == 0
    third = TrueBoxes(np.array([box(0), box(100), box(200)]))
    assert value(third, found((0, 0.9))) == pytest.approx(34 / 101), "levels 0 to 0.33"


def test_a_second_box_around_one_person_is_a_false_alarm() -> None:
    assert value(TWO, found((0, 0.9), (1, 0.8), (100, 0.7))) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_the_most_confident_box_chooses_the_person_it_overlaps_most() -> None:
    truth = TrueBoxes(np.array([box(0), box(4)]))
    # The second fits both, by 10/10 and 6/14; it takes the exact one and leaves the other to the first.
    outcome, is_found = match_detections(truth, found((1, 0.5), (4, 0.9)))
    assert outcome.tolist() == [1, 1] and is_found.all()
    # One that overlaps both enough takes the nearer, also when that leaves nothing to the next.
    outcome, is_found = match_detections(TrueBoxes(np.array([box(0), box(4)])), found((1, 0.9), (0, 0.5)))
    assert outcome.tolist() == [1, 0] and is_found.tolist() == [True, False]


def test_overlap_of_exactly_the_threshold_is_enough() -> None:
    truth = TrueBoxes(np.array([[0.0, 0, 10, 10]]))
    half = Detections([[0, 0, 10, 5]], [0.9])
    less = Detections([[0, 0, 10, 4.99]], [0.9])
    assert value(truth, half) == pytest.approx(1)
    assert value(truth, less) == 0
    assert average_precision([truth], [less], iou=0.4).value == pytest.approx(1)


def test_ignored_people_may_be_found_any_number_of_times_or_not_at_all() -> None:
    truth = TrueBoxes(TWO.boxes, np.array([box(200)]))
    perfect = found((0, 0.9), (100, 0.4))
    assert value(truth, perfect) == pytest.approx(1)
    twice = found((200, 0.99), (201, 0.98), (0, 0.9), (100, 0.4))
    assert value(truth, twice) == pytest.approx(1)
    assert average_precision([truth], [twice]).scores.tolist() == pytest.approx([0.9, 0.4])
    assert match_detections(truth, twice)[0].tolist() == [2, 2, 1, 1]


def test_a_person_is_found_by_a_box_that_an_ignored_one_could_have_as_well() -> None:
    truth = TrueBoxes(np.array([box(0)]), np.array([box(1)]))
    assert match_detections(truth, found((1, 0.9)))[0].tolist() == [1]
    assert match_detections(truth, found((1, 0.9), (0, 0.8)))[0].tolist() == [1, 2]


def test_a_person_in_one_image_is_not_found_in_another() -> None:
    empty = TrueBoxes(np.zeros((0, 4)))
    here = TrueBoxes(np.array([box(0)]))
    assert average_precision([empty, here], [found((0, 0.9)), Detections.empty()]).value == 0
    result = average_precision([empty, here], [Detections.empty(), found((0, 0.9))])
    assert (result.value, result.true_boxes) == (pytest.approx(1), 1)


def plain(truth: list[TrueBoxes], detections: list[Detections], iou: float) -> float:
    """COCO's average precision from its words: loops, no arrays."""
    ranked = sorted(
        ((-float(s), image, row) for image, d in enumerate(detections) for row, s in enumerate(d.scores)),
    )
    taken = set()
    points = []
    hits = alarms = 0
    total = sum(len(image.boxes) for image in truth)
    for _, image, row in ranked:
        mine = detections[image].boxes[row].tolist()
        best, chosen = iou, None
        for number, other in enumerate(truth[image].boxes.tolist()):
            shared = overlap(mine, other)
            if (image, number) not in taken and shared >= best and (chosen is None or shared > best):
                best, chosen = shared, number
        if chosen is not None:
            taken.add((image, chosen))
            hits += 1
        elif any(overlap(mine, other) >= iou for other in truth[image].ignored.tolist()):
            continue
        else:
            alarms += 1
        points.append((hits / total, hits / (hits + alarms)))
    levels = [max((p for r, p in points if r >= level / 100 - 1e-12), default=0.0) for level in range(101)]
    return sum(levels) / 101


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(side[2] - side[0]) * (side[3] - side[1]) for side in (a, b)]
    return shared / (sum(areas) - shared)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), images=st.integers(1, 6), iou=st.sampled_from([0.3, 0.5, 0.75]))
def test_it_is_what_the_definition_says(seed: int, images: int, iou: float) -> None:
    generator = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corner = generator.integers(0, 30, (count, 2)).astype(float)
        return np.concatenate([corner, corner + generator.integers(8, 16, (count, 2))], axis=1)

    counts = generator.integers((1, 0), (5, 3), (images, 2)).tolist()
    truth = [TrueBoxes(boxes(wanted), boxes(ignored)) for wanted, ignored in counts]
    detections = []
    for image in truth:
        near = image.boxes + generator.integers(-2, 3, image.boxes.shape)
        far = boxes(int(generator.integers(0, 4)))
        both = np.concatenate([near, far])
        # Few different scores, so that many are equal.
        detections.append(Detections(both, generator.integers(1, 6, len(both)) / 5))
    assert average_precision(truth, detections, iou=iou).value == pytest.approx(plain(truth, detections, iou))


def test_senseless_input_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="about 1 images and detections about 2"):
        average_precision([TWO], [Detections.empty()] * 2)
    with pytest.raises(InputError, match="no image shows anybody"):
        average_precision([TrueBoxes(np.zeros((0, 4)), np.array([box(0)]))], [found((0, 1))])
    with pytest.raises(InputError, match=r"overlap 1\.2"):
        average_precision([TWO], [Detections.empty()], iou=1.2)
