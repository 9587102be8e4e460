"""Text is looked for only where it can be, only where something changed, and recognised once."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from sgv_demo.evidence.reading import Box, Reading, TextReader, changed, may_hold_text
from sgv_demo.types import Picture


class Counted(TextReader):
    """Finds one box where it is told to, and reads what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, ...]] = []
        self.recognised = 0

    def find(self, picture: Picture) -> list[Box]:
        self.found.append(picture.shape)
        return [np.array([(60, 60), (260, 60), (260, 100), (60, 100)], np.float32)]

    def recognise(self, picture: Picture) -> tuple[str, float]:
        self.recognised += 1
        return f"LINE {self.recognised}", 0.99


def page(text: str = "OPEN 24 HOURS", light: int = 230, size: float = 1.0) -> Picture:
    picture = np.full((360, 640, 3), 40, np.uint8)
    cv2.putText(picture, text, (64, 92), cv2.FONT_HERSHEY_SIMPLEX, size, (light,) * 3, 2, cv2.LINE_AA)
    return picture


def test_the_same_picture_is_not_read_again() -> None:
    reader = Counted()
    reading = Reading(reader)
    noisy = np.clip(page().astype(np.int16) + np.random.default_rng(0).integers(-4, 5, (360, 640, 3)), 0, 255)
    assert reading(page()) == reading(noisy.astype(np.uint8)) == ("LINE 1",)
    assert len(reader.found) == 1


def test_a_line_that_stays_is_recognised_once_and_one_that_changes_again() -> None:
    reader = Counted()
    reading = Reading(reader)
    elsewhere = page()
    elsewhere[250:300, 400:600] = 255
    assert reading(page()) == reading(elsewhere) == ("LINE 1",)
    assert (len(reader.found), reader.recognised) == (2, 1)
    assert reading(page("CLOSED TODAY")) == ("LINE 2",)


def test_what_was_read_in_one_video_says_nothing_about_another() -> None:
    reader = Counted()
    assert Reading(reader)(page()) != Reading(reader)(page())


def test_text_is_looked_for_at_one_size() -> None:
    reader = Counted()
    for size in ((1920, 1080), (320, 180)):
        Reading(reader)(np.asarray(cv2.resize(page(), size), np.uint8))
    assert reader.found == [(360, 640, 3), (360, 640, 3)]


def test_soft_pictures_are_not_looked_at() -> None:
    reader = Counted()
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 9), np.uint8)
    assert Reading(reader)(soft) == ()
    assert reader.found == []


@pytest.mark.parametrize("light", [80, 100, 255])
@pytest.mark.parametrize("size", [0.35, 1.0, 4.0])
def test_no_text_that_could_be_read_is_passed_over(light: int, size: float) -> None:
    assert may_hold_text(np.asarray(cv2.cvtColor(page("AB", light, size), cv2.COLOR_RGB2GRAY), np.uint8))


def test_one_letter_more_is_a_change() -> None:
    one, more = (np.asarray(cv2.resize(page(text)[..., 0], (320, 180), interpolation=cv2.INTER_AREA), np.uint8)
                 for text in ("TOTAL 1", "TOTAL 11"))  # fmt: skip
    assert changed(one, more)
    assert not changed(one, one)


def test_what_a_picture_says_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    read = SimpleNamespace(txts=(" EXIT\x1b[2J\x00\ud83d ",), scores=(0.9,))
    monkeypatch.setattr(TextReader, "_loaded", lambda reader: lambda picture, **how: read)
    assert TextReader().recognise(page()) == ("EXIT[2J\ufffd", 0.9)
