"""Attributes and classes for ``multicam reid evaluate``: figures of a classifier instead of a ranking."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from apps.reid_data import counting, print_warnings, usable_attributes

if TYPE_CHECKING:
    from torch import nn

    from apps.reid_evaluate import EvaluateRequest
    from reid_models.data.attributes import AttributeData
    from reid_models.data.cifar import ClassData
    from reid_models.data.datasets import DatasetRequest
    from reid_models.records import EmbeddingRecord

__all__ = ["evaluate_classes", "figures_of_classes"]


def evaluate_classes(
    request: EvaluateRequest, data_request: DatasetRequest, console: Console | None
) -> list[dict[str, Any]]:
    """Evaluate a network on a data set of attributes or classes and print a table.

    Raises:
        InputError: something given cannot be used.
    """
    from apps.reid_evaluate import print_rows
    from apps.reid_model import load_named_model, parse_input_size
    from reid_models.data.datasets import dataset_spec, read_attribute_dataset, read_class_dataset
    from reid_models.errors import InputError
    from reid_models.training.run import create_accelerator

    for option, given in (
        ("--flip", request.flip),
        ("--re-ranking", request.re_ranking),
        ("--multi-query", request.multi_query),
        ("--distance", request.distance),
        ("--visualize", request.visualize),
    ):
        if given:
            raise InputError(f"{option} is for rankings, and {data_request.name} has none: leave it out")
    size = parse_input_size(request.input_size)
    attributes = classes = None
    if dataset_spec(data_request.name).kind == "attributes":
        attributes = read_attribute_dataset(data_request.name, data_request.root, **data_request.options)
        count = len(attributes.attributes)
    else:
        classes = read_class_dataset(data_request.name, data_request.root, **data_request.options)
        count = len(classes.classes)
    named = load_named_model(
        request.model, request.weights, request.model_options, num_classes=count, offline=request.offline
    )
    record = named.record if size is None else replace(named.record, input_size=size)
    if attributes is not None:
        attributes, warnings = usable_attributes(attributes, request.skip_broken, console)
        print_warnings(warnings, console)
    network = named.network.to(create_accelerator(request.device).device)
    rows = figures_of_classes(named.label, network, record, attributes, classes, console)
    if not request.quiet:
        print_rows(rows, Console())
    return rows


def figures_of_classes(
    label: str,
    network: nn.Module,
    record: EmbeddingRecord,
    attributes: AttributeData | None,
    classes: ClassData | None,
    console: Console | None,
) -> list[dict[str, Any]]:
    """Return PA-100K's five figures, or top-1 and top-5 error, on the test images, in percent."""
    from reid_models.evaluation.attributes import evaluate_attributes
    from reid_models.evaluation.classification import top_k_error
    from reid_models.evaluation.logits import predict_logits

    if attributes is not None:
        with counting(f"attributes of {attributes.name}", console) as progress:
            logits = predict_logits(network, attributes.test.paths, record, progress=progress)
        probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
        figures = evaluate_attributes(probabilities, attributes.test.labels).percentages()
        return [{"name": label, "sequence": attributes.name, **figures}]
    assert classes is not None
    with counting(f"classes of {classes.name}", console) as progress:
        logits = predict_logits(network, classes.test.images, record, progress=progress)
    errors = {f"top{k}_error": 100 * top_k_error(logits, classes.test.labels, k=k) for k in (1, 5)}
    return [{"name": label, "sequence": classes.name, **errors}]
