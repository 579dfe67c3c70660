"""Weights by name: what is known of them, where they come from, and which file a name means."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models import ResNet50_Weights

from reid_models import create_model, list_models, load_checkpoint, weights
from reid_models.downloads import Patience, cache_folder
from reid_models.embedder import create_embedder
from reid_models.errors import InputError
from reid_models.records import EmbeddingRecord
from reid_models.registry import model_spec
from reid_models.training.run_files import save_weights
from reid_models.weights import (
    SHIPPED,
    WeightsRecord,
    find_weights_record,
    imagenet_state,
    list_weights,
    resolve_weights,
    shipped_weights,
    weights_file,
    weights_record,
    weights_table,
)
from tests.reid_models.test_checkpoints import embedding, published
from tests.reid_models.test_embedder import crops
from tests.reid_models.weights_server import WeightsServer

TORCH: dict[str, Any] = {"runtime": "torch", "device": "cpu", "input_size": (64, 32)}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("MULTICAM_OFFLINE", "MULTICAM_WEIGHTS_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of OSNet x0.25 under its original's key names, as they are published."""
    path = tmp_path_factory.mktemp("published") / "some.pth"
    torch.save({f"module.{key}": value for key, value in published().items()}, path)
    return path


def knows(monkeypatch: pytest.MonkeyPatch, *records: WeightsRecord) -> None:
    monkeypatch.setattr(weights, "RECORDS", records)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> Iterator[WeightsServer]:
    """A mirror of :func:`checkpoint` as the weights ``osnet_x0_25:msmt17``."""
    content = checkpoint.read_bytes()
    original = weights_record("osnet_x0_25", "msmt17")
    record = dataclasses.replace(original, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    with WeightsServer({record.file_name: content}) as server:
        knows(monkeypatch, record)
        monkeypatch.setenv("MULTICAM_WEIGHTS_URL", f"{server.url}/")
        yield server


def test_every_record_is_of_a_model_and_complete() -> None:
    records = list_weights()
    assert {record.model for record in records} <= set(list_models())
    assert len({record.spec for record in records}) == len(records)
    for record in records:
        assert record.training_data and record.licence and record.publisher and Path(record.file_name).suffix
        assert re.fullmatch(r"[a-z0-9_]+", record.name), "a name may not look like a file"
        assert record.sha256 is None or re.fullmatch("[0-9a-f]{64}", record.sha256)
        assert record.shipped or record.source.startswith("https://")
        assert all(0 < value < 100 for figure in record.figures for value in figure[1:])
        if record.shipped:
            # Ours say themselves how they are fed and compared.
            continue
        assert record.input_size == model_spec(record.model).record.input_size
        assert record.trunk_only or record.distance == model_spec(record.model).record.distance
        assert all(figure.mean_average_precision < figure.rank1 for figure in record.figures)
    files = {(record.file_name, record.source) for record in records}
    assert len({name for name, _ in files}) == len(files), "two sources would share a place in the cache"


def test_what_is_shipped_is_there() -> None:
    for record in list_weights():
        if record.shipped:
            assert weights_file(record, offline=True).is_file()


def test_the_osnets_have_their_authors_weights() -> None:
    for model in list_models("osnet_*"):
        record = weights_record(model, "msmt17")
        assert record.source == f"{record.source.rpartition('/')[0]}/{record.file_name}"
        assert record.source.startswith("https://huggingface.co/kaiyangzhou/osnet/resolve/")
        assert record.file_name.startswith(f"{model}_msmt17_") and record.licence == "MIT"
        assert weights_record(model, "imagenet").file_name == f"{model}_imagenet.pth"
    assert weights_record("osnet_x1_0", "market1501").file_name == (
        "osnet_x1_0_market_256x128_amsgrad_ep150_stp60_lr0.0015_b64_fb10_softmax_labelsmooth_flip.pth"
    )
    assert weights_record("osnet_x0_25", "market1501").file_name == (
        "osnet_x0_25_market_256x128_amsgrad_ep180_stp80_lr0.003_b128_fb10_softmax_labelsmooth_flip.pth"
    )


@pytest.mark.parametrize("model", ["strong_baseline_resnet50", "mgn_resnet50"])
def test_resnets_start_from_torchvisions_weights(model: str) -> None:
    published_weights = ResNet50_Weights.IMAGENET1K_V1
    record = weights_record(model, "imagenet")
    assert record.source == published_weights.url and record.trunk_only and record.sha256 is not None
    # torchvision's file names end in the first digits of the checksum.
    assert record.file_name == f"resnet50-{record.sha256[:8]}.pth"
    assert record.size is not None
    assert record.size / 2**20 == pytest.approx(published_weights.meta["_file_size"], abs=1e-3)


@pytest.mark.parametrize(
    ("file", "model", "spec"),
    [
        ("osnet_x0_25_msmt17.onnx", None, "osnet_x0_25:msmt17"),
        ("OSNet_x0_25_MSMT17.pt", "osnet_x0_25", "osnet_x0_25:msmt17"),
        ("best_msmt17.pth.tar", "osnet_x1_0", "osnet_x1_0:msmt17"),
        ("best_msmt17.pth", None, None),
        ("osnet_x0_25_market1501.pt", "osnet_x0_5", "osnet_x0_5:market1501"),
        ("osnet_x1_0_mine.pth", None, None),
        ("hacnn_msmt17.pth", "hacnn", None),
        (
            "osnet_x0_25_msmt17_256x128_amsgrad_ep180_stp80_lr0.003_b128_fb10_softmax_labelsmooth_flip.pth",
            None,
            "osnet_x0_25:msmt17_train",
        ),
        (
            "osnet_ain_x1_0_msmt17_256x128_amsgrad_ep50_lr0.0015_coslr_b64_fb10_softmax_labsmth_flip_jitter.pth",
            "osnet_ain_x1_0",
            "osnet_ain_x1_0:msmt17",
        ),
    ],
)
def test_file_names_tell_of_published_weights(file: str, model: str | None, spec: str | None) -> None:
    record = find_weights_record(Path("folder") / file, model)
    assert (None if record is None else record.spec) == spec


def test_only_measured_thresholds_replace_the_models() -> None:
    base = EmbeddingRecord(default_threshold=0.2, distance="cosine")
    assert weights_record("osnet_x0_25", "msmt17").embedding_record(base) == EmbeddingRecord(
        default_threshold=0.34, distance="euclidean"
    )
    assert weights_record("osnet_x1_0", "msmt17").embedding_record(base).default_threshold == 0.2


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (
            "osnet_x1_0",
            "msmt71",
            r"unknown weights 'msmt71' of osnet_x1_0: did you mean 'msmt17'\? Known: .*checkpoint",
        ),
        ("hacnn", "market1501", r"unknown weights 'market1501': hacnn has none that go by a name; give a checkpoint"),
        (
            "mgn_resnet50",
            "imagenet",
            r"weights mgn_resnet50:imagenet are of the network's trunk alone.*training starts",
        ),
    ],
)
def test_a_name_that_means_no_weights_is_refused(model: str, given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_weights(model, given)
    with pytest.raises(InputError, match=message):
        create_embedder(f"{model}:{given}")


def test_files_go_before_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: WeightsServer) -> None:
    monkeypatch.chdir(tmp_path)
    for missing in ("missing.pth", "folder/missing", Path("missing.pt")):
        assert resolve_weights("osnet_x0_25", missing) == (Path(missing), None)
    Path("msmt17").mkdir()
    assert resolve_weights("osnet_x0_25", "msmt17")[1] == weights_record("osnet_x0_25", "msmt17")
    Path("msmt17").rmdir()
    Path("msmt17").write_bytes(b"a checkpoint of one's own")
    assert resolve_weights("osnet_x0_25", "msmt17") == (Path("msmt17"), None)
    with pytest.raises(InputError, match=r"missing\.pth does not exist"):
        create_model("osnet_x0_25", weights="missing.pth")


