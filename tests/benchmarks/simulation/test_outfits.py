"""Outfits: some people come back in other clothes, and stay themselves."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.outfit import ATLAS, REGIONS
from benchmarks.simulation.people import Person
from benchmarks.simulation.render import CameraRenderer
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import make_scene
from benchmarks.simulation.wardrobe import Appearance, Wardrobe

_CHANGEABLE = {"top", "top_kind", "top_pattern", "accent", "bag"}


def _worn(number: int, seed: int = 0) -> tuple[Appearance, ...]:
    return Wardrobe(seed).outfits(number)


def test_the_first_outfit_is_the_person_of_always() -> None:
    people = [Wardrobe(0).person(number) for number in range(6)]
    assert [(p.top_kind, p.legs_kind, p.bag, p.hair_kind) for p in people] == [
        ("hoodie", "jeans", "none", "short"),
        ("t-shirt", "jeans", "shoulder", "bun"),
        ("t-shirt", "jeans", "none", "short"),
        ("long-sleeve", "trousers", "none", "short"),
        ("shirt", "trousers", "backpack", "bun"),
        ("long-sleeve", "jeans", "none", "ponytail"),
    ]
    assert [round(p.height, 3) for p in people] == [1.761, 1.695, 1.611, 1.690, 1.683, 1.654]
    for number in range(40):
        assert _worn(number)[0] == Wardrobe(0).person(number)
        assert _worn(number) == _worn(number)


def test_about_a_third_has_more_than_one_outfit_and_only_clothes_differ() -> None:
    worn = [_worn(number, seed=5) for number in range(400)]
    assert {len(outfits) for outfits in worn} == {1, 2, 3}
    assert 0.30 < np.mean([len(outfits) > 1 for outfits in worn]) < 0.40
    changed = set()
    for outfits in worn:
        assert len(set(outfits)) == len(outfits)
        for other in outfits[1:]:
            different = {f.name for f in fields(other) if getattr(other, f.name) != getattr(outfits[0], f.name)}
            assert different <= _CHANGEABLE
            changed |= different & {"top_kind", "bag"}
    assert changed == {"top_kind", "bag"}


def test_under_a_jacket_is_what_its_open_front_showed() -> None:
    taken_off = 0
    for number in range(300):
        first, *others = _worn(number, seed=2)
        for other in others:
            if first.top_kind in ("jacket", "coat") and other.top_kind != first.top_kind:
                assert other.top == first.accent
                assert other.top_kind in ("t-shirt", "long-sleeve", "shirt")
                taken_off += 1
            elif other.top_kind != first.top_kind:
                assert np.abs(np.subtract(other.top, first.top)).mean() > 30
    assert taken_off > 3


def test_face_hair_legs_and_shoes_stay_the_same() -> None:
    number = next(n for n in range(99) if len(_worn(n)) > 1 and _worn(n)[0].top_kind != _worn(n)[1].top_kind)
    first, second = (outfit.atlases[0][0].reshape(ATLAS, ATLAS, 3) for outfit in Person(*_worn(number)).outfits[:2])
    for name, (x, y, width, height) in REGIONS.items():
        same = np.array_equal(first[y : y + height, x : x + width], second[y : y + height, x : x + width])
        if name in ("head", "hair", "left_leg", "right_leg", "shoe", "hand", "pelvis"):
            assert same, name
        elif name == "torso":
            assert not same


def test_clothes_change_only_while_their_wearer_is_away() -> None:
    scene = make_scene(seed=3, seconds=60, people=10, at_once=5)
    changes = np.diff(scene.outfit.astype(int), axis=0) != 0
    both = scene.present[1:] & scene.present[:-1]
    assert not (changes & both).any()
    changed = 0
    for number in range(scene.present.shape[1]):
        worn = scene.outfit[scene.present[:, number], number]
        assert not len(worn) or worn.max() < len(scene.outfits[number])
        assert not len(worn) or worn[0] == 0
        changed += len(set(worn.tolist())) > 1
    assert changed >= 1
    assert scene.looks == tuple(worn[0] for worn in scene.outfits)


def test_the_frame_shows_the_outfit_of_the_moment() -> None:
    number = next(n for n in range(99) if len(_worn(n)) > 1 and _worn(n)[1].top_kind == "t-shirt")
    camera = Camera("test", (0.15, 0.15, 2.4), (3.2, 2.7, 0.8), width=192, height=144)
    renderer = CameraRenderer(camera, Room(), {7: Person(*_worn(number)), 8: Person(_worn(number)[0])}, seed=3)
    images = []
    for outfit in (0, 1):
        image, sightings, owners = renderer.render(0, {7: Stance(2.4, 2.2, -2.3, outfit=outfit)})
        assert image is not None
        assert [(s.identity, s.outfit) for s in sightings] == [(7, outfit)]
        mine = (owners == 7)[::2, ::2]
        images.append(image[mine].astype(float).mean(axis=0))
    expected = np.subtract(_worn(number)[1].top, _worn(number)[0].top)
    assert (images[1] - images[0]) @ expected / np.linalg.norm(expected) > 4
    # Who is drawn from fewer clothes than the scene knows is said to wear what is drawn.
    assert renderer.render(0, {8: Stance(2.4, 2.2, outfit=1)})[1][0].outfit == 0


def test_nobody_sits_down_with_a_backpack() -> None:
    scene = make_scene(seed=3, seconds=60, people=10, at_once=5)
    sitting = np.argwhere(scene.present & (scene.seated == 1))
    bags = {scene.outfits[number][scene.outfit[frame, number]].bag for frame, number in sitting}
    assert ("none" in bags) and ("backpack" not in bags)
