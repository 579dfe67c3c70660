"""What was measured of published weights: distances differ from one training set to the next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["WeightsRecord", "find_weights_record"]


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """One set of published weights.

    Args:
        model: registered name of the architecture.
        training_data: as it appears in the published file's name.
        default_threshold: cosine distance at which about one pair in a hundred of different persons, seen by different
            cameras, is taken for one person.
    """

    model: str
    training_data: str
    default_threshold: float


#: Measured with one image per camera of the training identities of CUHK01 (385) and CUHK03 pair 1 (643), which these
#: weights never saw: 1 % of pairs of strangers in different cameras are nearer than 0.385 and 0.341 (84 % and 45 % of
#: true pairs are); within one camera, than 0.342 and 0.300. The stricter of the cross-camera values is used.
_RECORDS: tuple[WeightsRecord, ...] = (WeightsRecord("osnet_x0_25", "msmt17", 0.34),)


def find_weights_record(file: Path, model: str | None = None) -> WeightsRecord | None:
    """Return the record of published weights whose file name carries model (unless given) and training data."""
    stem = file.stem.lower()
    for record in _RECORDS:
        named = record.model == model if model is not None else stem.startswith(record.model)
        if named and record.training_data in stem:
            return record
    return None
