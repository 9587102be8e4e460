"""Jointed bodies of tapered tubes, lit from a window on the left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[float, float, float]
Pose = dict[str, tuple[float, float]]
"""Each bone's direction in degrees: clockwise from up as seen, and towards the viewer."""

LENGTHS = {
    "spine": 0.24, "chest": 0.24, "neck": 0.09, "upper": 0.28, "fore": 0.25, "hand": 0.1, "thigh": 0.43, "shin": 0.42,
    "foot": 0.15,
}  # fmt: skip
_KEY, _FILL = np.array((-0.72, -0.42, 0.55)), np.array((0.75, 0.1, 0.65))


@dataclass(frozen=True)
class Person:
    """What somebody looks like."""

    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    bun: bool
    broad: float = 1.0
    """Times as wide in the shoulders."""
    sleeves: bool = False


@dataclass(frozen=True)
class Tube:
    """From one point (x, y down, z towards the viewer; metres) to another with a radius at each end."""

    a: np.ndarray
    b: np.ndarray
    radii: tuple[float, float]
    colour: Colour
    cloth: float = 0.0
    """Strength of its folds."""


def pose(**changes: tuple[float, float] | float) -> Pose:
    """Standing straight, but for what is named: an angle as seen, or that and one towards the viewer."""
    base: Pose = {"spine": (0, 0), "chest": (0, 0), "neck": (0, 4), "yaw": (0, 0), "shift": (0, 0)}
    for side, sign in (("l", 1), ("r", -1)):
        base |= {
            f"upper_{side}": (180 + 14 * sign, 0), f"fore_{side}": (180 + 8 * sign, 12),
            f"hand_{side}": (180 + 4 * sign, 12), f"thigh_{side}": (180 + 2 * sign, 0),
            f"shin_{side}": (180 + 1 * sign, 0), f"foot_{side}": (180 + 25 * sign, 62),
        }  # fmt: skip
    return base | {name: value if isinstance(value, tuple) else (value, 0) for name, value in changes.items()}


def between(one: Pose, other: Pose, share: float) -> Pose:
    """A pose on the way from one to another; angles turn evenly, so limbs swing in arcs."""
    return {k: tuple(a + (b - a) * share for a, b in zip(one[k], other[k], strict=True)) for k in one}


def _way(direction: tuple[float, float]) -> np.ndarray:
    seen, near = np.radians(direction)
    return np.array((np.sin(seen) * np.cos(near), -np.cos(seen) * np.cos(near), np.sin(near)))


def joints(of: Pose, person: Person) -> dict[str, np.ndarray]:
    """Where the joints are; the lowest ankle stands on the floor, which is y = 0."""
    at = {"pelvis": np.array((of["shift"][0] / 100, 0.0, 0.0))}
    at["waist"] = at["pelvis"] + LENGTHS["spine"] * _way(of["spine"])
    at["throat"] = at["waist"] + LENGTHS["chest"] * _way(of["chest"])
    at["head"] = at["throat"] + (LENGTHS["neck"] + 0.1) * _way(of["neck"])
    across = _way((of["chest"][0] + 90, 0))
    for side, sign in (("l", -1), ("r", 1)):
        shoulder = at["throat"] + sign * 0.165 * person.broad * across + np.array((0, 0.045, 0))
        # A raised arm lifts its shoulder.
        lift = max(0.0, -float(_way(of[f"upper_{side}"])[1]))
        at[f"shoulder_{side}"] = shoulder - np.array((sign * 0.025, 0.06, 0)) * lift
        at[f"hip_{side}"] = at["pelvis"] + np.array((sign * 0.085, 0.02, 0))
        for start, chain in (
            (f"shoulder_{side}", ("upper", "fore", "hand")),
            (f"hip_{side}", ("thigh", "shin", "foot")),
        ):
            point = at[start]
            for bone in chain:
                point = point + LENGTHS[bone] * _way(of[f"{bone}_{side}"])
                at[f"{bone}_{side}"] = point
    low = max(at["shin_l"][1], at["shin_r"][1]) + 0.06
    return {name: point - np.array((0, low, 0)) for name, point in at.items()}


