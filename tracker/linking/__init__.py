"""Offline tracking of one camera: links, filled gaps and smoothed boxes when the whole sequence is known."""

from tracker.linking.linking import link_tracks
from tracker.linking.offline import track_offline
from tracker.linking.settings import LinkingSettings

__all__ = ["LinkingSettings", "link_tracks", "track_offline"]