def test_a_model_is_built_with_weights_by_name(mirror: WeightsServer, checkpoint: Path, tmp_path: Path) -> None:
    named = create_model("osnet_x0_25", weights="msmt17")
    assert torch.equal(embedding(named), embedding(create_model("osnet_x0_25", weights=checkpoint)))
    again = create_model("osnet_x0_25", num_classes=3, weights="msmt17", offline=True)
    assert torch.equal(embedding(again), embedding(named))
    record = weights_record("osnet_x0_25", "msmt17")
    assert mirror.requests == [(f"/{record.file_name}", None)]
    assert [path.name for path in (tmp_path / "cache" / "weights").iterdir()] == [record.file_name]


@pytest.mark.parametrize("form", ["colon", "weights"])
def test_an_embedder_is_made_with_weights_by_name(form: str, mirror: WeightsServer, checkpoint: Path) -> None:
    spec, given = ("osnet_x0_25:msmt17", None) if form == "colon" else ("osnet_x0_25", Path("msmt17"))
    embedder = create_embedder(spec, weights=given, **TORCH)
    assert embedder.description == "osnet_x0_25:msmt17 (torch cpu float32)" and embedder.default_threshold == 0.34
    by_file = create_embedder(f"osnet_x0_25:{checkpoint}", **TORCH)
    assert by_file.description.startswith("osnet_x0_25, some.pth") and by_file.default_threshold == 0.25
    np.testing.assert_array_equal(embedder.embed(crops(2)), by_file.embed(crops(2)))
    assert len(mirror.requests) == 1


