"""``multicam reid evaluate``: the figures are those of the library, whatever the model is given as."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reid_models.architectures.osnet import OSNet
from reid_models.checkpoints import load_checkpoint
from reid_models.color_histogram import ColorHistogram
from reid_models.data.datasets import ReidData, read_dataset
from reid_models.evaluation.embedding import embed_images
from reid_models.evaluation.evaluate import Embedded, rank_again
from reid_models.evaluation.protocols import cuhk03_classic, multi_query_ranking, vehicleid
from reid_models.evaluation.ranking import evaluate_ranking
from reid_models.records import EmbeddingRecord
from reid_models.registry import create_model
from tests.apps.command import Command, Outcome, assert_one_line, files_in, read_json
from tests.apps.reid_people import (
    SIZE,
    SMALL,
    images_of,
    write_cuhk03,
    write_people,
    write_vehicles,
    write_weights,
)

METRICS = ["rank1", "rank5", "rank10", "mAP", "mINP"]
RECORD = EmbeddingRecord(input_size=SIZE)
#: the small network in options of the command
OPTIONS = [part for name, value in SMALL.items() for part in ("--model-option", f"{name}={value}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``people`` and ``weights.pt``; only to be read."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_people(folder / "people")
    write_weights(folder / "weights.pt")
    return folder


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """The people again, to be spoilt."""
    return Path(shutil.copytree(folder / "people", tmp_path / "spoilt"))


@pytest.fixture(scope="module")
def network(folder: Path) -> OSNet:
    model = create_model("osnet_x0_25", **SMALL)
    assert isinstance(model, OSNet)
    load_checkpoint(model, folder / "weights.pt")
    return model.eval()


@pytest.fixture(scope="module")
def people(folder: Path) -> ReidData:
    return read_dataset("folder", folder / "people")


def figures(
    multicam: Command, tmp_path: Path, *given: object, data: str = "folder", root: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Evaluate; return the rows of the JSON file by name, after looking at what was printed."""
    file = tmp_path / "figures.json"
    arguments = (*given, "--data", data, "--root", root, "--json", file, "--threads", 1, "--device", "cpu")
    outcome = multicam("reid", "evaluate", *(argument for argument in arguments if argument is not None))
    assert outcome.code == 0, outcome.err
    rows = read_json(file)["rows"]
    for row in rows:
        printed = next(line for line in outcome.out.splitlines() if f"│ {row['name']} " in line)
        shown = [cell.strip() for cell in printed.strip("│").split("│")]
        values = [f"{value:.1f}" for key, value in row.items() if key not in ("name", "sequence")]
        assert shown == [row["name"], row["sequence"], *values]
    return {row["name"]: {key: row[key] for key in row if key not in ("name", "sequence")} for row in rows}


def embedded(network: OSNet, data: ReidData, record: EmbeddingRecord = RECORD, flip: bool = False) -> Embedded:
    vectors: list[NDArray[np.float32]] = [
        embed_images(network, rows.paths, record, flip=flip) for rows in (data.query, data.gallery)
    ]
    return Embedded(data, *vectors)


def expected(found: Embedded, distance: Any = "cosine") -> dict[str, float]:
    """The figures by the library's ranking alone."""
    query, gallery = found.data.query, found.data.gallery
    result = evaluate_ranking(
        found.query, query.ids, query.cameras, found.gallery, gallery.ids, gallery.cameras, distance
    )
    return result.percentages()


def test_the_figures_are_those_of_the_library(
    multicam: Command, tmp_path: Path, folder: Path, network: OSNet, people: ReidData
) -> None:
    root, weights = folder / "people", folder / "weights.pt"
    label = "osnet_x0_25 weights.pt"
    plain = expected(embedded(network, people))
    assert list(plain) == METRICS and 0 < plain["mAP"] < 100
    for given in ((weights,), ("osnet_x0_25", "--weights", weights), (f"osnet_x0_25:{weights}",)):
        assert figures(multicam, tmp_path, *given, root=root) == {label: pytest.approx(plain)}
    euclidean = expected(embedded(network, people), "euclidean")
    assert euclidean != plain
    assert figures(multicam, tmp_path, weights, "--distance", "euclidean", root=root)[label] == pytest.approx(euclidean)
    # What the weights were trained for is the default.
    write_weights(tmp_path / "euclidean.pt", distance="euclidean")
    (found,) = figures(multicam, tmp_path, tmp_path / "euclidean.pt", root=root).values()
    assert found == pytest.approx(euclidean)
    flipped = expected(embedded(network, people, flip=True))
    assert flipped != plain
    assert figures(multicam, tmp_path, weights, "--flip", root=root)[label] == pytest.approx(flipped)
    larger = expected(embedded(network, people, replace(RECORD, input_size=(48, 32))))
    assert larger != plain
    assert figures(multicam, tmp_path, weights, "--input-size", "48x32", root=root)[label] == pytest.approx(larger)


