from __future__ import annotations

import numpy as np

from tracker.floor.dealing import dealt


def informed(places, deviation):
    """Return information matrices and vectors of people at ``places`` who are known to ``deviation`` metres."""
    state = np.column_stack([places, np.zeros((len(places), 2)), np.full(len(places), 1.7)])
    matrix = np.zeros((len(places), 5, 5))
    matrix[:, [0, 1], [0, 1]] = deviation**-2
    return matrix, np.einsum("nij,nj->ni", matrix, state)


def priors(places):
    matrix, _ = informed(places, 0.3)
    matrix[:, [2, 3, 4], [2, 3, 4]] = 4.0
    state = np.column_stack([places, np.zeros((len(places), 2)), np.full(len(places), 1.7)])
    return matrix, np.einsum("nij,nj->ni", matrix, state)


PLACES = np.array([[1.0, 1.0], [1.8, 1.0], [4.0, 3.0]])


def test_boxes_that_changed_places_are_given_back():
    said = informed(PLACES[[1, 0, 2]], 0.1)
    assert dealt(*priors(PLACES), *said, np.zeros(3)).tolist() == [1, 0, 2]


def test_a_ring_of_three_is_untied():
    places = np.array([[1.0, 1.0], [1.7, 1.0], [2.4, 1.0]])
    said = informed(places[[1, 2, 0]], 0.1)
    assert dealt(*priors(places), *said, np.zeros(3)).tolist() == [2, 0, 1]


def test_what_is_right_stays():
    said = informed(PLACES + 0.1, 0.1)
    assert dealt(*priors(PLACES), *said, np.zeros(3)).tolist() == [0, 1, 2]


def test_who_has_no_boxes_may_get_those_that_are_where_he_is():
    matrix, vector = informed(PLACES[[1, 0, 2]], 0.1)
    matrix[1], vector[1] = 0, 0
    # The first has the boxes of the second, who has none.
    assert dealt(*priors(PLACES), matrix, vector, np.zeros(3)).tolist() == [1, 0, 2]


def test_one_is_left_alone():
    matrix, vector = informed(PLACES, 0.1)
    matrix[1:], vector[1:] = 0, 0
    assert dealt(*priors(PLACES), matrix, vector, np.zeros(3)).tolist() == [0, 1, 2]
