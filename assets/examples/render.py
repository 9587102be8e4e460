"""Draws the example clips and writes down what is true of them: python assets/examples/render.py [FOLDER [NAME ...]]

Names, such as "cards", leave the other clips as they are. Everything is drawn with NumPy, OpenCV and Pillow from fixed
seeds; no picture comes from elsewhere. truth.json names for each clip its cuts (seconds), camera moves and text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import avenue
import bay
import cards
import cv2
import numpy as np
import sill
import yoga
from camera import View, ease, window
from PIL import Image, ImageDraw, ImageFont
from scenes import HEIGHT, WIDTH, beach, bedroom, city, rooftop, street, valley

FPS = 24
Move = tuple[float, float, str]


@dataclass(frozen=True)
class Clip:
    """Frames, and what is true of them; times are seconds."""

    frames: Callable[[], Iterator[np.ndarray]]
    title: str
    cuts: list[float]
    camera: list[Move]
    text: list[Move] = field(default_factory=list)
    """Lines that can be read, each with its time."""
    duration: float = 12.0
    size: tuple[int, int] = (WIDTH, HEIGHT)
    fps: int = FPS
    quality: int = 27
    """libx264's crf: less is better and larger."""

    def truth(self) -> dict[str, Any]:
        return {
            "fps": self.fps,
            "duration": self.duration,
            "size": list(self.size),
            "title": self.title,
            "cuts": self.cuts,
            "camera": [{"start": start, "end": end, "word": word} for start, end, word in self.camera],
            "text": [{"start": start, "end": end, "line": line} for start, end, line in self.text],
        }


def title(picture: np.ndarray, text: str, strength: float) -> np.ndarray:
    """Writes a title with a soft shadow into the middle of a picture."""
    if strength <= 0:
        return picture
    font = ImageFont.load_default(size=46)
    layer = Image.new("L", (WIDTH, HEIGHT), 0)
    ImageDraw.Draw(layer).text((WIDTH / 2, HEIGHT * 0.24), text, fill=255, font=font, anchor="mm")
    letters = np.asarray(layer, np.float32) / 255 * strength
    shadow = np.clip(cv2.GaussianBlur(letters, (0, 0), 5) * 0.9, 0, 1)[..., None]
    dark = picture * (1 - 0.6 * shadow)
    return (dark * (1 - letters[..., None]) + np.array((255, 244, 222)) * letters[..., None]).astype(np.uint8)


def ball(picture: np.ndarray, x: float, y: float, floor: float, colour: tuple[int, int, int]) -> np.ndarray:
    """A shaded ball at (x, y) and its shadow at height `floor`, all in pixels."""
    radius = 30
    out = picture.astype(np.float32)
    yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    near = 1 / (1 + max(0.0, floor - y) / 90)
    spot = np.exp(-(((xx - x) / (radius * 1.2)) ** 2) - ((yy - floor - radius) / 7) ** 2)
    out *= 1 - (0.55 * near * spot)[..., None]
    nx, ny = (xx - x) / radius, (yy - y) / radius
    inside = np.clip((1 - np.hypot(nx, ny)) * radius, 0, 1)[..., None]
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
    light = np.clip(-0.45 * nx - 0.6 * ny + 0.66 * nz, 0, 1)
    shine = np.clip(-0.4 * nx - 0.55 * ny + 0.73 * nz, 0, 1) ** 40
    stripe = np.where(np.abs(ny + 0.25 * nx) < 0.22, 0.75, 0.0)[..., None]
    base = np.array(colour, np.float32) * (1 - stripe) + 250 * stripe
    shaded = base * (0.35 + 0.75 * light)[..., None] + 200 * shine[..., None]
    return np.clip(out * (1 - inside) + shaded * inside, 0, 255).astype(np.uint8)


def bounce(t: float, floor: float, height: float, period: float = 1.1) -> float:
    """Height in pixels of something that bounces on `floor`."""
    phase = (t / period) % 1
    return floor - height * 4 * phase * (1 - phase)


def valley_frames() -> Iterator[np.ndarray]:
    """A morning valley: the camera pans right over it, rests, and zooms in on a cabin by the lake."""
    canvas = valley(np.random.default_rng(3))
    for i in range(12 * FPS):
        t = i / FPS
        x = 0.6 + 0.16 * 5.5 * ease(t / 5.5)
        zoom = 1 + 0.75 * ease((t - 8) / 4)
        pull = ease((t - 8) / 4)
        yield window(canvas, View(x + 0.035 * pull, 0.5 + 0.11 * pull, zoom))


