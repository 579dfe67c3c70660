"""What people look like: build, skin, hair and clothes, drawn with the frequencies of a street, not of a paint box."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Appearance", "Wardrobe"]

Colour = tuple[float, float, float]

# Blue, green, red of a garment in plain light, and how often it is worn.
_TOPS: tuple[tuple[Colour, float], ...] = (
    ((34, 31, 30), 0.30),
    ((206, 208, 208), 0.10),
    ((124, 120, 118), 0.10),
    ((72, 68, 66), 0.11),
    ((74, 44, 34), 0.18),
    ((150, 98, 60), 0.05),
    ((196, 160, 128), 0.02),
    ((46, 40, 140), 0.03),
    ((48, 36, 84), 0.02),
    ((62, 82, 62), 0.04),
    ((130, 164, 186), 0.03),
    ((48, 72, 100), 0.02),
)
_LEGS: tuple[tuple[Colour, float], ...] = (
    ((88, 58, 40), 0.32),
    ((36, 33, 32), 0.29),
    ((150, 116, 88), 0.09),
    ((84, 80, 78), 0.10),
    ((104, 142, 166), 0.10),
    ((52, 68, 84), 0.05),
    ((58, 76, 64), 0.03),
    ((196, 200, 202), 0.02),
)
_SHOES: tuple[tuple[Colour, float], ...] = (
    ((30, 28, 28), 0.45),
    ((205, 207, 208), 0.27),
    ((36, 52, 76), 0.14),
    ((90, 88, 86), 0.09),
    ((60, 44, 110), 0.05),
)
_SKINS: tuple[Colour, ...] = (
    (148, 178, 222),
    (132, 164, 212),
    (112, 146, 198),
    (82, 114, 164),
    (54, 78, 120),
    (42, 58, 92),
)
_HAIRS: tuple[Colour, ...] = (
    (24, 22, 22),
    (30, 36, 48),
    (38, 54, 80),
    (62, 92, 124),
    (104, 148, 180),
    (44, 62, 116),
    (150, 148, 146),
)


@dataclass(frozen=True)
class Appearance:
    """Everything that a person's body and clothes are made from. Colours are BGR; lengths metres; shares 0 to 1.

    ``top_kind``: t-shirt, long-sleeve, hoodie, shirt, jacket (open), coat; ``top_pattern``: plain, stripes, check,
    logo, two-tone; ``legs_kind``: trousers, jeans, shorts, skirt; ``hair_kind``: bald, buzz, short, bob, long,
    ponytail, bun, cap; ``bag``: none, backpack, shoulder, tote.
    """

    seed: int
    height: float
    breadth: float
    softness: float
    femininity: float
    skin: Colour
    hair: Colour
    hair_kind: str
    beard: bool
    top: Colour
    top_kind: str
    top_pattern: str
    accent: Colour
    legs: Colour
    legs_kind: str
    shoes: Colour
    bag: str
    bag_colour: Colour
    stride: float
    arm_swing: float
    preferred_speed: float
    posture: float


# What people of one office or one course often wear alike: top, its kind, trousers, their kind.
_ALIKE: tuple[tuple[Colour, str, Colour, str], ...] = (
    ((34, 31, 30), "long-sleeve", (88, 58, 40), "jeans"),
    ((34, 31, 30), "hoodie", (36, 33, 32), "trousers"),
    ((74, 44, 34), "shirt", (36, 33, 32), "trousers"),
    ((72, 68, 66), "hoodie", (88, 58, 40), "jeans"),
    ((34, 31, 30), "t-shirt", (36, 33, 32), "jeans"),
    ((206, 208, 208), "shirt", (40, 36, 34), "trousers"),
)
_ALIKE_SHARE = 0.5
# How many people come back in other clothes, and in how many of these cases what they wear over or under changes.
_CHANGING_SHARE, _LAYER_SHARE = 0.35, 0.7


class Wardrobe:
    """Draws people; the same seed gives the same people, and another seed gives other people."""

    def __init__(self, seed: int) -> None:
        self._seed = int(seed)

    def person(self, identity: int) -> Appearance:
        """Return the appearance of person number ``identity`` (0 or more)."""
        generator = np.random.default_rng([self._seed, 7301, identity])
        uniform, chance = generator.uniform, generator.random
        femininity = float(np.clip(generator.normal(0.75 if chance() < 0.48 else 0.2, 0.13), 0, 1))
        height = float(np.clip(generator.normal(1.785 - 0.135 * femininity, 0.062), 1.52, 1.98))
        top_kind = _pick(
            generator,
            {"t-shirt": 0.27, "long-sleeve": 0.24, "hoodie": 0.15, "shirt": 0.14, "jacket": 0.14, "coat": 0.06},
        )
        legs_kind = _pick(
            generator,
            {"jeans": 0.47, "trousers": 0.35, "shorts": 0.10, "skirt": 0.16 * (femininity > 0.6)},
        )
        patterns = {"plain": 0.70, "stripes": 0.08, "check": 0.05, "logo": 0.12, "two-tone": 0.05}
        if top_kind in ("jacket", "coat"):
            patterns = {"plain": 0.85, "check": 0.05, "two-tone": 0.10}
        top = _garment(generator, _TOPS)
        accent = _garment(generator, _TOPS)
        if np.abs(np.subtract(accent, top)).mean() < 45:
            accent = (214.0, 216.0, 216.0) if np.mean(top) < 120 else (54.0, 44.0, 40.0)
        hair_kinds = {"short": 0.50, "buzz": 0.20, "bald": 0.08, "cap": 0.04, "long": 0.05, "bun": 0.03, "bob": 0.04}
        if femininity > 0.5:
            hair_kinds = {"long": 0.38, "ponytail": 0.22, "bob": 0.19, "bun": 0.09, "short": 0.10, "cap": 0.02}
        skin = _SKINS[int(generator.choice(len(_SKINS), p=(0.24, 0.24, 0.18, 0.14, 0.11, 0.09)))]
        dark = skin[2] < 170
        odds = (0.75, 0.2, 0.03, 0.0, 0.0, 0.0, 0.02) if dark else (0.24, 0.24, 0.2, 0.12, 0.08, 0.04, 0.08)
        hair = _HAIRS[int(generator.choice(len(_HAIRS), p=odds))]
        legs_table = _LEGS
        if legs_kind == "jeans":
            legs_table = ((_LEGS[0][0], 0.62), (_LEGS[1][0], 0.18), (_LEGS[2][0], 0.20))
        legs, pattern = _garment(generator, legs_table), _pick(generator, patterns)
        if chance() < _ALIKE_SHARE:
            top, top_kind, legs, legs_kind = _ALIKE[int(generator.integers(len(_ALIKE)))]
            top, legs = _shift(generator, top, 0.04), _shift(generator, legs, 0.04)
            pattern = "logo" if top_kind != "shirt" and chance() < 0.2 else "plain"
        return Appearance(
            seed=int(generator.integers(2**31)),
            height=height,
            breadth=float(np.clip(generator.normal(1.0, 0.075), 0.86, 1.2)),
            softness=float(np.clip(generator.gamma(1.6, 0.18), 0, 1)),
            femininity=femininity,
            skin=_shift(generator, skin, 0.05),
            hair=_shift(generator, hair, 0.08),
            hair_kind=_pick(generator, hair_kinds),
            beard=bool(femininity < 0.42 and chance() < 0.35),
            top=top,
            top_kind=top_kind,
            top_pattern=pattern,
            accent=accent,
            legs=legs,
            legs_kind=legs_kind,
            shoes=_garment(generator, _SHOES),
            bag=_pick(generator, {"none": 0.76, "backpack": 0.13, "shoulder": 0.08, "tote": 0.03}),
            bag_colour=_garment(generator, ((_TOPS[0][0], 0.7), (_TOPS[4][0], 0.2), (_TOPS[11][0], 0.1))),
            stride=float(uniform(0.92, 1.10)),
            arm_swing=float(uniform(0.65, 1.25)),
            preferred_speed=float(np.clip(generator.normal(1.05, 0.14), 0.75, 1.4)),
            posture=float(generator.normal(0.0, 0.03)),
        )

    def outfits(self, identity: int) -> tuple[Appearance, ...]:
        """Return what person number ``identity`` may wear, one to three appearances, the first as :meth:`person` says.

        A jacket, coat or hoodie is taken off or put on, a bag is left behind or brought along; the body, the face, the
        hair, the legs and the shoes are the same.
        """
        first = self.person(identity)
        generator = np.random.default_rng([self._seed, 7302, identity])
        if generator.random() >= _CHANGING_SHARE:
            return (first,)
        # A cap has the colours of what is worn with it.
        layered = first.hair_kind != "cap" and generator.random() < _LAYER_SHARE
        second = _other_layer(generator, first) if layered else _other_bag(generator, first)
        if not layered or generator.random() >= 0.3:
            return first, second
        return first, second, _other_bag(generator, second)


def _other_layer(generator: np.random.Generator, look: Appearance) -> Appearance:
    """Return ``look`` without the jacket, coat or hoodie that was worn, or with one that was not."""
    if look.top_kind in ("jacket", "coat"):
        # What was seen between the open fronts is what is seen now.
        under = _pick(generator, {"t-shirt": 0.45, "long-sleeve": 0.25, "shirt": 0.30})
        return replace(look, top=look.accent, accent=look.top, top_kind=under, top_pattern="plain")
    other = _garment(generator, _TOPS)
    if np.abs(np.subtract(other, look.top)).mean() < 45:
        other = (206.0, 208.0, 208.0) if np.mean(look.top) < 120 else (54.0, 44.0, 40.0)
    if look.top_kind == "hoodie":
        under = _pick(generator, {"t-shirt": 0.6, "long-sleeve": 0.4})
        return replace(look, top=other, accent=look.top, top_kind=under, top_pattern="plain")
    over = _pick(generator, {"jacket": 0.8, "coat": 0.2})
    return replace(look, top=other, accent=look.top, top_kind=over, top_pattern="plain")


def _other_bag(generator: np.random.Generator, look: Appearance) -> Appearance:
    """Return ``look`` without the bag that was carried, or with one that was not."""
    brought = _pick(generator, {"backpack": 0.5, "shoulder": 0.3, "tote": 0.2})
    return replace(look, bag=brought if look.bag == "none" else "none")


def _pick(generator: np.random.Generator, odds: dict[str, float]) -> str:
    weights = np.array(list(odds.values()))
    return list(odds)[int(generator.choice(len(weights), p=weights / weights.sum()))]


def _garment(generator: np.random.Generator, table: tuple[tuple[Colour, float], ...]) -> Colour:
    weights = np.array([weight for _, weight in table])
    colour = table[int(generator.choice(len(table), p=weights / weights.sum()))][0]
    return _shift(generator, colour, 0.06)


def _shift(generator: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """Vary brightness and, less, hue: no two shops sell the same navy."""
    factor = np.exp(generator.normal(0, amount)) * np.exp(generator.normal(0, amount * 0.4, 3))
    blue, green, red = np.clip(np.asarray(colour) * factor, 8, 226)
    return float(blue), float(green), float(red)
