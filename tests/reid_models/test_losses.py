"""Losses against values computed by hand, and what they make of awkward batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reid_models.errors import InputError
from reid_models.losses import (
    BatchHardTriplet,
    CenterLoss,
    CircleLoss,
    ClusterMemory,
    CrossEntropy,
    SpatialAlignment,
    WeightedMultiLabel,
    WeightedTriplet,
    rescale_center_gradients,
)
from reid_models.losses.distances import pairwise_distances

#: on a line: identity 0 at 0 and 2, identity 1 at 3 and 7
LINE = torch.tensor([[0.0, 0.0], [2.0, 0.0], [3.0, 0.0], [7.0, 0.0]])
PAIRS = torch.tensor([0, 0, 1, 1])

#: on features (B, 6) and labels below 4
METRIC_LOSSES: dict[str, Callable[[], nn.Module]] = {
    "hard": BatchHardTriplet,
    "hard soft": lambda: BatchHardTriplet(None),
    "hard normalised": lambda: BatchHardTriplet(normalize=True),
    "hard cosine": lambda: BatchHardTriplet(normalize=True, squared=True),
    "weighted": WeightedTriplet,
    "weighted raw": lambda: WeightedTriplet(normalize=False),
    "weighted cosine": lambda: WeightedTriplet(0.3, squared=True),
    "weighted batch": lambda: WeightedTriplet(scope="batch"),
    "weighted without self": lambda: WeightedTriplet(include_self=False),
    "circle": CircleLoss,
}
LOSSES = {**METRIC_LOSSES, "center": lambda: CenterLoss(4, 6), "memory": lambda: filled_memory()}


def filled_memory() -> ClusterMemory:
    memory = ClusterMemory(4, 6)
    memory.features.copy_(torch.nn.functional.normalize(torch.randn(4, 6, generator=torch.manual_seed(6))))
    return memory


def one_zero_vector(*size: int) -> Tensor:
    features = torch.randn(*size)
    features[0] = 0
    return features


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def backward(loss: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = inputs.clone().requires_grad_()
    value = loss(leaf, labels)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


# Smoothing 0.3 over three classes; the adaptive form multiplies it by the true class' probability, 0.5.
@pytest.mark.parametrize(
    ("form", "target"),
    [("uniform", (0.8, 0.1, 0.1)), ("others", (0.7, 0.15, 0.15)), ("adaptive", (0.85, 0.075, 0.075))],
)
def test_cross_entropy_by_hand(form: Any, target: tuple[float, ...]) -> None:
    probabilities = (0.5, 0.2, 0.3)
    expected = -sum(t * math.log(p) for t, p in zip(target, probabilities, strict=True))
    logits = torch.tensor([probabilities]).log() + 2
    value, gradient = backward(CrossEntropy(0.3, form), logits, torch.tensor([0]))
    assert value.item() == pytest.approx(expected, rel=1e-6)
    # The gradient of cross entropy against a fixed target is probability − target.
    torch.testing.assert_close(gradient, torch.tensor([probabilities]) - torch.tensor([target]))
    plain = CrossEntropy(0, form)(logits, torch.tensor([0]))
    assert plain.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # d(a, p) − d(a, n) of the four anchors: 2 − 3, 2 − 1, 4 − 1, 4 − 5.
        (BatchHardTriplet(0.3), (0 + 1.3 + 3.3 + 0) / 4),
        (BatchHardTriplet(1.2), (0.2 + 2.2 + 4.2 + 0.2) / 4),
        (BatchHardTriplet(None), (2 * softplus(-1) + softplus(1) + softplus(3)) / 4),
        (BatchHardTriplet(0.3, squared=True), (0 + 3.3 + 15.3 + 0) / 4),
    ],
)
def test_batch_hard_triplet_by_hand(loss: nn.Module, expected: float) -> None:
    assert loss(LINE, PAIRS).item() == pytest.approx(expected, rel=1e-6)
    assert loss(LINE + 1000, PAIRS).item() == pytest.approx(expected, rel=1e-6)


def test_batch_hard_gradient_by_hand() -> None:
    # Open hinges: anchor 1 (positive 0, negative 2) and anchor 2 (positive 3, negative 1).
    _, gradient = backward(BatchHardTriplet(0.3), LINE, PAIRS)
    torch.testing.assert_close(gradient[:, 0], torch.tensor([-1.0, 1 + 1 + 1, -1 - 1 - 1, 1.0]) / 4)
    assert not gradient[:, 1].any()


def test_batch_hard_on_directions() -> None:
    angles = torch.tensor([0.0, 1.0, 2.0, 0.5])
    features = torch.stack([angles.cos(), angles.sin()], 1) * torch.tensor([[1.0], [5.0], [0.1], [3.0]])

    def chord(angle: float) -> float:
        return 2 * math.sin(angle / 2)

    expected = [(1, 0.5), (1, 0.5), (1.5, 1), (1.5, 0.5)]
    mean = sum(softplus(chord(far) - chord(near)) for far, near in expected) / 4
    labels = torch.tensor([0, 0, 1, 1])
    assert BatchHardTriplet(None, normalize=True)(features, labels).item() == pytest.approx(mean, rel=1e-6)
    cosine = sum(softplus(2 * math.cos(near) - 2 * math.cos(far)) for far, near in expected) / 4
    loss = BatchHardTriplet(None, normalize=True, squared=True)
    assert loss(features, labels).item() == pytest.approx(cosine, rel=1e-6)


@pytest.mark.parametrize("include_self", [True, False])
def test_weighted_triplet_by_hand(include_self: bool) -> None:
    def mean(distances: list[float], sign: int) -> float:
        weights = [math.exp(sign * d) for d in distances]
        return sum(w * d for w, d in zip(weights, distances, strict=True)) / sum(weights)

    own = [0.0] if include_self else []
    anchors = [(2.0, [3.0, 7.0]), (2.0, [1.0, 5.0]), (4.0, [3.0, 1.0]), (4.0, [7.0, 5.0])]
    differences = [mean([*own, positive], 1) - mean(negatives, -1) for positive, negatives in anchors]
    soft = WeightedTriplet(normalize=False, include_self=include_self)
    assert soft(LINE, PAIRS).item() == pytest.approx(sum(map(softplus, differences)) / 4, rel=1e-6)
    hinge = WeightedTriplet(0.3, normalize=False, include_self=include_self)
    assert hinge(LINE, PAIRS).item() == pytest.approx(sum(max(0, d + 0.3) for d in differences) / 4, rel=1e-6)

    positives = own * 4 + [2.0, 2.0, 4.0, 4.0]
    negatives = [distance for _, distances in anchors for distance in distances]
    batch = WeightedTriplet(normalize=False, include_self=include_self, scope="batch")
    assert batch(LINE, PAIRS).item() == pytest.approx(softplus(mean(positives, 1) - mean(negatives, -1)), rel=1e-6)


def test_weights_of_far_negatives_do_not_underflow() -> None:
    features, labels = torch.tensor([[0.0], [0.0], [300.0], [301.0]]), torch.tensor([0, 0, 1, 2])
    loss = WeightedTriplet(margin=1000.0, normalize=False)
    weight = 1 / (1 + math.exp(-1))
    nearest = [weight * 300 + (1 - weight) * 301] * 2
    weight = 1 / (1 + 2 * math.exp(-299))
    nearest += [weight * 1 + (1 - weight) * 300, weight * 1 + (1 - weight) * 301]
    assert loss(features, labels).item() == pytest.approx(1000 - sum(nearest) / 4, rel=1e-6)


# Not the circle loss: its weights have no gradient, which differences would see.
@pytest.mark.parametrize("name", [name for name in METRIC_LOSSES if name != "circle"])
def test_gradients_equal_differences(name: str) -> None:
    torch.manual_seed(0)
    features = torch.randn(7, 6, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 0, 2, 1, 0, 3])
    loss = METRIC_LOSSES[name]()
    assert torch.autograd.gradcheck(lambda values: loss(values, labels), features)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0, 0, 1, 2], [2]], ids=str)
@pytest.mark.parametrize("make", [torch.zeros, torch.ones, torch.randn, one_zero_vector])
def test_every_batch_gives_finite_values_and_gradients(
    name: str, labels: list[int], make: Callable[..., Tensor]
) -> None:
    torch.manual_seed(1)
    features, identities = make(len(labels), 6), torch.tensor(labels)
    value, gradient = backward(LOSSES[name](), features, identities)
    assert value.isfinite() and gradient.isfinite().all()
    # Steps of a training must stay steps where vectors coincide: no 1 / (tiny distance).
    assert gradient.abs().max() < 100
    if name in METRIC_LOSSES and len(set(labels)) == 1:
        assert value == 0 and not gradient.any()


@pytest.mark.parametrize("loss", [BatchHardTriplet(1.2), WeightedTriplet(1.2, normalize=False)])
def test_a_lone_image_pushes_strangers_from_distance_zero(loss: nn.Module) -> None:
    # Both losses: the lone image's own distance is 0 and its only stranger is at 1; the pair's positives are at 0.
    features, labels = torch.tensor([[0.0], [0.0], [1.0]]), torch.tensor([0, 0, 1])
    value, gradient = backward(loss, features, labels)
    assert value.item() == pytest.approx(0.2, rel=1e-6)
    assert gradient[2].item() < 0 < gradient[:2].min().item()


def test_circle_loss_by_hand() -> None:
    # Identities 1, 2 and 3 have one image each: these are no anchors.
    def by_definition(features: Tensor, labels: Tensor) -> Tensor:
        units = torch.nn.functional.normalize(features)
        losses = []
        for anchor, positive in ((0, 1), (1, 0)):
            s_p, s_n = units[anchor] @ units[positive], units[2:] @ units[anchor]
            pull = 8 * (1.25 - s_p.detach()).clamp(min=0) * (0.75 - s_p)
            push = (8 * (s_n.detach() + 0.25).clamp(min=0) * (s_n - 0.25)).exp().sum()
            losses.append(torch.log1p(push * pull.exp()))
        return torch.stack(losses).mean()

    torch.manual_seed(2)
    features, labels = torch.randn(5, 6), torch.tensor([0, 0, 1, 2, 3])
    expected = backward(by_definition, features, labels)
    torch.testing.assert_close(backward(CircleLoss(margin=0.25, scale=8), features, labels), expected)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    # Rounded values, so that both computations start from the same numbers; squares of 300 overflow float16.
    features = (100 * torch.randn(6, 6)).to(dtype)
    loss = LOSSES[name]()
    state = {key: value.clone() for key, value in loss.state_dict().items()}
    expected, gradient = backward(loss, features.float(), labels)
    loss.load_state_dict(state)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, half_gradient = backward(loss, features, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)
    assert half_gradient.dtype == dtype
    torch.testing.assert_close(half_gradient.float(), gradient, rtol=1e-2, atol=1e-2 * float(gradient.abs().max()))


@pytest.mark.parametrize("name", LOSSES)
def test_nan_features_are_not_hidden(name: str) -> None:
    features = torch.randn(4, 6)
    features[1, 2] = torch.nan
    assert LOSSES[name]()(features, PAIRS).isnan()


def test_distances_of_near_vectors_are_exact() -> None:
    # Far from the origin: the usual |a|² + |b|² − 2 a·b would lose the small distances.
    base = torch.full((1, 512), 3.0)
    offsets = torch.tensor([[0.0], [0.01], [0.02], [0.05]]) * torch.ones(1, 512)
    distances = pairwise_distances(base + offsets)
    torch.testing.assert_close(distances, torch.cdist((base + offsets).double(), (base + offsets).double()).float())
    assert not distances.diagonal().any()


def test_center_loss_by_hand() -> None:
    loss = CenterLoss(3, 2)
    assert loss.centers.shape == (3, 2) and list(loss.state_dict()) == ["centers"]
    with torch.no_grad():
        loss.centers.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]]))
    value, gradient = backward(loss, torch.tensor([[3.0, 4.0], [1.0, 3.0]]), torch.tensor([0, 1]))
    assert value.item() == pytest.approx((25 + 4) / 2)
    torch.testing.assert_close(gradient, torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
    assert loss.centers.grad is not None
    torch.testing.assert_close(loss.centers.grad, torch.tensor([[-3.0, -4.0], [0.0, -2.0], [0.0, 0.0]]))
    rescale_center_gradients(loss, 0.5)
    torch.testing.assert_close(loss.centers.grad[0], torch.tensor([-6.0, -8.0]))
    rescale_center_gradients(loss, 0.0)
    assert loss.centers.grad.isfinite().all()


def test_spatial_alignment_by_hand() -> None:
    torch.manual_seed(4)
    scores, labels = torch.randn(5, 4, 8), torch.tensor([0, 0, 0, 1])

    def apart(a: Tensor, b: Tensor) -> Tensor:
        return 1 - torch.nn.functional.cosine_similarity(a, b, dim=0)

    def among(members: Callable[[int], list[int]], *, own: bool = False) -> Tensor:
        rows = []
        for i in range(4):
            chosen = members(i)
            partners = [scores[4, i]] if own else [scores[i, k] for k in chosen]
            rows.append(torch.stack([apart(p, scores[i, j]) for p in partners for j in chosen]).mean())
        return torch.stack(rows).mean()

    positive = among(lambda i: [j for j in range(4) if labels[j] == labels[i]], own=True)
    negative = among(lambda i: [j for j in range(4) if labels[j] != labels[i]])
    torch.testing.assert_close(SpatialAlignment("pos")(scores, labels), positive)
    torch.testing.assert_close(SpatialAlignment("neg")(scores, labels), negative)
    torch.testing.assert_close(SpatialAlignment()(scores, labels), positive + negative)
    torch.testing.assert_close(SpatialAlignment("unified")(scores, labels), among(lambda i: [0, 1, 2, 3]))
    themselves = among(lambda i: [j for j in range(4) if labels[j] == labels[i]])
    torch.testing.assert_close(SpatialAlignment("pos")(scores[:4], labels), themselves)
    torch.testing.assert_close(SpatialAlignment()(scores[:4], labels), themselves + negative)


@pytest.mark.parametrize("mode", ["pos", "neg", "pos_neg", "unified"])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0, 0, 1]], ids=str)
@pytest.mark.parametrize("make", [torch.zeros, torch.ones, torch.randn])
def test_spatial_alignment_of_every_batch_is_finite(mode: Any, labels: list[int], make: Callable[..., Tensor]) -> None:
    value, gradient = backward(SpatialAlignment(mode), make(4, 3, 8).bfloat16(), torch.tensor(labels))
    assert value.dtype == torch.float32 and value.isfinite() and gradient.isfinite().all()
    if make is torch.ones or (mode == "neg" and labels == [0, 0, 0]):
        assert abs(value.item()) < 1e-6


def test_spatial_alignment_refuses_other_shapes() -> None:
    with pytest.raises(InputError, match=r"shape \(4, 4, 8\) for 5 labels"):
        SpatialAlignment()(torch.randn(4, 4, 8), torch.zeros(5, dtype=torch.int64))


def test_memory_follows_one_image_after_the_other() -> None:
    memory = ClusterMemory(3, 2, temperature=0.5, momentum=0.25)
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    memory.features.copy_(rows)
    features = torch.tensor([[0.0, 2.0], [3.0, 3.0], [-5.0, 0.0], [0.0, 7.0]])
    labels = torch.tensor([0, 1, 0, 0])
    units = torch.nn.functional.normalize(features)
    logits = units @ rows.t() / 0.5
    expected = torch.nn.functional.cross_entropy(logits, labels)
    leaf = features.clone().requires_grad_()
    loss = memory(leaf, labels)
    torch.testing.assert_close(loss, expected)
    assert torch.equal(memory.features, rows)
    loss.backward()
    for unit, label in zip(units, labels, strict=True):
        moved = 0.25 * rows[label] + 0.75 * unit
        rows[label] = moved / moved.norm()
    torch.testing.assert_close(memory.features, rows)
    assert torch.equal(rows[2], torch.tensor([0.6, 0.8]))


def test_gradient_is_of_the_memory_that_the_loss_was_computed_with() -> None:
    torch.manual_seed(5)
    memory = filled_memory()
    before = memory.features.clone()
    features, labels = torch.randn(4, 6), torch.tensor([0, 1, 2, 2])
    # Two losses before either is propagated back, as with accumulated gradients.
    first, second = features.clone().requires_grad_(), features.clone().requires_grad_()
    losses = memory(first, labels), memory(second, labels)
    for loss in losses:
        loss.backward()

    def frozen(values: Tensor, labels: Tensor) -> Tensor:
        logits = torch.nn.functional.normalize(values) @ before.t() / 0.05
        return torch.nn.functional.cross_entropy(logits, labels)

    _, expected = backward(frozen, features, labels)
    for leaf in (first, second):
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad, expected)
    assert not torch.equal(memory.features, before)


def test_memory_is_saved_and_moves_only_by_backward() -> None:
    memory = ClusterMemory(4, 6)
    features, labels = torch.randn(4, 6), torch.tensor([0, 1, 2, 2])
    memory(features, labels)
    memory(features.clone().requires_grad_(), labels)
    with torch.no_grad():
        memory(features.clone().requires_grad_(), labels)
    assert list(memory.state_dict()) == ["features"] and not memory.features.any()
    assert not list(memory.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossEntropy(1.0), r"label_smoothing = 1\.0"),
        (lambda: CrossEntropy(form="none"), "no form 'none'.*uniform, others, adaptive"),  # type: ignore[arg-type]
        (lambda: BatchHardTriplet(-0.1), r"margin = -0\.1"),
        (lambda: WeightedTriplet(math.nan), "margin = nan"),
        (lambda: WeightedTriplet(scope="pair"), "no scope 'pair'.*anchor, batch"),  # type: ignore[arg-type]
        (lambda: CircleLoss(scale=0), "scale = 0"),
        (lambda: SpatialAlignment("all"), "no mode 'all'"),  # type: ignore[arg-type]
        (lambda: ClusterMemory(3, 2, temperature=0), "temperature = 0"),
        (lambda: ClusterMemory(3, 2, momentum=1.5), r"momentum = 1\.5"),
        (lambda: WeightedMultiLabel([0.5, 1.2]), "not shares in"),
        (lambda: WeightedMultiLabel([]), "not shares in"),
        (lambda: WeightedMultiLabel([0.5], "none"), "no weighting 'none'"),  # type: ignore[arg-type]
        (lambda: WeightedMultiLabel([0.5], sigma=0), "sigma = 0"),
        (lambda: WeightedMultiLabel([0.5], reduction="none"), "no reduction 'none'"),  # type: ignore[arg-type]
    ],
)
def test_options_that_cannot_be_used_are_refused(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
