"""The training loop: one recipe, one network, exact resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from reid_models.data.composites import Composites
from reid_models.data.loading import ImageStore, TrainingImages, epoch_loader
from reid_models.data.samplers import BatchPlan, IdentityPlan, ShuffledPlan
from reid_models.data.transforms import Augmenter
from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord
from reid_models.training.objective import Objective
from reid_models.training.optimizers import LossOptimizers, create_optimizer, freeze_batch_norm, train_only_classifiers
from reid_models.training.progress import TrainingProgress
from reid_models.training.recipe import Recipe
from reid_models.training.run_files import RunFolder
from reid_models.training.schedules import learning_rate_factor
from reid_models.training.training_data import TrainingData, with_composites
from reid_models.training.weight_averaging import WeightAverage, estimate_batch_norm

__all__ = ["EpochReport", "Trainer", "TrainingData"]

#: images from which batch-norm statistics are estimated again after averaging, at most
_BATCH_NORM_IMAGES = 8192
#: how far into its epoch the last step is: at the very end, a milestone or the next cycle's peak would count already
_LAST_STEP = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch: its number from 1, mean of each loss term, learning rate at its end, images per second."""

    epoch: int
    losses: dict[str, float]
    learning_rate: float
    images_per_second: float
    seconds: float


class Trainer:
    """Trains one network by a recipe.

    Everything random is a function of the recipe's seed and the epoch, and everything else is in the checkpoint that
    each epoch ends with: a run that is interrupted and resumed gives the same bytes as one that is not.

    Args:
        model: in training mode it returns a :class:`reid_models.outputs.ModelOutput`.
        recipe: settings.
        data: images and labels.
        record: mean, std and colour order of the input; its size is replaced by the recipe's stages.
        folder: where the run is kept.
        accelerator: device, precision and processes; ``None``: as the environment says.
        workers: processes that prepare images; 0: none.
        cache: keep images decoded in memory; ``None``: if they fit.
        progress: what is shown.
        evaluate: figures of a network in evaluation mode, called after every ``evaluation.every`` epochs.

    Raises:
        InputError: the recipe does not suit the network or the data.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        data: TrainingData,
        record: EmbeddingRecord,
        folder: RunFolder,
        *,
        accelerator: Accelerator | None = None,
        workers: int = 0,
        cache: bool | None = None,
        progress: TrainingProgress | None = None,
        evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.accelerator = accelerator or Accelerator()
        self._data = data
        self._record = record
        self._workers = workers
        self._cache = cache
        self._progress = progress or TrainingProgress(None)
        self._evaluate = evaluate
        self._store: ImageStore | None = None
        self._composites: Composites | None = None
        if recipe.composites is not None:
            self._data, self._composites = with_composites(data, recipe)
        self._plan = self._batch_plan()
        torch.manual_seed(recipe.seed)
        device = self.accelerator.device
        network = model.to(device).to(memory_format=torch.channels_last)
        objective = Objective(
            recipe.losses, self._sample_output(network), self._data.num_classes, self._positive_ratios()
        ).to(device)
        self._optimizer = create_optimizer(network, recipe.optimizer)
        self._network = network
        self.model: nn.Module = self.accelerator.prepare_model(network)
        self.objective = objective
        self._loss_optimizers = LossOptimizers(objective)
        self._average = WeightAverage(recipe.averaging) if recipe.averaging is not None else None
        self.epoch = 0

    # ------------------------------------------------------------------------------------------------------ the run

    def resume(self) -> None:
        """Go on from the folder's last checkpoint.

        Raises:
            InputError: the checkpoint is damaged, or of another run.
        """
        self.folder.check_same_recipe(self.recipe)
        state = self.folder.load_checkpoint()
        try:
            self._network.load_state_dict(state["model"])
            self.objective.load_state_dict(state["objective"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._loss_optimizers.load_state_dict(state["loss_optimizers"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
            if self.accelerator.scaler is not None and "scaler" in state:
                self.accelerator.scaler.load_state_dict(state["scaler"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"{self.folder.last} is of another run: {error}") from None
        torch.set_rng_state(state["random_state"])
        self.epoch = int(state["epoch"])

    def run(self, stop: Callable[[], bool] = lambda: False) -> Iterator[EpochReport]:
        """Train to the recipe's last epoch, yielding a report after each, when its checkpoint has been written.

        Args:
            stop: asked after every step; when true the epoch is abandoned and the run ends with its last checkpoint.

        Raises:
            InputError: the loss or a weight is no longer finite; the batch is named, and the last checkpoint stays.
        """
        if self.accelerator.is_main_process and self.epoch == 0:
            self.folder.write_recipe(self.recipe)
        self._progress.begin(self.recipe.epochs, self.epoch)
        while self.epoch < self.recipe.epochs:
            report = self._train_epoch(stop)
            if report is None:
                return
            self.epoch += 1
            if self._average is not None and self._average.is_due(self.epoch):
                self._average.collect(self._network)
            if self.accelerator.is_main_process:
                self._write_epoch(report)
            yield report

    def finish(self) -> None:
        """Give the network the averaged weights, if the recipe averages, with batch-norm statistics of their own."""
        if self._average is None or not self._average.collected:
            return
        self._average.apply_mean(self._network)
        self.estimate_batch_norm()

    def sample(self, number: int) -> None:
        """Give the network weights drawn from SWAG's Gaussian, the same for the same ``number``."""
        assert self._average is not None
        self._average.apply_sample(self._network, torch.Generator().manual_seed(self.recipe.seed + number))
        self.estimate_batch_norm()

    @property
    def network(self) -> nn.Module:
        """The trained network itself, out of any wrapper."""
        return self._network

    def estimate_batch_norm(self) -> None:
        """Estimate batch-norm statistics from the training images, augmented as in training."""
        dataset = self._dataset(self.recipe.epochs)
        count = max(1, _BATCH_NORM_IMAGES // self._plan.batch_size)

        def batches() -> Iterator[Tensor]:
            loader = epoch_loader(dataset, self._plan, self.recipe.epochs, workers=self._workers)
            for number, (images, _, _) in enumerate(loader):
                if number == count:
                    return
                yield self._to_device(images)

        estimate_batch_norm(self._network, batches())

    # ---------------------------------------------------------------------------------------------------- one epoch

    def _train_epoch(self, stop: Callable[[], bool]) -> EpochReport | None:
        recipe, epoch = self.recipe, self.epoch
        dataset = self._dataset(epoch)
        batches = len(self._plan.batches(epoch))
        only_classifiers = epoch < recipe.classifier_only_epochs
        self.model.train()
        if only_classifiers:
            freeze_batch_norm(self._network)
        sums: dict[str, Tensor] = {}
        started = time.perf_counter()
        rate = 0.0
        rows: list[int] = []
        schedule_epochs = recipe.epochs if recipe.schedule.cycles is None else recipe.schedule.cycles.start
        on_gpu = self.accelerator.device.type == "cuda"
        loader = epoch_loader(dataset, self._plan, epoch, workers=self._workers, pin_memory=on_gpu)
        for step, (images, labels, rows) in enumerate(loader):
            within = min((step + 1) / batches, _LAST_STEP) if recipe.schedule.per_iteration else 0
            rate = recipe.optimizer.lr * learning_rate_factor(recipe.schedule, epoch + within, schedule_epochs)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            loss, terms = self._step(images, labels, rows, only_classifiers, step)
            for name, value in {"loss": loss, **terms}.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value
            if stop():
                return None
            done = (step + 1) * self._plan.batch_size * self.accelerator.num_processes
            self._progress.step(epoch, step + 1, batches, terms, rate, done / (time.perf_counter() - started))
        broken = _not_finite(self._network)
        if broken is not None:
            # The loss of this batch was the last to be looked at: its step did it.
            self._stop_not_finite(f"the weights {broken} are", rows, batches - 1)
        seconds = time.perf_counter() - started
        shown = batches * self._plan.batch_size * self.accelerator.num_processes
        means = {name: float(value) / max(1, batches) for name, value in sums.items()}
        return EpochReport(epoch + 1, means, rate, shown / seconds, seconds)

    def _step(
        self, images: Tensor, labels: Tensor, rows: list[int], only_classifiers: bool, step: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        self._optimizer.zero_grad(set_to_none=True)
        self._loss_optimizers.zero_grad()
        with self.accelerator.autocast():
            output = self.model(self._to_device(images))
        loss, terms = self.objective(_as_float(output), labels.to(self.accelerator.device))
        if not math.isfinite(float(loss.detach())):
            values = ", ".join(f"{name} {float(value):g}" for name, value in terms.items())
            self._stop_not_finite(f"the loss ({values}) is", rows, step)
        self.accelerator.backward(loss)
        if only_classifiers:
            train_only_classifiers(self._network)
        # In fp16, backward has multiplied gradients; the optimizers are not accelerate's and do not know by what.
        scaler = self.accelerator.scaler
        if scaler is not None:
            scaler.unscale_(self._optimizer)
        if self.recipe.optimizer.gradient_clipping is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.gradient_clipping)
        if scaler is None:
            self._optimizer.step()
        else:
            scaler.step(self._optimizer)
        self._loss_optimizers.step(scaler)
        if scaler is not None:
            scaler.update()
        return loss.detach(), terms

    def _stop_not_finite(self, what: str, rows: list[int], step: int) -> NoReturn:
        assert self._store is not None
        names = ", ".join(self._store.name(row) for row in rows[:4])
        kept = f"{self.folder.last} of epoch {self.epoch} is kept" if self.epoch else "no epoch was finished"
        raise InputError(
            f"{what} no longer finite in epoch {self.epoch + 1}, batch {step + 1} ({names} and "
            f"{max(0, len(rows) - 4)} more): lower optimizer.lr or lengthen schedule.warm_up; {kept}"
        )

    def _write_epoch(self, report: EpochReport) -> None:
        every = self.recipe.evaluation.every
        figures: dict[str, float] = {}
        if self._evaluate is not None and every and report.epoch % every == 0 and report.epoch < self.recipe.epochs:
            self._network.eval()
            figures = self._evaluate(self._network)
        row = {
            "epoch": float(report.epoch),
            "learning_rate": report.learning_rate,
            **report.losses,
            "images_per_second": report.images_per_second,
            "seconds": report.seconds,
            **figures,
        }
        self.folder.append_history(row)
        self._progress.epoch(row)
        self.folder.save_checkpoint(self._state())

    def _state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return {
            **({} if scaler is None else {"scaler": scaler.state_dict()}),
            "epoch": self.epoch,
            "model": self._network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "loss_optimizers": self._loss_optimizers.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "random_state": torch.get_rng_state(),
        }

    # ------------------------------------------------------------------------------------------------------- parts

    def _size(self, epoch: int) -> tuple[int, int]:
        for stage in self.recipe.resolutions:
            if epoch < stage.until:
                return stage.size
        return self.recipe.input_size or self._record.input_size

    def _dataset(self, epoch: int) -> TrainingImages:
        size = self._size(epoch)
        if self._store is None or self._store.size != size:
            self._store = None
            self._store = ImageStore(self._data.images, size, self._cache, self._composites)
            self._store.load(self._progress.loading(self._store.files, size) if self._store.cached else None)
        augmenter = Augmenter(self.recipe.augmentation, self._record, self.recipe.seed)
        return TrainingImages(self._store, self._data.labels, augmenter)

    def _batch_plan(self) -> BatchPlan:
        settings, seed = self.recipe.sampler, self.recipe.seed
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        if settings.kind == "random":
            return ShuffledPlan(len(self._data.labels), settings.batch_size, seed, process, processes)
        if self._data.labels.ndim != 1:
            raise InputError("the sampler 'identity' needs identities: set sampler.kind=random for attributes")
        return IdentityPlan(
            np.asarray(self._data.labels, np.int64),
            settings.identities,
            settings.images,
            seed,
            cameras=self._data.cameras if settings.camera_aware else None,
            process=process,
            processes=processes,
        )

    def _sample_output(self, network: nn.Module) -> Any:
        """Return the training output for two grey images, leaving batch-norm statistics as they were."""
        height, width = self._size(0)
        statistics = {key: value.clone() for key, value in network.named_buffers()}
        network.train()
        with torch.no_grad():
            output = network(torch.zeros(2, 3, height, width, device=self.accelerator.device))
        for key, value in network.named_buffers():
            value.copy_(statistics[key])
        return output

    def _positive_ratios(self) -> Tensor | None:
        if self._data.labels.ndim != 2:
            return None
        return torch.from_numpy(np.asarray(self._data.labels, np.float32).mean(axis=0))

    def _to_device(self, images: Tensor) -> Tensor:
        return images.to(self.accelerator.device, non_blocking=True).contiguous(memory_format=torch.channels_last)


def _not_finite(network: nn.Module) -> str | None:
    """Return the name of a weight or statistic that is not finite, if there is one."""
    state = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    if not state or torch.stack([value.isfinite().all() for value in state.values()]).all():
        return None
    return next(name for name, value in state.items() if not value.isfinite().all())


def _as_float(output: Any) -> Any:
    """Losses are computed in float32, whatever precision the network ran in."""
    return type(output)(
        tuple(value.float() for value in output.logits),
        tuple(value.float() for value in output.features),
        tuple(value.float() for value in output.maps),
    )
