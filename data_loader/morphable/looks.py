"""Colours and what a person wears: skin, eyes, brows, hair, beard, glasses. All ranges and odds are ours."""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable.hair import LENGTHS, PAINTED

GREY_FROM = 42  # years
WITH_GLASSES = 0.33  # share of the portraits' people
# Odds of the hair styles of women and men; a man who goes bald and tight curls are drawn apart.
WOMEN = {"long": 0.27, "bob": 0.17, "long_fringe": 0.1, "bob_fringe": 0.1, "tied": 0.11, "bun": 0.07, "fringe": 0.04,
         "curly": 0.06, "side_part": 0.05, "short": 0.03}
MEN = {"short": 0.28, "side_part": 0.24, "cropped": 0.14, "quiff": 0.12, "fringe": 0.09, "curly": 0.06, "bob": 0.03,
       "long": 0.03, "tied": 0.01}
FRAME_ODDS = {"round": 0.15, "oval": 0.14, "rectangular": 0.2, "square": 0.14, "wayfarer": 0.16, "cat_eye": 0.09,
              "aviator": 0.06, "half_rim": 0.06}
FRAME_COLOURS = {"black": 0.34, "brown": 0.13, "tortoise": 0.14, "silver": 0.14, "gold": 0.1, "blue": 0.06, "red": 0.05,
                 "clear": 0.04}
WIRE = ("silver", "gold", "black")


@dataclass(frozen=True)
class Look:
    """Colours of one person and what they wear.

    Names are of texture.HAIR, IRIS and BEARDS, hair.STYLES, glasses.FRAMES and COLOURS; the rest are amounts as
    texture, hair, beard and glasses use them.
    """

    tone: float
    tint: tuple
    mottle: float
    pattern: int
    flush: float
    under_eye: float
    lid: float
    lips: tuple
    hair: str
    hair_opacity: float
    hairline: float
    brow: float
    brow_lift: float
    brow_opacity: float
    iris: str
    brow_arch: float = 0.0
    brow_slant: float = 0.0
    brow_length: float = 1.0
    receding: float = 0.0
    peak: float = 0.0
    beard: str = "none"
    beard_opacity: float = 0.0
    beard_length: float = 0.0
    freckles: float = 0.0
    moles: int = 0
    lines: float = 0.0
    socket: float = 0.0
    lashes: float = 1.0
    sclera: float = 1.0
    iris_size: float = 1.0
    shadow: float = 0.0
    shade: float = 1.0
    grey: float = 0.0
    hair_style: str = "cropped"
    hair_volume: float = 1.0
    hair_length: float = 6.0
    hair_front: float = 0.0
    part_side: float = 0.0
    fringe: float = 7.6
    curl: float = 0.0
    flare: float = 0.0
    sideburn: float = 0.0
    glasses: str = "none"
    frame_colour: str = "black"
    frame_size: float = 1.0
    frame_weight: float = 1.0
    frame_drop: float = 0.0


def look(random, male, age, mix):
    """The Look of somebody: `male` 0 to 1, `age` in years, `mix` [3] as in sampling.Identity."""
    tone = np.clip(mix @ (0.80, 0.34, 0.20) + random.normal(0, 0.2), 0.06, 1)
    fair = max(0.0, mix[2] - 0.35)
    old = max(0.0, (age - 35) / 60)
    hair = choose(random, {"black": 0.2 + mix[0] + mix[1], "dark": 0.5, "brown": 0.15 + fair, "fair": fair,
                           "blond": 0.9 * fair + 0.03, "red": 0.35 * fair})
    iris = choose(random, {"dark": 0.3 + mix[0] + mix[1], "brown": 0.6, "hazel": 0.7 * fair, "green": 0.5 * fair,
                           "blue": 1.2 * fair, "grey": 0.3 * fair})
    made_up = male < 0.5 and random.random() < 0.5
    lips = (0.95, 0.42, 0.45) if made_up else (0.86, 0.66, 0.66)
    return Look(
        tone=float(tone), tint=tuple(np.exp(random.normal(0, (0.07, 0.03, 0.07))).tolist()),
        mottle=float(random.uniform(0.02, 0.08 + 0.2 * old)), pattern=int(random.integers(2 ** 31)),
        flush=float(random.uniform(0.05, 0.75)), under_eye=float(random.uniform(0, 0.4) + 0.4 * old),
        lid=float(random.uniform(0.1, 0.4) + random.uniform(0.2, 0.5) * made_up),
        lips=tuple((np.array(lips) * random.uniform(0.75, 1.12)).tolist()), hair=hair,
        hair_opacity=float(random.uniform(0.85, 0.97)), hairline=float(random.normal(7.91, 0.08)),
        brow=float(random.uniform(0.018, 0.055) + 0.016 * male), brow_lift=float(random.normal(0, 0.022)),
        brow_opacity=float(random.uniform(0.35, 0.97)), iris=iris, **_details(random, male, age, fair),
        **_hair(random, male, age, mix), **_glasses(random, age))


