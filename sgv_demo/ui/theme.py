"""Looks: Gradio's own variables first, assets/style.css for the rest. System fonts only: nothing is fetched."""

from __future__ import annotations

import json
from urllib.parse import quote

from gradio import themes

from sgv_demo.formats.markup import ASSETS

_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> themes.Base:
    """One accent (teal) on neutral greys, light and dark."""
    base = themes.Base(
        primary_hue=themes.colors.teal,
        secondary_hue=themes.colors.teal,
        neutral_hue=themes.colors.zinc,
        radius_size=themes.sizes.radius_md,
        text_size=themes.sizes.text_md,
        font=_FONT,
        font_mono=_MONO,
    )
    return base.set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#111113",
        body_text_color="#18181b",
        body_text_color_dark="#ececee",
        body_text_color_subdued="#5b5b64",
        body_text_color_subdued_dark="#a1a1aa",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#111113",
        background_fill_secondary="#f6f6f7",
        background_fill_secondary_dark="#1a1a1d",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_padding="0px",
        block_shadow="none",
        block_title_text_color="*body_text_color_subdued",
        block_title_text_color_dark="*body_text_color_subdued",
        block_title_text_size="13px",
        block_info_text_size="12.5px",
        border_color_primary="#e4e4e7",
        border_color_primary_dark="#2c2c31",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_dark="#2dd4bf",
        button_primary_background_fill_hover="#115e59",
        button_primary_background_fill_hover_dark="#5eead4",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#042f2e",
        button_secondary_background_fill="#f4f4f5",
        button_secondary_background_fill_dark="#27272a",
        button_transition="background-color 120ms ease",
        input_border_width="1px",
        input_background_fill="#ffffff",
        input_background_fill_dark="#18181b",
        input_border_color="#d4d4d8",
        input_border_color_dark="#3f3f46",
        layout_gap="16px",
        slider_color="#0f766e",
        slider_color_dark="#2dd4bf",
        color_accent="#0f766e",
        loader_color="#0f766e",
        loader_color_dark="#2dd4bf",
    )


_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='black' stroke-width='1.5' "
    "stroke-linecap='round' stroke-linejoin='round'><path d='{}'/></svg>"
)


def stylesheet() -> str:
    """The page's own CSS."""
    names = ("style.css", "room.css", "show.css", "engines.css")
    return "\n".join([*((ASSETS / name).read_text(encoding="utf-8") for name in names), _icons()])


def _icons() -> str:
    """A class for each drawing of icons.json, in the colour of the text: no font has to have them."""
    paths: dict[str, str] = json.loads((ASSETS / "icons.json").read_text(encoding="utf-8"))
    rules = (
        f'i.icon.{name} {{ --icon: url("data:image/svg+xml,{quote(_ICON.format(d))}") }}' for name, d in paths.items()
    )
    return "\n".join(rules)


def head() -> str:
    """The page's own script, inline so that it is there before any component."""
    names = ("page.js", "words.js", "room.js", "frames.js", "strip.js", "show.js", "hints.js")
    scripts = [(ASSETS / name).read_text(encoding="utf-8") for name in names]
    return "\n".join(f"<script>\n{script}\n</script>" for script in scripts)