def city_frames() -> Iterator[np.ndarray]:
    """A skyline from dusk to night under a title, then a cut to a tower that the camera tilts up along."""
    dusk, night = city(np.random.default_rng(11))
    tower = street(np.random.default_rng(5))
    for i in range(12 * FPS):
        t = i / FPS
        if t < 7:
            share = ease(t / 6.5)
            picture = cv2.addWeighted(window(dusk, View(0.5, 0.5)), 1 - share, window(night, View(0.5, 0.5)), share, 0)
            yield title(picture, "CITY LIGHTS", ease((t - 1) / 0.8) * (1 - ease((t - 5) / 0.8)))
        else:
            yield window(tower, View(0.5, 1.5 - 0.9 * ease((t - 6.4) / 6.2), 1.0))


def ball_frames() -> Iterator[np.ndarray]:
    """A ball bounces through three scenes: the camera rests, pans left, zooms out."""
    rooms = [make(np.random.default_rng(20 + k)) for k, make in enumerate((bedroom, beach, rooftop))]
    for i in range(12 * FPS):
        t = i / FPS
        if t < 4:
            picture = window(rooms[0], View(0.75, 0.5))
            yield ball(picture, 60 + 130 * t, bounce(t, 285, 190), 285, (220, 60, 50))
        elif t < 8:
            picture = window(rooms[1], View(1.1 - 0.11 * (t - 4), 0.5))
            yield ball(picture, 560 - 110 * (t - 4), bounce(t, 290, 170), 290, (40, 150, 210))
        else:
            picture = window(rooms[2], View(0.75, 0.5, 1.45 * (1 / 1.09) ** (t - 8)))
            yield ball(picture, 120 + 95 * (t - 8), bounce(t, 295, 180), 295, (240, 180, 40))


CLIPS = {
    "valley.mp4": Clip(
        valley_frames,
        "Morning valley: a pan, a rest, a zoom",
        cuts=[],
        camera=[(0.0, 5.5, "pan right"), (5.0, 7.0, "static"), (8.0, 12.0, "zoom in")],
    ),
    "city.mp4": Clip(
        city_frames,
        "City lights: dusk to night, a title, a tower",
        cuts=[7.0],
        camera=[(0.0, 7.0, "static"), (7.0, 12.0, "tilt up")],
        text=[(1.8, 5.0, "CITY LIGHTS")],
    ),
    "ball.mp4": Clip(
        ball_frames,
        "A ball in three places",
        cuts=[4.0, 8.0],
        camera=[(0.0, 4.0, "static"), (4.0, 8.0, "pan left"), (8.0, 12.0, "zoom out")],
    ),
    "poses.mp4": Clip(
        yoga.frames,
        "Two people at yoga, from afar and from near",
        cuts=[7.0],
        camera=[(0.0, 7.0, "static"), (7.0, 12.0, "zoom in")],
    ),
    "cards.mp4": Clip(
        cards.frames,
        "Lemon tea: three cards and a picture",
        cuts=[3.0, 5.0, 7.0],
        camera=[(0.0, 3.0, "static"), (3.0, 5.0, "zoom in"), (5.0, 10.0, "static")],
        text=[
            (0.0, 3.0, "LEMON TEA"),
            (0.0, 3.0, "in the garden"),
            (5.0, 7.0, "Three slices of lemon"),
            (5.0, 7.0, "and a spoon of honey"),
            (7.0, 10.0, "THE END"),
        ],
        duration=10.0,
    ),
    "portrait.mp4": Clip(
        sill.frames,
        "A cat at a rainy window: dusk, then a lamp",
        cuts=[],
        camera=[(0.0, 8.0, "static")],
        duration=8.0,
        size=sill.SIZE,
    ),
    "handheld.mp4": Clip(
        avenue.frames,
        "An autumn walk with the camera in the hand",
        cuts=[],
        camera=[(0.0, 10.0, "zoom in")],
        duration=10.0,
        quality=33,
    ),
    "ten_minutes.mp4": Clip(
        bay.frames,
        "A day over a bay in ten minutes",
        cuts=list(bay.CUTS),
        camera=[(0.0, float(bay.SECONDS), "static")],
        duration=float(bay.SECONDS),
        size=bay.SIZE,
        fps=bay.FPS,
        quality=31,
    ),
}


def write(path: Path, clip: Clip) -> int:
    """Encodes a clip as H.264; returns the file's bytes."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as file:
        # A whole picture every four seconds; every minute in a long clip, where they would be most of the file.
        apart = 4 if clip.duration <= 60 else 60
        options = {"crf": str(clip.quality), "preset": "veryslow", "g": str(apart * clip.fps)}
        stream = file.add_stream("libx264", rate=clip.fps, options=options)
        stream.width, stream.height = clip.size
        stream.pix_fmt = "yuv420p"
        for picture in clip.frames():
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return path.stat().st_size


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:] or [Path(name).stem for name in CLIPS]
    for name, clip in CLIPS.items():
        if Path(name).stem in wanted:
            print(name, write(folder / name, clip), "bytes")
    truth = {name: clip.truth() for name, clip in CLIPS.items()}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