def test_offline_says_which_file_to_put_where(mirror: WeightsServer, tmp_path: Path) -> None:
    record = weights_record("osnet_x0_25", "msmt17")
    message = rf"osnet_x0_25:msmt17: not in the cache.*put it at {tmp_path}/cache/weights/{record.file_name}$"
    for build in (create_model, create_embedder):
        with pytest.raises(InputError, match=message):
            build(*("osnet_x0_25",), weights="msmt17", offline=True)
    assert not mirror.requests


def test_another_file_under_the_published_name_is_refused(
    mirror: WeightsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = weights_record("osnet_x0_25", "msmt17")
    mirror.files[record.file_name] = bytes(len(mirror.files[record.file_name]))
    with pytest.raises(InputError, match=r"osnet_x0_25:msmt17 cannot be fetched from .*: its checksum is"):
        create_model("osnet_x0_25", weights="msmt17")
    assert list((tmp_path / "cache" / "weights").iterdir()) == []


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        ("osnet_x0_25:msmt17", "a.pth", "osnet_x0_25:msmt17 names its weights itself"),
        ("osnet_x0_25:", None, "ends where the weights' name or file should follow"),
        ("osnet_x0_26:msmt17", None, "unknown embedder 'osnet_x0_26:msmt17': did you mean 'osnet_x0_25'"),
        ("osnet_x0_25:a.onnx", None, "a.onnx is an exported network: give it alone, --embedder a.onnx"),
        (
            "osnet_ain_x1_0",
            None,
            "FILE with a published checkpoint, or --embedder osnet_ain_x1_0:msmt17, which fetches",
        ),
        ("msinet", None, "add --embedder-weights FILE with a published checkpoint, or use --embedder color_histogram"),
    ],
)
def test_an_embedder_that_is_named_wrongly_says_how(spec: str, given: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_embedder(spec, weights=given)


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsRecord:
    """Half-precision weights as if they came with the package, beside published ones of the same model."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    monkeypatch.setattr(weights, "_SHIPPED_FOLDER", folder)
    record = WeightsRecord(
        "osnet_x0_25", "ours", "osnet_x0_25.pt", SHIPPED, "this package", "CUHK", "AGPL", default_threshold=0.3
    )
    knows(monkeypatch, weights_record("osnet_x0_25", "msmt17"), record)
    model = create_model("osnet_x0_25", num_classes=5)
    load_checkpoint(model, published(seed=3))
    save_weights(folder / record.file_name, model, record.model, {}, EmbeddingRecord(input_size=(64, 32)), half=True)
    return record


def test_half_precision_files_become_whole_precision_networks(shipped: WeightsRecord) -> None:
    model = create_model("osnet_x0_25", weights="ours", offline=True)
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    rounded: dict[str, Tensor] = {
        key: value.half().float() if value.is_floating_point() else value for key, value in published(seed=3).items()
    }
    reference = create_model("osnet_x0_25", num_classes=5)
    load_checkpoint(reference, rounded)
    assert torch.equal(embedding(model), embedding(reference))


def test_shipped_weights_are_a_models_default(shipped: WeightsRecord) -> None:
    assert shipped_weights("osnet_x0_25") == shipped and shipped_weights("osnet_x1_0") is None
    options = {**TORCH, "offline": True}
    default = create_embedder("osnet_x0_25", **options)
    assert default.description.startswith("osnet_x0_25:ours") and default.default_threshold == 0.3
    named = create_embedder("osnet_x0_25:ours", **options)
    np.testing.assert_array_equal(default.embed(crops(2)), named.embed(crops(2)))
    untrained = create_embedder("osnet_x0_25", untrained=True, **options)
    assert untrained.description.startswith("osnet_x0_25, untrained")


def test_a_shipped_file_that_is_missing_is_named(shipped: WeightsRecord) -> None:
    weights_file(shipped).unlink()
    with pytest.raises(
        InputError, match=r"osnet_x0_25:ours should come with this package, but .*osnet_x0_25\.pt is mis"
    ):
        create_embedder("osnet_x0_25")


def test_our_checkpoints_say_what_they_are(tmp_path: Path) -> None:
    """Architecture, options and input come from the file; a name that tells of other weights changes nothing."""
    model = create_model("osnet_x0_25", num_classes=4, num_streams=2)
    record = EmbeddingRecord(input_size=(48, 24), default_threshold=0.19)
    save_weights(tmp_path / "osnet_x0_25_msmt17.pt", model, "osnet_x0_25", {"num_streams": 2}, record)
    embedder = create_embedder(str(tmp_path / "osnet_x0_25_msmt17.pt"), runtime="torch", device="cpu")
    assert embedder.record == record and embedder.default_threshold == 0.19  # type: ignore[attr-defined]
    assert embedder.description.startswith("osnet_x0_25, osnet_x0_25_msmt17.pt")


def test_the_table_lists_everything_and_says_what_is_at_hand(mirror: WeightsServer) -> None:
    (row,) = weights_table()
    assert row["state"] == "to fetch" and not mirror.requests
    weights_file(weights_record("osnet_x0_25", "msmt17"))
    (row,) = weights_table()
    assert row == {
        "model": "osnet_x0_25",
        "name": "msmt17",
        "training_data": "MSMT17, all identities of training and test",
        "input": "256×128",
        "distance": "euclidean",
        "rank1/mAP": "Market-1501 59.9/31, DukeMTMC-reID 61.5/39.6",
        "state": "cached",
        "source": "huggingface.co/kaiyangzhou/osnet",
        "licence": "MIT",
    }


def test_the_table_puts_shipped_weights_first(shipped: WeightsRecord) -> None:
    assert [(row["name"], row["state"]) for row in weights_table()] == [("ours", "shipped"), ("msmt17", "to fetch")]


def test_imagenet_weights_come_from_the_network_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path
) -> None:
    state = {"conv1.weight": torch.ones(64, 3, 7, 7), "fc.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "resnet.pth")
    content = (tmp_path / "resnet.pth").read_bytes()
    original = weights_record("mgn_resnet50", "imagenet")
    record = dataclasses.replace(original, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    knows(monkeypatch, record)
    with WeightsServer({record.file_name: content}) as server:
        monkeypatch.setenv("MULTICAM_WEIGHTS_URL", server.url)
        with pytest.raises(
            InputError, match=r"mgn_resnet50:imagenet: not in the cache.*; or give .* --pretrained FILE"
        ):
            imagenet_state("mgn_resnet50", offline=True)
        for _ in range(2):
            fetched = imagenet_state("mgn_resnet50")
            assert fetched.keys() == state.keys() and torch.equal(fetched["conv1.weight"], state["conv1.weight"])
        assert len(server.requests) == 1
    assert imagenet_state("mgn_resnet50", pretrained_file=checkpoint, offline=True).keys() == published().keys()


def test_models_without_imagenet_weights_say_what_to_do() -> None:
    with pytest.raises(InputError, match=r"hacnn has no published ImageNet weights .*--pretrained FILE, or start from"):
        imagenet_state("hacnn")


def test_patience_is_bounded() -> None:
    """Without a network a person waits seconds, not minutes."""
    patience = Patience()
    assert sum(patience.backoff * 2**attempt for attempt in range(patience.attempts - 1)) < 5


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTICAM_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("MULTICAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/multicam")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "multicam"


def test_nothing_heavy_is_imported() -> None:
    code = "import reid_models.weights, sys; sys.exit(bool({'torch', 'torchvision', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
