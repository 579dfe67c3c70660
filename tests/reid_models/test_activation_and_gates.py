"""Activation maps and gating vectors against their definitions; clusters against groups that are there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_models import create_model
from reid_models.architectures.osnet import OmniScaleBlock, osnet
from reid_models.errors import InputError
from reid_models.evaluation import activation_maps as maps_module
from reid_models.evaluation.activation_maps import activation_maps, activation_sheets, heat_map, overlay
from reid_models.evaluation.gate_clusters import (
    GateClusters,
    cluster_gates,
    gate_cluster_sheets,
    gate_vectors,
    gate_vectors_of_files,
)
from reid_models.evaluation.sheets import SheetRow, draw_pages
from reid_models.records import EmbeddingRecord

RECORD = EmbeddingRecord(input_size=(64, 32))


@pytest.fixture
def people(tmp_path: Path) -> list[Path]:
    """24 grey crops of various sizes, so that every coloured pixel of a page is a frame."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(24):
        height, width = ((128, 64), (160, 60), (90, 50))[number % 3]
        grey = np.repeat(generator.integers(0, 256, (height, width, 1)), 3, axis=2).astype(np.uint8)
        paths.append(tmp_path / f"person_{number:02d}.png")
        cv2.imwrite(str(paths[-1]), grey)
    return paths


class KnownMaps(nn.Module):
    """A "network" whose feature maps are its input."""

    def feature_maps(self, images: Tensor) -> Tensor:
        assert not self.training and not torch.is_grad_enabled()
        return images


class TwoBranches(nn.Module):
    def feature_maps(self, images: Tensor) -> dict[str, Tensor]:
        return {"global": images, "part-2": images[:, :1]}


def test_activation_maps_are_sums_of_absolute_values_of_unit_length() -> None:
    values = torch.tensor([[[[3.0, -1.0]], [[-1.0, 2.0]]]])  # (1, 2, 1, 2)
    model = KnownMaps().train()
    found = activation_maps(model, values)[""]
    np.testing.assert_allclose(found, [[[0.8, 0.6]]], rtol=1e-6)  # sums 4 and 3
    squares = activation_maps(model, values, power=2)[""]
    np.testing.assert_allclose(squares, np.array([[[10.0, 5.0]]]) / np.hypot(10, 5), rtol=1e-6)
    assert model.training
    assert activation_maps(model, torch.zeros(2, 3, 4, 2))[""].tolist() == np.zeros((2, 4, 2)).tolist()
    large = activation_maps(model, values.half() * 2e4, power=2)[""]
    np.testing.assert_allclose(large, squares, rtol=1e-3)


