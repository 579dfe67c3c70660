"""MSINet, its interactions and its spatial alignment against the paper and the published implementation's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reid_models import create_model, load_checkpoint
from reid_models.architectures.genotypes import INTERACTIONS, SEARCHED, Genotype, read_genotype
from reid_models.architectures.interactions import CrossAttention, interaction
from reid_models.architectures.msinet import MSINet, msinet
from reid_models.architectures.spatial_alignment import AlignModule
from reid_models.complexity import count_multiply_adds, count_parameters
from reid_models.errors import InputError
from reid_models.export import export_onnx
from reid_models.outputs import ModelOutput
from reid_models.records import EmbeddingRecord
from tests.reid_models.fixtures import blocky, fill, noise, published_state, read_fixture, relative_error

SIZE = (256, 128)
SMALL = {"channels": (8, 16, 32, 64)}
FIXTURES = (("msinet", "msinet_msmt"), ("msinet_sam", "msinet_msmt_sam"))


def test_size_equals_the_published_implementation() -> None:
    model = create_model("msinet", num_classes=7)
    assert count_parameters(model) == 2_328_035
    assert count_parameters(model, with_classifier=True) == 2_328_035 + (512 + 1) * 7 + (256 + 1) * 7
    assert count_multiply_adds(model, SIZE) == 1_093_479_936


def test_spatial_alignment_costs_only_while_training() -> None:
    model = create_model("msinet_sam")
    assert isinstance(model, MSINet)
    assert count_parameters(model) == 2_393_699
    assert count_multiply_adds(model, SIZE) == 1_093_479_936
    assert count_multiply_adds(model.training_cost_view(), SIZE) == 1_101_868_544
    assert count_multiply_adds(msinet().training_cost_view(), SIZE) == 1_093_479_936
    assert all(module.training for module in model.modules())


def test_builds_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = create_model("msinet_sam", num_classes=3)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@pytest.mark.data
@pytest.mark.parametrize(("name", "fixture"), FIXTURES)
def test_embedding_equals_the_published_implementation(name: str, fixture: str, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, fixture)
    model = create_model(name, num_classes=spec["num_classes"])
    report = load_checkpoint(model, published_state(spec))
    assert report.ignored == () and report.layout == "msinet"
    assert count_parameters(model, with_classifier=True) == spec["parameters"]["with_classifier"]
    transfer = create_model(name, num_classes=spec["num_classes"], embedding="after_neck").eval()
    transfer.load_state_dict(model.state_dict())
    model.eval()
    with torch.no_grad():
        assert relative_error(model(noise(*SIZE)), arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        assert relative_error(transfer(noise(*SIZE)), arrays["test_transfer"]) <= 1e-5
        output = model.train()(noise(*SIZE, seed=8, batch=4))
    (main, side), (logits, side_logits) = output.features, output.logits
    ours = [main, logits, side, side_logits, *output.maps]
    theirs = spec["train_mode"]["outputs"][: len(ours)]
    assert len(output.maps) == (name == "msinet_sam")
    for mine, expected in zip(ours, theirs, strict=True):
        assert list(mine.shape) == expected["shape"]
        assert relative_error(mine.flatten()[:8], expected["first8"]) <= 1e-3


@pytest.mark.data
def test_alignment_scores_equal_the_published_module(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "losses")
    state = {}
    for key, *rule in spec["losses"]["sam_module"]["keys"]:
        state[key.replace("pos_pam", "position_attention").replace("_conv", "")] = fill(key, *rule)
    module = AlignModule(16)
    module.load_state_dict(state)
    maps = torch.from_numpy(np.random.RandomState(14).standard_normal((8, 16, 16, 8)).astype(np.float32))
    assert relative_error(module(maps).detach(), arrays["sam_scores"]) <= 1e-5
    # The published gradient of the loss with respect to the scores, carried on to the maps by our module.
    maps.requires_grad_()
    module(maps).backward(torch.from_numpy(arrays["grad_sam_loss_pos_neg"]))
    assert maps.grad is not None
    assert relative_error(maps.grad, arrays["grad_sam_loss_pos_neg_end_to_end"]) <= 1e-4


def test_alignment_scores_are_equation_7() -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 6, 4, 2)
    scores = AlignModule(6, position_attention=False, positions="own")(maps)
    assert scores.shape == (3, 3, 8)
    for i in range(3):
        for j in range(3):
            x_i, x_j = maps[i].flatten(1), maps[j].flatten(1)
            torch.testing.assert_close(scores[i, j], (x_j.t() @ x_i).max(dim=0).values)
    published = AlignModule(6, position_attention=False)(maps)
    torch.testing.assert_close(published, scores.transpose(0, 1))
    assert not torch.allclose(published, scores)
    module = AlignModule(6)
    assert module.position_attention is not None
    torch.testing.assert_close(module(maps)[:3], published)
    query, key = module.position_attention.query(maps)[1].flatten(1), module.position_attention.key(maps)[1].flatten(1)
    torch.testing.assert_close(module(maps)[3, 1], (query.t() @ key).max(dim=1).values)


@pytest.mark.parametrize(
    ("row", "attention"),
    [(True, True), ("attention", True), ("positive", False), ("negative", False), ("unified", False),
     ("separated", False)],
)  # fmt: skip
def test_every_row_of_table_5_has_its_scores(row: bool | str, attention: bool) -> None:
    model = create_model("msinet", num_classes=2, spatial_alignment=row, **SMALL)
    output = model(torch.randn(4, 3, 64, 32))
    assert output.maps[0].shape == (4 + attention, 4, 8) and output.maps[0].requires_grad
    assert model.eval()(torch.randn(1, 3, 64, 32)).shape == (1, 64 + 32)


def test_scores_stay_finite_in_half_precision() -> None:
    maps = (100 * torch.rand(2, 512, 4, 2)).half()
    with torch.autocast("cpu", dtype=torch.float16):
        scores = AlignModule(512, position_attention=False)(maps)
        mixed, _ = CrossAttention()(maps.repeat(1, 1, 16, 16), maps.repeat(1, 1, 16, 16))
    assert scores.dtype == torch.float32 and scores.isfinite().all() and scores.max() > 65504
    assert mixed.dtype == torch.float16 and mixed.isfinite().all()


def pair(channels: int = 32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, channels, 5, 4, generator=generator), torch.randn(2, channels, 5, 4, generator=generator)


def test_none_and_exchange() -> None:
    first, second = pair()
    assert interaction("none", 32)(first, second) == (first, second)
    assert interaction("exchange", 32)(first, second) == (second, first)
    assert count_parameters(interaction("none", 32)) == count_parameters(interaction("exchange", 32)) == 0


def test_the_channel_gate_is_equation_4_with_one_gate() -> None:
    torch.manual_seed(1)
    first, second = pair()
    module = interaction("channel_gate", 32)
    assert count_parameters(module) == 2 * 32 * 2 + 2 + 32
    for given, gated in zip((first, second), module(first, second), strict=True):
        hidden = torch.relu(module.gate.reduce(given.mean((2, 3), keepdim=True)))
        torch.testing.assert_close(gated, given * torch.sigmoid(module.gate.expand(hidden)))


def test_cross_attention_exchanges_keys() -> None:
    first, second = pair(6)
    module = CrossAttention()
    for given, unchanged in zip((first, second), module(first, second), strict=True):
        torch.testing.assert_close(given, unchanged)
    with torch.no_grad():
        module.proportion.fill_(0.7)
    for (query, key), result in zip(((first, second), (second, first)), module(first, second), strict=True):
        q, k = query.flatten(2), key.flatten(2)
        energy = torch.einsum("bcn,bdn->bcd", q, k)
        mask = torch.softmax(energy.max(dim=-1, keepdim=True).values - energy, dim=-1)
        torch.testing.assert_close(result, query + 0.7 * torch.einsum("bcd,bdn->bcn", mask, q).view_as(query))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"genotype": Genotype.uniform("cross_attention")},
        {"genotype": Genotype.random(5), "fusion": "minus"},
        {"fusion": "multiply", "side_feature": False},
        {"scale_ratio": 1, "genotype": "NNNNNNNNNNNN"},
        {"spatial_alignment": True},
    ],
)
def test_every_ablation_trains_all_its_parameters(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = create_model("msinet", num_classes=3, **SMALL, **options)
    for name, parameter in model.named_parameters():
        if name.endswith("proportion"):
            torch.nn.init.constant_(parameter, 0.1)
    output = model(torch.randn(4, 3, 64, 32))
    assert isinstance(output, ModelOutput)
    heads = 1 if options.get("side_feature") is False else 2
    assert [logits.shape for logits in output.logits] == [(4, 3)] * heads
    assert [feature.shape for feature in output.features] == [(4, 64), (4, 32)][:heads]
    values = (*output.logits, *output.maps)
    torch.stack([(value * torch.randn_like(value)).sum() for value in values]).sum().backward()
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    silent = [name for name, p in trained if p.grad is None or not p.grad.any()]
    dead_gates = [name for name in silent if ".gate." in name]  # their one hidden unit may be off (ReLU)
    # A bias just before batch norm moves nothing.
    assert set(silent) <= {*dead_gates, "side.bias"} and len(dead_gates) <= 20
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["neck.norm.bias", "neck_side.norm.bias"][:heads]


def test_ablations_differ_where_the_paper_says() -> None:
    size = {letter: count_parameters(msinet(genotype=letter * 12)) for letter in "NEGA"}
    widths = (64, 64, 64, 64, 96, 96, 96, 96, 128, 128, 128, 128)
    gates = sum(2 * c * (c // 16) + c // 16 + c for c in widths)
    assert size["E"] == size["N"]
    assert size["G"] - size["N"] == gates
    assert size["A"] - size["N"] == 12
    ratios = {ratio: count_parameters(msinet(scale_ratio=ratio)) for ratio in (1, 2, 3, 4)}
    layers = sum(c * c + 9 * c + 2 * c for c in widths)
    assert [ratios[r + 1] - ratios[r] for r in (1, 2, 3)] == [layers] * 3
    side = 384 * 128 + 128 + 256 * 256 + 2 * 256
    assert count_parameters(msinet()) - count_parameters(msinet(side_feature=False)) == side


def test_branches_are_fused_as_fig_5_c_says() -> None:
    torch.manual_seed(0)
    models = {
        fusion: msinet(fusion=fusion, genotype="N" * 12, **SMALL).eval() for fusion in ("sum", "minus", "multiply")
    }
    images = torch.randn(1, 3, 64, 32)
    results = {}
    for fusion, model in models.items():
        model.load_state_dict(models["sum"].state_dict())
        cell = model.stage1[0]
        maps = model.pool(model.stem(images))
        branches = [cell.scales2[i](cell.scales1[i](cell.reduce[i](maps))) for i in (0, 1)]
        first, second = (cell.expand[i](branches[i]) for i in (0, 1))
        fused = {"sum": first + second, "minus": first - second, "multiply": first * second}[fusion]
        torch.testing.assert_close(cell(maps), torch.relu(fused + cell.shortcut(maps)))
        results[fusion] = model(images)
    assert not torch.allclose(results["sum"], results["minus"])
    assert not torch.allclose(results["sum"], results["multiply"])


def test_the_side_feature_is_that_of_both_halves() -> None:
    model = msinet(**SMALL).eval()
    for height in (64, 48):  # 4 and 3 rows after the second down-sampling
        images = torch.randn(1, 3, height, 32)
        assert model.side is not None
        with torch.no_grad():
            rows = model.side(
                model.transition2(model.stage2(model.transition1(model.stage1(model.pool(model.stem(images))))))
            )
            halves = torch.cat([rows[:, :, :2].mean((2, 3)), rows[:, :, -2:].mean((2, 3))], dim=1)
            torch.testing.assert_close(model(images)[:, 64:], halves)


def test_exported_network_agrees_for_any_batch(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(0)
    genotype = Genotype((*INTERACTIONS, *reversed(INTERACTIONS), *INTERACTIONS))
    model = msinet(genotype=genotype, spatial_alignment=True, num_classes=3, **SMALL)
    for name, parameter in model.named_parameters():
        if name.endswith("proportion"):
            torch.nn.init.constant_(parameter, 0.5)
    with torch.no_grad():
        model(torch.randn(8, 3, 64, 32))  # batch norm statistics other than the initial ones
    export_onnx(model, tmp_path / "msinet.onnx", EmbeddingRecord(input_size=(64, 32)))
    session = onnxruntime.InferenceSession(tmp_path / "msinet.onnx", providers=["CPUExecutionProvider"])
    model.eval()
    for batch in (1, 2, 5):
        images = torch.randn(batch, 3, 64, 32)
        (theirs,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            assert relative_error(theirs, model(images).numpy()) <= 1e-5


def test_the_searched_genotype_is_table_1() -> None:
    assert str(SEARCHED) == "GGEGAGGNGAEA"
    assert read_genotype("searched") == read_genotype("GG EG AG GN GA EA") == read_genotype(SEARCHED) == SEARCHED
    assert read_genotype(list(SEARCHED.interactions)) == SEARCHED
    assert SEARCHED.interactions[2:5] == ("exchange", "channel_gate", "cross_attention")
    assert Genotype.random(1) == Genotype.random(1) != Genotype.random(2)
    assert str(Genotype.uniform("none")) == "N" * 12


def test_a_genotype_file_builds_the_network(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    genotype = Genotype.random(4)
    genotype.write(path)
    genotype.write(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["found.json"]
    assert read_genotype(path) == read_genotype(str(path)) == genotype
    ours, expected = msinet(genotype=path, **SMALL), msinet(genotype=str(genotype), **SMALL)
    assert ours.state_dict().keys() == expected.state_dict().keys()
    with pytest.raises(InputError, match="cannot be written to"):
        genotype.write(tmp_path / "no folder" / "found.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON file"),
        ("[1]", "must be a JSON object"),
        (json.dumps({"format": "msinet-genotype-1"}), "a list of 12 names"),
        (json.dumps({"format": "msinet-genotype-1", "interactions": ["gate"] * 12}), "did you mean 'channel_gate'"),
        (json.dumps({"format": "msinet-genotype-1", "interactions": ["none"] * 3}), "'NNN' has 3 interactions"),
        (json.dumps({"format": "msinet-genotype-1", "interaction": []}), "did you mean 'interactions'"),
    ],
)
def test_a_file_that_is_no_genotype_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "genotype.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as refused:
        read_genotype(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"genotype": "GGEGAGGNGAEX"}, "holds 'X'"),
        ({"genotype": "GGE"}, "'GGE' has 3 interactions; it must have 12"),
        ({"genotype": ""}, "has 0 interactions"),
        ({"genotype": "missing.json"}, "missing.json cannot be read: No such file"),
        ({"genotype": 3}, "must be letters"),
        ({"spatial_alignment": "both"}, "spatial_alignment = 'both' is not one of True, False, positive"),
        ({"alignment_positions": "all"}, "not one of other, own"),
        ({"embedding": "neck"}, "embedding = 'neck' is not one of before_neck, after_neck"),
        ({"fusion": "mul"}, "not one of sum, minus, multiply"),
        ({"scale_ratio": 0}, "whole number from 1 to 8"),
        ({"channels": (64, 256, 384)}, "four positive multiples of 4"),
        ({"channels": (64, 256, 384, 510)}, "four positive multiples of 4"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_model("msinet", **options)
