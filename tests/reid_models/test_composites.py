"""Composite identities: who is put together with whom, what the images look like, and training with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from reid_models.data.composites import CompositeSettings, blend_at_waist, plan_composites, recoloured
from reid_models.data.loading import ImageStore
from reid_models.errors import InputError
from reid_models.training.training_data import num_training_classes
from tests.reid_models.training_runs import as_files, last, made_up, recipe, run, same, stopper

#: five people: the first three in cameras 1 and 2, two images each; the others in cameras 3 and 4, one image each
LABELS = np.repeat([0, 1, 2, 3, 4], [4, 4, 4, 2, 2])
CAMERAS = np.array([1, 1, 2, 2] * 3 + [3, 4] * 2)


def test_halves_come_from_two_people_and_one_camera() -> None:
    made = plan_composites(LABELS, CAMERAS, CompositeSettings(per_identity=2, images_per_camera=3), seed=5)
    assert np.array_equal(np.unique(made.labels), np.arange(5, 15)), "two for each of five, numbered on"
    assert np.array_equal(CAMERAS[made.upper], made.cameras) and np.array_equal(CAMERAS[made.lower], made.cameras)
    assert ((made.waist >= 0.42) & (made.waist <= 0.54)).all() and len(np.unique(made.waist)) == len(made)
    for label in np.unique(made.labels):
        of = made.labels == label
        (above,), (below,) = np.unique(LABELS[made.upper[of]]), np.unique(LABELS[made.lower[of]])
        assert above != below and above == (label - 5) % 5, "everybody gives the upper half in turn"
        cameras, counts = np.unique(made.cameras[of], return_counts=True)
        assert cameras.tolist() == ([1, 2] if above < 3 else [3, 4]), "in as many cameras as a person"
        assert counts.tolist() == ([3, 3] if above < 3 else [1, 1]), "of 2 × 2 pairs three, of 1 × 1 the one"
        pairs = np.stack([made.upper[of], made.lower[of]], axis=1)
        assert len(np.unique(pairs, axis=0)) == len(pairs), "no image twice"


def test_a_seed_decides_who() -> None:
    settings = CompositeSettings()
    first, again, other = (plan_composites(LABELS, CAMERAS, settings, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.upper, again.upper) and np.array_equal(first.waist, again.waist)
    assert not np.array_equal(first.waist, other.waist)


def test_without_partners_there_are_none() -> None:
    with pytest.raises(InputError, match="no two training identities were seen by the same cameras"):
        plan_composites(np.array([0, 1]), np.array([1, 2]), CompositeSettings(), seed=0)
    alone = plan_composites(np.array([0, 1, 2]), np.array([1, 2, 2]), CompositeSettings(), seed=0)
    assert np.array_equal(np.unique(alone.upper), [1, 2]), "who has no partner is left out"


def test_the_seam_is_where_it_is_said_and_narrow() -> None:
    upper, lower = np.full((100, 4, 3), 200, np.uint8), np.full((100, 4, 3), 10, np.uint8)
    image = blend_at_waist(upper, lower, 0.5)
    assert (image[:48] == 200).all() and (image[52:] == 10).all()
    assert image[48:52, 0, 0].tolist() == [176, 129, 81, 34], "a straight line between them"


def test_a_store_makes_them_when_asked(tmp_path: Path) -> None:
    data = as_files(tmp_path)
    made = plan_composites(np.asarray(data.labels), data.cameras, CompositeSettings(), seed=0)  # type: ignore[arg-type]
    for cache in (True, False):
        store = ImageStore(data.images, (32, 16), cache, made)
        done: list[int] = []
        store.load(done.append)
        assert (len(store), store.files) == (16 + len(made), 16) and len(done) == (16 if cache else 0)
        image, above, below = store[16], store[int(made.upper[0])], store[int(made.lower[0])]
        assert np.array_equal(image[:12], above[:12]) and np.array_equal(image[19:], below[19:])
        assert store.name(16) == f"{made.upper[0]:02d}.png above {made.lower[0]:02d}.png"


def test_a_run_learns_them_too_and_resumes_exactly(tmp_path: Path) -> None:
    settings = recipe(composites={"images_per_camera": 2}, epochs=2)
    assert num_training_classes(made_up(), settings) == 8 and num_training_classes(made_up(), recipe()) == 4
    whole = run(settings, tmp_path / "whole")
    # 16 images and 4 × 2 × 2 composites in batches of 8
    assert run(settings, tmp_path / "parts", stop=stopper(5)).epochs == 1
    resumed = run(settings, tmp_path / "parts", resume=True, workers=1)
    assert same(whole.network.state_dict(), resumed.network.state_dict())
    assert last(tmp_path / "whole")["model"]["classifier.weight"].shape[0] == 8


def test_what_cannot_have_composites_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="composites need identities and cameras"):
        run(recipe(composites={}), tmp_path / "run", data=replace(made_up(), cameras=None))
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValidationError, match="waist"):
        CompositeSettings(waist=(0.6, 0.4))
    with pytest.raises(ValidationError, match="composites"):
        recipe(composites={}, task="search", search={})


def test_other_colours_are_an_identitys_own() -> None:
    made = plan_composites(LABELS, CAMERAS, CompositeSettings(per_identity=4, recolour=0.5), seed=0)
    per_identity = [np.unique(made.colours[made.labels == label], axis=0) for label in np.unique(made.labels)]
    assert all(len(colours) == 1 for colours in per_identity), "the same in all its images"
    halves = np.concatenate(per_identity).reshape(-1, 2)
    plain = (halves == (0, 1)).all(axis=1)
    assert 0.25 < plain.mean() < 0.75 and len(np.unique(halves[~plain], axis=0)) == (~plain).sum()
    assert (halves[:, 1] > 0.57).all() and (halves[:, 1] < 1.75).all()
    plain_ones = plan_composites(LABELS, CAMERAS, CompositeSettings(), seed=0).colours
    assert (plain_ones == (0, 1)).all(), "none unless asked for"


def test_hue_is_turned_and_brightness_bent() -> None:
    red = np.full((2, 2, 3), (0, 0, 200), np.uint8)
    assert np.array_equal(recoloured(red, 0, 1), red)
    assert recoloured(red, 1 / 3, 1)[0, 0].tolist() == [0, 200, 0]
    assert recoloured(red, 0, 2)[0, 0].tolist() == [0, 0, 157], "255 · (200 / 255)²"
    grey = np.full((2, 2, 3), 100, np.uint8)
    assert np.array_equal(recoloured(grey, 0.4, 1), grey), "what has no hue keeps its colour"
