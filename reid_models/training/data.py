"""From data sets to what a network learns from and is evaluated on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reid_models.data.broken_images import BrokenImage, find_broken_images
from reid_models.data.checks import check_evaluation_rows, check_training_rows, without_images
from reid_models.data.datasets import (
    combine_datasets,
    parse_datasets,
    read_attribute_dataset,
    read_class_dataset,
    read_datasets,
)
from reid_models.data.rows import ReidData
from reid_models.errors import InputError
from reid_models.training.recipe import Recipe
from reid_models.training.trainer import TrainingData

if TYPE_CHECKING:
    from reid_models.data.attributes import AttributeData, AttributeRows
    from reid_models.data.cifar import ClassData

__all__ = ["LoadedData", "load_data", "usable_attribute_images", "usable_images"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedData:
    """What a recipe is run on.

    Args:
        training: images and labels.
        identity_sets: data sets to evaluate on by ranking, each by itself.
        attributes: for the task "attributes".
        classes: for the task "classification".
        warnings: what a person should know.
    """

    training: TrainingData
    identity_sets: tuple[ReidData, ...] = ()
    attributes: AttributeData | None = None
    classes: ClassData | None = None
    warnings: tuple[str, ...] = ()


def load_data(
    recipe: Recipe,
    names: Sequence[str],
    roots: Sequence[Path],
    *,
    test_names: Sequence[str] = (),
    test_roots: Sequence[Path] = (),
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> LoadedData:
    """Read what ``--data`` and ``--root`` name, check it, and put it in the form of the recipe's task.

    Args:
        recipe: its task and sampler decide what is needed.
        names: data sets, see :func:`reid_models.data.datasets.read_datasets`.
        roots: one, or one for each.
        test_names: data sets to evaluate on instead of those trained on: cross-domain.
        test_roots: of those; empty: ``roots``.
        skip_broken: leave images out that cannot be decoded, instead of refusing.
        progress: told (done, total) while images are checked.

    Raises:
        InputError: a data set is missing, of another kind, or holds nothing to learn from; broken images.
    """
    if recipe.task in ("reid", "search"):
        tested = read_datasets(test_names, test_roots or roots) if test_names else None
        return _identities(recipe, read_datasets(names, roots), tested, skip_broken, progress)
    if len(names) != 1 or len(roots) != 1:
        raise InputError(f"the recipe {recipe.name} learns {recipe.task}: give one --data and one --root")
    request, *others = parse_datasets(names[0], roots[0])
    if others:
        raise InputError(f"the recipe {recipe.name} learns {recipe.task} from one data set, not from {names[0]}")
    if recipe.task == "classification":
        classes = read_class_dataset(request.name, request.root, **request.options)
        return LoadedData(
            TrainingData(classes.train.images, classes.train.labels, len(classes.classes)), classes=classes
        )
    attributes = read_attribute_dataset(request.name, request.root, **request.options)
    rows, warnings = usable_attribute_images(attributes.train, skip_broken, progress)
    data = TrainingData(rows.paths, rows.labels.astype(np.float32), len(attributes.attributes))
    return LoadedData(data, attributes=attributes, warnings=tuple(warnings))


def usable_images(data: ReidData, skip_broken: bool, progress: Progress | None = None) -> tuple[ReidData, list[str]]:
    """Return ``data`` without query and gallery images that cannot be decoded, and what was left out.

    Raises:
        InputError: there are broken images and ``skip_broken`` is false.
    """
    paths = list(dict.fromkeys((*data.query.paths, *data.gallery.paths)))
    broken = {image.path for image in _broken(paths, skip_broken, progress)}
    if broken:
        data = replace(data, query=without_images(data.query, broken), gallery=without_images(data.gallery, broken))
    return data, list(_skipped(broken))


def usable_attribute_images(
    rows: AttributeRows, skip_broken: bool, progress: Progress | None = None
) -> tuple[AttributeRows, list[str]]:
    """Return ``rows`` without images that cannot be decoded, and what was left out.

    Raises:
        InputError: there are broken images and ``skip_broken`` is false, or nothing is left.
    """
    broken = {image.path for image in _broken(rows.paths, skip_broken, progress)}
    if len(broken) == len(rows):
        raise InputError(f"none of the {len(rows)} images can be decoded, first {rows.paths[0]}: download them again")
    return rows[np.array([path not in broken for path in rows.paths], bool)], list(_skipped(broken))


def _identities(
    recipe: Recipe,
    sets: Sequence[ReidData],
    tested: Sequence[ReidData] | None,
    skip_broken: bool,
    progress: Progress | None,
) -> LoadedData:
    rows = combine_datasets(sets).train
    broken = {image.path for image in _broken(rows.paths, skip_broken, progress)}
    rows = without_images(rows, broken) if broken else rows
    images = recipe.sampler.images if recipe.sampler.kind == "identity" else 1
    warnings = [*_skipped(broken), *check_training_rows(rows, minimum_images=images)]
    labels = rows.training_labels()
    evaluated = []
    for data in sets if tested is None else tested:
        if not len(data.query) and not len(data.gallery):
            continue
        without_match = check_evaluation_rows(data)
        if len(without_match):
            warnings.append(f"{len(without_match)} queries of {data.name} have no true match and are left out")
        evaluated.append(data)
    training = TrainingData(rows.paths, labels, int(labels.max()) + 1, rows.cameras)
    return LoadedData(training, tuple(evaluated), warnings=tuple(warnings))


def _broken(paths: Sequence[Path], skip: bool, progress: Progress | None) -> list[BrokenImage]:
    found = find_broken_images(paths, progress)
    if found and not skip:
        first = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise InputError(
            f"the image {first.path} is broken ({first.fault}){more}: mend or remove it, or leave such images out with "
            "--skip-broken"
        )
    return list(found)


def _skipped(broken: set[Path]) -> tuple[str, ...]:
    if not broken:
        return ()
    names = ", ".join(sorted(path.name for path in broken)[:5])
    return (f"{len(broken)} broken images are left out: {names}{', …' if len(broken) > 5 else ''}",)