def tubes(of: Pose, person: Person) -> Iterator[Tube]:
    """The body's parts: limbs, clothes, head and hair."""
    at, wide = joints(of, person), person.broad
    waistband = at["pelvis"] * 0.45 + at["waist"] * 0.55
    yield Tube(at["hip_l"], at["hip_r"], (0.098, 0.098), person.legs, 0.5)
    yield Tube(at["pelvis"], waistband, (0.108, 0.103 * wide), person.legs, 0.3)
    yield Tube(waistband, at["waist"], (0.109 * wide, 0.106 * wide), person.top, 1)
    middle = (at["waist"] + at["throat"]) / 2 + np.array((0, 0.01, 0))
    for side, sign in (("l", -1), ("r", 1)):
        rib = middle + np.array((sign * 0.055 * wide, 0, 0.0))
        yield Tube(at["waist"] + np.array((sign * 0.02, 0, 0)), rib, (0.096 * wide, 0.1), person.top, 1)
        yield Tube(rib, at[f"shoulder_{side}"] + np.array((-sign * 0.035, 0.03, 0)), (0.1, 0.06), person.top, 0.6)
        strap = at["throat"] * 0.62 + at[f"shoulder_{side}"] * 0.38
        yield Tube(at["throat"] + np.array((0, -0.015, 0)), at[f"shoulder_{side}"], (0.04, 0.052), person.skin)
        yield Tube(
            rib + np.array((0, -0.02, 0.03)), strap + np.array((0, -0.005, 0.03)), (0.075, 0.03), person.top, 0.4
        )
        yield Tube(at[f"shoulder_{side}"], at[f"upper_{side}"], (0.052 * wide, 0.039 * wide), person.skin)
        if person.sleeves:
            cuff = at[f"shoulder_{side}"] * 0.5 + at[f"upper_{side}"] * 0.5
            yield Tube(strap, at[f"shoulder_{side}"], (0.052, 0.062 * wide), person.top, 0.4)
            yield Tube(at[f"shoulder_{side}"], cuff, (0.062 * wide, 0.057 * wide), person.top, 0.8)
        yield Tube(at[f"upper_{side}"], at[f"fore_{side}"], (0.041 * wide, 0.026), person.skin)
        palm = at[f"fore_{side}"] * 0.45 + at[f"hand_{side}"] * 0.55
        yield Tube(at[f"fore_{side}"], palm, (0.027, 0.033), person.skin)
        yield Tube(palm, at[f"hand_{side}"], (0.032, 0.015), person.skin)
        calf = at[f"thigh_{side}"] * 0.68 + at[f"shin_{side}"] * 0.32
        yield Tube(at[f"hip_{side}"], at[f"thigh_{side}"], (0.098, 0.061), person.legs, 0.7)
        yield Tube(at[f"thigh_{side}"], calf, (0.059, 0.057), person.legs, 0.5)
        yield Tube(calf, at[f"shin_{side}"], (0.057, 0.036), person.legs, 0.5)
        yield Tube(at[f"shin_{side}"], at[f"shin_{side}"] + np.array((0, 0.03, 0)), (0.034, 0.036), person.skin)
        toes = at[f"foot_{side}"] + np.array((0, 0.03, 0))
        toes[1] = min(toes[1], -0.028)
        yield Tube(at[f"shin_{side}"] + np.array((0, 0.025, 0)), toes, (0.036, 0.028), person.skin)
    yield Tube(at["throat"], at["head"], (0.047, 0.045), person.skin)
    yield from _head(at["head"], of["yaw"][0], person)


def turned(point: tuple[float, float, float], yaw: float) -> np.ndarray:
    """A point of the face, turned with the head."""
    x, y, z = point
    angle = np.radians(yaw)
    return np.array((x * np.cos(angle) + z * np.sin(angle), y, z * np.cos(angle) - x * np.sin(angle)))


def _head(centre: np.ndarray, yaw: float, person: Person) -> Iterator[Tube]:
    def at(*point: float) -> np.ndarray:
        return centre + turned(point, yaw)

    yield Tube(at(0, -0.035, 0), at(0, 0.05, 0.025), (0.093, 0.062), person.skin)
    yield Tube(at(0, 0.0, 0.09), at(0, 0.025, 0.1), (0.009, 0.014), person.skin)
    for sign in (-1, 1):
        yield Tube(at(sign * 0.094, -0.01, 0), at(sign * 0.09, 0.02, 0), (0.018, 0.012), person.skin)
        low = 0.005 if person.bun else -0.02
        yield Tube(
            at(sign * 0.015, -0.085, 0.045), at(sign * 0.082, low - 0.035, 0.02), (0.045, 0.028), person.hair, 0.6
        )
    yield Tube(at(0, -0.055, -0.03), at(0, 0.015, -0.045), (0.1, 0.085), person.hair, 0.6)
    if person.bun:
        yield Tube(at(0, -0.165, -0.03), at(0, -0.15, -0.03), (0.05, 0.045), person.hair, 0.6)


