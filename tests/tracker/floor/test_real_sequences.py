"""People followed on the floor of a real room, from other people's detections (shared data)."""

from __future__ import annotations

import pytest

from benchmarks.floor_protocols import evaluate_scenes
from benchmarks.floor_scenes import cmc_scene


@pytest.mark.data
@pytest.mark.parametrize(
    ("sequence", "detector", "mota", "idf1"),
    [("CMC1", "frcnn", 98.0, 99.0), ("CMC1", "fairmot", 99.0, 99.5), ("CMC2", "fairmot", 98.5, 98.5)],
)
def test_people_of_a_room(data_root, sequence, detector, mota, idf1):
    scene = cmc_scene(data_root / "data" / "cmc" / sequence, detector)
    row = evaluate_scenes([scene]).rows[0]
    print(f"{sequence}, {detector}: MOTA {row['MOTA@1m']:.1f}, IDF1 {row['IDF1@1m']:.1f}")
    assert row["MOTA@1m"] >= mota and row["IDF1@1m"] >= idf1
    assert row["violations"] == 0
