"""Embedders in the room: targets, the protocol, and networks on people they have never seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import room_reid
from benchmarks.room_reid import embedder_rows, open_embedders, target_of
from benchmarks.simulation.reid_set import ReidSetSettings
from reid_models.color_histogram import ColorHistogram
from reid_models.embedder import Embedder
from reid_models.errors import InputError as ReidInputError
from tracker.errors import InputError

_SMALL = ReidSetSettings(images_per_camera=2, moments=3, spacing_seconds=2.0, minimum_height=24, corner_size=(192, 144))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("osnet_x0_25_msmt17.onnx", (40, 85)),
        ("osnet_x0_25_msmt17.pt", (40, 85)),
        ("osnet_x0_25:msmt17", (40, 85)),
        ("color_histogram", None),
        ("osnet_x1_0:msmt17", None),
        ("osnet_x1_0_msmt17.onnx", None),
        ("osnet_x0_25", (95, 100)),
        ("our_network.onnx", (95, 100)),
    ],
)
def test_what_is_expected_of_whom(name: str, target: tuple[float, float] | None) -> None:
    assert target_of(name) == target


class _Reader(Embedder):
    """Reads the identity that a test wrote into the crops, and is blind to everything else."""

    description, dimension, default_threshold = "reader", 50, 0.5

    def __init__(self, wrong: bool) -> None:
        self._wrong = wrong

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        numbers = [int(crop[0, 0, 0]) for crop in crops]
        return np.eye(50, dtype=np.float32)[[0 if self._wrong else number for number in numbers]]


def test_embedders_are_ranked_side_by_side_by_the_market_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbered(rows: room_reid.ImageRows) -> list[np.ndarray]:
        for path in rows.paths:
            assert re.fullmatch(r"\d{4}_c[1-4]s\d+_\d{6}_\d\d\.jpg", path.name) and path.is_file()
        return [np.full((4, 4, 3), number, np.uint8) for number in rows.ids]

    monkeypatch.setattr(room_reid, "_images", numbered)
    steps: list[tuple[int, int]] = []
    rows = embedder_rows(
        {"right": _Reader(False), "wrong": _Reader(True)},
        identities=4,
        settings=_SMALL,
        workers=1,
        embedded=lambda done, total: steps.append((done, total)),
    )
    assert [row["name"] for row in rows] == ["right", "wrong"] and steps == [(1, 2), (2, 2)]
    assert (rows[0]["rank1"], rows[0]["mAP"]) == (100, pytest.approx(100))
    assert rows[1]["rank1"] == 0, "features that are all alike score nothing"
    assert rows[0]["queries"] == rows[1]["queries"] > 4 and rows[0]["identities"] == 4


def test_what_cannot_be_opened_is_said_before_anything_is_rendered() -> None:
    with pytest.raises(InputError, match="no embedder"):
        open_embedders([])
    with pytest.raises(ReidInputError, match="did you mean 'osnet_x0_25'"):
        open_embedders(["osnet_x0_2"])
    with pytest.raises(InputError, match="two embedders are called color_histogram"):
        open_embedders(["color_histogram", "color_histogram"])
    for count in (1, 10**6):
        with pytest.raises(InputError, match=f"{count} identities"):
            embedder_rows({"a": ColorHistogram()}, identities=count)


@pytest.mark.data
def test_a_network_that_knows_people_tells_them_apart_better_than_their_colours(data_root: Path) -> None:
    path = data_root / "weights" / "osnet_x0_25_msmt17.onnx"
    if not path.is_file():
        pytest.skip(f"no embedder at {path}")
    settings = ReidSetSettings(images_per_camera=2, moments=2)
    network, colours = embedder_rows(
        open_embedders([str(path), "color_histogram"]), identities=6, settings=settings, workers=1
    )
    assert network["rank1"] > 40 and network["rank1"] > colours["rank1"]
    assert network["name"] == path.name and network["target"] == (40, 85)
