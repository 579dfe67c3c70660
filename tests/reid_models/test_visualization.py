"""Ranked lists against the protocol spelt out, and what their pages show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_models.errors import InputError
from reid_models.evaluation import visualization
from reid_models.evaluation.ranking import evaluate_distances, evaluate_ranking
from reid_models.evaluation.sheets import Cell, SheetRow, draw_pages, read_picture, write_pages
from reid_models.evaluation.visualization import (
    choose_queries,
    draw_ranked_sheets,
    ranked_lists,
    ranked_lists_by_distance,
)

GREEN, RED = (80, 200, 60), (40, 24, 196)
FRAME = 4

Labels = tuple[list[int], list[int], list[int], list[int]]


def listed_by_definition(distances: np.ndarray, labels: Labels, query: int) -> list[int]:
    """Return the gallery as the protocol ranks it for one query; equal strangers go before a true match."""
    query_ids, query_cameras, ids, cameras = labels
    own = (query_ids[query], query_cameras[query])
    kept = [image for image in range(len(ids)) if ids[image] != -1 and (ids[image], cameras[image]) != own]
    return sorted(kept, key=lambda image: (distances[query, image], ids[image] == own[0], image))


@st.composite
def galleries(draw: st.DrawFn) -> tuple[np.ndarray, Labels]:
    queries, images = draw(st.integers(1, 5)), draw(st.integers(1, 20))
    query_ids = draw(st.lists(st.integers(-1, 3), min_size=queries, max_size=queries))
    ids = draw(st.lists(st.integers(-1, 3), min_size=images, max_size=images).filter(lambda found: max(found) > -1))
    query_cameras = draw(st.lists(st.integers(0, 2), min_size=queries, max_size=queries))
    cameras = draw(st.lists(st.integers(0, 2), min_size=images, max_size=images))
    # Few different values, so that ties are common.
    values = draw(st.lists(st.integers(0, draw(st.sampled_from([2, 1000]))), min_size=queries * images,
                           max_size=queries * images))  # fmt: skip
    return np.array(values, np.float32).reshape(queries, images), (query_ids, query_cameras, ids, cameras)


@settings(max_examples=200, deadline=None)
@given(galleries(), st.integers(1, 8), st.booleans())
def test_lists_equal_the_protocol(case: tuple[np.ndarray, Labels], k: int, small_chunks: bool) -> None:
    distances, labels = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visualization, "_CHUNK_VALUES", 1 if small_chunks else 16_000_000)
        lists = ranked_lists_by_distance(distances, *labels, k=k)
    for query in range(len(distances)):
        expected = listed_by_definition(distances, labels, query)[:k]
        missing = k - len(expected)
        assert lists.gallery[query].tolist() == expected + [-1] * missing
        assert lists.distances[query, : len(expected)].tolist() == distances[query, expected].tolist()
        assert np.isnan(lists.distances[query, len(expected) :]).all()
        assert lists.gallery_ids[query].tolist() == [labels[2][image] for image in expected] + [-1] * missing
        assert lists.matches[query].tolist() == [labels[2][i] == labels[0][query] for i in expected] + [False] * missing


@settings(max_examples=100, deadline=None)
@given(galleries())
def test_lists_show_what_the_figures_count(case: tuple[np.ndarray, Labels]) -> None:
    distances, labels = case
    try:
        result = evaluate_distances(distances, *labels)
    except InputError:
        return
    lists = ranked_lists_by_distance(distances, *labels, k=len(result.cmc), queries=result.queries)
    found = np.logical_or.accumulate(lists.matches, axis=1).mean(0)
    np.testing.assert_allclose(found, result.cmc)


@pytest.fixture
def features() -> tuple[np.ndarray, list[int], list[int], np.ndarray, list[int], list[int]]:
    generator = np.random.default_rng(3)
    ids = np.repeat(np.arange(1, 9), 3)
    vectors = generator.normal(size=(8, 16))[ids - 1] + generator.normal(0, 1.2, (24, 16))
    cameras = np.tile([1, 2, 3], 8)
    first = cameras == 1
    return (vectors[first].astype(np.float32), ids[first].tolist(), cameras[first].tolist(),
            vectors.astype(np.float32), ids.tolist(), cameras.tolist())  # fmt: skip


def test_distances_are_those_of_the_features(features: tuple) -> None:
    query, _, _, gallery, _, _ = features
    cosine = (
        1 - (query / np.linalg.norm(query, axis=1)[:, None]) @ (gallery / np.linalg.norm(gallery, axis=1)[:, None]).T
    )
    euclidean = np.linalg.norm(query[:, None] - gallery[None], axis=2)
    for distance, expected in (("cosine", cosine), ("euclidean", euclidean)):
        lists = ranked_lists(*features, distance, k=5)
        np.testing.assert_allclose(
            lists.distances, np.take_along_axis(expected, lists.gallery, 1), rtol=1e-4, atol=1e-5
        )
        reference = ranked_lists_by_distance(expected, *features[1:3], *features[4:], k=5)
        assert lists.gallery.tolist() == reference.gallery.tolist()


def test_lists_of_some_queries_are_those_of_all(features: tuple) -> None:
    everything, some = ranked_lists(*features), ranked_lists(*features, queries=[6, 2])
    assert some.queries.tolist() == [6, 2]
    assert some.gallery.tolist() == everything.gallery[[6, 2]].tolist()
    assert some.query_ids.tolist() == [7, 3]


def test_bad_lists_are_refused(features: tuple) -> None:
    with pytest.raises(InputError, match="queries 2 to 8 are not all there: they are numbered 0 to 7"):
        ranked_lists(*features, queries=[2, 8])
    with pytest.raises(InputError, match="k 0"):
        ranked_lists(*features, k=0)
    with pytest.raises(InputError, match="distance 'manhattan'"):
        ranked_lists(*features, "manhattan")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="16 dimensions and gallery features 15"):
        ranked_lists(features[0], *features[1:3], features[3][:, :15], *features[4:])
    with pytest.raises(InputError, match="no numbers"):
        ranked_lists_by_distance(np.array([[0.0, np.nan]]), [1], [1], [1, 2], [2, 2])


def test_the_worst_queries_and_random_ones(features: tuple) -> None:
    result = evaluate_ranking(*features)
    worst, drawn = choose_queries(result, worst=3, random=4, seed=1)
    precision = dict(zip(result.queries.tolist(), result.average_precision.tolist()))
    assert [precision[query] for query in worst.tolist()] == sorted(precision.values())[:3]
    assert len(set(drawn.tolist())) == 4 and drawn.tolist() == sorted(drawn.tolist())
    assert choose_queries(result, worst=3, random=4, seed=1)[1].tolist() == drawn.tolist()
    assert {tuple(choose_queries(result, random=4, seed=seed)[1].tolist()) for seed in range(9)} != {
        tuple(drawn.tolist())
    }
    assert sorted(choose_queries(result, worst=99, random=99)[1].tolist()) == result.queries.tolist()


@pytest.fixture
def people(tmp_path: Path) -> list[Path]:
    """24 grey crops of various sizes, so that every coloured pixel of a page is a frame."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(24):
        height, width = ((128, 64), (160, 60), (90, 50))[number % 3]
        grey = np.repeat(generator.integers(0, 256, (height, width, 1)), 3, axis=2).astype(np.uint8)
        paths.append(tmp_path / f"person_{number:02d}.png")
        cv2.imwrite(str(paths[-1]), grey)
    return paths


