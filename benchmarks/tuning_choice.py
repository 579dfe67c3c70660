"""Which of a search's trials to take: the best on all sequences, and honestly, each time the best on all but one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from benchmarks.tuning import PARTS, TuningTask

__all__ = ["Candidate", "best_candidate", "candidates_of", "left_out"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished trial: its values, and the part of every sequence.

    Args:
        number: of the trial.
        values: name → value.
        parts: sequence → part.
    """

    number: int
    values: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Any]]


def candidates_of(study: optuna.Study, names: Sequence[str]) -> list[Candidate]:
    """Return the trials that were not pruned, by number."""
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        parts = dict(zip(names, trial.user_attrs[PARTS], strict=True))
        found.append(Candidate(trial.number, dict(trial.params), parts))
    return found


def best_candidate(task: TuningTask, candidates: Sequence[Candidate], names: Sequence[str]) -> Candidate:
    """Return the candidate that is best on the sequences ``names``; of equal ones the first."""
    return max(candidates, key=lambda one: (task.score([one.parts[name] for name in names]), -one.number))


def left_out(task: TuningTask, candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Return each sequence → the candidate that is best on all the others."""
    return {
        name: best_candidate(task, candidates, [other for other in task.names if other != name])
        for name in task.names
    }  # fmt: skip
