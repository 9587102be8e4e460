"""What one still picture looks like: light, contrast, sharpness, named colours, where the detail is, text."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.evidence.words import join
from sgv_demo.types import Frame, Look, Picture

_PALETTE: dict[str, tuple[int, int, int]] = {
    "black": (12, 12, 12),
    "dark grey": (62, 62, 64),
    "grey": (128, 128, 128),
    "light grey": (190, 190, 190),
    "white": (248, 248, 248),
    "cream": (245, 236, 208),
    "beige": (214, 196, 160),
    "tan": (186, 152, 108),
    "brown": (122, 80, 44),
    "dark brown": (62, 42, 28),
    "grey-brown": (116, 102, 88),
    "dark red": (112, 20, 24),
    "red": (214, 38, 36),
    "coral": (240, 118, 96),
    "dusty pink": (192, 134, 138),
    "light pink": (246, 204, 212),
    "pink": (240, 128, 172),
    "magenta": (206, 36, 156),
    "orange": (240, 134, 28),
    "rust": (168, 78, 32),
    "gold": (210, 166, 40),
    "yellow": (248, 222, 48),
    "pale yellow": (246, 238, 150),
    "olive": (118, 118, 40),
    "dark olive": (62, 62, 28),
    "lime green": (142, 220, 46),
    "green": (52, 152, 54),
    "bright green": (36, 226, 60),
    "dark green": (22, 70, 32),
    "pale green": (172, 218, 164),
    "grey-green": (108, 130, 104),
    "teal": (20, 124, 122),
    "dark teal": (14, 62, 66),
    "turquoise": (60, 206, 194),
    "cyan": (30, 224, 244),
    "sky blue": (124, 186, 234),
    "pale blue": (194, 220, 238),
    "grey-blue": (108, 126, 150),
    "steel blue": (66, 112, 168),
    "blue": (32, 84, 222),
    "dark blue": (20, 30, 92),
    "slate": (56, 66, 84),
    "indigo": (64, 40, 150),
    "purple": (122, 46, 164),
    "dark purple": (56, 26, 74),
    "violet": (134, 92, 230),
    "lavender": (190, 172, 230),
    "mauve": (142, 106, 146),
}

_SHARE = 0.04
"""Colours that cover less of the picture are not named."""

PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


def place(x: float, y: float) -> str:
    """Names a place in the picture; x and y are shares of its width and height from the upper left corner."""
    return PLACES[min(2, max(0, int(y * 3)))][min(2, max(0, int(x * 3)))]


def look(frame: Frame, read_text: Callable[[Picture], tuple[str, ...]] | None = None) -> Look:
    """Measures one picture; `read_text` (see `text.TextReader`) reads its text, None reads none."""
    small = shrink(frame.image, 96)
    grey = np.asarray(cv2.cvtColor(shrink(frame.image, 320), cv2.COLOR_RGB2GRAY), np.uint8)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    return Look(
        light=float(luma.mean()),
        contrast=float(luma.std()),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        colours=_colours(small),
        detail=_detail(grey),
        text=() if read_text is None else read_text(frame.image),
    )


def is_blank(frame: Frame) -> bool:
    """Whether a picture is one flat colour, such as black, but for the noise of a codec."""
    small = shrink(frame.image, 160).reshape(-1, 3)
    low, high = np.percentile(small, (0.2, 99.8), axis=0)
    return bool((high - low).max() <= 12)


def shrink(image: Picture, width: int) -> Picture:
    """Makes a picture at most `width` pixels wide and as large in area as a 16:9 picture of that width."""
    h, w = image.shape[:2]
    scale = min(1.0, width / w, (width * width * 9 / 16 / (w * h)) ** 0.5 * 1.34)
    size = (max(8, round(w * scale)), max(8, round(h * scale)))
    if scale == 1.0:
        return image
    return np.asarray(cv2.resize(halved(image, size), size, interpolation=cv2.INTER_AREA), np.uint8)


def halved(image: Picture, size: tuple[int, int]) -> Picture:
    """Halves a picture while it stays at least as large as `size`: means of 2 x 2 are quicker than of larger areas."""
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return image


def _colours(small: Picture) -> tuple[tuple[str, float], ...]:
    """Share of each palette colour; every pixel counts for the nearest one in CIE Lab."""
    pixels = _lab(small.reshape(-1, 3))
    # |p - q|² = |p|² - 2 p · q + |q|², and |p|² is the same for every colour.
    distance = (_PALETTE_LAB**2).sum(axis=1) - 2 * pixels @ _PALETTE_LAB.T
    counts = np.bincount(distance.argmin(axis=1), minlength=len(_PALETTE)) / len(pixels)
    named = sorted(zip(_PALETTE, counts.tolist(), strict=True), key=lambda pair: -pair[1])
    return tuple((name, share) for name, share in named if share >= _SHARE)[:6]


def _lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 3) sRGB to CIE Lab, L from 0 to 100."""
    return np.asarray(cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0], np.float32)


_PALETTE_LAB = _lab(np.array(list(_PALETTE.values()), np.uint8))


def _detail(grey: NDArray[np.uint8]) -> str:
    """The third, or crossing of thirds, that holds most of the edges; "everywhere" when none does."""
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    energy = np.maximum(np.hypot(gx, gy) - 24, 0)
    if energy.mean() < 0.5:
        return "nowhere"
    cells = np.array([[cell.sum() for cell in np.array_split(row, 3, 1)] for row in np.array_split(energy, 3, 0)])
    column, row = cells.sum(axis=0) / cells.sum(), cells.sum(axis=1) / cells.sum()
    x = int(column.argmax()) if column.max() > 0.5 else 1
    y = int(row.argmax()) if row.max() > 0.5 else 1
    return "everywhere" if column.max() <= 0.5 and row.max() <= 0.5 else PLACES[y][x]


def light_word(light: float) -> str:
    """A mean luma in a word."""
    for limit, word in ((0.06, "almost black"), (0.25, "dark"), (0.42, "rather dark"), (0.62, "evenly lit")):
        if light < limit:
            return word
    return "bright" if light < 0.92 else "almost white"


def colours(look: Look, most: int = 3) -> str:
    """ "mostly sky blue, with dark green and beige", "in tan, grey and black"."""
    if not look.colours:
        return "in many colours, none of which leads"
    (first, share), *rest = look.colours[:most]
    others = [name for name, _ in rest]
    if share > 0.85:
        return f"almost all {first}"
    if share > 0.4:
        return f"mostly {first}{f', with {join(others)}' if others else ''}"
    return f"in {join([first, *others])}"


def appearance(look: Look) -> str:
    """ "evenly lit and mostly sky blue, with tan", "dark, in brown and grey"."""
    named, light = colours(look), light_word(look.light)
    if named.startswith("almost all") and light == f"almost {named.split()[-1]}":
        return named
    return f"{light}{',' if named.startswith('in ') else ' and'} {named}"
