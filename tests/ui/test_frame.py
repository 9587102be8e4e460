"""What the page says of itself."""

from __future__ import annotations

from html import unescape

from sgv_demo.engines.offers import MODELS
from sgv_demo.settings import Settings
from sgv_demo.ui import frame as masthead
from sgv_demo.ui.language import table


def test_about_names_every_model_with_its_licence_and_the_data() -> None:
    text = unescape(masthead.about(Settings()))
    for model in MODELS:
        assert model.label in text
        assert model.licence in text
    for said in ("CLIP ViT-L/14", "MIT", "PP-OCR models, Apache-2.0", "CC BY-NC 4.0"):
        assert said in text
    assert text.count("<br>") == len({model.licence for model in MODELS}) + 2


def test_what_about_says_of_licences_is_translated() -> None:
    text = masthead.about(Settings())
    said = [key for key in table("zh") if "licences" in key or "CC BY-NC" in key]
    assert len(said) == 2
    assert all(key in text for key in said)