def test_several_ways_of_ranking_are_a_row_each(
    multicam: Command, tmp_path: Path, folder: Path, network: OSNet, people: ReidData
) -> None:
    found = embedded(network, people)
    given = (folder / "weights.pt", "--re-ranking", "--multi-query", "max", "--markdown", tmp_path / "table.md")
    rows = figures(multicam, tmp_path, *given, root=folder / "people")
    label = "osnet_x0_25 weights.pt"
    assert rows == {
        label: pytest.approx(expected(found)),
        f"{label}, multi-query max": pytest.approx(multi_query_ranking(found, "cosine", "max").percentages()),
        f"{label}, re-ranked": pytest.approx(rank_again(found).percentages()),
    }
    assert len({row["mAP"] for row in rows.values()}) == 3
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[0] == f"|  | data | {' | '.join(METRICS)} |" and len(lines) == 5
    assert lines[2] == f"| {label} | people | {' | '.join(f'{rows[label][metric]:.1f}' for metric in METRICS)} |"
    average = figures(multicam, tmp_path, folder / "weights.pt", "--multi-query", "average", root=folder / "people")
    assert average[f"{label}, multi-query average"] == pytest.approx(multi_query_ranking(found, "cosine").percentages())


def test_the_report_says_how_it_was_made(multicam: Command, tmp_path: Path, folder: Path) -> None:
    given = ("--flip", "--distance", "euclidean", "--input-size", "32x16", "--quiet", "--json", tmp_path / "a.json")
    data = ("--data", "folder", "--root", folder / "people", "--threads", 1)
    assert multicam("reid", "evaluate", folder / "weights.pt", *data, *given) == Outcome(0, "", "")
    report = read_json(tmp_path / "a.json")
    assert sorted(report) == ["machine", "protocol", "rows", "settings"] and report["protocol"] == "reid evaluate"
    settings = report["settings"]
    assert settings["model"] == str(folder / "weights.pt") and settings["data"] == ["folder"]
    assert (settings["flip"], settings["distance"], settings["input_size"]) == (True, "euclidean", "32x16")
    assert (settings["re_ranking"], settings["multi_query"], settings["seed"]) == (False, None, 0)


def test_a_checkpoint_that_says_nothing_of_itself(
    multicam: Command, tmp_path: Path, folder: Path, network: OSNet, people: ReidData
) -> None:
    """Bare tensors need the architecture, its options and the input size; or are recognised by their shapes."""
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    given = (
        "osnet_x0_25",
        "--weights",
        tmp_path / "bare.pth",
        *OPTIONS,
        "--input-size",
        "32x16",
        "--distance",
        "cosine",
    )
    (found,) = figures(multicam, tmp_path, *given, root=folder / "people").values()
    assert found == pytest.approx(expected(embedded(network, people)))
    outcome = multicam("reid", "evaluate", tmp_path / "bare.pth", "--data", "folder", "--root", folder / "people")
    assert_one_line(outcome, "bare.pth is a checkpoint of no architecture known here")
    outcome = multicam("reid", "evaluate", "msinet", "--weights", folder / "weights.pt", "--data", "folder",
                       "--root", folder / "people")  # fmt: skip
    assert_one_line(outcome, "weights.pt does not fit this MSINet", "missing", "unexpected")
    model = create_model("osnet_x0_25")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "whole.pth")
    (label,) = figures(multicam, tmp_path, tmp_path / "whole.pth", "--input-size", "32x16", root=folder / "people")
    assert label == "osnet_x0_25 whole.pth"
    outcome = multicam("reid", "evaluate", "osnet_x0_5", "--weights", tmp_path / "whole.pth", "--data", "folder",
                       "--root", folder / "people")  # fmt: skip
    assert_one_line(outcome, "whole.pth does not fit this OSNet", "of another shape", "it looks like osnet_x0_25")


def test_colours_alone(multicam: Command, tmp_path: Path, folder: Path, people: ReidData) -> None:
    vectors = [
        ColorHistogram().embed([cv2.imread(str(path)) for path in rows.paths])
        for rows in (people.query, people.gallery)
    ]
    rows = figures(multicam, tmp_path, "color_histogram", root=folder / "people")
    assert rows == {"color_histogram": pytest.approx(expected(Embedded(people, *vectors)))}


