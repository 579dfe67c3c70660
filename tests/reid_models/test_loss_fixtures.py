"""Values and gradients of every loss against those of the published codes (``fixtures/losses``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from reid_models.architectures.spatial_alignment import AlignModule
from reid_models.losses import (
    BatchHardTriplet,
    CenterLoss,
    CircleLoss,
    ClusterMemory,
    CrossEntropy,
    SpatialAlignment,
    WeightedTriplet,
    rescale_center_gradients,
)
from tests.reid_models.fixtures import fill, read_fixture, relative_error

pytestmark = pytest.mark.data

LOSSES: dict[str, Callable[[], nn.Module]] = {
    "ce_plain": lambda: CrossEntropy(0),
    "ce_ls_torchreid": CrossEntropy,
    "ce_ls_strong_baseline": CrossEntropy,
    "ce_ls_msinet": CrossEntropy,
    "ce_ls_kakusikun": CrossEntropy,
    "ce_ls_fastreid_e0.1": lambda: CrossEntropy(0.1, "others"),
    "ce_adaptive_fastreid": lambda: CrossEntropy(0.2, "adaptive"),
    "triplet_torchreid_m0.3": BatchHardTriplet,
    "triplet_sb_m0.3": BatchHardTriplet,
    "triplet_sb_m0.3_normalised": lambda: BatchHardTriplet(normalize=True),
    "triplet_sb_soft": lambda: BatchHardTriplet(None),
    "triplet_msinet_m0.3_normalised": lambda: BatchHardTriplet(normalize=True),
    "triplet_mgn_m1.2": lambda: BatchHardTriplet(1.2),
    "triplet_fr_hard_m0.3": BatchHardTriplet,
    "triplet_fr_hard_m0.3_cos": lambda: BatchHardTriplet(normalize=True, squared=True),
    "triplet_fr_weighted_soft_unit": WeightedTriplet,
    "triplet_fr_weighted_soft_cos": lambda: WeightedTriplet(squared=True),
    "triplet_kakusikun_soft": lambda: WeightedTriplet(scope="batch"),
    "circle_pairwise_fastreid_m0.25_g64": CircleLoss,
    "sam_loss_pos_neg": SpatialAlignment,
}


def value_and_gradient(loss: Callable[[Tensor, Tensor], Tensor], inputs: Any, labels: Any) -> tuple[float, Tensor]:
    leaf = torch.from_numpy(inputs).clone().requires_grad_()
    value = loss(leaf, torch.from_numpy(labels))
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad


@pytest.mark.parametrize("name", LOSSES)
def test_equals_the_published_loss(name: str, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    prefix = "sam_" if name.startswith("sam") else ""
    inputs = arrays["sam_scores" if prefix else "logits" if name.startswith("ce") else "feat"]
    value, gradient = value_and_gradient(LOSSES[name](), inputs, arrays[f"{prefix}labels"])
    expected = spec["losses"][name]
    assert value == pytest.approx(expected["value"], rel=1e-5)
    assert relative_error(gradient, arrays[expected["grad_array"]]) <= 1e-4


def weighted_by_definition(features: Tensor, labels: Tensor, margin: float | None, epsilon: float) -> Tensor:
    """The weighted triplet loss anchor by anchor; fast-reid's for ``epsilon`` 1e-6, a true softmax for 0."""
    losses = []
    for anchor in range(len(features)):
        distances = (features - features[anchor]).square().sum(1).clamp(min=1e-12).sqrt()
        positives, negatives = distances[labels == labels[anchor]], distances[labels != labels[anchor]]
        near = (positives - positives.max().detach()).exp()
        far = (-negatives).exp()
        difference = (positives * near).sum() / (near.sum() + epsilon)
        difference = difference - (negatives * far).sum() / (far.sum() + epsilon)
        losses.append(functional.softplus(difference) if margin is None else (difference + margin).clamp(min=0))
    return torch.stack(losses).mean()


