"""Weights by name: shipped with this package, or published and fetched once."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from reid_models.downloads import cache_folder, fetch_file
from reid_models.errors import InputError
from reid_models.names import nearest_name_hint
from reid_models.weights_records import RECORDS, SHIPPED, PublishedFigure, WeightsRecord

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "SHIPPED",
    "PublishedFigure",
    "WeightsRecord",
    "find_weights_record",
    "imagenet_state",
    "list_weights",
    "resolve_weights",
    "shipped_weights",
    "weights_file",
    "weights_record",
    "weights_table",
]

_SHIPPED_FOLDER = Path(__file__).parent / "pretrained"


def list_weights(model: str | None = None) -> list[WeightsRecord]:
    """Return the records of all weights of ``model``, or of every model; shipped ones first."""
    return sorted((r for r in RECORDS if model in (None, r.model)), key=lambda record: not record.shipped)


def weights_record(model: str, name: str) -> WeightsRecord:
    """Return the record of the weights ``name`` of ``model``.

    Raises:
        InputError: there are none of that name; the nearest is suggested.
    """
    known = {record.name: record for record in list_weights(model)}
    if name in known:
        return known[name]
    if not known:
        raise InputError(f"unknown weights {name!r}: {model} has none that go by a name; give a checkpoint file")
    hint = nearest_name_hint(name, known)
    raise InputError(f"unknown weights {name!r} of {model}: {hint} Or give a checkpoint file.")


def shipped_weights(model: str) -> WeightsRecord | None:
    """Return the record of the weights that come with this package for ``model``: its default; or ``None``."""
    return next((record for record in list_weights(model) if record.shipped), None)


def find_weights_record(file: Path, model: str | None = None) -> WeightsRecord | None:
    """Return the record of published weights that a file's name tells of.

    That is the name it was published under, or one that holds the names of the model (unless it is given) and of the
    weights, such as ``osnet_x0_25_msmt17.onnx``.
    """
    candidates = [record for record in list_weights(model) if not record.shipped]
    stem = Path(file.name.lower().removesuffix(".tar")).stem
    for record in candidates:
        if stem == Path(record.file_name).stem.lower():
            return record
    named = [r for r in candidates if r.name in stem and (model is not None or stem.startswith(r.model))]
    return max(named, key=lambda record: len(record.name), default=None)


def weights_file(record: WeightsRecord, *, offline: bool | None = None, progress: bool | None = None) -> Path:
    """Return the file of the weights, fetched into the cache the first time.

    ``MULTICAM_WEIGHTS_URL`` names a mirror: a web folder that holds files under the names they were published with.

    Args:
        record: of the weights.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.
        progress: show a bar; ``None``: on a terminal.

    Raises:
        InputError: the weights are not at hand and cannot be fetched, or are not the ones that were promised.
    """
    what = f"the weights {record.spec}"
    if record.shipped:
        path = _SHIPPED_FOLDER / record.file_name
        if not path.is_file():
            raise InputError(f"{what} should come with this package, but {path} is missing: install multicam again")
        return path
    return fetch_file(
        _address(record),
        _cached_path(record),
        what=what,
        sha256=record.sha256,
        size=record.size,
        offline=offline,
        progress=progress,
    )


def resolve_weights(
    model: str,
    weights: str | os.PathLike[str],
    *,
    offline: bool | None = None,
    progress: bool | None = None,
) -> tuple[Path, WeightsRecord | None]:
    """Return the checkpoint file that ``weights`` of ``model`` means, and its record if that is a name.

    Args:
        model: registered name.
        weights: file, or name of :func:`list_weights`; a file that exists goes before a name.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.
        progress: show a bar; ``None``: on a terminal.

    Raises:
        InputError: neither, or the weights cannot be fetched or are of the trunk alone.
    """
    path = Path(weights)
    name = os.fspath(weights)
    known = any(record.name == name for record in list_weights(model))
    # checkpoints.py says what is wrong with a file; what is no name and looks like a file was meant as one.
    if path.is_file() or (not known and (path.exists() or path.suffix or len(path.parts) > 1)):
        return path, None
    record = weights_record(model, name)
    if record.trunk_only:
        raise InputError(
            f"the weights {record.spec} are of the network's trunk alone, which embeds nobody: training starts from "
            "them (initialization: imagenet)"
        )
    return weights_file(record, offline=offline, progress=progress), record


def imagenet_state(
    model: str,
    *,
    pretrained_file: str | os.PathLike[str] | None = None,
    offline: bool | None = None,
    progress: bool | None = None,
) -> dict[str, Tensor]:
    """Return the tensors from which training of ``model`` starts, by their published keys.

    The strong baseline and MGN start from torchvision's ResNet-50 (``IMAGENET1K_V1``), whose keys are of the trunk
    alone; the OSNets from their authors' networks with a classifier of 1000 classes.

    Args:
        model: registered name.
        pretrained_file: checkpoint instead of the published one.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.
        progress: show a bar; ``None``: on a terminal.

    Raises:
        InputError: nobody published such weights, they cannot be fetched, or the file holds none.
    """
    from reid_models.checkpoints import read_state_dict

    if pretrained_file is not None:
        return read_state_dict(pretrained_file)
    record = next((record for record in list_weights(model) if record.name == "imagenet"), None)
    if record is None:
        raise InputError(
            f"{model} has no published ImageNet weights that are known here: give some with --pretrained FILE, or "
            "start from random ones (initialization: random)"
        )
    try:
        return read_state_dict(weights_file(record, offline=offline, progress=progress))
    except InputError as error:
        raise InputError(f"{error}; or give initial weights with --pretrained FILE") from None


def weights_table() -> list[dict[str, str]]:
    """Return one row for each set of weights that goes by a name, as text; downloads nothing."""
    return [
        {
            "model": record.model,
            "name": record.name,
            "training_data": record.training_data,
            "input": "×".join(map(str, record.input_size)),
            "distance": record.distance,
            "rank1/mAP": ", ".join(f"{f.test_set} {f.rank1:g}/{f.mean_average_precision:g}" for f in record.figures),
            "state": _state(record),
            "source": record.publisher,
            "licence": record.licence,
        }
        for record in list_weights()
    ]


def _state(record: WeightsRecord) -> str:
    if record.shipped:
        return "shipped"
    return "cached" if _cached_path(record).is_file() else "to fetch"


def _cached_path(record: WeightsRecord) -> Path:
    return cache_folder() / "weights" / record.file_name


def _address(record: WeightsRecord) -> str:
    mirror = os.environ.get("MULTICAM_WEIGHTS_URL", "").strip()
    return f"{mirror.rstrip('/')}/{urllib.parse.quote(record.file_name)}" if mirror else record.source
