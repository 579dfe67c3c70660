"""A recipe: everything that decides a training run, as YAML that may extend another and is checked by pydantic."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reid_models.data.composites import CompositeSettings
from reid_models.data.transforms import AugmentationSettings
from reid_models.errors import InputError
from reid_models.names import nearest_name_hint
from reid_models.training.schedules import ScheduleSettings
from reid_models.training.search_settings import SearchStage

__all__ = [
    "AveragingSettings",
    "EvaluationSettings",
    "LossSettings",
    "ModelSettings",
    "OptimizerSettings",
    "Recipe",
    "ResolutionStage",
    "SamplerSettings",
    "list_recipes",
    "read_recipe",
]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Settings):
    """Which network, with which options of its builder, from which weights.

    Args:
        name: of :func:`reid_models.list_models`.
        options: architectural options.
        initialization: ``"random"``, ``"imagenet"`` (a published trunk or checkpoint), or the name of weights or a
            checkpoint file to go on from.
    """

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    initialization: str = "random"


class SamplerSettings(_Settings):
    """Batches: ``"random"`` (``batch_size`` images) or ``"identity"`` (``identities`` × ``images``).

    Args:
        camera_aware: take an identity's images in turn from its cameras.
    """

    kind: Literal["random", "identity"] = "random"
    batch_size: int = Field(default=64, ge=2)
    identities: int = Field(default=16, ge=2)
    images: int = Field(default=4, ge=2)
    camera_aware: bool = False

    @property
    def size(self) -> int:
        """Images per batch."""
        return self.batch_size if self.kind == "random" else self.identities * self.images


class LossSettings(_Settings):
    """One term of the objective.

    Args:
        kind: which loss, see :mod:`reid_models.losses`.
        weight: it is multiplied by.
        inputs: numbers of the network's logits, features or maps it is computed on; ``None``: all.
        combine: how those are combined.
        options: of the loss' class.
        learning_rate: of the loss' own parameters (center loss: SGD 0.5).
    """

    kind: Literal[
        "cross_entropy",
        "batch_hard_triplet",
        "weighted_triplet",
        "center",
        "spatial_alignment",
        "cluster_memory",
        "weighted_multi_label",
        "circle",
    ]
    weight: float = 1.0
    inputs: tuple[int, ...] | None = None
    combine: Literal["sum", "mean"] = "sum"
    options: dict[str, Any] = Field(default_factory=dict)
    learning_rate: float = Field(default=0.5, gt=0)


class OptimizerSettings(_Settings):
    """Args: ``kind`` names a class of :mod:`torch.optim`; ``amsgrad`` is Adam with that switch."""

    kind: Literal["sgd", "adam", "amsgrad", "adamw"] = "sgd"
    lr: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=5e-4, ge=0)
    gradient_clipping: float | None = Field(default=None, gt=0)


class AveragingSettings(_Settings):
    """Averaging of weights, after which batch-norm statistics are estimated again.

    Args:
        kind: ``"swa"`` (mean), ``"swag"`` (mean, diagonal and low-rank covariance; Maddox et al. 2019) or ``"ema"``.
        start: epoch from which weights are collected.
        every: epochs between collections.
        rank: columns of SWAG's low-rank part.
        decay: of ``"ema"``, per epoch.
        samples: networks drawn from SWAG's Gaussian for Bayesian model averaging; 0: the mean alone.
    """

    kind: Literal["swa", "swag", "ema"] = "swa"
    start: float = Field(ge=0)
    every: float = Field(default=1, gt=0)
    rank: int = Field(default=20, ge=1)
    decay: float = Field(default=0.9, gt=0, lt=1)
    samples: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _only_swag_draws(self) -> AveragingSettings:
        if self.samples and self.kind != "swag":
            raise ValueError(f"averaging.samples are drawn from SWAG's Gaussian, but averaging.kind is {self.kind}")
        return self


class ResolutionStage(_Settings):
    """Train at ``size`` (height, width) until epoch ``until``; a schedule that starts small is several times faster."""

    until: float = Field(gt=0)
    size: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]]


class EvaluationSettings(_Settings):
    """How the published figure is made.

    Args:
        distance: between embeddings.
        flip: average with the mirrored image.
        re_ranking: k-reciprocal.
        every: epochs between evaluations while training; 0: at the end alone.
    """

    distance: Literal["euclidean", "cosine"] = "euclidean"
    flip: bool = False
    re_ranking: bool = False
    every: int = Field(default=0, ge=0)


class Recipe(_Settings):
    """Everything that decides a training run.

    Args:
        name: of the file.
        paper: where the experiment is published: paper, table, row.
        target: published figures in percent, by metric.
        notes: what the paper leaves open and how it is filled.
        task: what is learnt.
        dataset: that the published figure is made on, used when none is named.
        input_size: (height, width); ``None``: the model's own.
        resolutions: sizes before ``input_size``, in order of ``until``.
        composites: made-up identities beside those of the data set.
        classifier_only_epochs: at the start, only classifiers learn.
    """

    name: str
    paper: str = ""
    target: dict[str, float] = Field(default_factory=dict)
    notes: str = ""
    task: Literal["reid", "classification", "attributes", "search"] = "reid"
    dataset: str = "market1501"
    test_dataset: str | None = None
    model: ModelSettings
    input_size: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] | None = None
    resolutions: tuple[ResolutionStage, ...] = ()
    augmentation: AugmentationSettings = AugmentationSettings()
    composites: CompositeSettings | None = None
    sampler: SamplerSettings = SamplerSettings()
    losses: tuple[LossSettings, ...] = Field(min_length=1)
    optimizer: OptimizerSettings
    schedule: ScheduleSettings = ScheduleSettings()
    epochs: int = Field(ge=1)
    classifier_only_epochs: int = Field(default=0, ge=0)
    averaging: AveragingSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    search: SearchStage | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _composites_are_people(self) -> Recipe:
        if self.composites is not None and self.task != "reid":
            raise ValueError(f"composites are made of people: take them out for the task {self.task!r}")
        return self

    def scaled(self, factor: float) -> Recipe:
        """Return the recipe with its schedule shortened: every epoch and milestone multiplied by ``factor``.

        Raises:
            InputError: the factor is not positive.
        """
        if not 0 < factor < float("inf"):
            raise InputError(f"--epochs-scale {factor} must be a positive number, such as 0.1")
        if factor == 1:
            return self
        averaging = self.averaging and self.averaging.model_copy(
            update={"start": self.averaging.start * factor, "every": self.averaging.every * factor}
        )
        return self.model_copy(
            update={
                "epochs": max(1, round(self.epochs * factor)),
                "schedule": self.schedule.scaled(factor),
                "classifier_only_epochs": round(self.classifier_only_epochs * factor),
                "averaging": averaging,
                "resolutions": tuple(
                    ResolutionStage(until=stage.until * factor, size=stage.size) for stage in self.resolutions
                ),
            }
        )


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with the library, bases left out, sorted."""
    folder = resources.files("reid_models.recipes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def read_recipe(spec: str, changes: Sequence[str] = ()) -> Recipe:
    """Return a recipe by name or file.

    Args:
        spec: name of :func:`list_recipes`, or a YAML file.
        changes: ``"optimizer.lr=0.1"`` and the like; values are YAML. A number indexes a list: ``losses.0.weight=2``.

    Raises:
        InputError: no such recipe, no YAML, an unknown key (the nearest is suggested) or a value that cannot be.
    """
    content = _extended(_find(spec), [])
    for change in changes:
        _apply(content, change)
    content["name"] = Path(spec).stem
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise InputError(f"the recipe {spec}: {_explained(error)}") from None


def _find(spec: str) -> Path:
    path = Path(spec)
    if path.suffix.lower() in (".yaml", ".yml"):
        if not path.is_file():
            raise InputError(f"the recipe {spec} does not exist")
        return path
    with resources.as_file(resources.files("reid_models.recipes")) as folder:
        built_in = folder / f"{spec}.yaml"
        if not built_in.is_file():
            raise InputError(f"unknown recipe {spec!r}: {nearest_name_hint(spec, list_recipes())} Or give a YAML file.")
        return built_in


def _extended(path: Path, seen: list[Path]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise InputError(f"the recipe {path} extends itself, through {' → '.join(p.name for p in [*seen, path])}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"the recipe {path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"the recipe {path} holds no settings; give a YAML mapping such as those in recipes/")
    base = content.pop("extends", None)
    if base is None:
        return content
    parent = path.parent / (str(base) if str(base).endswith((".yaml", ".yml")) else f"{base}.yaml")
    if not parent.is_file():
        parent = _find(str(base))
    return _merged(_extended(parent, [*seen, path.resolve()]), content)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``: mappings are merged, everything else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {change}: give KEY=VALUE, such as optimizer.lr=0.01")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {change}: the value is no YAML") from None
    if isinstance(value, str):
        # YAML 1.1 takes 1e-3 for a word.
        with contextlib.suppress(ValueError):
            value = float(value)
    place: Any = content
    *path, last = key.strip().split(".")
    for part in path:
        if isinstance(place, list):
            place = place[_position(part, place, change)]
            continue
        if not isinstance(place.get(part), (dict, list)):
            place[part] = {}
        place = place[part]
    if isinstance(place, list):
        place[_position(last, place, change)] = value
    else:
        place[last] = value


def _position(part: str, values: list[Any], change: str) -> int:
    if not part.isdigit() or int(part) >= len(values):
        raise InputError(f"--set {change}: {part} must be a number below {len(values)}, counted from 0")
    return int(part)


def _explained(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = list(problem["loc"])
    name = ".".join(map(str, place))
    if problem["type"] == "extra_forbidden":
        known = _fields_at(place[:-1])
        return f"unknown key {name!r}: {nearest_name_hint(str(place[-1]), known)}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    shown = repr(problem["input"])
    return f"{name} = {shown if len(shown) < 80 else '…'}: {problem['msg'].lower()}"


def _fields_at(place: Sequence[int | str]) -> list[str]:
    """Return the keys that the settings at ``place`` have."""
    schema = Recipe.model_json_schema()
    node: Any = schema
    for part in place:
        node = _resolved(schema, node)
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        if "prefixItems" in node:
            node = node["prefixItems"][0]
    return sorted(_resolved(schema, node).get("properties", {}))


def _resolved(schema: Mapping[str, Any], node: Any) -> Any:
    for candidate in [node, *node.get("anyOf", [])]:
        if "$ref" in candidate:
            return schema["$defs"][candidate["$ref"].rpartition("/")[2]]
    return node