@pytest.mark.parametrize(("name", "margin"), [("triplet_fr_weighted_soft", None), ("triplet_fr_weighted_m0.3", 0.3)])
def test_unnormalised_weighted_triplet_differs_by_the_published_epsilon_only(
    name: str, margin: float | None, data_root: Path
) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    features, labels = arrays["feat"], arrays["labels"]

    def published(features: Tensor, labels: Tensor) -> Tensor:
        return weighted_by_definition(features, labels, margin, 1e-6)

    value, gradient = value_and_gradient(published, features, labels)
    expected = spec["losses"][name]
    assert value == pytest.approx(expected["value"], rel=1e-5)
    assert relative_error(gradient, arrays[expected["grad_array"]]) <= 1e-4

    def true(features: Tensor, labels: Tensor) -> Tensor:
        return weighted_by_definition(features, labels, margin, 0)

    value, gradient = value_and_gradient(true, features.astype(np.float64), labels)
    ours, our_gradient = value_and_gradient(WeightedTriplet(margin, normalize=False), features, labels)
    assert ours == pytest.approx(value, rel=1e-6)
    assert relative_error(our_gradient, gradient.numpy()) <= 1e-5
    assert ours == pytest.approx(expected["value"], rel=1e-3)


@pytest.mark.parametrize("scale", ["0.125", "1", "2", "4"])
def test_far_negatives_keep_their_weights(scale: str, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    features, labels = torch.from_numpy(arrays["feat"]) * float(scale), torch.from_numpy(arrays["labels"])
    # With a margin that keeps every hinge open, the loss is margin + mean d(a, p) − mean d(a, n).
    loss = WeightedTriplet(1000.0, normalize=False)(features.double(), labels)
    positives = torch.stack([(d := (features - f).norm(dim=1)[labels == label]) @ d.softmax(0) for f, label in
                             zip(features, labels, strict=True)]).mean()  # fmt: skip
    negative = (1000 + positives - loss).item()
    assert negative == pytest.approx(spec["losses"]["weighted_mining_underflow"]["mean_d_an_true_softmax"][scale], 1e-3)


def test_center_loss_and_its_step_equal_the_strong_baseline(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    loss = CenterLoss(10, 32)
    loss.load_state_dict({"centers": torch.from_numpy(arrays["centers"])})
    value, gradient = value_and_gradient(loss, arrays["feat"], arrays["labels"])
    assert value == pytest.approx(spec["losses"]["center_strong_baseline"]["value"], rel=1e-5)
    assert relative_error(gradient, arrays["grad_center_strong_baseline"]) <= 1e-4
    assert loss.centers.grad is not None
    assert relative_error(loss.centers.grad, arrays["center_grad_centers"]) <= 1e-4

    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    optimizer.zero_grad()
    (0.0005 * loss(torch.from_numpy(arrays["feat"]), torch.from_numpy(arrays["labels"]))).backward()
    rescale_center_gradients(loss, 0.0005)
    optimizer.step()
    assert relative_error(loss.centers.detach(), arrays["centers_after_step_lr0.5_weight0.0005"]) <= 1e-5


@pytest.mark.parametrize("mode", ["pos", "neg"])
def test_each_part_of_spatial_alignment_equals_the_published_one(mode: Any, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    scores, labels = torch.from_numpy(arrays["sam_scores"]), torch.from_numpy(arrays["sam_labels"])
    value = SpatialAlignment(mode)(scores, labels).item()
    assert value == pytest.approx(spec["losses"][f"sam_loss_{mode}"]["value"], rel=1e-5)


def test_spatial_alignment_from_maps_to_loss_equals_the_published_one(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    module = AlignModule(16)
    module.load_state_dict(
        {
            key.replace("pos_pam", "position_attention").replace("_conv", ""): fill(key, shape, kind)
            for key, shape, kind in spec["losses"]["sam_module"]["keys"]
        }
    )
    maps = np.random.RandomState(14).standard_normal((8, 16, 16, 8)).astype(np.float32)
    value, gradient = value_and_gradient(lambda m, y: SpatialAlignment()(module(m), y), maps, arrays["sam_labels"])
    assert value == pytest.approx(spec["losses"]["sam_loss_pos_neg_end_to_end"]["value"], rel=1e-5)
    assert relative_error(gradient, arrays["grad_sam_loss_pos_neg_end_to_end"]) <= 1e-4


@pytest.mark.parametrize("start", ["zero", "random"])
def test_cluster_memory_equals_msinet(start: str, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    memory = ClusterMemory(10, 32, temperature=0.05, momentum=0.2)
    memory.load_state_dict({"features": torch.from_numpy(arrays[f"memory_init_{start}"])})
    value, gradient = value_and_gradient(memory, arrays["feat"], arrays["labels"])
    assert value == pytest.approx(spec["losses"][f"cluster_memory_{start}"]["value"], rel=1e-5)
    np.testing.assert_allclose(gradient, arrays[f"grad_cluster_memory_{start}"], rtol=1e-4, atol=1e-6)
    assert relative_error(memory.features, arrays[f"memory_after_{start}"]) <= 1e-5
