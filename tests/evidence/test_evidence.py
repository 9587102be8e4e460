"""What gaps and looks tell beside the camera: light, colours, moving things, text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.camera import measure
from benchmarks.synthetic import Camera, Clip, ball, becomes, block, draw_canvas, flicker, view, watermark
from sgv_demo.evidence.flow import Motion, Region
from sgv_demo.evidence.look import is_blank, look, place
from sgv_demo.evidence.measure import GapMeter
from sgv_demo.evidence.moving import moving
from sgv_demo.evidence.reading import TextReader, believed, prepared_for_text
from sgv_demo.evidence.text import text_changes
from sgv_demo.types import Frame, Keyframe, Look, Picture


def flat(*colour: int, size: tuple[int, int] = (320, 180)) -> Picture:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def gap(before: Picture, after: Picture, **looks: Look):
    keys = [Keyframe(i, Frame(2.0 * i, p), None, 2.0 * i, looks.get(n)) for i, (n, p) in enumerate(zip(("a", "b"), (before, after), strict=True))]  # fmt: skip # noqa: E501
    return GapMeter().gap(*keys)


@pytest.mark.parametrize("camera", [Camera(), Camera(pan=-0.06), Camera(zoom=1.06)], ids=["static", "pan", "zoom"])
def test_a_ball_that_crosses(camera: Camera) -> None:
    clip = Clip(camera, "clouds", seed=9, overlays=(ball(0.3),))
    thing = measure(clip)[0].moving[0]
    assert thing.direction == "right"
    assert thing.place == "right"
    assert thing.area == pytest.approx(0.025, rel=0.8)


def test_speed_is_against_the_background() -> None:
    still = measure(Clip(Camera(), "clouds", seed=9, overlays=(ball(0.3),)))[0].moving[0]
    pan = measure(Clip(Camera(pan=0.1), "clouds", seed=9, overlays=(ball(0.3),)))[0].moving[0]
    assert still.speed == pytest.approx(0.3, rel=0.15)
    assert pan.speed == pytest.approx(0.4, rel=0.15)


def test_a_ball_that_rises() -> None:
    thing = measure(Clip(Camera(), "clouds", seed=9, overlays=(ball(0.0, up=0.2),)))[0].moving[0]
    assert (thing.place, thing.direction) == ("upper left", "up")


def test_a_large_thing_is_one_thing() -> None:
    things = measure(Clip(Camera(), "clouds", seed=9, overlays=(block(0.15),)))[0].moving
    assert [thing.direction for thing in things] == ["right"]


def test_what_is_lost_and_found_again_is_one_thing() -> None:
    """Something flutters in one place and rests in between."""
    sights = [Region(0.8, 0.1, area) for area in (0.02, 0.03, 0.03, 0.03)]
    shown = [(sights[number % 8],) if number % 8 < 4 else () for number in range(24)]
    steps = [Motion(number / 4, (number + 1) / 4, regions=regions) for number, regions in enumerate(shown)]
    assert [(m.place, m.direction, m.area) for m in moving(steps)] == [("upper right", "in place", 0.03)]


@pytest.mark.parametrize("name", ["static", "pan", "roll", "noise", "flicker", "logo", "dissolve"])
def test_nothing_moves_on_its_own(name: str) -> None:
    size = (480, 270)
    other = view(draw_canvas("shapes", 77, size), size, Camera(), 0)
    clips = {
        "static": Clip(seed=3),
        "pan": Clip(Camera(pan=0.1), seed=3),
        "roll": Clip(Camera(roll=5), seed=3),
        "noise": Clip(seed=3, texture="clouds", noise=10),
        "flicker": Clip(seed=3, overlays=(flicker,)),
        "logo": Clip(Camera(pan=0.1), seed=3, overlays=(watermark,)),
        "dissolve": Clip(seed=3, overlays=(becomes(other, 0.3, 1.5),)),
    }
    assert measure(clips[name])[0].moving == ()


def test_light_and_colours() -> None:
    found = gap(flat(20, 84, 30), flat(214, 38, 36))
    assert found.colour is not None
    assert (found.colour.before, found.colour.after) == ("dark green", "red")
    assert found.colour.amount == pytest.approx(1.0)
    assert found.light == pytest.approx((0.36 - 0.23), abs=0.05)


def test_the_same_colours_are_no_change() -> None:
    assert gap(flat(20, 84, 30), flat(21, 85, 30)).colour is None
    assert measure(Clip(Camera(pan=0.02), seed=3))[0].colour is None


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((120, 185, 235), "sky blue"),
        ((20, 70, 30), "dark green"),
        ((215, 198, 165), "beige"),
        ((250, 130, 20), "orange"),
        ((128, 128, 130), "grey"),
        ((125, 80, 45), "brown"),
    ],
)
def test_colours_have_names(colour: tuple[int, int, int], name: str) -> None:
    assert look(Frame(0, flat(*colour))).colours == ((name, 1.0),)


def test_colours_come_with_their_share_largest_first() -> None:
    picture = flat(0, 0, 0)
    picture[:, :80] = (214, 38, 36)
    found = look(Frame(0, picture)).colours
    assert [name for name, _ in found] == ["black", "red"]
    assert [share for _, share in found] == pytest.approx([0.75, 0.25], abs=0.02)


def test_light_contrast_and_sharpness() -> None:
    picture = flat(0, 0, 0)
    picture[:, 160:] = 255
    sharp = look(Frame(0, picture))
    assert sharp.light == pytest.approx(0.5, abs=0.01)
    assert sharp.contrast == pytest.approx(0.5, abs=0.01)
    canvas = view(draw_canvas("grain", 1, (320, 180)), (320, 180), Camera(), 0)
    soft = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 4), np.uint8)
    assert look(Frame(0, canvas)).sharpness > 60 > look(Frame(0, soft)).sharpness


@pytest.mark.parametrize(
    ("box", "where"),
    [((0, 0, 90, 60), "upper left"), ((220, 60, 310, 118), "right"), ((110, 62, 210, 118), "centre")],
)
def test_where_the_detail_is(box: tuple[int, int, int, int], where: str) -> None:
    picture = flat(120, 120, 120)
    x0, y0, x1, y1 = box
    picture[y0:y1, x0:x1] = np.random.default_rng(0).integers(0, 256, (y1 - y0, x1 - x0, 3))
    assert look(Frame(0, picture)).detail == where
    assert look(Frame(0, flat(9, 9, 9))).detail == "nowhere"


def test_places() -> None:
    assert [place(x, y) for x, y in ((0.1, 0.1), (0.5, 0.5), (0.99, 1.2), (0.5, 0.9))] == [
        "upper left",
        "centre",
        "lower right",
        "bottom",
    ]


def test_blank() -> None:
    rng = np.random.default_rng(0)
    noisy_black = rng.integers(0, 6, (180, 320, 3), dtype=np.uint8)
    stars = flat(0, 0, 0)
    stars[20:40, 50:80] = 255
    assert is_blank(Frame(0, flat(0, 0, 0)))
    assert is_blank(Frame(0, noisy_black))
    assert is_blank(Frame(0, flat(40, 90, 200)))
    assert not is_blank(Frame(0, stars))


def test_text_that_comes_and_goes() -> None:
    looks = [Look(0.5, 0.1, 100, (), "centre", text) for text in (("OPENING", "Chapter 1"), ("chapter l", "THE END"))]
    found = gap(flat(0, 0, 0), flat(0, 0, 0), a=looks[0], b=looks[1])
    assert found.text_appeared == ("THE END",)
    assert found.text_gone == ("OPENING",)


@pytest.mark.parametrize(
    ("before", "after", "appeared", "gone"),
    [
        (("HELLO WORLD",), ("HELL0 W0RLD",), (), ()),
        (("Sale: 20 %",), ("sale 20%",), (), ()),
        (("A B C", "A B C"), ("ABC",), (), ("A B C",)),
        ((), ("NEW",), ("NEW",), ()),
    ],
)
def test_a_line_read_differently_is_no_change(
    before: tuple[str, ...], after: tuple[str, ...], appeared: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    assert text_changes(before, after) == (appeared, gone)


@pytest.mark.parametrize(
    ("line", "score", "told"),
    [("20", 0.82, False), ("42", 0.95, True), ("EXIT", 0.82, True), ("EXIT", 0.7, False), ("7", 1.0, False)],
)
def test_short_lines_must_be_surer(line: str, score: float, told: bool) -> None:
    assert believed(line, score) is told


def test_text_is_read() -> None:
    picture = flat(20, 20, 60, size=(640, 360))
    cv2.putText(picture, "PRICE $7", (160, 120), cv2.FONT_HERSHEY_SIMPLEX, 2, (250, 240, 220), 4, cv2.LINE_AA)
    cv2.putText(picture, "42 APPLES", (130, 260), cv2.FONT_HERSHEY_SIMPLEX, 2, (250, 240, 220), 4, cv2.LINE_AA)
    reader = TextReader()
    assert [line.replace(" ", "") for line in reader(picture)] == ["PRICE$7", "42APPLES"]
    assert reader(np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)) == ()


@pytest.mark.parametrize(
    ("size", "read"),
    [((3840, 160), (960, 384)), ((160, 3840), (384, 960)), ((8, 900), (360, 900)), ((640, 360), (640, 360))],
)
def test_a_ribbon_is_read_as_a_picture_of_bounded_shape(size: tuple[int, int], read: tuple[int, int]) -> None:
    assert prepared_for_text(flat(200, 40, 90, size=size)).shape == (read[1], read[0], 3)


def test_text_on_a_ribbon_is_read() -> None:
    picture = flat(20, 20, 60, size=(3840, 160))
    cv2.putText(picture, "BREAKING NEWS", (900, 115), cv2.FONT_HERSHEY_SIMPLEX, 3, (250, 240, 220), 8, cv2.LINE_AA)
    assert [line.replace(" ", "") for line in TextReader()(picture)] == ["BREAKINGNEWS"]
