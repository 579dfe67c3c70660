"""People followed on the floor of a real room, from other people's detections (shared data)."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cmc import cmc_detections, cmc_sequence, cmc_truth, evaluated_frames
from benchmarks.world_metrics import FloorTracks, world_scores
from tracker.floor.tracker import FloorTracker
from tracker.floor.trajectories import FloorTrajectories
from tracker.geometry.camera import Camera
from tracker.geometry.projection_matrix import decompose_projection


@pytest.mark.data
@pytest.mark.parametrize(("detector", "mota", "idf1"), [("frcnn", 98.0, 99.0), ("fairmot", 98.0, 99.0)])
def test_three_people_of_cmc1(data_root, detector, mota, idf1):
    sequence = cmc_sequence(data_root / "data" / "cmc" / "CMC1")
    detections, truth = cmc_detections(sequence, detector), cmc_truth(sequence)
    cameras = {}
    for camera in sequence.cameras:
        intrinsics, rotation, translation = decompose_projection(camera.projection)
        cameras[camera.name] = Camera(camera.name, *camera.image_size, intrinsics, np.zeros(5), rotation, translation)
    tracker, trajectories = FloorTracker(cameras), FloorTrajectories()
    for frame in range(sequence.first_frame, sequence.last_frame + 1):
        found = {name: frames[frame] for name, frames in detections.items()}
        trajectories.add(frame, tracker.update(found, frame / sequence.frame_rate))
    results = FloorTracks(*trajectories.finished()).inside(sequence.area)
    figures = world_scores(truth, results, gate=1.0, frame_range=evaluated_frames(sequence, truth))
    print(f"CMC1, {detector}: MOTA {figures['MOTA@1m']:.1f}, IDF1 {figures['IDF1@1m']:.1f}")
    assert figures["MOTA@1m"] >= mota and figures["IDF1@1m"] >= idf1
