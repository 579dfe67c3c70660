"""Data sets by name: person and vehicle re-identification, attributes, classes; readers are imported when asked for."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reid_models.data.combine import combine_datasets, train_on_all_images
from reid_models.data.market_layout import MARKET_FOLDERS, read_market1501
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError
from reid_models.names import nearest_name_hint

if TYPE_CHECKING:
    from reid_models.data.attributes import AttributeData
    from reid_models.data.cifar import ClassData

__all__ = [
    "DatasetRequest",
    "DatasetSpec",
    "ImageRows",
    "ReidData",
    "combine_datasets",
    "dataset_spec",
    "list_datasets",
    "parse_datasets",
    "read_attribute_dataset",
    "read_class_dataset",
    "read_dataset",
    "read_datasets",
    "read_market1501",
]


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One data set by name.

    Args:
        name: as given to :func:`read_dataset`.
        kind: ``"identity"``, ``"attributes"`` or ``"classes"``: which of the three reading functions takes it.
        reader: ``"module:function"`` in this package, called with the root, ``name=`` and the options.
        title: what it is.
    """

    name: str
    kind: str
    reader: str
    title: str

    def function(self) -> Callable[..., Any]:
        """Import and return the reader."""
        module, _, function = self.reader.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(f"reid_models.data.{module}"), function)
        return found

    def options(self) -> dict[str, Any]:
        """Return the reader's options and their defaults."""
        parameters = inspect.signature(self.function()).parameters.values()
        return {
            each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "name"
        }


class DatasetRequest(NamedTuple):
    """A data set, where it lies and the options it is read with."""

    name: str
    root: Path
    options: dict[str, Any]


_DATASETS = {
    spec.name: spec
    for spec in (
        DatasetSpec("market1501", "identity", "market_layout:read_market1501", "Market-1501"),
        DatasetSpec("dukemtmc", "identity", "market_layout:read_market1501", "DukeMTMC-reID"),
        DatasetSpec("msmt17", "identity", "msmt17:read_msmt17", "MSMT17, versions 1 and 2"),
        DatasetSpec("cuhk01", "identity", "cuhk01:read_cuhk01", "CUHK01"),
        DatasetSpec("cuhk03", "identity", "cuhk03:read_cuhk03", "CUHK03, new and classic protocol"),
        DatasetSpec("viper", "identity", "viper:read_viper", "VIPeR"),
        DatasetSpec("grid", "identity", "grid:read_grid", "QMUL GRID"),
        DatasetSpec("veri776", "identity", "vehicles:read_veri776", "VeRi-776 (vehicles)"),
        DatasetSpec("vehicleid", "identity", "vehicles:read_vehicleid", "VehicleID (vehicles)"),
        DatasetSpec("folder", "identity", "market_layout:read_market1501", "any folder in Market-1501's layout"),
        DatasetSpec("pa100k", "attributes", "attributes:read_pa100k", "PA-100K (26 attributes)"),
        DatasetSpec("cifar10", "classes", "cifar:read_cifar10", "CIFAR-10"),
        DatasetSpec("cifar100", "classes", "cifar:read_cifar100", "CIFAR-100"),
    )
}
_READ_BY = {
    "identity": "read_dataset",
    "attributes": "read_attribute_dataset",
    "classes": "read_class_dataset",
}


def list_datasets(kind: str | None = None) -> list[str]:
    """Return the names of all data sets, or of those of one kind (``"identity"``, ``"attributes"``, ``"classes"``)."""
    return [spec.name for spec in _DATASETS.values() if kind in (None, spec.kind)]


def dataset_spec(name: str) -> DatasetSpec:
    """Return what is known of a data set.

    Raises:
        InputError: no data set has this name; suggests the nearest.
    """
    if name not in _DATASETS:
        raise InputError(
            f"unknown data set {name!r}: {nearest_name_hint(name, _DATASETS)} Or give the name of a folder in "
            f"Market-1501's layout ({', '.join(MARKET_FOLDERS)}) under --root."
        )
    return _DATASETS[name]