def count(page: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((page == np.array(color, np.uint8)).all(axis=2).sum())


def test_true_matches_are_framed_green_and_others_red(features: tuple, people: list[Path]) -> None:
    lists = ranked_lists(*features, k=6)
    pages = list(draw_ranked_sheets(people[::3], people, lists, cell_size=(96, 48), rows_per_page=3))
    assert [page.shape[1] for page in pages] == [pages[0].shape[1]] * 3
    frame = (96 + 2 * FRAME) * (48 + 2 * FRAME) - 96 * 48
    for page, start in zip(pages, (0, 3, 6)):
        matches = lists.matches[start : start + 3]
        assert count(page, GREEN) == frame * matches.sum()
        assert count(page, RED) == frame * (~matches).sum()
    assert lists.matches.any() and not lists.matches.all()


def test_pages_repeat_byte_for_byte_and_tell_rank_and_distance(features: tuple, people: list[Path]) -> None:
    lists = ranked_lists(*features, k=3, queries=[1])
    result = evaluate_ranking(*features)

    def drawn(of: visualization.RankedLists) -> np.ndarray:
        return next(draw_ranked_sheets(people[::3], people, of, result=result, title="made-up people"))

    other = visualization.RankedLists(
        *(getattr(lists, name) for name in ("queries", "gallery")), lists.distances + 0.1, lists.matches,
        lists.query_ids, lists.query_cameras, lists.gallery_ids, lists.gallery_cameras,
    )  # fmt: skip
    page, changed = drawn(lists), drawn(other)
    assert page.tobytes() == drawn(lists).tobytes()
    rows = np.flatnonzero((page != changed).any(axis=(1, 2)))
    # Another distance changes one line of text under the pictures and nothing else.
    assert len(rows) >= 4 and rows[-1] - rows[0] < 17 and rows[0] > 144


def test_a_short_gallery_leaves_no_empty_frames(people: list[Path]) -> None:
    lists = ranked_lists_by_distance(np.array([[0.3, 0.1, 0.2]]), [5], [1], [5, 6, 5], [2, 1, 1])
    page = next(draw_ranked_sheets(people[:1], people[:3], lists, cell_size=(32, 16)))
    frame = (32 + 2 * FRAME) * (16 + 2 * FRAME) - 32 * 16
    assert (count(page, GREEN), count(page, RED)) == (frame, frame)


def test_broken_image_files_are_named(features: tuple, people: list[Path], tmp_path: Path) -> None:
    lists = ranked_lists(*features)
    shown = people[lists.gallery[0, 0]]
    shown.write_bytes(b"this is text")
    with pytest.raises(InputError, match=shown.name):
        list(draw_ranked_sheets(people[::3], people, lists))
    shown.unlink()
    with pytest.raises(InputError, match=rf"{shown.name} cannot be read"):
        list(draw_ranked_sheets(people[::3], people, lists))
    encoded = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (128, 64, 3), np.uint8))[1].tobytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(encoded[: len(encoded) // 2])
    with pytest.raises(InputError, match=r"cut\.jpg is cut short"):
        read_picture(cut)
    with pytest.raises(InputError, match="query image 7, but 3 files"):
        list(draw_ranked_sheets(people[:3], people, lists))


def test_pictures_keep_their_shape_inside_their_cells() -> None:
    wide = np.full((20, 80, 3), (0, 0, 255), np.uint8)
    page = next(draw_pages([SheetRow("", [Cell(wide), Cell(wide)])], cell_size=(60, 40)))
    rows, columns = np.nonzero((page == (0, 0, 255)).all(axis=2))
    assert (rows.max() - rows.min() + 1, len(rows)) == (10, 2 * 10 * 40)
    left, right = columns.min(), page.shape[1] - 1 - columns.max()
    assert left == right
    assert list(draw_pages([])) == []
    with pytest.raises(InputError, match="rows_per_page 0"):
        list(draw_pages([SheetRow("", [])], rows_per_page=0))


def test_pages_are_written_and_read_back(tmp_path: Path) -> None:
    pages = [np.full((40, 30, 3), value, np.uint8) for value in (10, 200)]
    files = write_pages(iter(pages), tmp_path / "sheets", "worst", ".png")
    assert [file.name for file in files] == ["worst_01.png", "worst_02.png"]
    for page, file in zip(pages, files):
        assert np.array_equal(cv2.imread(str(file)), page)
    framed = np.full((40, 40, 3), 255, np.uint8)
    framed[10:30, 10:12] = RED
    (jpeg,) = write_pages([framed], tmp_path, "frame")
    assert jpeg.suffix == ".jpg"
    # Without colour subsampling a frame two pixels wide keeps its colour.
    assert np.abs(cv2.imread(str(jpeg))[20, 10:12].astype(int) - RED).max() < 40
    with pytest.raises(InputError, match=r"'\.gif'"):
        write_pages(pages, tmp_path, "worst", ".gif")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        write_pages(pages, tmp_path / "file", "worst")
