"""Models on the processor: exported once, compared with PyTorch, then run without it; PyTorch where they differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reid_models.export
from reid_models.cached_embedder import CachedEmbedder
from reid_models.embedder import create_embedder
from reid_models.embedders import BatchEmbedder
from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord
from reid_models.registry import create_model
from reid_models.training.run_files import save_weights
from tests.reid_models.test_embedder import crops

ROOT = Path(__file__).resolve().parents[2]
#: an OSNet that is as small as one with gates can be
SMALL: dict[str, Any] = {"blocks_per_stage": [1, 1, 1], "num_streams": 2, "feature_dimension": 16}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small network that our trainer could have written."""
    torch.manual_seed(3)
    model = create_model("osnet_x0_25", **SMALL).eval()
    path = tmp_path / "weights.pt"
    save_weights(path, model, "osnet_x0_25", SMALL, EmbeddingRecord(input_size=(64, 32)), half=False)
    return path


def embedder(weights: Path, **options: Any) -> BatchEmbedder:
    found = create_embedder("osnet_x0_25", weights=weights, device="cpu", **options)
    assert isinstance(found, BatchEmbedder)
    return found


def test_the_second_start_needs_no_pytorch_and_gives_the_same_bits(weights: Path, cache: Path) -> None:
    images = crops(20)
    first = embedder(weights, precision="float32")
    vectors = first.embed(images)
    np.testing.assert_allclose(vectors, embedder(weights, runtime="torch").embed(images), atol=1e-5)
    (facts,) = (cache / "exports").glob("*.json")
    assert '"crops_of_a_video": 20' in facts.read_text(), "the first crops were compared with PyTorch, too"
    np.save(cache / "vectors.npy", vectors)
    code = f"""
import sys
import numpy as np
from reid_models.embedder import create_embedder
sys.path.insert(0, {str(ROOT)!r})
again = create_embedder("osnet_x0_25", weights={str(weights)!r}, device="cpu", precision="float32")
assert again.description == {first.description!r}, again.description
random = np.random.default_rng(5)
again.embed([random.integers(0, 256, (90, 40, 3), np.uint8)])
assert "torch" not in sys.modules, "torch was imported"
from tests.reid_models.test_embedder import crops
np.testing.assert_array_equal(again.embed(crops(20)), np.load({str(cache / "vectors.npy")!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)


def test_other_weights_and_other_input_are_other_exports(weights: Path, cache: Path) -> None:
    embedder(weights)
    assert len(list((cache / "exports").glob("*.onnx"))) == 1
    embedder(weights, input_size=(48, 32))
    weights.with_suffix(".json").write_text('{"color_order": "BGR"}')
    swapped = embedder(weights)
    assert swapped.record.color_order == "BGR" and len(list((cache / "exports").glob("*.onnx"))) == 3


def test_an_export_that_computes_something_else_is_not_used(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = reid_models.export.export_onnx

    def wrong(model: torch.nn.Module, path: Path, record: EmbeddingRecord) -> None:
        before = {name: value.clone() for name, value in model.state_dict().items()}
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
        export(model, path, record)
        model.load_state_dict(before)

    monkeypatch.setattr(reid_models.export, "export_onnx", wrong)
    images = crops(3)
    for _ in range(2):  # the refusal is remembered: the exporter is not asked again
        with pytest.warns(
            RuntimeWarning, match=r"export of osnet_x0_25 is not used \(cosine with PyTorch .*PyTorch runs"
        ):
            found = embedder(weights)
        assert "torch cpu float32" in found.description
        monkeypatch.setattr(reid_models.export, "export_onnx", lambda *_: pytest.fail("exported again"))
    np.testing.assert_array_equal(found.embed(images), embedder(weights, runtime="torch").embed(images))


def test_crops_of_the_video_on_which_it_differs_go_to_pytorch(
    weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = embedder(weights, precision="float32")
    assert isinstance(found, CachedEmbedder)
    network, images = found._network, crops(4)
    monkeypatch.setattr(found, "_network", lambda batch: [network(batch)[0] + 1])
    with pytest.warns(RuntimeWarning, match="on crops of a video"):
        vectors = found.embed(images)
    reference = embedder(weights, runtime="torch")
    np.testing.assert_array_equal(vectors, reference.embed(images))
    np.testing.assert_array_equal(found.embed(images), vectors)
    assert "torch" in found.description
    with pytest.warns(RuntimeWarning, match="is not used"):
        assert "torch" in embedder(weights, precision="float32").description, "nor in later runs"


def test_bfloat16_is_chosen_only_where_the_vectors_stay(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import reid_models.exported_embedder as module
    import reid_models.runtimes.openvino_backend as backend

    opened: dict[str, Any] = {}
    load = module.load_network

    def spy(path: Path, **options: Any) -> Any:
        opened[options["precision"]] = load(path, **{**options, "precision": "float32"})
        return opened[options["precision"]]

    monkeypatch.setattr(module, "load_network", spy)
    for has, cosine, chosen in ((False, 1.0, "float32"), (True, 1.0, "bfloat16"), (True, 0.9, "float32")):
        monkeypatch.setattr(backend, "processor_has_bfloat16", lambda value=has: value)
        monkeypatch.setattr(module, "least_cosine", lambda *_, value=cosine: value)
        opened.clear()
        found = embedder(weights)
        assert isinstance(found, CachedEmbedder) and found._network is opened[chosen]
        assert ("bfloat16" in opened) == has
    opened.clear()
    embedder(weights, precision="float32")
    assert list(opened) == ["float32"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "unknown precision 'int4'"),
        ({"precision": "int8"}, "--precision int8 and --calibration-images DIR go together"),
        ({"calibration_images": "x"}, "go together"),
        ({"precision": "int8", "half": True, "calibration_images": "x"}, "cannot both be"),
        ({"precision": "float16"}, "float16 is for GPUs"),
        ({"precision": "float16", "runtime": "torch"}, "float16 is for GPUs"),
        ({"precision": "int8", "calibration_images": "x"}, "x is no folder"),
        ({"precision": "int8", "calibration_images": "x", "runtime": "torch"}, "int8 runs on the processor"),
        ({"precision": "bfloat16", "runtime": "onnxruntime"}, "float32 only"),
    ],
)
def test_what_cannot_be_is_refused(weights: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        embedder(weights, **options)
