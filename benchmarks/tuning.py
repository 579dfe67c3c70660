"""Search for a tracker's parameters on sequences whose truth is known, by Optuna.

A trial is evaluated sequence by sequence; one that falls behind the best third of the others is
pruned. Each
sequence's part is kept under everything that decides it, so nothing is computed twice, and the figures of any set of
sequences, also of all but one, follow without tracking again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from benchmarks.mot_input import MotTruth
from benchmarks.mot_scores import paired_sequence
from benchmarks.mot_tracking import Preparation, TrackerChoice, follow, frames_of, prepared
from benchmarks.simulation.parallel import one_thread_each, signals_held_back
from benchmarks.tuning_parts import METRICS, PartCache, figures_of, key_of, part_of
from benchmarks.tuning_space import ParameterRange, defaults_of, split_values
from tracker.errors import InputError
from tracker.storage.mot_files import MotDetections

__all__ = ["PARTS", "TuningTask", "check_metrics", "evaluate", "open_study", "tune"]

#: trials before any is pruned
_STARTUP_TRIALS = 8
#: a trial goes on while it is among so many of the best so far
_KEPT_PERCENT = 33.0
_STUDY = "multicam tune"
_MADE_FROM = "made_from"
#: attribute of a finished trial: its part of each sequence, in order
PARTS = "parts"

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, slots=True, eq=False)
class TuningTask:
    """What is searched.

    Args:
        tracker: its name.
        space: what may move.
        fixed: the tracker's other parameters.
        preparation: of boxes, where it is not searched.
        truths: of the sequences, in the order in which trials see them.
        detections: of each, as the detector gave them.
        metrics: the mean of these is maximised.
        code: changes with the code that is tuned; kept parts of other code are not used.
    """

    tracker: str
    space: Sequence[ParameterRange]
    fixed: Mapping[str, Any]
    preparation: Preparation
    truths: Sequence[MotTruth]
    detections: Sequence[MotDetections]
    metrics: Sequence[str] = ("HOTA",)
    code: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the sequences."""
        return [truth.sequence.name for truth in self.truths]

    def score(self, parts: Sequence[Mapping[str, Any]]) -> float:
        """Return what is maximised, of these parts together."""
        figures = figures_of(parts)
        return float(np.mean([figures[name] for name in self.metrics]))

    def described(self) -> dict[str, Any]:
        """Return what a study is of; two that differ in it are not the same."""
        return {
            "tracker": self.tracker,
            "space": [[one.name, one.kind, one.low, one.high] for one in self.space],
            "fixed": dict(self.fixed),
            "preparation": self.preparation.description,
            "sequences": self.names,
            "metrics": list(self.metrics),
        }

    def keys(self, choice: TrackerChoice, preparation: Preparation) -> list[str]:
        """Return the key of each sequence's part."""
        what = [choice.name, dict(choice.parameters), preparation.description, self.code]
        margins = None if preparation.margins is None else list(preparation.margins)
        return [key_of(what, preparation.confidence, preparation.iou, margins, data) for data in self._data()]

    def _data(self) -> list[list[Any]]:
        return [
            [truth.sequence.name, truth.sequence.frame_rate, len(truth.tracks), float(truth.tracks.boxes.sum()),
             len(found), float(found.boxes.sum(dtype=np.float64)), float(found.scores.sum(dtype=np.float64))]
            for truth, found in zip(self.truths, self.detections, strict=True)
        ]  # fmt: skip


@dataclass(slots=True)
class _Running:
    """A trial under way: its parts so far and the key of each sequence's."""

    trial: optuna.trial.Trial
    choice: TrackerChoice
    preparation: Preparation
    keys: Sequence[str]
    parts: list[Mapping[str, Any]] = field(default_factory=list)


def evaluate(
    truth: MotTruth, found: MotDetections, choice: TrackerChoice, preparation: Preparation
) -> Mapping[str, Any]:
    """Return the part of one sequence with these parameters."""
    boxes = prepared(found, preparation)
    tracker = choice.create(truth.sequence.frame_rate)
    return part_of(paired_sequence(truth, follow(frames_of(boxes, truth.length), tracker).tracks))


