"""A simulated room with known truth: people who walk, meet, leave and come back, seen by cameras in its corners."""

from __future__ import annotations

from benchmarks.simulation.cameras import Camera, corner_cameras
from benchmarks.simulation.corridor import cameras_in_corridor
from benchmarks.simulation.render import Sighting
from benchmarks.simulation.scene import Scene, make_scene
from benchmarks.simulation.simulate import Simulation, render_camera, simulate_room
from benchmarks.simulation.truth import detections_from_truth

__all__ = [
    "Camera",
    "Scene",
    "Sighting",
    "Simulation",
    "cameras_in_corridor",
    "corner_cameras",
    "detections_from_truth",
    "make_scene",
    "render_camera",
    "simulate_room",
]