def read_dataset(
    name: str, root: str | os.PathLike[str], *, all_images: bool | str = False, **options: Any
) -> ReidData:
    """Read a data set of identities.

    Args:
        name: one of ``list_datasets("identity")``, or the name of a folder under ``root`` (or of ``root`` itself) in
            the layout of Market-1501. ``"folder"`` is ``root``, whatever its name.
        root: the data set's own folder, or one that holds it under its usual name.
        all_images: train on query and gallery images too, as the source of a cross-domain experiment does.
        options: those of the data set's reader, such as ``protocol="classic"`` of ``cuhk03``; texts are converted.

    Raises:
        InputError: an unknown name or option (the nearest is suggested), a data set of another kind, or whatever is
            missing in the folder.
    """
    folder = Path(root).expanduser()
    if name == "folder":
        spec, called = _DATASETS[name], folder.resolve().name or name
    elif name not in _DATASETS and folder.is_dir() and (folder.resolve().name == name or _is_folder(folder, name)):
        spec, called = _DATASETS["folder"], name
    else:
        spec, called = dataset_spec(name), name
    data: ReidData = _read(spec, "identity", folder, called, options)
    return train_on_all_images(data) if _converted("all_images", all_images, False) else data


def _is_folder(root: Path, name: str) -> bool:
    return "/" not in name and "\\" not in name and (root / name).is_dir()


def read_attribute_dataset(name: str, root: str | os.PathLike[str], **options: Any) -> AttributeData:
    """Read a data set of attributes (``list_datasets("attributes")``); arguments and errors as :func:`read_dataset`."""
    data: AttributeData = _read(dataset_spec(name), "attributes", Path(root), name, options)
    return data


def read_class_dataset(name: str, root: str | os.PathLike[str], **options: Any) -> ClassData:
    """Read a data set of classes (``list_datasets("classes")``); arguments and errors as :func:`read_dataset`."""
    data: ClassData = _read(dataset_spec(name), "classes", Path(root), name, options)
    return data


def _read(spec: DatasetSpec, kind: str, root: Path, called: str, options: dict[str, Any]) -> Any:
    if spec.kind != kind:
        raise InputError(
            f"the data set {spec.name} holds {_content(spec.kind)}, not {_content(kind)}: choose one of "
            f"{', '.join(list_datasets(kind))} (in Python, {_READ_BY[spec.kind]} reads it)"
        )
    known = spec.options()
    for option in options:
        if option not in known:
            hint = nearest_name_hint(option, known) if known else "it has none."
            raise InputError(f"the data set {spec.name} has no option {option!r}: {hint}")
    values = {option: _converted(option, value, known[option]) for option, value in options.items()}
    return spec.function()(root, name=called, **values)


def _content(kind: str) -> str:
    return "identities" if kind == "identity" else kind


def _converted(option: str, value: Any, default: Any) -> Any:
    """Return ``value`` as the type of the option's default, where a text was given."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if isinstance(default, bool):
        if value.lower() not in ("true", "false"):
            raise InputError(f"{option}={value} is neither true nor false")
        return value.lower() == "true"
    try:
        return type(default)(value)
    except ValueError:
        raise InputError(f"{option}={value} is not a whole number") from None


def parse_datasets(text: str, root: str | os.PathLike[str]) -> list[DatasetRequest]:
    """Return the data sets that ``NAME[:OPTION=VALUE,…]+NAME…`` asks for, all under ``root``.

    ``market1501+cuhk03:images=labeled,protocol=classic`` are two.

    Raises:
        InputError: a name or an option is empty, or an option has no value.
    """
    requests = []
    for part in text.split("+"):
        name, colon, listed = part.strip().partition(":")
        options: dict[str, Any] = {}
        for pair in listed.split(",") if colon else ():
            option, equals, value = (word.strip() for word in pair.partition("="))
            if not (option and equals and value):
                raise InputError(f"{pair!r} in --data {text} is no option: write {name}:OPTION=VALUE,OPTION=VALUE")
            options[option] = value
        if not name:
            raise InputError(f"--data {text!r} names no data set: write NAME or NAME+NAME")
        requests.append(DatasetRequest(name, Path(root).expanduser(), options))
    return requests


def read_datasets(names: Sequence[str], roots: Sequence[str | os.PathLike[str]]) -> list[ReidData]:
    """Read the data sets of identities that a command's ``--data`` and ``--root`` name, in order.

    Args:
        names: each as :func:`parse_datasets` takes it.
        roots: one for each of ``names``, or one for all.

    Raises:
        InputError: the numbers do not fit, or as :func:`read_dataset`.
    """
    if not names:
        raise InputError("no data set given: add --data NAME --root DIR")
    if len(roots) not in (1, len(names)):
        raise InputError(
            f"{len(names)} --data but {len(roots)} --root: give one --root for all, or one for each in the same order"
        )
    each_root = list(roots) * len(names) if len(roots) == 1 else roots
    return [
        read_dataset(request.name, request.root, **request.options)
        for name, root in zip(names, each_root, strict=True)
        for request in parse_datasets(name, root)
    ]
