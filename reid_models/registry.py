"""ReID networks found by name and imported only when asked for."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reid_models.errors import InputError
from reid_models.names import nearest_name_hint
from reid_models.records import EmbeddingRecord

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ModelSpec", "create_model", "list_models", "model_spec"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One architecture by name: where it is built and what must be known to use it.

    Args:
        name: as given to :func:`create_model`.
        builder: ``"package.module:function"``; called with ``num_classes`` and the options.
        embedding_dimension: length D of the test embedding.
        record: input size, normalisation, colour order, distance and threshold.
        licence: of the published weights, where their source states one.
        paper: authors, title, venue.
        options: what this name fixes of the builder's options.
    """

    name: str
    builder: str
    embedding_dimension: int
    record: EmbeddingRecord
    licence: str
    paper: str
    options: dict[str, Any] = field(default_factory=dict)


_OSNET_PAPER = "Zhou et al., Omni-Scale Feature Learning for Person Re-Identification, ICCV 2019"
_OSNET_AIN_PAPER = "Zhou et al., Learning Generalisable Omni-Scale Representations, TPAMI 2021"
_BASELINE_PAPER = "Luo et al., Bag of Tricks and A Strong Baseline for Deep Person Re-identification, CVPRW 2019"
_MGN_PAPER = "Wang et al., Learning Discriminative Features with Multiple Granularities for Person Re-ID, ACM MM 2018"
_HACNN_PAPER = "Li et al., Harmonious Attention Network for Person Re-Identification, CVPR 2018"
_ROBUST_PAPER = "Lawen et al., Compact Network Training for Person ReID, ICMR 2020"
_MSINET_PAPER = "Gu et al., MSINet: Twins Contrastive Search of Multi-Scale Interaction for Object ReID, CVPR 2023"
# Without weights of known training data nothing is known about distances: this is where OSNet trained on MSMT17
# confuses about one pair of strangers in a hundred (see weights_records.py for the measured values).
_THRESHOLD = 0.25
_OSNET_RECORD = EmbeddingRecord(distance="euclidean", default_threshold=_THRESHOLD)
_SMALL_RECORD = EmbeddingRecord(input_size=(160, 64), default_threshold=_THRESHOLD)
_LARGE_RECORD = EmbeddingRecord(input_size=(384, 128), default_threshold=_THRESHOLD)
_RECORD = EmbeddingRecord(default_threshold=_THRESHOLD)


def _osnet(name: str, *, distance: str = "euclidean", paper: str = _OSNET_PAPER, **options: Any) -> ModelSpec:
    record = _OSNET_RECORD.updated({"distance": distance}, name)
    return ModelSpec(name, "reid_models.architectures.osnet:osnet", 512, record, "MIT", paper, options)


def _spec(
    name: str, builder: str, dimension: int, record: EmbeddingRecord, licence: str, paper: str, **options: Any
) -> ModelSpec:
    return ModelSpec(name, f"reid_models.architectures.{builder}", dimension, record, licence, paper, options)


_MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        _osnet("osnet_x1_0"),
        _osnet("osnet_x0_75", width=0.75),
        _osnet("osnet_x0_5", width=0.5),
        _osnet("osnet_x0_25", width=0.25),
        _osnet("osnet_ibn_x1_0", instance_norm="ibn"),
        _osnet("osnet_ain_x1_0", distance="cosine", paper=_OSNET_AIN_PAPER, instance_norm="ain"),
        _spec("strong_baseline_resnet50", "strong_baseline:strong_baseline", 2048, _RECORD, "MIT", _BASELINE_PAPER),
        _spec("mgn_resnet50", "mgn:mgn", 2048, _LARGE_RECORD, "not stated", _MGN_PAPER),
        _spec("hacnn", "hacnn:hacnn", 1024, _SMALL_RECORD, "MIT", _HACNN_PAPER),
        _spec("robust_reid_1x", "robust_reid:robust_reid", 1024, _SMALL_RECORD, "no published weights", _ROBUST_PAPER),
        _spec(
            "robust_reid_2x",
            "robust_reid:robust_reid",
            1920,
            _SMALL_RECORD,
            "no published weights",
            _ROBUST_PAPER,
            size="2x",
        ),
        _spec("msinet", "msinet:msinet", 768, _RECORD, "MIT", _MSINET_PAPER),
        _spec("msinet_sam", "msinet:msinet", 768, _RECORD, "MIT", _MSINET_PAPER, spatial_alignment=True),
    )
}


def list_models(pattern: str = "*") -> list[str]:
    """Return the names of all models that match a shell ``pattern`` (``"osnet*"``), sorted; imports no model."""
    return sorted(fnmatch.filter(_MODELS, pattern))


def model_spec(name: str) -> ModelSpec:
    """Return the record of the model called ``name``.

    Raises:
        InputError: no such model; the message suggests the nearest name.
    """
    try:
        return _MODELS[name]
    except KeyError:
        raise InputError(f"unknown ReID model {name!r}: {nearest_name_hint(name, _MODELS)}") from None


def create_model(
    name: str,
    *,
    num_classes: int = 0,
    weights: str | os.PathLike[str] | None = None,
    offline: bool | None = None,
    **options: Any,
) -> nn.Module:
    """Build a ReID network, in training mode and with random weights unless ``weights`` are given.

    Args:
        name: one of :func:`list_models`.
        num_classes: identities to classify while training; 0 builds no classifier.
        weights: checkpoint file, read by :func:`reid_models.load_checkpoint`, or the name of weights
            (:func:`reid_models.weights.list_weights`), fetched the first time.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.
        options: architectural options of the paper's ablations, see the architecture's class.

    Returns:
        A module: in evaluation mode ``model(images (B, 3, H, W) float32) → (B, D) float32`` is the test embedding,
        in training mode a :class:`reid_models.outputs.ModelOutput`.

    Raises:
        InputError: unknown name or option, a negative number of classes, or weights that cannot be had or used.
    """
    spec = model_spec(name)
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 0:
        raise InputError(f"num_classes {num_classes!r} of {name} must be a whole number, 0 for no classifier")
    module_name, _, attribute = spec.builder.partition(":")
    builder = getattr(importlib.import_module(module_name), attribute)
    known = [option for option in inspect.signature(builder).parameters if option != "num_classes"]
    for option in options:
        if option not in known:
            raise InputError(f"the ReID model {name!r} has no option {option!r}: {nearest_name_hint(option, known)}")
    model: nn.Module = builder(num_classes=num_classes, **{**spec.options, **options})
    if weights is not None:
        from reid_models.checkpoints import load_checkpoint
        from reid_models.weights import resolve_weights

        file, _ = resolve_weights(name, weights, offline=offline)
        load_checkpoint(model, file)
    return model