def test_several_data_sets_each_by_itself(multicam: Command, tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder / "people", tmp_path / "others")
    for path in images_of(tmp_path / "others", "bounding_box_test")[:4]:
        path.unlink()
    file = tmp_path / "figures.json"
    arguments = ("--data", "folder", "--data", "folder", "--root", folder / "people", "--root", tmp_path / "others")
    outcome = multicam("reid", "evaluate", folder / "weights.pt", *arguments, "--json", file, "--threads", 1)
    assert outcome.code == 0
    first, second = read_json(file)["rows"]
    assert (first["sequence"], second["sequence"]) == ("people", "others") and first["mAP"] != second["mAP"]
    assert "8 queries of others have no true match and are left out" in outcome.err.splitlines()


@pytest.mark.parametrize(
    ("write", "data", "score"),
    [(write_vehicles, "vehicleid", vehicleid), (write_cuhk03, "cuhk03:protocol=classic", cuhk03_classic)],
    ids=["vehicleid", "cuhk03 classic"],
)
def test_protocols_that_draw_galleries(
    multicam: Command,
    tmp_path: Path,
    folder: Path,
    network: OSNet,
    write: Callable[[Path], Path],
    data: str,
    score: Callable[..., dict[str, float]],
) -> None:
    root = write(tmp_path / "data")
    name, _, option = data.partition(":")
    read = read_dataset(name, root, **dict([option.split("=")] if option else []))
    found = embedded(network, read)
    for seed in (0, 7):
        rows = figures(multicam, tmp_path, folder / "weights.pt", "--seed", seed, data=data, root=root)
        assert list(rows.values()) == [pytest.approx(score(found, "cosine", seed=seed))]
    assert score(found, "cosine", seed=0) != score(found, "cosine", seed=7)
    arguments = ("--data", data, "--root", root)
    for given in (("--re-ranking",), ("--multi-query", "max")):
        outcome = multicam("reid", "evaluate", folder / "weights.pt", *arguments, *given)
        assert_one_line(outcome, f"the protocol of {name} draws galleries at random", f"leave {given[0]} out")


def test_pictures(multicam: Command, tmp_path: Path, folder: Path) -> None:
    pictures = tmp_path / "pictures"
    given = ("--data", "folder", "--root", folder / "people", "--threads", 1, "--visualize")
    outcome = multicam("reid", "evaluate", folder / "weights.pt", *given, "-o", pictures)
    assert outcome.code == 0 and outcome.err.splitlines()[-1] == f"Pictures: {pictures / 'people'}"
    names = {name.rpartition("_")[0] for name in files_in(pictures / "people")}
    assert names == {"worst", "random", "activation", "gates"}
    for path in (pictures / "people").iterdir():
        image = cv2.imread(str(path))
        assert image is not None and image.std() > 10
    before = files_in(pictures)
    again = multicam("reid", "evaluate", folder / "weights.pt", *given, "-o", pictures)
    assert_one_line(again, str(pictures / "people"), "is not empty", "--overwrite")
    assert files_in(pictures) == before
    assert multicam("reid", "evaluate", "color_histogram", *given, "-o", pictures, "--overwrite").code == 0
    after = files_in(pictures)
    assert after.keys() == before.keys() and after["people/worst_01.jpg"] != before["people/worst_01.jpg"]
    assert_one_line(multicam("reid", "evaluate", folder / "weights.pt", *given), "--visualize", "--output DIR")
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "people").touch()
    outcome = multicam("reid", "evaluate", folder / "weights.pt", *given, "-o", tmp_path / "file")
    assert_one_line(outcome, "is a file: give a folder")


def test_broken_images_are_left_out_when_told(
    multicam: Command, folder: Path, copied: Path, tmp_path: Path, network: OSNet
) -> None:
    corrupt, truncated = images_of(copied, "bounding_box_test")[0], images_of(copied)[2]
    corrupt.write_bytes(b"no image")
    truncated.write_bytes(truncated.read_bytes()[:-300])
    broken = [corrupt.name, truncated.name]
    given = ("--data", "folder", "--root", copied, "--skip-broken", "--threads", 1, "--json", tmp_path / "a.json")
    outcome = multicam("reid", "evaluate", folder / "weights.pt", *given)
    assert outcome.code == 0
    # With the first person's image in the gallery, two or three queries lost their only match.
    assert outcome.err.splitlines()[0] == f"2 broken images are left out: {', '.join(sorted(broken))}"
    assert "queries of spoilt have no true match and are left out" in outcome.err.splitlines()[1]
    data = read_dataset("folder", copied)
    query, gallery = (
        rows[np.array([path.name not in broken for path in rows.paths])] for rows in (data.query, data.gallery)
    )
    (row,) = read_json(tmp_path / "a.json")["rows"]
    wanted = expected(embedded(network, replace(data, query=query, gallery=gallery)))
    assert {metric: row[metric] for metric in METRICS} == pytest.approx(wanted)