def _splat(tube: Tube, scale: float, foot: np.ndarray, depth: np.ndarray, paint: np.ndarray) -> None:
    """Lays a tube into the depth map and its colour into the paint, where it is nearest."""
    a, b = tube.a * scale, tube.b * scale
    a, b = a + np.append(foot, 0), b + np.append(foot, 0)
    ra, rb = (r * scale for r in tube.radii)
    low = np.floor(np.minimum(a[:2] - ra, b[:2] - rb)).astype(int) - 1
    high = np.ceil(np.maximum(a[:2] + ra, b[:2] + rb)).astype(int) + 2
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, (depth.shape[1], depth.shape[0]))
    if x0 >= x1 or y0 >= y1:
        return
    yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    along = b[:2] - a[:2]
    length = max(1e-3, float(along @ along))
    t = np.clip(((xx - a[0]) * along[0] + (yy - a[1]) * along[1]) / length, 0, 1)
    radius = ra + (rb - ra) * t
    off = (xx - a[0] - t * along[0]) ** 2 + (yy - a[1] - t * along[1]) ** 2
    inside = off < radius**2
    z = a[2] + (b[2] - a[2]) * t + np.sqrt(np.clip(radius**2 - off, 0, None))
    near = inside & (z > depth[y0:y1, x0:x1])
    side = ((xx - a[0]) * along[1] - (yy - a[1]) * along[0]) / (np.sqrt(length) * max(ra, rb))
    folds = 1 + 0.04 * tube.cloth * np.sin(t * 9 + side * 5 + 2 * np.sin(t * 17 - side * 3))
    depth[y0:y1, x0:x1][near] = z[near]
    paint[y0:y1, x0:x1][near] = (np.asarray(tube.colour, np.float32) * folds[..., None])[near]


def draw(canvas: np.ndarray, person: Person, of: Pose, foot: tuple[float, float], scale: float) -> None:
    """Somebody on a float canvas, and the shadow: `foot` is where the middle of the feet stands, metres are `scale`."""
    # Only what lies within reach is worked on.
    x0, y0 = (max(0, int(f - r * scale)) for f, r in zip(foot, (1.2, 2.4), strict=True))
    x1, y1 = int(foot[0] + 1.7 * scale), int(foot[1] + 0.4 * scale)
    canvas, foot = canvas[y0:y1, x0:x1], (foot[0] - x0, foot[1] - y0)
    far = -9e3
    depth = np.full(canvas.shape[:2], far, np.float32)
    paint = np.zeros_like(canvas)
    for tube in tubes(of, person):
        _splat(tube, scale, np.asarray(foot), depth, paint)
    mask = (depth > far).astype(np.float32)
    _shadow(canvas, mask, foot[1])
    solid = np.where(mask > 0, depth, -0.1 * scale)
    # Softened across the joints, so that parts flow into each other.
    soft = cv2.GaussianBlur(np.clip(solid, -0.4 * scale, None), (0, 0), 0.008 * scale + 0.5)
    down, right = np.gradient(soft)
    normal = np.stack((-right, -down, np.ones_like(soft)), 2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    key, fill = (np.clip(normal @ (way / np.linalg.norm(way)), 0, 1)[..., None] for way in (_KEY, _FILL))
    light = np.array((0.36, 0.36, 0.4)) + key * np.array((0.86, 0.8, 0.68)) + fill * np.array((0.12, 0.14, 0.2))
    edge = np.clip(cv2.GaussianBlur(mask, (0, 0), 0.7) * 1.6 - 0.5, 0, 1)[..., None]
    filled = cv2.dilate(paint, np.ones((3, 3))) * (mask[..., None] == 0) + paint
    canvas += (np.clip(filled * light, 0, 255).astype(np.float32) - canvas) * edge
    _face(canvas, joints(of, person)["head"], of["yaw"][0], person, foot, scale)


def _shadow(canvas: np.ndarray, mask: np.ndarray, foot: float) -> None:
    """The outline laid down on the floor, away from the window."""
    lie, lean = 0.16, 0.55
    matrix = np.array([[1, -lean, lean * foot], [0, -lie, foot * (1 + lie)]], np.float32)
    size = (mask.shape[1], mask.shape[0])
    laid = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, size), (0, 0), 5)
    canvas *= 1 - 0.42 * laid[..., None]


def _face(
    canvas: np.ndarray, head: np.ndarray, yaw: float, person: Person, foot: tuple[float, float], scale: float
) -> None:
    """Closed eyes, brows and a mouth, where they face the viewer."""
    thin = max(1, round(0.006 * scale))
    dark = tuple(c * 0.32 for c in person.skin)

    def place(x: float, y: float) -> tuple[int, int] | None:
        z = np.sqrt(max(0.0, 0.092**2 - x * x))
        point = turned((x, y, z), yaw)
        seen = (head + point)[:2] * scale + foot
        return (int(seen[0] * 16), int(seen[1] * 16)) if point[2] > 0.02 else None

    def stroke(points: list[tuple[float, float]], colour: Colour, width: int) -> None:
        seen = [place(*point) for point in points]
        if all(seen):
            cv2.polylines(canvas, [np.array(seen, np.int32)], False, colour, width, cv2.LINE_AA, 4)

    for sign in (-1, 1):
        stroke([(sign * x, y) for x, y in ((0.019, 0.0), (0.034, 0.007), (0.05, 0.0))], dark, thin)
        stroke([(sign * x, y) for x, y in ((0.016, -0.024), (0.036, -0.031), (0.056, -0.024))], person.hair, thin)
    stroke([(-0.021, 0.056), (-0.007, 0.059), (0.007, 0.059), (0.021, 0.056)], (172, 84, 78), thin + 1)