@pytest.mark.parametrize("name", ["osnet_x0_25", "msinet"])
def test_activation_maps_of_a_network(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name).eval()
    images = torch.randn(2, 3, 64, 32)
    found = activation_maps(model, images)[""]
    with torch.no_grad():
        expected = model.feature_maps(images).abs().sum(1).numpy()  # type: ignore[operator]
    assert found.shape == (2, 4, 2)
    np.testing.assert_allclose(np.square(found).sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(found / found[:, :1, :1], expected / expected[:, :1, :1], rtol=1e-4)


def test_networks_without_maps_are_refused() -> None:
    with pytest.raises(InputError, match="Linear has no feature_maps"):
        activation_maps(nn.Linear(2, 2), torch.zeros(1, 3, 4, 2))
    with pytest.raises(InputError, match="power 3"):
        activation_maps(KnownMaps(), torch.zeros(1, 3, 4, 2), power=3)


def test_heat_runs_from_blue_to_red_whatever_the_scale() -> None:
    ramp = np.linspace(5, 6, 16).reshape(16, 1).repeat(8, axis=1)
    heat = heat_map(ramp, (16, 8)).astype(int)
    assert heat[0, 0].tolist() == [128, 0, 0] and heat[-1, 0].tolist() == [0, 0, 128]
    assert np.array_equal(heat, heat_map(1000 * ramp, (16, 8)))
    assert (heat_map(np.ones((4, 2)), (8, 4)) == (128, 0, 0)).all()
    image = np.full((16, 8, 3), 100, np.uint8)
    mixed = overlay(image, heat.astype(np.uint8), opacity=0.25)
    assert np.abs(mixed.astype(float) - (75 + 0.25 * heat)).max() <= 0.5


@pytest.mark.parametrize(("model", "triplets_per_row"), [(KnownMaps(), 4), (TwoBranches(), 2)])
def test_activation_sheets_hold_image_map_and_overlay(
    model: nn.Module, triplets_per_row: int, people: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[SheetRow] = []

    def draw(rows: list[SheetRow], **options: object) -> list[np.ndarray]:
        drawn.extend(rows)
        return list(draw_pages(rows, **options))  # type: ignore[arg-type]

    monkeypatch.setattr(maps_module, "draw_pages", draw)
    names = [path.stem for path in people[:10]]
    pages = list(activation_sheets(model, people[:10], RECORD, captions=names, rows_per_page=2))
    per_image = 3 if triplets_per_row == 4 else 5
    assert [len(row.cells) // per_image for row in drawn] == [triplets_per_row] * (10 // triplets_per_row) + [2] * (
        10 % triplets_per_row > 0
    )
    assert len(pages) == -(-len(drawn) // 2)
    cells = [cell for row in drawn for cell in row.cells]
    assert [cell.lines[0] for cell in cells[::per_image]] == names
    image, heat, mixed = (cell.image for cell in cells[:3])
    assert image.shape == heat.shape == (64, 32, 3)
    assert np.array_equal(mixed, overlay(image, heat))
    with pytest.raises(InputError, match="2 captions for 3 images"):
        next(activation_sheets(model, people[:3], RECORD, captions=names[:2]))


@pytest.mark.parametrize(
    ("fusion", "channels"), [("unified_gate", 32), ("separate_gates", 32), ("stream_wise_gate", 1)]
)
def test_gates_times_streams_are_what_the_block_fuses(fusion: str, channels: int) -> None:
    torch.manual_seed(0)
    model = osnet(width=0.25, fusion=fusion)  # type: ignore[arg-type]
    block = model.conv4[1]
    assert isinstance(block, OmniScaleBlock)
    streams: list[Tensor] = []
    fused: list[Tensor] = []
    for stream in block.streams:
        stream.register_forward_hook(lambda _module, _inputs, output: streams.append(output))
    block.fusion.register_forward_hook(lambda _module, _inputs, output: fused.append(output))
    gates = gate_vectors(model, torch.randn(3, 3, 64, 32))
    assert gates.shape == (3, 4, channels)
    assert 0 < gates.min() < gates.max() < 1
    total = sum(stream * torch.from_numpy(gates[:, t])[..., None, None] for t, stream in enumerate(streams))
    assert isinstance(total, Tensor)
    assert torch.allclose(total, fused[0], rtol=1e-4, atol=1e-5)
    assert model.training
    assert not block.fusion._forward_pre_hooks


def test_gates_of_a_chosen_block() -> None:
    torch.manual_seed(0)
    model = create_model("osnet_x0_25")
    images = torch.randn(2, 3, 64, 32)
    last, first = gate_vectors(model, images), gate_vectors(model, images, 0)
    assert np.array_equal(last, gate_vectors(model, images, "conv4.1"))
    assert first.shape == (2, 4, 16) and np.array_equal(first, gate_vectors(model, images, "conv2.0"))
    with pytest.raises(InputError, match=r"no bottleneck conv5\.0: give one of conv2\.0, conv2\.1, conv3\.0"):
        gate_vectors(model, images, "conv5.0")
    with pytest.raises(InputError, match="no bottleneck 6"):
        gate_vectors(model, images, 6)
    with pytest.raises(InputError, match="fused by Addition"):
        gate_vectors(osnet(width=0.25, fusion="addition"), images)
    with pytest.raises(InputError, match="KnownMaps has no aggregation gates"):
        gate_vectors(KnownMaps(), images)


def test_clusters_are_the_groups_there_are() -> None:
    generator = np.random.default_rng(5)
    sizes = (5, 20, 10)
    centers = generator.uniform(size=(3, 4, 8))
    groups = np.repeat(np.arange(3), sizes)
    order = generator.permutation(35)
    vectors = (centers[groups] + generator.normal(0, 0.01, (35, 4, 8)))[order]
    found = cluster_gates(vectors, 3, seed=2)
    # Largest first: group 1, then 2, then 0.
    assert found.labels.tolist() == np.array([2, 0, 1])[groups[order]].tolist()
    np.testing.assert_allclose(found.centers, centers[[1, 2, 0]], atol=0.02)
    expected = np.linalg.norm((vectors - found.centers[found.labels]).reshape(35, -1), axis=1)
    np.testing.assert_allclose(found.distances, expected, rtol=1e-4)
    nearest = found.nearest(0, 7)
    members = np.flatnonzero(found.labels == 0)
    assert nearest.tolist() == members[np.argsort(expected[members])][:7].tolist()
    assert len(found.nearest(2)) == 5
    again = cluster_gates(vectors, 3, seed=2)
    assert again.centers.tobytes() == found.centers.tobytes() and again.labels.tolist() == found.labels.tolist()


def test_clusters_of_few_or_equal_images() -> None:
    same = np.full((6, 4, 8), 0.5)
    same[4:] = 0.7
    found = cluster_gates(same, 5)
    assert len(found.centers) == 2 and found.labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert cluster_gates(same[:1], 1).distances.tolist() == [0]
    with pytest.raises(InputError, match="7 clusters of 6 images: give 1 to 6"):
        cluster_gates(same, 7)
    same[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="finite"):
        cluster_gates(same, 2)


def test_images_of_one_kind_are_gated_alike(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    paths = []
    for number in range(10):
        bright = number % 2
        pixels = np.clip(generator.normal(220 if bright else 40, 4, (64, 32, 3)), 0, 255).astype(np.uint8)
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), pixels)
    torch.manual_seed(0)
    told: list[tuple[int, int]] = []
    vectors = gate_vectors_of_files(
        create_model("osnet_x0_25"), paths, RECORD, batch_size=4, progress=lambda *step: told.append(step)
    )
    assert told == [(4, 10), (8, 10), (10, 10)]
    labels = cluster_gates(vectors, 2).labels
    assert len({*labels[::2].tolist()}) == len({*labels[1::2].tolist()}) == 1 and labels[0] != labels[1]
    with pytest.raises(InputError, match="no images"):
        gate_vectors_of_files(create_model("osnet_x0_25"), [], RECORD)


def test_cluster_sheets_show_the_nearest_images(people: list[Path]) -> None:
    labels = np.repeat(np.arange(8), 3)
    clusters = GateClusters(np.full((8, 4, 2), 0.5), labels, np.tile([0.3, 0.1, 0.2], 8))
    pages = list(gate_cluster_sheets(people, clusters, images_per_cluster=2, cell_size=(128, 64), rows_per_page=5))
    assert len(pages) == 2 and pages[0].shape[1] == pages[1].shape[1]
    second = np.asarray(cv2.imread(str(people[1])))  # 160 × 60, shown 128 × 48 in a cell 64 wide
    shown = pages[0][18 + 26 : 18 + 26 + 128, 18 + 8 : 18 + 56]
    assert np.array_equal(shown, cv2.resize(second, (48, 128), interpolation=cv2.INTER_AREA))
    with pytest.raises(InputError, match="23 files for 24"):
        list(gate_cluster_sheets(people[:-1], clusters))
