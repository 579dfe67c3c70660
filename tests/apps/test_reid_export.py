"""``multicam reid export``: a file that computes the same and says how it is fed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch

from reid_models.checkpoints import load_checkpoint, read_description
from reid_models.embedder import create_embedder
from reid_models.evaluation.embedding import embed_images
from reid_models.export import RECORD_KEY
from reid_models.records import EmbeddingRecord
from reid_models.registry import create_model
from reid_models.runtimes import load_network
from tests.apps.command import Command, assert_one_line, files_in, read_json
from tests.apps.conftest import Studio
from tests.apps.reid_people import SIZE, SMALL, images_of, write_people, write_weights

LABEL = "osnet_x0_25 weights.pt, 32×16, 16 values"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``people`` and ``weights.pt``; only to be read."""
    folder = tmp_path_factory.mktemp("export")
    write_people(folder / "people")
    write_weights(folder / "weights.pt")
    return folder


def embeddings(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images as read, and their embeddings by PyTorch, of length 1."""
    model = create_model("osnet_x0_25", **SMALL)
    load_checkpoint(model, folder / "weights.pt")
    paths = images_of(folder / "people")
    vectors = embed_images(model, paths, EmbeddingRecord(input_size=SIZE))
    images = np.stack([cv2.imread(str(path)) for path in paths])
    return images, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_exported_network_computes_the_same(multicam: Command, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "small.onnx"
    outcome = multicam("reid", "export", folder / "weights.pt", "-o", file)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{file}: {LABEL}, ") and "cosine with PyTorch at least 1.0000" in outcome.out
    assert len(outcome.out.splitlines()) == 1 and sorted(files_in(tmp_path / "new")) == ["small.json", "small.onnx"]
    # The record is inside, too: nothing else is needed to feed it.
    stored = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    record = json.loads(stored[RECORD_KEY])
    assert (record["input_size"], record["distance"]) == (list(SIZE), "cosine")
    assert record["mean"] == list(EmbeddingRecord().mean)
    images, expected = embeddings(folder)
    embedder = create_embedder(str(file), runtime="onnxruntime")
    assert (embedder.dimension, embedder.record.input_size) == (16, SIZE)
    np.testing.assert_allclose(embedder.embed(list(images)), expected, atol=5e-3)
    network = load_network(file, runtime="onnxruntime")
    noise = np.random.default_rng(0).standard_normal((5, 3, *SIZE)).astype(np.float32)
    model = create_model("osnet_x0_25", **SMALL).eval()
    load_checkpoint(model, folder / "weights.pt")
    with torch.inference_mode():
        wanted = model(torch.from_numpy(noise)).numpy()
    np.testing.assert_allclose(network(noise)[0], wanted, atol=1e-5)


def test_both_evaluate_alike(multicam: Command, folder: Path, tmp_path: Path) -> None:
    multicam("reid", "export", "osnet_x0_25", "--weights", folder / "weights.pt", "-o", tmp_path / "small.onnx")
    rows = []
    for model in (folder / "weights.pt", tmp_path / "small.onnx"):
        given = ("--data", "folder", "--root", folder / "people", "--json", tmp_path / "figures.json", "--threads", 1)
        assert multicam("reid", "evaluate", model, *given).code == 0
        rows += read_json(tmp_path / "figures.json")["rows"]
    assert [row["name"] for row in rows] == ["osnet_x0_25 weights.pt", "small.onnx"]
    ours, theirs = ({key: row[key] for key in ("rank1", "rank5", "rank10", "mAP", "mINP")} for row in rows)
    assert theirs == pytest.approx(ours, abs=0.5)
    for given in (("--weights", "w.pt"), ("--flip",), ("--model-option", "a=1")):
        outcome = multicam("reid", "evaluate", tmp_path / "small.onnx", "--data", "folder", "--root", folder, *given)
        assert outcome.code == 2
    outcome = multicam("reid", "evaluate", tmp_path / "small.onnx", "--data", "folder", "--root", folder / "people",
                       "--input-size", "64x32")  # fmt: skip
    assert_one_line(outcome, "small.onnx takes images of 32×16 only, not 64×32")


def test_an_embedder_of_the_tracker(multicam: Command, folder: Path, studio: Studio, tmp_path: Path) -> None:
    multicam("reid", "export", folder / "weights.pt", "-o", tmp_path / "small.onnx")
    given = ("--detector", studio.detections, "--embedder", tmp_path / "small.onnx", "--no-video", "--max-frames", 20)
    assert multicam("track", studio.corridor, "-o", tmp_path / "out", *given, "--quiet").code == 0
    record = read_json(tmp_path / "out" / "run.json")
    assert record["crops_embedded"] > 0 and "small.onnx" in json.dumps(record["embedder"])


def test_weights_of_16_bits(multicam: Command, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "half.pt"
    outcome = multicam("reid", "export", folder / "weights.pt", "-o", file)
    assert outcome.code == 0 and outcome.out.startswith(f"{file}: {LABEL}, ")
    described: dict[str, Any] = read_description(file)
    assert described["architecture"] == "osnet_x0_25" and described["options"] == SMALL
    assert described["record"]["input_size"] == list(SIZE)
    state = torch.load(file, weights_only=True)["state_dict"]
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    whole = torch.load(folder / "weights.pt", weights_only=True)["state_dict"]
    for key, value in state.items():
        torch.testing.assert_close(value.to(whole[key].dtype), whole[key], rtol=1e-3, atol=1e-4)


def test_random_weights_only_when_told(multicam: Command, tmp_path: Path) -> None:
    given = ("reid", "export", "osnet_x0_5", "-o", tmp_path / "random.onnx")
    assert_one_line(multicam(*given), "osnet_x0_5 was given no weights", "--weights FILE")
    assert not list(tmp_path.iterdir())
    options = [part for name, value in SMALL.items() for part in ("--model-option", f"{name}={value}")]
    outcome = multicam(*given, "--untrained", *options)
    assert outcome.code == 0 and "osnet_x0_5 untrained, 256×128, 16 values" in outcome.out


def test_refusals_leave_everything_as_it_was(multicam: Command, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "small.onnx"
    file.write_text("what was there")
    weights = folder / "weights.pt"
    assert_one_line(multicam("reid", "export", weights, "-o", file), f"{file} exists already", "--overwrite")
    assert_one_line(multicam("reid", "export", weights, "-o", tmp_path / "small.pb"), "small.pb must end in .onnx")
    assert_one_line(multicam("reid", "export", weights), "missing option '--output'")
    new = tmp_path / "new" / "small.onnx"
    assert_one_line(multicam("reid", "export", tmp_path / "no.pt", "-o", new), "no.pt does not exist")
    assert_one_line(multicam("reid", "export", "a.onnx", "-o", new), "a.onnx is an exported network", "checkpoint")
    assert_one_line(multicam("reid", "export", "osnet_x0_25:nosuch", "-o", new), "unknown weights 'nosuch'")
    assert files_in(tmp_path) == {"small.onnx": b"what was there"} and not new.parent.exists()
    assert multicam("reid", "export", weights, "-o", file, "--overwrite").code == 0
    onnx.checker.check_model(str(file))


def test_an_export_that_computes_something_else_is_not_kept(
    multicam: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import reid_models.export

    export = reid_models.export.export_onnx

    def wrong(model: torch.nn.Module, path: Path, record: EmbeddingRecord) -> None:
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
        export(model, path, record)

    monkeypatch.setattr(reid_models.export, "export_onnx", wrong)
    outcome = multicam("reid", "export", folder / "weights.pt", "-o", tmp_path / "small.onnx")
    assert_one_line(outcome, "computes something else", "cosine", "not written")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".xml", ".torchscript"])
def test_other_formats_say_how_they_are_fed(multicam: Command, folder: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"small{suffix}"
    outcome = multicam("reid", "export", folder / "weights.pt", "-o", file)
    assert (outcome.code, outcome.err) == (0, "") and "cosine with PyTorch at least 1.0000" in outcome.out
    images, expected = embeddings(folder)
    for beside in (True, False):
        if not beside:
            file.with_suffix(".json").unlink()  # what is inside is enough
        embedder = create_embedder(str(file), precision="float32")
        assert embedder.record.input_size == SIZE
        assert embedder.description == f"small{suffix} ({'openvino' if suffix == '.xml' else 'torch'} float32)"
        np.testing.assert_allclose(embedder.embed(list(images)), expected, atol=5e-3)
    file.with_suffix(".json").write_text('{"default_threshold": 0.17}')
    assert create_embedder(str(file)).default_threshold == 0.17
    assert_one_line(multicam("reid", "export", folder / "weights.pt", "-o", file), "exists already")
    if suffix == ".xml":
        file.with_suffix(".bin").unlink()
        with pytest.raises(ValueError, match=r"small\.bin must lie beside it"):
            create_embedder(str(file))


def test_8_bits_are_fitted_to_pictures_and_checked(multicam: Command, folder: Path, tmp_path: Path) -> None:
    file, pictures = tmp_path / "small.onnx", folder / "people" / "bounding_box_train"
    given = ("reid", "export", folder / "weights.pt", "-o", file, "--precision", "int8")
    assert_one_line(multicam(*given), "--calibration-images DIR")
    (tmp_path / "none").mkdir()
    assert_one_line(multicam(*given, "--calibration-images", tmp_path / "none"), "holds 0 pictures", "at least 8")
    outcome = multicam(*given, "--calibration-images", pictures)
    if outcome.code:  # refused: then nothing is written, and the cosine is named
        assert_one_line(outcome, "cosine with float32: median", "not written")
        assert not file.exists()
        return
    assert "int8, cosine with float32 median" in outcome.out and "times as fast here" in outcome.out
    images, expected = embeddings(folder)
    embedder = create_embedder(str(file))
    assert embedder.description == "small.onnx (openvino int8)"
    assert np.median((embedder.embed(list(images)) * expected).sum(1)) > 0.97