def _details(random, male, age, fair):
    """Brows, beard, marks and lines."""
    beard = "none"
    if male > 0.5:
        beard = choose(random, {"none": 0.46, "stubble": 0.18, "moustache": 0.08, "goatee": 0.11, "full": 0.17})
    thick = random.uniform(0.55, 0.92)
    return {
        "brow_arch": float(random.normal(0, 0.032)), "brow_slant": float(random.normal(0, 0.05)),
        "brow_length": float(random.uniform(0.82, 1.12)), "beard": beard,
        "beard_opacity": float(0.4 * thick if beard == "stubble" else thick),
        "beard_length": float(np.clip(random.normal(0.55, 0.4), 0, 1.1)),
        "freckles": float(random.uniform(0.3, 1) * (random.random() < 0.05 + 0.35 * fair)),
        "moles": int(random.poisson(1.1)), "lines": float(np.clip((age - 22) / 30, 0.05, 1) * random.uniform(0.2, 1.1)),
        "socket": float(random.uniform(0, 0.45) + 0.35 * random.random() * (male < 0.5)),
        "lashes": float(random.uniform(0.1, 0.8) if male > 0.5 else random.uniform(0.4, 1)),
        "sclera": float(random.uniform(0.65, 1.05)), "iris_size": float(random.uniform(0.88, 1.15)),
        "shadow": float(random.uniform(0, 0.4) * (male > 0.5)),
    }


def _hair(random, male, age, mix):
    """Style, size and grey of the hair."""
    man = male > 0.5
    style = choose(random, MEN if man else WOMEN)
    bald = man and random.random() < 0.10 + 0.35 * np.clip((age - 30) / 40, 0, 1)
    if random.random() < 0.55 * mix[0]:
        style = choose(random, {"afro": 0.35 if man else 0.55, "cropped": 0.35 if man else 0.1, "curly": 0.3})
    if bald:
        style = choose(random, {"bald": 0.4, "horseshoe": 0.6})
    curl = {"curly": random.uniform(0.7, 1.1), "afro": random.uniform(0.6, 1.0)}.get(
        style, random.uniform(0, 0.35) + 0.5 * (random.random() < 0.15))
    low, high = LENGTHS.get(style, (6.0, 6.0))
    grey = np.clip((age - GREY_FROM) / 30 + random.normal(0, 0.3), 0, 1) if age > GREY_FROM - 8 else 0.0
    if not man and random.random() < 0.5:  # dyed
        grey *= 0.1
    return {
        "hair_style": style, "hair_volume": float(np.exp(random.normal(0, 0.25))),
        "hair_length": float(random.uniform(low, high)), "hair_front": float(random.uniform(-10, 12)),
        "part_side": float(random.choice((-1, 1)) * random.uniform(0.1, 1)),
        "fringe": float(random.uniform(7.50, 7.78)), "curl": float(curl), "flare": float(random.uniform(-0.05, 0.22)),
        "sideburn": float(random.uniform(-0.1, 0.25)), "shade": float(np.exp(random.normal(0, 0.25))),
        "grey": float(grey), "peak": float(random.uniform(0, 0.12) * (random.random() < 0.3)),
        "receding": float(male * random.uniform(0, 0.3) * np.clip((age - 20) / 30, 0.1, 1)) if style in
                    ("short", "side_part", "quiff", "horseshoe", *PAINTED) else 0.0,
    }


def _glasses(random, age):
    worn = random.random() < WITH_GLASSES * (0.75 + 0.5 * np.clip((age - 25) / 40, 0, 1))
    frame = choose(random, FRAME_ODDS)
    colour = choose(random, FRAME_COLOURS)
    if frame == "aviator" and colour not in WIRE:
        colour = "gold"
    return {"glasses": frame if worn else "none", "frame_colour": colour,
            "frame_size": float(random.uniform(0.88, 1.14)), "frame_weight": float(np.exp(random.normal(0, 0.3))),
            "frame_drop": float(random.normal(0, 0.02))}


def choose(random, odds):
    """One of the keys of {name: odds, in any unit}."""
    odds_of = np.array(list(odds.values()))
    return str(random.choice(list(odds), p=odds_of / odds_of.sum()))