def open_study(task: TuningTask, path: Path | None, seed: int) -> optuna.Study:
    """Return the study of a task: a new one, or that of an earlier run.

    Args:
        task: what is searched.
        path: Optuna's journal; ``None`` keeps the study in memory.
        seed: of the search.

    Raises:
        InputError: the file cannot be used, or is of another task.
    """
    pruner = optuna.pruners.PercentilePruner(_KEPT_PERCENT, n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=2)
    storage: BaseStorage = InMemoryStorage()
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            storage = JournalStorage(JournalFileBackend(str(path)))
        study = optuna.create_study(
            storage=storage, pruner=pruner, study_name=_STUDY, direction="maximize",
            load_if_exists=True,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"--study {path} cannot be used: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"--study {path} is no study of multicam tune; give another name") from None
    # A seed that also counts what is there: one that goes on must not try the same again.
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.trials), multivariate=True, constant_liar=True, n_startup_trials=10
    )
    known = study.user_attrs.get(_MADE_FROM)
    if known is None:
        study.set_user_attr(_MADE_FROM, task.described())
    elif known != task.described():
        different = next(name for name, value in task.described().items() if known.get(name) != value)
        raise InputError(
            f"--study {path} is of another search: {different} differs; give another name, or the same options"
        )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Of a run that was broken off.
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def tune(
    task: TuningTask,
    study: optuna.Study,
    cache: PartCache,
    *,
    trials: int,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Run trials until the study has ``trials`` of them; the first is the default.

    The same seed gives the same trials with one worker; with more their order is that in which they end.

    Args:
        task: what is searched.
        study: of :func:`open_study`.
        cache: of parts.
        trials: finished and pruned ones together, those of earlier runs too.
        workers: processes.
        progress: called with the number of ended and of all trials.
        stopped: whether to begin nothing more; what runs is left.
    """
    if not study.trials:
        study.enqueue_trial(defaults_of(task.tracker, task.space, task.preparation))
    if workers <= 1:
        while _ended(study) < trials and not stopped():
            run = _begin(task, study)
            while True:
                part = _kept(run, cache) or _compute(task, run)
                if _take(task, study, run, part, cache):
                    break
            progress(_ended(study), trials)
        return
    context = get_context("spawn")
    with one_thread_each():
        pool = ProcessPoolExecutor(workers, context, _prepare_worker, (task.truths, task.detections))
        try:
            with signals_held_back():
                # The first piece of work starts all processes.
                pool.submit(os.getpid)
            _run_parallel(task, study, cache, pool, trials, workers, progress, stopped)
        except BrokenProcessPool:
            raise RuntimeError("a process that computes ended before its work was done") from None
        finally:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            # They write nothing that could be left unfinished.
            for process in processes:
                process.kill()


def check_metrics(names: Sequence[str]) -> None:
    """Refuse what cannot be maximised.

    Raises:
        InputError: an unknown metric.
    """
    for name in names:
        if name not in METRICS:
            raise InputError(f"--metric {name!r} is unknown: give {', '.join(METRICS)}, or several with commas")


def _begin(task: TuningTask, study: optuna.Study) -> _Running:
    trial = study.ask()
    values = {one.name: one.suggest(trial) for one in task.space}
    choice, preparation = split_values(task.tracker, values, task.fixed, task.preparation)
    return _Running(trial, choice, preparation, task.keys(choice, preparation))


def _kept(run: _Running, cache: PartCache) -> Mapping[str, Any] | None:
    return cache.get(run.keys[len(run.parts)])


def _compute(task: TuningTask, run: _Running) -> Mapping[str, Any]:
    index = len(run.parts)
    return evaluate(task.truths[index], task.detections[index], run.choice, run.preparation)


def _take(task: TuningTask, study: optuna.Study, run: _Running, part: Mapping[str, Any], cache: PartCache) -> bool:
    """Take in the part of a trial's next sequence; return whether the trial has ended."""
    cache.put(run.keys[len(run.parts)], part)
    run.parts.append(part)
    score, count = task.score(run.parts), len(run.parts)
    if count == len(task.truths):
        run.trial.set_user_attr(PARTS, [dict(part) for part in run.parts])
        study.tell(run.trial, score)
        return True
    run.trial.report(score, count)
    if run.trial.should_prune():
        study.tell(run.trial, state=TrialState.PRUNED)
        return True
    return False


def _ended(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _run_parallel(
    task: TuningTask, study: optuna.Study, cache: PartCache, pool: ProcessPoolExecutor, trials: int, workers: int,
    progress: Callable[[int, int], None], stopped: Callable[[], bool],
) -> None:  # fmt: skip
    pending: dict[Future[Mapping[str, Any]], _Running] = {}

    def go_on(run: _Running) -> bool:
        """Send a trial's next sequence to a process; return whether the trial ended by what is kept."""
        while (part := _kept(run, cache)) is not None:
            if _take(task, study, run, part, cache):
                return True
        pending[pool.submit(_work, len(run.parts), run.choice, run.preparation)] = run
        return False

    while True:
        while len(pending) < workers and _ended(study) + len(pending) < trials and not stopped():
            if go_on(_begin(task, study)):
                progress(_ended(study), trials)
        if not pending:
            return
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            run = pending.pop(future)
            if _take(task, study, run, future.result(), cache) or go_on(run):
                progress(_ended(study), trials)


#: in a worker: what :func:`_prepare_worker` was given
_data: tuple[Sequence[MotTruth], Sequence[MotDetections]] = ((), ())


def _prepare_worker(truths: Sequence[MotTruth], detections: Sequence[MotDetections]) -> None:
    global _data
    # Their parent is told, too, and ends them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _data = truths, detections
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when its parent does, however that happens: nobody would take its results."""
    wait_for_end([parent])
    os._exit(1)


def _work(index: int, choice: TrackerChoice, preparation: Preparation) -> Mapping[str, Any]:
    return evaluate(_data[0][index], _data[1][index], choice, preparation)
