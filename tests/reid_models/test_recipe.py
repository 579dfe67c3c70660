"""Recipes from files: what they extend, what --set changes, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reid_models.errors import InputError
from reid_models.training.recipe import Recipe, list_recipes, read_recipe

WHOLE = """
model: {name: osnet_x0_25, options: {num_streams: 2}}
sampler: {kind: identity, identities: 8, images: 2}
losses:
  - {kind: cross_entropy, options: {label_smoothing: 0.1}}
  - {kind: batch_hard_triplet, weight: 0.5}
optimizer: {kind: sgd, lr: 0.065}
schedule:
  milestones: [150, 225]
  warm_up: {epochs: 10}
epochs: 350
classifier_only_epochs: 10
resolutions: [{until: 100, size: [64, 32]}]
averaging: {kind: swag, start: 300, every: 10}
"""


@pytest.fixture
def whole(tmp_path: Path) -> str:
    path = tmp_path / "whole.yaml"
    path.write_text(WHOLE)
    return str(path)


def refusal(spec: str, *changes: str) -> str:
    """Return the one line with which a recipe is refused."""
    with pytest.raises(InputError) as caught:
        read_recipe(spec, changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_file_becomes_settings(whole: str) -> None:
    recipe = read_recipe(whole)
    assert recipe.name == "whole"
    assert recipe.model.options == {"num_streams": 2} and recipe.model.initialization == "random"
    assert [loss.kind for loss in recipe.losses] == ["cross_entropy", "batch_hard_triplet"]
    assert recipe.losses[1].weight == 0.5 and recipe.losses[0].options == {"label_smoothing": 0.1}
    assert recipe.optimizer.momentum == 0.9 and recipe.optimizer.weight_decay == 5e-4
    assert recipe.sampler.size == 16 and recipe.schedule.milestones == (150, 225)
    assert recipe.resolutions[0].size == (64, 32) and recipe.input_size is None and recipe.averaging is not None


def test_what_a_run_writes_reads_back_the_same(whole: str, tmp_path: Path) -> None:
    recipe = read_recipe(whole, ["optimizer.lr=1e-5", "optimizer.weight_decay=3.3e-7"])
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert read_recipe(str(tmp_path / "again.yaml")).model_copy(update={"name": "whole"}) == recipe


def test_extending_merges_settings_and_replaces_lists(whole: str, tmp_path: Path) -> None:
    (tmp_path / "middle.yaml").write_text("extends: whole\nschedule: {milestones: [60]}\noptimizer: {kind: amsgrad}\n")
    (tmp_path / "last.yml").write_text(
        "extends: middle.yaml\noptimizer: {lr: 0.0015}\nlosses: [{kind: cross_entropy}]\naveraging: null\n"
    )
    recipe = read_recipe(str(tmp_path / "last.yml"))
    assert recipe.name == "last"
    assert (recipe.optimizer.kind, recipe.optimizer.lr) == ("amsgrad", 0.0015)
    assert recipe.schedule.milestones == (60,) and recipe.schedule.warm_up is not None
    assert len(recipe.losses) == 1 and recipe.losses[0].options == {}
    assert recipe.averaging is None and recipe.epochs == 350 and recipe.sampler.identities == 8


def test_a_file_may_extend_what_comes_with_the_library(tmp_path: Path) -> None:
    name = list_recipes()[0]
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {name}\nseed: 77\n")
    mine, base = read_recipe(str(path)), read_recipe(name)
    assert mine.seed == 77 and mine.model_copy(update={"name": name, "seed": base.seed}) == base


def test_extending_in_a_circle_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("extends: two\n")
    (tmp_path / "two.yaml").write_text("extends: one\n")
    assert "one.yaml extends itself, through one.yaml → two.yaml → one.yaml" in refusal(str(tmp_path / "one.yaml"))


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        ("optimizer.lr=0.1", ("optimizer", "lr"), 0.1),
        ("optimizer.lr=1e-3", ("optimizer", "lr"), 1e-3),
        ("losses.1.weight=2", ("losses", 1, "weight"), 2.0),
        ("losses.1.options.margin=1.2", ("losses", 1, "options"), {"margin": 1.2}),
        ("sampler.camera_aware=true", ("sampler", "camera_aware"), True),
        ("schedule.milestones=[4, 7]", ("schedule", "milestones"), (4, 7)),
        ("schedule.warm_up=null", ("schedule", "warm_up"), None),
        ("augmentation.erasing=null", ("augmentation", "erasing"), None),
        ("augmentation.color_jitter.hue=0.1", ("augmentation", "color_jitter", "hue"), 0.1),
        ("input_size=[64,32]", ("input_size",), (64, 32)),
        ("model.options.gate_reduction=8", ("model", "options"), {"num_streams": 2, "gate_reduction": 8}),
        ("notes=a=b", ("notes",), "a=b"),
        (" epochs =5", ("epochs",), 5),
    ],
)
def test_set_changes_one_setting(whole: str, change: str, place: tuple[str | int, ...], expected: object) -> None:
    found, before = read_recipe(whole, [change]), read_recipe(whole)
    value: object = found
    for part in place:
        value = value[part] if isinstance(part, int) else getattr(value, part)  # type: ignore[index]
    assert value == expected
    untouched = set(Recipe.model_fields) - {place[0]}
    assert all(getattr(found, name) == getattr(before, name) for name in untouched if isinstance(name, str))


def test_later_changes_win(whole: str) -> None:
    assert read_recipe(whole, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimizer.lr", "--set optimizer.lr: give KEY=VALUE, such as optimizer.lr=0.01"),
        ("=3", "--set =3: give KEY=VALUE"),
        ("optimizer.lr=[1", "--set optimizer.lr=[1: the value is no YAML"),
        ("losses.2.weight=1", "--set losses.2.weight=1: 2 must be a number below 2, counted from 0"),
        ("losses.first.weight=1", "first must be a number below 2"),
        ("losses.-1=1", "-1 must be a number below 2"),
        ("optimizer.learning_rate=1", "unknown key 'optimizer.learning_rate': "),
        ("optimzer.lr=1", "unknown key 'optimzer': did you mean 'optimizer'?"),
        ("optimizer.momentun=0.8", "unknown key 'optimizer.momentun': did you mean 'momentum'?"),
        ("losses.0.wieght=1", "unknown key 'losses.0.wieght': did you mean 'weight'?"),
        ("schedule.warm_up.epoch=1", "unknown key 'schedule.warm_up.epoch': did you mean 'epochs'?"),
        ("augmentation.erasing.probabilty=1", "did you mean 'probability'?"),
        ("resolutions.0.untill=1", "did you mean 'until'?"),
        ("optimizer.lr=-1", "optimizer.lr = -1: input should be greater than 0"),
        ("optimizer.lr=nan", "optimizer.lr = nan: input should be greater than 0"),
        ("optimizer.lr=fast", "optimizer.lr = 'fast': input should be a valid number"),
        ("optimizer.lr=", "optimizer.lr = None: input should be a valid number"),
        ("optimizer.kind=sdg", "optimizer.kind = 'sdg': input should be 'sgd', 'adam', 'amsgrad' or 'adamw'"),
        ("epochs=0", "epochs = 0: input should be greater than or equal to 1"),
        ("epochs=2.5", "epochs = 2.5: input should be a valid integer"),
        ("losses=[]", "losses = []: "),
        ("sampler.identities=1", "sampler.identities = 1: input should be greater than or equal to 2"),
        ("input_size=[8,8]", "input_size.0 = 8: input should be greater than or equal to 16"),
        ("resolutions.0.size=[0,0]", "resolutions.0.size.0 = 0: input should be greater than or equal to 16"),
        ("seed=-1", "seed = -1: input should be greater than or equal to 0"),
        ("averaging={kind: swa, start: 1, samples: 3}", "averaging.samples are drawn from SWAG's Gaussian, but"),
        ("composites={waist: [0.6, 0.4]}", "waist must be the lower share first"),
        ("model.name.first=1", "model.name = {'first': 1}: input should be a valid string"),
    ],
)
def test_what_cannot_be_set_is_told(whole: str, change: str, message: str) -> None:
    assert message in refusal(whole, change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no settings; give a YAML mapping"),
        ("- a\n- b\n", "holds no settings"),
        ("model: {name: [}\n", "cannot be read"),
        ("extends: osnet_scrach\n", "unknown recipe 'osnet_scrach'"),
        (WHOLE.replace("epochs: 350\n", ""), "epochs is missing"),
        (WHOLE.replace("lr: 0.065", "nesterov: true"), "optimizer.lr is missing"),
        (WHOLE + "epoch: 3\n", "unknown key 'epoch': did you mean 'epochs'?"),
    ],
)
def test_files_that_are_no_recipe_are_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert message in refusal(str(path))


def test_a_recipe_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "does not exist" in refusal(str(tmp_path / "none.yaml"))
    known = list_recipes()[0]
    message = refusal(known[:-1] + "q")
    assert f"did you mean '{known}'?" in message and "Or give a YAML file." in message
    (tmp_path / "latin.yaml").write_bytes(b"notes: \xe9\xff\n")
    assert "cannot be read" in refusal(str(tmp_path / "latin.yaml"))


def test_scaling_shortens_every_time(whole: str) -> None:
    short = read_recipe(whole).scaled(0.1)
    assert (short.epochs, short.classifier_only_epochs) == (35, 1)
    assert short.schedule.milestones == pytest.approx((15, 22.5)) and short.schedule.warm_up is not None
    assert short.schedule.warm_up.epochs == pytest.approx(1)
    assert short.averaging is not None and (short.averaging.start, short.averaging.every) == pytest.approx((30, 1))
    assert short.resolutions[0].until == pytest.approx(10) and short.resolutions[0].size == (64, 32)
    assert short.optimizer == read_recipe(whole).optimizer
    assert read_recipe(whole).scaled(1e-6).epochs == 1
    assert read_recipe(whole).scaled(1) == read_recipe(whole)


@pytest.mark.parametrize("factor", [0, -1, float("nan")])
def test_scaling_by_nothing_is_refused(whole: str, factor: float) -> None:
    with pytest.raises(InputError, match=r"--epochs-scale .* must be a positive number"):
        read_recipe(whole).scaled(factor)
