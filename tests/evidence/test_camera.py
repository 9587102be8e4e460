"""Camera words and cuts on drawn clips whose camera is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.camera import measure, right
from benchmarks.synthetic import (
    Camera,
    Clip,
    ball,
    bars,
    becomes,
    block,
    draw_canvas,
    fade,
    flash,
    flicker,
    view,
    watermark,
)
from sgv_demo.evidence.measure import GapMeter
from sgv_demo.types import Evidence, Frame, Keyframe

CAMERAS = {
    "static": Camera(),
    "pan left": Camera(pan=-0.06),
    "pan right": Camera(pan=0.1),
    "tilt up": Camera(tilt=-0.1),
    "tilt down": Camera(tilt=0.07),
    "zoom in": Camera(zoom=1.08),
    "zoom out": Camera(zoom=0.93),
    "roll": Camera(roll=5),
    "shake": Camera(shake=0.012),
}
OTHER = view(draw_canvas("clouds", 99, (480, 270)), (480, 270), Camera(), 0)


def evidence(clip: Clip) -> Evidence:
    return measure(clip)[0]


@pytest.mark.parametrize("word", CAMERAS)
@pytest.mark.parametrize("texture", ["shapes", "clouds", "soft"])
def test_words(word: str, texture: str) -> None:
    found = evidence(Clip(CAMERAS[word], texture, seed=7))
    assert found.camera == (word,)
    assert found.cuts == ()


@pytest.mark.parametrize(
    ("camera", "amount", "unit"),
    [
        (Camera(pan=0.1), 0.2, "frame widths"),
        (Camera(tilt=-0.1), 0.2, "frame heights"),
        (Camera(zoom=1.1), 1.21, "times"),
        (Camera(roll=5), -10, "degrees"),
    ],
)
def test_amounts(camera: Camera, amount: float, unit: str) -> None:
    (move,) = evidence(Clip(camera, seed=3)).moves
    assert move.amount == pytest.approx(amount, rel=0.08)
    assert move.unit == unit
    assert (move.start, move.end) == (0.0, 2.0)


@pytest.mark.parametrize("overlay", [ball(0.3), block(0.1), watermark, bars], ids=["ball", "block", "logo", "bars"])
@pytest.mark.parametrize("word", ["static", "pan left", "zoom in"])
def test_things_in_the_picture_do_not_fool_it(overlay, word: str) -> None:
    assert evidence(Clip(CAMERAS[word], seed=5, overlays=(overlay,))).camera == (word,)


@pytest.mark.parametrize("overlay", [flicker, fade(1.0), flash(1.0)], ids=["flicker", "fade", "flash"])
def test_light_is_neither_motion_nor_cut(overlay) -> None:
    found = evidence(Clip(seed=5, overlays=(overlay,)))
    assert found.camera == ("static",)
    assert found.cuts == ()


def test_a_dissolve_is_neither_motion_nor_cut() -> None:
    found = evidence(Clip(seed=5, overlays=(becomes(OTHER, 0.3, 1.5),)))
    assert set(found.camera) <= {"static", "unknown"}
    assert found.cuts == ()


@pytest.mark.parametrize("at", [0.25, 1.0, 2.0])
@pytest.mark.parametrize("word", ["static", "pan right", "zoom in"])
def test_cut(at: float, word: str) -> None:
    found = evidence(Clip(CAMERAS[word], seed=5, overlays=(becomes(OTHER, at, 0),)))
    assert right(found, f"cut at {at}")
    assert all(move.end < at or move.start >= at for move in found.moves)
    assert found.moving == ()


def test_a_cut_at_a_keyframe_belongs_to_the_gap_before() -> None:
    frames = list(Clip(seed=5, seconds=4.0, overlays=(becomes(OTHER, 2.0, 0),)).frames())
    meter = GapMeter()
    keys = [Keyframe(i, frames[8 * i], None, frames[8 * i].time) for i in range(3)]
    for frame in frames[:9]:
        meter.feed(frame)
    first = meter.gap(keys[0], keys[1])
    for frame in frames[9:]:
        meter.feed(frame)
    second = meter.gap(keys[1], keys[2])
    assert (first.cuts, second.cuts) == ((2.0,), ())
    assert second.camera == ("static",)


def test_black_to_picture_at_once_is_a_cut() -> None:
    def black_first(picture: np.ndarray, t: float) -> np.ndarray:
        return picture if t >= 0.5 else np.zeros_like(picture)

    assert evidence(Clip(seed=5, overlays=(black_first,))).cuts == (0.5,)


def test_a_short_insert_has_two_cuts() -> None:
    def insert(picture: np.ndarray, t: float) -> np.ndarray:
        return OTHER if 0.75 <= t < 1.5 else picture

    assert evidence(Clip(seed=5, overlays=(insert,))).cuts == (0.75, 1.5)


@pytest.mark.parametrize("kind", ["noise", "black", "grey"])
def test_unknown_where_nothing_can_be_seen(kind: str) -> None:
    rng = np.random.default_rng(0)

    def cover(picture: np.ndarray, t: float) -> np.ndarray:
        if kind == "noise":
            return rng.integers(0, 256, picture.shape, dtype=np.uint8)
        return np.full_like(picture, 0 if kind == "black" else 127)

    found = evidence(Clip(overlays=(cover,)))
    assert found.camera == ("unknown",)
    assert found.cuts == ()


@pytest.mark.parametrize(("noise", "quality"), [(8.0, None), (0.0, 25)])
@pytest.mark.parametrize("word", ["static", "pan right", "roll"])
def test_noise_and_squeezing(noise: float, quality: int | None, word: str) -> None:
    assert evidence(Clip(CAMERAS[word], "clouds", seed=2, noise=noise, jpeg=quality)).camera == (word,)


@pytest.mark.parametrize("size", [(1280, 720), (180, 320), (900, 120)])
def test_sizes(size: tuple[int, int]) -> None:
    assert evidence(Clip(CAMERAS["pan left"], seed=4, size=size)).camera == ("pan left",)


@pytest.mark.parametrize("rate", [2.0, 8.0])
def test_rates(rate: float) -> None:
    assert evidence(Clip(CAMERAS["zoom in"], seed=4, rate=rate)).camera == ("zoom in",)
    assert evidence(Clip(seed=4, rate=rate)).camera == ("static",)


def test_a_fast_pan_is_found_from_further_away() -> None:
    assert evidence(Clip(Camera(pan=0.7), seed=4, size=(320, 180))).camera == ("pan right",)


def test_words_come_in_order_when_the_camera_changes() -> None:
    canvas = draw_canvas("shapes", 8, (480, 270))
    frames = []
    for i in range(25):
        t = i / 4
        pan = 0.08 * min(t, 2) - 0.08 * max(t - 4, 0)
        frames.append(Frame(t, view(canvas, (480, 270), Camera(pan=pan), 1.0)))
    meter = GapMeter()
    for frame in frames:
        meter.feed(frame)
    found = meter.gap(*(Keyframe(i, f, None, f.time) for i, f in enumerate((frames[0], frames[-1]))))
    assert found.camera == ("pan right", "static", "pan left")
    assert [move.end for move in found.moves] == pytest.approx([2, 4, 6], abs=0.3)


def test_only_the_gap_itself_counts() -> None:
    clip = Clip(CAMERAS["pan left"], seed=6)
    moving, still = list(clip.frames()), list(replace(clip, camera=Camera()).frames(start=2.25))
    still = [Frame(f.time, moving[-1].image) for f in still]
    meter = GapMeter()
    for frame in moving + still:
        meter.feed(frame)
    keys = [Keyframe(i, f, None, f.time) for i, f in enumerate((moving[0], moving[-1], still[-1]))]
    assert meter.gap(keys[0], keys[1]).camera == ("pan left",)
    assert meter.gap(keys[1], keys[2]).camera == ("static",)
    assert len(meter._steps) <= 1


def test_keyframes_alone_are_enough() -> None:
    """Nothing was fed between: the two pictures themselves are compared."""
    frames = list(Clip(Camera(pan=0.04), seed=6, seconds=1.0).frames())
    found = GapMeter().gap(*(Keyframe(i, f, None, f.time) for i, f in enumerate((frames[0], frames[-1]))))
    assert found.camera == ("pan right",)


def test_the_size_may_change_in_the_middle() -> None:
    frames = list(Clip(seed=6).frames())
    half = [Frame(f.time, np.ascontiguousarray(f.image[::2, ::2][:, :200])) for f in frames[4:]]
    meter = GapMeter()
    for frame in frames[:4] + half:
        meter.feed(frame)
    assert meter.gap(Keyframe(0, frames[0], None, 0.0), Keyframe(1, half[-1], None, 2.0)).end == 2.0


def test_a_thing_before_flat_surroundings_says_nothing_about_the_camera() -> None:
    texture = view(draw_canvas("shapes", 3, (200, 120)), (200, 120), Camera(), 0)

    def alone(picture: np.ndarray, t: float) -> np.ndarray:
        out = np.full_like(picture, 30)
        left = int(60 + 40 * t)
        out[70:190, left : left + 200] = texture
        return out

    found = evidence(Clip(overlays=(alone,)))
    assert found.camera == ("unknown",)
    assert [thing.direction for thing in found.moving] == ["right"]


def test_the_same_thing_at_rest_is_static() -> None:
    texture = view(draw_canvas("shapes", 3, (200, 120)), (200, 120), Camera(), 0)

    def alone(picture: np.ndarray, t: float) -> np.ndarray:
        out = np.full_like(picture, 30)
        out[70:190, 100:300] = texture
        return out

    assert evidence(Clip(overlays=(alone,))).camera == ("static",)
