"""Frames to detections to tracks to identities; knows nothing of PyTorch models."""

from tracker.detections import Detections
from tracker.errors import InputError
from tracker.single_camera import create_tracker
from tracker.tracks import Tracks

__all__ = ["Detections", "InputError", "Tracks", "create_tracker"]
