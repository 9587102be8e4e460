"""Lanes of the timeline: everything measured is there, for the eye and as a table."""

from __future__ import annotations

import re

from sgv_demo.types import Caption, Evidence, KeyframeMark, Look
from sgv_demo.ui.video.lanes import lanes
from tests.support.samples import LOOK, analysis


def _at(html: str, lane: str) -> list[tuple[float, float, str]]:
    (inside,) = re.findall(rf'<div class="lane {lane}(?: dense)?"[^>]*>(.*?)</div>', html)
    found = re.findall(r'style="left:([\d.]+)%;width:([\d.]+)%">(?:<bdi>|<span>)?([^<]*)', inside)
    return [(float(left), float(width), word) for left, width, word in found]


def test_everything_measured_has_its_place() -> None:
    html = lanes(analysis(), 0.0, 4.0)
    assert _at(html, "shots") == [(0.0, 31.25, "shot 1"), (31.25, 68.75, "shot 2")]
    assert _at(html, "camera") == [(0.0, 50.0, "pan right"), (50.0, 50.0, "static")]
    assert _at(html, "light") == [(0.0, 50.0, "brighter")]
    assert [(left, width) for left, width, _ in _at(html, "captions")] == [(0.0, 50.0), (50.0, 50.0)]


def test_the_table_says_the_same() -> None:
    html = lanes(analysis(), 0.0, 4.0)
    rows = re.findall(r"<tr><td>.*?</tr>", html)
    said = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    assert ["0:00", "0:02", "Camera", "camera:", "pan", "right"] in said
    assert ["0:01", "0:04", "Shots", "shot", "2"] in said
    assert len(rows) == 2 + 2 + 1 + 2 + len(_at(html, "text"))


def test_text_lasts_from_its_first_to_its_last_keyframe() -> None:
    start = Look(LOOK.light, LOOK.contrast, LOOK.sharpness, LOOK.colours, LOOK.detail, ("START",))
    marks = (KeyframeMark(0, 0.0, None, 0.0, start), KeyframeMark(1, 2.0, 0.5, 2.0), KeyframeMark(2, 4.0, 0.5, 4.0))
    evidence = (
        Evidence(0.0, 2.0, ("static",), text_appeared=("EXIT",), text_gone=("START",)),
        Evidence(2.0, 4.0, ("static",)),
    )
    html = lanes(analysis(keyframes=marks, evidence=evidence), 0.0, 4.0)
    assert _at(html, "text") == [(0.0, 50.0, "START"), (50.0, 50.0, "EXIT")]
    assert _at(html, "camera") == [(0.0, 100.0, "static")]


def test_an_hour_stays_small_and_nothing_runs() -> None:
    evidence = tuple(Evidence(2.0 * i, 2.0 * i + 2, (("pan left", "pan right")[i % 2],)) for i in range(1800))
    captions = tuple(Caption(i, 2.0 * i, 2.0 * i + 2, "<script>alert(1)</script>" * 9) for i in range(1800))
    html = lanes(analysis(evidence=evidence, captions=captions), 0.0, 3600.0)
    assert "<script" not in html
    assert len(_at(html, "camera")) <= 600
    assert html.count("<tr><td>") == 300
    assert len(html) < 600_000


def test_every_lane_has_its_name_and_its_place_before_anything_is_measured() -> None:
    for run in (None, analysis(evidence=(), captions=(), keyframes=())):
        html = lanes(run, 0.0, 4.0)
        assert re.findall(r"<b>(\w+)</b>", html) == ["Shots", "Camera", "Light", "Text", "Captions"]
        assert html.count('class="lane ') == 5
        assert "<table" not in html


def test_crowded_lanes_have_no_words_and_no_gaps() -> None:
    evidence = tuple(Evidence(10.0 * i, 10.0 * i + 10, (("pan left", "pan right")[i % 2],)) for i in range(360))
    html = lanes(analysis(evidence=evidence, captions=()), 0.0, 3600.0)
    assert '<div class="lane camera dense"' in html
    assert {word for _, _, word in _at(html, "camera")} == {""}


def test_a_small_change_of_light_is_drawn_faintly_and_apart_from_a_large_one() -> None:
    evidence = tuple(Evidence(2.0 * i, 2.0 * i + 2, (), light=light) for i, light in enumerate((0.03, 0.2, -0.05)))
    html = lanes(analysis(evidence=evidence, captions=()), 0.0, 6.0)
    assert re.findall(r'<i class="((?:bright|dim)[^"]*)"', html) == ["bright faint", "bright", "dim faint"]
