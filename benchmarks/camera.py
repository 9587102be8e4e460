"""How often the camera's word is right, on drawn clips of many textures, speeds and disturbances.

Run: python -m benchmarks.camera [--seeds 4] [--wrong]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.synthetic import (
    TEXTURES,
    Camera,
    Clip,
    Overlay,
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
from sgv_demo.types import Evidence, Keyframe

MOVES: dict[str, tuple[Camera, ...]] = {
    "static": (Camera(),),
    "pan right": (Camera(pan=0.02), Camera(pan=0.06), Camera(pan=0.16), Camera(pan=0.35), Camera(pan=0.08, tilt=0.02)),
    "pan left": (Camera(pan=-0.02), Camera(pan=-0.07), Camera(pan=-0.2)),
    "tilt up": (Camera(tilt=-0.035), Camera(tilt=-0.07), Camera(tilt=-0.25)),
    "tilt down": (Camera(tilt=0.035), Camera(tilt=0.09)),
    "zoom in": (Camera(zoom=1.03), Camera(zoom=1.08), Camera(zoom=1.25), Camera(zoom=1.08, pan=0.01)),
    "zoom out": (Camera(zoom=1 / 1.03), Camera(zoom=1 / 1.1)),
    "roll": (Camera(roll=3), Camera(roll=-8)),
    "shake": (Camera(shake=0.012), Camera(shake=0.02)),
}
HANDHELD = {
    "pan right": Camera(pan=0.09, shake=0.006),
    "pan left": Camera(pan=-0.12, shake=0.01),
    "tilt up": Camera(tilt=-0.15, shake=0.006),
    "zoom in": Camera(zoom=1.1, shake=0.004),
}
DISTURBANCES: dict[str, tuple[Overlay, ...]] = {
    "clean": (),
    "ball": (ball(0.3),),
    "big object": (block(0.1),),
    "watermark": (watermark,),
    "bars": (bars,),
}


def clips(seed: int) -> Iterator[tuple[str, str, Clip]]:
    """Yields (kind, expected words joined by ", ", clip)."""
    sizes = ((480, 270), (640, 360), (270, 480), (320, 240))
    for number, texture in enumerate(TEXTURES):
        base = Clip(texture=texture, seed=seed * 100 + number, size=sizes[(seed + number) % len(sizes)])
        for word, cameras in MOVES.items():
            for camera in cameras:
                yield f"texture {texture}", word, replace(base, camera=camera)
        for name, overlays in DISTURBANCES.items():
            for word in ("static", "pan left", "tilt down", "zoom in"):
                camera = MOVES[word][min(1, len(MOVES[word]) - 1)]
                yield name, word, replace(base, camera=camera, overlays=overlays)
        for word, camera in HANDHELD.items():
            yield "hand-held", word, replace(base, camera=camera)
        for noise, quality, kind in ((8.0, None, "noise"), (0.0, 25, "squeezed")):
            for word in ("static", "pan right", "zoom out", "roll"):
                yield kind, word, replace(base, camera=MOVES[word][-1], noise=noise, jpeg=quality)
        for name, overlay in (("flicker", flicker), ("fade", fade(1.0)), ("flash", flash(1.0))):
            yield name, "static", replace(base, overlays=(overlay,))
        other = view(draw_canvas(texture, seed * 100 + number + 50, base.size), base.size, Camera(), 0)
        yield "dissolve", "static", replace(base, overlays=(becomes(other, 0.3, 1.5),))
        yield "quick dissolve", "no motion", replace(base, overlays=(becomes(other, 0.8, 0.6),))
        for word in ("static", "pan right", "zoom in"):
            camera = MOVES[word][min(1, len(MOVES[word]) - 1)]
            yield "cut", "cut at 1.0", replace(base, camera=camera, overlays=(becomes(other, 1.0, 0),))
            yield "cut at the end", "cut at 2.0", replace(base, camera=camera, overlays=(becomes(other, 2.0, 0),))


def measure(clip: Clip) -> tuple[Evidence, float]:
    """Evidence between the first and the last frame, and milliseconds per frame."""
    frames = list(clip.frames())
    meter = GapMeter()
    start = time.perf_counter()
    for frame in frames:
        meter.feed(frame)
    spent = (time.perf_counter() - start) / len(frames) * 1000
    first, last = (Keyframe(i, frame, None, frame.time) for i, frame in enumerate((frames[0], frames[-1])))
    return meter.gap(first, last), spent


def right(evidence: Evidence, expected: str) -> bool:
    """Whether evidence says what is expected."""
    if expected.startswith("cut at"):
        still = set(evidence.camera) <= {"static", "unknown", "cut"}
        return still and evidence.cuts == (float(expected.removeprefix("cut at ")),)
    if expected == "no motion":
        return set(evidence.camera) <= {"static", "unknown", "cut"}
    return evidence.camera == tuple(expected.split(", ")) and not evidence.cuts


def main() -> None:
    """Prints a table: for each kind of clip how many are right, unknown and wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--wrong", action="store_true", help="print each one that isn't right")
    options, _ = parser.parse_known_args()
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    spent: list[float] = []
    for seed in range(options.first, options.first + options.seeds):
        for kind, expected, clip in clips(seed):
            evidence, milliseconds = measure(clip)
            spent.append(milliseconds)
            unknown = evidence.camera == ("unknown",)
            result = "right" if right(evidence, expected) else "unknown" if unknown else "wrong"
            table[kind][result] += 1
            if options.wrong and result != "right":
                print(f"{result}: {kind}, {clip.texture} {clip.size} seed {clip.seed}, {clip.camera}, {expected}: "
                      f"{evidence.camera} cuts {evidence.cuts}")  # fmt: skip
    print(f"{'kind':<18}{'right':>7}{'unknown':>9}{'wrong':>7}")
    for kind, counts in sorted(table.items()):
        print(f"{kind:<18}{counts['right']:>7}{counts['unknown']:>9}{counts['wrong']:>7}")
    total = sum(table.values(), Counter[str]())
    print(f"{'all':<18}{total['right']:>7}{total['unknown']:>9}{total['wrong']:>7}")
    print(f"{total['right'] / total.total():.1%} right, {sorted(spent)[len(spent) // 2]:.1f} ms a frame (median)")


if __name__ == "__main__":
    main()
